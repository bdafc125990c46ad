from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telltale.flaky.detect import find_flakes, judge_failures
from telltale.records import FailureVerdict, Record

from .flaky_history import DISK, RACE, record, short

T = "tests/test_cache.py::test_read"
BAD = {T: RACE}


def verdict(head: Record, *history: Record) -> tuple[FailureVerdict, str]:
    (judged,) = judge_failures(head, history)
    assert (judged.flake is not None) == (judged.verdict is FailureVerdict.FLAKY)
    return judged.verdict, judged.reason


@pytest.mark.parametrize(
    "history",
    [
        pytest.param((record("a", 1, fails=BAD), record("a", 2, passes=(T,))), id="two-runs"),
        pytest.param(
            (
                record("a", 1, fails=BAD, run=7, attempt=1, pull_request=3),
                record("a", 1, passes=(T,), run=7, attempt=2, pull_request=3),
            ),
            id="two-attempts-of-one-pull-request-run",
        ),
        pytest.param((record("a", 1, fails=BAD, passes=(T,)),), id="rerun-inside-one-run"),
        pytest.param(
            (
                record("a", 1, fails=BAD, local=True),
                record("a", 2, passes=(T,), local=True),
            ),
            id="at-a-terminal-on-a-clean-commit",
        ),
        pytest.param(
            (record("a", 1, fails={"": RACE}), record("a", 2)), id="a-command-without-tests"
        ),
    ],
)
def test_both_outcomes_on_the_same_code_are_flaky(history: tuple[Record, ...]) -> None:
    (flake,) = find_flakes(history)

    assert len(flake.failed) == 1
    assert len(flake.passed_beside) == 1
    assert flake.runs == 2
    assert flake.failure.text == RACE


@pytest.mark.parametrize(
    "history",
    [
        pytest.param((record("a", 1, fails=BAD), record("a", 2, fails=BAD)), id="always-fails"),
        pytest.param((record("a", 1, fails=BAD), record("b", 2, passes=(T,))), id="repaired"),
        pytest.param(
            (record("a", 1, fails=BAD), record("a", 2, passes=(T,), fingerprint="beef")),
            id="another-machine",
        ),
        pytest.param(
            (
                record("a", 1, fails=BAD, fingerprint=""),
                record("a", 2, passes=(T,), fingerprint=""),
            ),
            id="unknown-machine",
        ),
        pytest.param(
            (record("a", 1, fails=BAD, dirty=True), record("a", 2, passes=(T,))),
            id="changed-files",
        ),
        pytest.param(
            (
                replace(record("a", 1, fails=BAD), invalid=("A is not set",)),
                record("a", 2, passes=(T,)),
            ),
            id="without-the-environment-that-it-needs",
        ),
        pytest.param(
            (
                record("a", 1, fails={"": RACE}),
                replace(record("a", 2), disagreements=("the status was lost",)),
            ),
            id="a-success-that-contradicts-itself",
        ),
        pytest.param(
            (
                record("", 1, fails=BAD, local=True),
                record("", 2, passes=(T,), local=True),
            ),
            id="unknown-code",
        ),
        pytest.param(
            (
                record("a", 1, fails=BAD, local=True, dirty=None),
                record("a", 2, passes=(T,), local=True),
            ),
            id="perhaps-changed-files",
        ),
        pytest.param(
            (
                record("a", 1, fails=BAD, pull_request=3, fork=True, run=7),
                record("a", 1, passes=(T,), pull_request=3, fork=True, run=7, attempt=2),
            ),
            id="only-a-fork-says-so",
        ),
        pytest.param(
            (
                record("a", 1, fails=BAD, pull_request=3, run=7),
                record("a", 2, passes=(T,), pull_request=3, run=8),
            ),
            id="the-base-may-have-moved-between-two-runs-of-a-pull-request",
        ),
    ],
)
def test_nothing_else_is_flaky(history: tuple[Record, ...]) -> None:
    assert find_flakes(history) == ()


