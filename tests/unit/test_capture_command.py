"""One command: real processes, real signals, and nothing left behind."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pytest

from telltale.capture import kernel, tree
from telltale.capture.command import Ended, Start, run_command
from telltale.capture.ending import Grace
from telltale.capture.signals import Signals
from telltale.capture.stacks import Look
from telltale.model import Outcome
from tests.support import PYTHON, alive

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="the process tree is read from /proc"
)

MIB = 1024 * 1024
QUICK = Grace(
    interrupt_s=0.05,
    terminate_s=0.05,
    cancelled_s=0.05,
    cancelled_terminate_s=0.05,
    linger_s=0.05,
    reader_s=0.2,
)
PATIENT = Grace(
    interrupt_s=60, terminate_s=60, cancelled_s=60, cancelled_terminate_s=60, linger_s=60
)
ENV = {"PATH": os.environ["PATH"]}
SHELL = ("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c")

HOLD = """#!/bin/sh
echo $$ >{work}/pid
read forever <{work}/never
"""
"""Says its pid, then waits for what never comes; its command line names its folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A command that ended, and what it left."""

    ended: Ended
    bundle: Path
    passed_on: bytes
    """What arrived at our own stdout."""
    passed_on_err: bytes
    looks: list[Look]
    """What was looked at before it was told to end."""

    def log(self, name: str = "output") -> bytes:
        return (self.bundle / "logs" / f"{name}.log").read_bytes()

    @property
    def samples(self) -> list[dict[str, float]]:
        with (self.bundle / "artifacts/samples.csv").open(encoding="ascii") as file:
            return [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]


class Runs(Protocol):
    def __call__(
        self,
        *argv: str,
        timeout_s: float | None = None,
        hang_after_s: float | None = None,
        own_cgroup: bool = True,
        grace: Grace = ...,
        streams: tuple[int, int] | None = None,
    ) -> Run: ...


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """The folder in which commands run; `./hold` says its pid through the pipe `pid` and stays."""
    folder = tmp_path / "work"
    folder.mkdir()
    for name in ("pid", "never"):
        os.mkfifo(folder / name)
    (folder / "hold").write_text(HOLD.format(work=folder), encoding="utf-8")
    (folder / "hold").chmod(0o755)
    return folder


@pytest.fixture(autouse=True)
def signals_are_heeded() -> Iterator[None]:
    """Whoever started pytest may ignore some: a shell does for what it runs in the background."""
    asking = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, signal.default_int_handler) for number in asking}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def run(tmp_path: Path, work: Path) -> Iterator[Runs]:
    """Run a command; a single word is a script of sh. Nothing of it may survive."""
    bundle = tmp_path / "bundle"
    for name in ("logs", "artifacts"):
        (bundle / name).mkdir(parents=True)

    def start(
        *argv: str,
        timeout_s: float | None = None,
        hang_after_s: float | None = None,
        own_cgroup: bool = True,
        grace: Grace = QUICK,
        streams: tuple[int, int] | None = None,
    ) -> Run:
        out, err, looks = bundle / "out", bundle / "err", list[Look]()
        with out.open("wb") as out_file, err.open("wb") as err_file, Signals() as signals:
            ended = run_command(
                Start(
                    argv=argv if len(argv) > 1 else ("sh", "-c", argv[0]),
                    cwd=work,
                    env=ENV,
                    bundle=bundle,
                    timeout_s=timeout_s,
                    hang_after_s=hang_after_s,
                    own_cgroup=own_cgroup,
                    grace=grace,
                    streams=streams or (out_file.fileno(), err_file.fileno()),
                ),
                signals,
                look=looks.append,
            )
        assert survivors(work) == []
        return Run(
            ended=ended,
            bundle=bundle,
            passed_on=out.read_bytes(),
            passed_on_err=err.read_bytes(),
            looks=looks,
        )

    yield start
    assert kernel.adopt_orphans(False) is False, "we are still the reaper of orphans"


def survivors(work: Path) -> list[str]:
    """Command lines of all living processes that name the folder."""
    pids = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal()]
    lines = [tree.command_line(pid) for pid in pids]
    return [line for line in lines if str(work) in line]


def python(*lines: str) -> tuple[str, ...]:
    """A Python that starts quickly."""
    return (sys.executable, "-ISc", "\n".join(lines))


# How it ends


@pytest.mark.parametrize("code", [0, 1, 3, 124, 137, 255])
def test_the_commands_status_is_kept(code: int, run: Runs) -> None:
    ended = run(f"exit {code}").ended

    assert (ended.status, ended.exit_code, ended.signal) == (code, code, None)
    assert ended.outcome is (Outcome.FAILED if code else Outcome.PASSED)
    assert ended.findings == ()


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT, signal.SIGTERM])
def test_a_signal_that_we_did_not_send_is_a_crash(number: signal.Signals, run: Runs) -> None:
    ended = run(f"ulimit -c 0; kill -{number} $$").ended

    assert (ended.outcome, ended.signal) == (Outcome.CRASHED, number)
    assert ended.status == ended.exit_code == 128 + number
    assert ended.findings == (
        f"the command was ended by signal {int(number)} ({number.name}), which Telltale did not send",
    )


def test_a_sudden_kill_names_the_oom_killer_or_clears_it(run: Runs) -> None:
    before = kernel.oom_kills()

    ended = run("kill -9 $$").ended

    assert (ended.outcome, ended.status) == (Outcome.CRASHED, 137)
    (finding,) = ended.findings
    if kernel.oom_kills() == before:
        assert finding.endswith("the kernel counted no out-of-memory kill meanwhile")
        assert not ended.out_of_memory


@pytest.mark.parametrize(
    ("argv", "status", "reason"),
    [
        pytest.param(("no-such-program", "x"), 127, "No such file or directory", id="not-found"),
        pytest.param(("./text", "x"), 126, "Permission denied", id="not-executable"),
        pytest.param(("/", "x"), 126, "Permission denied", id="a-folder"),
        pytest.param(("./nonsense", "x"), 126, "Exec format error", id="no-program"),
    ],
)
def test_what_cannot_be_started_ends_as_in_a_shell(
    argv: tuple[str, ...], status: int, reason: str, run: Runs, work: Path
) -> None:
    (work / "text").write_text("echo hello", encoding="ascii")
    (work / "nonsense").write_bytes(b"\x00\x01")
    (work / "nonsense").chmod(0o755)

    ended = run(*argv).ended

    assert (ended.outcome, ended.status, ended.exit_code) == (Outcome.ERROR, status, status)
    assert ended.findings == (f"the command could not be started: {argv[0]}: {reason}",)
    assert ended.resources.wall_s is None


def test_a_shells_128_plus_n_is_the_signal_of_what_it_ran(run: Runs) -> None:
    by_text = run(*SHELL, "ulimit -c 0; (kill -SEGV $BASHPID); echo not reached").ended
    by_program = run("sh", "-c", "exit 139").ended

    assert (by_text.outcome, by_text.signal, by_text.status) == (Outcome.CRASHED, 11, 139)
    assert (by_program.outcome, by_program.signal) == (Outcome.FAILED, None)


# The time limit


def test_the_limit_ends_the_command_with_124(run: Runs) -> None:
    ended = run("sleep", "1000", timeout_s=0.2).ended

    assert (ended.outcome, ended.status) == (Outcome.TIMED_OUT, 124)
    assert (ended.signal, ended.exit_code) == (signal.SIGINT, 130)
    assert ended.findings == ("Telltale killed the command at its limit of 0.2 s",)
    assert 0.2 <= ended.elapsed_s == pytest.approx(ended.resources.wall_s or 0, abs=1e-6)


def test_at_the_limit_it_is_looked_at_then_asked_then_killed(run: Runs) -> None:
    done = run(
        "trap 'echo INT' INT; trap 'echo TERM' TERM; sleep 1000 & echo $! $$;"
        " while :; do read forever <never; done",
        timeout_s=1.5,
        grace=dataclasses.replace(QUICK, interrupt_s=0.4, terminate_s=0.4),
    )

    sleep, shell = map(int, done.log("stdout").split(b"\n")[0].split())
    assert done.log("stdout") == b"%d %d\nINT\nTERM\n" % (sleep, shell)
    assert (done.ended.signal, done.ended.status) == (signal.SIGKILL, 124)
    (seen,) = done.looks
    assert [(process.pid, process.ppid, process.name) for process in seen.processes] == [
        (shell, os.getpid(), "sh"),
        (sleep, shell, "sleep"),
    ]


def test_a_command_that_listens_keeps_its_own_status(run: Runs) -> None:
    done = run(
        *python(
            "import os, signal, sys",
            "signal.signal(signal.SIGINT, lambda *_: sys.exit(7))",
            "signal.pause()",
        ),
        timeout_s=1.5,
        grace=PATIENT,
    )

    assert (done.ended.outcome, done.ended.status) == (Outcome.TIMED_OUT, 124)
    assert (done.ended.exit_code, done.ended.signal) == (7, None)


def test_the_limit_holds_although_nobody_reads_our_output(run: Runs) -> None:
    read_end, write_end = os.pipe()
    try:
        done = run("yes", "x" * 100, timeout_s=1, streams=(write_end, write_end))
    finally:
        os.close(write_end)
        os.close(read_end)

    assert done.ended.outcome is Outcome.TIMED_OUT
    # It had to wait for the reader, as it would have without us; what it wrote is kept.
    assert MIB < len(done.log()) < 4 * MIB
    assert any("took nothing for 0.2 s" in finding for finding in done.ended.findings)


# Silence


@pytest.mark.parametrize(
    ("script", "last"),
    [
        pytest.param("echo working; sleep 1000", "the last line of output was: working", id="one"),
        pytest.param("sleep 1000 & sleep 1000", "it had written nothing", id="tree"),
        pytest.param("kill -STOP $$", "it had written nothing", id="stopped"),
    ],
)
def test_a_silent_command_is_ended_as_at_its_limit(script: str, last: str, run: Runs) -> None:
    done = run(script, hang_after_s=0.5, timeout_s=600)

    assert (done.ended.outcome, done.ended.status) == (Outcome.TIMED_OUT, 124)
    assert done.ended.silent
    (finding,) = done.ended.findings
    assert finding.startswith(
        "Telltale killed the command as hung: for 0.5 s there was no output and 0.0"
    )
    assert finding.endswith(last)
    (seen,) = done.looks
    assert seen.why.startswith("for 0.5 s there was no output")
    assert done.ended.elapsed_s >= 0.5


def test_work_is_no_silence(run: Runs) -> None:
    # Also of processes that nobody waits for.
    burn = f"{PYTHON} -ISc 'import time\nwhile time.process_time() < 1.2: pass'"

    done = run(f"trap '' CHLD; {burn} & wait; exit 3", hang_after_s=1)

    assert (done.ended.outcome, done.ended.status) == (Outcome.FAILED, 3)
    assert not done.ended.silent


# Being asked to stop


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_us_is_passed_on(number: signal.Signals, run: Runs) -> None:
    name = number.name.removeprefix("SIG")

    done = run(
        f"trap 'echo tidy; exit 9' {name}; kill -{name} $PPID; while :; do sleep 0.01; done",
        grace=PATIENT,
    )

    assert (done.ended.outcome, done.ended.status) == (Outcome.INTERRUPTED, 128 + number)
    assert (done.ended.exit_code, done.ended.signal) == (9, None)
    assert done.log().splitlines()[-1] == b"tidy"
    assert done.ended.findings == (f"Telltale was asked to stop by {number.name} and passed it on",)
    (seen,) = done.looks
    assert seen.quick
    assert [process.name for process in seen.processes][:1] == ["sh"]


def test_who_ignores_it_is_killed(run: Runs) -> None:
    ended = run("trap '' INT TERM; kill -INT $PPID; while :; do sleep 0.01; done").ended

    assert (ended.outcome, ended.status) == (Outcome.INTERRUPTED, 130)
    assert ended.signal == signal.SIGKILL


def test_being_asked_twice_means_now(run: Runs) -> None:
    ended = run(
        "trap '' TERM; trap 'kill -TERM $PPID' INT; kill -INT $PPID; while :; do sleep 0.01; done",
        grace=PATIENT,
    ).ended

    assert (ended.outcome, ended.status) == (Outcome.INTERRUPTED, 130)
    assert ended.signal == signal.SIGKILL
    # Each grace is a minute.
    assert ended.elapsed_s < 30


def test_signals_reach_us_again_afterwards(run: Runs) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]

    run("true")

    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
    assert signal.set_wakeup_fd(-1) == -1


def test_an_ignored_signal_stays_ignored(run: Runs) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        ended = run("kill -HUP $PPID; kill -HUP $$; exit 4").ended
    finally:
        signal.signal(signal.SIGHUP, before)

    assert (ended.outcome, ended.status) == (Outcome.FAILED, 4)


# timeout(1) passes a signal on twice, to its child and to its group: one is heard.
LISTEN = """
import os, signal, sys
def tidy(*_):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.exit(print("tidy"))
signal.signal(signal.SIGINT, tidy)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.kill(int(sys.argv[1]), signal.SIGINT)
signal.pause()
"""


@pytest.mark.parametrize(
    "wrapper",
    [
        pytest.param("{}; exit 1", id="shell"),
        pytest.param("timeout 1000 {}; exit 1", id="timeout"),
        pytest.param("exec timeout 1000 {}", id="timeout-alone"),
        pytest.param("set -m; {} & wait; exit 1", id="job-control"),
    ],
)
def test_who_waits_for_the_tests_does_not_keep_the_signal_from_them(
    wrapper: str, run: Runs, work: Path
) -> None:
    (work / "listen.py").write_text(LISTEN, encoding="ascii")

    done = run(
        "bash",
        "-c",
        wrapper.format(f"{PYTHON} -IS listen.py {os.getpid()}"),
        grace=PATIENT,
    )

    assert done.ended.outcome is Outcome.INTERRUPTED
    assert done.log() == b"tidy\n"


# Nothing is left behind

# Where none can be made, both are the same.
OWN_CGROUP = pytest.mark.parametrize("own_cgroup", [True, False], ids=["cgroup", "no-cgroup"])
SPAWN = {
    "child": "./hold &",
    "ignores-signals": "(trap '' INT TERM HUP; exec ./hold) &",
    "own-session": "setsid ./hold &",
    "daemon": "(setsid ./hold &)",
    "daemon-of-nobody": '(cd /; exec setsid env -i "$OLDPWD/hold" >&- 2>&- <&- &)',
}


@OWN_CGROUP
@pytest.mark.parametrize("spawn", SPAWN.values(), ids=SPAWN)
@pytest.mark.parametrize(
    ("then", "outcome"),
    [
        pytest.param("exit 0", Outcome.PASSED, id="success"),
        pytest.param("kill -9 $$", Outcome.CRASHED, id="crash"),
        pytest.param(
            "trap '' TERM; kill -TERM $PPID; read forever <never", Outcome.INTERRUPTED, id="stop"
        ),
    ],
)
def test_nothing_survives(
    then: str, outcome: Outcome, spawn: str, own_cgroup: bool, run: Runs
) -> None:
    done = run(f"{spawn}\nread pid <pid; echo $pid; {then}", own_cgroup=own_cgroup)

    assert done.ended.outcome is outcome
    assert not alive(int(done.log().split()[0]))


def test_a_stopped_process_does_not_survive(run: Runs) -> None:
    done = run("./hold & read pid <pid; echo $pid; kill -STOP $pid")

    assert not alive(int(done.log()))


@OWN_CGROUP
def test_what_flees_by_forking_is_caught(own_cgroup: bool, run: Runs, work: Path) -> None:
    (work / "flee.py").write_text(
        "import os\nos.setsid()\nopen('pid', 'w').close()\nwhile True:\n"
        "    if os.fork():\n        os._exit(0)\n",
        encoding="ascii",
    )

    script = f"{PYTHON} -IS {work}/flee.py & read nothing <pid; exit 0"

    done = run(script, own_cgroup=own_cgroup)

    assert done.ended.outcome is Outcome.PASSED
    assert any("flee.py" in finding for finding in done.ended.findings)


def test_leftovers_are_named(run: Runs, work: Path) -> None:
    done = run("./hold & read pid <pid; echo $pid")

    pid = int(done.log())
    assert done.ended.findings == (
        f"left running after the command ended, killed: pid {pid}, /bin/sh ./hold",
    )
    assert survivors(work) == []


def test_who_ends_by_itself_in_time_is_no_leftover(run: Runs) -> None:
    done = run("(sleep 0.05; echo done) &", grace=PATIENT)

    assert done.log() == b"done\n"
    assert done.ended.findings == ()


def test_whoever_holds_the_pipe_does_not_hold_us(run: Runs) -> None:
    done = run("./hold & read pid <pid; yes & echo begun; exit 3")

    assert (done.ended.outcome, done.ended.status) == (Outcome.FAILED, 3)
    assert done.log().startswith((b"begun\n", b"y\n"))
    assert len(done.ended.findings) == 2


def test_children_from_before_are_none_of_our_business(run: Runs) -> None:
    with subprocess.Popen(["sleep", "1000"]) as ours:
        done = run("exit 0")
        assert ours.poll() is None
        ours.kill()

    assert done.ended.findings == ()


# What it writes


def test_bytes_are_kept_and_passed_on_as_they_are(run: Runs) -> None:
    done = run(r"printf 'a\377\000\r\nb'; printf 'no end' >&2")

    assert done.log("stdout") == done.passed_on == b"a\xff\x00\r\nb"
    assert done.log("stderr") == done.passed_on_err == b"no end"
    assert sorted(done.log()) == sorted(b"a\xff\x00\r\nbno end")


def test_megabytes_arrive_whole(run: Runs) -> None:
    script = python(
        "import hashlib, os, sys",
        "digest = hashlib.sha256()",
        "for i in range(800):",
        "    block = bytes([i % 251]) * 65536",
        "    digest.update(block)",
        "    sys.stdout.buffer.write(block)",
        "sys.stdout.flush()",
        "os.write(2, digest.hexdigest().encode())",
    )

    done = run(*script)

    digest = done.log("stderr").decode()
    assert len(done.log("stdout")) == 800 * 65536
    assert hashlib.sha256(done.log("stdout")).hexdigest() == digest
    assert hashlib.sha256(done.passed_on).hexdigest() == digest
    assert len(done.log()) == 800 * 65536 + 64


def test_the_last_words_are_kept_however_it_ends(run: Runs) -> None:
    for end in ("exit 0", "kill -9 $$", "kill -TERM $PPID; sleep 1000"):
        done = run(f"head -c 60000 /dev/zero; printf last; {end}")

        assert done.log().endswith(b"last")


# Each line is in the log before the other stream gets the next one. Two pipes that are written
# within one look at them have no certain order: the kernel tells of a write after it was made.
TAKE_TURNS = """
i=0
while [ $i -lt 25 ]; do
    echo out $i; until grep -qx "out $i" {log}; do :; done
    echo err $i >&2; until grep -qx "err $i" {log}; do :; done
    i=$((i+1))
