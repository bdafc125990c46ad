"""The verdict line decides whether anyone reads on; figures read the same everywhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telltale.model import FailureKind, Outcome, Resources, TestOutcome, Verdict
from telltale.records import FailureVerdict, Judgement
from telltale.report import ReportData
from telltale.report import figures as f
from telltale.report.arrange import make_view
from telltale.report.words import KINDS, how_far, how_it_ended, resources_line, verdict_line
from tests.unit.report_cases import (
    BASELINE,
    CASES,
    FLAKY,
    KNOWN,
    NEW,
    SLOWER,
    STEADY,
    compared,
    failed_run,
    figure,
    flake,
    hundred_failures,
    issue_for,
    job,
    judged,
    matrix,
    occurrence,
    record,
    report,
    suite,
    unjudged,
)

NO_HISTORY = "no earlier run of this series"


def without_tests() -> ReportData:
    return report(job(compared(replace(record(), tests=()))))


def failed_without_a_failed_test() -> ReportData:
    return report(job(compared(record(outcome=Outcome.FAILED, exit_code=4))))


def new_flake() -> ReportData:
    """The flake's only evidence is a rerun inside the very run under report."""
    one = failed_run(judged(verdict=FailureVerdict.FLAKY))
    seen = replace(occurrence(101), record_id=one.comparison.head.id)
    found = replace(flake(), failed=(seen,), passed_beside=(seen,), runs=2)
    failures = (replace(one.comparison.failures[0], flake=found),)
    return report(replace(one, comparison=replace(one.comparison, failures=failures)))


def other_work() -> ReportData:
    reason = "not the same work: 30 tests ran, 412 as a rule"
    return report(job(compared(record(), judgements=unjudged(reason, n=12))))


def two_baselines() -> ReportData:
    return report(
        job(compared(record(), baseline=BASELINE[:6])), job(compared(record(job="gpu", name="gpu")))
    )


@pytest.mark.parametrize(
    ("make", "mark", "text"),
    [
        pytest.param(
            CASES["nothing_to_say"],
            "✅",
            "All 409 tests pass, 3 skipped; CPU time and peak memory unchanged against 12 runs of main",
            id="nothing-to-say",
        ),
        pytest.param(
            lambda: report(job(compared(record(ran=suite(1))))),
            "✅",
            "The only test passes; CPU time and peak memory unchanged against 12 runs of main",
            id="one-test",
        ),
        pytest.param(
            two_baselines,
            "✅",
            "All 409 tests pass, 3 skipped; CPU time and peak memory unchanged against 6 to 12 runs"
            " of main",
            id="two-baselines",
        ),
        pytest.param(
            CASES["first_run_passes"],
            "✅",
            f"All 409 tests pass, 3 skipped; nothing to compare with yet ({NO_HISTORY})",
            id="first-run",
        ),
        pytest.param(
            other_work,
            "✅",
            "All 409 tests pass, 3 skipped; CPU time and peak memory undecided: not the same work:"
            " 30 tests ran, 412 as a rule",
            id="other-work",
        ),
        pytest.param(
            CASES["one_new_failure"],
            "❌",
            "1 new failure; 412 tests in 1 job",
            id="one-new-failure",
        ),
        pytest.param(
            CASES["first_run"],
            "❌",
            "1 failure without history; 412 tests in 1 job",
            id="failure-without-history",
        ),
        pytest.param(
            CASES["known_flake"], "⚠️", "1 known flake; 412 tests in 1 job", id="known-flake"
        ),
        pytest.param(new_flake, "⚠️", "1 new flake; 412 tests in 1 job", id="new-flake"),
        pytest.param(
            lambda: report(failed_run(KNOWN)),
            "⚠️",
            "1 failure known on main; 412 tests in 1 job",
            id="known-on-main",
        ),
        pytest.param(
            lambda: report(failed_run(KNOWN), base_branch=""),
            "⚠️",
            "1 known failure; 412 tests in 1 job",
            id="known-at-a-terminal",
        ),
        pytest.param(
            CASES["regression"], "❌", "1 regression; 412 tests in 1 job", id="regression"
        ),
        pytest.param(
            CASES["timed_out"], "❌", "1 run timed out; 188 tests in 1 job", id="timed-out"
        ),
        pytest.param(
            failed_without_a_failed_test,
            "❌",
            "1 run failed without a failed test; 412 tests in 1 job",
            id="failed-without-a-failed-test",
        ),
        pytest.param(
            lambda: report(failed_run(NEW, FLAKY, KNOWN, judgements=(SLOWER,))),
            "❌",
            "1 new failure, 1 regression, 1 known flake, 1 failure known on main; 412 tests in 1 job",
            id="worst-first",
        ),
        pytest.param(
            hundred_failures,
            "❌",
            "101 new failures in 10,100 tests; 10,100 tests in 1 job",
            id="one-cause-counts-once",
        ),
        pytest.param(
            matrix, "❌", "1 new failure, 1 known flake; 414 tests in 40 jobs", id="matrix"
        ),
        pytest.param(without_tests, "⚠️", "No test report was found in 1 job", id="no-tests"),
        pytest.param(report, "⚠️", "No evidence was found", id="no-evidence"),
    ],
)
def test_verdict_line(make: Callable[[], ReportData], mark: str, text: str) -> None:
    line = verdict_line(make_view(make()))

    assert (line.mark, line.text) == (mark, text)
    assert line.needs_action is (mark == "❌")


