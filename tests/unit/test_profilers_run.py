"""`--profile` from the outside, with real profilers where they are there and may run."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from telltale import cli
from telltale.capture.profilers import ptrace, timeline
from telltale.model import Evidence, Outcome
from tests.support import PYTHON, assert_valid_bundle

PY_SPY = Path(sys.executable).parent / "py-spy"
BUSY = """
import glob, sys, time

def busy(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end:
        sum(number * number for number in range(1000))

def watched():
    texts = [open(path).read() for path in glob.glob("out/**/py-spy.log", recursive=True)]
    return any("Sampling" in text or "rror" in text for text in texts)

limit = time.monotonic() + LIMIT
while not watched() and time.monotonic() < limit:
    busy(0.01)
busy(1.0)
sys.exit(3)
"""
"""Busy until py-spy looks, and for a second of CPU time after that."""
BUSY = BUSY.replace("LIMIT", "0" if ptrace.refused() else "60")

PART = "artifacts/profile/py-spy-1.speedscope.json"

Profile = Callable[..., tuple[int, Evidence, Path]]


@pytest.fixture
def profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Profile:
    """Run the verb in a folder of its own; return status, manifest and bundle."""
    monkeypatch.chdir(tmp_path)
    # py-spy is looked for there and beside the command's Python, which a shell's text hides.
    monkeypatch.setenv("PATH", f"{PY_SPY.parent}:{os.environ['PATH']}")
    for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"):
        monkeypatch.delenv(name, raising=False)

    def call(*argv: str) -> tuple[int, Evidence, Path]:
        status = cli.main(["profile-tests", "--out", "out", *argv])
        (folder,) = (tmp_path / "out/tests").iterdir()
        return status, assert_valid_bundle(folder), folder

    return call


def summary(folder: Path) -> str:
    return (folder / "analysis/summary.md").read_text(encoding="ascii")


def test_resources_are_the_default(profile: Profile) -> None:
    _, evidence, folder = profile("--", "sh", "-c", "sleep 0.3")

    (resources,) = evidence.profiles
    assert resources.name == "resources"
    assert resources.files == ("artifacts/samples.csv", "artifacts/time.txt")
    assert not resources.disturbs
    assert "\n## Profiles\n" in summary(folder)
    samples = timeline.read(folder / resources.files[0])
    assert ("cores\nmemory |" in summary(folder)) == (len(samples) > 1), "the chart"
    assert bool(resources.missing) == (len(samples) <= 1)
    assert not (folder / "artifacts/profile").exists()


def test_none_is_none(profile: Profile) -> None:
    status, evidence, folder = profile("--profile", "none", "--", "true")

    assert (status, evidence.profiles) == (0, ())
    assert "## Profiles" not in summary(folder)


def test_an_unknown_one_is_told_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)

    assert cli.main(["profile-tests", "--profile", "gprof", "--", "touch", "ran"]) == 2
    assert "there is no profiler 'gprof'" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_there_is_told_in_one_line(
    profile: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = tmp_path / "bin"
    bare.mkdir()
    (bare / "sh").symlink_to(shutil.which("sh") or "sh")
    monkeypatch.setenv("PATH", str(bare))

    status, evidence, folder = profile("--profile", "py-spy", "--", "sh", "-c", "exit 7")

    (spy,) = evidence.profiles
    assert (status, evidence.outcome) == (7, Outcome.FAILED)
    assert (spy.files, spy.disturbs) == ((), False)
    assert "pip install py-spy" in spy.missing
    assert "\n" not in spy.missing
    assert "pip install py-spy" in summary(folder)
    assert not [text for text in evidence.findings if "py-spy" in text]


def test_py_spy_without_a_python_to_see(profile: Profile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{PY_SPY.parent}:/usr/bin:/bin")

    status, evidence, _ = profile("--profile", "py-spy", "--", "sh", "-c", "exit 7")

    (spy,) = evidence.profiles
    assert status == 7
    assert spy.missing == (ptrace.refused() or "no Python process was seen")


@pytest.mark.parametrize("wrapped", [False, True], ids=["direct", "below-a-shell"])
def test_py_spy_gives_a_speedscope_file_and_a_flame_graph_of_one_recording(
    wrapped: bool, profile: Profile, tmp_path: Path
) -> None:
    (tmp_path / "busy.py").write_text(BUSY, encoding="ascii")
    command = [sys.executable, "busy.py"]
    if wrapped:
        command = ["sh", "-c", f"sleep 0.01; {PYTHON} busy.py; exit 3"]

    status, evidence, folder = profile("--profile", "py-spy", "--", *command)

    (spy,) = evidence.profiles
    assert (status, evidence.outcome) == (3, Outcome.FAILED)
    if ptrace.refused() or "right to trace" in spy.missing:
        # Containers may refuse it: then that is said, and the command ran all the same.
        assert "\n" not in spy.missing
        assert spy.missing
        return
    assert spy.files == ("artifacts/profile/py-spy.speedscope.json", "artifacts/profile/py-spy.svg")
    assert not (folder / "artifacts/profile/py-spy.log").exists()
    document = json.loads((folder / spy.files[0]).read_text(encoding="utf-8"))
    assert_speedscope(document)
    names = {frame["name"] for frame in document["shared"]["frames"]}
    assert "busy" in names
    svg = ET.fromstring((folder / spy.files[1]).read_text(encoding="utf-8"))  # noqa: S314 - ours
    titles = [title.text or "" for title in svg.iter("{http://www.w3.org/2000/svg}title")]
    assert any(title.startswith("busy (") for title in titles)
    assert [text for text in evidence.findings if "ran under py-spy" in text]
    assert "Innermost function, by py-spy" in summary(folder)


def test_an_interrupted_run_has_its_recording_without_a_command_line(
    profile: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signal, "SIG_IGN", object())  # whatever started pytest
    ending = "os.kill(os.getppid(), 2)\nwhile True:\n    busy(0.1)\n"
    source = BUSY.replace("sys.exit(3)\n", ending).replace("import glob", "import glob, os")
    (tmp_path / "busy.py").write_text(source, encoding="ascii")

    _, evidence, folder = profile("--profile", "py-spy", "--", sys.executable, "busy.py", "hunter2")

    (spy,) = evidence.profiles
    assert evidence.outcome is Outcome.INTERRUPTED
    if ptrace.refused() or not (folder / PART).is_file():
        return
    assert PART in spy.files
    text = (folder / PART).read_text(encoding="utf-8")
    assert "hunter2" not in text
    assert any(frame["name"] == "busy" for frame in json.loads(text)["shared"]["frames"])


def assert_speedscope(document: dict[str, Any]) -> None:
    """Hold a file against what speedscope's schema requires of sampled profiles."""
    assert document["$schema"] == "https://www.speedscope.app/file-format-schema.json"
    frames = document["shared"]["frames"]
    for frame in frames:
        assert set(frame) <= {"name", "file", "line", "col"}
        assert isinstance(frame["name"], str)
        assert None not in frame.values()
    assert document["profiles"]
    for each in document["profiles"]:
        assert set(each) == {
            *("type", "name", "unit", "startValue", "endValue", "samples", "weights"),
        }
        assert each["type"] == "sampled"
        assert each["unit"] in {"none", "seconds", "bytes"}
        assert len(each["samples"]) == len(each["weights"])
        assert all(0 <= index < len(frames) for stack in each["samples"] for index in stack)


def test_a_program_that_only_looks_like_a_python_is_told(profile: Profile, tmp_path: Path) -> None:
    # Its file is mapped under a name that says so; py-spy looks closer.
    shutil.copyfile(shutil.which("sleep") or "sleep", tmp_path / "python-like")
    (tmp_path / "python-like").chmod(0o755)
    # It lives until py-spy has said something, or for half a minute.
    log = "out/tests/*/artifacts/profile/py-spy.log"
    watch = (
        f"./python-like 60 & for i in $(seq 600); do if grep -q rror {log}; then break; fi;"
        " sleep 0.05; done; kill $!; exit 5"
    )

    status, evidence, _ = profile(
        "--profile", "py-spy", "--", "sh", "-c", "exit 5" if ptrace.refused() else watch
    )

    (spy,) = evidence.profiles
    assert status == 5
    assert spy.missing == ptrace.refused() or "no right to trace" in spy.missing
    assert spy.files == ("artifacts/profile/py-spy.log",) or not spy.files
