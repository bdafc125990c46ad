"""
Fill a virtual environment with the packages of a lock file: with uv where it is, else with pip.

Wheels only, each with a hash of the lock file: no package runs code while it
is installed, and it does not matter from where it comes.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from telltale.errors import SetupError, UsageError
from telltale.launcher import sources

_LOCKED_WHEELS = ("--require-hashes", "--no-deps", "--only-binary", ":all:")

_PIP_CAUSE = re.compile(r"\[(?:Errno|SSL|X509)[^\]]*\] [^'()]+|\w[\w ]* timed out|4\d\d Error.*")
"""What broke a connection, inside the warnings that pip prints before it says "no version"."""


def base_python() -> str:
    """Return the interpreter behind any virtual environment that started this one."""
    return os.path.realpath(getattr(sys, "_base_executable", "") or sys.executable)


def install(
    folder: Path, locks: Sequence[Path], environ: Mapping[str, str], *, log: Path, lock: int
) -> None:
    """
    Make a virtual environment in `folder` that holds the wheels of the lock files `locks`.

    `lock` is a file descriptor that the installers keep open until they end;
    all they say goes to `log`. The wheels come from the folder TELLTALE_WHEELS
    when that is set. Raises `SetupError`; `UsageError` when it is no folder.
    """
    wheels = environ.get("TELLTALE_WHEELS", "")
    if wheels and not Path(wheels).is_dir():
        raise UsageError(f"TELLTALE_WHEELS: {wheels} is not a folder; give one that holds wheels")
    with log.open("w", encoding="utf-8", buffering=1) as output:  # programs write between
        work = _Work(
            folder=folder,
            locks=locks,
            wheels=Path(wheels).absolute() if wheels else None,
            environ=environ,
            output=output,
            lock=lock,
        )
        if not work.run(base_python(), "-I", "-m", "venv", "--without-pip", folder):
            raise SetupError(f"{base_python()} -m venv failed: {_gist(log)}. All it said: {log}")
        settings = {} if wheels else sources.pip_settings(environ)
        uv = _find_uv(work)
        pip = _find_pip(work) if not uv or sources.told_pip_alone(settings, environ) else None
        if pip:
            origin = sources.pip_sources(settings)
            installed = _install_with_pip(work, pip, settings)
        elif uv:
            origin = sources.uv_sources(environ)
            installed = _install_with_uv(work, uv)
        else:
            raise SetupError(
                f"{base_python()} comes without pip, and Telltale needs packages: "
                "`apt-get install python3-venv` (Debian, Ubuntu), or put uv into PATH"
            )
    if not installed:
        raise SetupError(_failure(work, origin, log))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    folder: Path
    locks: Sequence[Path]
    wheels: Path | None
    environ: Mapping[str, str]
    output: TextIO
    lock: int

    @property
    def python(self) -> str:
        return str(self.folder / "bin" / "python")

    @property
    def what(self) -> tuple[str | Path, ...]:
        """The arguments that uv and pip have in common."""
        offline = ("--no-index", "--find-links", self.wheels) if self.wheels else ()
        return (*_LOCKED_WHEELS, *offline, *self.lists)

    @property
    def lists(self) -> tuple[str | Path, ...]:
        """The lock files, as uv and pip take them."""
        return tuple(part for lock in self.locks for part in ("-r", lock))

    @property
    def named(self) -> str:
        """The lock files, for people."""
        return " and ".join(map(str, self.locks))

    def run(self, *command: str | Path, add: Mapping[str, str] | None = None) -> bool:
        """Run one program with its output in the log; true when it succeeded."""
        self.output.write(f"$ {shlex.join(str(part) for part in command)}\n")
        try:
            finished = subprocess.run(
                command,
                check=False,
                stdin=subprocess.DEVNULL,
                stdout=self.output,
                stderr=subprocess.STDOUT,
                cwd=self.folder,  # uv obeys the project file of the folder that it is in
                env=sources.environment(self.environ) | dict(add or {}),
                pass_fds=(self.lock,),
            )
        except OSError as error:
            self.output.write(f"error: {error}\n")
            return False
        return finished.returncode == 0


def _find_uv(work: _Work) -> str | None:
    uv = shutil.which("uv", path=work.environ.get("PATH", os.defpath))
    # A shim of pyenv or asdf is there without its program.
    return uv if uv and work.run(uv, "--version") else None


def _find_pip(work: _Work) -> list[str] | None:
    if work.run(work.python, "-I", "-m", "ensurepip", "--default-pip"):
        return [work.python, "-I", "-m", "pip"]
    # Debian keeps ensurepip in python3-venv; a pip outside can do it, from 22.3 on.
    outside = [[base_python(), "-I", "-m", "pip"]]
    if pip := shutil.which("pip3", path=work.environ.get("PATH", os.defpath)):
        outside.append([pip])
    for command in outside:
        into = [*command, "--python", work.python]
        if work.run(*into, "--version"):
            return into
    return None


def _install_with_pip(work: _Work, pip: list[str], settings: Mapping[str, str]) -> bool:
    quiet = ("--no-input", "--disable-pip-version-check", "--progress-bar", "off")
    return work.run(*pip, "install", *quiet, *work.what, add=sources.pip_variables(settings))


def _install_with_uv(work: _Work, uv: str) -> bool:
    return work.run(
        *(uv, "pip", "install", "--python", work.python, "--no-progress", "--compile-bytecode"),
        # The hash says which file is meant, not the order of the indexes.
        *("--index-strategy", "unsafe-best-match"),
        *(() if sources.uv_can_cache(work.environ) else ("--no-cache",)),
        *work.what,
    )


def _failure(work: _Work, origin: str, log: Path) -> str:
    said = f"{_gist(log)}. All that the installer said: {log}"
    if not work.wheels:
        return (
            f"cannot install {work.named} from {origin}. Check that this machine reaches "
            "it, name another index in PIP_INDEX_URL, or a folder of wheels in TELLTALE_WHEELS. "
            f"The cause: {said}"
        )
    download = ("python3", "-m", "pip", "download", *_LOCKED_WHEELS, *work.lists)
    return (
        f"TELLTALE_WHEELS: {work.wheels} lacks something that {work.named} names. Fill it "
        "on a machine that is connected and has the same Python: "
        f"`{shlex.join(map(str, download))} -d FOLDER`. The cause: {said}"
    )


def _gist(log: Path) -> str:
    """Return the cause in what the last program said, in one line and without credentials."""
    text = log.read_text(encoding="utf-8", errors="replace").rpartition("\n$ ")[2]
    lines = [line.strip() for line in text.splitlines()[1:] if line.strip()]
    errors = [line for line in lines if line.lower().startswith("error:")]
    causes = [line for line in lines if line.lower().startswith(("cause:", "caused by:"))]
    broken = [match[0].strip() for match in map(_PIP_CAUSE.search, lines) if match]
    told = [*broken[-1:], *errors[:1], *causes[-1:]] or lines[-1:] or ["it said nothing"]
    return sources.without_credentials("; ".join(told)).rstrip(".")
