"""GitHub's JSON to our dataclasses. A missing or odd field raises KeyError, TypeError or ValueError."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, cast

from telltale.forge.interface import (
    Artifact,
    Comment,
    Issue,
    IssueState,
    PullRequest,
    WorkflowRun,
)

Json = Mapping[str, Any]


def pull_request(data: Json) -> PullRequest:
    """Source: schema `pull-request` and, in lists, `pull-request-simple`."""
    head, base = data["head"], data["base"]
    return PullRequest(
        number=int(data["number"]),
        url=str(data["html_url"]),
        state=_state(data["state"]),
        locked=bool(data["locked"]),
        author=_login(data["user"]),
        head_sha=str(head["sha"]),
        head_branch=str(head["ref"]),
        head_repository=_repository(head["repo"]),
        base_sha=str(base["sha"]),
        base_branch=str(base["ref"]),
        base_repository=_repository(base["repo"]),
    )


def comment(data: Json) -> Comment:
    """Source: schema `issue-comment`."""
    return Comment(
        id=int(data["id"]),
        url=str(data["html_url"]),
        author=_login(data["user"]),
        body=str(data["body"] or ""),
    )


def issue(data: Json) -> Issue:
    """Source: schema `issue`; its labels are objects, in old answers plain names."""
    return Issue(
        number=int(data["number"]),
        url=str(data["html_url"]),
        state=_state(data["state"]),
        author=_login(data["user"]),
        title=str(data["title"]),
        body=str(data["body"] or ""),
        labels=tuple(
            label if isinstance(label, str) else str(label["name"]) for label in data["labels"]
        ),
    )


def workflow_run(data: Json) -> WorkflowRun:
    """Source: schema `workflow-run`."""
    return WorkflowRun(
        id=int(data["id"]),
        attempt=int(data["run_attempt"]),
        url=str(data["html_url"]),
        jobs_url=str(data["jobs_url"]),
        event=str(data["event"]),
        status=str(data["status"] or ""),
        conclusion=str(data["conclusion"] or ""),
        head_sha=str(data["head_sha"]),
        head_branch=str(data["head_branch"] or ""),
        head_repository=_repository(data["head_repository"]),
    )


def artifact(data: Json) -> Artifact:
    """Source: schema `artifact`."""
    run = data.get("workflow_run") or {}
    return Artifact(
        id=int(data["id"]),
        name=str(data["name"]),
        size_bytes=int(data["size_in_bytes"]),
        expired=bool(data["expired"]),
        digest=str(data.get("digest") or ""),
        head_sha=str(run.get("head_sha") or ""),
    )


def _login(user: Json | None) -> str:
    # A deleted account's comments have no user.
    return str(user["login"]) if user else ""


def _repository(repository: Json | None) -> str:
    return str(repository["full_name"]) if repository else ""


def _state(text: str) -> IssueState:
    if text not in {"open", "closed"}:
        raise ValueError(f"state {text!r}")
    return cast("IssueState", text)


def file(data: Json) -> str:
    """Read "Get repository content" of a file; a folder, a link or binary content is a ValueError."""
    if data["type"] != "file" or data["encoding"] != "base64":
        raise ValueError("no file of text")
    return base64.b64decode(data["content"]).decode("utf-8")
