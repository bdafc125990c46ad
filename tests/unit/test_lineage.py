"""The commits that a run's code stands on: by GitHub's API, by git, or not known and why."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from telltale.gha import Context
from telltale.records import Origin
from telltale.verbs.lineage import MOST, Lineages
from tests.fake_github import FakeGitHub
from tests.forges import connect

IN_A_JOB = Context(run_id=1, event={"repository": {"default_branch": "main"}})
ENVIRON = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}


@pytest.fixture
def github() -> Iterator[FakeGitHub]:
    with FakeGitHub() as github:
        yield github


def ask(github: FakeGitHub, origin: Origin) -> tuple[str, ...] | None:
    lineages = Lineages(IN_A_JOB, connect(github), environ=ENVIRON)
    return lineages.of(origin).commits


def test_a_pull_request_stands_on_its_merge_base_not_on_the_branchs_tip(
    github: FakeGitHub,
) -> None:
    base = github.push(files={"a": "1"}).sha
    head = github.push(branch="topic", files={"b": "1"}).sha
    tip = github.push(files={"c": "1"}).sha
    found = ask(github, Origin(sha=head, pull_request=1))

    assert found is not None
    assert found[0] == base
    assert not {head, tip} & set(found)


def test_a_test_merge_stands_on_the_base_that_it_was_made_with(github: FakeGitHub) -> None:
    github.push(files={"a": "1"})
    head = github.push(branch="topic", files={"b": "1"}).sha
    tip = github.push(files={"c": "1"}).sha
    merge = github.push(branch="merged", files={"b": "1"}).sha
    github.push(files={"d": "1"})
    found = ask(github, Origin(sha=head, merge_sha=merge, pull_request=1))

    assert found is not None
    assert found[0] == tip


def test_a_test_merge_that_is_gone_is_no_obstacle(github: FakeGitHub) -> None:
    base = github.push(files={"a": "1"}).sha
    head = github.push(branch="topic", files={"b": "1"}).sha
    found = ask(github, Origin(sha=head, merge_sha="f" * 40, pull_request=1))

    assert found is not None
    assert found[0] == base


def test_a_run_of_the_default_branch_stands_on_itself(github: FakeGitHub) -> None:
    older, newer = (github.push(files={"a": str(number)}).sha for number in range(2))
    github.push(files={"a": "later"})
    found = ask(github, Origin(sha=newer, default_branch=True))

    assert found is not None
    assert found[:2] == (newer, older)


def test_more_than_a_page_of_commits_is_read_and_no_more_than_is_wanted(
    github: FakeGitHub,
) -> None:
    shas = [github.push(files={"a": str(number)}).sha for number in range(250)]
    forge = connect(github)

    assert forge.commits(shas[-1], most=MOST)[:250] == tuple(reversed(shas))
    before = len(github.requests)
    assert forge.commits(shas[-1], most=120) == tuple(reversed(shas))[:120]
    assert len(github.requests) - before == 2


def test_one_lineage_is_asked_for_once(github: FakeGitHub) -> None:
    head = github.push(branch="topic", files={"b": "1"}).sha
    lineages = Lineages(IN_A_JOB, connect(github), environ=ENVIRON)
    first = lineages.of(Origin(sha=head, pull_request=1))
    before = len(github.requests)

    assert lineages.of(Origin(sha=head, pull_request=1)) == first
    assert len(github.requests) == before


def test_what_github_does_not_know_is_not_guessed(github: FakeGitHub) -> None:
    lineages = Lineages(IN_A_JOB, connect(github), environ=ENVIRON)
    found = lineages.of(Origin(sha="e" * 40, pull_request=1))

    assert found.commits is None
    assert found.unknown.startswith("GitHub did not name the merge base (GitHub: cannot compare")


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a repository with three commits on main and one on topic."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    for number in range(3):
        commit(folder, str(number))
    git(folder, "checkout", "-q", "-b", "topic")
    commit(folder, "topic")
    monkeypatch.chdir(folder)
    return folder


def git(folder: Path, *arguments: str) -> str:
    who = ("-c", "user.name=a", "-c", "user.email=a@example.invalid")
    done = subprocess.run(
        ["git", "-C", str(folder), *who, *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def commit(folder: Path, name: str) -> str:
    git(folder, "commit", "-q", "--allow-empty", "-m", name)
    return git(folder, "rev-parse", "HEAD")


def by_git(sha: str) -> tuple[tuple[str, ...] | None, str]:
    found = Lineages(Context(), None, environ=ENVIRON).of(Origin(sha=sha))
    return found.commits, found.unknown


def test_at_a_terminal_git_is_asked(checkout: Path) -> None:
    main = tuple(git(checkout, "rev-list", "main").split())

    assert by_git(git(checkout, "rev-parse", "topic")) == (main, "")
    assert by_git(main[1]) == (main[1:], "")


def test_a_shallow_clone_does_not_know(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shallow = tmp_path / "shallow"
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{checkout}", str(shallow))
    monkeypatch.chdir(shallow)
    unknown = "no whole clone here to ask for the merge base"

    assert by_git(git(shallow, "rev-parse", "HEAD")) == (None, unknown)


@pytest.mark.parametrize("sha", ["--all", "0" * 40])
def test_a_commit_that_git_does_not_know_is_not_guessed(checkout: Path, sha: str) -> None:
    assert checkout.is_dir()
    assert by_git(sha)[0] is None


def test_a_run_without_a_commit_has_no_lineage() -> None:
    assert by_git("") == (None, "the commit of this run is not known")
