"""
Read what the probe wrote beside the tests: which ran, in which order, and which was running.

The file is `artifacts/tests.jsonl`; its lines are described in
docs/evidence-bundle.md. Damaged lines (a killed writer, a full disk) are
counted and passed over, sizes are bounded, and nothing is raised for what
the file holds: it may have been written by the tests themselves.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from telltale import phases
from telltale.bundle import LINE_LIMIT, TESTS, TESTS_LIMIT
from telltale.model import TestResult
from telltale.values import dataclass, field

_LINES_LIMIT = 5_000_000
_KEPT = 10_000
"""Of each kind of line that is kept as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A pytest session of one process, as it began."""

    pid: int
    ppid: int
    worker: str
    """`main`, or xdist's name of the worker."""
    at: float
    python: str
    """Its version."""
    executable: str
    """Its path, as `sys.executable` has it; empty when it does not know."""
    pytest: str
    xdist: bool
    """Tests are distributed to workers, or this is one."""
    args: tuple[str, ...]
    """pytest's arguments, those of its configuration not included."""
    rootdir: str
    """What nodeids are relative to."""
    cwd: str
    plugins: tuple[str, ...]
    stacks: bool
    """SIGUSR1 makes the process append every thread's stack to `artifacts/stacks.txt`."""
    seeds: Mapping[str, Any]
    timeout: Mapping[str, Any]
    """The time limit that holds for tests that ask for none; empty when there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A test that had begun and not ended when the last line was written."""

    nodeid: str
    worker: str
    pid: int
    phase: str
    """`setup`, `call` or `teardown`: the one that had not ended."""
    since: float
    """When the test began, in seconds since 1970."""
    finished_at: float | None
    """When its session ended all the same (interrupted in order); None when it never did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finish:
    """The end of a session."""

    pid: int
    worker: str
    at: float
    exit_status: int
    collected: int | None
    """Tests that it was to run; of all workers together in the process that distributes them."""
    seen: int
    """Tests that it wrote phases of."""
    stopped: bool
    """It was told to end before its last test, as by `--maxfail`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What a test left changed."""

    nodeid: str
    worker: str
    changes: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Events:
    """All that the lines tell."""

    sessions: tuple[Session, ...] = ()
    order: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """
    Nodeids by worker as they started, a test that was run again once.

    A second process of the same name (pytest twice in one command) has the
    key `NAME@PID`.
    """
    running: tuple[Running, ...] = ()
    armed: tuple[int, ...] = ()
    """Processes that take SIGUSR1; it would kill any other. Some may have ended."""
    finishes: tuple[Finish, ...] = ()
    states: tuple[State, ...] = ()
    warnings: tuple[str, ...] = ()
    """Each once, in order."""
    results: tuple[TestResult, ...] = ()
    """One for each test that ended or was running, in the order of their starts."""
    limits_s: Mapping[str, float] = field(default_factory=dict)
    """Time limits of the tests that are marked with one of their own; 0: with none."""
    collected: Mapping[int, int] = field(default_factory=dict)
    """How many tests each process collected."""
    damaged: int = 0
    """Lines that are none."""
    damage: tuple[tuple[int, int], ...] = ()
    """Where they are: offset and length in bytes."""


def read(folder: Path) -> Events:
    """
    Return what the lines in a bundle tell; all of it empty when there are none.

    May be called while tests run: a last line without its end is not damage.
    """
    reader = _Reader()
    try:
        for offset, raw in _lines(folder / TESTS):
            reader.take(offset, raw)
    except OSError:
        pass
    return reader.events()


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield the complete lines with their offsets, longer ones cut; raises `OSError`."""
    # O_NONBLOCK: a named pipe in the place of the file must not hold us.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return
        offset = 0
        for _ in range(_LINES_LIMIT):
            raw = file.readline(LINE_LIMIT + 1)
            if not raw or offset > TESTS_LIMIT:
                return
            if raw.endswith(b"\n") or len(raw) > LINE_LIMIT:
                yield offset, raw
            offset += len(raw)