def test_two_causes_of_one_test_are_two_flakes() -> None:
    history = [
        record("a", 1, fails=BAD),
        record("a", 2, passes=(T,)),
        record("a", 3, fails={T: DISK}),
    ]

    assert len({flake.signature for flake in find_flakes(history)}) == 2


def test_a_commit_on_which_it_always_fails_does_not_count_as_recurrence() -> None:
    proof = [record("a", 1, fails=BAD), record("a", 2, passes=(T,))]
    broken = [record("b", 3, fails=BAD), record("b", 4, fails=BAD)]
    once = [record("c", 5, fails=BAD)]

    (flake,) = find_flakes([*proof, *broken, *once])

    assert [one.started_at[8:10] for one in flake.failed] == ["01", "05"]


def test_a_fork_adds_failures_but_not_its_text() -> None:
    proof = [record("a", 1, fails=BAD), record("a", 2, passes=(T,))]
    fork = record(
        "f", 3, fails={T: RACE.replace("31", "99")}, pull_request=9, fork=True, dirty=None
    )

    (flake,) = find_flakes([*proof, fork])

    assert [one.fork for one in flake.failed] == [False, True]
    assert flake.failure.text == RACE


HEAD = record("head", 20, fails=BAD, pull_request=5, run=20)
GREEN = tuple(record(f"main{day}", day, passes=(T,)) for day in range(1, 13))


@pytest.mark.parametrize(
    ("head", "history", "expected"),
    [
        pytest.param(
            HEAD,
            GREEN,
            (FailureVerdict.NEW, "not seen in 12 runs of the default branch"),
            id="new",
        ),
        pytest.param(
            HEAD,
            (record("a", 1, fails={T: DISK}), *GREEN[1:]),
            (
                FailureVerdict.NEW,
                (
                    "not seen in 12 runs of the default branch;"
                    " the same test failed in 1 of them with another cause"
                ),
            ),
            id="new-with-another-cause",
        ),
        pytest.param(
            HEAD,
            (record("a", 1),),
            (
                FailureVerdict.NEW,
                "not seen in 1 run of the default branch; the test itself is new there",
            ),
            id="a-new-test",
        ),
        pytest.param(
            HEAD,
            (),
            (
                FailureVerdict.UNDECIDED,
                "the history has no runs of the default branch to compare with",
            ),
            id="no-history",
        ),
        pytest.param(
            HEAD,
            (record("other", 1, fails=BAD, pull_request=4),),
            (
                FailureVerdict.UNDECIDED,
                "the history has no runs of the default branch to compare with",
            ),
            id="another-pull-request-proves-nothing",
        ),
        pytest.param(
            HEAD,
            (*(record("a", day, passes=(T,)) for day in (1, 2, 3, 4)), record("a", 5, fails=BAD)),
            (
                FailureVerdict.FLAKY,
                f"passed in 4 and failed in 1 of 5 runs of {short('a')} on this kind of machine",
            ),
            id="flaky-on-the-default-branch",
        ),
        pytest.param(
            HEAD,
            (
                record("a", 1, fails=BAD, fingerprint="beef"),
                record("a", 2, passes=(T,), fingerprint="beef"),
            ),
            (
                FailureVerdict.FLAKY,
                f"passed in 1 and failed in 1 of 2 runs of {short('a')} on another kind of machine",
            ),
            id="flaky-elsewhere",
        ),
        pytest.param(
            HEAD,
            (
                *GREEN[:3],
                record("b", 13, fails=BAD),
                record("c", 14, fails=BAD),
            ),
            (
                FailureVerdict.KNOWN,
                (
                    "fails without this change: in the newest 2 runs of the default branch,"
                    f" since {short('b')}, 2026-11-13"
                ),
            ),
            id="broken-on-the-default-branch",
        ),
        pytest.param(
            HEAD,
            (record("b", 1, fails=BAD), *GREEN[3:]),
            (
                FailureVerdict.KNOWN,
                (
                    f"failed in 1 of 10 runs of the default branch, last at {short('b')}, 2026-11-01;"
                    " never seen to pass there on the same code"
                ),
            ),
            id="failed-there-before",
        ),
        pytest.param(
            HEAD,
            (
                record("a", 1, fails=BAD),
                record("a", 2, passes=(T,)),
                *(record(sha, day, fails=BAD) for sha, day in (("b", 3), ("c", 4), ("d", 5))),
            ),
            (
                FailureVerdict.KNOWN,
                (
                    "fails without this change: in the newest 3 runs of the default branch,"
                    f" since {short('b')}, 2026-11-03"
                ),
            ),
            id="once-flaky-now-broken",
        ),
        pytest.param(
            record("head", 20, fails=BAD, local=True),
            (record("x", 1, passes=(T,), local=True), record("y", 2, passes=(T,), local=True)),
            (FailureVerdict.NEW, "not seen in 2 earlier runs"),
            id="at-a-terminal",
        ),
        pytest.param(
            HEAD,
            (
                *GREEN[:3],
                record("head", 20, passes=(T,), pull_request=5, run=20, attempt=2),
            ),
            (
                FailureVerdict.FLAKY,
                f"passed in 1 and failed in 1 of 2 runs of {short('head')} on this kind of machine",
            ),
            id="passed-on-the-second-attempt",
        ),
    ],
)
def test_a_failure_is_judged_with_its_reason(
    head: Record, history: tuple[Record, ...], expected: tuple[FailureVerdict, str]
) -> None:
    assert verdict(head, *history) == expected


