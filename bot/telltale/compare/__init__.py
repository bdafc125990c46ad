"""One run against its history: which figures changed, by how much, and how sure that is."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace

from telltale.compare.baseline import Baseline, choose, executed
from telltale.compare.ceilings import ceilings
from telltale.compare.confirmed import settle
from telltale.compare.judge import METRICS, Metric, judge, undecided
from telltale.compare.load import busy
from telltale.compare.numbers import numbers
from telltale.compare.settings import Settings
from telltale.compare.suspects import suspects
from telltale.model import Resources, Verdict
from telltale.recorded import RecordedTests
from telltale.records import Comparison, JudgedFailure, Judgement, Record

__all__ = ["compare"]

SAME_WORK = 0.10
"""By how much the number of tests that ran may differ, as a part of the usual number."""
MAX_FACTOR = 1.15
"""Of a run in which every test took longer, or less long by as much, the machine was another."""

_TIMES = frozenset({"cpu_s", "user_s", "system_s", "wall_s"})
_CHANGED = frozenset({Verdict.REGRESSION, Verdict.IMPROVEMENT})


def compare(
    head: Record,
    records: Sequence[Record],
    *,
    failures: tuple[JudgedFailure, ...] = (),
    ancestors: Sequence[str] | None = None,
    settings: Settings = Settings(),  # noqa: B008 - frozen
    unknown: str = "",
) -> Comparison:
    """
    Compare `head` with the comparable ones among `records`, in any order.

    `failures` are passed on as they are: `flaky` judges them. `ancestors` are
    the commits of the merge base and before, newest first; None when they are
    not known, and then `unknown` says why.
    """
    baseline = choose(head, records, ancestors=ancestors, unknown=unknown)
    added, removed = _tests_changed(head, baseline)
    return Comparison(
        head=head,
        baseline=tuple(record.id for record in baseline.records),
        reason=baseline.reason,
        judgements=(
            *settle(_judgements(head, baseline, settings), head.confirmations),
            *ceilings(head, settings.ceilings),
        ),
        failures=failures,
        added=added,
        removed=removed,
    )


def _judgements(head: Record, baseline: Baseline, settings: Settings) -> tuple[Judgement, ...]:
    reason = "" if baseline.enough else baseline.reason
    reason = reason or _other_work(head, baseline.records)
    if reason:
        return tuple(_undecided(metric, head, baseline, reason) for metric in METRICS)
    of_tests = suspects(head, baseline.records)
    whole = (
        judge(metric, _figure(metric, head.resources), _figures(metric, baseline))
        for metric in METRICS
    )
    return (
        *(_doubted(one, busy(head, baseline.usual), of_tests.factors) for one in whole),
        *of_tests.judgements,
        *numbers(head, baseline.records, settings),
    )


def _doubted(one: Judgement, sign: str, factors: Mapping[str, float]) -> Judgement:
    """Return the judgement, undecided when the machine explains what changed as well as the code."""
    if one.metric not in _TIMES or one.verdict not in _CHANGED:
        return one
    wall = factors.get("duration_s", 1.0)
    factor = wall if one.metric == "wall_s" else factors.get("cpu_s", wall)
    if not 1 / MAX_FACTOR <= factor <= MAX_FACTOR:
        why = f"every test took about {factor:.2f} times as much as usual, as on another machine"
    elif sign:
        why = f"the machine was busy: {sign}"
    else:
        return one
    reason = f"not comparable: {why} ({one.reason}); only base and head in turn can tell"
    return replace(one, verdict=Verdict.UNDECIDED, reason=reason)


def _undecided(metric: Metric, head: Record, baseline: Baseline, reason: str) -> Judgement:
    earlier = _figures(metric, baseline)
    return undecided(
        metric,
        reason,
        now=_figure(metric, head.resources),
        n=len(earlier),
        baseline=statistics.median(earlier) if earlier else None,
    )


def _figures(metric: Metric, baseline: Baseline) -> list[float]:
    figures = (_figure(metric, record.resources) for record in baseline.records)
    return [figure for figure in figures if figure is not None]


def _figure(metric: Metric, resources: Resources) -> float | None:
    value = metric.value(resources)
    # Not finite is not measured, whoever wrote it.
    return value if value is not None and math.isfinite(value) else None


def _other_work(head: Record, baseline: Sequence[Record]) -> str:
    """Return why the whole run's figures are of other work, empty when they are not."""
    usual = statistics.median(executed(record) for record in baseline)
    ran = executed(head)
    if abs(ran - usual) <= SAME_WORK * usual:
        return ""
    return f"not the same work: {ran} tests ran, {usual:g} as a rule"


def _tests_changed(head: Record, baseline: Baseline) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if not baseline.records:
        return (), ()
    now = set(RecordedTests.of(head.tests).nodeids)
    before = set(RecordedTests.of(baseline.records[0].tests).nodeids)
    return tuple(sorted(now - before)), tuple(sorted(before - now))
