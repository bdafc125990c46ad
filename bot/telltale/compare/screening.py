"""
Screen one figure of single tests: which tests deserve to be measured again.

One run of one test proves nothing: on a busy machine one execution in ten
takes half as much CPU time again as usual. So nothing here is ever called a
regression; what stands out is a suspect.

Of each test: the logarithm of its figure against the median of the baseline,
divided by its noise, the median absolute deviation of those logarithms times
1.4826 (which makes it a standard deviation where the noise is normal). Five
runs hardly know a test's noise, so that it is drawn towards the suite's, as
the posterior of a variance is towards its prior. Every run is divided by its
run factor first: how many times as much as usual its tests took.

How much must stand out is learnt from the baseline: each of its runs is
screened as if it were the one under test (leave one out), and the bar is where
such a run, in which nothing changed, has `CLEAN` suspects. The whole suite is
counted at once, so that many tests raise the bar by themselves.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

MIN_RUNS = 5
MIN_CHANGE = 0.10
MIN_LOSS = 0.020
"""In seconds."""
CLEAN = 10
"""How many suspects a run in which nothing changed has on average, at most: loose, since what is
suspected is measured again, and what is not is lost."""
MIN_SCORE = 2.0
"""In deviations: what is below is noise, however quiet the rest is."""

_PRIOR = 20.0
"""Runs that the suite's noise counts for beside a test's own."""
_MIN_NOISE = 0.01
_GRAIN = 0.001
"""Seconds added to both sides of a ratio: below it clocks tell more than tests."""
_FACTOR_MIN = 0.005
_FACTOR_MIN_TESTS = 20

Figures = Mapping[str, float]
"""By nodeid, in seconds: one run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standout:
    """A test that took more, or less, than tests of unchanged runs do."""

    nodeid: str
    now: float
    earlier: Sequence[float]
    """Divided by their runs' factors, sorted."""
    median: float
    threshold: float
    """How large a change had to be, as a part of the median."""
    noise: float
    """A standard deviation, as a part of the median."""
    score: float
    more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Screened:
    """What one figure of a run's tests says."""

    factor: float
    """How many times as much as usual its tests took: the median over them; 1.0 where few tell."""
    more: tuple[Standout, ...] = ()
    less: tuple[Standout, ...] = ()


@dataclass(slots=True, kw_only=True)
class _Suite:
    """The baseline: by nodeid the figures, sorted, with their median and deviation."""

    figures: Mapping[str, Sequence[float]]
    medians: Mapping[str, float]
    deviations: Mapping[str, float] = field(default_factory=dict)
    noise: float = _MIN_NOISE


def screen(now: Figures, runs: Sequence[Figures], *, clean: int = CLEAN) -> Screened:
    """
    Return the tests of a run that stand out against the runs of its baseline.

    Only tests in at least five of them are looked at. `clean` is how many of
    them a run in which nothing changed has on average, at most.
    """
    suite = _suite(now, runs)
    factor = run_factor(now, suite.medians)
    allowed = clean * len(runs)
    return Screened(
        factor=factor,
        more=_standing_out(now, suite, factor or 1.0, allowed, more=True),
        less=_standing_out(now, suite, factor or 1.0, allowed, more=False),
    )


def run_factor(figures: Figures, medians: Figures) -> float:
    """
    Return how many times as much as usual the tests of a run took.

    The median over the tests, so that a few that changed do not count; 1.0
    where there are too few to say.
    """
    ratios = sorted(
        figures[nodeid] / median
        for nodeid, median in medians.items()
        if median >= _FACTOR_MIN and nodeid in figures
    )
    return _median(ratios) if len(ratios) >= _FACTOR_MIN_TESTS else 1.0


