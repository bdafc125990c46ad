from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from telltale.errors import HistoryError
from telltale.gha import Context
from telltale.history.basis import Basis

ENVIRON = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "a",
    "GIT_AUTHOR_EMAIL": "a@example.org",
    "GIT_COMMITTER_NAME": "a",
    "GIT_COMMITTER_EMAIL": "a@example.org",
}


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, env=ENVIRON, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def commit(folder: Path, name: str, text: str = "") -> str:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text or name, encoding="utf-8")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", name)
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    """Return a repository: main with two commits after `topic` left it, `topic` with two of its own."""
    folder = tmp_path / "origin"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    # As on GitHub: any commit can be asked for.
    git(folder, "config", "uploadpack.allowAnySHA1InWant", "true")
    commit(folder, "first")
    commit(folder, "parting")
    git(folder, "checkout", "-q", "-b", "topic")
    commit(folder, "topic1")
    commit(folder, "topic2")
    git(folder, "checkout", "-q", "main")
    commit(folder, "main1")
    commit(folder, "main2")
    git(folder, "checkout", "-q", "-b", "merged")
    git(folder, "merge", "-q", "--no-edit", "topic")
    git(folder, "checkout", "-q", "main")
    return folder


def clone(origin: Path, branch: str, depth: int | None = None) -> Path:
    folder = origin.parent / f"{branch}-{depth}"
    some = ["--depth", str(depth)] if depth else []
    git(origin.parent, "clone", "-q", "-b", branch, *some, f"file://{origin}", str(folder))
    return folder


def of_pull_request(origin: Path) -> Context:
    return job(
        "pull_request",
        "refs/pull/7/merge",
        pull_request={
            "head": {"sha": git(origin, "rev-parse", "topic")},
            "base": {"sha": git(origin, "rev-parse", "main")},
        },
    )


def job(name: str, ref: str, **event: Any) -> Context:
    whole: Mapping[str, Any] = {"repository": {"default_branch": "main"}, **event}
    return Context(event_name=name, ref=ref, event=whole, run_id=1)


def basis(folder: Path, context: Context, environ: Mapping[str, str] = ENVIRON) -> Basis:
    return Basis(folder, context, environ=environ)


@pytest.mark.parametrize("depth", [None, 1])
def test_the_base_of_a_test_merge_is_its_first_parent(origin: Path, depth: int | None) -> None:
    folder = clone(origin, "merged", depth)

    found = basis(folder, of_pull_request(origin)).find()

    assert found == git(origin, "rev-parse", "main")
    assert git(folder, "cat-file", "-t", found) == "commit", "it was not fetched"
    assert git(folder, "rev-parse", "--is-shallow-repository") == ("true" if depth else "false")


@pytest.mark.parametrize("depth", [None, 1])
def test_the_base_of_a_pull_requests_own_commit_is_where_it_left(
    origin: Path, depth: int | None
) -> None:
    folder = clone(origin, "topic", depth)

    assert basis(folder, of_pull_request(origin)).find() == git(origin, "rev-parse", "main~2")


def test_the_base_of_a_push_is_what_the_default_branch_was(origin: Path) -> None:
    folder, before = clone(origin, "main", 1), git(origin, "rev-parse", "main~1")

    assert basis(folder, job("push", "refs/heads/main", before=before)).find() == before
    with pytest.raises(HistoryError, match="of main itself, not of a change"):
        basis(folder, job("schedule", "refs/heads/main")).find()


@pytest.mark.parametrize("depth", [None, 1])
def test_the_base_of_another_branch_is_where_it_left_the_default_one(
    origin: Path, depth: int | None
) -> None:
    folder = clone(origin, "topic", depth)

    found = basis(folder, job("push", "refs/heads/topic", before="0" * 40)).find()

    assert found == git(origin, "rev-parse", "main~2")


def test_at_a_terminal_the_base_is_where_the_branch_left(origin: Path) -> None:
    folder = clone(origin, "topic")

    assert basis(folder, Context()).find() == git(origin, "rev-parse", "main~2")


def test_without_a_change_there_is_nothing_to_compare(origin: Path) -> None:
    folder = clone(origin, "main")
    with pytest.raises(HistoryError, match="its own merge base"):
        basis(folder, Context()).find()

    (folder / "first").write_text("changed", encoding="utf-8")

    assert basis(folder, Context()).find() == git(folder, "rev-parse", "HEAD")


def test_a_shallow_clone_that_cannot_be_deepened_says_what_to_type(origin: Path) -> None:
    folder, context = clone(origin, "topic", 1), of_pull_request(origin)
    origin.rename(origin.with_name("gone"))

    with pytest.raises(HistoryError, match="fetch-depth: 0"):
        basis(folder, context).find()


@pytest.mark.parametrize("sha", ["", "--upload-pack=x", "main"])
def test_what_the_event_says_is_a_commit_or_nothing(origin: Path, sha: str) -> None:
    folder = clone(origin, "main")
    with pytest.raises(HistoryError):
        basis(folder, job("push", "refs/heads/main", before=sha)).find()


def test_the_base_lies_outside_and_goes_away(origin: Path, tmp_path: Path) -> None:
    folder = clone(origin, "topic")
    there = {**ENVIRON, "RUNNER_TEMP": str(tmp_path)}
    commit_id = git(origin, "rev-parse", "main~2")

    with basis(folder, Context(), there).checked_out(commit_id) as tree:
        assert sorted(path.name for path in tree.iterdir()) == [".git", "first", "parting"]
        assert tmp_path in tree.parents
        assert folder not in tree.parents
        with (
            pytest.raises(ZeroDivisionError),
            basis(folder, Context(), there).checked_out(commit_id),
        ):
            raise ZeroDivisionError
        assert tree.is_dir(), "a second run removed what the first one uses"

    assert not list(tmp_path.glob("telltale-base-*"))
    assert len(git(folder, "worktree", "list").splitlines()) == 1
    assert git(folder, "status", "--porcelain") == ""


def test_what_a_killed_run_left_is_removed_by_the_next_one(origin: Path, tmp_path: Path) -> None:
    folder = clone(origin, "topic")
    left = tmp_path / "telltale-base-left"
    left.mkdir()
    (left / "lock").touch()
    git(folder, "worktree", "add", "-q", "--detach", str(left / "tree"), "HEAD")
    mine = tmp_path / "mine"
    git(folder, "worktree", "add", "-q", "--detach", str(mine), "HEAD")

    with basis(folder, Context()).checked_out("HEAD"):
        assert not left.exists()

    assert mine.is_dir(), "another worktree is none of ours"


def test_a_commit_that_is_not_there_leaves_nothing(origin: Path, tmp_path: Path) -> None:
    folder = clone(origin, "topic")
    there = {**ENVIRON, "RUNNER_TEMP": str(tmp_path)}

    with pytest.raises(HistoryError, match="cannot be checked out"):
        basis(folder, Context(), there).checked_out("1" * 40).__enter__()

    assert not list(tmp_path.glob("telltale-base-*"))


def test_the_packages_of_a_repository_are_those_that_it_tracks(origin: Path) -> None:
    folder = clone(origin, "topic")
    for name in ("src/pkg/__init__.py", "src/pkg/sub/__init__.py", "vendor/six/__init__.py"):
        commit(folder, name)
    (folder / "untracked").mkdir()
    (folder / "untracked/__init__.py").touch()

    assert basis(folder, Context()).packages() == {"pkg"}
