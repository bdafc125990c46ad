"""Suspects among single tests: who stands out, by CPU time and by wall time, and how that is learnt."""

from __future__ import annotations

import random
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telltale.compare.screening import CLEAN, run_factor, screen
from telltale.compare.suspects import MAX_SUSPECTS
from telltale.compare.suspects import suspects as find
from telltale.model import TestOutcome, Verdict
from telltale.records import Judgement, Record, RecordedTest
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


def suspects(now: Record, baseline: Sequence[Record]) -> tuple[Judgement, ...]:
    return find(now, baseline).judgements


def names(found: Sequence[Judgement]) -> list[str]:
    return [one.nodeid for one in found]


def with_cpu(record: Record, part: float = 0.5, **cpu_s: float) -> Record:
    """Return the record with CPU times: a part of the durations, or as said by a test's number."""
    tests = tuple(
        replace(test, cpu_s=cpu_s.get(f"test_{index}", test.duration_s * part))
        for index, test in enumerate(record.tests)
    )
    return replace(record, tests=tests)


def test_a_test_that_lost_much_time_is_a_suspect_and_no_more() -> None:
    slow = {**USUAL, NAMES[3]: 0.9}
    (found,) = suspects(head(slow), runs())

    assert found.nodeid == NAMES[3]
    assert found.verdict is Verdict.UNDECIDED
    assert found.advisory
    assert found.reason.startswith("suspect: +351 % against the median of 10 runs, ")
    assert found.reason.endswith(" times its noise; one run is no proof")
    assert (found.metric, found.unit, found.now, found.n) == ("duration_s", "s", 0.9, 10)
    assert found.baseline == pytest.approx(0.2, rel=0.02)
    assert found.change == pytest.approx(3.5, rel=0.05)
    assert found.noise is not None
    assert 0 < found.noise < 0.05


@pytest.mark.parametrize(
    ("nodeid", "duration"),
    [
        pytest.param(NAMES[0], 0.069, id="less-than-20-ms-lost"),
        pytest.param(NAMES[6], 0.38, id="less-than-10-percent-lost"),
    ],
)
def test_small_losses_are_not_worth_a_look(nodeid: str, duration: float) -> None:
    assert suspects(head({**USUAL, nodeid: duration}), runs()) == ()


def test_a_slower_machine_is_not_the_tests_fault() -> None:
    everything = {name: value * 1.5 for name, value in USUAL.items()}
    assert suspects(head(everything), runs()) == ()

    (found,) = suspects(head({**everything, NAMES[3]: 0.9}), runs())
    assert found.nodeid == NAMES[3]
    assert "though the whole run took 1.50 times as much" in found.reason
    assert find(head(everything), runs()).factors == {"duration_s": pytest.approx(1.5, rel=0.01)}


def test_a_noisy_history_raises_the_bar() -> None:
    # In each of these runs some tests take three times as long: one more is nothing.
    chance = random.Random(1)  # noqa: S311
    noisy = []
    for number in range(10):
        hit = {name: 3 * USUAL[name] for name in chance.sample(NAMES, CLEAN + 4)}
        noisy.append(main_run(number, tests={**USUAL, **hit}))

    assert suspects(head({**USUAL, NAMES[40]: 2.5 * USUAL[NAMES[40]]}), noisy) == ()
    assert names(suspects(head({**USUAL, NAMES[40]: 5 * USUAL[NAMES[40]]}), noisy)) == [NAMES[40]]
    assert names(suspects(head({**USUAL, NAMES[40]: 2.5 * USUAL[NAMES[40]]}), runs())) == [
        NAMES[40]
    ]


def test_one_unlucky_run_of_the_baseline_hides_nothing() -> None:
    seen = [*runs(9), main_run(50, tests={**USUAL, NAMES[3]: 1.0})]

    assert names(suspects(head({**USUAL, NAMES[3]: 0.9}), seen)) == [NAMES[3]]


def test_a_faster_test_is_a_suspect_too_after_the_slower_ones() -> None:
    changed = {**USUAL, NAMES[3]: 0.1, NAMES[4]: 0.5}
    slower, faster = suspects(head(changed), runs())

    assert (slower.nodeid, faster.nodeid) == (NAMES[4], NAMES[3])
    assert faster.change == pytest.approx(-0.5, rel=0.02)
    assert faster.verdict is Verdict.UNDECIDED


