"""
CPU time of commands, in pairs.

Wall time on a shared machine says little, CPU time of a single run not much
more. So every measured command runs beside a bare one, in turns that change
places, and what counts is the median of the pairs' ratios.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import statistics
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

LIMIT_S = 60.0
SCATTER = 0.10
"""Half the middle half of the ratios, as a share of their median: above it a figure is doubtful."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One command, run the same way every time."""

    argv: tuple[str, ...]
    cwd: Path
    env: Mapping[str, str]
    may_fail: bool = False
    """It has an error of its own at its end, which what it took does not depend on."""


def cpu_s(command: Command, limit_s: float = LIMIT_S) -> tuple[float, bool]:
    """
    Run a command; return its CPU time in seconds and whether it ended within the limit.

    User and system time of the process and of all below it that was waited
    for, as wait4(2) tells. Raises `RuntimeError` when it exits with another
    status than 0: a benchmark of a failure is none.
    """
    process = subprocess.Popen(
        command.argv,
        cwd=command.cwd,
        env=dict(command.env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    too_long = threading.Timer(limit_s, _kill, [process.pid])
    too_long.start()
    _, status, usage = os.wait4(process.pid, 0)
    ended = too_long.is_alive()
    too_long.cancel()
    process.returncode = os.waitstatus_to_exitcode(status)
    if ended and process.returncode != 0 and not command.may_fail:
        shown = " ".join(command.argv)
        raise RuntimeError(f"exit status {process.returncode} in {command.cwd}: {shown}")
    return usage.ru_utime + usage.ru_stime, ended


def _kill(group: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """What two commands took, pair by pair, in seconds of CPU."""

    bare: tuple[float, ...]
    other: tuple[float, ...]
    ended: bool
    """Whether the other one ended within its limit; else its figures are too small."""

    @property
    def ratios(self) -> tuple[float, ...]:
        return tuple(other / bare for bare, other in zip(self.bare, self.other, strict=True))

    @property
    def extra_s(self) -> float:
        """Median of what the other one took more."""
        pairs = zip(self.bare, self.other, strict=True)
        return statistics.median(other - bare for bare, other in pairs)

    @property
    def scatters(self) -> bool:
        """Whether the pairs are too unlike each other to be believed."""
        if len(self.ratios) < 4:
            return False
        low, middle, high = statistics.quantiles(self.ratios, n=4)
        return (high - low) / 2 > SCATTER * middle


def pairs(
    bare: Command, other: Command, count: int, *, after: Callable[[], None], limit_s: float
) -> Pairs:
    """Run both `count` times, the first one first and last in turns; `after` tidies up each time."""
    found: dict[str, list[float]] = {"bare": [], "other": []}
    ended = True
    for number in range(count):
        both = [("bare", bare), ("other", other)]
        for name, command in both if number % 2 == 0 else both[::-1]:
            taken, in_time = cpu_s(command, limit_s)
            ended = ended and in_time
            found[name].append(taken)
            after()
        if not ended:
            break
    return Pairs(bare=tuple(found["bare"]), other=tuple(found["other"]), ended=ended)


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Return the range that holds the median in 95 of 100 resamples; of fewer than six, all of it."""
    if len(values) < 6:
        return min(values), max(values)
    chance = random.Random(len(values))  # noqa: S311
    medians = sorted(statistics.median(chance.choices(values, k=len(values))) for _ in range(2_000))
    return medians[50], medians[-51]
