"""Delta debugging and chances: pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telltale.capture.invocation import PytestCommand
from telltale.capture.isolate.case import Case
from telltale.capture.isolate.chances import BY_CHANCE, chance, interval
from telltale.capture.isolate.reading import Result
from telltale.capture.isolate.reduce import ddmin
from telltale.capture.isolate.search import Findings
from telltale.capture.isolate.verdict import conclude


@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.just(n), st.sets(st.integers(0, n - 1), min_size=1, max_size=3))))  # fmt: skip
def test_exactly_the_needed_elements_are_found_in_their_order(
    drawn: tuple[int, set[int]],
) -> None:
    count, needed = drawn
    asked: list[Sequence[int]] = []

    def holds(some: Sequence[int]) -> bool:
        asked.append(some)
        assert list(some) == sorted(some)
        return needed <= set(some)

    assert ddmin(range(count), holds) == tuple(sorted(needed))
    if len(needed) == 1:
        assert len(asked) <= 2 * math.ceil(math.log2(count) + 1)


def test_what_is_kept_holds_even_when_more_is_not_always_worse() -> None:
    # 7 repairs what 3 breaks, as a test that cleans up would.
    def holds(some: Sequence[int]) -> bool:
        return 3 in some and (7 not in some or 9 in some)

    kept = ddmin(range(10), holds)
    assert holds(kept)
    assert kept == (3,)


def test_progress_is_told_each_time_fewer_are_enough() -> None:
    told: list[int] = []
    ddmin(range(64), lambda some: 5 in some, reduced=lambda kept: told.append(len(kept)))
    assert told == [32, 16, 8, 4, 2, 1]


@pytest.mark.parametrize(
    ("failures", "runs", "low", "high"),
    [
        # As R's binom.test says.
        (0, 10, 0.0, 0.3084971),
        (3, 10, 0.06673951, 0.65245285),
        (5, 5, 0.47817625, 1.0),
        (6, 20, 0.11893163, 0.54278925),
        (0, 0, 0.0, 1.0),
    ],
)
def test_the_interval_is_clopper_and_pearsons(
    failures: int, runs: int, low: float, high: float
) -> None:
    assert interval(failures, runs) == pytest.approx((low, high), abs=1e-6)


def test_five_against_none_of_five_is_no_chance_and_four_are_not_enough() -> None:
    assert chance(failures=5, runs=5, others=0, other_runs=5) == pytest.approx(1 / 252)
    assert chance(failures=5, runs=5, others=0, other_runs=5) <= BY_CHANCE
    assert chance(failures=4, runs=4, others=0, other_runs=4) > BY_CHANCE
    assert chance(failures=8, runs=20, others=0, other_runs=20) <= BY_CHANCE
    assert chance(failures=0, runs=5, others=0, other_runs=5) == 1


SAME, PASSED, OTHER = Result.SAME, Result.PASSED, Result.OTHER
SPENT = "the budget is used up"


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (
            Findings(
                polluters=("a.py::x",),
                aim=SAME,
                alone=Counter({PASSED: 2}),
                together=Counter({SAME: 2}),
            ),
            (
                "likely order-dependent on a.py::x: 2 of 2 runs failed after it, 0 of 2 runs failed"
                " alone (17 % by chance); not confirmed: the budget is used up"
            ),
        ),
        (
            Findings(
                needs=("a.py::x", "b.py"),
                aim=PASSED,
                alone=Counter({SAME: 5}),
                together=Counter({PASSED: 3}),
            ),
            (
                "likely brittle, needing a.py::x and the import of b.py: 0 of 3 runs failed after them,"
                " 5 of 5 runs failed alone (2 % by chance); not confirmed: the budget is used up"
            ),
        ),
        (
            Findings(suspects=tuple("abcd"), aim=SAME, alone=Counter({PASSED: 3})),
            (
                "the budget is used up; alone it failed in 0 of 3 runs (95 % interval 0-71 %);"
                " narrowed to 4 candidates"
            ),
        ),
        # One run that does not fit is enough for no suspicion.
        (
            Findings(
                polluters=("a.py::x",),
                aim=SAME,
                alone=Counter({PASSED: 2}),
                together=Counter({SAME: 2, PASSED: 1}),
            ),
            (
                "the budget is used up; alone it failed in 0 of 2 runs (95 % interval 0-84 %);"
                " under suspicion: a.py::x"
            ),
        ),
    ],
)
def test_a_suspicion_comes_first_with_its_numbers(found: Findings, said: str) -> None:
    found.reason = SPENT
    case = Case(
        nodeid="t.py::t",
        failure=None,
        before=(),
        others=(),
        workers=(),
        duration_s={},
        python=(),
        pytest=PytestCommand(),
        cwd=Path(),
        env={},
        base=Path(),
    )
    shown = conclude(case, found, budget_s=1, elapsed_s=1)
    assert shown.sentence == f"undecided: {said}"
    assert (shown.polluters, shown.needs) == ((), ())


@given(st.integers(1, 12), st.integers(1, 12), st.floats(0.01, 0.99))
def test_equal_rates_are_seldom_told_apart(runs: int, other_runs: int, rate: float) -> None:
    def weight(k: int, n: int) -> float:
        return math.comb(n, k) * rate**k * (1 - rate) ** (n - k)

    wrongly = sum(
        weight(k, runs) * weight(m, other_runs)
        for k in range(runs + 1)
        for m in range(other_runs + 1)
        if chance(failures=k, runs=runs, others=m, other_runs=other_runs) <= BY_CHANCE
    )
    assert wrongly <= BY_CHANCE + 1e-9
