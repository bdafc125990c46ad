"""Changes of level in a sequence of figures: where, how surely, and when there is none."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telltale.compare.changepoints import (
    MIN_SEGMENT,
    Floor,
    change_points,
    log_chance,
    possible,
    wanders,
)

FLOOR = Floor(change=0.05, amount=0.0)


def noisy(
    levels: Sequence[tuple[float, int]], *, noise: float = 0.02, seed: int = 1
) -> list[float]:
    """Return lognormal figures around levels, each for so many runs."""
    chance = random.Random(seed)  # noqa: S311
    return [level * chance.lognormvariate(0, noise) for level, runs in levels for _ in range(runs)]


def test_a_step_is_found_where_it_is() -> None:
    (point,) = change_points(noisy([(100, 40), (115, 40)]), FLOOR)

    assert point.earliest <= 40 <= point.latest
    assert point.at == 40
    assert point.latest - point.earliest <= 3
    assert (point.n_before, point.n_after) == (40, 40)
    assert point.change == pytest.approx(0.15, abs=0.02)


def test_a_step_down_is_found_too() -> None:
    (point,) = change_points(noisy([(115, 40), (100, 40)]), FLOOR)

    assert point.change == pytest.approx(-0.13, abs=0.02)


def test_five_runs_of_a_new_level_are_enough_and_four_are_not() -> None:
    assert change_points(noisy([(100, 60), (130, 5)]), FLOOR)
    assert not change_points(noisy([(100, 60), (130, 4)]), FLOOR)


@pytest.mark.parametrize("length", [1, 2, 3, 4])
@pytest.mark.parametrize("height", [0.2, 3, 1000])
def test_spikes_are_no_change(length: int, height: float) -> None:
    values = noisy([(100, 100)])
    for start in (20, 50, 75, 100 - length):
        values[start : start + length] = [
            value * height for value in values[start : start + length]
        ]

    assert change_points(values, FLOOR) == ()


def test_a_level_that_came_and_went_is_two_changes() -> None:
    up, down = change_points(noisy([(100, 150), (110, 25), (100, 150)]), FLOOR)

    assert up.earliest <= 150 <= up.latest
    assert down.earliest <= 175 <= down.latest
    assert up.change > 0 > down.change


def test_two_steps_are_two_changes() -> None:
    first, second = change_points(noisy([(100, 40), (110, 40), (121, 40)]), FLOOR)

    assert abs(first.at - 40) <= 2
    assert abs(second.at - 80) <= 2


def test_a_slow_climb_is_found_and_its_range_is_wide() -> None:
    climb = [100 * (1 + 0.01 * min(30, max(0, run - 60))) for run in range(120)]
    values = [value * noise for value, noise in zip(climb, noisy([(1, 120)]), strict=True)]

    points = change_points(values, FLOOR)

    assert all(point.change > 0 for point in points)
    assert points[0].before == pytest.approx(100, abs=3)
    assert points[-1].after == pytest.approx(130, abs=3)
    assert points[0].earliest >= 60
    assert points[-1].latest <= 90
    assert max(point.latest - point.earliest for point in points) >= 3


def test_a_climb_that_adds_up_is_found_though_its_halves_hardly_differ() -> None:
    # By 9 % in all, so that the halves differ by less than 5 %.
    values = [value * (1 + 0.09 * run / 160) for run, value in enumerate(noisy([(100, 160)]))]

    (point,) = change_points(values, FLOOR)

    assert 0.05 < point.change < 0.09
    assert (point.earliest, point.latest) == (53, 107)
    assert not change_points(values[:60], FLOOR)


def test_changes_below_the_floor_are_nothing() -> None:
    values = noisy([(100, 50), (120, 50)])

    assert change_points(values, Floor(change=0.15, amount=15))
    assert not change_points(values, Floor(change=0.25, amount=0))
    assert not change_points(values, Floor(change=0.15, amount=25))


def test_more_sequences_need_surer_changes() -> None:
    values = noisy([(100, 20), (130, 5)])

    assert change_points(values, FLOOR)
    assert not change_points(values, FLOOR, family=10_000)


def test_a_machine_that_wanders_is_told_from_one_that_does_not() -> None:
    chance = random.Random(4)  # noqa: S311
    state, wandering = 0.0, []
    for _ in range(200):
        state = 0.9 * state + chance.gauss(0, 0.02)
        wandering.append(100 * math.exp(state))
    steps = noisy([(100, 70), (130, 70), (100, 60)])
    climb = [value * (1 + run / 400) for run, value in enumerate(noisy([(100, 200)]))]

    assert wanders(wandering)
    assert not wanders(steps)
    assert not wanders(climb)
    assert change_points(wandering, FLOOR) == ()


@pytest.mark.parametrize(("smaller", "larger"), [(2, 3), (3, 4), (4, 6), (5, 5)])
def test_the_chance_is_never_below_the_true_one(smaller: int, larger: int) -> None:
    ranks = range(1, smaller + larger + 1)
    least = smaller * (smaller + 1) // 2
    us = [sum(chosen) - least for chosen in itertools.combinations(ranks, smaller)]

    for u in range(smaller * larger // 2):
        true = sum(each <= u for each in us) / len(us)
        bound = math.exp(log_chance(smaller, larger, u))
        assert true <= bound * (1 + 1e-6)
        assert bound <= 6 * true


def test_the_most_extreme_order_has_its_exact_chance() -> None:
    assert log_chance(5, 100, 0) == pytest.approx(-math.log(math.comb(105, 5)), rel=1e-3)


_level = st.floats(1, 1e6)
_figures = st.lists(st.floats(1, 1000), max_size=60)


@given(level=st.floats(0, 1e12), runs=st.integers(0, 400), family=st.integers(1, 10_000))
def test_law_a_constant_is_never_a_change(level: float, runs: int, family: int) -> None:
    assert change_points([level] * runs, FLOOR, family=family) == ()


@given(values=_figures, power=st.integers(-20, 20))
def test_law_the_unit_does_not_matter(values: list[float], power: int) -> None:
    # By powers of two: exact, so that equal figures stay equal.
    scaled = [value * 2.0**power for value in values]

    assert [(point.at, point.earliest, point.latest) for point in change_points(values, FLOOR)] == [
        (point.at, point.earliest, point.latest) for point in change_points(scaled, FLOOR)
    ]


@given(
    before=st.lists(st.floats(0.98, 1.02), min_size=5, max_size=60),
    after=st.lists(st.floats(0.98, 1.02), min_size=5, max_size=60),
    level=_level,
)
@settings(max_examples=200)
def test_law_what_is_found_keeps_its_promises(
    before: list[float], after: list[float], level: float
) -> None:
    values = [level * one for one in before] + [1.2 * level * one for one in after]

    for point in change_points(values, FLOOR):
        assert MIN_SEGMENT <= point.earliest <= point.at <= point.latest
        assert point.latest <= len(values) - MIN_SEGMENT
        assert min(point.n_before, point.n_after) >= MIN_SEGMENT
        assert abs(point.after - point.before) > 0.05 * min(point.before, point.after)


@given(values=_figures)
def test_law_the_cheap_question_hides_no_change_between_steady_levels(values: list[float]) -> None:
    half = [100.0] * (len(values) // 2 + 5) + [110.0] * (len(values) // 2 + 5)

    assert possible(half, FLOOR)
