"""The suites that are measured, and the packages they need."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]

_EMPTY = """\
import pytest


@pytest.mark.parametrize("n", range({count}))
def test_nothing(n):
    pass
"""
_SLOW = """\
import pytest


@pytest.mark.parametrize("n", range({count}))
def test_work(n):
    assert sum(i * i for i in range({work})) > 0
"""
_SHORT = ("utils", "algorithms.operators", "algorithms.components", "algorithms.traversal")
_LONG = ("algorithms.community",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """Tests and how pytest is told to run them."""

    name: str
    what: str
    tests: int
    arguments: tuple[str, ...]


def empty(folder: Path, count: int) -> Suite:
    """Write a file of parametrised tests that do nothing."""
    path = folder / f"test_empty_{count}.py"
    path.write_text(_EMPTY.format(count=count), encoding="ascii")
    return Suite(
        name=f"{count:,} empty tests",
        what="generated, one parametrised function",
        tests=count,
        arguments=(path.name,),
    )


def slow(folder: Path, count: int) -> Suite:
    """Write a file of tests that each work for about a tenth of a second."""
    path = folder / "test_slow.py"
    path.write_text(_SLOW.format(count=count, work=1_500_000), encoding="ascii")
    return Suite(
        name=f"{count} slow tests",
        what="generated, a loop of 1.5 million multiplications each",
        tests=count,
        arguments=(path.name,),
    )


def networkx(python: Path, env: dict[str, str], folder: Path) -> Iterator[Suite]:
    """Yield two parts of networkx's own tests, which its wheel carries: of short and of long ones."""
    for name, modules in (("short", _SHORT), ("long", _LONG)):
        yield _networkx(f"networkx 3.4.2, {name}", modules, python, env, folder)


def _networkx(
    name: str, modules: tuple[str, ...], python: Path, env: dict[str, str], folder: Path
) -> Suite:
    arguments = ("--pyargs", *(f"networkx.{module}" for module in modules))
    listed = subprocess.run(
        [python, "-m", "pytest", "-q", "--collect-only", "-p", "no:cacheprovider", *arguments],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    return Suite(
        name=name,
        what=f"its own tests of {', '.join(modules)}",
        tests=sum("::" in line for line in listed.stdout.splitlines()),
        arguments=arguments,
    )


def environment(name: str) -> Path:
    """Return the folder of a virtual environment with the packages of `NAME.txt`, made once."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "telltale/bench" / name
    folder.parent.mkdir(parents=True, exist_ok=True)
    run, lock = str(ROOT / "bot/run.py"), str(HERE / f"{name}.txt")
    subprocess.run([sys.executable, "-IS", run, "--make-env", lock, str(folder)], check=True)
    return folder


def site_packages(environment: Path) -> Path:
    """Return the folder that holds an environment's packages."""
    (found,) = environment.glob("lib/python*/site-packages")
    return found
