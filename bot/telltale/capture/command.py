"""
Run one command: start it, stream it, measure it, and leave nothing of it behind.

This process is the supervisor: one loop that passes output on, samples,
waits, and knows when it is time to end it. Who belongs to the command is in
`reaping`, how it is brought to its end in `ending`. Nothing here knows about
tests.
"""

from __future__ import annotations

import functools
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import final

from telltale.capture import cgroup, ending, kernel, reaping, shell
from telltale.capture.beside import Beside
from telltale.capture.deaths import Death
from telltale.capture.ending import Grace
from telltale.capture.output import Output, ensure_standard_streams
from telltale.capture.reaping import Family
from telltale.capture.redact import Redactor
from telltale.capture.sampler import Sampler
from telltale.capture.signals import Signals
from telltale.capture.silence import Silence, last_line
from telltale.capture.stacks import Look
from telltale.model import HUNG, Outcome, Resources
from telltale.values import dataclass, field

_NAMED = 20
"""Processes that are named in findings."""


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
    hang_after_s: float | None = None
    """Seconds without output and CPU time after which it is ended as at the time limit."""
    own_cgroup: bool = True
    """Whether it gets a cgroup of its own where one can be made without being felt."""
    grace: Grace = field(default_factory=Grace)
    streams: tuple[int, int] = (1, 2)
    """File descriptors that receive the live output."""
    beside: Beside = field(default_factory=Beside)
    """Programs that watch the command; no part of it."""
    redactor: Redactor = field(default_factory=lambda: Redactor({}))
    """Keeps secrets out of the logs; the live output stays as it came."""
    further: Callable[[], AbstractSet[int]] = frozenset
    """Processes that are asked to end with the command although they may have left its session."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How it ended."""

    outcome: Outcome
    exit_code: int
    """As a shell tells it: the command's own, or 128+N when signal N ended it."""
    signal: int | None
    status: int
    """What Telltale exits with: `exit_code`, but 124 at a limit and 128+N when we were asked to stop."""
    elapsed_s: float
    resources: Resources
    findings: tuple[str, ...]
    out_of_memory: bool = False
    """The kernel's OOM killer struck while the command ran, and SIGKILL ended it."""
    silent: bool = False
    """It was ended because it had gone silent, not at its time limit."""


