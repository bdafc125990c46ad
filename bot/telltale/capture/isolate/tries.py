"""
One try: chosen tests in a chosen order, in a process that nothing survives.

A fresh process imports and collects what the tests need. A server collects
the whole suite once and forks for each try: a hundred times quicker where
collecting takes long, and good enough to search with; what is found is
always confirmed in fresh processes.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from telltale.capture import kernel, tree
from telltale.capture.isolate.case import Case
from telltale.values import dataclass

CHILD = Path(__file__).parent / "pytest_side" / "child.py"
POLL_S = 0.02
STARTING_S = 60.0
"""For importing and collecting."""
IDLE = 0.05
"""CPU time of a process that waits, as a part of the time it waits; it and all it started."""
SLOWER = 10.0
"""How many times longer than in the run the tests before may take."""
LOG_BYTES = 64 * 1024


class Stop(Exception):  # noqa: N818  # no error: the budget is used up, or somebody asked us to stop
    """Nothing more is tried; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What one process left."""

    events: tuple[Mapping[str, Any], ...]
    status: int
    """Exit status, negative for a signal."""
    killed: bool
    """We killed it: the last test, or all of them, took too long."""
    idle: bool
    """Killed, it had used next to no CPU time since the last test began."""
    log: str
    """The end of its output."""
    seconds: float


class Tries:
    """
    Runs tests again; entered once, and left with no process of it alive.

    Every method raises `Stop` when the budget is used up or `asked` says so.
    """

    def __init__(
        self, case: Case, *, budget_s: float, asked: Callable[[], bool], hang_s: float
    ) -> None:
        self.case = case
        self.hang_s = hang_s
        """What the last test may take, in seconds, before that counts as a hang."""
        self.began = time.monotonic()
        self.end = self.began + budget_s
        self._asked = asked
        self._server: _Server | None = None
        self._number = 0

    def __enter__(self) -> Tries:  # noqa: PYI034  # Self came with Python 3.11
        self._scratch = Path(tempfile.mkdtemp(prefix="telltale-isolate-"))
        self._others = frozenset(tree.children(os.getpid()))
        self._was_reaper = kernel.adopt_orphans(True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close_server()
        self._sweep()
        kernel.adopt_orphans(bool(self._was_reaper))
        shutil.rmtree(self._scratch, ignore_errors=True)

    @property
    def left_s(self) -> float:
        """What is left of the budget, in seconds."""
        return self.end - time.monotonic()

    def fresh(self, tests: Sequence[str], files: Sequence[str]) -> Ran:
        """Run the tests in a process of their own that collects the files, in their order."""
        return self.side_by_side([tests], [files])[0]

    def side_by_side(
        self, tests: Sequence[Sequence[str]], files: Sequence[Sequence[str]]
    ) -> list[Ran]:
        """Run several such processes at once."""
        self._check()
        jobs = [self._start(*each) for each in zip(tests, files, strict=True)]
        try:
            for job in jobs:
                self._follow(job)
        finally:
            for job in jobs:
                job.kill()
            self._sweep()
        return [job.ran() for job in jobs]

    def as_typed(self, arguments: Sequence[str]) -> Ran:
        """Run pytest with these arguments instead, in the order that it makes of them."""
        self._check()
        job = self._start(None, arguments)
        try:
            self._follow(job)
        finally:
            job.kill()
            self._sweep()
        return job.ran()

    def open_server(self, files: Sequence[str]) -> bool:
        """Start the server; False when it cannot be: threads are running, or nothing was collected."""
        self._check()
        self.close_server()
        server = _Server(self._argv, self._place(), self.case, files)
        self._server = server
        answer = self._answer(server, time.monotonic() + STARTING_S)
        if answer is None or answer.get("threads") != 1 or not answer.get("tests"):
            self.close_server()
            return False
        return True

    def forked(self, tests: Sequence[str]) -> Ran | None:
        """Run the tests in a fork of the server; None when there is none, or it died."""
        self._check()
        server = self._server
        if server is None:
            return None
        place = self._place()
        job = _Job(place, self._expected(tests), self.hang_s)
        try:
            server.ask(place, [self.case.name(test) for test in tests])
            answer = self._answer(server, time.monotonic() + STARTING_S)
            if answer is None or "pid" not in answer:
                self.close_server()
                return None
            job.pid = int(answer["pid"])
            ended = self._answer(server, None, job)
        except OSError:
            ended = None
        finally:
            job.kill()
            self._sweep()
        if ended is None and not job.killed:
            self.close_server()
            return None
        if ended is None:
            ended = self._answer(server, time.monotonic() + STARTING_S) or {"status": -9}
        job.status = int(ended["status"])
        return job.ran()

    def close_server(self) -> None:
        """End the server, if there is one."""
        if self._server is not None:
            self._server.close()
            self._server = None

    # Starting

    def _start(self, tests: Sequence[str] | None, files: Sequence[str]) -> _Job:
        place = self._place()
        expected = self._expected(tests or ())
        names = None if tests is None else [self.case.name(test) for test in tests]
        job = _Job(place, expected, self.hang_s)
        arguments = list(files) if tests is None else self._paths(files)
        plan = _plan(self.case, place, arguments, tests=names, serve=None)
        with (place / "log").open("wb") as log, kernel.before_exec(None) as before_exec:
            job.process = subprocess.Popen(
                self._argv(place, plan),
                cwd=self.case.cwd,
                env=_environ(self.case, place),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=before_exec,  # noqa: PLW1509  # no other thread is there
            )
        job.pid = job.process.pid
        return job

    def _argv(self, place: Path, plan: Mapping[str, Any]) -> list[str]:
        path = place / "plan.json"
        path.write_text(json.dumps(plan), encoding="utf-8")
        return [*self.case.python, *self.case.pytest.python_options, str(CHILD), str(path)]

    def _paths(self, files: Sequence[str]) -> list[str]:
        return [os.path.relpath(self.case.base / file, self.case.cwd) for file in files]

    def _place(self) -> Path:
        self._number += 1
        place = self._scratch / str(self._number)
        (place / "tmp").mkdir(parents=True)
        return place

    def _expected(self, tests: Sequence[str]) -> float:
        return sum(self.case.duration_s.get(test, 0.1) for test in tests[:-1])

    # Watching

    def _check(self) -> None:
        if self._asked():
            raise Stop("it was interrupted")
        if self.left_s <= 0:
            raise Stop("the budget is used up")

    def _follow(self, job: _Job) -> None:
        process = job.process
        assert process is not None  # noqa: S101  # only jobs with a process are followed
        while not _ended(process):
            self._check()
            if job.late():
                job.kill()
        job.status = process.returncode
        job.ended = time.monotonic()

    def _answer(
        self, server: _Server, end: float | None, job: _Job | None = None
    ) -> dict[str, Any] | None:
        """Return the server's next answer; None at `end`, when it died, or when the job is late."""
        while True:
            self._check()
            if (answer := server.answer(5 * POLL_S)) is not None:
                if job is not None:
                    job.ended = time.monotonic()
                return answer
            if not server.alive() or (end is not None and time.monotonic() > end):
                return None
            if job is not None and job.late():
                job.kill()
                return None

    def _sweep(self) -> None:
        """Kill what the tests started and left, but not the server."""
        keep = set(self._others)
        if self._server is not None:
            keep.add(self._server.process.pid)
        for _ in range(20):
            left = [each for each in tree.below(os.getpid(), without=keep) if not each.dead]
            for each in left:
                with contextlib.suppress(OSError):
                    os.kill(each.pid, signal.SIGKILL)
            for pid in set(tree.children(os.getpid())) - keep:
                with contextlib.suppress(OSError):
                    os.waitpid(pid, os.WNOHANG)
            if not left:
                return
            time.sleep(POLL_S)


