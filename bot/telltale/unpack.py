"""
Unpack an artifact's zip file that a stranger wrote.

All or nothing: an honest upload holds plain files under plain names, so one
entry that is not so condemns the whole archive, and nothing of it is left to
be believed. Nothing is ever written outside the target folder, and no more
than the limits allow, whatever the archive says about itself.

Sources: PKWARE's APPNOTE 6.3.10 (the format); actions/upload-artifact's
list of characters that it refuses in names.
"""

from __future__ import annotations

import io
import re
import shutil
import stat
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from telltale.errors import BundleError

CHUNK_BYTES = 64 * 1024
DIRECTORY_BYTES_PER_ENTRY = 256
"""More than an entry takes on average in the archive's directory (46 bytes and its name)."""

_FORBIDDEN = re.compile(r'["*:<>?|\\]')
_ENCRYPTED = 0x1
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
"""The others need more memory than their size tells, and no upload uses them."""

_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    ValueError,
    NotImplementedError,
    RuntimeError,
    OverflowError,
    KeyError,
)
"""What zipfile raises for archives that are not what they say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much of an archive is believed to be honest."""

    entries: int = 20_000
    total_bytes: int = 1024**3
    """Of all files together, unpacked; counted while writing, not read from headers."""
    ratio: float = 200.0
    """Unpacked bytes for each byte of the archive, beyond `free_bytes`."""
    free_bytes: int = 16 * 1024**2
    """Unpacked bytes that need no justification: a small log may shrink to nothing."""
    name_bytes: int = 1024
    """Of a whole name; a part of it may have 255, as file systems have it."""
    depth: int = 32

    def unpacked(self, archive_bytes: int) -> int:
        """Return how many bytes an archive of this size may unpack to."""
        return min(self.total_bytes, max(self.free_bytes, int(archive_bytes * self.ratio)))


def extract(zip_path: Path, to: Path, limits: Limits = Limits()) -> tuple[Path, ...]:
    """
    Unpack the archive into the new folder `to` and return its files, in the archive's order.

    Raises `BundleError`, naming the entry, for anything but plain files and
    folders under plain relative names within the limits; then `to` is not
    there. Files get the default mode: nothing becomes executable.
    """
    if to.exists():
        raise BundleError(f"cannot unpack {zip_path.name} to {to}: it exists already")
    to.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{to.name}.", dir=to.parent))
    try:
        names = _unpack(zip_path, scratch, limits)
        scratch.replace(to)
    except BundleError as error:
        raise BundleError(f"{zip_path.name}: {error}; nothing of it is used") from error
    except _DAMAGE as error:
        raise BundleError(f"{zip_path.name} is damaged: {_line(str(error))}") from error
    except OSError as error:
        raise BundleError(f"cannot unpack {zip_path.name}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return tuple(to.joinpath(*name.split("/")) for name in names)


def _unpack(zip_path: Path, to: Path, limits: Limits) -> list[str]:
    """Return the names of the files."""
    directory = limits.entries * DIRECTORY_BYTES_PER_ENTRY
    with _BoundedReader(zip_path, directory) as file, zipfile.ZipFile(file) as archive:
        entries = archive.infolist()
        if len(entries) > limits.entries:
            raise BundleError(f"it has {len(entries)} entries, more than {limits.entries}")
        # All names before the first byte: a bad last entry must not cost a full disk.
        for entry in entries:
            _check(entry, limits)
        _check_folders(entries, limits)
        room = limits.unpacked(zip_path.stat().st_size)
        for entry in entries:
            room -= _write(archive, entry, to, room)
    return [entry.filename for entry in entries if not entry.is_dir()]


class _BoundedReader(io.FileIO):
    """
    Refuses one huge read.

    zipfile reads the whole directory at once and makes an object of each
    entry before anybody can count them; everything else it reads by pieces.
    """

    def __init__(self, path: Path, limit_bytes: int) -> None:
        super().__init__(path)
        self._size = path.stat().st_size
        # The comment at the end, and pieces of content, are read whole as well.
        self._limit_bytes = max(limit_bytes, CHUNK_BYTES * 2)

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0:
            size = max(0, self._size - self.tell())
        if size > self._limit_bytes:
            raise BundleError("its directory is too large: too many entries or too long names")
        return super().read(size) or b""


def _check(entry: zipfile.ZipInfo, limits: Limits) -> None:
    # zipfile cuts a name at NUL: the original one is what others would see.
    name = entry.orig_filename
    reason = _bad_name(name, limits) or _bad_kind(entry)
    if reason:
        raise BundleError(f"entry {_line(name)!r} {reason}")


def _check_folders(entries: Sequence[zipfile.ZipInfo], limits: Limits) -> None:
    # Each name may need many folders that are no entries themselves.
    folders: set[str] = set()
    for entry in entries:
        parts = entry.filename.split("/")
        folders.update("/".join(parts[:end]) for end in range(1, len(parts)))
        if len(folders) > limits.entries:
            raise BundleError(f"it has more than {limits.entries} folders")


def _bad_name(name: str, limits: Limits) -> str:
    parts = name.removesuffix("/").split("/")
    reasons = {
        "has an absolute name": name.startswith("/"),
        "has a name that leads elsewhere": not {"", ".", ".."}.isdisjoint(parts),
        "has a name with a character that no upload has": _FORBIDDEN.search(name),
        "has a name with a control character": not name.isprintable(),
        "has too long a name": len(name.encode(errors="replace")) > limits.name_bytes
        or any(len(part.encode(errors="replace")) > 255 for part in parts),
        f"lies deeper than {limits.depth} folders": len(parts) - 1 > limits.depth,
    }
    return next((reason for reason, wrong in reasons.items() if wrong), "")


def _bad_kind(entry: zipfile.ZipInfo) -> str:
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind == stat.S_IFLNK:
        return "is a link"
    if kind not in {0, stat.S_IFDIR if entry.is_dir() else stat.S_IFREG}:
        return "is not a plain file"
    if entry.flag_bits & _ENCRYPTED:
        return "is encrypted"
    if entry.compress_type not in _METHODS:
        return f"is compressed in a way that no upload is (method {entry.compress_type})"
    if entry.is_dir() and entry.file_size:
        return "is a folder with content"
    return ""


def _write(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, to: Path, room: int) -> int:
    """Write one entry and return its size; `room` is how many bytes it may have."""
    target = to.joinpath(*entry.filename.rstrip("/").split("/"))
    name = _line(entry.filename)
    try:
        if entry.is_dir():
            target.mkdir(parents=True, exist_ok=True)
            return 0
        target.parent.mkdir(parents=True, exist_ok=True)
        # "x": a second entry of the same name, also on file systems that ignore case.
        with target.open("xb") as file, archive.open(entry) as content:
            return _copy(content, file, name, room)
    except (FileExistsError, NotADirectoryError) as error:
        raise BundleError(f"entry {name!r} is there twice") from error
    except _DAMAGE as error:
        raise BundleError(f"entry {name!r} is damaged ({_line(str(error))})") from error


def _copy(content: IO[bytes], file: io.BufferedWriter, name: str, room: int) -> int:
    size = 0
    while chunk := content.read(CHUNK_BYTES):
        size += len(chunk)
        if size > room:
            raise BundleError(f"entry {name!r} makes it unpack to too much: it may be a bomb")
        file.write(chunk)
    return size


def _line(text: str) -> str:
    shown = text if len(text) <= 120 else f"{text[:119]}…"
    return "".join(character if character.isprintable() else "?" for character in shown)
