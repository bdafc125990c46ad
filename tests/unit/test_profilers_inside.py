"""Profilers inside pytest: what they leave, and that the tests see nothing of them."""

from __future__ import annotations

import json
import os
import pstats
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from telltale import cli
from telltale.capture.interpreter import Interpreter
from telltale.capture.profilers.cprofile import CProfile
from telltale.capture.profilers.interface import Place
from telltale.capture.profilers.memray import Memray
from telltale.model import Evidence, Outcome
from tests.support import assert_valid_bundle

TESTS = """
import os, subprocess, sys

def work():
    return sum(number * number for number in range(1000))

def test_work():
    work()

def test_sees_nothing_of_a_profiler():
    assert os.environ.get("PYTHONPATH") == os.environ.get("EXPECTED_PYTHONPATH")
    assert not [name for name in os.environ if name.startswith("TELLTALE_")]
    assert not [path for path in sys.path if "telltale" in path]

def test_fails():
    work()
    assert False
"""
MEMRAY = """
class Tracker:
    def __init__(self, path, native_traces, follow_fork):
        assert (native_traces, follow_fork) == (False, False)
        self.path = path
    def __enter__(self):
        open(self.path, "w").write("entered")
    def __exit__(self, *error):
        open(self.path, "a").write(" left")
"""
"""Takes memray's place where it is not installed: the calls that are made of it."""
TORCH = """
class ProfilerActivity:
    CPU = "CPU"
    CUDA = "CUDA"

class profile:
    def __init__(self, activities):
        self.activities = activities
    def __enter__(self):
        assert not on
        on.append(self)
    def __exit__(self, *error):
        on.remove(self)
    def export_chrome_trace(self, path):
        open(path, "w").write('{"traceEvents": []}')

on = []
"""

Profile = Callable[..., tuple[int, Evidence, Path]]


