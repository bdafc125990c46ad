"""
All that the command started: found, waited for, and accounted for.

On Linux this process becomes the subreaper (prctl(2),
PR_SET_CHILD_SUBREAPER), so a daemon that left its session, its group and its
environment is still found below us. Nothing here sends a signal.
"""

from __future__ import annotations

import contextlib
import os
import resource
import sys
import time
from collections.abc import Callable
from collections.abc import Set as AbstractSet

from telltale.capture import kernel, tree

_MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024


class Usage:
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

    @property
    def cpu_s(self) -> float:
        """User and system time."""
        return self.user_s + self.system_s

    def add(self, usage: resource.struct_rusage) -> None:
        """Add one process that was waited for."""
        self.user_s += usage.ru_utime
        self.system_s += usage.ru_stime
        self.max_rss_bytes = max(self.max_rss_bytes, usage.ru_maxrss * _MAXRSS_UNIT)
        self.major_faults += usage.ru_majflt
        self.minor_faults += usage.ru_minflt
        self.voluntary_switches += usage.ru_nvcsw
        self.involuntary_switches += usage.ru_nivcsw
        self.inputs += usage.ru_inblock
        self.outputs += usage.ru_oublock


class Family:
    """
    The processes below us, but for the children that were there before.

    From making it to `leave` this process adopts orphans.
    """

    def __init__(self, *, apart: Callable[[], AbstractSet[int]] = frozenset) -> None:
        """`apart` tells which further children are none of the command's."""
        self.main = -1
        """The command itself, once it was started."""
        self.status: int | None = None
        """Of the command: its exit status, or minus the signal; None while it runs."""
        self.ended_at = 0.0
        """When that was noticed, by the monotonic clock."""
        self.usage = Usage()
        self.reaped = 0
        """Processes that ended and that we waited for."""
        # Children that were there before (`sleep 60 & exec telltale ...`) are none of our business.
        self._strangers = frozenset(tree.children(os.getpid()))
        self._apart = apart
        self._tree = tree.Tree(os.getpid())
        self._tree.leave_out()
        self._was_reaper = kernel.adopt_orphans(True)

    @property
    def adopts(self) -> bool:
        """Whether orphans come to us; else only the command's group is known to be ours."""
        return self._was_reaper is not None

    @property
    def ended(self) -> bool:
        """Whether the command itself has ended."""
        return self.status is not None

    @property
    def _others(self) -> AbstractSet[int]:
        return self._strangers | self._apart()

    def leave(self) -> None:
        """Let orphans go to whom they went before."""
        kernel.adopt_orphans(bool(self._was_reaper))

    def members(self) -> list[tree.Process]:
        """Return all of them, parents first, those included that ended and wait to be noticed."""
        # Who loses its parent becomes our child: without children there is nobody below us, and
        # that costs one read instead of one for every process of the machine.
        others = self._others
        if not set(tree.children(os.getpid())) - others:
            return []
        return tree.below(os.getpid(), without=others)

    def look(self) -> list[tree.Process]:
        """Return the same to whoever looks again and again, without reading all others each time."""
        return self._tree.look(without=self._others)

    def living(self) -> list[tree.Process]:
        """Return those that have not ended, parents first."""
        return [process for process in self.members() if not process.dead]

    def adopted(self) -> set[int]:
        """Return the living ones that are our own children by now: fast, and blind for the rest."""
        pids = set(tree.children(os.getpid())) - self._others
        return {pid for pid in pids if not tree.is_dead(pid)}

    def deserted(self) -> bool:
        """Whether nothing lives below us, nor did while we looked."""
        self.reap()
        reaped = self.reaped
        living = self.living()
        self.reap()
        return not living and self.reaped == reaped

    def reap(self) -> None:
        """Wait for every child that has ended, without waiting for it to end."""
        for pid in {self.main, *tree.children(os.getpid())} - self._others:
            with contextlib.suppress(ChildProcessError):
                self._wait(pid)

    def _wait(self, pid: int) -> None:
        found, status, usage = os.wait4(pid, os.WNOHANG)
        if found:
            self.reaped += 1
            self.usage.add(usage)
        if found == self.main:
            self.status = os.waitstatus_to_exitcode(status)
            self.ended_at = time.monotonic()


def own_peak_bytes() -> int:
    """Return this process's largest resident size: what the kernel counts for a child of it at least."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _MAXRSS_UNIT
