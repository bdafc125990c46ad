"""Every route of the fake answers with the fields that GitHub's own examples have.

The description says which fields must be there; the examples in it say which ones are there on
the real GitHub, optional or not. A client may come to rely on any of them.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.fake_github import PERSONAL_TOKEN, WRITE_TOKEN, FakeGitHub
from tests.fake_github.contract import DESCRIPTION
from tests.fake_github.routing import REPO, ROUTES

LEFT_OUT = {
    # Settings of a repository, which its owners see.
    "allow_auto_merge",
    "allow_merge_commit",
    "allow_rebase_merge",
    "allow_squash_merge",
    "delete_branch_on_merge",
    "temp_clone_token",
    "permissions",
    # What a repository is not: part of an organisation, a fork, made from a template.
    "organization",
    "parent",
    "source",
    "template_repository",
    # Shown inside other objects by some examples only.
    "git_url",
    "ssh_url",
    "network_count",
    "subscribers_count",
    # Text of differences.
    "patch",
    # What nobody did: pin or hide a comment, give an issue a type.
    "pin",
    "pinned_comment",
    "minimized",
    "type",
    # An issue that is no pull request has none; the fake's example issue is none.
    "pull_request",
    # What the app of GitHub Actions may do elsewhere.
    "metadata",
    "single_file",
}
OF_USERS = {
    "collaborators",
    "disk_usage",
    "owned_private_repos",
    "plan",
    "private_gists",
    "total_private_repos",
    "twitter_username",
    "two_factor_authentication",
}
OTHER_LIMITS = {
    "actions_runner_registration",
    "code_scanning_autofix",
    "code_search",
    "dependency_snapshots",
    "graphql",
    "integration_manifest",
    "scim",
    "source_import",
}
NO_OBJECT = "/actions/artifacts/{artifact_id}/{archive_format}"
SHOWING = sorted(r.pattern for r in ROUTES if r.method == "GET" and NO_OBJECT not in r.pattern)


@pytest.fixture(scope="module")
def description(npm_packages: Path) -> Any:  # noqa: ARG001 - it is one of them
    return json.loads(DESCRIPTION.read_bytes())


@pytest.fixture
def addresses(github: FakeGitHub, tmp_path: Path) -> dict[str, str]:
    """A GitHub with something of everything, and a value for every parameter of a path."""
    github.push(files={"src/a.py": "a = 1\n"})
    pull = github.open_pull(7).pull
    assert pull is not None
    github.open_issue(9, body="text", labels=["bug"])
    comment = github.add_comment(9, "text")
    run = github.add_run(101, pull=7)
    job = github.add_job(run)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a", "1")
    artifact = github.add_artifact(run, "evidence", tmp_path / "a.zip")
    annotation = {"path": "src/a.py", "start_line": 1, "end_line": 1, "message": "m"}
    output = {
        "title": "t",
        "summary": "s",
        "annotations": [annotation | {"annotation_level": "notice"}],
    }
    check = {"name": "n", "head_sha": pull.head_sha, "output": output}
    made = _call(github, "POST", "/repos/octo/demo/check-runs", check, WRITE_TOKEN)
    _call(github, "POST", f"/repos/octo/demo/statuses/{pull.head_sha}", {"state": "success"})
    file = github.repo.commits[pull.head_sha].tree["src/a.py"]
    return {
        "owner": "octo",
        "repo": "demo",
        "pull_number": "7",
        "issue_number": "9",
        "comment_id": str(comment.id),
        "commit_sha": pull.head_sha,
        "ref": pull.head_sha,
        "basehead": "main...feature",
        "path": "src/a.py",
        "tree_sha": "main",
        "file_sha": file.sha,
        "run_id": "101",
        "attempt_number": "1",
        "workflow_id": "ci.yml",
        "job_id": str(job.id),
        "artifact_id": str(artifact.id),
        "check_run_id": str(made.json()["id"]),
        "name": "bug",
        "username": "octocat",
    }


def _call(
    github: FakeGitHub, method: str, path: str, body: Any = None, token: str = PERSONAL_TOKEN
) -> requests.Response:
    github.add_collaborator("octocat", "admin")
    headers = {"Authorization": f"Bearer {token}"}
    return requests.request(method, github.url + path, json=body, headers=headers, timeout=10)


@pytest.mark.parametrize("pattern", SHOWING)
def test_a_route_shows_what_githubs_example_shows(
    github: FakeGitHub, addresses: dict[str, str], description: Any, pattern: str
) -> None:
    values = dict(addresses)
    if pattern.startswith(f"{REPO}/git/"):
        values["ref"] = "heads/main"
    path = re.sub(r"\{(\w+)\}", lambda match: values[match[1]], pattern)
    query = "?q=is:issue" if pattern.startswith("/search/") else ""
    answer = _call(github, "GET", path + query)
    assert answer.status_code == 200

    content = _resolve(description, description["paths"][pattern]["get"]["responses"]["200"])
    examples = content["content"]["application/json"]["examples"].values()
    example = _resolve(description, next(iter(examples)))["value"]
    if list(example) == ["$ref"]:  # one example is itself a reference, by mistake
        example = _resolve(description, example)["value"]
    expected = LEFT_OUT | (OF_USERS if "user" in pattern else set())
    expected |= OTHER_LIMITS if pattern == "/rate_limit" else set()
    missing = {name.rpartition(".")[2] for name in _missing(example, answer.json())}
    assert not missing - expected


def _resolve(description: Any, node: Any) -> Any:
    while "$ref" in node:
        found = description
        for key in node["$ref"].split("/")[1:]:
            found = found[key]
        node = found
    return node


def _missing(example: Any, shown: Any, where: str = "") -> Iterator[str]:
    """The fields of the example that are not shown, and those shown as something else."""
    if isinstance(example, dict) and isinstance(shown, dict):
        for name in example:
            if name in shown:
                yield from _missing(example[name], shown[name], f"{where}.{name}")
            else:
                yield f"{where}.{name}"
    elif isinstance(example, list) and isinstance(shown, list):
        if example and shown:
            yield from _missing(example[0], shown[0], where)
    elif not _alike(example, shown):
        yield f"{where}.{type(shown).__name__} instead of {type(example).__name__}"


def _alike(example: Any, shown: Any) -> bool:
    numbers = (int, float)
    return (
        example is None
        or shown is None
        or isinstance(example, type(shown))
        or (isinstance(example, numbers) and isinstance(shown, numbers))
    )
