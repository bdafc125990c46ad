from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telltale.compare.confirming import NEEDED, ROUNDS, confirm, is_open
from telltale.model import Confirmation, Verdict

MIB = 1024 * 1024
BASE = (0.20, 0.21, 0.19, 0.22, 0.20)
SLOWER = (0.40, 0.43, 0.39, 0.41, 0.42)

OTHER_WAY = {
    Verdict.REGRESSION: Verdict.IMPROVEMENT,
    Verdict.IMPROVEMENT: Verdict.REGRESSION,
    Verdict.UNCHANGED: Verdict.UNCHANGED,
    Verdict.UNDECIDED: Verdict.UNDECIDED,
}
# Whole microseconds, as they are measured: ties happen.
figures = st.lists(st.integers(0, 3_000_000).map(lambda value: value / 1e6), min_size=5, max_size=8)
few = st.lists(st.integers(0, 10).map(float), max_size=5)


def cpu(
    base: tuple[float, ...] | list[float], head: tuple[float, ...] | list[float]
) -> Confirmation:
    return confirm("cpu_s", "tests/test_a.py::test_one", "s", base, head)


@pytest.mark.parametrize(
    ("base", "head", "unit", "expected", "wins"),
    [
        pytest.param(BASE, SLOWER, "s", Verdict.REGRESSION, 25, id="slower"),
        pytest.param(SLOWER, BASE, "s", Verdict.IMPROVEMENT, 25, id="faster"),
        pytest.param(BASE, BASE, "s", Verdict.UNCHANGED, 9, id="the-same"),
        pytest.param((1.0,) * 5, (1.0,) * 5, "s", Verdict.UNCHANGED, 0, id="ties-are-no-wins"),
        pytest.param(BASE, (*SLOWER[:4], 0.205), "s", Verdict.REGRESSION, 23, id="two-pairs-lost"),
        pytest.param(BASE, (*SLOWER[:4], 0.195), "s", Verdict.UNCHANGED, 21, id="four-pairs-lost"),
        pytest.param((10.0,) * 5, (11.0,) * 5, "s", Verdict.UNCHANGED, 25, id="ten-percent"),
        pytest.param((10.0,) * 5, (11.1,) * 5, "s", Verdict.REGRESSION, 25, id="eleven-percent"),
        pytest.param((0.01,) * 5, (0.019,) * 5, "s", Verdict.UNCHANGED, 25, id="nine-ms"),
        pytest.param((0.01,) * 5, (0.021,) * 5, "s", Verdict.REGRESSION, 25, id="eleven-ms"),
        pytest.param((0.0,) * 5, (0.021,) * 5, "s", Verdict.REGRESSION, 25, id="from-nothing"),
        pytest.param(
            (10.0 * MIB,) * 5, (17.0 * MIB,) * 5, "bytes", Verdict.UNCHANGED, 25, id="7-mib"
        ),
        pytest.param(
            (10.0 * MIB,) * 5, (19.0 * MIB,) * 5, "bytes", Verdict.REGRESSION, 25, id="9-mib"
        ),
        pytest.param(BASE[:4], SLOWER, "s", Verdict.UNDECIDED, 20, id="one-of-base-missing"),
        pytest.param((), (), "s", Verdict.UNDECIDED, 0, id="nothing"),
        pytest.param(
            (1.0, 2.0, 3.0), (1.5, 2.5, 2.9), "s", Verdict.UNCHANGED, 5, id="dropped-early"
        ),
        pytest.param((float("nan"), *BASE[1:]), SLOWER, "s", Verdict.UNDECIDED, 20, id="no-number"),
        pytest.param((-1.0, *BASE[1:]), SLOWER, "s", Verdict.UNDECIDED, 25, id="negative"),
    ],
)
def test_five_and_five_figures(
    base: tuple[float, ...], head: tuple[float, ...], unit: str, expected: Verdict, wins: int
) -> None:
    found = confirm("cpu_s", "", unit, base, head)

    assert (found.verdict, found.wins) == (expected, wins), found.reason
    assert found.pairs == len(base) * len(head)


