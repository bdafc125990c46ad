"""
Turn JUnit's `classname` and `name` back into pytest's nodeid.

pytest writes `tests/unit/test_a.py::TestB::test_c[1]` as classname
`tests.unit.test_a.TestB` and name `test_c[1]`. Which dots were slashes is
only known from the files on disk.
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

_PIECES_LIMIT = 50
_LENGTH = 2000


_CONFIGURATION = ("pytest.ini", "pyproject.toml", "tox.ini", "setup.cfg", "setup.py")


def roots(cwd: Path, checkout: Path | None) -> tuple[Path, ...]:
    """
    Return the folders that nodeids may be relative to, the likeliest first.

    pytest names tests from its rootdir: the working directory or one above it
    that has a configuration file, mostly within the checkout.
    """
    inside = [each for each in cwd.parents if checkout in {each, *each.parents}]
    configured = [
        each for each in cwd.parents if any((each / name).is_file() for name in _CONFIGURATION)
    ]
    return tuple(dict.fromkeys((cwd, *inside, *configured)))


class NodeIds:
    """Looks below some folders, the likeliest first, and remembers what it found."""

    def __init__(self, roots: Sequence[Path]) -> None:
        self._roots = tuple(roots)
        self._resolve = functools.cache(self._look_up)

    def nodeid(self, classname: str, name: str, file: str = "") -> str:
        """
        Return the nodeid, or `classname::name` when no test file fits.

        `file` is the attribute that some runners write; it is believed when
        it agrees with the classname. Control characters are escaped, so that
        a nodeid is one line; one of more than 2,000 characters is cut and ends
        in a hash of the whole.
        """
        found = self._from_file(classname, file) or self._resolve(classname)
        if not found and not classname:
            # pytest names a file that could not be collected by itself.
            return _one_line(self._resolve(name) or name)
        return _one_line("::".join(part for part in (found or classname, name) if part))

    def _from_file(self, classname: str, file: str) -> str:
        path = PurePosixPath(file.replace("\\", "/"))
        if path.suffix != ".py" or path.is_absolute() or ".." in path.parts:
            return ""
        dotted = ".".join(path.with_suffix("").parts)
        if classname == dotted:
            return str(path)
        if classname.startswith(f"{dotted}."):
            return "::".join((str(path), *classname[len(dotted) + 1 :].split(".")))
        return ""

    def _look_up(self, classname: str) -> str:
        pieces = classname.split(".")
        if not classname or len(pieces) > _PIECES_LIMIT or any(map(_no_name, pieces)):
            return ""
        for root in self._roots:
            found = _walk(root, pieces, ())
            if found:
                return found
        return ""


def _walk(folder: Path, pieces: Sequence[str], above: tuple[str, ...]) -> str:
    """Return the nodeid that the pieces spell from the folder on: the deepest file wins."""
    # A folder or file may have dots in its own name: several pieces make one part.
    for size in range(1, len(pieces) + 1):
        part, rest = ".".join(pieces[:size]), pieces[size:]
        if rest and (folder / part).is_dir():
            found = _walk(folder / part, rest, (*above, part))
            if found:
                return found
    for size in range(len(pieces), 0, -1):
        part, rest = ".".join(pieces[:size]), pieces[size:]
        for name in (f"{part}.py", part):
            if (folder / name).is_file():
                return "::".join(("/".join((*above, name)), *rest))
    return ""


def _no_name(piece: str) -> bool:
    return not piece or "/" in piece or "\\" in piece or "\0" in piece


def _one_line(text: str) -> str:
    text = re.sub(r"[\x00-\x1f\x7f]", lambda found: repr(found[0])[1:-1], text)
    if len(text) <= _LENGTH:
        return text
    # Two tests must not become one by being cut.
    return f"{text[:_LENGTH]}...{hashlib.sha256(text.encode()).hexdigest()[:12]}"
