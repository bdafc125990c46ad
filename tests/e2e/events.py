"""Event payloads: GitHub's own examples, moved to our repository, commits and numbers."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e.repository import Repository, git

EXAMPLES = (
    Path(__file__).parents[1]
    / "npm/node_modules/@octokit/webhooks-examples/api.github.com/index.json"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    name: str
    """push, pull_request or workflow_run"""
    payload: dict[str, Any]
    sha: str
    """The commit whose workflow files GitHub runs for this event."""
    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PullRequest:
    number: int
    base: Repository
    head: Repository
    """The base repository itself, or a fork of it."""
    branch: str

    @property
    def head_sha(self) -> str:
        return self.head.tip(self.branch)


def push(repository: Repository, branch: str = "main") -> Event:
    """Describe the push of the tip of `branch`."""
    sha = repository.tip(branch)
    example = _example("push", lambda each: each["ref"] == "refs/heads/master")
    payload = _renamed(
        example,
        {
            "Codertocat/Hello-World": repository.slug,
            "Codertocat": repository.owner,
            "Hello-World": repository.name,
            example["after"]: sha,
            "refs/heads/master": f"refs/heads/{branch}",
        },
    )
    before = git(repository.bare, "rev-list", "--max-count=1", "--skip=1", sha) or "0" * 40
    payload |= {"before": before, "created": before == "0" * 40}
    payload["repository"]["default_branch"] = "main"
    return Event(name="push", payload=payload, sha=sha, actor=repository.owner)


def pull_request(pull: PullRequest, action: str = "synchronize") -> Event:
    """Describe a pull request opened or pushed to; its runs test the merge with the base."""
    example = _example("pull_request", lambda each: each["action"] == action)
    old = example["pull_request"]
    payload = _renamed(
        example,
        {
            "Codertocat/Hello-World": pull.base.slug,
            "Codertocat:changes": f"{pull.head.owner}:{pull.branch}",
            "Codertocat": pull.base.owner,
            "Hello-World": pull.base.name,
            "/pulls/2": f"/pulls/{pull.number}",
            "/pull/2": f"/pull/{pull.number}",
            "/issues/2": f"/issues/{pull.number}",
            old["head"]["sha"]: pull.head_sha,
            old["base"]["sha"]: pull.base.tip("main"),
        },
    )
    merged = pull.base.merge_for_pull_request(pull.number, pull.head, pull.branch)
    new = payload["pull_request"]
    payload["number"] = new["number"] = pull.number
    new["merge_commit_sha"] = merged
    new["base"]["ref"] = payload["repository"]["default_branch"] = "main"
    new["head"]["ref"] = pull.branch
    if pull.head is not pull.base:
        for side in ("repo", "user"):
            new["head"][side] = _of_fork(new["head"][side], pull)
        new["head"]["repo"]["fork"] = True
    return Event(name="pull_request", payload=payload, sha=merged, actor=pull.head.owner)


def workflow_run(
    repository: Repository,
    *,
    run_id: int,
    attempt: int,
    workflow: str,
    conclusion: str,
    cause: Event,
    pull: PullRequest | None = None,
) -> Event:
    """
    Describe the end of a run of `workflow` (a file in .github/workflows) that `cause` had started.

    GitHub names no pull request here when the head is a fork, and it runs the
    workflow files of the default branch.
    """
    head = pull.head if pull else repository
    head_sha = pull.head_sha if pull else cause.sha
    example = _example("workflow_run", lambda each: "path" in each["workflow_run"])
    old = example["workflow_run"]
    payload = _renamed(
        example,
        {
            "octo-org/octo-repo": repository.slug,
            "octo-org": repository.owner,
            "octo-repo": repository.name,
            old["head_sha"]: head_sha,
            ".github/workflows/test.yml": f".github/workflows/{workflow}",
            f"/actions/runs/{old['id']}": f"/actions/runs/{run_id}",
        },
    )
    run = payload["workflow_run"]
    run |= {
        "id": run_id,
        "run_attempt": attempt,
        "name": workflow.partition(".")[0],
        "event": cause.name,
        "status": "completed",
        "conclusion": conclusion,
        "head_branch": pull.branch if pull else "main",
        "head_repository": _of_fork(run["head_repository"], pull)
        if pull
        else run["head_repository"],
        "pull_requests": [_reference(pull)] if pull and pull.head is pull.base else [],
    }
    run["head_repository"]["fork"] = head is not repository
    payload["workflow"]["name"] = run["name"]
    payload["repository"]["default_branch"] = "main"
    return Event(
        name="workflow_run", payload=payload, sha=repository.tip("main"), actor=cause.actor
    )


def _of_fork(record: dict[str, Any], pull: PullRequest) -> dict[str, Any]:
    """Turn a repository or user of the base into that of the head."""
    base, head = pull.base, pull.head
    return _renamed(
        record,
        {
            base.slug: head.slug,
            f"/users/{base.owner}": f"/users/{head.owner}",
            f'"{base.owner}"': f'"{head.owner}"',
        },
    )


def _reference(pull: PullRequest) -> dict[str, Any]:
    repository = {"id": 1, "name": pull.base.name, "url": _api(pull.base)}
    return {
        "id": pull.number,
        "number": pull.number,
        "url": f"{_api(pull.base)}/pulls/{pull.number}",
        "head": {"ref": pull.branch, "sha": pull.head_sha, "repo": repository},
        "base": {"ref": "main", "sha": pull.base.tip("main"), "repo": repository},
    }


def _api(repository: Repository) -> str:
    return f"https://api.github.com/repos/{repository.slug}"


@functools.cache
def _examples() -> dict[str, list[dict[str, Any]]]:
    """GitHub's example payloads by event name."""
    events = json.loads(EXAMPLES.read_text(encoding="utf-8"))
    return {event["name"]: event["examples"] for event in events}


def _example(event: str, wanted: Any) -> dict[str, Any]:
    return next(each for each in _examples()[event] if wanted(each))


def _renamed(payload: dict[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Copy with every text renamed, in the order given; URLs follow by themselves."""
    text = json.dumps(payload)
    for old, new in names.items():
        text = text.replace(old, new)
    renamed: dict[str, Any] = json.loads(text)
    return renamed
