"""
A cgroup of the command's own, for `cgroup.kill`: one stroke that nothing in it can flee.

It is made only where that changes nothing for the command: in cgroup version
2, where we may write, and where our own group sets no limit that a program
would look up in the group it runs in. Nothing depends on it: without one the
command's processes are found one by one. Source: the kernel's
Documentation/admin-guide/cgroup-v2.rst.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from pathlib import Path

from telltale.values import dataclass

_PREFIX = "telltale-"
_MOUNTS = (Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/unified"))
_LIMITS = ("cpu.max", "memory.max", "memory.high", "memory.swap.max", "pids.max", "cpuset.cpus")
_DEPTH = 8
_FREEZE_S = 0.2
_OLD_S = 24 * 3600
_OLD = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """One cgroup, and those that were made in it."""

    path: Path

    def entrance(self) -> int:
        """Return a descriptor: who writes `0` to it is in the group. Raises `OSError`."""
        return os.open(self.path / "cgroup.procs", os.O_WRONLY | os.O_CLOEXEC)

    def pids(self) -> list[int]:
        """Return the processes in it, as far as they can be seen from here."""
        return [
            int(word)
            for folder in _folders(self.path, _DEPTH)
            for word in _text(folder / "cgroup.procs").split()
            if word != "0"  # of another pid namespace
        ]

    def freeze(self) -> None:
        """Stop everything in it, so that it can be looked at; waits a moment for the last one."""
        with contextlib.suppress(OSError):
            (self.path / "cgroup.freeze").write_text("1", encoding="ascii")
            end = time.monotonic() + _FREEZE_S
            while "frozen 1" not in _text(self.path / "cgroup.events") and time.monotonic() < end:
                time.sleep(0.001)

    def kill(self) -> None:
        """Kill everything in it, whatever it does, frozen or not."""
        with contextlib.suppress(OSError):
            (self.path / "cgroup.kill").write_text("1", encoding="ascii")

    def remove(self, patience_s: float = 0.0) -> bool:
        """
        Take it away, with those in it; False when something lives there still.

        What was killed may take a moment to go: `patience_s`.
        """
        end = time.monotonic() + patience_s
        while not self._remove():
            if time.monotonic() >= end:
                return False
            time.sleep(0.005)
        return True

    def _remove(self) -> bool:
        try:
            for folder in reversed(_folders(self.path, _DEPTH)):
                folder.rmdir()
        except OSError:
            return not self.path.exists()
        return True


def make(bundle: Path) -> Group | None:
    """Make the group for the run whose bundle that is; None where it cannot be, or would be felt."""
    parent = _parent()
    if parent is None or any(_limited(parent / name) for name in _LIMITS):
        return None
    _tidy(parent)
    path = parent / _name(bundle)
    try:
        path.mkdir()
    except OSError:
        return None
    group = Group(path=path)
    # Linux 5.14 and newer; a threaded group takes no processes.
    if (path / "cgroup.kill").exists() and _text(path / "cgroup.type") == "domain":
        return group
    group.remove()
    return None


def left_by(bundle: Path) -> Group | None:
    """
    Return the group that a run left behind: what is in it is surely that run's.

    Its name follows from the bundle's place alone, so nothing that the
    run's command wrote decides what is found.
    """
    parent = _parent()
    path = parent / _name(bundle) if parent else None
    return Group(path=path) if path and path.is_dir() else None


def _tidy(parent: Path) -> None:
    """Take away the empty groups of runs whose Telltale was killed long ago."""
    before = time.time() - _OLD_S
    with contextlib.suppress(OSError):
        for path in sorted(parent.glob(f"{_PREFIX}*"))[:_OLD]:
            if path.stat().st_mtime < before:
                # The kernel refuses while anything lives there.
                path.rmdir()


def _name(bundle: Path) -> str:
    status = bundle.stat()
    identity = f"{status.st_dev}:{status.st_ino}:{bundle}"
    return _PREFIX + hashlib.sha256(identity.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _parent() -> Path | None:
    """Return the group that we are in, as a folder; None without version 2."""
    lines = _text(Path("/proc/self/cgroup")).splitlines()
    inside = next((line[3:] for line in lines if line.startswith("0::")), None)
    root = next((each for each in _MOUNTS if (each / "cgroup.controllers").exists()), None)
    if inside is None or root is None:
        return None
    # In a container the path may be the host's: then the root is ours.
    for folder in (root / inside.lstrip("/"), root):
        if str(os.getpid()) in _text(folder / "cgroup.procs").split():
            return folder
    return None


def _limited(path: Path) -> bool:
    text = _text(path)
    return bool(text) and not text.startswith("max")


def _folders(path: Path, depth: int) -> list[Path]:
    """Return the folder and those below it, parents first."""
    found = [path]
    if depth:
        with contextlib.suppress(OSError):
            inner = [Path(entry) for entry in os.scandir(path) if entry.is_dir()]
            found += [each for folder in inner for each in _folders(folder, depth - 1)]
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""