class _Reader:
    def __init__(self) -> None:
        self._fold = phases.Fold()
        self._sessions: list[Session] = []
        self._finishes: list[Finish] = []
        self._states: list[State] = []
        self._warnings: dict[str, None] = {}
        self._collected: dict[int, int] = {}
        self._damage: list[tuple[int, int]] = []
        self._damaged = 0

    def take(self, offset: int, raw: bytes) -> None:
        line = phases.parse(raw)
        if line is None or not self._read(line["phase"], line):
            self._damaged += 1
            if len(self._damage) < _KEPT:
                self._damage.append((offset, len(raw)))

    def events(self) -> Events:
        fold = self._fold
        ends = {each.pid: each.at for each in self._finishes}
        return Events(
            sessions=tuple(self._sessions),
            order=_order(fold.executions),
            running=tuple(
                Running(
                    nodeid=each.nodeid,
                    worker=each.worker,
                    pid=each.pid,
                    phase=each.phase,
                    since=each.since,
                    finished_at=ends.get(each.pid),
                )
                for each in fold.running()
            ),
            armed=tuple(dict.fromkeys(each.pid for each in self._sessions if each.stacks)),
            finishes=tuple(self._finishes),
            states=tuple(self._states),
            warnings=tuple(self._warnings),
            results=fold.results(),
            limits_s={
                each.nodeid: each.limit_s for each in fold.executions if each.limit_s is not None
            },
            collected=self._collected,
            damaged=self._damaged,
            damage=tuple(self._damage),
        )

    def _read(self, phase: str, line: Mapping[str, Any]) -> bool:
        if not self._fold.add(line):
            return False
        if phase in _READERS:
            return _READERS[phase](self, line)
        return True

    def _session(self, line: Mapping[str, Any]) -> bool:
        pid, at = phases.whole(line, "pid"), phases.number(line, "at")
        if not pid or at is None:
            return False
        if len(self._sessions) < _KEPT:
            self._sessions.append(
                Session(
                    pid=pid,
                    ppid=phases.whole(line, "ppid") or 0,
                    worker=phases.text(line, "worker"),
                    at=at,
                    python=phases.text(line, "python"),
                    executable=phases.text(line, "executable"),
                    pytest=phases.text(line, "pytest"),
                    xdist=line.get("xdist") is True,
                    args=_texts(line.get("args")),
                    rootdir=phases.text(line, "rootdir"),
                    cwd=phases.text(line, "cwd"),
                    plugins=_texts(line.get("plugins")),
                    stacks=line.get("stacks") is True,
                    seeds=_object(line.get("seeds")),
                    timeout=_object(line.get("timeout")),
                )
            )
        return True

    def _collection(self, line: Mapping[str, Any]) -> bool:
        pid, count = phases.whole(line, "pid"), phases.whole(line, "count")
        if pid is None or count is None:
            return False
        self._collected[pid] = count
        return True

    def _finish(self, line: Mapping[str, Any]) -> bool:
        pid, at = phases.whole(line, "pid"), phases.number(line, "at")
        status = phases.whole(line, "exit_status")
        if pid is None or at is None or status is None:
            return False
        if len(self._finishes) < _KEPT:
            self._finishes.append(
                Finish(
                    pid=pid,
                    worker=phases.text(line, "worker"),
                    at=at,
                    exit_status=status,
                    collected=phases.whole(line, "collected"),
                    seen=phases.whole(line, "seen") or 0,
                    stopped=line.get("stopped") is True,
                )
            )
        return True

    def _state(self, line: Mapping[str, Any]) -> bool:
        changes = line.get("changes")
        if not isinstance(changes, list):
            return False
        if len(self._states) < _KEPT:
            self._states.append(
                State(
                    nodeid=phases.text(line, "nodeid"),
                    worker=phases.text(line, "worker"),
                    changes=tuple(each for each in changes[:100] if isinstance(each, dict)),
                )
            )
        return True

    def _warning(self, line: Mapping[str, Any]) -> bool:
        said = phases.text(line, "text")
        if said and len(self._warnings) < _KEPT:
            self._warnings.setdefault(said[:2000])
        return bool(said)


_READERS = {
    "session": _Reader._session,  # noqa: SLF001
    "collected": _Reader._collection,  # noqa: SLF001
    "finish": _Reader._finish,  # noqa: SLF001
    "state": _Reader._state,  # noqa: SLF001
    "warning": _Reader._warning,  # noqa: SLF001
}


def _order(executions: Sequence[phases.Execution]) -> dict[str, tuple[str, ...]]:
    names: dict[tuple[str, int], str] = {}
    order: dict[str, list[str]] = {}
    for each in executions:
        if not each.pid:
            continue  # its worker died before it could say that it began
        key = (each.worker, each.pid)
        if key not in names:
            taken = each.worker in order
            names[key] = f"{each.worker}@{each.pid}" if taken else each.worker
        order.setdefault(names[key], []).append(each.nodeid)
    return {name: tuple(nodeids) for name, nodeids in order.items()}


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        return ()
    return tuple(phases.text({"": each}, "") for each in value[:1000] if isinstance(each, str))


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) and len(value) <= 1000 else {}
