from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telltale.compare import compare
from telltale.compare.baseline import MAX_RUNS, choose
from telltale.model import Outcome, Verdict
from telltale.records import Origin, Record, Series
from tests.unit.history_records import PARTS, TERMINAL, UNIT, main_run, of_pull_request

HEAD = main_run(100, origin=of_pull_request(100))
EARLIER = [main_run(number) for number in range(10)]
OTHER_MACHINE = {"fingerprint": "0ther", "parts": {**PARTS, "cpu": "Xeon 8370C"}}


def test_the_newest_runs_of_the_default_branch_are_the_baseline() -> None:
    baseline = choose(HEAD, [main_run(number) for number in range(30)])

    assert [record.id for record in baseline.records] == [
        main_run(number).id for number in range(29, 29 - MAX_RUNS, -1)
    ]
    assert baseline.enough
    assert baseline.reason == "the 20 newest runs of the default branch on such a machine"


@pytest.mark.parametrize(
    "stranger",
    [
        pytest.param(HEAD, id="the-run-itself"),
        pytest.param(main_run(101), id="started-later"),
        pytest.param(main_run(9, origin=of_pull_request(9)), id="another-pull-request"),
        pytest.param(main_run(9, origin=of_pull_request(9, fork=True)), id="a-fork"),
        pytest.param(
            main_run(9, origin=Origin(repository="octo/widgets", run_id=9, default_branch=True, fork=True)),
            id="a-fork-that-calls-itself-main",
        ),
        pytest.param(main_run(9, origin=TERMINAL), id="a-terminal"),
        pytest.param(main_run(9, series=replace(UNIT, name="lint")), id="another-name"),
        pytest.param(main_run(9, series=replace(UNIT, job="lint")), id="another-job"),
        pytest.param(main_run(9, fingerprint="other"), id="another-machine"),
        pytest.param(main_run(9, dirty=True), id="changed-files"),
        pytest.param(replace(main_run(9), invalid=("a guard",)), id="no-measurement"),
        *(
            pytest.param(main_run(9, outcome=outcome), id=outcome.value)
            for outcome in Outcome
            if outcome not in {Outcome.PASSED, Outcome.FAILED}
        ),
        pytest.param(main_run(9, outcome=Outcome.FAILED, tests={}), id="failed-before-any-test"),
        pytest.param(replace(main_run(9), profiled=("cprofile",)), id="under-a-profiler"),
        pytest.param(
            replace(main_run(9), origin=replace(main_run(9).origin, run_id=HEAD.origin.run_id)),
            id="another-attempt-of-this-run",
        ),
        pytest.param(
            replace(main_run(9), origin=replace(main_run(9).origin, sha=HEAD.origin.sha)),
            id="the-pull-requests-own-commit",
        ),
    ],
)  # fmt: skip
def test_what_is_not_comparable_is_never_in_the_baseline(stranger: Record) -> None:
    baseline = choose(HEAD, [stranger, *EARLIER[:8]])

    assert baseline.records == tuple(reversed(EARLIER[:8]))


@pytest.mark.parametrize(
    "friend",
    [
        pytest.param(main_run(9), id="passed"),
        pytest.param(main_run(9, outcome=Outcome.FAILED), id="failed-after-tests"),
        pytest.param(main_run(9, dirty=None), id="unknown-whether-files-changed"),
        pytest.param(replace(main_run(9), started_at=HEAD.started_at), id="started-in-the-same-second"),
        pytest.param(main_run(9, tests={}), id="passed-without-a-test-report"),
    ],
)  # fmt: skip
def test_what_is_comparable_is_in_the_baseline(friend: Record) -> None:
    assert friend.id in [record.id for record in choose(HEAD, [friend]).records]


def test_a_run_of_the_default_branch_may_follow_one_of_the_same_commit() -> None:
    nightly = replace(main_run(9), origin=replace(main_run(9).origin, sha="5" * 40))
    head = replace(main_run(100), origin=replace(main_run(100).origin, sha="5" * 40))

    assert choose(head, [nightly]).records == (nightly,)


def test_at_a_terminal_runs_are_compared_with_their_like() -> None:
    # The demo and the laptop: nobody vouches for any of them.
    earlier = [main_run(number, origin=TERMINAL) for number in range(5)]
    baseline = choose(main_run(100, origin=TERMINAL), earlier)

    assert baseline.enough
    assert baseline.reason == "the 5 newest earlier runs at a terminal on such a machine"


