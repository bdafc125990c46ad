"""
Where the level of a sequence of figures changed: numbers in, indices out.

The method follows E-divisive (Matteson & James, "A Nonparametric Approach for
Multiple Change Point Analysis of Multivariate Data", JASA 109, 2014) as Hunter
and Apache Otava use it for benchmarks (Fleming, Kolaczkowski et al., "Hunter:
Using Change Point Detection to Hunt for Performance Regressions", ICPE 2023):
split where two parts differ most, test the split, go on in the parts, and
test at the end what stands beside its neighbours. Three things differ:

- The statistic is Mann and Whitney's on ranks, not the energy distance: a
  spike is one rank and cannot make a level, and its distribution is the same
  for every test of a suite.
- Significance is a bound (Chernoff's, from the Gaussian binomial coefficient
  that generates the statistic's distribution), not a permutation test: nothing
  is random, and p of 1e-9, as 10,000 tests together need it, cost the same.
- The place is told as a range of runs, not as one.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple

MIN_SEGMENT = 5
"""A level is at least so many runs; fewer are spikes."""
WINDOW = 60
"""A level that came and went is sought in windows of so many runs, too."""

_TINY = 1e-9
_MIN_Z2 = 10.0
"""Weaker splits are never significant at `ALPHA`, whatever their sizes: not looked at further."""
ALPHA = 0.02
"""Chance of a change in one sequence, or one family of sequences, of interchangeable figures."""
_WANDER = 3.5
"""Where figures wander, how many deviations apart two levels are at least."""
_LOCATION = 6.0
"""How much worse than the best place another may explain the figures, to count as possible."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """Smaller changes are nothing, however certain."""

    change: float
    """Of the level before, or of the level after where that is lower."""
    amount: float
    """In the unit of the figures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePoint:
    """Two levels and where one became the other."""

    at: int
    """Index of the first figure of the new level, as far as one can say."""
    earliest: int
    """The new level began no earlier than here ..."""
    latest: int
    """... and no later than here."""
    before: float
    """Median of the old level."""
    after: float
    n_before: int
    n_after: int

    @property
    def change(self) -> float:
        """Part of the level before: after / before - 1."""
        return self.after / self.before - 1


class _Split(NamedTuple):
    at: int
    start: int
    end: int
    """The runs in which it was the surest."""


def change_points(
    values: Sequence[float], floor: Floor, *, family: int = 1
) -> tuple[ChangePoint, ...]:
    """
    Return the changes of level in `values`, which are not negative, oldest first.

    `family` is how many sequences are looked through together: the more, the
    surer each change must be.
    """
    if not possible(values, floor):
        return ()
    bar = math.log(ALPHA / (4 * len(values) * family))
    found: list[_Split] = []
    parts = [(0, len(values))]
    while parts:
        low, high = parts.pop()
        split = _split(values, low, high, floor, bar)
        if split:
            found.append(split)
            parts += [(low, split.at), (split.at, high)]
    return _settled(values, sorted(found), floor, bar)


def possible(values: Sequence[float], floor: Floor) -> bool:
    """
    Return whether the medians of some five runs in a row differ by more than the floor.

    The cheap question: nearly every test of a suite ends here.
    """
    if len(values) < 2 * MIN_SEGMENT or max(values) - min(values) <= floor.amount:
        return False
    middle = MIN_SEGMENT // 2
    medians = [
        sorted(values[at : at + MIN_SEGMENT])[middle]
        for at in range(0, len(values) - MIN_SEGMENT + 1, MIN_SEGMENT)
    ]
    return _large(min(medians), max(medians), floor)


