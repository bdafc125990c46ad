"""Changes of level over the runs of a series, from records to what the verb prints."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telltale import cli
from telltale.compare.drift import find_drifts, new_drifts
from telltale.history.archive import Archive
from telltale.history.folder import FolderStore
from telltale.model import Outcome, Resources, TestOutcome
from telltale.records import Origin, Record, RecordedTest
from tests.unit.history_records import TERMINAL, main_run, of_pull_request, on_main

RUNS, BEGAN = 60, 30
URL = "https://github.com/octo/widgets"


def history(
    *,
    change: float = 1.15,
    began: int = BEGAN,
    runs: int = RUNS,
    noise: float = 0.02,
    seed: int = 1,
) -> list[Record]:
    """Return runs of main, whose CPU time is `change` times as high from run `began` on."""
    chance = random.Random(seed)  # noqa: S311
    return [
        main_run(
            number,
            cpu_s=100 * (change if number >= began else 1) * chance.lognormvariate(0, noise),
            origin=replace(on_main(number), sha=sha(number), url=f"{URL}/actions/runs/{number}"),
        )
        for number in range(runs)
    ]


def sha(number: int) -> str:
    """Return the commit of a run: unlike its neighbours' from the first digit on."""
    return f"{number:02x}" * 20


def test_a_step_has_its_commits_and_both_levels() -> None:
    (drift,) = find_drifts(history())

    assert (drift.metric, drift.nodeid, drift.unit) == ("cpu_s", "", "s")
    assert drift.before == pytest.approx(100, rel=0.02)
    assert drift.after == pytest.approx(115, rel=0.02)
    assert (drift.n_before, drift.n_after) == (30, 30)
    assert drift.likely.sha == sha(BEGAN)
    assert drift.last_before.started_at < drift.likely.started_at <= drift.first_after.started_at
    assert drift.commits == f"{drift.last_before.sha[:10]}..{drift.first_after.sha[:10]}"
    assert drift.compare_url == (f"{URL}/compare/{drift.last_before.sha}...{drift.first_after.sha}")
    assert drift.worse
    assert drift.standing


def test_a_level_that_came_back_is_taken_back() -> None:
    runs = [*history(runs=50, began=20), *history(change=1, runs=80)[50:]]

    gone, came = find_drifts(runs)

    assert came.worse
    assert not came.standing
    assert not gone.worse
    assert gone.standing
    assert came.now == pytest.approx(100, rel=0.03)


@pytest.mark.parametrize("began", [10, 25])
def test_only_the_default_branch_counts(began: int) -> None:
    pulls = [
        replace(run, id=f"p{run.id[1:]}", origin=of_pull_request(number))
        for number, run in enumerate(history(change=2, began=began))
    ]

    assert find_drifts(pulls) == ()
    assert find_drifts([*history(change=1), *pulls]) == ()


def test_runs_at_a_terminal_count_among_themselves() -> None:
    local = [replace(run, origin=replace(TERMINAL, sha=run.origin.sha)) for run in history()]

    (drift,) = find_drifts(local)

    assert drift.commits
    assert not drift.compare_url


def test_another_kind_of_machine_is_no_change() -> None:
    runs = history()
    moved = [
        replace(run, host=replace(run.host, fingerprint="0ther")) if number >= BEGAN else run
        for number, run in enumerate(runs)
    ]

    assert find_drifts(moved) == ()


def test_runs_that_measured_nothing_are_left_out() -> None:
    killed = [
        replace(run, outcome=Outcome.TIMED_OUT) if number >= BEGAN else run
        for number, run in enumerate(history())
    ]
    dirty = [
        replace(run, dirty=True) if number >= BEGAN else run for number, run in enumerate(history())
    ]

    assert find_drifts(killed) == ()
    assert find_drifts(dirty) == ()


def test_runs_of_an_older_commit_are_left_out() -> None:
    runs = history()
    # Six times the first commit again: at the end they would take the change back.
    again = [
        replace(
            run,
            id=f"a{run.id[1:]}",
            origin=runs[0].origin,
            resources=runs[0].resources,
            started_at=f"2026-11-02T0{number}:00:00Z",
        )
        for number, run in enumerate(runs[:6])
    ]

    (drift,) = find_drifts([*runs, *again])

    assert drift.standing


def test_no_commit_in_between_is_said() -> None:
    runs = [replace(run, origin=replace(run.origin, sha="ab" * 20)) for run in history(noise=0.005)]

    (drift,) = find_drifts(runs)

    assert drift.commits == ""
    assert drift.compare_url == ""


def test_a_few_runs_of_a_part_of_the_suite_are_left_out() -> None:
    names = [f"test_{number}" for number in range(40)]
    runs = [
        replace(run, tests=passed(names[:10] if 40 <= number < 44 else names))
        for number, run in enumerate(history(change=1))
    ]
    fewer = [
        replace(run, resources=replace(run.resources, user_s=20.0)) if 40 <= number < 44 else run
        for number, run in enumerate(runs)
    ]

    assert find_drifts(fewer) == ()