def test_failures_of_an_invalid_run_are_told_and_not_judged() -> None:
    history = [record("a", day, passes=(T,)) for day in range(1, 9)]
    head = replace(record("b", 9, fails=BAD, pull_request=3), invalid=("A is not set",))

    assert verdict(head, *history) == (
        FailureVerdict.UNDECIDED,
        "the run is no valid measurement: A is not set",
    )


def test_what_an_invalid_run_of_main_did_is_not_known() -> None:
    history = [replace(record("a", day, fails=BAD), invalid=("A",)) for day in range(1, 9)]
    head = record("b", 9, fails=BAD, pull_request=3)

    assert verdict(head, *history)[0] is FailureVerdict.UNDECIDED


def test_the_run_under_report_may_be_in_the_history_already() -> None:
    assert verdict(HEAD, *GREEN, HEAD) == verdict(HEAD, *GREEN)


OUTCOMES = st.lists(
    st.tuples(st.sampled_from("abc"), st.booleans(), st.booleans()), min_size=1, max_size=12
)


def _history(outcomes: list[tuple[str, bool, bool]]) -> list[Record]:
    return [
        record(sha, day, fails={} if ok else BAD, passes=(T,) if ok else (), fork=fork, run=day)
        for day, (sha, ok, fork) in enumerate(outcomes, start=1)
    ]


@given(OUTCOMES)
def test_flaky_exactly_when_some_trusted_code_did_both(
    outcomes: list[tuple[str, bool, bool]],
) -> None:
    trusted = [(sha, ok) for sha, ok, fork in outcomes if not fork]
    both = any({ok for other, ok in trusted if other == sha} == {True, False} for sha in "abc")

    assert bool(find_flakes(_history(outcomes))) == both


def test_of_two_commits_that_prove_it_alike_the_newer_is_named() -> None:
    history = _history(
        [("a", True, False), ("a", False, False), ("b", True, False), ("b", False, False)]
    )

    (one,), (other,) = judge_failures(HEAD, history), judge_failures(HEAD, history[::-1])

    assert one.reason == other.reason
    assert "failed in 1 of 2 runs of " + record("b", 1).origin.sha[:7] in one.reason


@given(OUTCOMES, st.randoms(use_true_random=False))
def test_the_order_of_the_records_does_not_matter(
    outcomes: list[tuple[str, bool, bool]], shuffle: random.Random
) -> None:
    history = _history(outcomes)
    shuffled = shuffle.sample(history, len(history))

    assert find_flakes(shuffled) == find_flakes(history)
    assert judge_failures(HEAD, shuffled) == judge_failures(HEAD, history)