def test_a_terminal_may_measure_itself_against_the_default_branch() -> None:
    assert choose(main_run(100, origin=TERMINAL), EARLIER).enough


@pytest.mark.parametrize(
    ("head", "records", "reason"),
    [
        pytest.param(HEAD, [], "no earlier run of this series", id="empty"),
        pytest.param(
            HEAD,
            [main_run(9, series=Series(kind=UNIT.kind, job="lint", name="x"))],
            "no earlier run of this series",
            id="only-another-series",
        ),
        pytest.param(
            HEAD,
            [main_run(9, origin=of_pull_request(9))],
            "no runs of the default branch of this series",
            id="only-pull-requests",
        ),
        pytest.param(
            HEAD,
            [main_run(9, dirty=True)],
            "no runs of the default branch with unchanged files of this series",
            id="only-changed-files",
        ),
        pytest.param(
            HEAD,
            [main_run(9, outcome=Outcome.TIMED_OUT)],
            "no runs of the default branch that came to an end of this series",
            id="only-timeouts",
        ),
        pytest.param(HEAD, EARLIER[:3], "3 comparable runs of 5 needed", id="too-few"),
        pytest.param(
            HEAD,
            [main_run(number, **OTHER_MACHINE) for number in range(9)],  # type: ignore[arg-type]
            "no run on this kind of machine (other fingerprint: CPU model)",
            id="other-machines",
        ),
        pytest.param(
            HEAD,
            [*EARLIER[:3], main_run(8, **OTHER_MACHINE), main_run(9, **OTHER_MACHINE)],  # type: ignore[arg-type]
            "3 comparable runs of 5 needed; 2 on another kind of machine"
            " (other fingerprint: CPU model)",
            id="too-few-and-other-machines",
        ),
        pytest.param(
            HEAD,
            [main_run(9, fingerprint="other", parts={"cpu": "EPYC 7763", "gpus": "H100"})],
            "no run on this kind of machine"
            " (other fingerprint: number of CPUs, GPUs, Python version)",
            id="several-parts",
        ),
        pytest.param(
            HEAD,
            [main_run(9, fingerprint="other")],
            "no run on this kind of machine (other fingerprint: parts not recorded)",
            id="unknown-parts",
        ),
        pytest.param(
            replace(HEAD, outcome=Outcome.TIMED_OUT),
            EARLIER,
            "nothing to compare: it was killed at its limit",
            id="timed-out",
        ),
        pytest.param(
            main_run(100, outcome=Outcome.FAILED, tests={}),
            EARLIER,
            "nothing to compare: it failed before a test could be named",
            id="failed-before-any-test",
        ),
        pytest.param(
            replace(HEAD, profiled=("py-spy", "cprofile")),
            EARLIER,
            "nothing to compare: it ran under py-spy, cprofile, which disturbs its figures",
            id="under-profilers",
        ),
        pytest.param(
            main_run(100, fingerprint=""),
            EARLIER,
            "the machine of this run is not known",
            id="unknown-machine",
        ),
    ],
)
def test_too_little_history_says_what_is_missing(
    head: Record, records: list[Record], reason: str
) -> None:
    baseline = choose(head, records)

    assert not baseline.enough
    assert baseline.reason == reason


def test_a_run_that_is_no_measurement_is_compared_with_nothing() -> None:
    invalid = replace(HEAD, invalid=("A is not set",))

    baseline = choose(invalid, EARLIER)
    comparison = compare(invalid, EARLIER)

    reason = "nothing to compare: the run is no valid measurement: A is not set"
    assert (baseline.records, baseline.reason) == ((), reason)
    assert {judgement.verdict for judgement in comparison.judgements} == {Verdict.UNDECIDED}
    assert {judgement.reason for judgement in comparison.judgements} == {reason}
    only = choose(HEAD, [replace(record, invalid=("A is not set",)) for record in EARLIER])
    assert only.reason == (
        "no runs of the default branch that are valid measurements of this series"
    )


@given(st.randoms(use_true_random=False), st.integers(0, 30))
def test_the_order_of_the_history_does_not_matter(chance: random.Random, size: int) -> None:
    records = [main_run(number) for number in range(size)]
    shuffled = chance.sample(records, len(records))

    assert choose(HEAD, shuffled) == choose(HEAD, records)


