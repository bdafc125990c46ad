"""A history in a folder: on a disk of the runner, on a network share, beside a demo."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from telltale.errors import HistoryError
from telltale.history.interface import MAX_FILE_BYTES, FileContent


class FolderStore:
    """
    Files below a folder, which is made by the first write.

    A file appears under its name when it is complete, and is never written
    again: a reader needs no lock, and neither do two writers.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        if root.exists() and not root.is_dir():
            raise HistoryError(f"{root} is a file: give a folder to --history")

    @property
    def where(self) -> str:
        """Where it is, for people."""
        return str(self._root)

    def paths(self, folder: str) -> tuple[str, ...]:
        """Return the paths of all files below a folder, sorted."""
        found = []
        start = self._root / folder
        try:
            # os.walk passes over what it may not read unless it is told otherwise.
            for at, _, names in os.walk(start, onerror=_raise):
                found += [(Path(at) / name).relative_to(self._root).as_posix() for name in names]
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise HistoryError(f"{start}: the history cannot be read: {error.strerror}") from error
        return tuple(sorted(found))

    def sizes(self, paths: Sequence[str]) -> Mapping[str, int]:
        """Return the bytes that files take."""
        found = {}
        for path in paths:
            with contextlib.suppress(OSError):
                found[path] = (self._root / path).stat().st_size
        return found

    def read(self, paths: Sequence[str]) -> Mapping[str, bytes]:
        """Return the bytes of files; those missing or too large are left out."""
        found = {}
        for path in paths:
            file = self._root / path
            try:
                if file.is_file() and file.stat().st_size <= MAX_FILE_BYTES:
                    found[path] = file.read_bytes()
            except FileNotFoundError:
                continue
            except OSError as error:
                raise HistoryError(
                    f"{file}: the history cannot be read: {error.strerror}"
                ) from error
        return found

    def add(self, files: Mapping[str, FileContent], *, why: str) -> tuple[str, ...]:  # noqa: ARG002
        """Create the files that are not there; return their paths."""
        try:
            return tuple(path for path, file in files.items() if self._create(path, file))
        except OSError as error:
            raise _cannot_write(self._root, error) from error

    def replace(self, folder: str, files: Mapping[str, FileContent], *, why: str) -> str:  # noqa: ARG002
        """Make a folder hold exactly these files; return its path."""
        target = self._root / folder
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=target.parent, prefix=".telltale-") as scratch:
                fresh = Path(scratch) / "fresh"
                fresh.mkdir()
                for name, file in files.items():
                    _write(fresh / PurePosixPath(name), file)
                if target.exists():
                    target.rename(Path(scratch) / "old")
                fresh.rename(target)
        except OSError as error:
            raise _cannot_write(target, error) from error
        return str(target)

    def _create(self, path: str, file: FileContent) -> bool:
        target = self._root / path
        if target.exists():
            return False
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(dir=target.parent, prefix=".telltale-"))
        try:
            complete = scratch / "file"
            _write(complete, file)
            return _publish(complete, target)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


def _write(path: Path, file: FileContent) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as stream:
        stream.write(file.data)
        stream.flush()
        os.fsync(stream.fileno())
    if file.executable:
        path.chmod(path.stat().st_mode | 0o111)


def _publish(complete: Path, target: Path) -> bool:
    try:
        os.link(complete, target)
    except FileExistsError:
        return False
    except OSError:
        # No hard links here (some network shares): a rename is as atomic, and
        # what it might replace is the same record.
        complete.rename(target)
    return True


def _raise(error: OSError) -> None:
    raise error


def _cannot_write(path: Path, error: OSError) -> HistoryError:
    return HistoryError(
        f"{path}: the history cannot be written: {error.strerror}. Adding again is safe"
    )