def test_a_problem_is_no_success() -> None:
    data = report(job(compared(record())), problems=("bundle 'x': evidence.json is missing",))

    assert verdict_line(make_view(data)).mark == "⚠️"


def test_a_flake_with_an_issue_is_known() -> None:
    data = new_flake()
    data = replace(data, issues=issue_for(data.jobs[0].comparison.failures[0].failure, 3))

    assert "1 known flake" in verdict_line(make_view(data)).text


def test_an_improvement_is_said() -> None:
    better = figure(verdict=Verdict.IMPROVEMENT, now=20.0)
    data = report(job(compared(record(), judgements=(better, STEADY[1]))))

    assert verdict_line(make_view(data)).text.endswith("1 improvement against 12 runs of main")


def test_a_test_that_failed_in_one_job_failed() -> None:
    nodeid = NEW.failure.nodeid
    green = record(job="gpu", ran=(replace(suite(1)[0], nodeid=nodeid),))
    view = make_view(report(failed_run(NEW), job(compared(green))))

    assert (view.tests, view.failed) == (412, 1)


def test_failures_that_the_record_does_not_hold_are_counted_by_signature() -> None:
    signature = NEW.failure.signature
    one = failed_run(NEW)
    more = tuple(
        replace(test, outcome=TestOutcome.FAILED, signature=signature)
        for test in one.comparison.head.tests[:50]
    )
    head = replace(one.comparison.head, tests=(*more, *one.comparison.head.tests[50:]))
    view = make_view(report(replace(one, comparison=replace(one.comparison, head=head))))

    assert len(view.groups[0].tests) == 50


@pytest.mark.parametrize(
    ("outcome", "exit_code", "said"),
    [
        (Outcome.TIMED_OUT, 124, "timed out: Telltale killed it and all it had started at the limit of 10 min."),
        (Outcome.CRASHED, 139, "crashed: it died by SIGSEGV, which Telltale did not send."),
        (Outcome.CRASHED, 128 + 64, "crashed: it died by signal 64, which Telltale did not send."),
        (Outcome.CRASHED, None, "crashed: it died by a signal, which Telltale did not send."),
        (Outcome.INTERRUPTED, 130, "was interrupted: the job was cancelled or the runner was shutting down."),
        (Outcome.RUNNING, None, "was cut off: Telltale itself was killed"),
        (Outcome.ERROR, None, "could not be carried out"),
        (Outcome.FAILED, 4, "ended with exit status 4, and no failed test was found."),
    ],
)  # fmt: skip
def test_how_a_run_ended(outcome: Outcome, exit_code: int | None, said: str) -> None:
    (died,) = make_view(report(job(compared(record(outcome=outcome, exit_code=exit_code))))).died

    assert how_it_ended(died).startswith(said)


def test_what_is_not_known_of_a_cut_off_run_is_not_said() -> None:
    head = replace(record(outcome=Outcome.RUNNING), tests=(), resources=Resources())
    (died,) = make_view(report(job(compared(head)))).died

    assert not how_far(died)
    assert resources_line(make_view(report(job(compared(head))))) == "Resources"


