"""
Fold the lines that the probe writes while tests run into one result for each test.

What the lines say: docs/evidence-bundle.md, `tests.jsonl`. They are written by
processes that may be killed at any byte, onto disks that may be full, and read
from artifacts that anybody may have written: nothing here raises for what is
in them, and a line that is none is the caller's to count.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from telltale.model import TestOutcome, TestResult

PHASES = ("setup", "call", "teardown")
_NUMBERS = frozenset({int, float})
_BEFORE: Mapping[str, tuple[str, ...]] = {"call": PHASES[:1], "teardown": PHASES[:2]}
ORDERLY = frozenset({0, 1, 5})
"""Exit statuses of pytest after which no test can have been running."""
_START = b'{"phase"'
_decode = json.JSONDecoder().raw_decode
_TEXTS = 64 * 1024 * 1024
"""Characters of all failure texts that are kept whole; beyond it each keeps 1,000."""
_OUTCOMES = frozenset({"passed", "failed", "skipped", "rerun"})


def parse(raw: bytes) -> dict[str, Any] | None:
    """
    Return the JSON object of one line with its `phase`, or None when it is damaged.

    A line that another process began and was killed in has the next one at
    its end, which is found.
    """
    line = _load(raw)
    if line is None:
        at = raw.rfind(_START)
        line = _load(raw[at:]) if at > 0 else None
    return line


def _load(raw: bytes) -> dict[str, Any] | None:
    words = raw.decode("utf-8", "replace").strip(" \t\r\n")
    try:
        line, end = _decode(words)
    except (ValueError, RecursionError):
        return None
    if end != len(words) or type(line) is not dict or type(line.get("phase")) is not str:
        return None
    return line


def text(line: Mapping[str, Any], key: str) -> str:
    """Return a text of the line, empty when it is none."""
    value = line.get(key)
    if not isinstance(value, str):
        return ""
    # Lone surrogates are what bytes that are no UTF-8 became; files and terminals refuse them.
    return value if value.isascii() else value.encode("utf-8", "backslashreplace").decode()


def number(line: Mapping[str, Any], key: str) -> float | None:
    """Return a number of the line that is finite and not negative, else None."""
    value = line.get(key)
    if type(value) not in _NUMBERS or not 0 <= value < 1e18:  # type: ignore[operator]
        return None
    return float(value)  # type: ignore[arg-type]


def whole(line: Mapping[str, Any], key: str) -> int | None:
    """Return a whole number of the line that is not negative, else None."""
    value = line.get(key)
    return value if type(value) is int and 0 <= value < 1 << 63 else None


class Execution:
    """One test in one process, all its attempts; filled while lines are read."""

    # No dataclass: there is one for each test, and this is made in a third of the time.
    __slots__ = (
        *("attempt", "cpu_s", "ended", "last_at", "limit_s", "message", "n", "nodeid", "output"),
        *("pid", "rss_peak_change_bytes", "since", "subtest_failed", "text", "wall_s", "walls"),
        "worker",
    )

    def __init__(  # noqa: PLR0917  # names cost as much again
        self,
        nodeid: str,
        worker: str,
        pid: int,
        n: int,
        since: float,
        attempt: int = 1,
        limit_s: float | None = None,
    ) -> None:
        self.nodeid = nodeid
        self.worker = worker
        """`main`, or xdist's name of the worker."""
        self.pid = pid
        self.n = n
        """Its position on the worker, from 0."""
        self.since = since
        """When it began, or its last attempt did, in seconds since 1970."""
        self.attempt = attempt
        self.limit_s = limit_s
        """The time limit of its own, as it is marked; 0 when it is marked to have none."""
        self.ended: dict[str, str] = {}
        """Outcome of each phase of the last attempt that ended; `crash` when its worker died in it."""
        self.walls: dict[str, float] = {}
        """Seconds of each."""
        self.subtest_failed = False
        self.wall_s = self.cpu_s = self.last_at = 0.0
        """Of all phases of the last attempt; when its last line was written."""
        self.rss_peak_change_bytes = 0
        self.message = self.text = self.output = ""
        """What it printed, as far as the failure's report had it, is its output."""

    @property
    def phase(self) -> str:
        """The phase that it is in: the one after the last that ended."""
        if "call" in self.ended:
            return "teardown"
        if "setup" in self.ended:
            return "call" if self.ended["setup"] == "passed" else "teardown"
        return "setup"

    @property
    def over(self) -> bool:
        """Whether nothing of it is still to come."""
        return "teardown" in self.ended or "crash" in self.ended

    @property
    def outcome(self) -> TestOutcome | None:
        """How it ended, as pytest counts it; None before anything says so."""
        ended = self.ended
        call, setup, teardown = (ended.get(phase) for phase in ("call", "setup", "teardown"))
        if call in {"failed", "rerun"} or self.subtest_failed:
            return TestOutcome.FAILED
        if "crash" in ended or {"failed", "rerun"} & {setup, teardown}:
            return TestOutcome.ERROR
        if "skipped" in {setup, call, teardown}:
            return TestOutcome.SKIPPED
        return TestOutcome.PASSED if call or teardown else None

    def result(self, *, running: bool) -> TestResult | None:
        """Return its result; None when nothing is known of how it ended."""
        outcome = self.outcome
        if running and not (outcome and outcome.bad):
            # A test that hangs in its tear-down has passed nothing yet.
            outcome = TestOutcome.INTERRUPTED
        if outcome is None:
            return None
        return TestResult(
            nodeid=self.nodeid,
            outcome=outcome,
            duration_s=self.wall_s,
            message=self.message,
            text=self.text if outcome.bad else "",
            output=self.output if outcome.bad else "",
            cpu_s=self.cpu_s,
            rss_peak_change_bytes=self.rss_peak_change_bytes,
            walls_s=(
                self.walls.get("setup", 0.0),
                self.walls.get("call", 0.0),
                self.walls.get("teardown", 0.0),
            ),
            worker=self.worker,
            attempts=self.attempt,
        )


