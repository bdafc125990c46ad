"""
Faults of every kind under the real program and the real pytest.

Each ends with the right outcome, an intact bundle and no process left. The
sampler cannot be killed by itself: it is no process but a part of the
supervisor's loop, and dies with Telltale alone.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from telltale import bundle
from telltale.capture import tree
from telltale.model import Evidence, Outcome, TestCounts
from tests.support import ROOT, alive, assert_valid_bundle, wait_until_gone

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="the process tree is read from /proc"
)

PYTEST = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--junitxml=junit.xml")
TELLTALE = (sys.executable, "-IS", str(ROOT / "bot/run.py"), "profile-tests", "--out", "out")
ENV = {"PATH": "/usr/bin:/bin", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "LC_ALL": "C.UTF-8"}
BEFORE = "def test_before(): pass\n\n"
AFTER = "\n\ndef test_after(): pass\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What a run of Telltale left."""

    status: int
    err: str
    folder: Path

    @property
    def evidence(self) -> Evidence:
        return bundle.read_manifest(self.folder)

    def log(self, name: str = "output") -> bytes:
        return (self.folder / f"logs/{name}.log").read_bytes()


Profile = Callable[..., Done]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "pytest.ini").touch()
    return folder


@pytest.fixture
def profile(project: Path) -> Profile:
    """Run Telltale in the project; its bundle is a good one and nothing of it lives."""

    def run(
        *argv: str,
        whole: bool = True,
        autoload: bool = False,
        telltale: tuple[str, ...] = TELLTALE,
    ) -> Done:
        done = subprocess.run(
            [*telltale, *argv],
            cwd=project,
            env={"PATH": ENV["PATH"]} if autoload else ENV,
            capture_output=True,
            check=False,
            preexec_fn=_heed_interrupts,  # no other thread is there
        )
        assert survivors(project) == []
        (folder,) = bundle.find([project / "out"])
        if whole:
            assert_valid_bundle(folder)
        return Done(status=done.returncode, err=done.stderr.decode(), folder=folder)

    return run


def _heed_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def survivors(folder: Path) -> list[str]:
    """Command lines of living processes that run in the folder."""
    found = []
    for path in Path("/proc").iterdir():
        if path.name.isdecimal():
            try:
                here = (path / "cwd").readlink()
            except OSError:
                continue
            if here == folder:
                found.append(tree.command_line(int(path.name)))
    return found


def write(project: Path, body: str) -> None:
    """Write a test that does the body between one that passes and another."""
    lines = "".join(f"    {line}\n" for line in body.strip().splitlines())
    text = f"import ctypes, os, resource, signal, subprocess, sys, threading, time\n\n{BEFORE}"
    (project / "test_it.py").write_text(f"{text}def test_fault():\n{lines}{AFTER}", "utf-8")


# Tests that end their process


@pytest.mark.parametrize(
    ("body", "outcome", "status"),
    [
        pytest.param("os.kill(os.getpid(), 9)", Outcome.CRASHED, 137, id="killed"),
        pytest.param("ctypes.string_at(0)", Outcome.CRASHED, 139, id="segfault"),
        pytest.param("os.abort()", Outcome.CRASHED, 134, id="abort"),
        pytest.param("os._exit(3)", Outcome.FAILED, 3, id="exit-3"),
        pytest.param("os._exit(0)", Outcome.PASSED, 0, id="exit-0"),
        pytest.param(
            "resource.setrlimit(resource.RLIMIT_CPU, (1, 2))\nwhile True: pass",
            Outcome.CRASHED,
            128 + signal.SIGXCPU,
            id="cpu-limit",
        ),
    ],
)
def test_a_test_that_ends_its_process(
    body: str, outcome: Outcome, status: int, profile: Profile, project: Path
) -> None:
    write(project, f"resource.setrlimit(resource.RLIMIT_CORE, (0, 0))\n{body}")

    done = profile("--", *PYTEST)

    assert (done.status, done.evidence.outcome) == (status, outcome)
    assert done.evidence.signal == (status - 128 if status > 128 else None)
    # pytest wrote no report; the probe had told of every test.
    assert not (project / "junit.xml").exists()
    assert done.evidence.tests == TestCounts(total=2, passed=1, interrupted=1)
    assert [each.nodeid for each in done.evidence.running] == ["test_it.py::test_fault"]
    assert len(done.evidence.disagreements) == (status == 0)


def test_a_worker_of_xdist_is_killed(profile: Profile, project: Path) -> None:
    write(project, "os.kill(os.getpid(), 9)")

    done = profile("--", *PYTEST, "-p", "xdist", "-n2")

    # xdist starts another worker and goes on.
    assert (done.status, done.evidence.outcome) == (1, Outcome.FAILED)
    assert done.evidence.tests is not None
    assert (done.evidence.tests.total, done.evidence.tests.passed) == (3, 2)
    (failure,) = done.evidence.failures
    assert failure.nodeid == "test_it.py::test_fault"


# Tests that change their process: it ends as it would alone