def passed(names: Sequence[str]) -> tuple[RecordedTest, ...]:
    """Return tests that passed."""
    return tuple(
        RecordedTest(nodeid=name, outcome=TestOutcome.PASSED, duration_s=0.01) for name in names
    )


def suite(slower: float, *, runs: int = RUNS, machine: float = 0.1, seed: int = 2) -> list[Record]:
    """Return runs of 40 tests of which number 7 takes `slower` times as long from run 30 on."""
    chance = random.Random(seed)  # noqa: S311
    found = []
    for number, run in enumerate(history(change=1, runs=runs)):
        factor = chance.uniform(1 - machine, 1 + machine)
        durations = {
            f"tests/test_a.py::test_{at}": (0.05 + at / 100)
            * factor
            * chance.lognormvariate(0, 0.03)
            * (slower if at == 7 and number >= BEGAN else 1)
            for at in range(40)
        }
        found.append(
            replace(
                run,
                tests=tuple(
                    RecordedTest(nodeid=name, outcome=TestOutcome.PASSED, duration_s=duration)
                    for name, duration in durations.items()
                ),
            )
        )
    return found


def test_a_test_that_became_slower_is_found_and_only_it() -> None:
    (drift,) = find_drifts(suite(1.4))

    assert drift.nodeid == "tests/test_a.py::test_7"
    assert drift.metric == "duration_s"
    assert drift.change == pytest.approx(0.4, abs=0.05)
    assert drift.likely.sha == sha(BEGAN)


def measured(runs: Sequence[Record]) -> list[Record]:
    """Return the runs with a CPU time of each test: nine tenths of its duration."""
    return [
        replace(
            run,
            tests=tuple(replace(test, cpu_s=0.9 * test.duration_s) for test in run.tests),
        )
        for run in runs
    ]


def test_a_change_of_both_figures_is_told_once_by_cpu_time() -> None:
    (drift,) = find_drifts(measured(suite(1.4)))

    assert drift.metric == "cpu_s"
    assert drift.nodeid == "tests/test_a.py::test_7"


def test_a_test_that_waits_longer_is_told_by_its_duration() -> None:
    waiting = [
        replace(run, tests=tuple(map(_with_cpu_of, run.tests, still.tests)))
        for run, still in zip(suite(1.4), measured(suite(1)), strict=True)
    ]

    (drift,) = find_drifts(waiting)

    assert drift.metric == "duration_s"


def _with_cpu_of(test: RecordedTest, other: RecordedTest) -> RecordedTest:
    return replace(test, cpu_s=other.cpu_s)


def test_each_change_of_a_test_is_told_by_one_run_though_two_figures_show_it() -> None:
    # CPU time is noisier here: the duration shows the change some runs earlier.
    chance = random.Random(1)  # noqa: S311
    runs = [
        replace(
            run,
            tests=tuple(
                replace(test, cpu_s=test.duration_s * chance.lognormvariate(0, 0.15))
                for test in run.tests
            ),
        )
        for run in suite(1.4)
    ]

    told = [drift for number, head in enumerate(runs) for drift in new_drifts(head, runs[:number])]

    assert [(drift.nodeid, drift.metric) for drift in told] == [
        ("tests/test_a.py::test_7", "duration_s")
    ]
    assert [drift.metric for drift in find_drifts(runs)] == ["cpu_s"]


def busied(run: Record) -> Record:
    """Return the run as it is on a machine that computes other things: slower, and waiting."""
    return replace(run, resources=replace(run.resources, user_s=130.0, cpu_percent=40.0))


def test_runs_on_a_busy_machine_are_left_out() -> None:
    runs = [
        replace(run, resources=replace(run.resources, cpu_percent=95.0))
        for run in history(change=1)
    ]
    # Its last seven runs but one would be a level of their own, were it not known to be busy.
    busy = [
        busied(run) if number >= 53 and number != 56 else run for number, run in enumerate(runs)
    ]
    unmarked = [replace(run, resources=replace(run.resources, cpu_percent=None)) for run in busy]

    assert find_drifts(unmarked)
    assert find_drifts(busy) == ()


def test_a_program_that_waits_more_is_not_a_busy_machine() -> None:
    runs = [
        replace(run, resources=replace(run.resources, cpu_percent=95.0 if number < BEGAN else 50.0))
        for number, run in enumerate(history())
    ]

    (drift,) = find_drifts(runs)

    assert drift.worse
    assert drift.n_after >= 20


def test_a_slower_machine_is_no_change_of_single_tests() -> None:
    runs = suite(1)
    half = [
        replace(
            run,
            tests=tuple(replace(test, duration_s=test.duration_s * 1.5) for test in run.tests),
        )
        if number >= BEGAN
        else run
        for number, run in enumerate(runs)
    ]

    assert find_drifts(half) == ()


