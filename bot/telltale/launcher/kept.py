"""
Files that Telltale keeps for its next start, on a shelf.

What is read here may be run or believed. It is taken only from a folder and a
file that nobody but this user or root could have written. By descriptor
throughout: what was checked is what is used.
"""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Iterator, Mapping

from telltale.launcher.shelves import is_private, make_writable, shelves

_KEPT_S = 30 * 24 * 3600
"""Seconds after which a file may be of something that is gone."""


def shelf(environ: Mapping[str, str]) -> str:
    """Return the best folder that can be written, empty when there is none."""
    return next((str(each) for each in shelves(environ) if make_writable(each)), "")


@contextlib.contextmanager
def opened(place: str, name: str) -> Iterator[int]:
    """Open the folder `name` of a shelf, made if need be; `OSError` when it cannot be trusted."""
    path = f"{place}/{name}"
    with contextlib.suppress(FileExistsError):
        os.mkdir(path, 0o700)  # noqa: PTH102
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if is_private(os.fstat(folder)):
            yield folder
        else:
            raise PermissionError(path)
    finally:
        os.close(folder)


def read(folder: int, name: str) -> bytes:
    """Return a file's content, empty when somebody else could have written it; or `OSError`."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with open(os.open(name, flags, dir_fd=folder), "rb") as file:  # noqa: PTH123  # a descriptor
        info = os.fstat(file.fileno())
        return file.read() if stat.S_ISREG(info.st_mode) and is_private(info) else b""


def write(folder: int, name: str, data: bytes) -> None:
    """Write a file at once, and remove what has not been written for long; or `OSError`."""
    for old in os.listdir(folder):
        if time.time() - os.stat(old, dir_fd=folder, follow_symlinks=False).st_mtime > _KEPT_S:
            os.unlink(old, dir_fd=folder)
    fresh = f"{name}.{os.urandom(4).hex()}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    with open(os.open(fresh, flags, 0o600, dir_fd=folder), "wb") as file:  # noqa: PTH123
        file.write(data)
    os.replace(fresh, name, src_dir_fd=folder, dst_dir_fd=folder)
