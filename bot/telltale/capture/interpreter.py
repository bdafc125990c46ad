"""The user's Python: which one the command uses, and what is installed in it."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from telltale.capture import recalled, shell
from telltale.capture.programs import which
from telltale.patterns import pattern
from telltale.values import dataclass, field

_PYTHON = pattern(r"(python|pypy)[0-9.]*")
_WORDS = 20
LISTING_S = 20.0
"""Seconds for listing packages; more means a file system that hangs."""

# Runs in the user's interpreter, old ones too; its last line is a dictionary as Python writes it in
# ASCII. Not with importlib.metadata, except for archives: it parses each package's whole description
# as an e-mail, which takes four times as long as everything else here. Nor with json or
# importlib.util when nothing calls for them: importing them (json: re and enum) took 11 of 29 ms.
_LISTING = r"""
import sys
if sys.path and sys.path[0] == "":
    del sys.path[0]
import os

def described(folder):
    for path in (os.path.join(folder, "METADATA"), os.path.join(folder, "PKG-INFO"), folder):
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                watch.append(path)
                return fields(file)
        except OSError:
            pass
    return None, None

def fields(lines):
    found = {}
    for line in lines:
        key, _, value = line.partition(":")
        found.setdefault(key.lower(), value.strip())
        if "version" in found and "name" in found or not line.strip():
            break
    return found.get("name"), found.get("version")

def origin(folder):
    # PEP 610: written for what came from no index.
    path = os.path.join(folder, "direct_url.json")
    watch.append(path)
    try:
        with open(path, encoding="utf-8") as file:
            import json
            return json.load(file)
    except (OSError, ValueError):
        return None

def installed(place):
    if os.path.isfile(place):
        from importlib import metadata
        return [(one.metadata["Name"], one.version, None) for one in metadata.distributions(path=[place])]
    names = os.listdir(place) if os.path.isdir(place) else []
    ends = (".dist-info", ".egg-info", ".egg")
    folders = [os.path.join(place, name) for name in sorted(names) if name.endswith(ends)]
    return [described(os.path.join(one, "EGG-INFO") if one.endswith(".egg") else one) + (origin(one),)
            for one in folders]

found, origins, stamps, torch, conda, watch, start = {}, {}, {}, False, [], [], []
for path in sys.path:
    try:
        stamps[path] = os.stat(path).st_mtime_ns if os.path.isdir(path) else 0
        for name, version, direct in installed(path):
            if name and version and name not in found:
                found[name] = version
                if direct:
                    origins[name] = direct
    except Exception:
        pass
try:
    conda = sorted(os.listdir(os.path.join(sys.prefix, "conda-meta")))
except Exception:
    pass
try:
    finders = [one.find_spec for one in sys.meta_path if hasattr(one, "find_spec")]
    torch = any(find("torch", None) is not None for find in finders)
except Exception:
    pass
try:
    site = sys.modules["site"]
    watch += site.getsitepackages() + [site.getuserbase(), site.getusersitepackages()]
except Exception:
    pass
watch += [os.path.join(prefix, name) for prefix in (sys.prefix, sys.base_prefix)
    for name in ("pyvenv.cfg", "conda-meta")] + [os.path.join(os.path.dirname(sys.executable), "pyvenv.cfg")]
start = [sys.modules[name].__file__ for name in ("sitecustomize", "usercustomize") if name in sys.modules]
print("\n" + ascii({"version": "%d.%d.%d" % sys.version_info[:3],
    "implementation": sys.implementation.name, "packages": found, "torch": torch,
    "origins": origins, "conda": conda, "stamps": stamps, "executable": sys.executable,
    "watch": watch, "start": start}))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """A Python that the command uses, as it stood when it was asked."""

    path: str
    version: str
    """As in `3.11.7`."""
    implementation: str
    packages: Mapping[str, str] | None
    """Versions by name; None when it could not list them."""
    torch: bool
    """Whether `import torch` would find something."""
    stamps: Mapping[str, int]
    """When each folder of its path was last changed, in ns; see `changed`."""
    origins: Mapping[str, str] = field(default_factory=dict)
    """By name, where a package came from that came from no index: a URL, with `editable ` before it."""
    conda: tuple[str, ...] = ()
    """Packages of a conda environment, as in `numpy=2.3.4=py311h1234567_0`."""

    @property
    def feature(self) -> str:
        """As in `3.11`; other implementations than CPython by name."""
        short = ".".join(self.version.split(".")[:2])
        return short if self.implementation == "cpython" else f"{self.implementation} {short}"

    def changed(self) -> bool:
        """Whether something was installed or removed since: one stat for each folder."""
        return any(_stamp(path) != stamp for path, stamp in self.stamps.items())


