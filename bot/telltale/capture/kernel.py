"""What only the kernel can do or tell: prctl(2) and the memory counters of cgroups(7)."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from telltale.capture.cgroup import Group

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_PR_GET_CHILD_SUBREAPER = 37


def adopt_orphans(on: bool) -> bool | None:
    """
    Make orphans below this process its own children, or let them go to init again.

    Returns whether they were ours before; None when the kernel cannot do it.
    """
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None, use_errno=True)
    before = ctypes.c_int()
    if libc.prctl(_PR_GET_CHILD_SUBREAPER, ctypes.byref(before), 0, 0, 0):
        return None
    if libc.prctl(_PR_SET_CHILD_SUBREAPER, int(on), 0, 0, 0):
        return None
    return bool(before.value)


@contextlib.contextmanager
def before_exec(group: Group | None) -> Iterator[Callable[[], None] | None]:
    """
    Yield what a child calls before exec: it joins the group, and dies when we die.

    The second holds for that child, not for what the child starts. None where
    the kernel can do neither.
    """
    if not sys.platform.startswith("linux"):
        yield None
        return
    libc = ctypes.CDLL(None, use_errno=True)
    parent = os.getpid()
    entrance = _entrance(group)

    def call() -> None:
        if entrance is not None:
            with contextlib.suppress(OSError):
                os.write(entrance, b"0")
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            # We died in between: nobody will read what it writes.
            os._exit(137)

    try:
        yield call
    finally:
        if entrance is not None:
            os.close(entrance)


def signal_when_we_die(number: int) -> Callable[[], None] | None:
    """Return what a child calls before exec to get a signal when we die; None where that cannot be."""
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None, use_errno=True)
    parent = os.getpid()

    def call() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(128 + number)  # we died in between

    return call


def _entrance(group: Group | None) -> int | None:
    with contextlib.suppress(OSError):
        return group.entrance() if group else None
    return None


def oom_kills() -> int:
    """Return how often the OOM killer struck in our cgroup, or on the whole machine where that is all there is."""
    for folder in _cgroups("memory"):
        for name in ("memory.events", "memory.oom_control"):
            found = _counter(folder / name, "oom_kill")
            if found is not None:
                return found
    return _counter(Path("/proc/vmstat"), "oom_kill") or 0


def memory_limit() -> int | None:
    """Return the smallest memory limit of our cgroup and those above, in bytes; None without one."""
    limits = [
        limit
        for folder in _cgroups("memory")
        for name in ("memory.max", "memory.limit_in_bytes")
        for limit in [_number(_first_line(folder / name))]
        if limit is not None and limit < 1 << 60  # version 1 says "none" by a huge number
    ]
    return min(limits, default=None)


def cpu_limit() -> float | None:
    """Return the smallest CPU quota of our cgroup and those above, in cores; None without one."""
    limits = []
    for folder in _cgroups("cpu"):
        quota, _, period = _first_line(folder / "cpu.max").partition(" ")
        if not quota:
            quota = _first_line(folder / "cpu.cfs_quota_us")
            period = _first_line(folder / "cpu.cfs_period_us")
        used, every = _number(quota), _number(period)
        if used is not None and used > 0 and every:
            limits.append(used / every)
    return min(limits, default=None)


def cpu_throttling() -> dict[str, int] | None:
    """
    Return how often our cgroup was held back by its CPU quota, and how long, in all its life.

    `periods` it had a quota in, `throttled` of them in which it was used up,
    `throttled_us` microseconds of waiting. None where nobody counts.
    """
    for folder in _cgroups("cpu"):
        stat = folder / "cpu.stat"
        periods, throttled = _counter(stat, "nr_periods"), _counter(stat, "nr_throttled")
        if periods is None or throttled is None:
            continue
        waited = _counter(stat, "throttled_usec")
        if waited is None:
            # Version 1 counts nanoseconds.
            waited = (_counter(stat, "throttled_time") or 0) // 1000
        return {"periods": periods, "throttled": throttled, "throttled_us": waited}
    return None


def _cgroups(controller: str) -> Iterator[Path]:
    """Yield the folders of our cgroup and of those above it, of version 1 and 2."""
    try:
        lines = Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        _, names, inside = line.split(":", 2)
        if names and controller not in names.split(","):
            continue
        roots = (
            [Path("/sys/fs/cgroup") / controller, Path("/sys/fs/cgroup") / names]
            if names
            else [Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/unified")]
        )
        root = next((each for each in roots if each.is_dir()), None)
        if root is None:
            continue
        # In a container the path may be the host's and not exist: then the root is ours.
        here = root / inside.lstrip("/")
        while here != root and root in here.parents:
            if here.is_dir():
                yield here
            here = here.parent
        yield root


def _counter(path: Path, name: str) -> int | None:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{name} ")), None)


def _first_line(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").partition("\n")[0].strip()
    except OSError:
        return ""


def _number(text: str) -> int | None:
    return int(text) if text.isdecimal() else None
