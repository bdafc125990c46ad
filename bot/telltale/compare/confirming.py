"""
Is a suspect really slower? Judge figures of base and head, measured in turn on one machine.

Pure. The rule is Mann-Whitney's: when nothing changed, every order of the
figures is equally likely. Of the C(10, 5) = 252 ways to choose which ranks
of five base and five head figures are head's, 4 give head 23 pairs of 25 or
more (U <= 2: 1, 1 and 2 ways for U = 0, 1 and 2), so by the pairs alone an
unchanged suspect is called a regression in 4/252 = 1.6 % of all cases, and
an improvement as often, whatever the noise looks like. The least change
leaves of that only what the machine's noise reaches. Ties make it rarer.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from itertools import product

from telltale.model import Confirmation, Verdict

ROUNDS = 5
"""Measurements of base, and of head."""
NEEDED = 23
"""Pairs of the 25 that must differ in one way."""
MIN_CHANGE = 0.10
"""Of the lower median: so that an improvement is a regression seen from the other side."""
MIN_SECONDS = 0.010
MIN_BYTES = 8 * 1024 * 1024

_FLOORS = {"s": MIN_SECONDS, "bytes": MIN_BYTES}


def confirm(
    metric: str,
    nodeid: str,
    unit: str,
    base: Sequence[float],
    head: Sequence[float],
    *,
    problem: str = "",
) -> Confirmation:
    """
    Return what the figures, in their order of measurement, say about head.

    A regression or an improvement needs 23 of 25 pairs, more than 10 % of the
    lower median, and more than 10 ms or 8 MiB; all else is unchanged. Figures
    that are not there yet leave it undecided while they could still decide
    it. `problem`, why something could not be measured, leaves it undecided in
    any case, as does a figure that is negative or not finite.
    """
    higher = sum(before < after for before, after in product(base, head))
    lower = sum(before > after for before, after in product(base, head))
    known = problem or _unusable(base, head)
    verdict, reason = (Verdict.UNDECIDED, known) if known else _judge(unit, base, head)
    up = statistics.median(head) >= statistics.median(base) if base and head else True
    return Confirmation(
        nodeid=nodeid,
        metric=metric,
        unit=unit,
        base=tuple(base),
        head=tuple(head),
        wins=higher if up else lower,
        pairs=len(base) * len(head),
        verdict=verdict,
        reason=reason,
    )


def is_open(base: Sequence[float], head: Sequence[float]) -> bool:
    """
    Return whether further measurements, up to five of each, can still confirm a change.

    Exact: a pair that was not won stays so, and 3 such pairs in each
    direction leave neither one 23 of 25.
    """
    higher = sum(before < after for before, after in product(base, head))
    lower = sum(before > after for before, after in product(base, head))
    there = len(base) * len(head)
    allowed = _pairs(base, head) - _needed(base, head)
    return there - max(higher, lower) <= allowed


def _judge(unit: str, base: Sequence[float], head: Sequence[float]) -> tuple[Verdict, str]:
    if not is_open(base, head):
        return Verdict.UNCHANGED, _words(unit, base, head) + _needs(unit, base, head)
    for figures, what in ((base, "base"), (head, "head")):
        if len(figures) < ROUNDS:
            return (
                Verdict.UNDECIDED,
                f"{len(figures)} measurements of {what} of {ROUNDS} needed",
            )
    before, after = statistics.median(base), statistics.median(head)
    size = abs(after - before)
    if size <= MIN_CHANGE * min(before, after) or size <= _FLOORS.get(unit, 0.0):
        return Verdict.UNCHANGED, _words(unit, base, head) + _needs(unit, base, head)
    verdict = Verdict.REGRESSION if after > before else Verdict.IMPROVEMENT
    return verdict, _words(unit, base, head)


def _words(unit: str, base: Sequence[float], head: Sequence[float]) -> str:
    before, after = statistics.median(base), statistics.median(head)
    up = after >= before
    pairs = sum((b < h) if up else (b > h) for b, h in product(base, head))
    change = f" ({100 * (after / before - 1):+.0f} %)" if before > 0 else ""
    return (
        f"{figure(before, unit)} without the change, {figure(after, unit)} with it{change},"
        f" {'higher' if up else 'lower'} in {pairs} of {len(base) * len(head)} pairs"
    )


def _needs(unit: str, base: Sequence[float], head: Sequence[float]) -> str:
    floor = {"s": " and 10 ms", "bytes": " and 8 MiB"}.get(unit, "")
    return f"; {_needed(base, head)} of {_pairs(base, head)} and more than 10 %{floor} count"


def figure(value: float, unit: str) -> str:
    """Return a figure for people: seconds to the millisecond, bytes in MiB."""
    if unit == "bytes":
        return f"{value / 1024 / 1024:.1f} MiB"
    return f"{value:.3f} {unit}"


def _pairs(base: Sequence[float], head: Sequence[float]) -> int:
    return max(len(base), ROUNDS) * max(len(head), ROUNDS)


def _needed(base: Sequence[float], head: Sequence[float]) -> int:
    return math.ceil(_pairs(base, head) * NEEDED / ROUNDS**2)


def _unusable(base: Sequence[float], head: Sequence[float]) -> str:
    if any(not math.isfinite(value) or value < 0 for value in (*base, *head)):
        return "a figure is negative or no number"
    return ""