def with_packages(record: Record, **packages: str) -> Record:
    return replace(record, host=replace(record.host, packages=packages))


def test_other_packages_are_said_and_no_bar() -> None:
    head = with_packages(HEAD, numpy="2.4.0", torch="2.9.1", new="1")
    earlier = [with_packages(record, numpy="2.3.4", torch="2.9.1") for record in EARLIER]

    baseline = choose(head, earlier)

    assert baseline.enough
    assert baseline.reason.endswith(
        " on such a machine; other packages than the newest of them: new none -> 1,"
        " numpy 2.3.4 -> 2.4.0"
    )


def test_many_other_packages_are_counted() -> None:
    names = [f"nvidia-{letter}" for letter in "abcdef"]
    head = with_packages(HEAD, **dict.fromkeys(names, "13"))
    earlier = [with_packages(record, **dict.fromkeys(names, "12")) for record in EARLIER]

    assert choose(head, earlier).reason.endswith(
        ": nvidia-a 12 -> 13, nvidia-b 12 -> 13, nvidia-c 12 -> 13 and 3 more"
    )


def test_unknown_packages_are_not_other_packages() -> None:
    assert choose(with_packages(HEAD, numpy="2"), EARLIER).reason == choose(HEAD, EARLIER).reason


def shas(*numbers: int) -> list[str]:
    return [main_run(number).origin.sha for number in numbers]


def test_only_ancestors_are_the_baseline_where_they_are_known() -> None:
    # 7 to 9 came after the change left the branch.
    baseline = choose(HEAD, EARLIER, ancestors=shas(*range(6, -1, -1)))

    assert [record.id for record in baseline.records] == [
        main_run(number).id for number in range(6, -1, -1)
    ]
    assert baseline.reason == (
        "the 7 newest runs of the default branch up to the merge base on such a machine"
    )


def test_the_nearest_commits_come_first_whenever_they_were_measured() -> None:
    again = replace(main_run(50), origin=replace(main_run(50).origin, sha=shas(0)[0]))
    baseline = choose(HEAD, [*EARLIER, again], ancestors=shas(*range(9, -1, -1)))

    assert [record.id for record in baseline.records][-2:] == [again.id, EARLIER[0].id]


@pytest.mark.parametrize(
    ("ancestors", "reason"),
    [
        (shas(90), "no runs of the default branch of the merge base or before of this series"),
        ([], "no runs of the default branch of the merge base or before of this series"),
        (shas(2, 1), "2 comparable runs of 5 needed"),
    ],
)
def test_too_few_ancestors_are_undecided(ancestors: list[str], reason: str) -> None:
    baseline = choose(HEAD, EARLIER, ancestors=ancestors)

    assert not baseline.enough
    assert baseline.reason == reason


def test_ancestors_that_are_not_known_are_said() -> None:
    baseline = choose(HEAD, EARLIER, unknown="a shallow clone")

    assert baseline.enough
    assert baseline.reason.endswith("on such a machine; by time alone: a shallow clone")


@given(st.lists(st.integers(0, 30), max_size=40), st.lists(st.integers(0, 30), unique=True))
def test_never_a_run_of_another_commit(measured: list[int], ancestors: list[int]) -> None:
    records = [
        replace(main_run(at), origin=main_run(number).origin) for at, number in enumerate(measured)
    ]
    baseline = choose(HEAD, records, ancestors=shas(*ancestors))

    assert {record.origin.sha for record in baseline.records} <= set(shas(*ancestors))


def test_a_runner_class_stands_for_the_hardware() -> None:
    named = {"parts": {**PARTS, "runner_class": "ci-large"}}
    head = main_run(100, fingerprint="c1a55", **named)  # type: ignore[arg-type]
    other = {"parts": {**PARTS, "cpu": "Xeon", "python": "3.13", "runner_class": "ci-large"}}
    records = [main_run(9, fingerprint="other", **other)]  # type: ignore[arg-type]

    assert choose(head, records).reason == (
        "no run on the runner class ci-large (other fingerprint: Python version)"
    )
    assert choose(head, EARLIER).reason == (
        "no run on the runner class ci-large (other fingerprint: runner class)"
    )
