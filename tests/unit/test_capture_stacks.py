"""Where processes stand: real ones, looked at without harm."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from telltale import bundle
from telltale.capture import frames, stacks, tree
from telltale.capture.stacks import Look
from tests.support import alive

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="the process tree is read from /proc"
)

ARMED = """
import faulthandler, signal, sys
def waits_here():
    print("ready", flush=True)
    while True: sys.stdin.read(1) or signal.pause()
faulthandler.register(signal.SIGUSR1, open(sys.argv[1], "a"), all_threads=True)
waits_here()
"""
BARE = "import signal; print('ready', flush=True); signal.pause()"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A bundle, as far as this needs one."""
    (tmp_path / "artifacts").mkdir()
    return tmp_path


@pytest.fixture
def path(folder: Path) -> Path:
    return folder / stacks.FILE


@pytest.fixture
def python(path: Path) -> Iterator[tree.Process]:
    """A Python that appends its stacks to the file on SIGUSR1, and waits."""
    yield from started(ARMED, path)


@pytest.fixture
def bare() -> Iterator[tree.Process]:
    """A Python that SIGUSR1 would kill."""
    yield from started(BARE)


def started(script: str, *arguments: Path) -> Iterator[tree.Process]:
    argv = [sys.executable, "-ISc", script, *map(str, arguments)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        (found,) = (each for each in tree.below(os.getpid()) if each.pid == process.pid)
        yield found
        assert process.poll() is None, "it was disturbed"
        process.kill()


def look(*processes: tree.Process, quick: bool = False, enough: bool = False) -> Look:
    return Look(
        why="the time limit of 9 s was reached",
        elapsed_s=9.04,
        processes=processes,
        quick=quick,
        enough=lambda: enough,
    )


def recorded(path: Path, to_see: Look, *, armed: tuple[int, ...] = (), spy: str = "") -> str:
    folder = path.parent.parent
    with (folder / bundle.TESTS).open("a", encoding="ascii") as file:
        for pid in armed:
            line = {"phase": "session", "stacks": True, "worker": "main", "pid": pid, "at": 1.0}
            file.write(json.dumps(line) + "\n")
    stacks.record(folder, to_see, spy or None, lambda text: text.replace("hush", "[redacted]"))
    return path.read_text("utf-8")


def spy(folder: Path, script: str) -> str:
    program = folder / "py-spy"
    program.write_text(f"#!/bin/sh\n{script}\n", "ascii")
    program.chmod(0o755)
    return str(program)


def test_when_why_and_what_ran_come_first(folder: Path, path: Path, bare: tree.Process) -> None:
    start = {"phase": "start", "nodeid": "test_a.py::test_b", "n": 0, "attempt": 1}
    line = json.dumps({**start, "worker": "gw0", "pid": 7, "at": time.time() - 100})
    (folder / bundle.TESTS).write_text(f"{line}\n", "ascii")

    text = recorded(path, look(bare))

    first, second, third, *_ = text.splitlines()
    assert first.endswith("Z, 9.0 s after the start: the time limit of 9 s was reached.")
    assert re.fullmatch(
        r"# Running: test_a.py::test_b on gw0 for 1\d\d\.\d s, now in its setup", second
    )
    assert third == "# 1 process:"


def test_a_process_is_described(path: Path, bare: tree.Process) -> None:
    text = recorded(path, look(bare))

    assert f"\npid {bare.pid}  parent {os.getpid()}  python" in text
    assert re.search(r"  state [RS]  ", text)
    assert "  files 3\n" in text
    assert f"  command: {sys.executable} -ISc {BARE}\n" in text
    assert f"\n  thread {bare.pid}  " in text


@pytest.mark.parametrize("quick", [False, True])
def test_who_takes_the_signal_tells_its_frames(
    quick: bool, path: Path, python: tree.Process, bare: tree.Process
) -> None:
    path.write_text("from before\n", "ascii")

    text = recorded(path, look(python, bare, quick=quick), armed=(python.pid,))

    before, _, told = text.partition(f"# Python frames of pid {python.pid} by its own faulthandler")
    assert before.startswith("from before\n# ")
    assert "in waits_here" in told
    assert told.count("by its own faulthandler") == 0


def test_who_would_die_of_the_signal_does_not_get_it(path: Path, bare: tree.Process) -> None:
    # It says that it is armed; or its pid was another's before.
    text = recorded(path, look(bare), armed=(bare.pid,))

    assert "faulthandler" not in text
    assert alive(bare.pid)


def test_only_what_is_ours_gets_the_signal(path: Path, python: tree.Process) -> None:
    text = recorded(path, look(), armed=(python.pid,))

    assert "faulthandler" not in text


def test_py_spy_comes_before_the_signal_and_is_redacted(
    path: Path, python: tree.Process, tmp_path: Path
) -> None:
    program = spy(tmp_path, 'echo "hush frames of $3"')

    text = recorded(path, look(python), spy=program, armed=(python.pid,))

    assert f"  [redacted] frames of {python.pid}\n" in text
    assert text.index("[redacted] frames") < text.index("in waits_here")


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo no permission >&2; exit 1", "  no permission\n"),
        ("exec sleep 1000", "  it took longer than 0.2 s\n"),
    ],
)
def test_a_py_spy_that_fails_says_why(
    script: str,
    said: str,
    path: Path,
    bare: tree.Process,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stacks, "_DUMP_S", 0.2)

    text = recorded(path, look(bare), spy=spy(tmp_path, script))

    assert said in text


def test_a_cancelled_job_has_no_time_for_py_spy(
    path: Path, bare: tree.Process, tmp_path: Path
) -> None:
    program = spy(tmp_path, "touch spied; exec sleep 1000")

    text = recorded(path, look(bare, quick=True), spy=program)

    assert f"pid {bare.pid} " in text
    assert "py-spy" not in text


def test_enough_is_enough(path: Path, python: tree.Process, tmp_path: Path) -> None:
    program = spy(tmp_path, "exec sleep 1000")

    text = recorded(path, look(python, enough=True), spy=program, armed=(python.pid,))

    assert text.startswith("# ")
    assert "frames" not in text


@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_what_the_tests_put_there_is_not_followed(
    kind: str, path: Path, bare: tree.Process, tmp_path: Path
) -> None:
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(tmp_path / "elsewhere")

    with pytest.raises(OSError, match=r"No such device|symbolic links"):
        stacks.record(path.parent.parent, look(bare), None, str)
    assert not (tmp_path / "elsewhere").exists()


def test_py_spy_is_found_in_the_path_and_beside_the_python(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    program = spy(tmp_path / "bin", "true")

    assert frames.find_spy(str(tmp_path / "bin"), None) == program
    assert frames.find_spy("/nowhere", str(tmp_path / "bin/python")) == program
    assert frames.find_spy("/nowhere", "/nowhere/python") is None
