"""
How a command is brought to its end: asked, asked again, then frozen and killed as a whole.

What is killed is everything below us, however it tried to get away; see
docs/evidence-bundle.md for the order and why it is that one.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from collections.abc import Set as AbstractSet

from telltale.capture import tree
from telltale.capture.cgroup import Group
from telltale.capture.reaping import Family
from telltale.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Grace:
    """How long each step towards the end may take, in seconds."""

    interrupt_s: float = 10.0
    """At a limit, after SIGINT: pytest writes its JUnit file and tears fixtures down."""
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

    def steps(self, asked: int | None) -> tuple[tuple[int, float], ...]:
        """Return the signals to send and how long each may take; `asked` is the one that we got."""
        if asked is not None:
            return ((asked, self.cancelled_s), (signal.SIGTERM, self.cancelled_terminate_s))
        return ((signal.SIGINT, self.interrupt_s), (signal.SIGTERM, self.terminate_s))


def ask(family: Family, number: int, further: AbstractSet[int] = frozenset()) -> None:
    """
    Send a signal to the command as a terminal's Ctrl-C would: to its whole group.

    Not to the command alone: a shell would wait for what it runs, which
    knows nothing, and the workers of pytest-xdist keep their controller
    waiting for six seconds. Those of `further` that live get it as well,
    whatever their session.
    """
    living = family.living()
    members = [each for each in living if each.session == family.main or each.pid in further]
    if not members:
        _kill_group(family.main, number)
    # timeout(1) passes signals on, so that the tests would get them twice and give up tidying.
    parents = {each.ppid for each in members}
    relays = {each.pid for each in members if each.name == "timeout" and each.pid in parents}
    # Shells with job control make groups of their own; the leaders answer for them.
    led = {each.pid for each in members if each.pid == each.group} - relays - {family.main}
    for each in members:
        if each.pid not in relays and (each.group not in led or each.pid in led):
            _kill(each.pid, number)


def sweep(
    family: Family, group: Group | None, grace: Grace, *, wait: Callable[[float], None]
) -> list[str]:
    """
    Kill all that is left, after a moment in which it may go by itself; return what it was.

    `wait` waits at most so many seconds for it to go.
    """
    if family.ended:
        wait(grace.linger_s)
    return list(kill_all(family, group, grace.sweep_s).values())


def kill_all(family: Family, group: Group | None, seconds: float) -> dict[int, str]:
    """Kill everything below us until nothing is left or could be; return what it was, by pid."""
    killed: dict[int, str] = {}
    if group is not None:
        # Strokes of the kernel, which nothing in the group can flee; the rest is for those that
        # left it and for accounting.
        group.freeze()
        killed.update((pid, describe(pid)) for pid in group.pids() if not tree.is_dead(pid))
        group.kill()
    if not family.adopts:
        # Who was not adopted is found by its group alone.
        _kill_group(family.main, signal.SIGKILL)
    end = time.monotonic() + seconds
    quiet = 0
    while quiet < 3 and time.monotonic() < end:
        quiet = 0 if _freeze_and_kill(family, killed, end) else quiet + 1
        time.sleep(0.005)  # for the kernel to take them away
    return killed


def describe(pid: int) -> str:
    """Return what a finding calls a process."""
    line = tree.command_line(pid) or tree.detail(pid, "comm")
    return f"pid {pid}, {line[:200]}"


def _freeze_and_kill(family: Family, killed: dict[int, str], end: float) -> bool:
    """
    Stop everything, so that nothing can fork away, then kill it.

    Adds what it was; returns False when there was nothing, not even a
    process that ended meanwhile: who forks and ends faster than we look
    leaves dead ones.
    """
    reaped = family.reaped
    frozen: set[int] = set()
    # First those that are ours by now: reading one file is fast enough to catch a process
    # that lives for a millisecond, reading all of /proc is not.
    while fresh := family.adopted() - frozen or {p.pid for p in family.living()} - frozen:
        for pid in fresh:
            _kill(pid, signal.SIGSTOP)
        frozen |= fresh
        if time.monotonic() > end:
            break
    for pid in frozen:
        if not tree.is_dead(pid):
            killed.setdefault(pid, describe(pid))
        _kill(pid, signal.SIGKILL)
    family.reap()
    return bool(frozen) or family.reaped > reaped


def _kill(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def _kill_group(group: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
