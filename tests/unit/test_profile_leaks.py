"""State leaks of real test runs, from the tests to manifest and summary."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from telltale.model import Evidence
from tests.support import ROOT, assert_valid_bundle

POLLUTED = """
import os
import sys
import pytest

os.environ["IMPORTED_NUM_THREADS"] = "4"

def test_goes_away(tmp_path):
    os.chdir(tmp_path)

def test_threads():
    os.environ["OMP_NUM_THREADS"] = "1"

def test_is_tidy(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    monkeypatch.syspath_prepend(tmp_path)

@pytest.fixture(scope="module")
def deep():
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(before + 7)
    yield
    sys.setrecursionlimit(before)

def test_asks_first(deep):
    pass

def test_asks_last(deep):
    pass

def test_secret():
    os.environ["APP_TOKEN"] = "hunter2hunter2"
"""


def run(project: Path, *options: str, pytest_options: tuple[str, ...] = ()) -> Evidence:
    """Run the project's tests under Telltale and return what the bundle says."""
    out = project / "out"
    command = [
        *(sys.executable, str(ROOT / "bot/run.py"), "profile-tests", "--out", str(out), *options),
        *("--", sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *pytest_options),
    ]
    environ = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    subprocess.run(command, cwd=project, env=environ, stdout=subprocess.PIPE, check=False)
    (folder,) = (out / "tests").iterdir()
    return assert_valid_bundle(folder)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    (tmp_path / "test_polluted.py").write_text(POLLUTED, encoding="utf-8")
    return tmp_path


def told(evidence: Evidence) -> dict[str, str]:
    return {leak.what: leak.nodeid.rpartition("::")[2] for leak in evidence.leaks}


def test_each_leak_has_its_test(project: Path) -> None:
    evidence = run(project)

    assert told(evidence) == {
        "environment variable IMPORTED_NUM_THREADS": "test_polluted.py",
        "working directory": "test_goes_away",
        "environment variable OMP_NUM_THREADS": "test_threads",
        "environment variable APP_TOKEN": "test_secret",
    }
    named = [finding for finding in evidence.findings if "left changed" in finding]
    assert [finding.split(" left changed: ")[0] for finding in named] == [
        "test_polluted.py",
        "test_polluted.py::test_goes_away",
        "test_polluted.py::test_threads",
    ]
    assert "5 tests ran after it" in named[1]
    (folder,) = (project / "out/tests").iterdir()
    summary = (folder / "analysis/summary.md").read_text(encoding="ascii")
    assert "## State left changed (4)" in summary
    lines = (folder / "artifacts/tests.jsonl").read_text(encoding="utf-8")
    assert "hunter2" not in lines + summary


def test_each_worker_tells_of_its_own_tests(project: Path) -> None:
    evidence = run(project, pytest_options=("-n2",))

    assert told(evidence) == {
        "environment variable IMPORTED_NUM_THREADS": "test_polluted.py",
        "working directory": "test_goes_away",
        "environment variable OMP_NUM_THREADS": "test_threads",
        "environment variable APP_TOKEN": "test_secret",
    }


def test_it_can_be_switched_off(project: Path) -> None:
    evidence = run(project, "--no-leaks")

    assert evidence.leaks == ()
    assert not [finding for finding in evidence.findings if "left changed" in finding]
    (folder,) = (project / "out/tests").iterdir()
    lines = (folder / "artifacts/tests.jsonl").read_text(encoding="utf-8")
    assert '"phase": "state"' not in lines
    assert '"phase": "start"' in lines


PUTS_BACK = """
import sys

def pytest_runtest_setup(item):
    sys.setrecursionlimit(4321)

def pytest_sessionfinish(session, before=sys.getrecursionlimit()):
    sys.setrecursionlimit(before)
"""


def test_what_is_put_back_at_the_end_of_the_session_is_no_leak(project: Path) -> None:
    (project / "test_polluted.py").write_text("def test_a(): pass\n", encoding="utf-8")
    (project / "conftest.py").write_text(PUTS_BACK, encoding="utf-8")

    assert run(project).leaks == ()
