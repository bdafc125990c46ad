"""
Screen the durations of single tests: which ones deserve a second look.

One run of one test proves nothing: on a busy machine a quarter of all
executions take half as long again as usual. So nothing here is ever called a
regression; what stands out is listed as a suspect, the largest loss first.

How much must stand out is learnt from the baseline: each of its runs is
screened as if it were the one under test, and the bar is where such a run, in
which nothing changed, has one suspect.
"""

from __future__ import annotations

import statistics
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from telltale.compare.judge import interquartile_range
from telltale.model import TestOutcome, Verdict
from telltale.records import Judgement, Record

MAX_SUSPECTS = 20
MIN_RUNS = 5
MIN_CHANGE = 0.10
MIN_LOSS_S = 0.020
CLEAN_SUSPECTS = 1
"""How many suspects a run in which nothing changed has on average."""

_FACTOR_MIN_S = 0.005
_FACTOR_MIN_TESTS = 20
_FACTOR_TOLD = 1.05
"""Smaller factors are taken out too, without a word."""

_Durations = Mapping[str, float]
"""By nodeid, in seconds: one run."""
_Earlier = Mapping[str, Sequence[float]]
"""By nodeid, in seconds, sorted: what a test took in each run that has it."""


def suspects(head: Record, baseline: Sequence[Record]) -> tuple[Judgement, ...]:
    """
    Return at most 20 tests that lost more time than tests of unchanged runs do.

    Only tests that passed and ran once in a run are looked at. A run in which
    everything took longer is taken as a slower machine: its durations are
    divided by that factor first.
    """
    now = _passed_once(head)
    runs = [_passed_once(record) for record in baseline]
    earlier = _earlier(now, runs)
    bar_s = _bar(earlier, runs)
    factor = run_factor(now, earlier)
    lost = {nodeid: loss for nodeid, loss in _losses(now, earlier, factor) if loss > bar_s}
    worst = sorted(lost, key=lambda nodeid: (-lost[nodeid], nodeid))[:MAX_SUSPECTS]
    return tuple(
        _judgement(nodeid, now[nodeid], earlier[nodeid], bar_s, factor) for nodeid in worst
    )


def run_factor(durations: _Durations, earlier: _Earlier) -> float:
    """
    Return how many times as long as usual the tests of a run took, 1.0 or more.

    The median over the tests, so that a few that became slower do not count;
    1.0 where there are too few tests to say. A fast run is not scaled up:
    that would turn its noise into suspects.
    """
    ratios = [
        durations[nodeid] / median
        for nodeid, values in earlier.items()
        if nodeid in durations and (median := statistics.median(values)) >= _FACTOR_MIN_S
    ]
    return max(1.0, statistics.median(ratios)) if len(ratios) >= _FACTOR_MIN_TESTS else 1.0


def _losses(durations: _Durations, earlier: _Earlier, factor: float) -> Iterator[tuple[str, float]]:
    """Yield the tests slower than in every earlier run, and by how many seconds."""
    for nodeid, values in earlier.items():
        duration = durations.get(nodeid, 0.0) / factor
        # The cheap question first: nearly every test ends here.
        if duration <= values[-1]:
            continue
        median = statistics.median(values)
        loss = duration - median
        if loss > max(MIN_LOSS_S, MIN_CHANGE * median):
            yield nodeid, loss


def _bar(earlier: _Earlier, runs: Sequence[_Durations]) -> float:
    """Return the seconds above which a run of the baseline has `CLEAN_SUSPECTS` suspects."""
    losses = []
    for run in runs:
        others = {
            nodeid: _without(values, run[nodeid])
            for nodeid, values in earlier.items()
            # Only the slowest run of a test can stand out among the others.
            if run.get(nodeid) == values[-1]
        }
        factor = run_factor(run, earlier)
        losses += [loss for _, loss in _losses(run, others, factor)]
    losses.sort(reverse=True)
    allowed = CLEAN_SUSPECTS * len(runs)
    return losses[allowed] if len(losses) > allowed else 0.0


def _without(values: Sequence[float], value: float) -> Sequence[float]:
    at = bisect_left(values, value)
    return [*values[:at], *values[at + 1 :]]


def _earlier(now: _Durations, runs: Sequence[_Durations]) -> _Earlier:
    found = {nodeid: sorted(run[nodeid] for run in runs if nodeid in run) for nodeid in now}
    return {nodeid: values for nodeid, values in found.items() if len(values) >= MIN_RUNS}


def _judgement(
    nodeid: str, now: float, earlier: Sequence[float], bar_s: float, factor: float
) -> Judgement:
    median = statistics.median(earlier)
    usual = max(median, 1e-6)
    whole = f", though the whole run took {factor:.2f} times as long"
    slower = whole if factor >= _FACTOR_TOLD else ""
    return Judgement(
        metric="duration_s",
        nodeid=nodeid,
        unit="s",
        verdict=Verdict.UNDECIDED,
        reason=f"suspect: slower than in each of {len(earlier)} runs{slower}; one run is no proof",
        advisory=True,
        now=now,
        n=len(earlier),
        baseline=median,
        spread=interquartile_range(earlier),
        change=now / usual - 1,
        threshold=max(MIN_CHANGE, MIN_LOSS_S / usual, bar_s / usual),
    )


def _passed_once(record: Record) -> _Durations:
    times = Counter(test.nodeid for test in record.tests)
    return {
        test.nodeid: test.duration_s
        for test in record.tests
        if test.outcome is TestOutcome.PASSED and times[test.nodeid] == 1
    }
