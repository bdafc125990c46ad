"""Real runs of pytest whose exit status, report and own word contradict each other."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from telltale.model import Evidence, Outcome
from tests.support import PYTHON, ROOT, assert_valid_bundle

PYTEST = f"{PYTHON} -m pytest -q -p no:cacheprovider"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    status: int
    err: str
    folder: Path
    evidence: Evidence

    @property
    def first_line(self) -> str:
        text = (self.folder / "analysis/summary.md").read_text(encoding="ascii")
        return text.splitlines()[0]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "pytest.ini").touch()
    return tmp_path


def profile(project: Path, tests: str, command: str, *options: str) -> Run:
    (project / "test_it.py").write_text(tests, encoding="ascii")
    done = subprocess.run(
        [
            *(sys.executable, "-IS", str(ROOT / "bot/run.py"), "profile-tests", *options),
            *("--", "sh", "-c", command),
        ],
        cwd=project,
        env={
            "PATH": os.environ["PATH"],
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "PYTEST_ADDOPTS": "-p telltale_probe",
            "GITHUB_ACTIONS": "true",
        },
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    (folder,) = (project / "telltale-evidence/tests").iterdir()
    return Run(
        status=done.returncode,
        err=done.stderr,
        folder=folder,
        evidence=assert_valid_bundle(folder),
    )


FAILS = "def test_a(): pass\ndef test_b(): assert 1 == 2\n"


def test_a_pipe_that_eats_the_status(project: Path) -> None:
    run = profile(project, FAILS, f"{PYTEST} --junitxml=junit.xml | cat")

    assert (run.status, run.evidence.outcome) == (0, Outcome.PASSED)
    ours, report = run.evidence.disagreements
    assert ours.startswith("the command exited with 0, and pytest with 1 (tests failed)")
    assert report.startswith("the command exited with 0, and its test report has 1 failed test")
    assert f"::error::{ours}" in run.err.splitlines()
    assert run.first_line == "# tests: passed, BUT THE EVIDENCE DISAGREES"


def test_a_test_that_ends_the_process_as_if_all_were_well(project: Path) -> None:
    tests = "import os\ndef test_a(): pass\ndef test_b(): os._exit(0)\ndef test_c(): assert False\n"

    run = profile(project, tests, PYTEST)

    assert run.status == 0
    (said,) = run.evidence.disagreements
    assert said == (
        "the command exited with 0, and pytest never came to its end, in test_it.py::test_b:"
        " did something call os._exit, or kill it?"
    )


def test_a_report_that_calls_a_failure_a_success(project: Path) -> None:
    lie = "import re; p = open('junit.xml').read()"
    lie += "; p = re.sub('(?s)<failure.*</failure>', '', p); open('junit.xml', 'w').write(p)"
    run = profile(project, FAILS, f'{PYTEST} --junitxml=junit.xml; {PYTHON} -c "{lie}"; exit 1')

    (said,) = run.evidence.disagreements
    assert said == (
        "the probe and the JUnit file differ about 1 test: test_it.py::test_b failed here,"
        " passed there; the probe's word is taken"
    )
    assert run.first_line == "# tests: failed, BUT THE EVIDENCE DISAGREES"


def test_an_honest_failure_contradicts_nothing(project: Path) -> None:
    run = profile(project, FAILS, f"{PYTEST} --junitxml=junit.xml")

    assert (run.status, run.evidence.disagreements) == (1, ())
    assert run.first_line == "# tests: failed"


def test_the_summary_says_first_what_was_running(project: Path) -> None:
    tests = "def test_a(): pass\ndef test_b(): __import__('time').sleep(1000)\n"

    run = profile(project, tests, f"exec {PYTEST}", "--timeout", "6")

    assert run.status == 124
    text = (run.folder / "analysis/summary.md").read_text(encoding="ascii")
    head = text.partition("| Figure |")[0]
    assert "## Running when it ended" in head
    assert "`test_it.py::test_b` | main | call |" in head
    assert "artifacts/stacks.txt" in head
