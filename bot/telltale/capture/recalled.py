"""
What a Python answered before, believed while nothing that it depends on has changed.

Asking one costs 30 ms of CPU in front of every command. The answer is kept
with the state of every file and folder that it came from: each folder of
`sys.path` and those that would be on it if they were there, each `.pth` file
and each path that one names, `pyvenv.cfg`, the packages' own files, start-up
modules, and the interpreter itself. A change of any, by inode or by the time
of change, which nobody can set, asks again. So does another value of a
variable that Python or one of those start-up files reads. What is no
interpreter itself, as the shims of pyenv, is always asked.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping
from importlib.util import source_hash
from pathlib import Path
from typing import Any

from telltale.launcher import kept
from telltale.patterns import pattern

_FOLDER = "pythons"
_VERSION = 1
_VARIABLES = frozenset(
    {"HOME", "LD_LIBRARY_PATH", "LD_PRELOAD", "VIRTUAL_ENV", "CONDA_PREFIX", "XDG_DATA_HOME"}
)
"""Beside all that begin with PYTHON."""
_FRESH_S = 3.0
"""A file that changed so shortly before may change again without its time telling it."""
_IMPORTED = pattern(r"\bimport\s+(\w+)|__import__|exec|eval|open|environ|sys")
_HARMLESS = frozenset({"apport_python_hook"})
"""What `sitecustomize` of Debian's Pythons imports: it takes nothing but exceptions."""
_ON_PATH = pattern(r"\bsys\.path\b|addsitedir|addpackage")
_VARIABLE = pattern(r"\b[A-Z][A-Z0-9_]{2,}\b")
_LARGEST = 64 * 1024
"""Bytes of a start-up file that is understood."""


class Memory:
    """Answers of one Python in one folder and environment; `ours` says where they are kept."""

    def __init__(
        self,
        path: str,
        cwd: Path,
        environ: Mapping[str, str],
        ours: Mapping[str, str],
        *,
        now: float,
    ) -> None:
        """`now` is the time before it is asked, in seconds of Unix time."""
        self._path = path
        self._real = os.path.realpath(path)
        self._environ = environ
        self._ours = ours
        self._began = now
        self._asked = [_VERSION, path, self._real, str(cwd)]
        self._name = source_hash("\0".join(map(str, self._asked)).encode("utf-8", "replace")).hex()

    def find(self) -> dict[str, Any] | None:
        """Return the answer that is still right; None when the Python has to be asked."""
        if not self._is_interpreter():
            return None
        try:
            with kept.opened(kept.shelf(self._ours), _FOLDER) as folder:
                held = json.loads(kept.read(folder, self._name))
            if (
                held["asked"] == self._asked
                and held["variables"] == self._variables(held["names"])
                and all(held["states"][path] == _state(path) for path in held["states"])
            ):
                found: dict[str, Any] = held["answer"]
                return found
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            pass  # it was never asked, or what is there is not what we wrote
        return None

    def keep(self, answer: Mapping[str, Any]) -> None:
        """Keep an answer, unless something that it depends on may be changing or is not understood."""
        if not self._is_interpreter() or not _same(answer.get("executable"), self._path):
            return
        with contextlib.suppress(OSError, ValueError, TypeError):
            watched = _Watched(answer, self._path)
            states = {path: _state(path) for path in sorted(watched.paths)}
            # By the time of change, in nanoseconds.
            newest = max((state[3] for state in states.values() if state), default=0)
            if newest > (self._began - _FRESH_S) * 1e9:
                return
            names = sorted(watched.names)
            held = {
                "asked": self._asked,
                "names": names,
                "variables": self._variables(names),
                "states": states,
                "answer": {key: answer[key] for key in answer if key not in {"watch", "start"}},
            }
            with kept.opened(kept.shelf(self._ours), _FOLDER) as folder:
                kept.write(folder, self._name, json.dumps(held).encode())

    def _is_interpreter(self) -> bool:
        # A script, or another program under a Python's name, chooses one by rules of its own.
        if not re.fullmatch(r"(python|pypy)[0-9.]*", os.path.basename(self._real)):  # noqa: PTH119
            return False
        try:
            with Path(self._path).open("rb") as file:
                return file.read(4) == b"\x7fELF"
        except OSError:
            return False

    def _variables(self, names: Iterable[str]) -> str:
        """Return a digest of what Python and start-up files read; values may be secret."""
        known = {*_VARIABLES, *names, *(name for name in self._environ if name[:6] == "PYTHON")}
        text = "\0".join(f"{name}={self._environ.get(name)}" for name in sorted(known))
        return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


class _Watched:
    """The paths and the names of variables that an answer depends on; `ValueError`: not known."""

    def __init__(self, answer: Mapping[str, Any], path: str) -> None:
        self.names: set[str] = set()
        real = os.path.realpath(path)
        self.paths = {path, real, os.path.dirname(path), os.path.dirname(real)}  # noqa: PTH120
        self.paths.update(map(str, answer["watch"]))
        for module in map(str, answer["start"]):
            self.paths.add(module)
            if not set(_IMPORTED.findall(_content(module))) <= _HARMLESS:
                raise ValueError(module)
        for folder in answer["stamps"]:
            self.paths.add(str(folder))
        for folder in sorted(self.paths):
            if os.path.isdir(folder):  # noqa: PTH112
                for name in os.listdir(folder):  # noqa: PTH208
                    if name.endswith(".pth"):
                        self._read(folder, f"{folder}/{name}")
        if not all(map(os.path.isabs, self.paths)):
            raise ValueError(path)

    def _read(self, folder: str, path: str) -> None:
        self.paths.add(path)
        for line in _content(path).splitlines():
            if line.startswith(("import ", "import\t")):
                # Hooks for imports are common here (setuptools, coverage, editable installs).
                if _ON_PATH.search(line):
                    raise ValueError(path)
                self.names.update(_VARIABLE.findall(line))
            elif line.strip() and not line.startswith("#"):
                # A path that is not there counts from the moment when it is.
                self.paths.add(os.path.join(folder, line.rstrip()))  # noqa: PTH118


def _content(path: str) -> str:
    with Path(path).open("rb") as file:
        data = file.read(_LARGEST + 1)
    if len(data) > _LARGEST:
        raise ValueError(path)
    return data.decode("utf-8", "replace")


def _state(path: str) -> list[int] | None:
    try:
        info = os.stat(path)  # noqa: PTH116  # for some hundred paths
    except (OSError, ValueError):
        return None
    return [info.st_dev, info.st_ino, info.st_size, info.st_ctime_ns]


def _same(one: object, other: str) -> bool:
    return isinstance(one, str) and os.path.realpath(one) == os.path.realpath(other)
