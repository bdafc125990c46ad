"""
How sure counted failures make one: intervals of a rate, and two rates compared.

Sources: C. J. Clopper and E. S. Pearson, "The use of confidence or fiducial
limits illustrated in the case of the binomial", Biometrika 26 (1934), for the
interval; R. A. Fisher, "The Design of Experiments" (1935), for the exact test.
Both are exact for any number of runs, at the price of being wide for few.
"""

from __future__ import annotations

from collections.abc import Callable
from math import comb

CONFIDENCE = 0.95
BY_CHANCE = 0.005
"""A difference that equal rates show more seldom than this is believed: 5 of 5 against 0 of 5."""


def interval(failures: int, runs: int) -> tuple[float, float]:
    """Return the Clopper-Pearson interval at 95 % for a failure rate; (0, 1) without runs."""
    if not runs:
        return 0.0, 1.0
    tail = (1 - CONFIDENCE) / 2
    low = (
        0.0 if failures == 0 else _root(lambda rate: 1 - _at_most(failures - 1, runs, rate) > tail)
    )
    high = 1.0 if failures == runs else _root(lambda rate: _at_most(failures, runs, rate) <= tail)
    return low, high


def chance(*, failures: int, runs: int, others: int, other_runs: int) -> float:
    """
    Return how likely a difference this large or larger is when both rates are equal.

    Fisher's exact test, one-sided: the first rate is the one expected to be larger.
    """
    total, failed = runs + other_runs, failures + others
    ways = comb(total, failed)
    most = min(failed, runs)
    return (
        sum(comb(runs, k) * comb(other_runs, failed - k) for k in range(failures, most + 1)) / ways
    )


def _at_most(count: int, runs: int, rate: float) -> float:
    """Return the probability of at most `count` failures."""
    return sum(comb(runs, k) * rate**k * (1 - rate) ** (runs - k) for k in range(count + 1))


def _root(above: Callable[[float], bool]) -> float:
    """Return where a condition on the rate begins to hold, by halving."""
    low, high = 0.0, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (low, middle) if above(middle) else (middle, high)
    return (low + high) / 2
