"""
Suspects: single tests that deserve to be measured again, by CPU time and by wall time.

CPU time goes first. Wall time holds what else the machine did, so that fewer
of its suspects are let in, and none that CPU time names already; it is what
shows a test that waits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter

from telltale.compare.judge import interquartile_range
from telltale.compare.screening import CLEAN, Figures, Screened, Standout, screen
from telltale.model import Verdict
from telltale.recorded import PASSED, RecordedTests
from telltale.records import Judgement, Record, RecordedTest

MAX_SUSPECTS = 20
"""As many as can be measured again."""
CLEAN_BESIDE = 3
"""Suspects by wall time of a run in which nothing changed, where CPU time is known."""
_ENDLESS = float("inf")
_FACTOR_TOLD = 1.05
"""Smaller factors are taken out too, without a word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TestMetric:
    """A figure of a single test, in seconds."""

    __test__ = False

    name: str
    value: Callable[[RecordedTest], float | None]
    column: Callable[[RecordedTests], Sequence[float | None] | None]
    """The same of all tests; None where it was not measured."""


TEST_METRICS = (
    TestMetric(name="cpu_s", value=attrgetter("cpu_s"), column=attrgetter("cpu_s")),
    TestMetric(name="duration_s", value=attrgetter("duration_s"), column=attrgetter("durations_s")),
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
    tests = RecordedTests.of(record.tests)
    once: dict[str, int] = {}
    for at, (nodeid, letter) in enumerate(zip(tests.nodeids, tests.letters, strict=True)):
        once[nodeid] = at if letter == PASSED and nodeid not in once else -1
    found: dict[str, Figures] = {}
    for metric in TEST_METRICS:
        values = list(metric.column(tests) or ())
        figures = {
            nodeid: value
            for nodeid, at in once.items()
            if values and at >= 0 and (value := values[at]) is not None and 0 <= value < _ENDLESS
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
