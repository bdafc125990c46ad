"""
Run one command: start it, stream it, measure it, and leave nothing of it behind.

This process is the supervisor. On Linux it becomes the subreaper of all that
the command starts (prctl(2), PR_SET_CHILD_SUBREAPER), so a daemon that left
its session, its group and its environment is still found below us, killed
and accounted for. Nothing here knows about tests.
"""

from __future__ import annotations

import contextlib
import functools
import os
import resource
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import final

from telltale.capture import kernel, shell, tree
from telltale.capture.beside import Beside
from telltale.capture.output import Output, ensure_standard_streams
from telltale.capture.sampler import Sampler
from telltale.capture.signals import Signals
from telltale.capture.words import many
from telltale.model import Outcome, Resources

TIMED_OUT_STATUS = 124
"""As timeout(1) has it."""
_DEADLY = frozenset(
    {
        *(signal.SIGILL, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGKILL),
        *(signal.SIGSEGV, signal.SIGTERM, signal.SIGXCPU, signal.SIGXFSZ, signal.SIGSYS),
    }
)
_OOM = "the kernel's OOM killer struck {} meanwhile"
_MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Grace:
    """How long each step towards the end may take, in seconds."""

    interrupt_s: float = 10.0
    """At the time limit, after SIGINT: pytest writes its JUnit file and tears fixtures down."""
    terminate_s: float = 3.0
    cancelled_s: float = 4.0
    """The same when we are asked to stop: GitHub gives a cancelled job 7.5 s and then 2.5 s."""
    cancelled_terminate_s: float = 1.0
    linger_s: float = 1.0
    """For processes that are about to end by themselves after the command ended."""
    sweep_s: float = 5.0
    """For the kernel to take the killed ones away."""
    reader_s: float = 5.0
    """For a reader of our output that takes nothing."""
    beside_s: float = 20.0
    """For programs beside the command to write what they have."""
    cancelled_beside_s: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What to run and where its traces go."""

    argv: tuple[str, ...]
    cwd: Path
    env: Mapping[str, str]
    """The whole environment of the command; nothing is added."""
    bundle: Path
    """Folder with `logs/` and `artifacts/`."""
    timeout_s: float | None = None
    grace: Grace = field(default_factory=Grace)
    streams: tuple[int, int] = (1, 2)
    """File descriptors that receive the live output."""
    beside: Beside = field(default_factory=Beside)
    """Programs that watch the command; no part of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How it ended."""

    outcome: Outcome
    exit_code: int
    """As a shell tells it: the command's own, or 128+N when signal N ended it."""
    signal: int | None
    status: int
    """What Telltale exits with: `exit_code`, but 124 at the time limit and 128+N when we were asked to stop."""
    elapsed_s: float
    resources: Resources
    findings: tuple[str, ...]
    out_of_memory: bool = False
    """The kernel's OOM killer struck while the command ran, and SIGKILL ended it."""


def run_command(
    start: Start, signals: Signals, *, at_limit: Callable[[list[tree.Process]], None]
) -> Ended:
    """
    Run the command to its end and return how it ended; nothing it started survives.

    At `timeout_s` first `at_limit` gets the living tree, still undisturbed,
    then come SIGINT, SIGTERM and SIGKILL. A command that cannot be started
    has outcome `error` and the status a shell gives: 127 not found, 126 not
    executable. Raises `OSError` only before the start, when the logs cannot
    be made.
    """
    ensure_standard_streams()
    with _Supervisor(start, signals) as supervisor:
        try:
            supervisor.start()
        except OSError as error:
            return _not_started(start, error)
        supervisor.follow(at_limit)
        return supervisor.ended()


def _not_started(start: Start, error: OSError) -> Ended:
    status = 127 if isinstance(error, FileNotFoundError) else 126
    reason = error.strerror or str(error)
    return Ended(
        outcome=Outcome.ERROR,
        exit_code=status,
        signal=None,
        status=status,
        elapsed_s=0.0,
        resources=Resources(),
        findings=(f"the command could not be started: {start.argv[0]}: {reason}",),
    )