def test_a_wall_time_is_never_a_regression() -> None:
    wall = figure("wall_s", Verdict.REGRESSION, now=99.0, advisory=True)
    view = make_view(report(job(compared(record(), judgements=(*STEADY, wall)))))

    assert view.regressions == ()
    assert [row.judgement for row in view.suspects] == [wall]
    assert verdict_line(view).mark == "✅"


def grown(nodeid: str, baseline: float, now: float) -> Judgement:
    return figure(
        "duration_s", Verdict.UNDECIDED, nodeid=nodeid, baseline=baseline, now=now, advisory=True
    )


def test_the_test_that_lost_most_time_is_where_to_look_first() -> None:
    tenfold, slow = grown("t.py::tenfold", 0.001, 0.02), grown("t.py::slow", 2.0, 3.0)
    worse = figure(verdict=Verdict.REGRESSION, now=50.0)
    regressed = make_view(report(job(compared(record(), judgements=(worse, tenfold, slow)))))
    steady = make_view(report(job(compared(record(), judgements=(*STEADY, tenfold, slow)))))

    assert [row.judgement for row in regressed.suspects] == [slow, tenfold]
    assert [row.judgement for row in regressed.leads] == [slow]
    assert steady.leads == ()


def test_every_kind_has_its_words() -> None:
    assert set(KINDS) == set(FailureKind)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f.seconds(0), "0 ms"),
        (f.seconds(0.00001), "0.01 ms"),
        (f.seconds(0.0041), "4.10 ms"),
        (f.seconds(0.85), "850 ms"),
        (f.seconds(0.99949), "999 ms"),
        (f.seconds(0.9996), "1.00 s"),
        (f.seconds(12.34), "12.3 s"),
        (f.seconds(119.9), "120 s"),
        (f.seconds(125), "2 min 05 s"),
        (f.seconds(7199.6), "2 h 00 min"),
        (f.seconds(11_220), "3 h 07 min"),
        (f.seconds(None), "–"),  # noqa: RUF001
        (f.seconds(float("nan")), "–"),  # noqa: RUF001
        (f.limit(600), "10 min"),
        (f.limit(90), "90 s"),
        (f.limit(7200), "2 h"),
        (f.size(0), "0 B"),
        (f.size(812), "812 B"),
        (f.size(1023), "1.00 KiB"),
        (f.size(412 * 1024**2), "412 MiB"),
        (f.size(999.6 * 1024**2), "0.98 GiB"),
        (f.size(1.23 * 1024**3), "1.23 GiB"),
        (f.size(5 * 1024**4), "5.00 TiB"),
        (f.percent(92.4), "92%"),
        (f.percent(1187), "1,187%"),
        (f.change(0.387), "+39%"),
        (f.change(-0.032), "-3.2%"),
        (f.change(0.0), "+0.0%"),
        (f.change(11.0), "+1,100%"),
        (f.rate(0.0656), "6.6%"),
        (f.rate(0.0031), "0.31%"),
        (f.rate(1.0), "100%"),
        (f.count(1, "test"), "1 test"),
        (f.count(10_000, "test"), "10,000 tests"),
        (f.count(2, "try", "tries"), "2 tries"),
        (f.quantity(0.6, "s", 38.2), "0.60 s"),
        (f.quantity(0.001, "s", 38.2), "<0.01 s"),
        (f.quantity(0.6, "s", 0.9), "600 ms"),
        (f.quantity(3.0, "%"), "3%"),
        (f.quantity(1234.0, ""), "1,234"),
        (f.minute("2026-11-22T10:15:16Z"), "2026-11-22 10:15"),
        (f.day("2026-11-22T10:15:16Z"), "2026-11-22"),
        (f.day("yesterday | x"), "–"),  # noqa: RUF001
    ],
)
def test_figures(text: str, expected: str) -> None:
    assert text == expected


@given(st.floats(0, 1e7), st.floats(0, 1e7))
def test_a_longer_time_never_reads_shorter(one: float, other: float) -> None:
    shorter, longer = sorted((one, other))

    assert in_seconds(f.seconds(shorter)) <= in_seconds(f.seconds(longer))


def in_seconds(text: str) -> float:
    units = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0}
    words = text.replace(",", "").replace("<0.01", "0").split()
    return sum(
        round(float(number) * units[unit], 9)
        for number, unit in zip(words[::2], words[1::2], strict=True)
    )
