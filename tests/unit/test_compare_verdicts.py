"""What becomes of a suspicion: measured again, doubted, held against a ceiling; and tests' numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from telltale.compare import compare
from telltale.compare.confirming import confirm
from telltale.compare.settings import Ceiling, NumberMeaning, Settings
from telltale.model import Confirmation, Verdict
from telltale.records import Judgement, Load, Record, TestNumber
from tests.unit.history_records import main_run

NAMES = [f"tests/test_a.py::test_{index}" for index in range(40)]
USUAL = dict.fromkeys(NAMES, 0.2)
SLOW = NAMES[3]
LOW, HIGH = (0.2, 0.21, 0.2, 0.19, 0.2), (0.4, 0.41, 0.4, 0.39, 0.4)


def run(number: int, *, factor: float = 1.0, slow: float = 0.2, cpu_s: float = 8.0) -> Record:
    """Return a run whose tests use the CPU for as long as they last."""
    noise = 1 + 0.01 * (number % 3 - 1)
    record = main_run(
        number,
        cpu_s=cpu_s * noise,
        tests={name: value * factor * noise for name, value in {**USUAL, SLOW: slow}.items()},
    )
    return replace(
        record, tests=tuple(replace(test, cpu_s=test.duration_s) for test in record.tests)
    )


EARLIER = [run(number) for number in range(8)]


def judged(head: Record, metric: str, nodeid: str = "", **more: object) -> Judgement:
    found = compare(head, EARLIER, **more).judgements  # type: ignore[arg-type]
    (one,) = [each for each in found if (each.metric, each.nodeid) == (metric, nodeid)]
    return one


def again(
    base: Sequence[float], head: Sequence[float], *, metric: str = "cpu_s", nodeid: str = SLOW
) -> Confirmation:
    return confirm(metric, nodeid, "s", base, head)


def test_without_confirmation_a_single_test_is_never_a_regression() -> None:
    found = judged(run(100, slow=0.4), "cpu_s", SLOW)

    assert (found.verdict, found.advisory) == (Verdict.UNDECIDED, True)


@pytest.mark.parametrize(
    ("slow", "base", "head", "verdict"),
    [
        (0.4, LOW, HIGH, Verdict.REGRESSION),
        (0.4, LOW, LOW, Verdict.UNCHANGED),
        (0.1, HIGH, LOW, Verdict.IMPROVEMENT),
        (0.1, LOW, LOW, Verdict.UNCHANGED),
    ],
)
def test_a_suspect_is_what_measuring_again_shows(
    slow: float, base: Sequence[float], head: Sequence[float], verdict: Verdict
) -> None:
    confirmation = again(base, head)
    now = replace(run(100, slow=slow), confirmations=(confirmation,))
    found = judged(now, "cpu_s", SLOW)

    assert (found.verdict, found.advisory) == (verdict, False)
    assert found.confirmation == confirmation
    assert found.reason == f"measured again: {confirmation.reason}"
    assert found.n == 8


def test_a_suspect_that_could_not_be_measured_again_stays_one() -> None:
    confirmation = confirm("cpu_s", SLOW, "s", LOW[:2], HIGH[:2], problem="the budget was spent")
    found = judged(replace(run(100, slow=0.4), confirmations=(confirmation,)), "cpu_s", SLOW)

    assert (found.verdict, found.advisory) == (Verdict.UNDECIDED, True)
    assert found.reason.startswith("suspect: ")
    assert found.reason.endswith("; measured again: the budget was spent")


def test_a_bundles_own_verdict_is_not_believed() -> None:
    lie = replace(again(LOW, LOW), verdict=Verdict.REGRESSION, wins=25)

    assert (
        judged(replace(run(100, slow=0.4), confirmations=(lie,)), "cpu_s", SLOW).verdict
        is Verdict.UNCHANGED
    )


def test_a_confirmed_change_within_the_tests_own_noise_is_none() -> None:
    noisy = [
        replace(record, tests=tuple(
            replace(test, cpu_s=test.duration_s * (1 + 0.15 * ((number + at) % 7 - 3)))
            for at, test in enumerate(record.tests)
        ))
        for number, record in enumerate(EARLIER)
    ]  # fmt: skip
    small = again((0.2, 0.2, 0.2, 0.2, 0.2), (0.24, 0.24, 0.24, 0.24, 0.24))
    assert small.verdict is Verdict.REGRESSION
    now = replace(run(100, slow=0.9), confirmations=(small,))
    (found,) = [one for one in compare(now, noisy).judgements if one.nodeid == SLOW]

    assert found.verdict is Verdict.UNCHANGED
    assert "less than 2.5 times its noise of" in found.reason
    assert judged(now, "cpu_s", SLOW).verdict is Verdict.REGRESSION, "and in quiet runs it is one"


def test_noise_that_confirms_the_other_way_round_confirms_nothing() -> None:
    found = judged(replace(run(100, slow=0.1), confirmations=(again(LOW, HIGH),)), "cpu_s", SLOW)

    assert found.verdict is Verdict.UNCHANGED
    assert found.reason.endswith("; the other way round than suspected")


def test_wall_time_stays_advisory_when_it_is_confirmed() -> None:
    slow = run(100, slow=0.4)
    tests = tuple(replace(test, cpu_s=0.2) for test in slow.tests)
    confirmation = again(LOW, HIGH, metric="duration_s")
    found = judged(replace(slow, tests=tests, confirmations=(confirmation,)), "duration_s", SLOW)

    assert (found.verdict, found.advisory) == (Verdict.REGRESSION, True)


def test_what_was_confirmed_and_not_suspected_is_added() -> None:
    confirmations = (again(LOW, HIGH, nodeid=NAMES[7]), again(LOW, LOW, nodeid=NAMES[8]))
    found = compare(replace(run(100), confirmations=confirmations), EARLIER).judgements

    assert [(one.nodeid, one.verdict) for one in found if one.nodeid] == [
        (NAMES[7], Verdict.REGRESSION)
    ]


def test_the_whole_run_can_be_confirmed_too() -> None:
    confirmation = confirm("cpu_s", "", "s", (8.0,) * 5, (8.1,) * 5)
    now = replace(run(100, cpu_s=12.0), confirmations=(confirmation,))

    assert judged(run(100, cpu_s=12.0), "cpu_s").verdict is Verdict.REGRESSION
    assert judged(now, "cpu_s").verdict is Verdict.UNCHANGED


@pytest.mark.parametrize(
    ("head", "why"),
    [
        pytest.param(
            run(100, factor=1.3, cpu_s=12.0),
            "not comparable: every test took about 1.30 times as much as usual",
            id="run-factor",
        ),
        pytest.param(
            replace(run(100, cpu_s=12.0), load=Load(load_average=9.0, cpus=2)),
            "not comparable: the machine was busy: load average 9 on 2 CPUs at the start",
            id="load",
        ),
    ],
)
def test_times_of_a_machine_that_was_another_are_not_comparable(head: Record, why: str) -> None:
    found = judged(head, "cpu_s")

    assert found.verdict is Verdict.UNDECIDED
    assert found.reason.startswith(why)
    assert found.change is not None
    assert judged(head, "max_rss_bytes").verdict is Verdict.UNCHANGED, "memory is"

    confirmed = confirm("cpu_s", "", "s", (8.0,) * 5, (12.0,) * 5)
    paired = judged(replace(head, confirmations=(confirmed,)), "cpu_s")
    assert paired.verdict is Verdict.REGRESSION, "unless confirmed by pairing"


@pytest.mark.parametrize(
    ("ceiling", "nodeid", "verdict", "reason"),
    [
        pytest.param(
            Ceiling(metric="wall_s", limit=905, origin="x.yml"), "", Verdict.UNCHANGED,
            "893.000 s (99 %) left to the limit of 905.000 s in x.yml", id="below",
        ),
        pytest.param(
            Ceiling(metric="wall_s", limit=10, origin="x.yml"), "", Verdict.REGRESSION,
            "2.000 s above the limit of 10.000 s in x.yml", id="above",
        ),
        pytest.param(
            Ceiling(metric="cpu_percent", limit=10, origin="x.yml"), "", Verdict.UNDECIDED,
            "not measured; the limit of 10.000 % in x.yml", id="not-measured",
        ),
        pytest.param(
            Ceiling(metric="duration_s", limit=0.3, tests="tests/*", origin="x.yml"), SLOW,
            Verdict.REGRESSION, "0.100 s above the limit of 0.300 s in x.yml", id="a-test",
        ),
        pytest.param(
            Ceiling(metric="duration_s", limit=0.3, tests="no/*", origin="x.yml"), "no/*",
            Verdict.UNDECIDED, "not measured; the limit of 0.300 s in x.yml", id="no-such-test",
        ),
    ],
)  # fmt: skip
def test_a_ceiling_holds_whatever_the_history_says(
    ceiling: Ceiling, nodeid: str, verdict: Verdict, reason: str
) -> None:
    head = replace(run(101, slow=0.4), tests=run(100, slow=0.4).tests)
    found = compare(head, [], settings=Settings(ceilings=(ceiling,))).judgements
    (one,) = [each for each in found if each.ceiling is not None]

    assert (one.nodeid, one.verdict, one.advisory) == (nodeid, verdict, False)
    assert one.reason == reason
    assert one.ceiling == ceiling.limit


def test_tests_above_a_ceiling_are_told_the_worst_first_and_not_all() -> None:
    settings = Settings(ceilings=(Ceiling(metric="duration_s", limit=0.1, tests="*"),))
    found = compare(run(100, slow=0.4), [], settings=settings).judgements
    above = [one.nodeid for one in found if one.ceiling is not None]

    assert above[0] == SLOW
    assert len(above) == 20


def with_number(record: Record, value: float, name: str = "steps_per_s") -> Record:
    return replace(record, numbers=(TestNumber(nodeid=SLOW, name=name, value=value),))


@pytest.mark.parametrize(
    ("value", "meaning", "verdict"),
    [
        (50.0, (), Verdict.UNDECIDED),
        (50.0, (NumberMeaning(name="steps_per_s", better="higher"),), Verdict.REGRESSION),
        (200.0, (NumberMeaning(name="steps_per_s", better="higher"),), Verdict.IMPROVEMENT),
        (200.0, (NumberMeaning(name="steps_per_s", better="lower"),), Verdict.REGRESSION),
        (200.0, (NumberMeaning(name="another"),), Verdict.UNDECIDED),
    ],
)
def test_a_number_of_a_test_is_judged_where_its_meaning_is_known(
    value: float, meaning: tuple[NumberMeaning, ...], verdict: Verdict
) -> None:
    earlier = [with_number(record, 100.0 + at) for at, record in enumerate(EARLIER)]
    found = compare(with_number(run(100), value), earlier, settings=Settings(numbers=meaning))
    (one,) = [each for each in found.judgements if each.metric == "number:steps_per_s"]

    assert (one.nodeid, one.verdict, one.advisory) == (SLOW, verdict, True)
    assert one.now == value


def test_a_number_that_did_not_change_is_not_worth_a_word() -> None:
    earlier = [with_number(record, 100.0 + at) for at, record in enumerate(EARLIER)]
    found = compare(with_number(run(100), 104.0), earlier).judgements

    assert not [one for one in found if one.metric.startswith("number:")]