def log_chance(smaller: int, larger: int, u: float) -> float:
    """
    Return an upper bound of ln P(U <= u), U by Mann and Whitney without a difference.

    For every 0 < q < 1, P(U <= u) <= q**-u E[q**U], and E[q**U] is the
    Gaussian binomial coefficient over the ordinary one. With ties U varies
    less, and the bound holds (Jensen).
    """
    n = smaller + larger
    ways = math.lgamma(n + 1) - math.lgamma(smaller + 1) - math.lgamma(larger + 1)

    def bound(t: float) -> float:
        total = t * u - ways
        for i in range(1, smaller + 1):
            total += math.log(math.expm1(-t * (larger + i)) / math.expm1(-t * i))
        return total

    # Convex in t: golden section over ln t.
    low, high = math.log(1e-6), math.log(20.0)
    for _ in range(24):
        left, right = low + 0.382 * (high - low), low + 0.618 * (high - low)
        if bound(math.exp(left)) < bound(math.exp(right)):
            high = right
        else:
            low = left
    return min(0.0, bound(math.exp((low + high) / 2)))


def _split(values: Sequence[float], low: int, high: int, floor: Floor, bar: float) -> _Split | None:
    """Return where the part is split most surely, None where nowhere."""
    best, split = bar, None
    for start, end in ((low, high), *_windows(low, high)):
        found = _strongest(values[start:end])
        if found is None:
            continue
        middle = start + found[0]
        if not _matters(values, start, middle, end, floor):
            continue
        chance = _chance(end - start, *found)
        if chance < best:
            best, split = chance, _Split(middle, start, end)
    return split


