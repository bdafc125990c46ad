"""
The probe beside the tests: hand it to the command, and tell what it wrote.

The probe (`probe/telltale_probe.py`) is found by pytest through PYTHONPATH and
an entry point, and loaded by `telltale_load.py`. Where that does not get
through (tox, a container, sudo, `python -I`) pytest runs as it would alone, and
a finding says what is missing.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from telltale import bundle
from telltale.capture import events, rebuilt, shell
from telltale.capture.events import Events
from telltale.capture.output import last_bytes
from telltale.capture.reports import JUNIT, Reports
from telltale.capture.words import many
from telltale.launcher.shelves import make_writable, shelves
from telltale.model import RunningTest, TestOutcome, TestResult
from telltale.patterns import pattern
from telltale.values import dataclass, field

FOLDER = Path(__file__).resolve().parent / "probe"
SETTINGS = "TELLTALE_PROBE_SETTINGS"
STACKS = "artifacts/stacks.txt"
_LOAD = "-p telltale_probe"
_WARNINGS = 20
_RUNNING = 100
_PYTHON = pattern(r"(?:python|pypy)[0-9.]*")
_PYTEST = pattern(r"py\.?test[0-9.-]*")
_NO_VARIABLES = pattern(r"-[a-zA-Z]*[IE]")
_SHELL_SIGNS = pattern(r"[;&|<>`$(){}\n]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the probe and the reports say together."""

    results: tuple[TestResult, ...] | None
    """None when neither says anything."""
    running: tuple[RunningTest, ...] = ()
    findings: tuple[str, ...] = ()
    disagreements: tuple[str, ...] = ()
    """Where the probe and the reports contradict each other."""
    events: Events = field(default_factory=Events)


def environ(
    child: Mapping[str, str], argv: Sequence[str], folder: Path, *, leaks: bool = True
) -> dict[str, str]:
    """
    Return the command's environment with the probe in it; `folder` is the bundle.

    Three variables differ: PYTHONPATH has the probe's folder at its end, one
    of ours says where to write, and where PYTEST_DISABLE_PLUGIN_AUTOLOAD keeps
    pytest from looking, PYTEST_ADDOPTS names the probe, but only for a command
    that is certain to pass PYTHONPATH on: pytest refuses to run without a
    plugin that it cannot find. The probe takes all of them away again.
    """
    if os.pathsep in str(FOLDER):
        return dict(child)
    was = {"PYTHONPATH": child.get("PYTHONPATH")}
    before = child.get("PYTHONPATH", "")
    changed = {**child, "PYTHONPATH": f"{before}{os.pathsep}{FOLDER}" if before else str(FOLDER)}
    if child.get("PYTEST_DISABLE_PLUGIN_AUTOLOAD") and _passes_on(argv):
        options = child.get("PYTEST_ADDOPTS", "")
        was["PYTEST_ADDOPTS"] = child.get("PYTEST_ADDOPTS")
        changed["PYTEST_ADDOPTS"] = f"{options} {_LOAD}" if options else _LOAD
    settings = {
        "folder": str(folder / "artifacts"),
        "was": was,
        "test": child.get("PYTEST_CURRENT_TEST", ""),
        "leaks": leaks,
        "shelf": _shelf(child),
    }
    return {**changed, SETTINGS: json.dumps(settings)}


def _shelf(child: Mapping[str, str]) -> str:
    """Return the folder where the probe may keep its bytecode; empty when there is none."""
    found = next((each for each in shelves(child) if make_writable(each)), None)
    return "" if found is None else str(found / "bytecode")


def _passes_on(argv: Sequence[str]) -> bool:
    """Whether the command is a Python or pytest itself, which gets PYTHONPATH as it is."""
    words: Sequence[str] = argv
    if text := shell.text(argv):
        if _SHELL_SIGNS.search(text):
            return False
        try:
            words = shlex.split(text)
        except ValueError:
            return False
    while words and re.match(r"[A-Za-z_]\w*=", words[0]) and not words[0].startswith("PYTHON"):
        words = words[1:]
    if not words:
        return False
    name = Path(words[0]).name
    if _PYTHON.fullmatch(name):
        before = words[1 : words.index("-m")] if "-m" in words else words[1:2]
        return not any(_NO_VARIABLES.match(word) for word in before)
    return bool(_PYTEST.fullmatch(name)) and not _isolated(words[0])


