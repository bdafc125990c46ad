"""The process tree over time, as rows of `artifacts/samples.csv`."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from telltale.capture.tree import Process

INTERVAL_S = 1.0
_FIRST_S = 0.05
_SHARE = 0.01
"""Of one core, at most, for looking: on a machine with thousands of processes samples get rarer."""

COLUMNS = "elapsed_s,processes,cpu_s,rss_bytes"


class Sampler:
    """
    Looks at once, then ever less often, then every second.

    `cpu_s` is the user and system time of the living tree and of all that it
    or we have waited for; `rss_bytes` is the sum over the tree, in which
    pages that processes share count once for each.
    """

    def __init__(
        self, path: Path, tree: Callable[[], Sequence[Process]], reaped_s: Callable[[], float]
    ) -> None:
        self.peak_bytes = 0
        """The largest sum seen."""
        self.largest_bytes = 0
        """The largest single process seen."""
        self.looked = False
        """Whether any process was seen, though a small one's size may read as 0."""
        self.cpu_s = 0.0
        """CPU time of the last row."""
        self.late_s = 0.0
        """How much later than planned the last look was."""
        self.due = math.inf
        """When the next look is due, by the monotonic clock."""
        self._start = 0.0
        self._tree = tree
        self._reaped_s = reaped_s
        self._file = path.open("w", encoding="ascii", buffering=1)
        self._write(COLUMNS)

    def begin(self) -> None:
        """Count time from now."""
        self._start = self.due = time.monotonic()

    def tick(self) -> bool:
        """Look, if it is due; return whether it was."""
        now = time.monotonic()
        if now < self.due:
            return False
        self.late_s = now - self.due
        before = time.process_time()
        self._look(now - self._start)
        cost = time.process_time() - before
        growing = max(_FIRST_S, now - self._start)
        self.due = now + max(min(INTERVAL_S, growing), cost / _SHARE)
        return True

    def close(self) -> None:
        """End the file."""
        with contextlib.suppress(OSError):
            self._file.close()

    def _look(self, elapsed_s: float) -> None:
        found = self._tree()
        living = [process for process in found if not process.dead]
        if not living:
            return
        self.looked = True
        sizes = [process.rss_bytes for process in living]
        self.peak_bytes = max(self.peak_bytes, sum(sizes))
        self.largest_bytes = max(self.largest_bytes, *sizes)
        # Who ended has its time until somebody waits for it: then it is in its parent's.
        self.cpu_s = sum(process.cpu_s for process in found) + self._reaped_s()
        self._write(f"{elapsed_s:.3f},{len(living)},{self.cpu_s:.2f},{sum(sizes)}")

    def _write(self, row: str) -> None:
        # A full disk costs samples, not the run.
        with contextlib.suppress(OSError):
            self._file.write(row + "\n")
