"""Bundles whose Telltale was killed: the next run completes them, and no other."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from telltale import bundle
from telltale.capture import cgroup, lock
from telltale.capture.redact import Redactor
from telltale.capture.unfinished import complete_all
from telltale.model import BundleKind, Command, Evidence, Outcome, TestCounts
from tests.support import ROOT, alive, assert_valid_bundle, wait_until_gone

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="the process tree is read from /proc"
)

START = ("--out", "out", "--", "sh", "-c")
WORK = """
echo working
until grep -q working out/*/*/logs/output.log; do :; done
until grep -q ^0 out/*/*/artifacts/samples.csv; do :; done
"""
"""Its output and its first sample are in the bundle."""
WAIT = "echo $$ >pid; read forever <never"

Telltale = Callable[[str], subprocess.Popen[bytes]]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name in ("pid", "never"):
        os.mkfifo(tmp_path / name)
    return tmp_path


@pytest.fixture
def telltale(project: Path) -> Iterator[Telltale]:
    """Start the program around a script of sh; those that still run are ended afterwards."""
    started: list[subprocess.Popen[bytes]] = []

    def start(script: str) -> subprocess.Popen[bytes]:
        argv = [sys.executable, "-IS", str(ROOT / "bot/run.py"), "profile-tests", *START, script]
        process = subprocess.Popen(
            argv,
            cwd=project,
            env={"PATH": "/usr/bin:/bin"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        with process:
            process.send_signal(signal.SIGTERM)


@pytest.fixture
def killed(telltale: Telltale, project: Path) -> Callable[[str], Path]:
    """Run a script until it says its pid, then kill Telltale; return the bundle."""

    def run(script: str = "") -> Path:
        before = set(bundle.find([project / "out"])) if (project / "out").exists() else set()
        process = telltale(f"{script}\n{WAIT}")
        pid = int((project / "pid").read_text("ascii"))
        process.kill()
        process.wait()
        wait_until_gone(pid)
        (folder,) = set(bundle.find([project / "out"])) - before
        return folder

    return run


def completed(project: Path) -> list[Path]:
    return complete_all(project / "out", Redactor({}, masks=["1001"]))


def test_a_bundle_without_its_telltale_is_completed(
    killed: Callable[[str], Path], project: Path
) -> None:
    folder = killed(WORK)
    assert bundle.read_manifest(folder).outcome is Outcome.RUNNING

    assert completed(project) == [folder]

    evidence = assert_valid_bundle(folder)
    assert (evidence.outcome, evidence.exit_code, evidence.signal) == (Outcome.ERROR, None, None)
    assert evidence.findings[0].startswith(
        "Telltale itself was killed while the command ran; how the command ended is not known;"
        " a later run completed this at "
    )
    assert evidence.findings[1].startswith("the last sample was taken ")
    assert (folder / "artifacts/exit_code.txt").read_text("ascii") == "unknown\n"
    assert "working" in evidence.failures[0].text
    assert evidence.failures[0].message == "Telltale itself was killed while the command ran"
    assert "Telltale itself was killed" in (folder / "analysis/summary.md").read_text("ascii")
    assert completed(project) == []


def test_the_next_run_does_it_and_says_so(
    killed: Callable[[str], Path], telltale: Telltale, project: Path
) -> None:
    folder = killed("")

    assert telltale("exit 3").wait() == 3

    assert assert_valid_bundle(folder).outcome is Outcome.ERROR
    (later,) = set(bundle.find([project / "out"])) - {folder}
    evidence = assert_valid_bundle(later)
    assert evidence.outcome is Outcome.FAILED
    (said,) = [each for each in evidence.findings if "beside an earlier run" in each]
    assert said.endswith(folder.name)


def test_what_the_tests_had_said_is_counted(killed: Callable[[str], Path], project: Path) -> None:
    about = {"pid": 7, "worker": "gw1", "at": 1.0}
    session = {"phase": "session", **about, "stacks": False}
    secret = "ghp" + "_" + "A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r8"
    said = {"phase": "warning", **about, "text": secret}
    lines = [session, said, *(line for n in range(2) for line in phases(n, about))][:-1]
    (project / "lines").write_text("".join(json.dumps(line) + "\n" for line in lines), "ascii")

    folder = killed('cd out/*/*/artifacts && cat "$OLDPWD/lines" >>tests.jsonl && cd "$OLDPWD"')

    assert completed(project) == [folder]
    evidence = assert_valid_bundle(folder)
    assert evidence.tests == TestCounts(total=2, passed=1, interrupted=1)
    (running,) = evidence.running
    assert (running.nodeid, running.worker, running.phase) == (
        "test_a.py::test_1",
        "gw1",
        "teardown",
    )
    assert running.for_s > 0
    assert secret not in (folder / "artifacts/tests.jsonl").read_text("utf-8")
    assert 'name="test_1"' in (folder / "artifacts/junit.xml").read_text("utf-8")


def phases(n: int, about: dict[str, object]) -> Iterator[dict[str, object]]:
    test = {"nodeid": f"test_a.py::test_{n}", "n": n, "attempt": 1, **about}
    yield {"phase": "start", **test}
    for phase in ("setup", "call", "teardown"):
        yield {"phase": phase, "outcome": "passed", "wall_s": 0.1, "cpu_s": 0.1, **test}


def test_a_run_that_lives_is_not_touched(telltale: Telltale, project: Path) -> None:
    os.mkfifo(project / "go")
    first = telltale("echo $$ >pid; read line <go; exit 4")
    (project / "pid").read_text("ascii")
    (folder,) = bundle.find([project / "out"])
    before = (folder / bundle.MANIFEST).read_bytes()

    assert telltale("exit 0").wait() == 0

    assert completed(project) == []
    assert (folder / bundle.MANIFEST).read_bytes() == before
    (project / "go").write_text("\n", "ascii")
    assert first.wait() == 4
    assert assert_valid_bundle(folder).outcome is Outcome.FAILED


def test_what_is_left_in_its_cgroup_is_killed_and_named(
    killed: Callable[[str], Path], project: Path
) -> None:
    left = "(setsid sh -c 'echo $$ >left; exec sleep 1000 1001' &); until [ -s left ]; do :; done"

    folder = killed(left)

    pid = int((project / "left").read_text("ascii"))
    try:
        if cgroup.left_by(folder) is None:
            # Nobody can say whose it is.
            completed(project)
            assert alive(pid)
        else:
            assert completed(project) == [folder]
            assert not alive(pid)
            assert bundle.read_manifest(folder).findings[-1] == (
                f"left running by it, killed by the later run: pid {pid}, sleep 1000 [redacted]"
            )
            assert cgroup.left_by(folder) is None
    finally:
        if alive(pid):
            os.kill(pid, signal.SIGKILL)


def test_what_it_had_no_time_to_write_is_said(killed: Callable[[str], Path], project: Path) -> None:
    folder = killed("")
    for name in ("env/host.json", "env/packages.txt"):
        (folder / name).unlink()

    completed(project)

    assert_valid_bundle(folder)
    assert "Telltale was killed before" in (folder / "env/packages.txt").read_text("ascii")


def test_a_finished_bundle_only_loses_its_lock(telltale: Telltale, project: Path) -> None:
    # It died after its last word.
    assert telltale("exit 0").wait() == 0
    (folder,) = bundle.find([project / "out"])
    evidence = assert_valid_bundle(folder)
    lock.hold(folder).leave()

    assert completed(project) == []

    assert assert_valid_bundle(folder) == evidence
    assert not (folder / bundle.RUNNING).exists()


def dead(folder: Path) -> Path:
    """Make what a run leaves that was killed at its very start."""
    for part in bundle.FOLDERS:
        (folder / part).mkdir(parents=True)
    bundle.write_manifest(folder, an_evidence())
    lock.hold(folder).leave()
    return folder


def an_evidence() -> Evidence:
    return Evidence(
        kind=BundleKind.TESTS,
        name="unit",
        outcome=Outcome.RUNNING,
        command=Command(argv=("pytest",), cwd="."),
        started_at="2026-11-22T10:15:16Z",
    )


def test_a_run_of_another_machine_is_not_touched(tmp_path: Path) -> None:
    folder = dead(tmp_path / "out/unit/1")
    (folder / bundle.RUNNING).write_text("1 0123456789abcdef fedcba9876543210", "ascii")

    assert completed(tmp_path) == []
    assert bundle.read_manifest(folder).outcome is Outcome.RUNNING


def test_a_run_of_this_machine_before_it_went_down_is(tmp_path: Path) -> None:
    folder = dead(tmp_path / "out/unit/1")
    pid, _, host = (folder / bundle.RUNNING).read_text("ascii").partition("\n")[0].split()
    (folder / bundle.RUNNING).write_text(f"{pid} 0123456789abcdef {host}", "ascii")

    assert completed(tmp_path) == [folder]
    assert_valid_bundle(folder)


def test_a_run_without_a_lock_is_not_touched(tmp_path: Path) -> None:
    folder = dead(tmp_path / "out/unit/1")
    (folder / bundle.RUNNING).unlink()

    assert completed(tmp_path) == []


def test_what_is_no_bundle_stays_and_stops_nothing(tmp_path: Path) -> None:
    good = dead(tmp_path / "out/unit/1")
    broken = dead(tmp_path / "out/unit/2")
    (broken / bundle.MANIFEST).write_text("{", "ascii")
    pipe = dead(tmp_path / "out/unit/3")
    (pipe / bundle.RUNNING).unlink()
    os.mkfifo(pipe / bundle.RUNNING)
    elsewhere = dead(tmp_path / "elsewhere/unit/4")
    (tmp_path / "out/link").symlink_to(elsewhere.parent)

    assert completed(tmp_path) == [good]
    assert (broken / bundle.RUNNING).exists()
    assert bundle.read_manifest(elsewhere).outcome is Outcome.RUNNING


def test_of_many_the_newest_of_a_series_come_first(tmp_path: Path) -> None:
    folders = [dead(tmp_path / f"out/unit/{number:02}") for number in range(22)]

    assert completed(tmp_path) == folders[:1:-1]
    assert completed(tmp_path) == folders[1::-1]


def test_the_lock_is_held_by_one_alone(tmp_path: Path) -> None:
    held = lock.hold(tmp_path)
    assert lock.take_over(tmp_path) is None
    held.leave()

    taken = lock.take_over(tmp_path)

    assert taken is not None
    assert lock.take_over(tmp_path) is None
    taken.release()
    assert list(tmp_path.iterdir()) == []
    assert lock.take_over(tmp_path) is None
