"""Absolute limits that a project has set: how much is left, whatever the history says."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

from telltale.compare.confirming import figure
from telltale.compare.judge import METRICS
from telltale.compare.settings import Ceiling
from telltale.compare.suspects import TEST_METRICS
from telltale.model import Verdict
from telltale.records import Judgement, Record

WHOLE = {metric.name: metric for metric in METRICS}
"""Figures of a whole run that may have a ceiling."""
OF_TESTS = {metric.name: metric for metric in TEST_METRICS}
MAX_TOLD = 20
"""Tests above one ceiling that are listed; the first is the one that is furthest above."""


def ceilings(head: Record, limits: Sequence[Ceiling]) -> tuple[Judgement, ...]:
    """
    Return a judgement for each ceiling: `regression` above it, `unchanged` below.

    A ceiling of tests is judged by the test that comes nearest; where several
    are above it, each is told, at most 20.
    """
    return tuple(judgement for limit in limits for judgement in _judged(head, limit))


def _judged(head: Record, limit: Ceiling) -> Iterator[Judgement]:
    if not limit.tests:
        whole = WHOLE[limit.metric]
        yield _judgement(limit, "", whole.unit, whole.value(head.resources))
        return
    value = OF_TESTS[limit.metric].value
    found = sorted(
        (
            (-figure, test.nodeid)
            for test in head.tests
            if fnmatchcase(test.nodeid, limit.tests) and (figure := value(test)) is not None
        ),
    )
    if not found:
        yield _judgement(limit, limit.tests, "s", None)
    for at, (negative, nodeid) in enumerate(found[:MAX_TOLD]):
        if at == 0 or -negative > limit.limit:
            yield _judgement(limit, nodeid, "s", -negative)


def _judgement(limit: Ceiling, nodeid: str, unit: str, now: float | None) -> Judgement:
    set_to = f"the limit of {figure(limit.limit, unit)} in {limit.origin}"
    if now is None or not math.isfinite(now):
        verdict, reason, now = Verdict.UNDECIDED, f"not measured; {set_to}", None
    elif now > limit.limit:
        verdict, reason = Verdict.REGRESSION, f"{figure(now - limit.limit, unit)} above {set_to}"
    else:
        left = (limit.limit - now) / limit.limit
        verdict = Verdict.UNCHANGED
        reason = f"{figure(limit.limit - now, unit)} ({100 * left:.0f} %) left to {set_to}"
    return Judgement(
        metric=limit.metric,
        nodeid=nodeid,
        unit=unit,
        verdict=verdict,
        reason=reason,
        advisory=False,
        now=now,
        n=0,
        ceiling=limit.limit,
    )
