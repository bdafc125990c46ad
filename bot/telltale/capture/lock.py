"""
The lock of a run on its bundle: who finds it free knows that Telltale died.

flock(2) on the file `running.lock`. The kernel lets go of it when the process
that holds it dies, of whatever, and never before; pids that come again,
clocks and containers that share a folder make no difference to it.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
from pathlib import Path
from typing import final

from telltale.bundle import RUNNING

_ROOM = 1024 * 1024
"""Bytes that are kept for the last words of a run on a disk that others fill."""
_SAID = 200


@final
class Lock:
    """A lock that is held."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._descriptor = descriptor

    def make_room(self) -> None:
        """Give back the room that was kept, so that a full disk still takes the end of the bundle."""
        with contextlib.suppress(OSError):
            os.ftruncate(self._descriptor, _SAID)

    def release(self) -> None:
        """Take the file away: the run is over and has said so in its manifest."""
        with contextlib.suppress(OSError):
            self._path.unlink()
        self.leave()

    def leave(self) -> None:
        """Let go, and leave the file: whoever comes next finds a run that died."""
        os.close(self._descriptor)


def hold(bundle: Path) -> Lock:
    """
    Lock a new bundle for as long as this process lives.

    Raises `OSError`, also where the file system knows no locks; then there is
    no file either, and nobody will think that we died.
    """
    path = bundle / RUNNING
    new = path.with_name(f"{RUNNING}.{os.getpid()}.tmp")
    # Close-on-exec: what the command starts must not hold it for us.
    descriptor = os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.write(descriptor, f"{os.getpid()} {' '.join(_machine())}\n".encode("ascii"))
        with contextlib.suppress(OSError):
            os.posix_fallocate(descriptor, 0, _ROOM)
        # It gets its name when it is locked: at no time is it there and free.
        new.rename(path)
    except OSError:
        Lock(new, descriptor).release()
        raise
    return Lock(path, descriptor)


def take_over(bundle: Path) -> Lock | None:
    """Return the lock that a dead run left on its bundle; None while it lives, or when there is none."""
    path = bundle / RUNNING
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags)
    except OSError:
        return None
    with contextlib.suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Somebody else may have taken it over and away between the two calls.
        if os.path.samestat(os.fstat(descriptor), path.lstat()) and _ours(descriptor):
            return Lock(path, descriptor)
    os.close(descriptor)
    return None


def _ours(descriptor: int) -> bool:
    """Whether the lock was taken on this machine: a shared file system may keep it from others."""
    said = os.read(descriptor, _SAID).decode("ascii", "replace").partition("\n")[0].split()[1:]
    return bool(set(said) & set(_machine()))


def _machine() -> tuple[str, str]:
    """Return two names of this machine: one that its containers share, one that outlives its boot."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_bytes()
    except OSError:
        boot = b""
    names = (boot, os.uname().nodename.encode("utf-8", "surrogateescape"))
    boot_name, host_name = (hashlib.sha256(name).hexdigest()[:16] for name in names)
    return boot_name, host_name
