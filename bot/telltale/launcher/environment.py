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
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TextIO

from telltale.errors import SetupError
from telltale.launcher import installer
from telltale.launcher.shelves import is_trusted, make_writable, shelves

STAMP = "telltale-environment"
LOG = "telltale-environment.log"


def find_or_make(
    requirements: Path, environ: Mapping[str, str], extras: Sequence[Path] = ()
) -> Path:
    """
    Return the folder of the environment that holds the packages of `requirements` and `extras`.

    A complete one is used wherever it is; a missing one is made in the first
    of `shelves` that can be written. Raises `SetupError`.
    """
    locks = (requirements, *extras)
    key = _key(locks)
    tried = list(shelves(environ))
    for shelf in tried:
        folder = shelf / f"env-{key[:16]}"
        if is_trusted(shelf) and _complete(folder, key):
            return folder
    for shelf in tried:
        if make_writable(shelf):
            folder = shelf / f"env-{key[:16]}"
            _make(folder, locks, environ)
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
    _make(folder, (requirements,), environ)


def _make(folder: Path, locks: Sequence[Path], environ: Mapping[str, str]) -> None:
    key = _key(locks)
    if _complete(folder, key):
        return
    try:
        with _locked(folder) as stamp:
            if _complete(folder, key):
                return
            sys.stderr.write(f"making Telltale's environment, once per version: {folder}\n")
            stamp.truncate(0)
            _clear(folder)
            installer.install(folder, locks, environ, log=folder / LOG, lock=stamp.fileno())
            stamp.write(_mark(key))
    except OSError as error:
        raise SetupError(
            f"cannot make Telltale's environment in {folder}: {error.strerror or error}"
            f"{f' ({error.filename})' if error.filename else ''}"
        ) from error


def _key(locks: Sequence[Path]) -> str:
    """Digest of all that an environment depends on: the lock files, the Python, the machine."""
    try:
        lock = b"\0".join(path.read_bytes() for path in locks)
    except OSError as error:
        raise SetupError(f"cannot read {error.filename}: {error.strerror}") from error
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
