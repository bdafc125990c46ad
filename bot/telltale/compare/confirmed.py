"""What measuring again showed, in place of what was only suspected."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import replace

from telltale.compare.confirming import confirm
from telltale.model import Confirmation, Verdict
from telltale.records import Judgement

MAX_TAKEN = 200
"""More than any run confirms: a bundle may hold what its author likes."""

NOISES = 2.5
"""Times its noise from run to run that a confirmed change of a test exceeds."""

_DECIDING = frozenset({"cpu_s", "max_rss_bytes", "rss_peak_change_bytes"})
_CHANGED = frozenset({Verdict.REGRESSION, Verdict.IMPROVEMENT})


def settle(
    judgements: Sequence[Judgement], confirmations: Sequence[Confirmation]
) -> tuple[Judgement, ...]:
    """
    Return the judgements, those that were measured again with the verdict of that.

    CPU time and memory decide then, single tests' too; wall time stays
    advisory. A change that was not suspected and was confirmed is added. The
    verdict is worked out from the figures, whatever the bundle calls it.
    """
    found = {(one.nodeid, one.metric): _again(one) for one in confirmations[:MAX_TAKEN]}
    settled = [_settled(one, found.pop((one.nodeid, one.metric), None)) for one in judgements]
    added = [_alone(one) for one in found.values() if one.verdict in _CHANGED]
    return (*settled, *added)


def _again(one: Confirmation) -> Confirmation:
    # What could not be measured to the end has its reason there, and stays undecided.
    problem = one.reason if one.verdict is Verdict.UNDECIDED else ""
    return confirm(one.metric, one.nodeid, one.unit, one.base, one.head, problem=problem)


def _settled(judgement: Judgement, one: Confirmation | None) -> Judgement:
    if one is None:
        return judgement
    if one.verdict is Verdict.UNDECIDED:
        reason = f"{judgement.reason}; measured again: {one.reason}"
        return replace(judgement, reason=reason, confirmation=one)
    against = _against(judgement, one) if one.verdict in _CHANGED else ""
    return replace(
        judgement,
        verdict=Verdict.UNCHANGED if against else one.verdict,
        reason=f"measured again: {one.reason}{against}",
        advisory=judgement.advisory and one.metric not in _DECIDING,
        confirmation=one,
    )


def _against(judgement: Judgement, one: Confirmation) -> str:
    """
    Return what speaks against a change that the pairs confirm, empty when nothing does.

    Noise confirms one suspect in a hundred; seldom in the way that it was
    suspected, and seldom by so much: the medians of five and five figures
    differ by 0.79 of their deviation by chance, and 2.5 times that deviation
    is three of those.
    """
    if judgement.noise is None:
        return ""
    if ((judgement.change or 0.0) > 0) is not (one.verdict is Verdict.REGRESSION):
        return "; the other way round than suspected"
    before, after = statistics.median(one.base), statistics.median(one.head)
    if min(before, after) > 0 and abs(math.log(after / before)) <= NOISES * judgement.noise:
        return f"; less than {NOISES:g} times its noise of {100 * judgement.noise:.0f} %"
    return ""


def _alone(one: Confirmation) -> Judgement:
    return Judgement(
        metric=one.metric,
        nodeid=one.nodeid,
        unit=one.unit,
        verdict=one.verdict,
        reason=f"measured again: {one.reason}",
        advisory=one.metric not in _DECIDING,
        now=None,
        n=0,
        confirmation=one,
    )
