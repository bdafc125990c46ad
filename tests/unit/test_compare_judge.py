from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telltale.compare.judge import METRICS, Limits, judge
from telltale.model import Verdict
from telltale.records import Judgement

CPU = METRICS[0]
MEMORY = METRICS[1]
MIB = 1024 * 1024

STEADY = (10.0, 10.1, 9.9, 10.0, 10.0)
NOISY = (10.0, 13.0, 8.0, 12.0, 9.0)


@pytest.mark.parametrize(
    ("now", "earlier", "expected"),
    [
        pytest.param(10.2, STEADY, Verdict.UNCHANGED, id="within-the-minimum"),
        pytest.param(12.0, STEADY, Verdict.REGRESSION, id="slower"),
        pytest.param(8.0, STEADY, Verdict.IMPROVEMENT, id="faster"),
        pytest.param(12.0, NOISY, Verdict.UNCHANGED, id="within-its-own-noise"),
        pytest.param(10.2, (*STEADY, 50.0), Verdict.UNCHANGED, id="one-slow-runner"),
        pytest.param(40.0, (*STEADY, 50.0), Verdict.UNCHANGED, id="an-earlier-run-was-as-high"),
        pytest.param(4.0, (*STEADY, 3.0), Verdict.UNCHANGED, id="an-earlier-run-was-as-low"),
        pytest.param(11.05, STEADY, Verdict.UNCHANGED, id="few-runs-need-a-wider-margin"),
        pytest.param(11.05, STEADY * 4, Verdict.REGRESSION, id="many-runs-do-not"),
        pytest.param(12.0, STEADY[:4], Verdict.UNDECIDED, id="history-too-short"),
        pytest.param(12.0, (), Verdict.UNDECIDED, id="no-history"),
        pytest.param(12.0, (0.0,) * 5, Verdict.UNDECIDED, id="baseline-of-zero"),
        pytest.param(None, STEADY, Verdict.UNDECIDED, id="not-measured"),
        pytest.param(0.19, (0.1,) * 5, Verdict.UNCHANGED, id="below-the-floor"),
        pytest.param(0.21, (0.1,) * 5, Verdict.REGRESSION, id="above-the-floor"),
    ],
)
def test_judge(now: float | None, earlier: tuple[float, ...], expected: Verdict) -> None:
    assert judge(CPU, now, earlier).verdict is expected


def test_a_judgement_holds_the_numbers_that_led_to_it() -> None:
    assert judge(CPU, 15.0, STEADY) == Judgement(
        metric="cpu_s",
        nodeid="",
        unit="s",
        verdict=Verdict.REGRESSION,
        reason=(
            "+50 % against the median of 5 runs; more than 10 % counts,"
            " and no earlier run came near"
        ),
        advisory=False,
        now=15.0,
        n=5,
        baseline=10.0,
        spread=0.0,
        change=0.5,
        threshold=0.1,
    )


def test_memory_has_a_floor_of_its_own() -> None:
    earlier = [40.0 * MIB] * 20

    assert judge(MEMORY, 47.0 * MIB, earlier).verdict is Verdict.UNCHANGED
    assert judge(MEMORY, 49.0 * MIB, earlier).verdict is Verdict.REGRESSION


def test_cpu_time_and_peak_memory_decide() -> None:
    assert [(metric.name, metric.advisory) for metric in METRICS] == [
        ("cpu_s", False),
        ("max_rss_bytes", False),
        ("tree_peak_rss_bytes", True),
        ("wall_s", True),
        ("user_s", True),
        ("system_s", True),
        ("cpu_percent", True),
    ]


def test_more_cpu_use_is_neither_better_nor_worse() -> None:
    share = next(metric for metric in METRICS if metric.name == "cpu_percent")
    found = judge(share, 180.0, (90.0, 91.0, 92.0, 90.0, 91.0))

    assert found.verdict is Verdict.UNDECIDED
    assert found.reason.endswith("; more of it is neither better nor worse")
    assert judge(share, 91.0, (90.0, 91.0, 92.0, 90.0, 91.0)).verdict is Verdict.UNCHANGED


figures = st.floats(0.01, 1e6)
histories = st.lists(figures, min_size=5, max_size=30)


@given(figures, histories, st.sampled_from([0.001, 0.5, 2.0, 1024.0]))
def test_the_unit_does_not_matter(now: float, earlier: list[float], unit: float) -> None:
    ours = judge(CPU, now, earlier)
    theirs = judge(
        replace(CPU, floor=CPU.floor * unit), now * unit, [value * unit for value in earlier]
    )

    assert theirs.change == pytest.approx(ours.change, rel=1e-9, abs=1e-9)
    assert theirs.threshold == pytest.approx(ours.threshold)


@given(figures, st.lists(figures, max_size=4))
def test_a_short_history_never_accuses(now: float, earlier: list[float]) -> None:
    assert judge(CPU, now, earlier).verdict is Verdict.UNDECIDED


@given(figures, histories, st.randoms(use_true_random=False))
def test_the_order_of_the_history_does_not_matter(
    now: float, earlier: list[float], chance: random.Random
) -> None:
    assert judge(CPU, now, chance.sample(earlier, len(earlier))) == judge(CPU, now, earlier)


@given(histories, st.data())
def test_a_run_like_an_earlier_one_is_unchanged(earlier: list[float], data: st.DataObject) -> None:
    now = data.draw(st.sampled_from(earlier))

    assert judge(CPU, now, earlier).verdict is Verdict.UNCHANGED


@given(figures, figures, histories)
def test_more_is_never_better(one: float, other: float, earlier: list[float]) -> None:
    rank = {Verdict.IMPROVEMENT: 0, Verdict.UNCHANGED: 1, Verdict.REGRESSION: 2}
    less, more = sorted((one, other))

    assert rank[judge(CPU, less, earlier).verdict] <= rank[judge(CPU, more, earlier).verdict]


@given(figures, histories)
def test_what_is_called_changed_is_beyond_every_earlier_run(
    now: float, earlier: list[float]
) -> None:
    found = judge(CPU, now, earlier)
    if found.verdict is Verdict.REGRESSION:
        assert now > max(earlier) * 1.05
        assert found.change is not None
        assert found.threshold is not None
        assert found.change > found.threshold >= 0.1
    if found.verdict is Verdict.IMPROVEMENT:
        assert now < min(earlier) * 0.95


@given(figures, histories, figures)
def test_another_outlier_in_the_history_never_makes_an_accusation(
    now: float, earlier: list[float], outlier: float
) -> None:
    # A run as slow as this one has been seen: whatever else is known, it is not new.
    seen: Sequence[float] = [*earlier, max(now, outlier)]

    assert judge(CPU, now, seen).verdict is not Verdict.REGRESSION


@given(figures, histories)
def test_stricter_limits_accuse_less(now: float, earlier: list[float]) -> None:
    strict = Limits(min_change=0.5, noise_factor=6.0, margin=0.2)
    if judge(CPU, now, earlier, strict).verdict is Verdict.REGRESSION:
        assert judge(CPU, now, earlier).verdict is Verdict.REGRESSION