def run_command(start: Start, signals: Signals, *, look: Callable[[Look], None]) -> Ended:
    """
    Run the command to its end and return how it ended; nothing it started survives.

    At `timeout_s`, after `hang_after_s` of silence, and when we are asked to
    stop, first `look` gets the living processes, still undisturbed; then come
    SIGINT (or the signal that we got), SIGTERM and SIGKILL. A command that
    cannot be started has outcome `error` and the status a shell gives: 127
    not found, 126 not executable. Raises `OSError` only before the start,
    when the logs cannot be made.
    """
    ensure_standard_streams()
    with _Supervisor(start, signals) as supervisor:
        try:
            supervisor.start()
        except OSError as error:
            return _not_started(start, error)
        supervisor.follow(look)
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
        self._silence = Silence(start.hang_after_s)
        self._why = Outcome.RUNNING
        """TIMED_OUT or INTERRUPTED once we began to end it ourselves."""

    def __enter__(self) -> _Supervisor:
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._signals.fd, selectors.EVENT_READ, self._on_signal)
        self._output = Output(
            self._start.bundle / "logs",
            self._selector,
            self._start.streams,
            self._start.redactor,
        )
        self._family = Family(apart=lambda: self._beside.pids)
        self._sampler = Sampler(
            self._start.bundle / "artifacts/samples.csv",
            self._family.look,
            lambda: self._family.usage.cpu_s,
        )
        self._oom_kills = kernel.oom_kills()
        self._group = cgroup.make(self._start.bundle) if self._start.own_cgroup else None
        if not self._family.adopts:
            self._findings.append(
                "this system lets no process adopt orphans: what the command left running"
                " outside its process group may have survived and is not measured"
            )
        return self

    def __exit__(self, *_: object) -> None:
        family = self._family
        if family.main > 0 and not family.ended:
            # Something broke in here: what runs must not run on unwatched.
            ending.kill_all(family, self._group, self._start.grace.sweep_s)
        self._beside.kill()
        self._output.close()
        self._sampler.close()
        self._selector.close()
        if self._group is not None:
            self._group.remove()
        family.leave()

    def start(self) -> None:
        """Start the command in a session of its own; raises `OSError` when it cannot be started."""
        out, err = self._output.write_ends
        self._floor = reaping.own_peak_bytes()
        self._began = time.monotonic()
        try:
            with kernel.before_exec(self._group) as before_exec:
                process = subprocess.Popen(
                    self._start.argv,
                    cwd=self._start.cwd,
                    env=dict(self._start.env),
                    stdout=out,
                    stderr=err,
                    start_new_session=True,
                    preexec_fn=before_exec,  # noqa: PLW1509  # no other thread is there
                )
        finally:
            self._output.started()
        self._family.main = process.pid
        # wait4 is ours alone; Popen must not wait for it again.
        process.returncode = 0
        self._sampler.begin()
        self._beside.begin(process.pid)

    def follow(self, look: Callable[[Look], None]) -> None:
        """Stay with the command until it, and everything it started, is gone."""
        family = self._family
        self._until(
            lambda: family.ended or self._asked or self._silence.over, self._start.timeout_s
        )
        why = "" if family.ended else self._reason()
        self._leave_alone()
        if not family.ended:
            self._stop(why, look)
        self._sweep()
        self._output.finish(self._start.grace.reader_s, self._until)
        self._findings += (*self._output.problems, *self._beside.problems)

    def ended(self) -> Ended:
        """Return how it ended."""
        family = self._family
        # Without a status it is stuck in the kernel: SIGKILL is pending and nothing more can be done.
        elapsed_s = (family.ended_at if family.ended else time.monotonic()) - self._began
        death = Death(
            raw=-signal.SIGKILL if family.status is None else family.status,
            through_shell=bool(shell.text(self._start.argv)),
            why=self._why,
            asked=self._signals.asked,
            oom_kills=kernel.oom_kills() - self._oom_kills,
        )
        return Ended(
            outcome=death.outcome,
            exit_code=death.exit_code,
            signal=death.signal,
            status=death.status,
            elapsed_s=elapsed_s,
            resources=self._resources(elapsed_s),
            findings=(*self._findings, *death.findings()),
            out_of_memory=death.out_of_memory,
            silent=self._why is Outcome.TIMED_OUT and self._silence.over,
        )

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

    def _stop(self, why: str, look: Callable[[Look], None]) -> None:
        asked = self._signals.asked
        seen = self._signals.times
        look(
            Look(
                why=why,
                elapsed_s=time.monotonic() - self._began,
                processes=self._family.living(),
                quick=asked is not None,
                enough=lambda: self._signals.times > seen,
            )
        )
        for number, seconds in self._start.grace.steps(asked):
            seen = self._signals.times
            ending.ask(self._family, number, self._start.further())
            # Being asked once more means that there is no time left.
            self._until(functools.partial(self._ended_or_asked_since, seen), seconds)
            if self._family.ended or self._signals.times > seen:
                break

    def _reason(self) -> str:
        """Decide why it is ended, and say so in a finding; return a few words of it."""
        if self._asked:
            self._why = Outcome.INTERRUPTED
            name = signal.Signals(self._signals.asked or signal.SIGINT).name
            self._findings.append(f"Telltale was asked to stop by {name} and passed it on")
            return f"Telltale was asked to stop by {name}"
        self._why = Outcome.TIMED_OUT
        if not self._silence.over:
            limit = f"limit of {self._start.timeout_s:g} s"
            self._findings.append(f"Telltale killed the command at its {limit}")
            return f"the time {limit} was reached"
        silent = (
            f"for {self._start.hang_after_s:g} s there was no output"
            f" and {self._silence.used_s:.2f} s of CPU time"
        )
        line = last_line(self._start.bundle / "logs/output.log")
        last = f"the last line of output was: {line}" if line else "it had written nothing"
        self._findings.append(f"{HUNG}: {silent}; {last}")
        return silent

    def _ended_or_asked_since(self, seen: int) -> bool:
        return self._family.ended or self._signals.times > seen

    def _sweep(self) -> None:
        """Kill what is left; after a normal end, what is killed is named."""
        family = self._family
        leftovers = family.ended and self._why is Outcome.RUNNING
        killed = ending.sweep(
            family,
            self._group,
            self._start.grace,
            wait=functools.partial(self._poll, family.deserted),
        )
        named = killed if leftovers else []
        self._findings += [
            f"left running after the command ended, killed: {each}" for each in named[:_NAMED]
        ]
        if len(named) > _NAMED:
            self._findings.append(f"left running and killed: {len(named) - _NAMED} more")
        self._findings += [
            f"could not be killed: {ending.describe(process.pid)}" for process in family.living()
        ]

    # Watching it

    @property
    def _asked(self) -> bool:
        return self._signals.asked is not None

    def _until(self, done: Callable[[], bool], seconds: float | None) -> bool:
        """Stream, sample and reap until `done` holds (True) or the time is over (False)."""
        end = None if seconds is None else time.monotonic() + seconds
        while not done():
            self._look()
            self._output.tick()
            self._beside.tick(self._family.living)
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

    def _look(self) -> None:
        sampler = self._sampler
        if not sampler.tick():
            return
        now = time.monotonic()
        # A reader of ours that takes nothing makes the command wait: that is not its silence.
        heard = now if self._output.pending else self._output.heard
        self._silence.look(now, heard=heard, cpu_s=sampler.cpu_s, late_s=sampler.late_s)

    def _on_signal(self) -> None:
        self._signals.clear()
        self._family.reap()

    def _resources(self, wall_s: float) -> Resources:
        usage = self._family.usage
        peak: int | None = usage.max_rss_bytes
        if usage.max_rss_bytes <= self._floor:
            # A forked process starts with our own size, and the kernel counts that: below
            # it only what was sampled is known.
            peak = self._sampler.largest_bytes or None
        tree_peak = max(self._sampler.peak_bytes, peak or 0) if self._sampler.looked else 0
        return Resources(
            wall_s=round(wall_s, 6),
            user_s=round(usage.user_s, 6),
            system_s=round(usage.system_s, 6),
            cpu_percent=round(100 * usage.cpu_s / wall_s, 1) if wall_s else None,
            max_rss_bytes=peak,
            tree_peak_rss_bytes=tree_peak or None,
            major_faults=usage.major_faults,
            minor_faults=usage.minor_faults,
            voluntary_switches=usage.voluntary_switches,
            involuntary_switches=usage.involuntary_switches,
            inputs=usage.inputs,
            outputs=usage.outputs,
        )