def test_the_reason_can_be_checked() -> None:
    assert (
        cpu(BASE, SLOWER).reason
        == "0.200 s without the change, 0.410 s with it (+105 %), higher in 25 of 25 pairs"
    )
    assert cpu(BASE, BASE).reason == (
        "0.200 s without the change, 0.200 s with it (+0 %), higher in 9 of 25 pairs;"
        " 23 of 25 and more than 10 % and 10 ms count"
    )
    assert cpu(BASE[:2], SLOWER).reason == "2 measurements of base of 5 needed"


def test_what_could_not_be_measured_is_undecided_whatever_the_figures_say() -> None:
    found = confirm("cpu_s", "", "s", BASE, SLOWER, problem="it failed in base")

    assert (found.verdict, found.reason) == (Verdict.UNDECIDED, "it failed in base")


def test_the_false_alarms_of_the_pairs_are_as_the_page_says() -> None:
    alarms = {Verdict.REGRESSION: 0, Verdict.IMPROVEMENT: 0, Verdict.UNCHANGED: 0}
    for ranks in combinations(range(10), 5):
        # So far apart that only the order counts.
        head = [4.0**rank for rank in ranks]
        base = [4.0**rank for rank in range(10) if rank not in ranks]
        alarms[cpu(base, head).verdict] += 1

    assert alarms == {Verdict.REGRESSION: 4, Verdict.IMPROVEMENT: 4, Verdict.UNCHANGED: 244}


@given(figures, figures)
def test_seen_from_the_other_side_a_regression_is_an_improvement(
    base: list[float], head: list[float]
) -> None:
    assert cpu(head, base).verdict is OTHER_WAY[cpu(base, head).verdict]


@given(figures, figures, st.sampled_from([2.0, 8.0, 1024.0]))
def test_on_a_slower_machine_a_regression_stays_one(
    base: list[float], head: list[float], factor: float
) -> None:
    found = cpu(base, head)
    scaled = cpu([factor * each for each in base], [factor * each for each in head])

    assert scaled.wins == found.wins
    if found.verdict is not Verdict.UNCHANGED:
        assert scaled.verdict is found.verdict


@given(figures, figures)
def test_the_order_of_measurement_does_not_matter(base: list[float], head: list[float]) -> None:
    assert cpu(sorted(base), sorted(head)).verdict is cpu(base, head).verdict


@given(figures, figures, st.integers(0, 7), st.integers(1, 1_000_000))
def test_a_head_that_is_slower_still_is_no_better(
    base: list[float], losses: list[float], at: int, more_us: int
) -> None:
    head = [max(base) * 0.9 + loss for loss in losses]
    worse = [each + more_us / 1e6 * (index == at) for index, each in enumerate(head)]

    if cpu(base, head).verdict is Verdict.REGRESSION:
        assert cpu(base, worse).verdict is Verdict.REGRESSION


@given(few, few)
def test_a_suspect_is_dropped_exactly_when_nothing_can_confirm_it(
    base: list[float], head: list[float]
) -> None:
    # The best that can come for either direction: all that is missing far above, or far below.
    best = []
    for missing_head, missing_base in ((1e6, -1e6), (-1e6, 1e6)):
        full_base = [*base, *[missing_base] * (ROUNDS - len(base))]
        full_head = [*head, *[missing_head] * (ROUNDS - len(head))]
        pairs = [(b, h) for b in full_base for h in full_head]
        best += [sum(b < h for b, h in pairs), sum(b > h for b, h in pairs)]

    assert is_open(base, head) is (max(best) >= NEEDED)
    expected = {Verdict.UNCHANGED} if max(best) < NEEDED else set(Verdict)
    assert cpu(base, head).verdict in expected
