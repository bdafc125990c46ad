"""
Telltale's own modules, compiled once instead of at every start.

Python would keep them in the checkout, which may be read-only or shared, and
would know them by the time of their source: a runner unpacks the action anew
for each job, and two versions may have equal times and sizes. Here they are
in one file for each checkout and Python, outside of both, and a module is
known by the hash of its source, as in the hash-based files of PEP 552.

What is read here is run. It is taken only from a folder and a file that
nobody but this user or root could have written; where there is none,
everything is compiled as if this module were not there.
"""

from __future__ import annotations

import atexit
import contextlib
import marshal
import os
import sys
from collections.abc import Mapping
from importlib.machinery import SOURCE_SUFFIXES, FileFinder, SourceFileLoader
from importlib.util import MAGIC_NUMBER, source_hash
from types import CodeType
from typing import Any

from telltale.launcher import inside, kept

_FOLDER = "bytecode"


def keep(sources: str, environ: Mapping[str, str]) -> None:
    """
    Let modules below the folder `sources` that are imported from now on be compiled once.

    Never raises: a start must not depend on a cache.
    """
    shelf = kept.shelf(environ)
    if not shelf:
        return
    _Loader.store = _Store(shelf, sources)
    atexit.register(_Loader.store.save)
    finder = FileFinder.path_hook((_Loader, SOURCE_SUFFIXES))

    def hook(path: str) -> Any:
        if path != sources and not path.startswith(sources + os.sep):
            raise ImportError(path)  # it is for the next hook
        return finder(path)

    sys.path_hooks.insert(0, hook)
    for path in [each for each in sys.path_importer_cache if each.startswith(sources)]:
        del sys.path_importer_cache[path]


class _Loader(SourceFileLoader):
    store: _Store

    def get_code(self, fullname: str) -> CodeType:  # noqa: ARG002
        """Return the module's code, compiled from the source that is there now."""
        source = self.get_data(self.path)
        mark = source_hash(source)
        code = self.store.find(self.path, mark)
        if code is None:
            code = self.source_to_code(source, self.path)
            self.store.add(self.path, mark, code)
        return code


class _Store:
    """The compiled modules of one checkout and half for one Python, in one file."""

    def __init__(self, shelf: str, sources: str) -> None:
        # The bot half has three times as many modules; the runner half would read them all.
        flags = 2 * sys.flags.optimize + inside()
        made_for = b"%b %d %b" % (MAGIC_NUMBER, flags, os.fsencode(sources))
        self._shelf = shelf
        self._name = source_hash(made_for).hex()
        self._modules: dict[str, tuple[bytes, bytes]] = {}
        """By path: the hash of the source, and the code as marshal writes it."""
        self._grown = False
        with contextlib.suppress(OSError), kept.opened(self._shelf, _FOLDER) as folder:
            self._modules = _read(folder, self._name)

    def find(self, path: str, mark: bytes) -> CodeType | None:
        known, code = self._modules.get(path, (b"", b""))
        return marshal.loads(code) if known == mark else None  # noqa: S302  # only we can have written it

    def add(self, path: str, mark: bytes, code: CodeType) -> None:
        self._modules[path] = (mark, marshal.dumps(code))
        self._grown = True

    def save(self) -> None:
        """Write the file if a module was compiled; a second process at the same moment does no harm."""
        if not self._grown:
            return
        there = {path: self._modules[path] for path in self._modules if os.path.exists(path)}  # noqa: PTH110  # as below
        content = marshal.dumps(there)
        with contextlib.suppress(OSError), kept.opened(self._shelf, _FOLDER) as folder:
            kept.write(folder, self._name, source_hash(content) + content)


def _read(folder: int, name: str) -> dict[str, tuple[bytes, bytes]]:
    data = kept.read(folder, name)
    # The hash is for files that a crash of the machine left damaged: marshal trusts what it reads.
    found: dict[str, tuple[bytes, bytes]] = (
        marshal.loads(data[8:]) if data and source_hash(data[8:]) == data[:8] else {}  # noqa: S302
    )
    return found