@pytest.fixture
def profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Profile:
    """Run the verb on `test_it.py` in a folder of its own; return status, manifest and bundle."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(signal, "SIG_IGN", object())  # whatever started pytest
    for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "PYTHONPATH", "PYTEST_ADDOPTS"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "test_it.py").write_text(TESTS, encoding="ascii")

    def call(names: str, *argv: str, env: str = "") -> tuple[int, Evidence, Path]:
        command = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *argv)
        given = ("--env", env) if env else ()
        status = cli.main(
            ["profile-tests", "--out", "out", "--profile", names, *given, "--", *command]
        )
        (folder,) = (tmp_path / "out/tests").iterdir()
        return status, assert_valid_bundle(folder), folder

    return call


def functions(path: Path) -> set[str]:
    return {name for _, _, name in pstats.Stats(str(path)).stats}  # type: ignore[attr-defined]


def test_cprofile_leaves_figures_and_a_text_although_a_test_fails(profile: Profile) -> None:
    status, evidence, folder = profile("cprofile", "--junitxml=junit.xml")

    (found,) = evidence.profiles
    assert (status, evidence.outcome, found.missing) == (1, Outcome.FAILED, "")
    assert evidence.tests is not None
    assert (evidence.tests.passed, evidence.tests.failed) == (2, 1)
    figures, text = found.files
    assert "work" in functions(folder / figures)
    assert text == "artifacts/profile/cprofile.txt"
    assert "1 of 1 processes" in (folder / text).read_text(encoding="utf-8")
    assert "cumulative" in (folder / text).read_text(encoding="utf-8")
    assert any("ran under cprofile" in finding for finding in evidence.findings)


def test_each_worker_of_xdist_leaves_its_own_and_the_controller_none(profile: Profile) -> None:
    status, evidence, folder = profile("cprofile", "-n2")

    (found,) = evidence.profiles
    figures = [name for name in found.files if name.endswith(".pstats")]
    assert status == 1
    assert sorted(name.split("-")[1] for name in figures) == ["gw0", "gw1"]
    assert any("work" in functions(folder / name) for name in figures)


@pytest.mark.usefixtures("profile")
def test_a_program_may_run_pytest_several_times(tmp_path: Path) -> None:
    (tmp_path / "runner.py").write_text(
        "import subprocess, sys, pytest\n"
        "args = ['-q', '-p', 'no:cacheprovider', 'test_it.py']\n"
        "assert pytest.main(args) == pytest.main(args) == 1\n"
        "sys.exit(subprocess.call([sys.executable, '-m', 'pytest', *args]))\n",
        encoding="ascii",
    )

    status = cli.main(
        [
            "profile-tests",
            "--out",
            "out",
            "--profile",
            "cprofile",
            "--",
            sys.executable,
            "runner.py",
        ]
    )

    (folder,) = (tmp_path / "out/tests").iterdir()
    (found,) = assert_valid_bundle(folder).profiles
    figures = [name for name in found.files if name.endswith(".pstats")]
    assert status == 1
    assert len(figures) == 3
    assert all("work" in functions(folder / name) for name in figures)


def test_a_path_that_was_given_stays(profile: Profile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    monkeypatch.setenv("EXPECTED_PYTHONPATH", "/somewhere")

    _, evidence, _ = profile("cprofile", "-k", "sees_nothing")

    assert evidence.outcome is Outcome.PASSED


def test_a_killed_process_leaves_what_was_written_by_then(profile: Profile, tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(
        "import sys\nsys.modules['telltale_profile'].FLUSH_SHARE = 1e9\n"
        "sys.modules['telltale_profile']._run._going[0]._due = 0\n",
        encoding="ascii",
    )
    (tmp_path / "test_it.py").write_text(
        "import os\ndef work(): pass\ndef test_a(): work()\ndef test_b(): os.kill(os.getpid(), 9)\n",
        encoding="ascii",
    )

    status, evidence, folder = profile("cprofile")

    (found,) = evidence.profiles
    assert (status, evidence.outcome) == (137, Outcome.CRASHED)
    assert "work" in functions(folder / found.files[0])


def test_nothing_at_all_is_told(profile: Profile) -> None:
    status, evidence, _ = profile("cprofile", "-p", "no:telltale_profile")

    (found,) = evidence.profiles
    assert status == 1
    assert found.files == ()
    assert "did not load Telltale's plugin" in found.missing


def test_a_profiler_that_breaks_is_told_and_the_tests_run(
    profile: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_packages(tmp_path, monkeypatch, memray="raise RuntimeError('no\\nroom')")

    status, evidence, _ = profile("memray,cprofile")

    cprofile, memray = evidence.profiles
    assert status == 1
    assert memray.missing == "RuntimeError: no room"
    assert cprofile.missing == ""


def test_memray_is_begun_before_the_tests_and_ended_after_them(
    profile: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_packages(tmp_path, monkeypatch, memray=MEMRAY)

    status, evidence, folder = profile("memray")

    (found,) = evidence.profiles
    assert status == 1
    (name,) = found.files
    assert (folder / name).read_text(encoding="ascii") == "entered left"
    assert found.missing.endswith(f"python -m memray flamegraph {Path(name).name}")


def test_torch_traces_the_slowest_tests_and_imports_nothing(
    profile: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_packages(tmp_path, monkeypatch, torch="from torch import profiler")
    (tmp_path / "site/torch/profiler.py").write_text(TORCH, encoding="ascii")
    (tmp_path / "test_it.py").write_text(
        "import sys, time, types\nimport pytest\n"
        "now = [0.0]\n"
        "sys.modules['telltale_profile'].time = types.SimpleNamespace(perf_counter=lambda: now[0])\n"
        "def test_without(): assert 'torch' not in sys.modules\n"
        "def test_loads(): import torch\n"
        "@pytest.mark.parametrize('n', range(8))\n"
        "def test_uses(n): now[0] += n in {0, 2, 3, 5, 7}; assert n != 3\n",
        encoding="ascii",
    )

    status, evidence, folder = profile("torch")

    (found,) = evidence.profiles
    assert status == 1
    assert found.missing == ""
    kept = [Path(name).stem.rpartition("-")[2] for name in found.files]
    assert sorted(kept) == ["0", "2", "3", "5", "7"]
    assert json.loads((folder / found.files[0]).read_text()) == {"traceEvents": []}


def test_torch_traces_the_tests_that_a_variable_names(
    profile: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_packages(tmp_path, monkeypatch, torch="from torch import profiler")
    (tmp_path / "site/torch/profiler.py").write_text(TORCH, encoding="ascii")
    (tmp_path / "test_it.py").write_text(
        "import torch\ndef test_a(): pass\ndef test_b(): pass\n", encoding="ascii"
    )

    _, evidence, _ = profile("torch", env="TELLTALE_TORCH_PROFILE=test_b")

    (found,) = evidence.profiles
    assert [name.rpartition("-")[2] for name in found.files] == ["test_b.json"]


def fake_packages(folder: Path, monkeypatch: pytest.MonkeyPatch, **sources: str) -> None:
    """Install packages that stand in for large ones, for the command alone."""
    for name, source in sources.items():
        (folder / "site" / name).mkdir(parents=True)
        (folder / "site" / name / "__init__.py").write_text(source, encoding="ascii")
        info = folder / "site" / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Name: {name}\nVersion: 1.0\n", encoding="ascii")
    monkeypatch.setenv("PYTHONPATH", str(folder / "site"))
    monkeypatch.setenv("EXPECTED_PYTHONPATH", str(folder / "site"))


# What is missing before the start


def place(tmp_path: Path, packages: dict[str, str] | None, python: bool = True) -> Place:
    return Place(
        bundle=tmp_path,
        environ=dict(os.environ),
        python=Interpreter(
            path="/opt/python",
            version="3.11.7",
            implementation="cpython",
            packages=packages,
            torch=False,
            stamps={},
        )
        if python
        else None,
        redact=str,
    )


def test_what_is_not_installed_is_told_with_the_command_that_installs_it(tmp_path: Path) -> None:
    here = place(tmp_path, {"pytest": "9.0"})

    assert CProfile().missing(here) == ""
    assert Memray().missing(here) == (
        "memray is not installed in the command's Python, /opt/python: pip install memray, in the"
        " job's own setup"
    )
    assert "pytest is not installed" in CProfile().missing(place(tmp_path, {}))
    assert "names no Python" in CProfile().missing(place(tmp_path, None, python=False))
    assert Memray().missing(place(tmp_path, None)) == "", "it could not be asked"