def test_a_faster_machine_is_not_the_tests_merit() -> None:
    assert suspects(head({name: value / 1.5 for name, value in USUAL.items()}), runs()) == ()


def test_cpu_time_names_a_test_before_wall_time_does() -> None:
    baseline = [with_cpu(record) for record in runs()]
    waits, computes = NAMES[3], NAMES[4]
    now = with_cpu(head({**USUAL, waits: 0.9, computes: 0.9}), test_3=0.1, test_4=0.6)
    found = suspects(now, baseline)

    assert [(one.nodeid, one.metric) for one in found] == [
        (computes, "cpu_s"),
        (waits, "duration_s"),
    ]
    assert set(find(now, baseline).factors) == {"cpu_s", "duration_s"}


def test_a_test_whose_cpu_time_was_not_measured_before_is_not_judged_by_it() -> None:
    now = with_cpu(head({**USUAL, NAMES[3]: 0.9}))

    assert [one.metric for one in suspects(now, runs())] == ["duration_s"]


def test_the_most_certain_come_first_and_the_list_is_short() -> None:
    # Fewer than half: of more nobody could tell them from a slow machine.
    slow = {name: USUAL[name] * (2 + index) for index, name in enumerate(NAMES[:28])}
    found = suspects(head({**USUAL, **slow}), runs(noise=0.0))

    assert names(found) == NAMES[27 : 27 - MAX_SUSPECTS : -1]


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


def test_a_run_factor_needs_many_tests() -> None:
    slower = {name: value * 1.3 for name, value in USUAL.items()}
    faster = {name: value * 0.7 for name, value in USUAL.items()}
    few = dict(list(USUAL.items())[:10])

    assert run_factor(slower, USUAL) == pytest.approx(1.3)
    assert run_factor(faster, USUAL) == pytest.approx(0.7)
    assert run_factor(slower, few) == 1.0


def test_few_runs_borrow_the_suites_noise() -> None:
    # By chance one test took the same time in all five runs: a little more is still nothing.
    quiet = [main_run(n, tests={**dict.fromkeys(NAMES, 0.5), **moved}) for n, moved in enumerate(
        [{name: 0.5 * (1 + 0.1 * ((index + n) % 5 - 2)) for index, name in enumerate(NAMES[1:])} for n in range(5)]
    )]  # fmt: skip
    found = screen({**dict.fromkeys(NAMES, 0.5), NAMES[0]: 0.6}, [
        {test.nodeid: test.duration_s for test in record.tests} for record in quiet
    ])  # fmt: skip

    assert found.more == ()


_durations = st.lists(st.floats(0, 1e4), min_size=3, max_size=3)


@given(st.lists(_durations, min_size=5, max_size=12))
def test_a_run_of_medians_has_no_suspects(rows: list[list[float]]) -> None:
    history = [main_run(i, tests=dict(zip("abc", row, strict=True))) for i, row in enumerate(rows)]
    usual = [statistics.median(column) for column in zip(*rows, strict=True)]

    assert suspects(head(dict(zip("abc", usual, strict=True))), history) == ()


@given(st.lists(_durations, min_size=5, max_size=9), _durations)
def test_what_stands_out_is_beyond_its_threshold(rows: list[list[float]], now: list[float]) -> None:
    history = [main_run(i, tests=dict(zip("abc", row, strict=True))) for i, row in enumerate(rows)]

    for one in suspects(head(dict(zip("abc", now, strict=True))), history):
        assert one.change is not None
        assert one.threshold is not None
        assert abs(one.change) > one.threshold * 0.99


@given(st.lists(_durations, min_size=5, max_size=12), _durations, st.randoms(use_true_random=False))
def test_the_order_of_the_history_does_not_matter(
    rows: list[list[float]], now: list[float], chance: random.Random
) -> None:
    history = [main_run(i, tests=dict(zip("abc", row, strict=True))) for i, row in enumerate(rows)]
    shuffled = chance.sample(history, len(history))
    this = head(dict(zip("abc", now, strict=True)))

    assert suspects(this, shuffled) == suspects(this, history)