@pytest.mark.parametrize(
    ("body", "options"),
    [
        pytest.param("os.close(1); os.close(2)", (), id="closes-1-and-2"),
        pytest.param("os.closerange(0, 100)", (), id="closes-everything"),
        pytest.param("resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))", (), id="no-files"),
        pytest.param("resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))", (), id="no-bytes"),
        pytest.param(
            "resource.setrlimit(resource.RLIMIT_AS, (1 << 28, 1 << 28)); b'x' * (1 << 29)",
            (),
            id="no-memory",
        ),
        pytest.param("os.setpgid(0, 0) if os.getpgrp() != os.getpid() else 0", (), id="own-group"),
        pytest.param("os.chdir('/'); os.environ.clear()", (), id="elsewhere"),
    ],
)
def test_a_test_that_changes_its_process(
    body: str, options: tuple[str, ...], profile: Profile, project: Path
) -> None:
    write(project, body)
    argv = (*PYTEST, *options)
    alone = subprocess.run(argv, cwd=project, env=ENV, capture_output=True, check=False)
    assert alone.returncode >= 0
    (project / "junit.xml").unlink(missing_ok=True)

    done = profile("--", *argv)

    assert done.status == alone.returncode
    assert done.evidence.outcome is (Outcome.FAILED if alone.returncode else Outcome.PASSED)
    assert done.evidence.exit_code == alone.returncode


# Tests that fork


def test_a_child_that_goes_on_with_pytest(profile: Profile, project: Path) -> None:
    write(project, "pid = os.fork()\npid and os.waitpid(pid, 0)")

    done = profile("--", *PYTEST, "-s")

    assert (done.status, done.evidence.outcome) == (0, Outcome.PASSED)
    # Both came to an end and said so; the run is that of the parent.
    assert len(re.findall(rb"\d passed", done.log())) == 2


def test_a_parent_that_leaves_a_child_to_go_on_with_pytest(profile: Profile, project: Path) -> None:
    write(project, "if os.fork(): os._exit(5)\nsignal.pause()")

    done = profile("--", *PYTEST)

    assert (done.status, done.evidence.outcome) == (5, Outcome.FAILED)
    assert done.evidence.findings[0].startswith("left running after the command ended, killed: pid")


@pytest.mark.parametrize("how", ["os.setsid()", "os.setpgid(0, 0)"])
def test_a_pytest_that_leaves_its_session_or_group_and_hangs(
    how: str, profile: Profile, project: Path
) -> None:
    # Behind a shell it leads neither, so that it can leave.
    write(project, f"{how}\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\ntime.sleep(1000)")

    done = profile("--hang-after", "1", "--command", f"{shlex.join(PYTEST)}; exit 1", autoload=True)

    assert (done.status, done.evidence.outcome) == (124, Outcome.TIMED_OUT)
    # It was asked all the same, and tidied up.
    assert (project / "junit.xml").exists()
    assert [each.nodeid for each in done.evidence.running] == ["test_it.py::test_fault"]


def test_hundreds_of_processes_are_left(profile: Profile, project: Path) -> None:
    write(
        project,
        "for n in range(300):\n"
        "    if not os.fork():\n"
        "        n % 2 and os.setsid()\n"
        "        signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "        signal.pause()",
    )

    done = profile("--", *PYTEST)

    assert (done.status, done.evidence.outcome) == (0, Outcome.PASSED)
    assert "left running and killed: 280 more" in done.evidence.findings


# Ends that do not come


def test_a_thread_that_keeps_the_interpreter_from_ending(profile: Profile, project: Path) -> None:
    write(project, "threading.Thread(target=time.sleep, args=(1000,)).start()")

    done = profile("--hang-after", "1", "--", *PYTEST)

    assert (done.status, done.evidence.outcome) == (124, Outcome.TIMED_OUT)
    # pytest had come to its end.
    assert done.evidence.tests is not None
    assert (done.evidence.tests.total, done.evidence.tests.passed) == (3, 3)
    stacks = (done.folder / "artifacts/stacks.txt").read_text("utf-8")
    assert re.search(r"^  thread \d+  .*  state [RS]", stacks, re.MULTILINE)
    assert "3 passed in " in done.evidence.findings[0]


def test_a_lock_that_is_never_free(profile: Profile, project: Path) -> None:
    write(project, "lock = threading.Lock()\nlock.acquire(); lock.acquire()")

    done = profile("--hang-after", "1", "--", *PYTEST)

    assert (done.status, done.evidence.outcome) == (124, Outcome.TIMED_OUT)
    # SIGINT let pytest write its report, after every thread had told where it stood.
    assert (project / "junit.xml").exists()
    stacks = (done.folder / "artifacts/stacks.txt").read_text("utf-8")
    assert re.search(
        r"^# Running: test_it.py::test_fault on main for .* its call$", stacks, re.MULTILINE
    )
    assert " in test_fault\n" in stacks.partition("by its own faulthandler")[2]


# What it writes


