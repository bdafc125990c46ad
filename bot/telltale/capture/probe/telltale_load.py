"""
Load the probe without compiling it anew in every pytest.

PYTEST_DONT_REWRITE: pytest need not look for assertions in here.
Python may not keep bytecode in this folder, since the checkout belongs to the
runner. The runner half names a folder outside of it, `shelf` of the probe's
settings; there a module is known by the hash of its source, as in the
hash-based files of PEP 552. What is read there is run: it is taken only from
a folder and a file that nobody but this user or root could have written.
Wherever that fails, the module is compiled.
"""

from __future__ import annotations

# A folder for sys.path, not a package; Python 3.7 has no pathlib worth its start-up time here.
# ruff: noqa: INP001, PTH100, PTH102, PTH118, PTH120, PTH123, UP031, BLE001
import contextlib
import json
import marshal
import os
import stat
import sys
from importlib.machinery import SourceFileLoader
from importlib.util import MAGIC_NUMBER, module_from_spec, source_hash, spec_from_file_location
from typing import Any

_FLAGS = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_HERE = os.path.dirname(os.path.abspath(__file__))


def _load(name: str, shelf: str) -> Any:
    path = os.path.join(_HERE, name + ".py")
    spec: Any = spec_from_file_location(name, path, loader=_Loader(name, path, shelf))
    module = module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


class _Loader(SourceFileLoader):
    def __init__(self, name: str, path: str, shelf: str) -> None:
        super().__init__(name, path)
        self._shelf = shelf

    def get_code(self, fullname: str) -> Any:  # noqa: ARG002
        """Return the module's code, compiled from the source that is there now."""
        source = self.get_data(self.path)
        if self._shelf:
            with contextlib.suppress(Exception):
                return self._kept(source)
        return self.source_to_code(source, self.path)

    def _kept(self, source: bytes) -> Any:
        name, mark = self._file(), source_hash(source)
        folder = _folder(self._shelf)
        try:
            with contextlib.suppress(OSError):
                code = _read(folder, name, mark)
                if code is not None:
                    return code
            code = self.source_to_code(source, self.path)
            with contextlib.suppress(OSError):
                _write(folder, name, mark, marshal.dumps(code))
            return code
        finally:
            os.close(folder)

    def _file(self) -> str:
        made_for = b"%b %d %b" % (MAGIC_NUMBER, sys.flags.optimize, os.fsencode(self.path))
        return source_hash(made_for).hex()


def _folder(shelf: str) -> int:
    """Open the folder, made if need be; raise `OSError` when others could write there."""
    with contextlib.suppress(FileExistsError):
        os.mkdir(shelf, 0o700)
    folder = os.open(shelf, os.O_RDONLY | os.O_DIRECTORY | _FLAGS)
    # By descriptor from here on: what was checked is what is used.
    if not _private(os.fstat(folder)):
        os.close(folder)
        raise PermissionError(shelf)
    return folder


def _private(info: os.stat_result) -> bool:
    others_write = info.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return info.st_uid in {0, os.getuid()} and not others_write


def _read(folder: int, name: str, mark: bytes) -> Any:
    with open(os.open(name, os.O_RDONLY | _FLAGS, dir_fd=folder), "rb") as file:
        info = os.fstat(file.fileno())
        data = file.read() if stat.S_ISREG(info.st_mode) and _private(info) else b""
    # The second hash is for files that a crash of the machine left damaged.
    whole = data[:8] == mark and data[8:16] == source_hash(data[16:])
    return marshal.loads(data[16:]) if whole else None  # noqa: S302  # only we can have written it


def _write(folder: int, name: str, mark: bytes, code: bytes) -> None:
    fresh = "%s.%s" % (name, os.urandom(4).hex())
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    with open(os.open(fresh, flags, 0o600, dir_fd=folder), "wb") as file:
        file.write(mark + source_hash(code) + code)
    os.replace(fresh, name, src_dir_fd=folder, dst_dir_fd=folder)


def _shelf() -> str:
    # Workers of xdist have only this.
    given = os.environ.pop("TELLTALE_PROBE_SHELF", "")
    if given:
        return given
    try:
        return str(json.loads(os.environ["TELLTALE_PROBE_SETTINGS"]).get("shelf") or "")
    except Exception:
        return ""


_place = _shelf()
with contextlib.suppress(Exception):
    _load("telltale_leaks", _place)
probe = _load("telltale_probe", _place)
