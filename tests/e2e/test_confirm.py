"""A pull request that makes a test twice as slow is confirmed in its own job; a clean one is not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from telltale.history import open_history
from tests.e2e.act import Runner
from tests.e2e.github import ScratchGitHub, scratch_github
from tests.e2e.repository import Repository
from tests.e2e.widgets import workflows

pytestmark = pytest.mark.e2e

WORKFLOW = "confirm.yml"
TESTS = """
import time

import widgets


def test_work():
    end = time.process_time() + widgets.WORK_S
    while time.process_time() < end:
        pass


def test_price():
    assert widgets.WORK_S
"""


def sources(work_s: float, remark: str = "") -> dict[str, str]:
    return {
        "widgets.py": f"WORK_S = {work_s}\n{remark}",
        "test_widgets.py": TESTS,
        ".gitignore": "junit.xml\n",
    }


@pytest.fixture(scope="module")
def github(
    tmp_path_factory: pytest.TempPathFactory, telltale: Path, foreign_actions: Mapping[str, Path]
) -> Iterator[ScratchGitHub]:
    """Return a repository whose history has six equal runs of main."""
    scratch = tmp_path_factory.mktemp("runner")
    runner = Runner(
        scratch=scratch / "first",
        cache=scratch / "act",
        server_url="",
        api_url="",
        token="",
        telltale=telltale,
        stand_ins=foreign_actions,
    )
    repository = Repository.create(tmp_path_factory.mktemp("github"), "acme/widgets")
    repository.commit({**sources(0.2), **workflows(WORKFLOW)}, "Begin")
    with scratch_github(repository, runner) as found:
        run = found.push({"day": "one\n"}, "Day one", WORKFLOW)
        assert run.results == {"tests": "success", "report": "success"}, run.log
        history = open_history(f"branch:telltale-history@{repository.bare}", cwd=scratch)
        (series,) = history.series()
        (record,) = history.load(series)
        more = [
            replace(
                record,
                id=f"{number:032x}",
                started_at=f"2026-01-{number:02d}T00:00:00Z",
                origin=replace(record.origin, run_id=number),
            )
            for number in range(1, 6)
        ]
        assert len(history.add(more)) == 5
        yield found


def test_twice_as_slow_is_confirmed(github: ScratchGitHub) -> None:
    pull = github.open_pull_request(7, sources(0.4))

    run = github.test(pull, WORKFLOW)

    assert run.results == {"tests": "success", "report": "success"}, run.log
    summary = run.job("tests").summary
    assert "confirmed slower" in summary, summary
    assert "`test_widgets.py::test_work`: cpu_s regression: " in summary, summary


def test_a_clean_change_is_not(github: ScratchGitHub) -> None:
    pull = github.open_pull_request(8, sources(0.2, "# more\n"))

    run = github.test(pull, WORKFLOW)

    assert run.results == {"tests": "success", "report": "success"}, run.log
    assert "cpu_s regression: " not in run.job("tests").summary