done
"""
TURNS = [f"{stream} {i}" for i in range(25) for stream in ("out", "err")]


@pytest.fixture
def take_turns(tmp_path: Path) -> str:
    """Return a script that writes to both streams in turn."""
    return TAKE_TURNS.format(log=tmp_path / "bundle/logs/output.log")


def test_lines_of_both_streams_keep_their_order(run: Runs, take_turns: str) -> None:
    done = run(take_turns)

    assert done.log().decode().splitlines() == TURNS
    assert done.passed_on.decode().splitlines() == TURNS[::2]


def test_one_reader_of_both_streams_sees_the_same_order(
    run: Runs, take_turns: str, tmp_path: Path
) -> None:
    with (tmp_path / "both").open("wb") as both:
        done = run(take_turns, streams=(both.fileno(), both.fileno()))

    assert (tmp_path / "both").read_bytes() == done.log()
    assert done.log().decode().splitlines() == TURNS


def test_a_burst_keeps_the_order_of_each_stream_and_loses_nothing(run: Runs) -> None:
    done = run("i=0; while [ $i -lt 500 ]; do echo out $i; echo err $i >&2; i=$((i+1)); done")

    lines = done.log().decode().splitlines()
    for stream in ("out", "err"):
        assert [line for line in lines if line.startswith(stream)] == [
            f"{stream} {i}" for i in range(500)
        ]
    assert len(lines) == 1000


def test_output_is_passed_on_while_it_comes(run: Runs, work: Path) -> None:
    os.mkfifo(work / "answer")
    read_end, write_end = os.pipe()
    # Whoever sees the question in our output answers it; else the command waits for ever.
    reader = subprocess.Popen(
        ["sh", "-c", 'read question; [ "$question" = ready? ] && echo yes >answer; cat'],
        stdin=read_end,
        stdout=subprocess.PIPE,
        cwd=work,
    )
    os.close(read_end)
    with reader:
        done = run("echo 'ready?'; read answer <answer; echo $answer", streams=(write_end, 2))
        os.close(write_end)
        rest, _ = reader.communicate()

    assert done.log() == b"ready?\nyes\n"
    assert rest == b"yes\n"


def test_the_log_goes_on_when_our_reader_has_gone(run: Runs) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    try:
        done = run("yes x | head -c 1000000; exit 5", streams=(write_end, write_end))
    finally:
        os.close(write_end)

    assert len(done.log()) == 1_000_000
    assert (done.ended.status, done.ended.findings) == (5, ())


def test_a_full_disk_costs_the_log_not_the_run(run: Runs, tmp_path: Path) -> None:
    (tmp_path / "bundle/logs/output.log").symlink_to("/dev/full")

    done = run("echo hello; exit 3")

    assert (done.ended.status, done.passed_on) == (3, b"hello\n")
    assert done.ended.findings == ("logs/output.log ends early: No space left on device",)


def test_a_command_may_close_its_streams(run: Runs) -> None:
    done = run("echo before; exec >&- 2>&-; ./hold & read pid <pid; exit 6")

    assert (done.ended.status, done.log()) == (6, b"before\n")


# What it gets


def test_it_gets_its_environment_and_nothing_of_ours(run: Runs) -> None:
    done = run("/usr/bin/env", "-u", "nothing")

    assert done.log().decode() == f"PATH={os.environ['PATH']}\n"


def test_it_gets_three_descriptors_and_no_more(run: Runs) -> None:
    done = run(*python("import os", "print(os.listdir('/proc/self/fd'))"))

    # The fourth one is that of the listing.
    assert done.log().decode() == "['0', '1', '2', '3']\n"


def test_it_leads_a_session_of_its_own(run: Runs) -> None:
    done = run(*python("import os", "print(os.getsid(0) == os.getpgid(0) == os.getpid())"))

    assert done.log() == b"True\n"


def test_it_can_be_interrupted_even_when_we_ignore_that(run: Runs) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        ended = run("kill -INT $PPID; kill -INT $$; exit 4").ended
    finally:
        signal.signal(signal.SIGINT, before)

    assert (ended.outcome, ended.signal) == (Outcome.CRASHED, signal.SIGINT)


# What it used


def test_time_is_counted_for_the_whole_tree(run: Runs) -> None:
    burn = "import time\nwhile time.process_time() < 0.2: pass"
    python_ = f"{PYTHON} -ISc '{burn}'"

    # One waited for, one orphan that ends in time, one that must be killed.
    done = run(f"{python_}; (setsid {python_} &); (setsid {python_} &) ", grace=PATIENT)

    resources = done.ended.resources
    assert resources.user_s is not None
    assert resources.system_s is not None
    assert resources.wall_s is not None
    assert 0.55 < resources.user_s + resources.system_s < 5
    assert resources.cpu_percent == pytest.approx(
        100 * (resources.user_s + resources.system_s) / resources.wall_s, abs=0.1
    )


def test_memory_is_that_of_the_largest_and_that_of_all(run: Runs) -> None:
    # More than this process has itself: of less, the kernel's figure would be our own.
    size = 200 * MIB + resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    hold = f"import sys; data = b'x' * {size}; print(len(data), flush=True); sys.stdin.read()"
    samples = "../bundle/artifacts/samples.csv"

    # Both hold their memory until a sample has seen both.
    done = run(
        *python(
            "import csv, subprocess, sys, time",
            f"hold = [sys.executable, '-ISc', {hold!r}]",
            "pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE)",
            "both = [subprocess.Popen(hold, **pipes) for _ in range(2)]",
            "for each in both: each.stdout.readline()",
            f"seen = lambda: [int(row['rss_bytes']) for row in csv.DictReader(open('{samples}'))]",
            f"while max(seen()) < {1.9 * size}: time.sleep(0.01)",
            "for each in both: each.communicate()",
        )
    )

    resources = done.ended.resources
    assert resources.max_rss_bytes is not None
    assert resources.tree_peak_rss_bytes is not None
    assert size < resources.max_rss_bytes < 1.3 * size
    assert 1.9 * size < resources.tree_peak_rss_bytes < 3 * size
    assert max(row["processes"] for row in done.samples) == 3
    assert max(row["rss_bytes"] for row in done.samples) == resources.tree_peak_rss_bytes


def test_a_small_command_is_not_given_our_own_size(run: Runs) -> None:
    found = run("true").ended.resources.max_rss_bytes

    # It begins as a copy of this process, which is ten times as large.
    assert found is None or found < 5 * MIB


def test_a_sample_is_taken_at_once_and_time_and_cpu_only_grow(run: Runs) -> None:
    done = run("i=0; while [ $(wc -l <../bundle/artifacts/samples.csv) -lt 4 ]; do :; done")

    first, _, third, *_ = done.samples
    assert first["processes"] >= 1
    # Every second in the end, but a short run has samples too.
    assert third["elapsed_s"] < 2
    for key in ("elapsed_s", "cpu_s"):
        values = [row[key] for row in done.samples]
        assert values == sorted(values)


def test_where_orphans_cannot_be_adopted_that_is_said(
    run: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")

    done = run("./hold & read pid <pid; echo $pid; exit 2")

    assert (done.ended.outcome, done.ended.status) == (Outcome.FAILED, 2)
    assert "lets no process adopt orphans" in done.ended.findings[0]
    assert not alive(int(done.log()))
