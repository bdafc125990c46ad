"""
Judge one figure against the same figure of earlier runs.

Everything is pure: numbers in, a `Judgement` out. Choosing the runs is the
work of `baseline.py`. docs/comparison.md has the rule in words, and how often
it is wrong.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from telltale.model import Resources, Verdict
from telltale.records import Judgement


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A figure of a whole run; larger is worse."""

    name: str
    unit: str
    value: Callable[[Resources], float | None]
    floor: float
    """Smaller changes are nothing, whatever their share, in the unit."""
    advisory: bool
    """Shown and never decisive."""
    judged: bool = True
    """Whether more is worse; of other figures a change is told, and nobody says what it means."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How large a change must be before anyone is told about it."""

    min_runs: int = 5
    min_change: float = 0.10
    """Of the baseline's median."""
    noise_factor: float = 3.0
    """Times the interquartile range."""
    margin: float = 0.05
    """How far beyond the most extreme earlier run, as a part of it."""
    margin_of_few: float = 0.5
    """The same, divided by the number of runs: the fewer, the less they have shown of the noise."""


_TINY = 1e-6
"""Smaller medians are 0: a ratio to them is no figure."""


def _cpu(resources: Resources) -> float | None:
    if resources.user_s is None or resources.system_s is None:
        return None
    return resources.user_s + resources.system_s


METRICS = (
    Metric(name="cpu_s", unit="s", value=_cpu, floor=0.1, advisory=False),
    Metric(
        name="max_rss_bytes",
        unit="bytes",
        value=lambda resources: resources.max_rss_bytes,
        floor=8 * 1024 * 1024,
        advisory=False,
    ),
    Metric(
        name="tree_peak_rss_bytes",
        unit="bytes",
        # Sampled: a short peak between two samples is missed.
        value=lambda resources: resources.tree_peak_rss_bytes,
        floor=8 * 1024 * 1024,
        advisory=True,
    ),
    Metric(
        name="wall_s",
        unit="s",
        # Whatever else the machine was doing is in it.
        value=lambda resources: resources.wall_s,
        floor=0.1,
        advisory=True,
    ),
    Metric(
        name="user_s",
        unit="s",
        # A part of the CPU time, which decides.
        value=lambda resources: resources.user_s,
        floor=0.1,
        advisory=True,
    ),
    Metric(
        name="system_s",
        unit="s",
        value=lambda resources: resources.system_s,
        floor=0.1,
        advisory=True,
    ),
    Metric(
        name="cpu_percent",
        unit="%",
        value=lambda resources: resources.cpu_percent,
        floor=5.0,
        advisory=True,
        judged=False,
    ),
)
"""What is judged of every run, in the order in which it is shown."""


def judge(
    metric: Metric, now: float | None, earlier: Sequence[float], limits: Limits | None = None
) -> Judgement:
    """
    Compare `now` with the figures of `earlier` runs, whose order does not matter.

    A change counts when it exceeds the minimum change, the metric's floor and
    the noise, and when no earlier run came near it: `now` lies beyond all of
    them by a margin.
    """
    limits = limits or Limits()
    median = statistics.median(earlier) if earlier else None
    if now is None:
        return undecided(metric, "not measured in this run", n=len(earlier), baseline=median)
    if len(earlier) < limits.min_runs:
        reason = f"{len(earlier)} comparable runs of {limits.min_runs} needed"
        return undecided(metric, reason, now=now, n=len(earlier), baseline=median)
    if median is None or median < _TINY:
        reason = "the earlier runs say 0: nothing to compare with"
        return undecided(metric, reason, now=now, n=len(earlier), baseline=median)
    spread = interquartile_range(earlier)
    change = now / median - 1
    threshold = max(limits.min_change, metric.floor / median, limits.noise_factor * spread / median)
    verdict, reason = _verdict(now, earlier, change=change, threshold=threshold, limits=limits)
    if not metric.judged and verdict is not Verdict.UNCHANGED:
        verdict, reason = Verdict.UNDECIDED, f"{reason}; more of it is neither better nor worse"
    return Judgement(
        metric=metric.name,
        nodeid="",
        unit=metric.unit,
        verdict=verdict,
        reason=reason,
        advisory=metric.advisory,
        now=now,
        n=len(earlier),
        baseline=median,
        spread=spread,
        change=change,
        threshold=threshold,
    )


def undecided(
    metric: Metric,
    reason: str,
    *,
    now: float | None = None,
    n: int = 0,
    baseline: float | None = None,
) -> Judgement:
    """Return the judgement that says why there is none."""
    return Judgement(
        metric=metric.name,
        nodeid="",
        unit=metric.unit,
        verdict=Verdict.UNDECIDED,
        reason=reason,
        advisory=metric.advisory,
        now=now,
        n=n,
        baseline=baseline,
    )


def interquartile_range(values: Sequence[float]) -> float:
    """
    Return the width of the middle half of two or more values.

    Not the standard deviation: one slow runner must not widen the threshold
    for every run after it.
    """
    lower, _, upper = statistics.quantiles(values, n=4, method="inclusive")
    return upper - lower


def _verdict(
    now: float, earlier: Sequence[float], *, change: float, threshold: float, limits: Limits
) -> tuple[Verdict, str]:
    size = f"{100 * change:+.0f} % against the median of {len(earlier)} runs"
    needed = f"more than {100 * threshold:.0f} % counts"
    if abs(change) <= threshold:
        return Verdict.UNCHANGED, f"{size}; {needed}"
    margin = max(limits.margin, limits.margin_of_few / len(earlier))
    if change > 0 and now <= max(earlier) * (1 + margin):
        return Verdict.UNCHANGED, f"{size}, but an earlier run was about as high"
    if change < 0 and now >= min(earlier) * (1 - margin):
        return Verdict.UNCHANGED, f"{size}, but an earlier run was about as low"
    verdict = Verdict.REGRESSION if change > 0 else Verdict.IMPROVEMENT
    return verdict, f"{size}; {needed}, and no earlier run came near"
