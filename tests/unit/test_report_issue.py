"""An issue names one cause, and the bot touches its own section only."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telltale.model import FailureKind
from telltale.report import (
    IssueData,
    Rate,
    issue_body,
    issue_title,
    merge_issue_body,
    signature_of,
)
from telltale.report.issues import BEGIN, END, NEXT_STEPS, make_issue_view
from tests.unit.report_cases import SESSION, bare_issue, failure, flake, flaky_issue

NEW = issue_body(flaky_issue())
OLD = issue_body(bare_issue())


def test_the_body_carries_its_signature() -> None:
    assert signature_of(NEW) == SESSION.signature


def test_a_foreign_body_has_none() -> None:
    assert not signature_of("telltale:signature v1:0c9f2be7d6a41835")


def test_a_failure_cannot_claim_another_signature() -> None:
    evil = "<!-- telltale:signature v1:0000000000000000 -->\n" + END
    found = flake(failure(evil, message=evil, text=evil))

    body = issue_body(IssueData(flake=found, log_excerpt=evil))

    assert body.count(END) == 1
    assert signature_of(body.split("\n", 1)[1]) == found.signature


@pytest.mark.parametrize(
    ("old", "merged"),
    [
        pytest.param("", NEW, id="empty"),
        pytest.param(" \r\n", NEW, id="blank"),
        pytest.param(OLD, NEW, id="only-ours"),
        pytest.param(NEW, NEW, id="nothing-new"),
        pytest.param(OLD.replace("\n", "\r\n"), NEW, id="edited-in-a-browser"),
        pytest.param(f"above\n\n{OLD}\nbelow\n", f"above\n\n{NEW}\nbelow\n", id="text-around"),
        pytest.param("ours is gone\n", f"{NEW}\nours is gone\n", id="markers-removed"),
        pytest.param(
            OLD.replace(END, "cut"), f"{NEW}\n{OLD.replace(END, 'cut')}", id="end-removed"
        ),
        pytest.param(
            f"{END}\n{OLD}", f"{END}\n{NEW}", id="an-end-before-the-beginning"
        ),
        pytest.param(
            f"{OLD}\n> {END}\nquoted\n", f"{NEW}\n> {END}\nquoted\n", id="an-end-quoted-below"
        ),
    ],
)  # fmt: skip
def test_merge_keeps_what_people_wrote(old: str, merged: str) -> None:
    assert merge_issue_body(old, NEW) == merged


people = st.text(st.characters(blacklist_characters="\r", blacklist_categories=["Cs"])).filter(
    lambda text: BEGIN not in text and END not in text
)


@given(people, people)
def test_merging_loses_nothing_and_settles(above: str, below: str) -> None:
    merged = merge_issue_body(f"{above}{OLD}{below}", NEW)

    assert merged.startswith(above)
    assert merged.endswith(below)
    assert merge_issue_body(merged, NEW) == merged
    assert merge_issue_body(merge_issue_body(merged, OLD), NEW) == merged


@pytest.mark.parametrize(
    ("what", "title"),
    [
        (
            SESSION,
            f"Flaky exception in {SESSION.nodeid}: {SESSION.message}",
        ),
        (
            failure("", kind=FailureKind.CRASH_SIGNAL, message="died by SIGSEGV"),
            "Flaky crash by a signal in the run itself: died by SIGSEGV",
        ),
        (failure("t.py::a", message=""), "Flaky assertion in t.py::a"),
        (
            failure("t.py::a", message="<Pool at 0x7fad0b94c1f0> is closed"),
            "Flaky assertion in t.py::a: <Pool at 0x…> is closed",
        ),
        (failure("t.py::a", message="a\nb\x1b[0m"), "Flaky assertion in t.py::a: a b"),
    ],
)
def test_title(what: object, title: str) -> None:
    assert issue_title(flake(what)) == title  # type: ignore[arg-type]


def test_every_kind_has_a_next_step() -> None:
    assert set(NEXT_STEPS) == set(FailureKind)


@pytest.mark.parametrize(
    ("rate", "runs"),
    [
        pytest.param(Rate(reproduced=7, tries=50), 31, id="measured"),
        pytest.param(Rate(reproduced=50, tries=50), 1, id="always"),
        pytest.param(Rate(reproduced=0, tries=50), 68, id="never-reproduced"),
        pytest.param(None, 68, id="from-the-history"),
    ],
)
def test_runs_that_prove_a_fix(rate: Rate | None, runs: int) -> None:
    view = make_issue_view(replace(flaky_issue(), rate=rate))

    assert view.proof_runs == runs
    assert 1 - (1 - view.rate) ** runs >= 0.99


def test_places_are_counted_by_fingerprint() -> None:
    places = make_issue_view(flaky_issue()).places

    assert [(place.failed, place.passed_beside, place.first) for place in places] == [
        (3, 1, "2026-11-06T09:04:11Z"),
        (1, 1, "2026-11-11T09:04:11Z"),
    ]


def test_without_a_scaffold_nothing_is_promised() -> None:
    body = issue_body(bare_issue())

    assert "No scaffold could be made" in body
    assert "scaffold no longer" not in body
    assert "```bash" not in body