def _isolated(script: str) -> bool:
    """Whether the first line of a script keeps its Python from reading variables, or is not known."""
    if "/" not in script:
        return True
    try:
        with Path(script).open("rb") as file:
            line = file.readline(512).decode("utf-8", "replace")
    except OSError:
        return True
    return any(_NO_VARIABLES.match(word) for word in line.split()[1:])


def tell(
    folder: Path, found: Reports | None, child: Mapping[str, str], argv: Sequence[str]
) -> Told:
    """
    Return the tests of a run: the probe's where it saw them, the reports' for all else.

    Completes the bundle: `junit.xml` is put together when pytest wrote none.
    Disagreements say where the two contradict each other, findings what is
    missing when pytest ran without the probe. Raises `OSError`.
    """
    now = time.time()
    said = events.read(folder)
    stacks = folder / STACKS
    if stacks.is_file() and not stacks.stat().st_size:
        stacks.unlink()
    if not said.sessions:
        reports = found.results if found else None
        absent = found.absent if found else ""
        missing = (
            *([absent] if absent else []),
            *_without(folder, child, argv),
            *_findings(said, ()),
        )
        return Told(results=reports, findings=missing, events=said)
    results, findings, disagreements = _together(said, found)
    if found is None or found.results is None:
        rebuilt.write(folder / JUNIT, said.results, said.sessions[0].at)
        if any(_asked(session.args) for session in said.sessions):
            findings.append(
                f"pytest wrote no JUnit file: {JUNIT} was put together from the probe's record"
            )
    return Told(
        results=results,
        running=tuple(_running(said, now)),
        findings=(*findings, *_findings(said, results)),
        disagreements=disagreements,
        events=said,
    )


def _asked(args: Sequence[str]) -> bool:
    return any(re.match(r"--junit-?xml(=|$)", word) for word in args)


def _running(said: Events, now: float) -> Iterator[RunningTest]:
    for each in said.running[:_RUNNING]:
        until = each.finished_at if each.finished_at is not None else now
        yield RunningTest(
            nodeid=each.nodeid,
            worker=each.worker,
            phase=each.phase,
            for_s=round(max(0.0, until - each.since), 3),
        )


def _findings(said: Events, results: Sequence[TestResult]) -> Iterator[str]:
    yield from said.warnings[:_WARNINGS]
    if said.damaged:
        yield (
            f"{many(said.damaged, 'line')} of {bundle.TESTS} could not be read and"
            f" {'is' if said.damaged == 1 else 'are'} left out"
        )
    again = [each for each in results if each.attempts > 1 and each.outcome is TestOutcome.PASSED]
    if again:
        yield f"{many(len(again), 'test')} passed only when run again, as {again[0].nodeid}"
    for finish in said.finishes:
        workers = finish.worker != "main"
        if (
            workers
            or finish.stopped
            or finish.collected is None
            or finish.exit_status not in {0, 1}
        ):
            continue
        if finish.seen < finish.collected:
            yield (
                f"pytest collected {many(finish.collected, 'test')} and the probe saw"
                f" {finish.seen} of them end: something in the project runs tests in its own way"
            )


# The two records side by side


def _together(
    said: Events, found: Reports | None
) -> tuple[tuple[TestResult, ...], list[str], tuple[str, ...]]:
    """Return the probe's tests and those that only the reports have, findings and contradictions."""
    if found is None or found.results is None:
        return said.results, [], ()
    pairs, alone, added = _pair(said, found)
    differ = [
        f"{mine.nodeid} {mine.outcome.value} here, {theirs.outcome.value} there"
        for mine, theirs in pairs
        if _contradict(mine.outcome, theirs.outcome)
    ]
    findings = []
    if alone and pairs:
        findings.append(
            f"{many(len(alone), 'test')} that the probe saw end, as {alone[0].nodeid},"
            f" {'is' if len(alone) == 1 else 'are'} not in the JUnit file"
        )
    if added:
        example = next((f", as {each.nodeid}," for each in added if each.nodeid), "")
        findings.append(
            f"{many(len(added), 'test')} of the JUnit files{example} ran outside the probe's"
            " sight: their CPU time and memory are not known"
        )
    return (*said.results, *added), findings, _told_apart(differ)


