from __future__ import annotations

import pytest

from telltale.flaky.detect import find_flakes
from telltale.flaky.filing import decide, to_file
from telltale.records import Record

from .flaky_history import DISK, RACE, record

T = "tests/test_cache.py::test_read"
BAD = {T: RACE}


def flaky(sha: str, day: int, pull_request: int | None = None) -> tuple[Record, ...]:
    """Return a failure and, on the same code, a pass."""
    first = record(sha, day, fails=BAD, run=day, pull_request=pull_request)
    again = record(sha, day, passes=(T,), run=day, attempt=2, pull_request=pull_request)
    return first, again


@pytest.mark.parametrize(
    "history",
    [
        pytest.param((*flaky("a", 1), *flaky("b", 3)), id="twice-on-the-default-branch"),
        pytest.param(
            (*flaky("a", 1), *flaky("b", 3, pull_request=4)),
            id="on-the-default-branch-and-in-a-pull-request",
        ),
        pytest.param(
            (*flaky("a", 1, pull_request=3), *flaky("b", 3, pull_request=4)),
            id="in-two-pull-requests",
        ),
        pytest.param((*flaky("a", 1), record("b", 14, fails=BAD)), id="recurred-without-a-rerun"),
        pytest.param(
            (
                record("a", 1, fails=BAD, local=True),
                record("a", 2, passes=(T,), local=True),
                record("a", 3, fails=BAD, local=True),
            ),
            id="at-a-terminal",
        ),
    ],
)
def test_what_recurred_is_filed(history: tuple[Record, ...]) -> None:
    flakes = find_flakes(history)

    assert to_file(flakes) == flakes


@pytest.mark.parametrize(
    ("history", "reason"),
    [
        pytest.param(
            flaky("a", 1),
            "1 failure in 1 run within 14 days; an issue needs 2 in 2",
            id="once",
        ),
        pytest.param(
            (record("a", 1, fails=BAD, run=1), *(flaky("a", 1))),
            "2 failures in 1 run within 14 days; an issue needs 2 in 2",
            id="two-attempts-of-one-run",
        ),
        pytest.param(
            (*flaky("a", 1, pull_request=3), *flaky("b", 3, pull_request=3)),
            "2 failures in 1 run within 14 days; an issue needs 2 in 2",
            id="one-pull-request-however-often",
        ),
        pytest.param(
            (*flaky("a", 1), *flaky("b", 20)),
            "1 failure in 1 run within 14 days; an issue needs 2 in 2",
            id="long-ago",
        ),
        pytest.param(
            (
                *flaky("a", 1, pull_request=3),
                record("f", 3, fails=BAD, pull_request=4, fork=True, run=3),
            ),
            "1 failure in 1 run within 14 days; an issue needs 2 in 2",
            id="a-fork-does-not-count",
        ),
        pytest.param(
            (*flaky("a", 1, pull_request=3), record("b", 3, fails=BAD, branch="topic")),
            "not seen on the default branch, and in 1 of the 2 pull requests it takes",
            id="one-pull-request-and-a-branch",
        ),
    ],
)
def test_what_did_not_recur_waits(history: tuple[Record, ...], reason: str) -> None:
    decision = decide(find_flakes(history))

    assert decision.file == ()
    assert [held.reason for held in decision.held] == [reason]


def test_a_mass_failure_is_not_about_the_tests() -> None:
    tests = [f"tests/test_{name}.py::test_it" for name in "abcd"]
    history = [
        record("a", 1, fails=dict.fromkeys(tests, DISK), run=1),
        record("a", 1, passes=tuple(tests), run=1, attempt=2),
        record("b", 2, fails=dict.fromkeys(tests, DISK), run=2),
        record("b", 2, passes=tuple(tests), run=2, attempt=2),
    ]

    decision = decide(find_flakes(history))

    assert decision.file == ()
    assert {held.reason for held in decision.held} == {
        (
            "failed only where more than 3 stable tests failed at once:"
            " look at the runner or the environment, not at the test"
        )
    }


def test_a_flake_that_was_known_before_survives_a_mass_failure() -> None:
    tests = [f"tests/test_{name}.py::test_it" for name in "abcd"]
    sick = [
        record("s", 5, fails=dict.fromkeys([*tests, T], RACE), run=5),
        record("s", 5, passes=(*tests, T), run=5, attempt=2),
    ]

    (filed,) = to_file(find_flakes([*flaky("a", 1), *flaky("b", 3), *sick]))

    assert filed.nodeid == T


def test_one_issue_for_one_cause_and_at_most_the_limit() -> None:
    other = "tests/test_pool.py::test_read"
    third = "tests/test_store.py::test_write"
    history = [
        one
        for sha, day in (("a", 1), ("b", 3))
        for one in (
            record(sha, day, fails={T: RACE, other: RACE, third: DISK}, run=day),
            record(sha, day, passes=(T, other, third), run=day, attempt=2),
        )
    ]
    flakes = find_flakes(history)

    assert len({flake.signature for flake in to_file(flakes, limit=5)}) == 2
    assert len(to_file(flakes, limit=5)) == 2
    assert len(to_file(flakes, limit=1)) == 1
    assert to_file(flakes, limit=0) == ()
    assert {held.reason for held in decide(flakes, limit=1).held} == {
        f"has the cause of {T}: one issue",
        "at most 1 new a report; next time",
    }
