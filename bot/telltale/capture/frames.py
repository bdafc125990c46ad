"""Python frames of a running process: by py-spy from outside, or by a signal that it takes."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from telltale import phases
from telltale.bundle import LINE_LIMIT
from telltale.capture import tree
from telltale.capture.programs import which

_SESSION = b'{"phase": "session"'
_POLL_S = 0.01
_QUIET_S = 0.05
"""A dump is written in many small pieces; after this long without one it is complete."""


def is_python(pid: int) -> bool:
    """Whether a process is an interpreter, by name or, for programs that embed one, by its library."""
    return "python" in tree.detail(pid, "maps").lower()


def find_spy(path: str | None, python: str | None) -> str | None:
    """Return py-spy in the command's PATH or beside its Python; None when there is none."""
    places = [str(Path(python).parent)] if python else []
    return which("py-spy", path=os.pathsep.join([path or os.defpath, *places]))


def by_spy(spy: str, pid: int, seconds: float, enough: Callable[[], bool]) -> list[str]:
    """Return the lines of `py-spy dump`, or one that says why there are none."""
    try:
        process = subprocess.Popen(
            [spy, "dump", "--pid", str(pid), "--full-filenames"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
    except OSError as error:
        return [f"{spy}: {error.strerror or error}"]
    with process:
        end = time.monotonic() + seconds
        while True:
            try:
                out, err = process.communicate(timeout=0.1)
            except subprocess.TimeoutExpired:
                if time.monotonic() < end and not enough():
                    continue
                process.kill()
                return [f"it took longer than {seconds:.1f} s"]
            answer = out if process.returncode == 0 else err
            return answer.decode("utf-8", "replace").splitlines()


def armed(tests: Path) -> frozenset[int]:
    """
    Return the processes that said, in lines of the probe, that SIGUSR1 makes them tell their stacks.

    Reads no other lines, for a cancelled job has no time.
    """
    pids = set()
    with contextlib.suppress(OSError):
        descriptor = os.open(tests, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            while raw := file.readline(LINE_LIMIT):
                line = phases.parse(raw) if raw.startswith(_SESSION) else None
                if line is not None and line.get("stacks") is True:
                    pids.add(phases.whole(line, "pid"))
    return frozenset(pid for pid in pids if pid)


def catches(pid: int) -> bool:
    """Whether a process has a handler for SIGUSR1, which would end it otherwise."""
    found = re.search(r"^SigCgt:\s*([0-9a-f]+)$", tree.detail(pid, "status"), re.MULTILINE)
    return found is not None and bool(int(found[1], 16) >> (signal.SIGUSR1 - 1) & 1)


def by_signal(pid: int, path: Path, seconds: float) -> bool:
    """Send SIGUSR1 and wait until the process has appended its stacks to the file; False if it did not."""
    before = _size(path)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGUSR1)
    end = time.monotonic() + seconds
    last, since = before, time.monotonic()
    while (now := time.monotonic()) < end:
        size = _size(path)
        if size != last:
            last, since = size, now
        elif last > before and now - since > _QUIET_S:
            break
        time.sleep(_POLL_S)
    return last > before


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
