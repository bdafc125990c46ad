"""
Start the processes of a try, watch them, and leave nothing of them behind.

Each process leads its own session and carries a mark in its environment, by
which what it started is found even when it left the session. Signals can be
ignored; SIGKILL cannot.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

MARK = "TELLTALE_TRY"
LARGEST_LOG = 64 * 1024 * 1024
POLL_S = 0.02
INTERRUPTED_S = 3.0
"""For a process that was interrupted to say where it stood."""
OUT_OF_TIME = "the budget was used up"


class Job(NamedTuple):
    """One process to start."""

    argv: list[str]
    cwd: Path
    env: dict[str, str]
    log: Path
    """Receives stdout and stderr."""
    reports: Path
    """Grows while the tests run; its end is where they were."""
    stacks: Path
    """Receives the stacks of a process that is about to be killed."""


class Ran(NamedTuple):
    """How a process ended."""

    status: int | None
    """Exit status, negative for a signal; None when it could not be started."""
    killed: str
    """Why we killed it, empty when we did not."""
    seconds: float
    error: str = ""
    """Why it could not be started."""


class _Watched:
    """A running process and its signs of life."""

    def __init__(self, job: Job, started: float) -> None:
        self.job = job
        self.killed = ""
        self.ended: float | None = None
        self.started = started
        self.mark = secrets.token_hex(8)
        self._sizes = (-1, -1)
        self._alive_at = started
        with job.log.open("ab") as log:
            self.process = subprocess.Popen(
                job.argv,
                cwd=str(job.cwd),
                env={**job.env, MARK: self.mark},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def silent_for(self, now: float) -> float:
        sizes = (_size(self.job.log), _size(self.job.reports))
        if sizes != self._sizes:
            self._sizes, self._alive_at = sizes, now
        return now - self._alive_at

    def too_loud(self) -> bool:
        return self._sizes[0] > LARGEST_LOG


class Limits(NamedTuple):
    """When a process is killed, in seconds."""

    limit_s: float
    """Since its start."""
    silence_s: float
    """Without output or progress of the tests."""
    starting_s: float
    """The same before the tests have begun to report."""
    deadline: float
    """By the monotonic clock: the end of the budget, which is nobody's failure."""


def run_together(jobs: Iterable[Job], limits: Limits, *, interrupt: bool) -> list[Ran]:
    """
    Run the jobs side by side until all have ended or been killed.

    One that takes too long, says nothing for too long, or fills the disk is
    killed with all that it started; with `interrupt` it is interrupted first,
    as by a keyboard. Every process is gone when this returns or raises.
    """
    watched: list[_Watched] = []
    try:
        try:
            for job in jobs:
                watched.append(_Watched(job, time.monotonic()))  # noqa: PERF401  # killed one by one
        except OSError as error:
            return [Ran(status=None, killed="", seconds=0.0, error=str(error))]
        _watch(watched, limits, interrupt=interrupt)
    finally:
        for one in watched:
            kill(one.process, one.mark)
    return [
        Ran(
            status=one.process.returncode,
            killed=one.killed,
            seconds=(one.ended or time.monotonic()) - one.started,
        )
        for one in watched
    ]


def _watch(watched: list[_Watched], limits: Limits, *, interrupt: bool) -> None:
    running = list(watched)
    while running:
        now = time.monotonic()
        for one in list(running):
            if one.process.poll() is None:
                one.killed = _reason(one, now, limits)
                if not one.killed:
                    continue
                _ask_for_stacks(one)
                if interrupt and one.killed != OUT_OF_TIME:
                    _interrupt(one)
                kill(one.process, one.mark)
            one.ended = time.monotonic()
            running.remove(one)
        if running:
            time.sleep(POLL_S)


def _reason(one: _Watched, now: float, limits: Limits) -> str:
    if now > limits.deadline:
        return OUT_OF_TIME
    silence_s = limits.silence_s if _size(one.job.reports) else limits.starting_s
    if one.silent_for(now) > silence_s:
        return f"silent for {silence_s:.0f} s"
    if now - one.started > limits.limit_s:
        return f"not done after {limits.limit_s:.0f} s"
    return f"more than {LARGEST_LOG} bytes of output" if one.too_loud() else ""


def _ask_for_stacks(one: _Watched) -> None:
    # Only a process that has made the file has a handler; to others the signal is deadly.
    if not one.job.stacks.exists():
        return
    with contextlib.suppress(OSError):
        one.process.send_signal(signal.SIGUSR2)
        waited = time.monotonic() + 1.0
        while not _size(one.job.stacks) and time.monotonic() < waited:
            time.sleep(POLL_S)
        time.sleep(POLL_S)


def _interrupt(one: _Watched) -> None:
    # Who recorded the hang had interrupted it: what it then says is part of the failure.
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        os.killpg(one.process.pid, signal.SIGINT)
        one.process.wait(timeout=INTERRUPTED_S)


def kill(process: subprocess.Popen[bytes], mark: str) -> None:
    """Kill the process, its session, and whatever carries its mark."""
    for _ in range(20):
        with contextlib.suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
        strays = _marked(mark)
        for pid in strays:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        if not strays:
            break
        time.sleep(POLL_S)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=5)


def _marked(mark: str) -> list[int]:
    """Return the processes with the mark, where the system has /proc."""
    wanted = f"{MARK}={mark}".encode()
    found: list[int] = []
    for entry in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if wanted in entry.read_bytes().split(b"\0"):
                found.append(int(entry.parent.name))
    return found


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