class Fold:
    """Takes the lines one by one, in the order of the file."""

    def __init__(self) -> None:
        self.executions: list[Execution] = []
        """In the order in which they started."""
        self._collected: dict[tuple[str, str], TestResult] = {}
        """Files and classes that could not be collected, each once for all workers."""
        self._now: dict[int, Execution] = {}
        """What each process ran last."""
        self._finished: set[int] = set()
        """Processes whose session ended in order."""
        self._room = _TEXTS

    def add(self, line: Mapping[str, Any]) -> bool:
        """Take a line; return False when it lacks what a line of its phase has."""
        phase = line["phase"]
        if phase == "start":
            return self._start(line)
        if phase == "passed":
            return self._passed(line)
        if phase in PHASES or phase == "crash":
            return self._end(phase, line)
        if phase == "collect":
            return self._collect(line)
        if phase == "finish":
            pid = whole(line, "pid")
            if pid and line.get("exit_status") in ORDERLY:
                self._finished.add(pid)
        elif phase == "session":
            # A second session of one process: what the first left open is over.
            self._now.pop(whole(line, "pid") or 0, None)
            self._finished.discard(whole(line, "pid") or 0)
        return True

    def running(self) -> tuple[Execution, ...]:
        """Return the tests that had begun and not ended when the lines end."""
        return tuple(
            each for pid, each in self._now.items() if not each.over and pid not in self._finished
        )

    def results(self) -> tuple[TestResult, ...]:
        """Return one result for each test that ended or was running, in the order of their starts."""
        running = {id(each) for each in self.running()}
        found = (each.result(running=id(each) in running) for each in self.executions)
        return (*self._collected.values(), *(each for each in found if each))

    def _start(self, line: Mapping[str, Any]) -> bool:
        nodeid, pid, n = text(line, "nodeid"), whole(line, "pid"), whole(line, "n")
        at, attempt = number(line, "at"), whole(line, "attempt")
        if not nodeid or pid is None or n is None or at is None or not attempt:
            return False
        now = self._now.get(pid)
        if now is not None and attempt > 1 and (now.nodeid, now.n) == (nodeid, n):
            self._again(now, attempt, at)
            return True
        limit = line.get("timeout")
        own = number(limit, "effective_s") if isinstance(limit, dict) else None
        execution = Execution(nodeid, text(line, "worker"), pid, n, at, attempt, own)
        # What it was in when this was read; the lines of phases that took their time say more.
        for phase in _BEFORE.get(text(line, "in"), ()):
            execution.ended[phase] = "passed"
        self._now[pid] = execution
        self.executions.append(execution)
        return True

    @staticmethod
    def _again(execution: Execution, attempt: int, at: float) -> None:
        execution.attempt, execution.since = attempt, at
        execution.ended.clear()
        execution.walls.clear()
        execution.subtest_failed = False
        execution.wall_s = execution.cpu_s = 0.0
        execution.message = execution.text = execution.output = ""

    def _end(self, phase: str, line: Mapping[str, Any]) -> bool:
        nodeid, outcome = text(line, "nodeid"), line.get("outcome")
        execution = self._of(nodeid, line)
        if execution is None or outcome not in _OUTCOMES:
            return False
        attempt = whole(line, "attempt") or 1
        if attempt > execution.attempt:
            self._again(execution, attempt, number(line, "at") or execution.since)
        if "subtest" in line:
            execution.subtest_failed = execution.subtest_failed or outcome == "failed"
        else:
            execution.ended[phase] = str(outcome)
        wall_s = number(line, "wall_s") or 0.0
        execution.wall_s += wall_s
        execution.walls[phase] = execution.walls.get(phase, 0.0) + wall_s
        execution.cpu_s += number(line, "cpu_s") or 0.0
        execution.rss_peak_change_bytes += whole(line, "rss_peak_change_bytes") or 0
        execution.last_at = number(line, "at") or execution.last_at
        self._say(execution, line)
        return True

    def _passed(self, line: Mapping[str, Any]) -> bool:
        """Take the line of a test of which every phase passed."""
        walls, nodeid = line.get("walls_s"), line.get("nodeid")
        execution = self._now.get(line["pid"]) if type(line.get("pid")) is int else None
        if execution is None or execution.nodeid != nodeid:
            execution = self._of(text(line, "nodeid"), line)
        if execution is None or not isinstance(walls, list) or len(walls) != len(PHASES):
            return False
        attempt = whole(line, "attempt") or 1
        if attempt > execution.attempt:
            self._again(execution, attempt, number(line, "at") or execution.since)
        times = [
            float(wall) if type(wall) in _NUMBERS and 0 <= wall < 1e18 else 0.0 for wall in walls
        ]
        # Whoever retries tests tells some phases before: their times were 0 there.
        times = [
            execution.walls.get(phase, 0.0) + wall_s
            for phase, wall_s in zip(PHASES, times, strict=True)
        ]
        execution.walls = dict(zip(PHASES, times, strict=True))
        execution.ended = dict.fromkeys(PHASES, "passed")
        execution.wall_s = sum(times)
        execution.cpu_s += number(line, "cpu_s") or 0.0
        execution.rss_peak_change_bytes += whole(line, "rss_peak_change_bytes") or 0
        execution.last_at = number(line, "at") or execution.last_at
        return True

    def _of(self, nodeid: str, line: Mapping[str, Any]) -> Execution | None:
        """Return the execution that a line is about."""
        if line["phase"] == "crash":
            worker = text(line, "worker")
            found = (
                each
                for each in self._now.values()
                if (each.nodeid, each.worker) == (nodeid, worker) and not each.over
            )
            return next(found, None) or self._unseen(nodeid, worker, line)
        pid, n = whole(line, "pid"), whole(line, "n")
        execution = self._now.get(pid or 0)
        if execution is not None and execution.nodeid == nodeid:
            return execution
        if not nodeid or not pid or n is None:
            return None
        # Its first line was lost: a disk that was full for a moment.
        at = number(line, "at") or 0.0
        execution = Execution(nodeid, text(line, "worker"), pid, n, at)
        self._now[pid] = execution
        self.executions.append(execution)
        return execution

    def _unseen(self, nodeid: str, worker: str, line: Mapping[str, Any]) -> Execution | None:
        """Return a new execution for a worker that died before it could write a line."""
        at = number(line, "at")
        if not nodeid or at is None:
            return None
        execution = Execution(nodeid, worker, 0, 0, at)
        self.executions.append(execution)
        return execution

    def _say(self, execution: Execution, line: Mapping[str, Any]) -> None:
        if line.get("outcome") == "passed":
            return
        message, words, output = (text(line, key) for key in ("message", "text", "output"))
        execution.message = execution.message or message
        if line.get("outcome") == "skipped":
            return
        words = words if self._room > 0 else words[:1000]
        output = output if self._room > 0 else output[:1000]
        self._room -= len(words) + len(output)
        execution.text = "\n\n".join(filter(None, (execution.text, words)))
        execution.output = "\n".join(filter(None, (execution.output, output)))

    def _collect(self, line: Mapping[str, Any]) -> bool:
        nodeid, outcome = text(line, "nodeid"), line.get("outcome")
        if outcome not in {"failed", "skipped"}:
            return False
        failed = outcome == "failed"
        words = text(line, "text") if failed else ""
        words = words if self._room > 0 else words[:1000]
        self._room -= len(words)
        self._collected.setdefault(
            (nodeid, str(outcome)),
            TestResult(
                nodeid=nodeid,
                outcome=TestOutcome.ERROR if failed else TestOutcome.SKIPPED,
                duration_s=0.0,
                message=text(line, "message"),
                text=words,
            ),
        )
        return True
