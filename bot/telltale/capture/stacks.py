"""
`artifacts/stacks.txt`: where everything stood before it was told to end.

First what disturbs nobody: when it was and what ran, the process tree, every
thread's state and wait channel from /proc (to root, kernel stacks too). Then
Python frames: by py-spy where it is installed, at last by a signal to those
that take it, which may wake a call that waits. Each part is in the file
before the next is begun.
"""

from __future__ import annotations

import math
import os
import re
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import TextIO

from telltale.bundle import TESTS
from telltale.capture import events, frames, tree
from telltale.capture.words import many
from telltale.patterns import pattern
from telltale.values import dataclass

FILE = "artifacts/stacks.txt"
_DUMP_S = 5.0
_ALL_DUMPS_S = 15.0
_SIGNAL_S = 1.0
_ALL_SIGNALS_S = 15.0
_QUICK_S = 1.0
"""For the processes, and for all signals, when a cancelled job has 7.5 s left."""
_PROCESSES = 1000
_THREADS = 64
_RUNNING = 100
_STATE = pattern(r"^State:\s*(\S)", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What there is to look at, and how much time there is."""

    why: str
    """Why it is ended: the first line of the file."""
    elapsed_s: float
    """Since the start of the command."""
    processes: Sequence[tree.Process]
    """The living ones, parents first."""
    quick: bool = False
    """There are seconds left: nothing slow."""
    enough: Callable[[], bool] = lambda: False
    """Whether there is no time left at all."""


def record(folder: Path, look: Look, spy: str | None, redact: Callable[[str], str]) -> None:
    """
    Append what can be seen to the file of a bundle; `spy` is py-spy, where there is one.

    Takes at most about 30 s, and about 1 s when quick. Raises `OSError` when
    the file cannot be written.
    """
    path = folder / FILE
    # Whatever the tests put there: no link is followed, no pipe is waited for.
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o644)
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
        _put(file, _head(look))
        if not look.quick:
            _put(file, _running(folder))
        _put(file, [f"# {many(len(look.processes), 'process', 'processes')}:"])
        end = time.monotonic() + (_QUICK_S if look.quick else math.inf)
        for process in look.processes[:_PROCESSES]:
            if look.enough() or time.monotonic() > end:
                break
            _put(file, _process(process, redact))
        if len(look.processes) > _PROCESSES:
            _put(file, ["", f"... and {len(look.processes) - _PROCESSES} more processes"])
        if not look.quick:
            _spy(file, look, spy, redact)
        _signal(file, path, look, frames.armed(folder / TESTS))


def _put(file: TextIO, lines: Iterator[str] | Sequence[str]) -> None:
    file.write("".join(f"{line}\n" for line in lines))
    file.flush()


def _head(look: Look) -> Iterator[str]:
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    yield f"# {at}, {look.elapsed_s:.1f} s after the start: {look.why}."


def _running(folder: Path) -> Iterator[str]:
    now = time.time()
    for test in events.read(folder).running[:_RUNNING]:
        since = max(0.0, now - test.since)
        yield f"# Running: {test.nodeid} on {test.worker} for {since:.1f} s, now in its {test.phase}"


def _process(process: tree.Process, redact: Callable[[str], str]) -> Iterator[str]:
    yield ""
    yield (
        f"pid {process.pid}  parent {process.ppid}  {process.name}  state {process.state}"
        f"  cpu {process.cpu_s:.2f} s  rss {process.rss_bytes} bytes"
        f"  files {tree.open_files(process.pid)}"
    )
    yield f"  command: {redact(tree.command_line(process.pid))}"
    threads = tree.threads(process.pid)
    for thread in threads[:_THREADS]:
        place = f"task/{thread}"
        name = tree.detail(process.pid, f"{place}/comm")
        state = _STATE.search(tree.detail(process.pid, f"{place}/status"))
        waits = tree.detail(process.pid, f"{place}/wchan")
        yield (
            f"  thread {thread}  {name}  state {state[1] if state else '?'}"
            f"  waits in {waits if waits not in {'', '0'} else '-'}"
        )
        for frame in tree.detail(process.pid, f"{place}/stack").splitlines():
            yield f"    {frame}"
    if len(threads) > _THREADS:
        yield f"  ... and {len(threads) - _THREADS} more threads"


def _spy(file: TextIO, look: Look, spy: str | None, redact: Callable[[str], str]) -> None:
    pythons = [each.pid for each in look.processes if frames.is_python(each.pid)]
    if spy is None:
        why = "it is neither in the command's PATH nor beside its Python"
        _put(file, ["", f"# No Python frames by py-spy: {why}."] if pythons else [])
        return
    end = time.monotonic() + _ALL_DUMPS_S
    for pid in pythons:
        left = min(_DUMP_S, end - time.monotonic())
        if left <= 0 or look.enough():
            return
        found = frames.by_spy(spy, pid, left, look.enough)
        _put(file, ["", f"# Python frames of pid {pid} by py-spy:"])
        _put(file, [f"  {redact(line)}" for line in found])


def _signal(file: TextIO, path: Path, look: Look, armed: Collection[int]) -> None:
    """Let processes write their stacks themselves, one at a time."""
    end = time.monotonic() + (_QUICK_S if look.quick else _ALL_SIGNALS_S)
    for process in look.processes:
        # Whoever did not say so, or catches no SIGUSR1 any more, would die of it.
        if process.pid not in armed or not frames.catches(process.pid):
            continue
        left = min(_SIGNAL_S, end - time.monotonic())
        if left <= 0 or look.enough():
            return
        _put(file, ["", f"# Python frames of pid {process.pid} by its own faulthandler:"])
        if not frames.by_signal(process.pid, path, left):
            _put(file, ["  it did not answer"])