class _Job:
    """One running process and what it writes."""

    def __init__(self, place: Path, expected_s: float, hang_s: float) -> None:
        self.place = place
        self.process: subprocess.Popen[bytes] | None = None
        self.pid = -1
        self.status = -9
        self.killed = False
        self.began = time.monotonic()
        self.ended = self.began
        self._limit_s = STARTING_S + SLOWER * expected_s
        self._hang_s = hang_s
        self._last_began: float | None = None
        self._cpu_s = 0.0
        self._idle = False

    def late(self) -> bool:
        """Whether the last test, or what comes before it, takes too long."""
        now = time.monotonic()
        if self._last_began is None and _last_began(self.place / "reports.jsonl"):
            self._last_began, self._cpu_s = now, _cpu_s(self.pid)
        if self._last_began is not None:
            lasted_s = now - self._last_began
            if lasted_s > self._hang_s:
                self._idle = _cpu_s(self.pid) - self._cpu_s < IDLE * lasted_s
            return lasted_s > self._hang_s
        return now - self.began > self._limit_s

    def kill(self) -> None:
        """Kill its session, if it is still there."""
        if self.pid > 0 and not tree.is_dead(self.pid):
            self.killed = True
            with contextlib.suppress(OSError):
                os.killpg(self.pid, signal.SIGKILL)
        if self.process is not None:
            self.process.wait()

    def ran(self) -> Ran:
        return Ran(
            events=tuple(_events(self.place / "reports.jsonl")),
            status=self.status,
            killed=self.killed,
            idle=self.killed and self._idle,
            log=_tail(self.place / "log"),
            seconds=self.ended - self.began,
        )


