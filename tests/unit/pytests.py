"""Run real pytests, new and old, with and without the probe."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from telltale.capture import events, probing
from tests.support import ROOT

LOCKS = ROOT / "tests/pytests"
CURRENT = "current"
"""The pytest that runs these tests."""
VERSIONS = (CURRENT, "8.4", "7.4", "6.2")


def site(name: str) -> Path | None:
    """Return a folder with the packages of a lock file, installed from PyPI once."""
    if name == CURRENT:
        return None
    if name == "6.2" and sys.version_info >= (3, 12):
        pytest.skip("pytest 6.2 does not run on Python 3.12 and newer")
    lock = LOCKS / f"{name}.txt"
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()[:12]
    python = f"{sys.version_info[0]}.{sys.version_info[1]}"
    cache = ROOT / ".cache/pytests"
    folder = cache / f"{name}-{python}-{digest}"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / f".{name}.lock").open("w") as one_at_a_time:
        fcntl.flock(one_at_a_time, fcntl.LOCK_EX)
        if not (folder / "bin").is_dir():
            command = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(folder)]
            command += ["--no-deps", "--require-hashes", "-r", str(lock)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                pytest.fail(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    return folder


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """One run of a command and the lines that it left."""

    status: int
    out: str
    folder: Path

    @property
    def events(self) -> events.Events:
        return events.read(self.folder)

    @property
    def outcomes(self) -> dict[str, str]:
        return {each.nodeid: each.outcome.value for each in self.events.results}

    def lines(self, *phases: str) -> list[dict[str, Any]]:
        path = self.folder / "artifacts/tests.jsonl"
        text = path.read_text("ascii") if path.exists() else ""
        found = [json.loads(line) for line in text.splitlines()]
        return [line for line in found if line["phase"] in phases]


def environ(
    folder: Path,
    *,
    version: str = CURRENT,
    extra: Mapping[str, str] | None = None,
    probe: bool = True,
    argv: tuple[str, ...] = ("python",),
) -> dict[str, str]:
    """Return the environment of a run whose bundle is `folder`."""
    packages = site(version)
    env = {"PATH": os.environ["PATH"], "HOME": "/nowhere", **(extra or {})}
    if packages is not None:
        env["PYTHONPATH"] = str(packages)
    (folder / "artifacts").mkdir(parents=True, exist_ok=True)
    return probing.environ(env, argv, folder) if probe else env


class Project:
    """A folder of tests."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._runs = 0
        (folder / "pytest.ini").write_text("[pytest]\n", "ascii")

    def write(self, **files: str) -> Project:
        """Write Python files by name, as in `test_a="..."`."""
        for name, text in files.items():
            (self.folder / f"{name}.py").write_text(text, "utf-8")
        return self

    def bundle(self) -> Path:
        self._runs += 1
        return self.folder.with_name(f"{self.folder.name}-bundle-{self._runs}")

    def pytest(
        self,
        *args: str,
        version: str = CURRENT,
        extra: Mapping[str, str] | None = None,
        probe: bool = True,
        python: tuple[str, ...] = (sys.executable,),
    ) -> Ran:
        """Run pytest to its end."""
        if version == "plugins" and "randomly" not in args:
            args = ("-p", "no:randomly", *args)
        argv = (*python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *args)
        return self.run(*argv, version=version, extra=extra, probe=probe)

    def run(
        self,
        *argv: str,
        version: str = CURRENT,
        extra: Mapping[str, str] | None = None,
        probe: bool = True,
    ) -> Ran:
        """Run any command to its end."""
        folder = self.bundle()
        env = environ(folder, version=version, extra=extra, probe=probe, argv=argv)
        done = subprocess.run(
            argv,
            cwd=self.folder,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=300,
            check=False,
        )
        return Ran(
            status=done.returncode, out=done.stdout.decode("utf-8", "replace"), folder=folder
        )