def find_interpreter(argv: tuple[str, ...], cwd: Path, environ: Mapping[str, str]) -> str:
    """
    Return the path of the Python that a command runs, empty when there is none.

    That is the first of its words that is a Python or a script of one
    (`timeout 60 .venv/bin/pytest`), else `python3` or `python` in its PATH.
    """
    path = environ.get("PATH", os.defpath)
    return (
        named_interpreter(argv, cwd, environ)
        or which("python3", path=path)
        or which("python", path=path)
        or ""
    )


def named_interpreter(argv: tuple[str, ...], cwd: Path, environ: Mapping[str, str]) -> str:
    """Return the path of the Python that a word of the command names, else empty."""
    path = environ.get("PATH", os.defpath)
    for word in _words(argv):
        program = str(cwd / word) if "/" in word else which(word, path=path) or ""
        if _PYTHON.fullmatch(Path(program).name) and os.access(program, os.X_OK):
            return program
        if behind := _shebang(program):
            return behind
    return ""


def ask(
    path: str,
    cwd: Path,
    environ: Mapping[str, str],
    *,
    ours: Mapping[str, str],
    clock: Callable[[], float] = time.time,
) -> Interpreter:
    """
    Ask a Python for its version and packages, in one process, or not at all.

    An answer that is still right is taken from where Telltale keeps things;
    `ours` is the environment that says where. Raises `OSError` or
    `subprocess.SubprocessError` when it does not answer in time, `ValueError`
    when it answers nonsense.
    """
    memory = recalled.Memory(path, cwd, environ, ours, now=clock())
    found = memory.find()
    if found is None:
        found = _ask(path, cwd, environ)
        memory.keep(found)
    packages = found["packages"]
    return Interpreter(
        path=path,
        version=str(found["version"]),
        implementation=str(found["implementation"]),
        packages=None if packages is None else {str(k): str(v) for k, v in packages.items()},
        torch=bool(found["torch"]),
        stamps={str(folder): int(stamp) for folder, stamp in found["stamps"].items()},
        origins={str(name): _origin(direct) for name, direct in found["origins"].items()},
        conda=tuple(
            "=".join(name.removesuffix(".json").rsplit("-", 2))
            for name in found["conda"]
            if name.endswith(".json")
        ),
    )


def _ask(path: str, cwd: Path, environ: Mapping[str, str]) -> dict[str, Any]:
    import ast  # noqa: PLC0415  # 1 ms, and most answers are known

    answer = subprocess.run(
        [path, "-c", _LISTING],
        cwd=cwd,
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=LISTING_S,
        check=True,
    )
    # Start-up files of the user's environment may print something first.
    line = answer.stdout.decode("utf-8", "replace").strip().rpartition("\n")[2]
    try:
        found = ast.literal_eval(line)
    except (SyntaxError, ValueError):
        found = None
    if not isinstance(found, dict):
        raise ValueError(f"{path} gave no list of its packages: {line[:80]!r}")  # noqa: TRY004  # as promised
    return found


def _origin(direct: Mapping[str, Any]) -> str:
    """Return what `direct_url.json` says as a URL, of version control with the commit."""
    url = str(direct.get("url", ""))
    vcs, folder = direct.get("vcs_info") or {}, direct.get("dir_info") or {}
    if vcs:
        url = f"{vcs.get('vcs', '')}+{url}@{vcs.get('commit_id', '')}"
    return f"editable {url}" if folder.get("editable") else url


def _words(argv: tuple[str, ...]) -> list[str]:
    """Return the words among the first ones that may name a program."""
    words: Sequence[str] = argv
    if text := shell.text(argv):
        try:
            words = shlex.split(text, comments=True)
        except ValueError:
            return []
    return [word for word in words[:_WORDS] if not re.match(r"-|\w+=", word)]


def _shebang(program: str) -> str:
    try:
        with Path(program).open("rb") as file:
            line = file.readline(512)
    except OSError:
        return ""
    if not line.startswith(b"#!"):
        return ""
    words = line[2:].decode("utf-8", "replace").split()
    python = words[0] if words else ""
    return python if _PYTHON.fullmatch(Path(python).name) else ""


def _stamp(path: str) -> int:
    try:
        return Path(path).stat().st_mtime_ns if Path(path).is_dir() else 0
    except OSError:
        return -1
