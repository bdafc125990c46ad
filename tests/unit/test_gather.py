"""Bundles of one run, side by side."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import pytest

from telltale import bundle
from telltale.model import BundleKind, Command, Evidence, GithubRun, Outcome
from telltale.records import Origin
from telltale.verbs import gather

NOON = datetime(2026, 11, 22, 12, 0, 0, tzinfo=timezone.utc)
RUN = Origin(repository="octo/shop", sha="a" * 40, event="push", run_id=101, run_attempt=2)


def a_bundle(out: Path, name: str, *, job: str = "unit", attempt: int = 2) -> None:
    bundle.write_manifest(
        bundle.claim(out, name, NOON),
        Evidence(
            kind=BundleKind.TESTS,
            name=name,
            outcome=Outcome.PASSED,
            command=Command(argv=("true",), cwd="."),
            started_at="2026-11-22T12:00:00Z",
            exit_code=0,
            github=GithubRun(run_id=101, run_attempt=attempt, job=job, event="push"),
        ),
    )


def test_runs_of_one_series_in_one_attempt_are_a_problem(tmp_path: Path) -> None:
    for _ in range(2):
        a_bundle(tmp_path, "py3.11")
    a_bundle(tmp_path, "py3.12")

    (problem,) = gather.from_disk([tmp_path], RUN).problems

    assert problem.startswith("2 runs of this attempt are called unit / py3.11: give each a `name`")


@pytest.mark.parametrize("other", [{"job": "lint"}, {"attempt": 1}])
def test_other_jobs_and_other_attempts_are_none(tmp_path: Path, other: dict[str, str]) -> None:
    a_bundle(tmp_path, "tests")
    a_bundle(tmp_path, "tests", **other)  # type: ignore[arg-type]

    gathered = gather.from_disk([tmp_path], RUN)

    assert (len(gathered.bundles), gathered.problems) == (2, ())


def test_at_a_terminal_many_runs_of_one_series_are_compared_at_once(tmp_path: Path) -> None:
    for _ in range(3):
        a_bundle(tmp_path, "tests")

    assert gather.from_disk([tmp_path], Origin()).problems == ()
