"""The main job, for real: the actions and workflows of this checkout, used by a repository."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.e2e.act import Runner, machine_environment
from tests.e2e.github import ScratchGitHub, scratch_github
from tests.e2e.repository import Repository
from tests.e2e.results import Run
from tests.e2e.widgets import EXAMPLES, FAIR, STORM, sources, workflows

pytestmark = pytest.mark.e2e

HISTORY = "telltale-history"
WORKFLOW = "own-steps.yml"


@pytest.fixture(scope="module")
def machine(
    tmp_path_factory: pytest.TempPathFactory,
    telltale: Path,
    foreign_actions: Mapping[str, Path],
) -> Runner:
    """Make a runner that all tests use: the environment of the bot is made once."""
    scratch = tmp_path_factory.mktemp("runner")
    return Runner(
        scratch=scratch / "first",
        cache=scratch / "act",
        server_url="",
        api_url="",
        token="",
        telltale=telltale,
        stand_ins=foreign_actions,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Season:
    """Five fair days on main, then a storm that had passed when the jobs were run again."""

    repository: Repository
    days: list[Run]
    storm: Run
    after_the_storm: Run


@pytest.fixture(scope="module")
def season(tmp_path_factory: pytest.TempPathFactory, machine: Runner) -> Season:
    repository = Repository.create(tmp_path_factory.mktemp("github"), "acme/widgets")
    repository.commit({**sources(), **workflows(WORKFLOW)}, "Begin")
    with scratch_github(repository, machine) as github:
        days = [github.push({"day": f"{day}\n"}, f"Day {day}", WORKFLOW) for day in range(5)]
        storm = at(STORM, github).push({"day": "storm\n"}, "A storm", WORKFLOW)
        after = at(FAIR, github).rerun(storm)
        assert not github.fake.repo.issues
    return Season(repository=repository, days=days, storm=storm, after_the_storm=after)


@pytest.fixture
def github(tmp_path: Path, season: Season, machine: Runner) -> Iterator[ScratchGitHub]:
    """Go on after the season, in a copy of its repository."""
    runner = replace(machine, scratch=tmp_path / "runner")
    repository = season.repository.copy(tmp_path / "github")
    with scratch_github(repository, runner, first_run=2001) as github:
        yield github


def at(weather: Mapping[str, str], github: ScratchGitHub) -> ScratchGitHub:
    """Let the runner have these variables from now on."""
    github.runner = replace(github.runner, environment=weather)
    return github


def records(repository: Repository) -> list[str]:
    """Name the records in the history branch."""
    return [path for path in repository.paths(HISTORY) if path.endswith(".json.gz")]


def part(comment: str, heading: str) -> str:
    """Take the part under a heading out of a comment."""
    return comment.partition(f"#### {heading}\n")[2].partition("\n#### ")[0]


def test_each_run_on_main_adds_one_record_to_the_history(season: Season) -> None:
    for day in season.days:
        assert day.results == {"tests": "success", "report": "success"}, day.log
    assert season.storm.results == {"tests": "failure", "report": "success"}, season.storm.log
    assert season.after_the_storm.conclusion == "success", season.after_the_storm.log
    repository = season.repository
    assert len(records(repository)) == 7
    # The branch begins by itself, and no run rewrites what another has written.
    assert len(repository.commits(HISTORY)) == 7
    assert not set(repository.commits(HISTORY)) & set(repository.commits("main"))


def test_a_pull_request_has_one_comment_that_its_next_run_edits(github: ScratchGitHub) -> None:
    pull = github.open_pull_request(7, sources(shelves=150, each=3))
    run = at(STORM, github).test(pull, WORKFLOW)

    assert run.results == {"tests": "failure", "report": "success"}, run.log
    [comment] = github.fake.repo.comments_on(7)
    assert comment.user == "github-actions[bot]"
    assert pull.head_sha[:7] in comment.body
    assert "test_price" in part(comment.body, "New failures")
    assert "peak memory" in part(comment.body, "Regressions")
    assert "test_delivery" in part(comment.body, "Flaky")
    comment_before = comment.body

    github.push_to(pull, sources())
    run = at(FAIR, github).test(pull, WORKFLOW)

    assert run.results == {"tests": "success", "report": "success"}, run.log
    [edited] = github.fake.repo.comments_on(7)
    assert edited.id == comment.id
    assert pull.head_sha[:7] in edited.body
    assert not [name for name in ("New failures", "Flaky") if name in edited.body]
    # Its memory is back; CPU time may differ on a machine that is busy with something else.
    assert "\n| peak memory |" in comment_before
    assert "\n| peak memory |" not in edited.body
    assert run.job("report").summary
    # What a pull request did is kept, and is not what main is compared with.
    assert sum(path.endswith(".other.json.gz") for path in records(github.repository)) == 2


def test_a_flaky_failure_that_recurs_gets_one_issue(github: ScratchGitHub) -> None:
    storm = at(STORM, github).push({"day": "storm 2\n"}, "Another storm", WORKFLOW)

    assert storm.results == {"tests": "failure", "report": "success"}, storm.log
    [issue] = github.fake.repo.issues.values()
    assert issue.user == "github-actions[bot]"
    assert {"telltale:flaky", "flaky", "assertion"} <= set(issue.labels)
    assert "test_delivery" in issue.title
    before = issue.body

    fair = at(FAIR, github).rerun(storm)
    again = at(STORM, github).push({"day": "storm 3\n"}, "The third storm", WORKFLOW)

    assert fair.conclusion == "success", fair.log
    assert again.job("report").result == "success", again.log
    [same] = github.fake.repo.issues.values()
    assert (same.number, same.state) == (issue.number, "open")
    assert same.body != before
    assert not github.fake.repo.comments


def test_the_issue_says_how_to_reproduce_the_failure(github: ScratchGitHub, tmp_path: Path) -> None:
    at(STORM, github).push({"day": "storm 2\n"}, "Another storm", WORKFLOW)
    [issue] = github.fake.repo.issues.values()
    body = issue.body or ""

    page = f"{github.runner.server_url}/acme/widgets/tree/{HISTORY}/"
    folder = body.partition(page)[2].partition("`")[0]
    files = [path for path in github.repository.paths(HISTORY) if path.startswith(f"{folder}/")]
    assert {f"{folder}/README.md", f"{folder}/run_test.sh"} <= set(files)
    checkout = github.repository.clone_at(
        github.repository.tip("main"), tmp_path / "checkout", str(github.repository.bare)
    )
    command = part(body, "Reproduce").partition("```bash\n")[2].partition("\n```")[0]
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=checkout,
        env=machine_environment() | STORM,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr  # reproduced, with this signature


@pytest.fixture
def outside(tmp_path: Path, machine: Runner) -> Iterator[ScratchGitHub]:
    """Serve a repository without a past, whose owner has just heard of Telltale."""
    repository = Repository.create(tmp_path / "github", "acme/widgets")
    repository.commit(sources(), "Begin")
    with scratch_github(repository, replace(machine, scratch=tmp_path / "runner")) as github:
        yield github


def test_the_simple_example_works_as_it_is_copied(outside: ScratchGitHub) -> None:
    path = ".github/workflows/tests.yml"
    text = (EXAMPLES / "simple/tests.yml").read_text(encoding="utf-8")

    run = outside.push({path: text}, "Use Telltale", "tests.yml")

    assert run.results == {"tests": "success", "report": "success"}, run.log
    assert outside.repository.branches() == ["main", HISTORY]
    assert outside.fake.repo.issues == {}


def test_a_fork_is_reported_on_by_a_run_of_the_default_branch(outside: ScratchGitHub) -> None:
    outside.repository.commit(workflows("forks"), "Use Telltale")
    fork = outside.repository.fork("contributor")
    pull = outside.open_pull_request(7, sources(each=3), fork=fork)

    tests = outside.test(pull, "tests.yml")
    assert tests.results == {"tests": "failure"}, tests.log
    assert not outside.fake.repo.comments_on(7)
    report = outside.follow(tests, "report.yml")
    assert report.results == {"report": "success"}, report.log
    [comment] = outside.fake.repo.comments_on(7)
    assert "test_price" in comment.body
    assert pull.head_sha[:7] in comment.body
    [record] = records(outside.repository)
    assert record.endswith(".other.json.gz")

    outside.push_to(pull, sources())
    report = outside.follow(outside.test(pull, "tests.yml"), "report.yml")
    assert report.results == {"report": "success"}, report.log
    [edited] = outside.fake.repo.comments_on(7)
    assert edited.id == comment.id
    assert pull.head_sha[:7] in edited.body


ONE_STEP = """
name: tests
on: push
permissions: {}
jobs:
  tests:
    runs-on: [self-hosted]
    permissions: {contents: write}
    steps:
      - uses: actions/checkout@de0fac2e4500dabe0009e67214ff5f5447ce83dd # v6.0.2
        with: {persist-credentials: false}
      - id: telltale
        uses: octo/telltale@v1
        with:
          command: python3 -m pytest --junitxml=junit.xml
          record: true
"""


def test_the_one_step_form_fails_as_the_command_fails(outside: ScratchGitHub) -> None:
    files = {".github/workflows/tests.yml": ONE_STEP}

    passed = outside.push(files, "Use Telltale", "tests.yml")
    failed = outside.push(sources(each=3), "Make it dearer", "tests.yml")

    assert (passed.conclusion, failed.conclusion) == ("success", "failure"), failed.log
    outputs = failed.job("tests").steps["telltale"].outputs
    assert (outputs["outcome"], outputs["exit-code"]) == ("failed", "1")
    assert outputs["failed-tests"] == "1"
    assert "test_price" in failed.job("tests").summary
    [name] = failed.artifacts
    assert name.startswith("telltale-evidence-")
    assert any(path.endswith("evidence.json") for path in failed.artifact(name))
    assert len(outside.repository.commits(HISTORY)) == 2