def test_output_that_is_no_text(profile: Profile, project: Path) -> None:
    write(project, r"os.write(1, b'\xff\xfe\0\r\x1b[2J'); assert b'\xff'.decode('latin1') == 'y'")

    done = profile("--", *PYTEST, "-s")

    assert (done.status, done.evidence.outcome) == (1, Outcome.FAILED)
    assert b"\xff\xfe\0\r\x1b[2J" in done.log()
    assert len(done.evidence.failures) == 1


def test_a_clock_that_is_set_back(profile: Profile, project: Path) -> None:
    # Each look at the clock of the wall, in Telltale and in pytest, is an hour earlier.
    back = (
        "import time\nnow = time.time()\n"
        "def back():\n    global now\n    now -= 3600\n    return now\n"
        "time.time = back\ntime.time_ns = lambda: int(back() * 1e9)\n"
    )
    (project / "conftest.py").write_text(back, "ascii")
    start = (
        f"{back}import runpy, sys; del sys.argv[0]; runpy.run_path(sys.argv[0], None, '__main__')"
    )
    write(project, "time.sleep(0.01)")

    done = profile("--", *PYTEST, telltale=(sys.executable, "-ISc", start, *TELLTALE[2:]))

    assert (done.status, done.evidence.outcome) == (0, Outcome.PASSED)
    assert done.evidence.elapsed_s is not None
    assert 0 < done.evidence.elapsed_s < 600
    rows = (done.folder / "artifacts/samples.csv").read_text("ascii").splitlines()[1:]
    times = [float(row.partition(",")[0]) for row in rows]
    assert times == sorted(times)


# Where it is written


def test_a_disk_that_is_full_at_the_end(profile: Profile, project: Path) -> None:
    out = project / "out"
    out.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(out)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("only root may mount a small disk")
    try:
        write(project, "print('x' * 3_000_000); assert 0")

        done = profile("--", *PYTEST, "-s")

        assert (done.status, done.evidence.outcome) == (1, Outcome.FAILED)
        assert any("No space left on device" in each for each in done.evidence.findings)
    finally:
        subprocess.run(["umount", str(out)], check=True)


def test_files_that_may_not_grow(profile: Profile, project: Path) -> None:
    # What a user without root sees of a full disk: no file of more than 256 KiB.
    write(project, "print('x' * 1_000_000); assert 0")
    limited = ("sh", "-c", 'ulimit -f 512; exec "$@"', "sh", *TELLTALE)

    done = profile("--", *PYTEST, "-s", telltale=limited)

    assert (done.status, done.evidence.outcome) == (1, Outcome.FAILED)
    assert "logs/output.log ends early: File too large" in done.evidence.findings


@pytest.mark.parametrize("what", ["artifacts", "logs", "evidence.json"])
def test_a_bundle_that_the_tests_destroy(what: str, profile: Profile, project: Path) -> None:
    write(project, f"subprocess.run('rm -rf out/*/*/{what}', shell=True)\nassert 0")

    done = profile("--", *PYTEST, whole=False)

    assert done.status == 1
    assert "Traceback" not in done.err
    assert done.evidence.outcome is Outcome.FAILED


# Telltale


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_job_is_cancelled_while_a_test_hangs(number: signal.Signals, project: Path) -> None:
    os.mkfifo(project / "pid")
    write(project, "open('pid', 'w').write(str(os.getpid()))\ntime.sleep(1000)")
    with subprocess.Popen(
        [*TELLTALE, "--", *PYTEST],
        cwd=project,
        env=ENV,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=_heed_interrupts,  # noqa: PLW1509  # no other thread is there
    ) as process:
        pid = int((project / "pid").read_text("ascii"))
        process.send_signal(number)
        assert process.wait() == 128 + number

    (folder,) = bundle.find([project / "out"])
    assert assert_valid_bundle(folder).outcome is Outcome.INTERRUPTED
    _, _, told = (
        (folder / "artifacts/stacks.txt").read_text("utf-8").partition("by its own faulthandler")
    )
    assert " in test_fault\n" in told
    assert not alive(pid)


def test_telltale_is_killed_beside_pytest(project: Path) -> None:
    write(
        project,
        "open('pid', 'w').write(str(os.getpid()))\nos.kill(os.getppid(), 9)\ntime.sleep(1000)",
    )
    with subprocess.Popen(
        [*TELLTALE, "--", *PYTEST], cwd=project, env=ENV, stderr=subprocess.DEVNULL
    ) as process:
        assert process.wait() == -signal.SIGKILL
    (folder,) = bundle.find([project / "out"])
    wait_until_gone(int((project / "pid").read_text("ascii")))
    assert bundle.read_manifest(folder).outcome is Outcome.RUNNING

    again = subprocess.run([*TELLTALE, "--", "true"], cwd=project, env=ENV, check=False)

    assert again.returncode == 0
    evidence = assert_valid_bundle(folder)
    assert evidence.outcome is Outcome.ERROR
    assert evidence.tests == TestCounts(total=2, passed=1, interrupted=1)
    assert [each.nodeid for each in evidence.running] == ["test_it.py::test_fault"]
    assert survivors(project) == []