class _Server:
    """The process that forks."""

    def __init__(
        self,
        argv: Callable[[Path, Mapping[str, Any]], list[str]],
        place: Path,
        case: Case,
        files: Sequence[str],
    ) -> None:
        requests, self._requests = os.pipe()
        self._answers, answers = os.pipe()
        os.set_blocking(self._answers, False)
        paths = [os.path.relpath(case.base / file, case.cwd) for file in files]
        plan = _plan(case, place, paths, tests=None, serve=(requests, answers))
        try:
            with (place / "log").open("wb") as log, kernel.before_exec(None) as before_exec:
                self.process = subprocess.Popen(
                    argv(place, plan),
                    cwd=case.cwd,
                    env=_environ(case, place),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    pass_fds=(requests, answers),
                    preexec_fn=before_exec,  # noqa: PLW1509  # as above
                )
        finally:
            os.close(requests)
            os.close(answers)
        self._read = b""

    def ask(self, place: Path, tests: Sequence[tuple[str, str]]) -> None:
        """Ask for the tests; raises `OSError` when nobody listens."""
        request = place / "request.json"
        document = {
            "tests": tests,
            "reports": str(place / "reports.jsonl"),
            "temporary": str(place / "tmp"),
        }
        request.write_text(json.dumps(document), encoding="utf-8")
        os.write(self._requests, f"{request}\n".encode())

    def answer(self, seconds: float) -> dict[str, Any] | None:
        """Return the next answer, None when there is none within that time."""
        if b"\n" not in self._read:
            ready, _, _ = select.select([self._answers], [], [], seconds)
            if ready:
                self._read += os.read(self._answers, 65536)
        line, newline, rest = self._read.partition(b"\n")
        if not newline:
            return None
        self._read = rest
        found: dict[str, Any] = json.loads(line)
        return found

    def alive(self) -> bool:
        return self.process.poll() is None

    def close(self) -> None:
        with contextlib.suppress(OSError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        os.close(self._requests)
        os.close(self._answers)


def _plan(
    case: Case,
    place: Path,
    arguments: Sequence[str],
    *,
    tests: Sequence[tuple[str, str]] | None,
    serve: tuple[int, int] | None,
) -> dict[str, Any]:
    options = [*case.pytest.options, "--continue-on-collection-errors"]
    if "no:cacheprovider" not in " ".join(options):
        options += ["-o", f"cache_dir={place / 'cache'}"]
    if case.rootdir and not any(option.startswith("--rootdir") for option in options):
        options.append(f"--rootdir={case.rootdir}")
    return {
        "arguments": [*options, *arguments],
        "cwd_on_path": case.pytest.cwd_on_path,
        "tests": tests,
        "serve": serve,
        "reports": str(place / "reports.jsonl"),
        "stacks": str(place / "stacks.txt"),
    }


def _environ(case: Case, place: Path) -> dict[str, str]:
    return {
        **case.env,
        "TMPDIR": str(place / "tmp"),
        "COVERAGE_FILE": str(place / ".coverage"),
    }


def _cpu_s(pid: int) -> float:
    """Return what the process and all below it have used."""
    processes = tree.below(os.getpid())
    within = {pid}
    for each in processes:
        if each.ppid in within:
            within.add(each.pid)
    return sum(each.cpu_s for each in processes if each.pid in within)


def _ended(process: subprocess.Popen[bytes]) -> bool:
    """Wait a moment; return whether it has ended."""
    try:
        process.wait(timeout=5 * POLL_S)
    except subprocess.TimeoutExpired:
        return False
    return True


def _last_began(path: Path) -> bool:
    with contextlib.suppress(OSError), path.open("rb") as file:
        file.seek(0, 2)
        file.seek(max(0, file.tell() - 4096))
        return any(
            b'"event": "start"' in line and b'"last": true' in line
            for line in file.read().splitlines()
        )
    return False


def _events(path: Path) -> Iterator[Mapping[str, Any]]:
    text = ""
    with contextlib.suppress(OSError):
        text = path.read_text(encoding="utf-8", errors="replace")
    for line in text.splitlines():
        # The line that a killed process was writing is no JSON.
        with contextlib.suppress(ValueError):
            event = json.loads(line)
            if isinstance(event, dict):
                yield event


def _tail(path: Path) -> str:
    with contextlib.suppress(OSError), path.open("rb") as file:
        file.seek(0, 2)
        file.seek(max(0, file.tell() - LOG_BYTES))
        return file.read().decode("utf-8", "replace")
    return ""