@final
class _Supervisor:
    """The loop around one command; entered and left once."""

    def __init__(self, start: Start, signals: Signals) -> None:
        self._start = start
        self._signals = signals
        self._beside = start.beside
        self._findings: list[str] = []
        self._usage = _Usage()
        self._reaped = 0
        """Processes that ended and that we waited for."""
        self._main = -1
        self._status: int | None = None
        """Of the command: its exit status, or minus the signal; None while it runs."""
        self._elapsed_s = 0.0
        self._why = Outcome.RUNNING
        """TIMED_OUT or INTERRUPTED once we began to end it ourselves."""

    def __enter__(self) -> _Supervisor:
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._signals.fd, selectors.EVENT_READ, self._on_signal)
        self._output = Output(self._start.bundle / "logs", self._selector, self._start.streams)
        self._sampler = Sampler(
            self._start.bundle / "artifacts/samples.csv",
            self._tree,
            lambda: self._usage.user_s + self._usage.system_s,
        )
        # Children that were there before (`sleep 60 & exec telltale ...`) are none of our business.
        self._strangers = frozenset(tree.children(os.getpid()))
        self._oom_kills = kernel.oom_kills()
        self._was_reaper = kernel.adopt_orphans(True)
        if self._was_reaper is None:
            self._findings.append(
                "this system lets no process adopt orphans: what the command left running"
                " outside its process group may have survived and is not measured"
            )
        return self

    def __exit__(self, *_: object) -> None:
        if self._main > 0 and not self._ended:
            # Something broke in here: what runs must not run on unwatched.
            self._kill_all()
        self._beside.kill()
        self._output.close()
        self._sampler.close()
        self._selector.close()
        kernel.adopt_orphans(bool(self._was_reaper))

    def start(self) -> None:
        """Start the command in a session of its own; raises `OSError` when it cannot be started."""
        out, err = self._output.write_ends
        self._floor = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _MAXRSS_UNIT
        self._began = time.monotonic()
        try:
            process = subprocess.Popen(
                self._start.argv,
                cwd=self._start.cwd,
                env=dict(self._start.env),
                stdout=out,
                stderr=err,
                start_new_session=True,
                preexec_fn=kernel.die_with_parent(),  # noqa: PLW1509  # no other thread is there
            )
        finally:
            self._output.started()
        self._main = process.pid
        # wait4 is ours alone; Popen must not wait for it again.
        process.returncode = 0
        self._sampler.begin()
        self._beside.begin(self._main)

    def follow(self, at_limit: Callable[[list[tree.Process]], None]) -> None:
        """Stay with the command until it, and everything it started, is gone."""
        self._until(lambda: self._ended or self._asked, self._start.timeout_s)
        if not self._ended and not self._asked:
            self._why = Outcome.TIMED_OUT
            self._findings.append(
                f"Telltale killed the command at its limit of {self._start.timeout_s:g} s"
            )
            self._leave_alone()
            at_limit(self._living())
        self._leave_alone()
        if not self._ended:
            self._stop()
        self._sweep()
        self._output.finish(self._start.grace.reader_s, self._until)
        self._findings += (*self._output.problems, *self._beside.problems)

    def ended(self) -> Ended:
        """Return how it ended."""
        if self._status is None:
            # It is stuck in the kernel: SIGKILL is pending and nothing more can be done.
            self._elapsed_s = time.monotonic() - self._began
            self._status = -signal.SIGKILL
        killed_by = self._killed_by(self._status)
        exit_code = self._status if self._status >= 0 else 128 - self._status
        outcome = self._outcome(killed_by, exit_code)
        oom_kills = kernel.oom_kills() - self._oom_kills
        if outcome is Outcome.CRASHED and killed_by:
            self._findings.append(_crash(killed_by, oom_kills))
        elif oom_kills:
            self._findings.append(
                f"{_OOM.format(many(oom_kills, 'time'))}, maybe one of the command's processes"
            )
        if outcome is Outcome.TIMED_OUT:
            telltale = TIMED_OUT_STATUS
        elif outcome is Outcome.INTERRUPTED:
            telltale = 128 + (self._signals.asked or signal.SIGINT)
        else:
            telltale = exit_code
        return Ended(
            outcome=outcome,
            exit_code=exit_code,
            signal=killed_by,
            status=telltale,
            elapsed_s=self._elapsed_s,
            resources=self._resources(),
            findings=tuple(self._findings),
            out_of_memory=killed_by == signal.SIGKILL and oom_kills > 0,
        )

    def _killed_by(self, status: int) -> int | None:
        if status < 0:
            return -status
        # A program may exit with such a number by itself; of a shell that would be odd.
        return status - 128 if shell.text(self._start.argv) and status - 128 in _DEADLY else None

    def _outcome(self, killed_by: int | None, exit_code: int) -> Outcome:
        if self._why is not Outcome.RUNNING:
            return self._why
        if killed_by is not None:
            # Somebody stopped all of us at once and it died before we passed the signal on.
            return Outcome.INTERRUPTED if killed_by == self._signals.asked else Outcome.CRASHED
        return Outcome.PASSED if exit_code == 0 else Outcome.FAILED

    # Ending it

    def _leave_alone(self) -> None:
        """
        End the programs beside the command, before anybody else looks at it or disturbs it.

        What one of them traces can be traced by nobody else.
        """
        self._beside.interrupt()
        grace = self._start.grace
        if not self._asked:
            self._until(lambda: self._beside.gone() or self._asked, grace.beside_s)
        if self._asked:
            self._until(self._beside.gone, grace.cancelled_beside_s)
        self._beside.kill()

    def _stop(self) -> None:
        grace = self._start.grace
        if self._asked:
            self._why = Outcome.INTERRUPTED
            asked = self._signals.asked or signal.SIGINT
            self._findings.append(
                f"Telltale was asked to stop by {signal.Signals(asked).name} and passed it on"
            )
            steps = ((asked, grace.cancelled_s), (signal.SIGTERM, grace.cancelled_terminate_s))
        else:
            steps = ((signal.SIGINT, grace.interrupt_s), (signal.SIGTERM, grace.terminate_s))
        for number, seconds in steps:
            seen = self._signals.times
            self._send(number)
            # Being asked once more means that there is no time left.
            self._until(functools.partial(self._ended_or_asked_since, seen), seconds)
            if self._ended or self._signals.times > seen:
                break

    def _ended_or_asked_since(self, seen: int) -> bool:
        return self._ended or self._signals.times > seen

    def _send(self, number: int) -> None:
        """
        Send a signal to the command as a terminal's Ctrl-C would: to its whole group.

        Not to the command alone: a shell would wait for what it runs, which
        knows nothing, and the workers of pytest-xdist keep their controller
        waiting for six seconds.
        """
        members = [each for each in self._living() if each.session == self._main]
        if not members:
            _kill_group(self._main, number)
        # timeout(1) passes signals on, so that the tests would get them twice and give up tidying.
        parents = {each.ppid for each in members}
        relays = {each.pid for each in members if each.name == "timeout" and each.pid in parents}
        # Shells with job control make groups of their own; the leaders answer for them.
        led = {each.pid for each in members if each.pid == each.group} - relays - {self._main}
        for each in members:
            if each.pid not in relays and (each.group not in led or each.pid in led):
                _kill(each.pid, number)

    def _sweep(self) -> None:
        """
        Kill what is left, after a moment in which it may go by itself.

        After a normal end, what is killed is named.
        """
        grace = self._start.grace
        leftovers = self._ended and self._why is Outcome.RUNNING
        if self._ended:
            self._poll(self._deserted, grace.linger_s)
        killed = list(self._kill_all().values())
        named = killed if leftovers else []
        self._findings += [f"left running after the command ended, killed: {n}" for n in named[:20]]
        if len(named) > 20:
            self._findings.append(f"left running and killed: {len(named) - 20} more")
        self._findings += [
            f"could not be killed: {_describe(process.pid)}" for process in self._living()
        ]

    def _kill_all(self) -> dict[int, str]:
        """Kill everything below us until nothing is left or could be; return what it was, by pid."""
        if self._was_reaper is None:
            # Who was not adopted is found by its group alone.
            _kill_group(self._main, signal.SIGKILL)
        killed: dict[int, str] = {}
        end = time.monotonic() + self._start.grace.sweep_s
        quiet = 0
        while quiet < 3 and time.monotonic() < end:
            quiet = 0 if self._freeze_and_kill(killed, end) else quiet + 1
            time.sleep(0.005)  # for the kernel to take them away
        return killed

    def _freeze_and_kill(self, killed: dict[int, str], end: float) -> bool:
        """
        Stop everything, so that nothing can fork away, then kill it.

        Adds what it was; returns False when there was nothing, not even a
        process that ended meanwhile: who forks and ends faster than we look
        leaves dead ones.
        """
        reaped = self._reaped
        frozen: set[int] = set()
        # First those that are ours by now: reading one file is fast enough to catch a process
        # that lives for a millisecond, reading all of /proc is not.
        while fresh := self._adopted() - frozen or self._pids() - frozen:
            for pid in fresh:
                _kill(pid, signal.SIGSTOP)
            frozen |= fresh
            if time.monotonic() > end:
                break
        for pid in frozen:
            if not tree.is_dead(pid):
                killed.setdefault(pid, _describe(pid))
            _kill(pid, signal.SIGKILL)
        self._reap()
        return bool(frozen) or self._reaped > reaped

    # Watching it

    @property
    def _ended(self) -> bool:
        return self._status is not None

    @property
    def _others(self) -> frozenset[int]:
        return self._strangers | self._beside.pids

    @property
    def _asked(self) -> bool:
        return self._signals.asked is not None

    def _tree(self) -> list[tree.Process]:
        return tree.below(os.getpid(), without=self._others)

    def _living(self) -> list[tree.Process]:
        return [process for process in self._tree() if not process.dead]

    def _pids(self) -> set[int]:
        return {process.pid for process in self._living()}

    def _adopted(self) -> set[int]:
        pids = set(tree.children(os.getpid())) - self._others
        return {pid for pid in pids if not tree.is_dead(pid)}

    def _deserted(self) -> bool:
        """Whether nothing lives below us, nor did while we looked."""
        self._reap()
        reaped = self._reaped
        living = self._living()
        self._reap()
        return not living and self._reaped == reaped

    def _until(self, done: Callable[[], bool], seconds: float | None) -> bool:
        """Stream, sample and reap until `done` holds (True) or the time is over (False)."""
        end = None if seconds is None else time.monotonic() + seconds
        while not done():
            self._sampler.tick()
            self._beside.tick(self._living)
            now = time.monotonic()
            if end is not None and now >= end:
                return False
            due = min(self._sampler.due, self._beside.due)
            wake = due if end is None else min(end, due)
            for key, _ in self._selector.select(max(0.0, wake - now)):
                key.data()
        return True

    def _poll(self, done: Callable[[], bool], seconds: float) -> None:
        """Like `_until`, for what happens without waking us."""
        end = time.monotonic() + seconds
        while not self._until(done, 0.03) and time.monotonic() < end:
            pass

    def _on_signal(self) -> None:
        self._signals.clear()
        self._reap()

    def _reap(self) -> None:
        for pid in {self._main, *tree.children(os.getpid())} - self._others:
            try:
                found, status, usage = os.wait4(pid, os.WNOHANG)
            except ChildProcessError:
                continue
            if found:
                self._reaped += 1
                self._usage.add(usage)
            if found == self._main:
                self._status = os.waitstatus_to_exitcode(status)
                self._elapsed_s = time.monotonic() - self._began

    def _resources(self) -> Resources:
        usage, wall_s = self._usage, self._elapsed_s
        peak: int | None = usage.max_rss_bytes
        if usage.max_rss_bytes <= self._floor:
            # A forked process starts with our own size, and the kernel counts that: below
            # it only what was sampled is known.
            peak = self._sampler.largest_bytes or None
        tree_peak = max(self._sampler.peak_bytes, peak or 0) if self._sampler.peak_bytes else None
        return Resources(
            wall_s=round(wall_s, 6),
            user_s=round(usage.user_s, 6),
            system_s=round(usage.system_s, 6),
            cpu_percent=round(100 * (usage.user_s + usage.system_s) / wall_s, 1)
            if wall_s
            else None,
            max_rss_bytes=peak,
            tree_peak_rss_bytes=tree_peak,
            major_faults=usage.major_faults,
            minor_faults=usage.minor_faults,
            voluntary_switches=usage.voluntary_switches,
            involuntary_switches=usage.involuntary_switches,
            inputs=usage.inputs,
            outputs=usage.outputs,
        )


