"""
Screen the durations of single tests: which ones deserve a second look.

One run of one test proves nothing: on a busy machine a quarter of all
executions take half as long again as usual. So nothing here is ever called a
regression; what stands out is listed as a suspect, the largest loss first.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence

from telltale.compare.judge import interquartile_range
from telltale.model import Judgement, Record, TestOutcome, Verdict

MAX_SUSPECTS = 20
MIN_RUNS = 5
MIN_CHANGE = 0.10
MIN_LOSS_S = 0.020
NOISE_FACTOR = 3.0

_FACTOR_MIN_S = 0.005
_FACTOR_MIN_TESTS = 20


def suspects(head: Record, baseline: Sequence[Record]) -> tuple[Judgement, ...]:
    """
    Return at most 20 tests that look slower than in every run of the baseline.

    Only tests that passed and ran once in a run are looked at. A run in which
    everything took longer is taken as a slower machine: its durations are
    divided by that factor first.
    """
    now = _passed_once(head)
    earlier: dict[str, list[float]] = {nodeid: [] for nodeid in now}
    for record in baseline:
        for nodeid, duration in _passed_once(record).items():
            if nodeid in earlier:
                earlier[nodeid].append(duration)
    known = {nodeid: values for nodeid, values in earlier.items() if len(values) >= MIN_RUNS}
    factor = run_factor(now, known)
    found = [
        judgement
        for nodeid, values in known.items()
        if (judgement := _suspect(nodeid, now[nodeid], values, factor))
    ]
    found.sort(key=lambda judgement: (-_loss(judgement, factor), judgement.nodeid))
    return tuple(found[:MAX_SUSPECTS])


def run_factor(now: Mapping[str, float], earlier: Mapping[str, Sequence[float]]) -> float:
    """
    Return how many times as long as usual the tests of a run took, 1.0 or more.

    The median over the tests, so that a few that became slower do not count;
    1.0 where there are too few tests to say. A fast run is not scaled up:
    that would turn its noise into suspects.
    """
    ratios = [
        now[nodeid] / median
        for nodeid, values in earlier.items()
        if (median := statistics.median(values)) >= _FACTOR_MIN_S
    ]
    return max(1.0, statistics.median(ratios)) if len(ratios) >= _FACTOR_MIN_TESTS else 1.0


def _suspect(nodeid: str, now: float, earlier: Sequence[float], factor: float) -> Judgement | None:
    median = statistics.median(earlier)
    # Cheap questions first: nearly every test ends here.
    loss = now / factor - median
    if loss <= MIN_LOSS_S or now / factor <= max(earlier) or median <= 0:
        return None
    spread = interquartile_range(earlier)
    threshold = max(MIN_CHANGE, MIN_LOSS_S / median, NOISE_FACTOR * spread / median)
    if loss / median <= threshold:
        return None
    slower = f", in a run that took {factor:.2f} times as long as usual" if factor > 1 else ""
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
        spread=spread,
        change=now / median - 1,
        threshold=threshold,
    )


def _loss(judgement: Judgement, factor: float) -> float:
    return (judgement.now or 0.0) / factor - (judgement.baseline or 0.0)


def _passed_once(record: Record) -> dict[str, float]:
    times = Counter(test.nodeid for test in record.tests)
    return {
        test.nodeid: test.duration_s
        for test in record.tests
        if test.outcome is TestOutcome.PASSED and times[test.nodeid] == 1
    }
