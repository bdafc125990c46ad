"""
Where Telltale's environment is kept, and how exactly one process makes it.

A folder with an environment holds a stamp. The stamp is written empty before
anything else and filled after everything else, so an environment is complete
or known not to be, whatever killed the process that made it. It is also the
lock: the installers inherit it, so nobody starts over while an orphan of a
killed launcher still writes.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import stat
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TextIO

from telltale.errors import SetupError
from telltale.launcher import installer

STAMP = "telltale-environment"
LOG = "telltale-environment.log"


def find_or_make(requirements: Path, environ: Mapping[str, str]) -> Path:
    """
    Return the folder of the environment that holds the packages of `requirements`.

    A complete one is used wherever it is; a missing one is made in the first
    of `shelves` that can be written. Raises `SetupError`.
    """
    key = _key(requirements)
    tried = list(_shelves(environ))
    for shelf in tried:
        folder = shelf / f"env-{key[:16]}"
        if _trusted(shelf) and _complete(folder, key):
            return folder
    for shelf in tried:
        if _writable(shelf):
            folder = shelf / f"env-{key[:16]}"
            make_in(folder, requirements, environ)
            return folder
    raise SetupError(
        "no folder for Telltale's environment: cannot write "
        f"{', '.join(str(shelf) for shelf in tried)}; set XDG_CACHE_HOME to a folder of your own"
    )


def make_in(folder: Path, requirements: Path, environ: Mapping[str, str]) -> None:
    """
    Make the environment in `folder` unless it is complete; safe to call at the same moment.

    An environment that was interrupted, or made for another lock file or
    Python, is made again. Raises `SetupError`; never touches a folder that
    holds anything but an environment of Telltale's.
    """
    key = _key(requirements)
    if _complete(folder, key):
        return
    try:
        with _locked(folder) as stamp:
            if _complete(folder, key):
                return
            sys.stderr.write(f"making Telltale's environment, once per version: {folder}\n")
            stamp.truncate(0)
            _clear(folder)
            installer.install(folder, requirements, environ, log=folder / LOG, lock=stamp.fileno())
            stamp.write(_mark(key))
    except OSError as error:
        raise SetupError(
            f"cannot make Telltale's environment in {folder}: {error.strerror or error}"
            f"{f' ({error.filename})' if error.filename else ''}"
        ) from error


def _key(requirements: Path) -> str:
    """Digest of all that an environment depends on: the lock file, the Python, the machine."""
    try:
        lock = requirements.read_bytes()
    except OSError as error:
        raise SetupError(f"cannot read {requirements}: {error.strerror}") from error
    made_for = f"{sys.version}\0{os.uname().machine}\0{installer.base_python()}"
    return hashlib.sha256(lock + b"\0" + os.fsencode(made_for)).hexdigest()


def _mark(key: str) -> str:
    return f"complete {key}\n"


def _complete(folder: Path, key: str) -> bool:
    try:
        stamp = (folder / STAMP).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    # The second test fails when the Python that it was made from is gone.
    return stamp == _mark(key) and os.access(folder / "bin" / "python", os.X_OK)


def _shelves(environ: Mapping[str, str]) -> Iterator[Path]:
    """Folders that may hold environments, best first; they need not exist."""
    if (tools := Path(environ.get("RUNNER_TOOL_CACHE", ""))).is_absolute():
        yield tools / "telltale"
    if (cache := Path(environ.get("XDG_CACHE_HOME", ""))).is_absolute():
        yield cache / "telltale"
    elif (home := Path(environ.get("HOME", ""))).is_absolute() and home.is_dir():
        yield home / ".cache" / "telltale"
    temporary = Path(environ.get("TMPDIR", ""))
    yield (temporary if temporary.is_absolute() else Path("/tmp")) / f"telltale-{os.getuid()}"  # noqa: S108 - `_trusted` below


def _trusted(shelf: Path) -> bool:
    """Whether only this user and root can have put something there: we are going to run it."""
    try:
        info = shelf.lstat()
    except OSError:
        return False
    others_write = info.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return stat.S_ISDIR(info.st_mode) and info.st_uid in {0, os.getuid()} and not others_write


def _writable(shelf: Path) -> bool:
    with contextlib.suppress(OSError):
        shelf.parent.mkdir(parents=True, exist_ok=True)
        # Readable for everybody in a tool cache, which several users share; private elsewhere.
        shelf.mkdir(mode=0o700 if shelf.name != "telltale" else 0o755)
    return _trusted(shelf) and os.access(shelf, os.W_OK | os.X_OK)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[TextIO]:
    """Hold the stamp of `folder`, open for writing, while no other process does."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / STAMP
    # In this order: whoever makes an environment writes the stamp before anything else.
    if os.listdir(folder) and not path.exists():  # noqa: PTH208 - a truth value is all we want
        raise SetupError(
            f"{folder} was not made by Telltale, and it is left alone: move it away and try again"
        )
    with path.open("a", encoding="utf-8") as stamp:
        try:
            fcntl.flock(stamp, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.stderr.write(f"waiting for another process that makes {folder}\n")
            fcntl.flock(stamp, fcntl.LOCK_EX)
        # No LOCK_UN: closing releases it, and not before the last installer has ended.
        yield stamp


def _clear(folder: Path) -> None:
    for path in folder.iterdir():
        if path.name in {STAMP, LOG}:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
