"""Keep in a bundle what can be uploaded: regular files with plain names."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from telltale.patterns import pattern

_REFUSED = pattern(r'[":<>|*?\\\x00-\x1f\x7f]|[\ud800-\udfff]')
"""What actions/upload-artifact refuses in a path, and what is no text."""
_MOST = 10_000
_SHOWN = 5


def tidy(folder: Path) -> Iterator[str]:
    """
    Make every file of the bundle one that an artifact can hold; yield what was done, in sentences.

    One file that the upload refuses (a socket, a name with a colon) would
    lose all of them, and hidden ones are left out silently. Symbolic links
    lead out of the bundle: the upload would follow them.
    """
    removed, renamed = [], []
    for number, path in enumerate(_below(folder)):
        if number >= _MOST:
            yield f"the bundle holds more than {_MOST} files: some may be missing from its artifact"
            break
        mode = path.lstat().st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            path.unlink()
            removed.append(_shown(path, folder))
            continue
        wanted = 0o700 if stat.S_ISDIR(mode) else 0o400
        if mode & wanted != wanted:
            path.chmod(stat.S_IMODE(mode) | wanted)
        name = _plain(path.name)
        if name != path.name:
            renamed.append(_shown(path, folder))
            path.rename(_free(path.with_name(name)))
    if removed:
        yield f"taken out of the bundle, being no regular files: {_listed(removed)}"
    if renamed:
        yield f"renamed in the bundle, for an artifact cannot hold their names: {_listed(renamed)}"


def _below(folder: Path) -> Iterator[Path]:
    """Yield all that lies below, folders after what they hold; through no link."""
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.is_symlink():
            if path.lstat().st_mode & 0o700 != 0o700:
                path.chmod(0o700)
            yield from _below(path)
        yield path


def _plain(name: str) -> str:
    if name.endswith(".tmp"):
        return name  # of somebody who is writing; no bundle lists it
    plain = _REFUSED.sub("_", name)
    return f"_{plain[1:]}" if plain.startswith(".") else plain


def _free(path: Path) -> Path:
    number = 2
    free = path
    while os.path.lexists(free):
        free = path.with_name(f"{path.stem}-{number}{path.suffix}")
        number += 1
    return free


def _shown(path: Path, folder: Path) -> str:
    return ascii(path.relative_to(folder).as_posix())


def _listed(names: list[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
