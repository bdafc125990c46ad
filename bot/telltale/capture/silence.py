"""Whether a command has gone silent: no output and, all its processes together, next to no CPU time."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

from telltale.capture.output import last_bytes

_SHARE = 0.01
"""Of one core: less is none. A process that only waits wakes up now and then."""
_TICKS_S = 0.03
"""What the kernel's accounting, in hundredths of a second, may show for nothing."""
_LATE_S = 5.0
_LINE = 200
_TAIL = 64 * 1024


class Silence:
    """
    A clock that starts again with every output and every piece of work.

    Time in which we did not look (we were stopped, or starved) proves
    nothing, so it starts again then as well.
    """

    def __init__(self, after_s: float | None) -> None:
        self._after_s = math.inf if after_s is None else after_s
        self._since = math.inf
        """Begin of the time without output and work; it has not begun before the first look."""
        self._cpu_s = 0.0
        """CPU time that had been used by then."""
        self.used_s = 0.0
        """CPU time since then."""
        self.over = False
        """It has been silent for long enough."""

    def look(self, now: float, *, heard: float, cpu_s: float, late_s: float) -> None:
        """
        Take a look into account.

        `heard` is when the last output came, `cpu_s` what all processes had
        used by now, `late_s` how much later than planned this look is. Times
        are of the monotonic clock.
        """
        self.used_s = max(0.0, cpu_s - self._cpu_s)
        worked = self.used_s > max(_SHARE * self._after_s, _TICKS_S)
        if heard > self._since or worked or late_s > _LATE_S or self._since > now:
            self._since, self._cpu_s, self.used_s = now, cpu_s, 0.0
        self.over = now - self._since >= self._after_s


def last_line(log: Path) -> str:
    """Return the last line of a log that says something, shortened; empty when there is none."""
    return next(_lines_backwards(log), "")


def _lines_backwards(log: Path) -> Iterator[str]:
    for line in reversed(last_bytes(log, _TAIL).decode("utf-8", "replace").splitlines()):
        shown = " ".join("".join(c if c.isprintable() else " " for c in line).split())
        if shown:
            yield shown[:_LINE]
