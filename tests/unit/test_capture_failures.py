"""What failed, by name, and whether status and report tell the same story."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from telltale.bundle import FAILURES_LIMIT, TEXT_LIMIT
from telltale.capture import failures
from telltale.capture.command import Ended
from telltale.capture.events import Events, Finish, Running, Session
from telltale.flaky import naming
from telltale.model import FailureKind, Outcome, Resources, TestOutcome, TestResult


def an_end(
    outcome: Outcome, exit_code: int = 1, killed_by: int | None = None, *, oom: bool = False
) -> Ended:
    return Ended(
        outcome=outcome,
        exit_code=exit_code,
        signal=killed_by,
        status=exit_code,
        elapsed_s=1.0,
        resources=Resources(),
        findings=("it could not be started",) if outcome is Outcome.ERROR else (),
        out_of_memory=oom,
    )


def a_test(name: str, outcome: TestOutcome, text: str = "") -> TestResult:
    return TestResult(
        nodeid=name, outcome=outcome, duration_s=0.1, message=text.partition("\n")[0], text=text
    )


GOOD = a_test("test_a.py::good", TestOutcome.PASSED)
BAD = a_test("test_a.py::bad", TestOutcome.FAILED, "E   AssertionError: assert 1 == 2")
BROKEN = a_test("test_a.py::broken", TestOutcome.ERROR, "E   fixture 'db' not found")
STOPPED = a_test("test_a.py::stopped", TestOutcome.INTERRUPTED)
STOPPED_NAMELESS = a_test("", TestOutcome.INTERRUPTED)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "output.log"
    path.write_text("first\n" + "noise\n" * 300 + "Killed: \ufffd last line\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("outcome", "results", "nodeids"),
    [
        (Outcome.PASSED, [GOOD], []),
        (Outcome.PASSED, [GOOD, BAD], ["test_a.py::bad"]),
        (Outcome.FAILED, [GOOD, BAD, BROKEN], ["test_a.py::bad", "test_a.py::broken"]),
        (Outcome.FAILED, [GOOD], [""]),
        (Outcome.FAILED, [], [""]),
        (Outcome.TIMED_OUT, [GOOD, STOPPED], ["test_a.py::stopped"]),
        (Outcome.TIMED_OUT, [GOOD, STOPPED_NAMELESS], [""]),
        (Outcome.TIMED_OUT, [BAD], ["test_a.py::bad", ""]),
        (Outcome.CRASHED, [BAD, GOOD], ["test_a.py::bad", ""]),
        (Outcome.ERROR, [], [""]),
        (Outcome.INTERRUPTED, [GOOD, STOPPED], []),
        (Outcome.INTERRUPTED, [BAD], ["test_a.py::bad"]),
    ],
)
def test_each_failed_test_and_the_run_when_it_failed_by_itself(
    outcome: Outcome, results: list[TestResult], nodeids: list[str], log: Path
) -> None:
    found = failures.name_all(results, an_end(outcome), log)

    assert [failure.nodeid for failure in found] == nodeids
    assert all(failure.signature.startswith("v1:") for failure in found)


@pytest.mark.parametrize(
    ("ended", "kind", "message"),
    [
        (
            an_end(Outcome.TIMED_OUT, 124),
            FailureKind.HANG_OR_DEVICE_TIMEOUT,
            naming.AT_ITS_LIMIT,
        ),
        (
            dataclasses.replace(an_end(Outcome.TIMED_OUT, 124), silent=True),
            FailureKind.HANG_OR_DEVICE_TIMEOUT,
            "the command was killed because it had gone silent",
        ),
        (
            an_end(Outcome.CRASHED, 139, 11),
            FailureKind.CRASH_SIGNAL,
            "the command was ended by signal 11",
        ),
        (
            an_end(Outcome.CRASHED, 137, 9, oom=True),
            FailureKind.OOM,
            "the command was ended by signal 9",
        ),
    ],
)
def test_how_a_run_ended_is_known_not_guessed(
    ended: Ended, kind: FailureKind, message: str, log: Path
) -> None:
    (failure,) = failures.name_all([GOOD], ended, log)

    assert (failure.kind, failure.message) == (kind, message)
    assert failure.text.endswith("last line")
    assert "first" not in failure.text


def test_a_run_without_a_log_has_its_failure_all_the_same(tmp_path: Path) -> None:
    (failure,) = failures.name_all([], an_end(Outcome.ERROR, 127), tmp_path / "none")

    assert failure.message == "it could not be started"


def test_failures_beyond_the_limit_are_left_to_the_tests_file(log: Path) -> None:
    results = [BAD] * 700

    found = failures.name_all(results, an_end(Outcome.CRASHED, 139, 11), log)

    assert len(found) == FAILURES_LIMIT
    assert found[-1].nodeid == ""
    (said,) = failures.remarks(results, an_end(Outcome.CRASHED, 139, 11))
    assert said == (
        "700 tests failed; the first 499 are in the manifest, all in artifacts/tests.jsonl"
    )


def test_long_texts_are_clipped(log: Path) -> None:
    long = a_test("test_a.py::bad", TestOutcome.FAILED, "x" * (4 * TEXT_LIMIT))

    (failure,) = failures.name_all([long], an_end(Outcome.FAILED), log)

    assert len(failure.text) == TEXT_LIMIT


@pytest.mark.parametrize(
    ("outcome", "results", "said"),
    [
        (Outcome.PASSED, [GOOD], None),
        (Outcome.FAILED, [BAD], None),
        (Outcome.FAILED, None, None),
        (Outcome.TIMED_OUT, [GOOD], None),
        (Outcome.CRASHED, [GOOD], None),
        (Outcome.PASSED, [BAD], "exited with 0, and its test report has 1 failed test:"),
        (Outcome.PASSED, [STOPPED], "exited with 0, and its test report has a test that was int"),
        (Outcome.FAILED, [GOOD], None),
        (Outcome.FAILED, [], None),
    ],
)
def test_contradictions_are_said(
    outcome: Outcome, results: list[TestResult] | None, said: str | None
) -> None:
    found = list(failures.disagreements(results, an_end(outcome)))

    assert len(found) == (said is not None)
    assert said is None or said in found[0]


@pytest.mark.parametrize("results", [[GOOD], []])
def test_a_failure_without_a_failed_test_is_no_contradiction(results: list[TestResult]) -> None:
    end = an_end(Outcome.FAILED)

    assert list(failures.disagreements(results, end)) == []
    assert list(failures.remarks(results, end)) == [
        "the command exited with 1 although no test of the report failed"
    ]


# What pytest itself says


def a_session(pid: int = 7, worker: str = "main") -> Session:
    return Session(
        pid=pid,
        ppid=1,
        worker=worker,
        at=0.0,
        python="3.11",
        executable="/usr/bin/python3",
        pytest="9.2",
        xdist=False,
        args=(),
        rootdir="/",
        cwd="/",
        plugins=(),
        stacks=True,
        seeds={},
        timeout={},
    )


def a_finish(status: int, pid: int = 7, worker: str = "main") -> Finish:
    return Finish(
        pid=pid, worker=worker, at=1.0, exit_status=status, collected=1, seen=1, stopped=False
    )


def in_test(pid: int = 7) -> Running:
    return Running(
        nodeid="test_a.py::t", worker="main", pid=pid, phase="call", since=0.0, finished_at=None
    )


LOST = "the command exited with 0, and pytest with 1 (tests failed): was the status lost,"
GONE = "the command exited with 0, and pytest never came to its end"


@pytest.mark.parametrize(
    ("said", "begins"),
    [
        (Events(), []),
        (Events(sessions=(a_session(),), finishes=(a_finish(0),)), []),
        # Nothing was collected: many a script takes that for a success.
        (Events(sessions=(a_session(),), finishes=(a_finish(5),)), []),
        (Events(sessions=(a_session(),), finishes=(a_finish(1),)), [LOST]),
        (
            Events(
                sessions=(a_session(7), a_session(8)),
                finishes=(a_finish(1), a_finish(1, 8), a_finish(2, 9)),
            ),
            [LOST, "the command exited with 0, and pytest with 2 (it was interrupted,"],
        ),
        # A worker's status is not pytest's.
        (
            Events(
                sessions=(a_session(), a_session(8, "gw0")),
                finishes=(a_finish(0), a_finish(1, 8, "gw0")),
            ),
            [],
        ),
        (Events(sessions=(a_session(),)), [f"{GONE}: did something call os._exit, or kill it?"]),
        (
            Events(sessions=(a_session(),), running=(in_test(),)),
            [f"{GONE}, in test_a.py::t: did something call os._exit, or kill it?"],
        ),
        # Its end may be what cannot be read.
        (Events(sessions=(a_session(),), damaged=1), []),
    ],
)
def test_pytests_own_word_against_the_exit_status(said: Events, begins: list[str]) -> None:
    found = list(failures.disagreements(None, an_end(Outcome.PASSED), said))

    assert len(found) == len(begins)
    assert all(text.startswith(begin) for text, begin in zip(found, begins, strict=True))


def test_a_command_that_failed_contradicts_nothing_that_pytest_says() -> None:
    said = Events(sessions=(a_session(),), finishes=(a_finish(0),))

    assert list(failures.disagreements(None, an_end(Outcome.FAILED), said)) == []
