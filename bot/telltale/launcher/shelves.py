"""Folders in which Telltale keeps what it has made, outside the checkout and outside the job."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path


def shelves(environ: Mapping[str, str]) -> Iterator[Path]:
    """Yield the folders, best first; they need not exist."""
    if (tools := Path(environ.get("RUNNER_TOOL_CACHE", ""))).is_absolute():
        yield tools / "telltale"
    if (cache := Path(environ.get("XDG_CACHE_HOME", ""))).is_absolute():
        yield cache / "telltale"
    elif (home := Path(environ.get("HOME", ""))).is_absolute() and home.is_dir():
        yield home / ".cache" / "telltale"
    temporary = Path(environ.get("TMPDIR", ""))
    yield (temporary if temporary.is_absolute() else Path("/tmp")) / f"telltale-{os.getuid()}"  # noqa: S108 - `is_trusted` below


def is_trusted(shelf: Path) -> bool:
    """Whether only this user and root can have put something there: we are going to run it."""
    try:
        info = shelf.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(info.st_mode) and is_private(info)


def is_private(info: os.stat_result) -> bool:
    """Whether a file or folder belongs to this user or root, and nobody else may write to it."""
    others_write = info.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return info.st_uid in {0, os.getuid()} and not others_write


def make_writable(shelf: Path) -> bool:
    """Make the folder if need be; return whether it can be trusted and written."""
    with contextlib.suppress(OSError):
        shelf.parent.mkdir(parents=True, exist_ok=True)
        # Readable for everybody in a tool cache, which several users share; private elsewhere.
        shelf.mkdir(mode=0o700 if shelf.name != "telltale" else 0o755)
    return is_trusted(shelf) and os.access(shelf, os.W_OK | os.X_OK)