def _windows(low: int, high: int) -> list[tuple[int, int]]:
    if high - low <= WINDOW:
        return []
    starts = [*range(low, high - WINDOW, WINDOW // 2), high - WINDOW]
    return [(start, start + WINDOW) for start in starts]


def _strongest(values: Sequence[float]) -> tuple[int, float] | None:
    """Return the length of the first part and U of the strongest split, None when all are weak."""
    n = len(values)
    if n < 2 * MIN_SEGMENT:
        return None
    sums = list(accumulate(_ranks(values)))
    scores = [
        (sums[k - 1] - k * (n + 1)) ** 2 / (k * (n - k))
        for k in range(MIN_SEGMENT, n - MIN_SEGMENT + 1)
    ]
    best = max(scores)
    # Ranks are doubled: four times the variance of a sum, k (n - k) (n + 1) / 12.
    if 3 * best / (n + 1) < _MIN_Z2:
        return None
    k = MIN_SEGMENT + scores.index(best)
    return k, _u(sums[k - 1], k, n)


def _u(doubled: int, k: int, n: int) -> float:
    """Return the smaller U of a first part of `k` with this sum of doubled ranks."""
    u = doubled / 2 - k * (k + 1) / 2
    return min(u, k * (n - k) - u)


def _chance(n: int, k: int, u: float) -> float:
    return math.log(2) + log_chance(min(k, n - k), max(k, n - k), u)


def _ranks(values: Sequence[float]) -> list[int]:
    """Return twice the rank of each value, equal ones sharing theirs."""
    order = sorted(range(len(values)), key=values.__getitem__)
    ranks = [0] * len(values)
    at = 0
    while at < len(order):
        end = at + 1
        while end < len(order) and values[order[end]] == values[order[at]]:
            end += 1
        for index in order[at:end]:
            ranks[index] = at + end + 1
        at = end
    return ranks


def _large(before: float, after: float, floor: Floor) -> bool:
    low, high = sorted((before, after))
    return low > _TINY and high - low > floor.amount and high > low * (1 + floor.change)


def _matters(values: Sequence[float], low: int, split: int, high: int, floor: Floor) -> bool:
    """Return whether two levels are far enough apart, or the ends of a climb between them are."""
    before, after = values[low:split], values[split:high]
    if _large(statistics.median(before), statistics.median(after), floor):
        return True
    climb = _climb(values, low, split, high)
    return _large(climb.before, climb.after, floor)


def _climb(values: Sequence[float], low: int, split: int, high: int) -> ChangePoint:
    """
    Return the change from the first third of the runs to the last.

    Of a slow climb, the halves differ by half of what it adds up to.
    """
    third = max(MIN_SEGMENT, (high - low) // 3)
    return ChangePoint(
        at=min(max(split, low + third), high - third),
        earliest=low + third,
        latest=high - third,
        before=statistics.median(values[low : low + third]),
        after=statistics.median(values[high - third : high]),
        n_before=third,
        n_after=third,
    )


def _settled(
    values: Sequence[float], found: list[_Split], floor: Floor, bar: float
) -> tuple[ChangePoint, ...]:
    """Place each split anew between its neighbours and drop those that do not hold there."""
    wander = wanders(values)
    while found:
        edges = [0, *(split.at for split in found), len(values)]
        placed, chances = [], []
        for split, low, high in zip(found, edges, edges[2:], strict=False):
            point = _place(values, low, split.at, high)
            if not _large(point.before, point.after, floor):
                point = _climb(values, low, split.at, high)
            placed.append(point)
            holds = _large(point.before, point.after, floor) and not (
                wander and not _apart(values, low, point, high)
            )
            # Beside its neighbours, or where it was found: what was taken back again a few
            # runs ago is not yet a neighbour.
            spans = ((low, high), (max(low, split.start), min(high, split.end)))
            chances.append(
                min(_standing(values, *span, point.at) for span in spans) if holds else 0.0
            )
        weakest = max(chances)
        if weakest <= bar:
            return tuple(placed)
        del found[chances.index(weakest)]
    return ()


def _standing(values: Sequence[float], low: int, high: int, at: int) -> float:
    """Return ln of the chance of a change at `at` among the runs of a span."""
    n, k = high - low, at - low
    if min(k, n - k) < MIN_SEGMENT:
        return 0.0
    return _chance(n, k, _u(sum(_ranks(values[low:high])[:k]), k, n))


def wanders(values: Sequence[float]) -> bool:
    """
    Return whether neighbours resemble each other more than chance allows (turning point test).

    Of three figures in a row that may be interchanged, the middle one is the
    highest or lowest two times in three (Bienaymé, 1874); of a random walk,
    one time in two. Steps, slopes and spikes hardly touch that share; a
    machine that is slower for some runs and then faster does. Fewer turns than
    a random walk has are a trend.
    """
    n = len(values)
    turns = sum(
        (b - a) * (c - b) <= 0.0 for a, b, c in zip(values, values[1:], values[2:], strict=False)
    )
    least = (n - 2) / 2 - math.sqrt(n)
    return least < turns < 2 * (n - 2) / 3 - 2 * math.sqrt((16 * n - 29) / 90)


def _apart(values: Sequence[float], low: int, point: ChangePoint, high: int) -> bool:
    deviation = statistics.median(
        [abs(value - point.before) for value in values[low : point.at]]
        + [abs(value - point.after) for value in values[point.at : high]]
    )
    return abs(point.after - point.before) > _WANDER * 1.4826 * deviation


def _place(values: Sequence[float], low: int, split: int, high: int) -> ChangePoint:
    """
    Return the change at the place that explains the figures best, and the other possible ones.

    With both levels known, every figure speaks for one of them; absolute
    deviations, so that a spike speaks no louder than the levels lie apart.
    """
    before = statistics.median(values[low:split])
    after = statistics.median(values[split:high])
    scale = statistics.mean(
        [abs(value - before) for value in values[low:split]]
        + [abs(value - after) for value in values[split:high]]
    )
    costs = list(
        accumulate(
            (abs(value - before) - abs(value - after) for value in values[low:high]), initial=0.0
        )
    )
    inner = range(MIN_SEGMENT, high - low - MIN_SEGMENT + 1)
    at = min(inner, key=costs.__getitem__)
    worst = costs[at] + _LOCATION * max(scale, _TINY * after)
    maybe = [k for k in inner if costs[k] <= worst]
    middle = low + at
    return ChangePoint(
        at=middle,
        earliest=low + maybe[0],
        latest=low + maybe[-1],
        before=statistics.median(values[low:middle]),
        after=statistics.median(values[middle:high]),
        n_before=middle - low,
        n_after=high - middle,
    )