class _Usage:
    """What the kernel accounted for all we waited for, and all they waited for."""

    def __init__(self) -> None:
        self.user_s = 0.0
        self.system_s = 0.0
        self.max_rss_bytes = 0
        self.major_faults = 0
        self.minor_faults = 0
        self.voluntary_switches = 0
        self.involuntary_switches = 0
        self.inputs = 0
        self.outputs = 0

    def add(self, usage: resource.struct_rusage) -> None:
        self.user_s += usage.ru_utime
        self.system_s += usage.ru_stime
        self.max_rss_bytes = max(self.max_rss_bytes, usage.ru_maxrss * _MAXRSS_UNIT)
        self.major_faults += usage.ru_majflt
        self.minor_faults += usage.ru_minflt
        self.voluntary_switches += usage.ru_nvcsw
        self.involuntary_switches += usage.ru_nivcsw
        self.inputs += usage.ru_inblock
        self.outputs += usage.ru_oublock


def _kill(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def _kill_group(group: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _describe(pid: int) -> str:
    line = tree.command_line(pid) or tree.detail(pid, "comm")
    return f"pid {pid}, {line[:200]}"


def _crash(number: int, oom_kills: int) -> str:
    name = signal.Signals(number).name if number in set(signal.Signals) else str(number)
    if number != signal.SIGKILL:
        return f"the command was ended by signal {number} ({name}), which Telltale did not send"
    cause = (
        f"{_OOM.format(many(oom_kills, 'time'))}: out of memory is the likely cause"
        if oom_kills
        else "somebody else sent it; the kernel counted no out-of-memory kill meanwhile"
    )
    return f"the command was ended by signal 9 (SIGKILL), which Telltale did not send: {cause}"
