"""
Suspects: single tests that deserve to be measured again, by CPU time and by wall time.

CPU time goes first. Wall time holds what else the machine did, so that fewer
of its suspects are let in, and none that CPU time names already; it is what
shows a test that waits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from telltale.compare.judge import interquartile_range
from telltale.compare.screening import CLEAN, Figures, Screened, Standout, screen
from telltale.model import TestOutcome, Verdict
from telltale.records import Judgement, Record, RecordedTest

MAX_SUSPECTS = 20
"""As many as can be measured again."""
CLEAN_BESIDE = 3
"""Suspects by wall time of a run in which nothing changed, where CPU time is known."""
_FACTOR_TOLD = 1.05
"""Smaller factors are taken out too, without a word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TestMetric:
    """A figure of a single test, in seconds."""

    __test__ = False

    name: str
    value: Callable[[RecordedTest], float | None]


TEST_METRICS = (
    TestMetric(name="cpu_s", value=lambda test: test.cpu_s),
    TestMetric(name="duration_s", value=lambda test: test.duration_s),
)
"""What is screened of every test, what tells most first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspects:
    """At most 20 suspects, the slower ones first, and the run factor by each metric."""

    judgements: tuple[Judgement, ...]
    factors: Mapping[str, float]
    """By metric, where enough tests tell it."""


def suspects(head: Record, baseline: Sequence[Record]) -> Suspects:
    """Screen the tests that passed and ran once in their run."""
    now, runs = _figures(head), [_figures(record) for record in baseline]
    screened = {
        metric: screen(
            figures,
            [run.get(metric, {}) for run in runs],
            clean=CLEAN_BESIDE if metric != "cpu_s" and "cpu_s" in now else CLEAN,
        )
        for metric, figures in now.items()
    }
    found = list(_ordered(screened))[:MAX_SUSPECTS]
    return Suspects(
        judgements=tuple(_judgement(metric, one, screened[metric].factor) for metric, one in found),
        factors={metric: each.factor for metric, each in screened.items()},
    )


def _ordered(screened: Mapping[str, Screened]) -> Iterator[tuple[str, Standout]]:
    """Yield slower tests before faster ones, CPU time before wall time, each test once."""
    seen: set[str] = set()
    for more in (True, False):
        for metric, each in screened.items():
            for one in each.more if more else each.less:
                if one.nodeid not in seen:
                    seen.add(one.nodeid)
                    yield metric, one


def _figures(record: Record) -> dict[str, Figures]:
    """Return the figures of the tests that passed and ran once, by metric, where there are any."""
    once: dict[str, RecordedTest | None] = {}
    for test in record.tests:
        passed = test.outcome is TestOutcome.PASSED and test.nodeid not in once
        once[test.nodeid] = test if passed else None
    passed_once = [test for test in once.values() if test is not None]
    found: dict[str, Figures] = {}
    for metric in TEST_METRICS:
        figures = {
            test.nodeid: value
            for test in passed_once
            if (value := metric.value(test)) is not None and 0 <= value < float("inf")
        }
        if figures:
            found[metric.name] = figures
    return found


def _judgement(metric: str, one: Standout, factor: float) -> Judgement:
    usual = max(one.median, 1e-6)
    change = one.now / usual - 1
    divided = (
        f", though the whole run took {factor:.2f} times as much"
        if not 1 / _FACTOR_TOLD < factor < _FACTOR_TOLD
        else ""
    )
    return Judgement(
        metric=metric,
        nodeid=one.nodeid,
        unit="s",
        verdict=Verdict.UNDECIDED,
        reason=(
            f"suspect: {100 * change:+.0f} % against the median of {len(one.earlier)} runs,"
            f" {one.score:.1f} times its noise{divided}; one run is no proof"
        ),
        advisory=True,
        now=one.now,
        n=len(one.earlier),
        baseline=one.median,
        spread=interquartile_range(one.earlier),
        change=change,
        threshold=one.threshold,
        noise=one.noise,
    )