def _suite(now: Figures, runs: Sequence[Figures]) -> _Suite:
    raw = {nodeid: [run[nodeid] for run in runs if nodeid in run] for nodeid in now}
    medians = {
        nodeid: _median(sorted(values)) for nodeid, values in raw.items() if len(values) >= MIN_RUNS
    }
    factors = [run_factor(run, medians) or 1.0 for run in runs]
    pairs = list(zip(runs, factors, strict=True))
    figures = {
        nodeid: sorted([run[nodeid] / factor for run, factor in pairs if nodeid in run])
        for nodeid in medians
    }
    suite = _Suite(
        figures=figures, medians={nodeid: _median(values) for nodeid, values in figures.items()}
    )
    suite.deviations = {
        nodeid: _deviation(values, suite.medians[nodeid]) for nodeid, values in figures.items()
    }
    telling = [
        each for nodeid, each in suite.deviations.items() if suite.medians[nodeid] >= _FACTOR_MIN
    ]
    if len(telling) >= _FACTOR_MIN_TESTS:
        suite.noise = max(_MIN_NOISE, _median(sorted(telling)))
    return suite


def _standing_out(
    now: Figures, suite: _Suite, factor: float, allowed: int, *, more: bool
) -> tuple[Standout, ...]:
    bar = _bar(suite, allowed, more=more)
    found = []
    for nodeid, values in suite.figures.items():
        value, median = now[nodeid] / factor, suite.medians[nodeid]
        if not _large(value, median, more=more):
            continue
        noise = _shrunk(suite.deviations[nodeid], len(values), suite.noise)
        score = abs(_log(value, median)) / noise
        if score > bar:
            found.append(
                Standout(
                    nodeid=nodeid,
                    now=now[nodeid],
                    earlier=values,
                    median=median,
                    threshold=_threshold(median, bar * noise, more=more),
                    noise=noise,
                    score=score,
                    more=more,
                )
            )
    # The most certain first: as many as can be measured again are taken from the front.
    return tuple(sorted(found, key=lambda one: (-one.score, one.nodeid)))


def _bar(suite: _Suite, allowed: int, *, more: bool) -> float:
    """Return the score above which all runs of the baseline together have so many suspects."""
    scores = sorted(
        (
            score
            for values in suite.figures.values()
            for score in _left_out(values, suite.noise, more=more)
        ),
        reverse=True,
    )
    return max(MIN_SCORE, scores[allowed]) if len(scores) > allowed else MIN_SCORE


def _left_out(values: Sequence[float], noise: float, *, more: bool) -> Iterator[float]:
    """Yield the scores of those figures of a test that are large among its others."""
    count = len(values)
    for step in range(count):
        at = count - 1 - step if more else step
        # The others stay sorted: their median is next to the middle.
        others = [*values[:at], *values[at + 1 :]]
        median = _median(others)
        # From the extreme inwards: the first that is not large ends it.
        if not _large(values[at], median, more=more):
            return
        own = _shrunk(_deviation(others, median), count - 1, noise)
        yield abs(_log(values[at], median)) / own


def _large(value: float, median: float, *, more: bool) -> bool:
    change = value - median if more else median - value
    return change > MIN_LOSS and change > MIN_CHANGE * median


def _threshold(median: float, deviation: float, *, more: bool) -> float:
    usual = max(median, 1e-6)
    part = math.expm1(min(deviation, 20.0)) if more else -math.expm1(-deviation)
    return max(MIN_CHANGE, MIN_LOSS / usual, part)


def _log(value: float, median: float) -> float:
    return math.log((value + _GRAIN) / (median + _GRAIN))


def _deviation(values: Sequence[float], median: float) -> float:
    base = median + _GRAIN
    return 1.4826 * _median(sorted([abs(math.log((value + _GRAIN) / base)) for value in values]))


def _shrunk(own: float, runs: int, noise: float) -> float:
    return math.sqrt((runs * own * own + _PRIOR * noise * noise) / (runs + _PRIOR))


def _median(values: Sequence[float]) -> float:
    """Return the median of sorted values."""
    middle = len(values) // 2
    return values[middle] if len(values) % 2 else (values[middle - 1] + values[middle]) / 2
