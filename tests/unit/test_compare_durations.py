from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telltale.compare.durations import MAX_SUSPECTS, run_factor, suspects
from telltale.model import TestOutcome, Verdict
from telltale.records import Record, RecordedTest
from tests.unit.history_records import main_run

NAMES = [f"tests/test_a.py::test_{index}" for index in range(60)]
USUAL = {name: 0.05 * (1 + index % 7) for index, name in enumerate(NAMES)}


def runs(count: int = 10, *, noise: float = 0.01) -> list[Record]:
    """Return runs in which nothing changed."""
    chance = random.Random(count)  # noqa: S311
    return [
        main_run(
            number,
            tests={name: value * chance.uniform(1 - noise, 1 + noise) for name, value in USUAL.items()},
        )
        for number in range(count)
    ]  # fmt: skip


def head(durations: Mapping[str, float]) -> Record:
    return main_run(100, tests=durations)


def names(found: Sequence[object]) -> list[str]:
    return [getattr(one, "nodeid") for one in found]  # noqa: B009


def test_a_test_that_lost_much_time_is_a_suspect_and_no_more() -> None:
    slow = {**USUAL, NAMES[3]: 0.9}
    (found,) = suspects(head(slow), runs())

    assert found.nodeid == NAMES[3]
    assert found.verdict is Verdict.UNDECIDED
    assert found.advisory
    assert found.reason == "suspect: slower than in each of 10 runs; one run is no proof"
    assert (found.metric, found.unit, found.now, found.n) == ("duration_s", "s", 0.9, 10)
    assert found.baseline == pytest.approx(0.2, rel=0.02)
    assert found.change == pytest.approx(3.5, rel=0.05)


@pytest.mark.parametrize(
    ("nodeid", "duration"),
    [
        pytest.param(NAMES[0], 0.069, id="less-than-20-ms-lost"),
        pytest.param(NAMES[6], 0.38, id="less-than-10-percent-lost"),
    ],
)
def test_small_losses_are_not_worth_a_look(nodeid: str, duration: float) -> None:
    assert suspects(head({**USUAL, nodeid: duration}), runs()) == ()


def test_a_duration_seen_before_is_no_suspect() -> None:
    seen = [*runs(9), main_run(50, tests={**USUAL, NAMES[3]: 1.0})]

    assert suspects(head({**USUAL, NAMES[3]: 0.9}), seen) == ()


def test_a_slower_machine_is_not_the_tests_fault() -> None:
    everything = {name: value * 1.5 for name, value in USUAL.items()}
    assert suspects(head(everything), runs()) == ()

    (found,) = suspects(head({**everything, NAMES[3]: 0.9}), runs())
    assert found.nodeid == NAMES[3]
    assert "though the whole run took 1.5" in found.reason


def test_a_noisy_history_raises_the_bar() -> None:
    # In each of these runs another test takes a second: one more is nothing.
    noisy = [
        main_run(number, tests={**USUAL, NAMES[2 * number]: 1.0, NAMES[2 * number + 1]: 1.0})
        for number in range(10)
    ]

    assert suspects(head({**USUAL, NAMES[40]: 0.9}), noisy) == ()
    assert names(suspects(head({**USUAL, NAMES[40]: 1.5}), noisy)) == [NAMES[40]]


def test_the_largest_loss_comes_first_and_the_list_is_short() -> None:
    slow = {name: value + 0.1 * (index + 1) for index, (name, value) in enumerate(USUAL.items())}
    slow |= {name: USUAL[name] for name in NAMES[30:]}
    found = suspects(head(slow), runs())

    assert names(found) == NAMES[29 : 29 - MAX_SUSPECTS : -1]


def test_too_few_runs_suspect_nobody() -> None:
    assert suspects(head({**USUAL, NAMES[3]: 9.0}), runs(4)) == ()


@pytest.mark.parametrize("outcome", [one for one in TestOutcome if one is not TestOutcome.PASSED])
def test_only_tests_that_passed_are_looked_at(outcome: TestOutcome) -> None:
    slow = RecordedTest(nodeid=NAMES[3], outcome=outcome, duration_s=9.0)
    others = tuple(test for test in head(USUAL).tests if test.nodeid != NAMES[3])

    assert suspects(replace(head(USUAL), tests=(*others, slow)), runs()) == ()


def test_a_test_that_ran_twice_is_not_looked_at() -> None:
    twice = RecordedTest(nodeid=NAMES[3], outcome=TestOutcome.PASSED, duration_s=9.0)

    assert suspects(replace(head(USUAL), tests=(*head(USUAL).tests, twice)), runs()) == ()


def test_a_run_factor_needs_many_tests_and_is_never_below_one() -> None:
    earlier = {name: [value] * 5 for name, value in USUAL.items()}
    slower = {name: value * 1.3 for name, value in USUAL.items()}
    faster = {name: value * 0.7 for name, value in USUAL.items()}
    few = dict(list(earlier.items())[:10])

    assert run_factor(slower, earlier) == pytest.approx(1.3)
    assert run_factor(faster, earlier) == 1.0
    assert run_factor(slower, few) == 1.0


_durations = st.lists(st.floats(0, 1e4), min_size=3, max_size=3)


@given(st.lists(_durations, min_size=5, max_size=12), st.data())
def test_a_run_like_an_earlier_one_has_no_suspects(
    rows: list[list[float]], data: st.DataObject
) -> None:
    history = [main_run(i, tests=dict(zip("abc", row, strict=True))) for i, row in enumerate(rows)]
    seen = dict(zip("abc", data.draw(st.sampled_from(rows)), strict=True))

    assert suspects(head(seen), history) == ()


@given(st.lists(_durations, min_size=5, max_size=12), _durations, st.randoms(use_true_random=False))
def test_the_order_of_the_history_does_not_matter(
    rows: list[list[float]], now: list[float], chance: random.Random
) -> None:
    history = [main_run(i, tests=dict(zip("abc", row, strict=True))) for i, row in enumerate(rows)]
    shuffled = chance.sample(history, len(history))
    this = head(dict(zip("abc", now, strict=True)))

    assert suspects(this, shuffled) == suspects(this, history)
