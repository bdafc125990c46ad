"""Read what a try left behind: whether the test ran, failed, and failed in the same way."""

from __future__ import annotations

import json
import linecache
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from .tries import OUT_OF_TIME, Job, Ran

TAIL = 100_000
LOG_BYTES, LOG_LINES = 16 * 1024, 100
"""Of a log's end, where the failure of a whole command is read from: as when it was recorded."""


class Namer(Protocol):
    """`naming.name`."""

    def __call__(self, *, test: str, text: str) -> Any:
        """Return a name with `signature`, `kind` and `template`."""


class Verdict(NamedTuple):
    """What one process showed."""

    result: str
    """`same` (signature), `other` (failure), `passed`, `blocked` (the test did not run), or
    `unfinished` (the budget ended)."""
    said: str
    """One line: the failure, or what stood in the way."""
    executions: int
    """How often the test ran to its end or died."""
    signature: str = ""
    seconds: float = 0.0
    """What the finished executions took together."""


def judge_tests(spec: dict[str, Any], job: Job, ran: Ran, name: Namer) -> Verdict:
    """Judge a process that ran pytest with our plugin."""
    events = list(_events(job.reports))
    started = sum(event["event"] == "start" and event["target"] for event in events)
    finished = sum(event["event"] == "finish" and event["target"] for event in events)
    ours = [event for event in events if event["event"] == "report" and event["target"]]
    texts = [event["text"] for event in ours if event["outcome"] == "failed"]
    if spec["kind"] == "collection_error":
        texts += [event["text"] for event in events if event["event"] == "uncollected"]
        started = max(started, 1)
    died = ran.status not in {0, 1} and ran.killed != OUT_OF_TIME
    if started > finished and died:
        texts += _last_words(job, ran)
    if texts:
        return _named(spec, texts, executions=started, name=name)
    if ran.killed == OUT_OF_TIME:
        return Verdict("unfinished", "", finished)
    if not started:
        return Verdict("blocked", _obstacle(events, job, ran), 0)
    skipped = [event["text"] for event in ours if event["outcome"] == "skipped"]
    if len(skipped) == finished and skipped:
        return Verdict("blocked", f"the test is skipped here: {_line(skipped[0])}", 0)
    return Verdict("passed", "", finished, seconds=_spent(events))


def _spent(events: list[dict[str, Any]]) -> float:
    began = spent = 0.0
    for event in events:
        if event["event"] == "start" and event["target"]:
            began = event["at"]
        elif event["event"] == "finish" and event["target"]:
            spent += event["at"] - began
    return spent


def judge_command(spec: dict[str, Any], job: Job, ran: Ran, name: Namer) -> Verdict:
    """Judge a process that ran the original command as it was: its status and its log."""
    if ran.status is None:
        return Verdict("blocked", f"the command cannot be started: {ran.error}", 0)
    if ran.killed == OUT_OF_TIME:
        return Verdict("unfinished", "", 0)
    if ran.status == 0 and not ran.killed:
        return Verdict("passed", "", 1, seconds=ran.seconds)
    verdict = _named(spec, _last_words(job, ran), executions=1, name=name)
    wanted = spec["exit_code"]
    # Many logs end alike; a command that says nothing has its exit status alone.
    if verdict.result == "same" and not ran.killed and wanted not in {None, _as_shell(ran.status)}:
        said = f"exit status {_as_shell(ran.status)} instead of {wanted}"
        return verdict._replace(result="other", said=said)
    return verdict


def _named(spec: dict[str, Any], texts: list[str], *, executions: int, name: Namer) -> Verdict:
    named = [name(test=spec["nodeid"], text=text) for text in texts]
    for one in named:
        if one.signature == spec["signature"]:
            return Verdict("same", one.template, executions, one.signature)
    said = named[0].template or _line(texts[0])
    return Verdict("other", said, executions, named[0].signature)


def _last_words(job: Job, ran: Ran) -> list[str]:
    """
    Return what may stand for the failure of a process that died or was killed.

    The same death is told in several ways: by faulthandler, by the worker's
    master, by who started the command. The original was told in one of them.
    """
    log = "\n".join(_tail(job.log, LOG_BYTES).splitlines()[-LOG_LINES:])
    if ran.killed:
        stacks = _with_source(_tail(job.stacks, TAIL))
        dumped = f"Timeout (0:00:{ran.seconds:02.0f})!\n{stacks}"
        return [dumped, f"the command was killed at its time limit\n{log}", log]
    status = ran.status or 0
    if status < 0:
        crashed = [f"signal {-status}", "worker 'gw0' crashed while running"]
        return [log, f"the command was ended by signal {-status}\n{log}", *crashed]
    return [f"the command exited with {status} and named no failed test\n{log}", log]


def _as_shell(status: int) -> int:
    return 128 - status if status < 0 else status


def _with_source(stacks: str) -> str:
    """Add to each frame of a dump the line it stands at, as a traceback shows it."""
    lines = []
    for line in stacks.splitlines():
        lines.append(line)
        frame = re.match(r'\s+File "(.+)", line (\d+) in ', line)
        source = linecache.getline(frame[1], int(frame[2])).strip() if frame else ""
        if source:
            lines.append(f"    {source}")
    return "\n".join(lines)


def _obstacle(events: list[dict[str, Any]], job: Job, ran: Ran) -> str:
    if ran.status is None:
        return f"Python cannot be started: {ran.error}"
    for event in events:
        if event["event"] == "uncollected":
            return f"{event['nodeid']} cannot be collected: {_line(event['text'])}"
    for event in events:
        if event["event"] == "collected" and not event["found"]:
            return "pytest does not collect the test here: was it renamed, or is it another commit?"
    if ran.killed:
        return f"{ran.killed}, and the test had not begun"
    said = [line.strip() for line in _tail(job.log, TAIL).splitlines() if line.strip()]
    why = [line for line in said if re.search(r"\berror\b:|^ERROR\b|Error:", line)] or said[-1:]
    return f"pytest ended with status {ran.status} before the test: {' '.join(why[:2])[:300]}"


def _events(path: Path) -> Iterator[dict[str, Any]]:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return
    for line in lines:
        try:
            event = json.loads(line)
        except ValueError:
            continue  # the line that a killed process was writing
        if isinstance(event, dict) and "event" in event:
            yield event


def _tail(path: Path, size: int) -> str:
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - size))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""


def _line(text: str) -> str:
    said = [line[2:].strip() if line.startswith("E ") else "" for line in text.splitlines()]
    said = [line for line in said if line] or [line for line in text.splitlines() if line.strip()]
    return said[0].strip()[:300] if said else ""