def _pair(
    said: Events, found: Reports
) -> tuple[list[tuple[TestResult, TestResult]], list[TestResult], list[TestResult]]:
    """Return the tests that both have, those that only the probe has, and only the reports."""
    ours: dict[tuple[str, str], list[TestResult]] = defaultdict(list)
    for result in said.results:
        ours[rebuilt.address(result.nodeid)].append(result)
    interrupted = any(each.outcome is TestOutcome.INTERRUPTED for each in said.results)
    prefix = _prefix(said)
    pairs, added = [], []
    for result, (classname, name) in zip(found.results or (), found.names, strict=True):
        key = classname.removeprefix(prefix), name
        if ours.get(key):
            pairs.append((ours[key].pop(0), result))
        elif key in ours and result.message.startswith("failed on teardown"):
            pass  # where workers take turns, a failed tear-down is a case of its own
        elif classname or name or not interrupted:
            # A nameless case is the test in which pytest was interrupted: the probe names it.
            added.append(result)
    left = (each for rest in ours.values() for each in rest)
    alone = [each for each in left if each.outcome is not TestOutcome.INTERRUPTED]
    return pairs, alone, added


def _told_apart(differ: Sequence[str]) -> tuple[str, ...]:
    if not differ:
        return ()
    sentence = (
        f"the probe and the JUnit file differ about {many(len(differ), 'test')}:"
        f" {differ[0]}; the probe's word is taken"
    )
    return (sentence,)


def _contradict(probe: TestOutcome, report: TestOutcome) -> bool:
    if probe is report or TestOutcome.INTERRUPTED in {probe, report}:
        return False
    # A skipped subtest makes a skipped test in JUnit; a test that failed in its call and one
    # that failed around it are both failures.
    harmless = ({TestOutcome.PASSED, TestOutcome.SKIPPED}, {TestOutcome.FAILED, TestOutcome.ERROR})
    return {probe, report} not in harmless


def _prefix(said: Events) -> str:
    for session in said.sessions:
        for at, word in enumerate(session.args):
            if match := re.match(r"--junit-?prefix(?:=(.*))?$", word):
                value = match[1] if match[1] is not None else "".join(session.args[at + 1 : at + 2])
                return f"{value}."
    return ""


# Runs without the probe

_BETWEEN = pattern(r"(?:^|[\s/;&|])(tox|nox|docker|podman|sudo|ssh|hatch|srun|kubectl)(?:\s|$)")


def _without(folder: Path, child: Mapping[str, str], argv: Sequence[str]) -> Iterator[str]:
    """Yield what is missing when pytest ran and the probe did not."""
    words = " ".join((shell.text(argv) or " ".join(argv), child.get("PYTEST_ADDOPTS", "")))
    if "no:telltale_probe" in words or not _ran_pytest(folder):
        return
    yield (
        "pytest ran without Telltale's probe, so CPU time and memory of each test, what tests left"
        f" changed, and their record up to the last moment are missing: {_why(words, child)};"
        " all else is complete"
    )


def _why(words: str, child: Mapping[str, str]) -> str:
    if child.get("PYTEST_DISABLE_PLUGIN_AUTOLOAD") or "--disable-plugin-autoload" in words:
        return f"plugins are not loaded by themselves; add `{_LOAD}` to pytest's options"
    if between := _BETWEEN.search(words):
        return f"{between[1]} probably did not pass PYTHONPATH on"
    if re.search(r"(?:python|pypy)[0-9.]*\s+-[a-zA-Z]*[IE]", words):
        return "its Python was told to read no variables (-I or -E)"
    return "PYTHONPATH probably did not get through to it"


def _ran_pytest(folder: Path) -> bool:
    report = folder / JUNIT
    if report.is_file():
        with report.open("rb") as file:
            if re.search(rb'<testsuites? (?:[^>]* )?name="pytest', file.read(4096)):
                return True
    log = folder / "logs/output.log"
    if not log.is_file():
        return False
    with log.open("rb") as file:
        if re.search(rb"^=+ test session starts =+\s*$", file.read(256 * 1024), re.MULTILINE):
            return True
    last = last_bytes(log, 4096)
    return bool(
        re.search(rb"^(?:=+ )?\d+ (?:passed|failed|errors?)\b.* in [\d.]+s", last, re.MULTILINE)
    )
