"""Programs beside the command: started, left out of its figures, and never left behind."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from telltale.capture import tree
from telltale.capture.beside import Beside, Program
from telltale.capture.command import Ended, Start, run_command
from telltale.capture.ending import Grace
from telltale.capture.signals import Signals
from telltale.model import Outcome
from tests.support import ROOT, alive, wait_until_gone

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="the process tree is read from /proc"
)

PATIENT = Grace(
    interrupt_s=60, terminate_s=60, cancelled_s=60, linger_s=60, beside_s=60, cancelled_beside_s=60
)
AT_WORK = """
trap 'echo interrupted >>{log}; exit 0' INT
echo $$ >>{log}
echo >{ready}
while :; do read -t 0.05 nothing <>{never}; done
"""
"""A program of bash that says its pid and works until it is interrupted."""


SUPERVISOR = """
import os, sys
from pathlib import Path
from telltale.capture.beside import Beside
from telltale.capture.command import Start, run_command
from telltale.capture.signals import Signals
from tests.unit.test_beside import AT_WORK, Watcher

folder = Path(sys.argv[1])
start = Start(
    argv=("sleep", "600"),
    cwd=folder,
    env=dict(os.environ),
    bundle=folder,
    beside=Beside([Watcher(folder, AT_WORK)]),
)
with Signals() as signals:
    run_command(start, signals, look=lambda _: None)
"""


class Watcher(Program):
    """A program that is a script of bash."""

    name = "watcher"

    def __init__(self, folder: Path, script: str, *, again: bool = False) -> None:
        self.log = folder / "log"
        self.statuses: list[int] = []
        self.roots: list[int] = []
        self._script = script.format(
            log=shlex.quote(str(self.log)), ready=folder / "ready", never=folder / "never"
        )
        self._again = again

    def argv(self, root: int, living: Sequence[tree.Process]) -> Sequence[str]:
        self.roots.append(root)
        return ("bash", "-c", self._script) if living else ()

    def ended(self, status: int) -> bool:
        self.statuses.append(status)
        return self._again and len(self.statuses) < 3

    @property
    def pids(self) -> list[int]:
        return [int(line) for line in self.log.read_text().splitlines() if line.isdecimal()]


Run = Callable[..., Ended]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("ready", "never"):
        os.mkfifo(tmp_path / name)
    return tmp_path


@pytest.fixture
def run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Run a script of sh with programs beside it; no process of any of them may survive."""
    monkeypatch.setattr(signal, "SIG_IGN", object())  # whatever started pytest
    for name in ("logs", "artifacts"):
        (folder / name).mkdir()
    programs: list[Program] = []

    def start(script: str, *beside: Program, grace: Grace = PATIENT) -> Ended:
        programs.extend(beside)
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            with Signals() as signals:
                return run_command(
                    Start(
                        argv=("sh", "-c", script),
                        cwd=folder,
                        env={"PATH": os.environ["PATH"]},
                        bundle=folder,
                        grace=grace,
                        streams=(nowhere, nowhere),
                        beside=Beside(beside, dict(os.environ)),
                    ),
                    signals,
                    look=lambda _: None,
                )
        finally:
            os.close(nowhere)

    yield start
    for program in programs:
        assert isinstance(program, Watcher)
        assert not [pid for pid in program.pids if alive(pid)]


def test_a_program_runs_until_the_command_ends_and_is_none_of_it(run: Run, folder: Path) -> None:
    watcher = Watcher(folder, AT_WORK)

    ended = run("read line <ready; exit 3", watcher)

    assert (ended.outcome, ended.exit_code) == (Outcome.FAILED, 3)
    assert ended.findings == ()
    assert watcher.log.read_text().splitlines()[-1] == "interrupted"
    assert len(watcher.pids) == 1
    assert watcher.roots[-1] not in {-1, *watcher.pids}


def test_its_cpu_time_is_not_the_commands(run: Run, folder: Path) -> None:
    burn = "echo $$ >>{log}; for i in {{1..150000}}; do :; done; times >>{log}; echo >{ready}"
    watcher = Watcher(folder, burn)

    ended = run("read line <ready", watcher)

    used = watcher.log.read_text().split()
    own_s = sum(float(word.split("m")[1].rstrip("s")) for word in used[1:3])
    assert ended.resources.user_s is not None
    assert ended.resources.user_s < own_s / 2


def test_it_has_ended_before_the_command_is_interrupted(run: Run, folder: Path) -> None:
    watcher = Watcher(folder, AT_WORK)
    # The command sees, when it gets its signal, what the program wrote.
    script = "trap 'cp log seen; exit 1' INT; read line <ready; kill -INT $PPID; while :; do sleep 0.01; done"

    ended = run(script, watcher)

    assert ended.outcome is Outcome.INTERRUPTED
    assert "interrupted" in (folder / "seen").read_text()


def test_one_that_will_not_end_is_killed_and_named(run: Run, folder: Path) -> None:
    deaf = AT_WORK.replace("trap 'echo interrupted >>{log}; exit 0' INT", "trap '' INT TERM")
    watcher = Watcher(folder, deaf)

    ended = run("read line <ready", watcher, grace=Grace(beside_s=0.05))

    assert (ended.outcome, ended.status) == (Outcome.PASSED, 0)
    assert ended.findings == ("watcher did not end in time and was killed",)


def test_it_is_interrupted_when_telltale_is_killed(folder: Path) -> None:
    for name in ("logs", "artifacts"):
        (folder / name).mkdir()
    supervisor = subprocess.Popen(
        [sys.executable, "-c", SUPERVISOR, str(folder)],
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'bot'}:{ROOT}"},
    )
    with (folder / "ready").open(encoding="ascii") as ready:
        ready.read()
    (watcher,) = [int(line) for line in (folder / "log").read_text().splitlines()]

    supervisor.kill()
    supervisor.wait()

    try:
        wait_until_gone(watcher)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(watcher, signal.SIGKILL)
    assert (folder / "log").read_text().endswith("interrupted\n")


def test_one_that_ends_too_early_is_started_again_when_it_wants_to(run: Run, folder: Path) -> None:
    watcher = Watcher(
        folder, "echo $$ >>{log}; [ $(wc -l <{log}) -lt 3 ] || echo >{ready}; exit 5", again=True
    )

    ended = run("read line <ready", watcher)

    assert ended.status == 0
    assert len(watcher.pids) == 3
    assert watcher.statuses[:2] == [5, 5]


def test_one_that_cannot_be_started_is_a_finding(run: Run, folder: Path) -> None:
    class Absent(Watcher):
        def argv(self, root: int, living: Sequence[tree.Process]) -> Sequence[str]:
            super().argv(root, living)
            return (str(folder / "no such program"),)

    watcher = Absent(folder, "")
    ended = run("exit 4", watcher)

    assert ended.status == 4
    assert len(ended.findings) <= 1, "unless the command was too quick"
    assert all("watcher could not be run" in finding for finding in ended.findings)


def test_one_whose_code_is_broken_is_a_finding(run: Run, folder: Path) -> None:
    class Broken(Watcher):
        def argv(self, *_: object) -> Sequence[str]:
            with (folder / "ready").open("w") as ready:
                ready.write("go\n")
            raise RuntimeError("broken")

    watcher = Broken(folder, "")
    watcher.log.touch()
    ended = run("read line <ready; exit 4", watcher)

    assert ended.status == 4
    assert ended.findings == ("watcher could not be run: broken",)