def test_tests_that_ran_twice_or_failed_say_nothing() -> None:
    failing = [
        replace(
            run,
            tests=tuple(
                replace(test, outcome=TestOutcome.FAILED) if test.nodeid.endswith("_7") else test
                for test in run.tests
            ),
        )
        for run in suite(1.4)
    ]
    twice = [replace(run, tests=(*run.tests, run.tests[7], run.tests[7])) for run in suite(1.4)]

    assert find_drifts(failing) == ()
    assert find_drifts(twice) == ()


def test_each_change_is_told_by_one_run() -> None:
    for seed in range(5):
        runs = history(seed=seed)

        told = [
            (number, drift)
            for number, head in enumerate(runs)
            for drift in new_drifts(head, runs[:number])
        ]

        ((number, drift),) = told
        assert BEGAN + 4 <= number <= BEGAN + 15
        assert drift.likely.sha in {sha(BEGAN - 1), sha(BEGAN), sha(BEGAN + 1)}


def test_what_is_told_does_not_depend_on_later_runs() -> None:
    runs = history()
    for number, head in enumerate(runs):
        assert new_drifts(head, runs) == new_drifts(head, runs[:number])


def test_a_test_that_did_not_run_tells_nothing_new() -> None:
    runs = suite(1.4)
    first = next(number for number, head in enumerate(runs) if new_drifts(head, runs))
    without = replace(
        runs[first], tests=tuple(test for test in runs[first].tests if "_7" not in test.nodeid)
    )

    assert not new_drifts(without, runs[:first])


def test_a_run_that_may_not_count_tells_nothing() -> None:
    runs = history()
    first = next(number for number, head in enumerate(runs) if new_drifts(head, runs))
    pull = replace(runs[first], origin=of_pull_request(first))
    elsewhere = replace(runs[first], host=replace(runs[first].host, fingerprint="0ther"))

    assert not new_drifts(pull, runs[:first])
    assert not new_drifts(elsewhere, runs[:first])
    assert not new_drifts(replace(runs[first], dirty=True), runs[:first])


def test_figures_that_no_run_has_are_no_change() -> None:
    runs = [replace(run, resources=Resources(), tests=()) for run in history()]

    assert find_drifts(runs) == ()
    assert new_drifts(runs[-1], runs) == ()


@given(st.permutations(range(RUNS)))
@settings(max_examples=20)
def test_law_the_order_of_the_records_does_not_matter(order: list[int]) -> None:
    runs = suite(1.4)

    assert find_drifts([runs[number] for number in order]) == find_drifts(runs)


@given(st.floats(1.2, 3.0), st.integers(10, 50), st.integers(5, 40))
@settings(max_examples=40)
def test_law_the_old_level_again_takes_a_change_back(change: float, began: int, after: int) -> None:
    runs = [*history(change=change, began=began), *history(change=1, runs=RUNS + after)[RUNS:]]

    came = [drift for drift in find_drifts(runs) if drift.worse]

    assert len(came) == 1
    assert not came[0].standing


@given(st.integers(0, 10_000))
@settings(max_examples=25)
def test_law_equal_runs_never_change(seed: int) -> None:
    assert find_drifts(history(change=1, noise=0, seed=seed)) == ()


def stored(tmp_path: Path, runs: Sequence[Record]) -> str:
    """Keep the runs in a folder and return its path."""
    Archive(FolderStore(tmp_path / "history")).add(runs)
    return str(tmp_path / "history")


def test_the_verb_prints_levels_commits_and_whether_it_lasts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = stored(tmp_path, history())

    assert cli.main(["drift", "--history", where]) == 0

    text = capsys.readouterr().out
    assert text.startswith("(the whole run): CPU time +1")
    assert " in 30 runs, then 11" in text
    assert f"..{sha(BEGAN)[:10]}, 2026-11-01 to 2026-11-01 {URL}/compare/" in text
    assert "  still so\n" in text


def test_the_verb_prints_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = stored(tmp_path, history())

    assert cli.main(["drift", "--history", where, "--json"]) == 0

    (drift,) = json.loads(capsys.readouterr().out)
    assert drift["series"] == {"kind": "tests", "job": "unit", "name": "tests"}
    assert drift["likely"]["sha"] == sha(BEGAN)
    assert drift["standing"] is True
    assert drift["change"] == pytest.approx(0.15, abs=0.02)


def test_the_verb_says_that_there_is_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = stored(tmp_path, history(change=1))

    assert cli.main(["drift", "--history", where]) == 0
    assert capsys.readouterr().out.startswith("No level changed on the default branch in ")


def test_names_of_strangers_cannot_write_on_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = [
        replace(
            run,
            tests=tuple(replace(test, nodeid=f"{test.nodeid}\x1b[2J\nx") for test in run.tests),
        )
        for run in suite(1.4)
    ]

    assert cli.main(["drift", "--history", stored(tmp_path, runs)]) == 0
    text = capsys.readouterr().out
    assert "\x1b" not in text
    assert "\nx" not in text


def test_an_origin_without_a_page_has_no_link() -> None:
    runs = [
        replace(run, origin=Origin(sha=run.origin.sha, event="push", default_branch=True))
        for run in history()
    ]

    (drift,) = find_drifts(runs)

    assert drift.commits
    assert drift.compare_url == ""
