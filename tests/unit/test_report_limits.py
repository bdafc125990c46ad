"""A report fits into what GitHub takes, whatever it has to say."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import pytest

from telltale.model import Outcome, Verdict
from telltale.records import FailureVerdict
from telltale.report import IssueData, Job, ReportData, comment, issue_body, summary
from telltale.report.comments import (
    COMMENT_LIMIT,
    PARTS,
    SHRINK,
    SUMMARY_LIMIT,
    Limits,
    state_of,
)
from tests.unit import gfm
from tests.unit.report_cases import (
    CASES,
    compared,
    drift,
    everything,
    failure,
    figure,
    flake,
    hundred_failures,
    judged,
    nothing_to_say,
    record,
    report,
    suite,
    too_long,
)

REPORT_DOC = Path(__file__).parents[2] / "docs" / "report.md"


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_comment_and_summary_fit(case: Callable[[], ReportData]) -> None:
    data = case()

    assert len(comment(data).encode()) <= COMMENT_LIMIT
    assert len(summary(data).encode()) <= SUMMARY_LIMIT


WORST = {
    "four-byte-characters": "𐍈",
    "backticks": "`",
    "invisible": "\U000e0001",
    "pipes-after-backslashes": "\\|",
    "one-letter-words": "@ a ",
    "empty-lines": "\n",
}


@pytest.mark.parametrize("unit", WORST.values(), ids=WORST)
def test_the_worst_of_everything_fits(unit: str) -> None:
    data = enormous(unit * 3_990)

    assert len(comment(data).encode()) <= COMMENT_LIMIT


def enormous(text: str) -> ReportData:
    """Return a report with more of everything than any limit, each text of the longest kind."""
    failures = tuple(
        judged(
            failure(f"{at}{text}", signature=f"v1:{at:016x}", message=text, text=text * 3),
            verdict,
            reason=text,
            flake=flake() if verdict is FailureVerdict.FLAKY else None,
        )
        for at, verdict in enumerate([*FailureVerdict] * 60)
    )
    figures = tuple(
        figure(verdict=verdict, nodeid=text * advisory, advisory=bool(advisory), reason=text)
        for verdict in [*Verdict] * 10
        for advisory in (0, 1)
    )
    head = record(
        job=text, name=text, outcome=Outcome.RUNNING, findings=(text,) * 60, ran=suite(30)
    )
    comparison = compared(
        head, failures=failures, judgements=figures, reason=text, added=(text,), removed=(text,)
    )
    jobs = tuple(
        Job(comparison=comparison, artifact=text, reproduce=f"{leg}{text[:3_000]}")
        for leg in range(12)
    )
    return report(
        *jobs,
        base_branch=text,
        problems=(text,) * 20,
        history=text,
        report_artifact=text,
        scaffolds={one.failure.signature: text for one in failures},
        drifts=(drift(nodeid=text, text=text),) * 30,
    )


def test_a_shortened_comment_is_whole() -> None:
    text = comment(too_long())
    page = gfm.look(gfm.render(text))

    assert page.skeleton.count("<details>") == page.skeleton.count("</details>")
    assert page.skeleton[-3:] == ["<a>", "</a>", "</p>"]
    assert "Shortened to fit" in page.prose.rstrip().rsplit("\n", maxsplit=1)[-1]
    for table in re.findall(r"^\|.*(?:\n\|.*)*", text, re.MULTILINE):
        widths = {line.count("|") - line.count("\\|") for line in table.split("\n")}
        assert len(widths) == 1


def test_a_shortened_comment_says_what_is_missing_and_where_it_is() -> None:
    last = comment(too_long()).rstrip("\n").rsplit("\n", maxsplit=1)[-1]

    assert "slowest tests, added and removed tests" in last
    assert "`telltale-report`" in last


def test_what_is_important_stays_longest() -> None:
    text = comment(too_long())

    assert text.index("60 runs were cut off, 400 new failures") < 300
    assert "#### New failures" in text
    assert "#### Regressions" in text
    assert "slowest test" not in text.split("Shortened to fit")[0]


def test_a_comment_that_fits_is_not_shortened() -> None:
    assert "Shortened" not in comment(everything())


def test_ten_thousand_tests_with_one_cause_are_one_entry() -> None:
    text = comment(hundred_failures())

    assert text.split("slowest tests")[0].count("tests/test_grid.py") == 1
    assert "and 9,999 more tests" in text
    assert "101 new failures in 10,100 tests" in text


def test_parts_that_have_nothing_to_say_are_absent() -> None:
    text = comment(nothing_to_say())

    for title in ("New failures", "Regressions", "Flaky", "Known", "undecided", "finding", "again"):
        assert f"#### {title}" not in text
        assert f"{title}</summary>" not in text


def test_each_step_makes_a_part_smaller() -> None:
    left = {each.name: getattr(Limits(), each.name) for each in fields(Limits)}
    for name, value, _ in SHRINK:
        assert value < left[name]
        left[name] = value


def test_the_docs_have_the_order() -> None:
    listed = re.search(r"<!-- shrink -->\n(.*?)<!-- end -->", REPORT_DOC.read_text(), re.DOTALL)
    assert listed
    documented = re.findall(r"^\d+\. (.*): (none|\d+)", listed[1], re.MULTILINE)

    assert documented == [(called, str(value or "none")) for _, value, called in SHRINK]


def test_every_part_is_in_the_template_once() -> None:
    assert len(set(PARTS)) == len(PARTS)


@pytest.mark.parametrize("unit", WORST.values(), ids=WORST)
def test_an_issue_fits(unit: str) -> None:
    text = unit * 100_000
    found = flake(failure(text, message=text, text=text))
    where = tuple(
        replace(one, branch=text, fingerprint=f"{at}{text}", url=text)
        for at, one in enumerate(found.failed * 100)
    )

    body = issue_body(
        IssueData(
            flake=replace(found, failed=where),
            scaffold_command=text[:4_000],
            scaffold_where=text,
            log_excerpt=text,
        )
    )

    assert len(body.encode()) <= COMMENT_LIMIT


def test_the_state_of_a_comment_can_be_read_again() -> None:
    state = state_of(comment(everything()))

    assert state is not None
    assert (state.head, state.run_id, state.attempt) == (everything().head_sha, 101, 1)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "hello",
        "> <!-- telltale:comment -->\n" + comment(everything()),
        "<!-- telltale:comment -->\n<!-- telltale:state {} -->",
        '<!-- telltale:comment -->\n<!-- telltale:state {"head": 1, "run": "x", "attempt": 1} -->',
        "<!-- telltale:comment -->\n<!-- telltale:state [1] -->",
    ],
)
def test_other_comments_have_no_state(body: str) -> None:
    assert state_of(body) is None


def test_a_head_that_is_no_commit_stays_out_of_the_state() -> None:
    state = state_of(comment(report(head_sha="--><script>")))

    assert state is not None
    assert not state.head
