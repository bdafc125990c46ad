"""What the fake knows: plain records, changed in place by the routes and the seeding methods.

Every record is a dataclass that a test may read, and `as_json` turns the whole of it into
JSON for the end-to-end tests, which look at it from another process. Times are UTC with
whole seconds, as GitHub's are.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

ACTIONS_BOT = "github-actions[bot]"
LEVELS = ("none", "read", "write", "admin")

Permissions = Mapping[str, str]
"""Scope (contents, issues, pull_requests, checks, statuses, actions) to read or write."""


@dataclasses.dataclass(kw_only=True)
class Token:
    """A token and what it may do."""

    token: str
    login: str
    installation: bool
    """A workflow's GITHUB_TOKEN; otherwise a person's token."""
    permissions: dict[str, str] | None
    """None: a classic personal token, which may do whatever its owner may."""
    repositories: tuple[str, ...] | None = None
    """Full names; None: every repository."""


@dataclasses.dataclass(kw_only=True)
class User:
    login: str
    id: int
    type: str = "User"


@dataclasses.dataclass(kw_only=True)
class Blob:
    """A file of a commit; the content is read when somebody asks for it."""

    sha: str
    size: int
    mode: str
    read: Callable[[], bytes] = dataclasses.field(repr=False, compare=False)


@dataclasses.dataclass(kw_only=True)
class Commit:
    sha: str
    message: str
    parents: tuple[str, ...]
    tree: dict[str, Blob]
    """The whole tree, by path."""
    tree_sha: str
    author: str
    """A login in made-up commits, a name in those of a real repository."""
    email: str
    date: datetime


@dataclasses.dataclass(kw_only=True)
class Label:
    id: int
    name: str
    color: str = "ededed"
    description: str | None = None


@dataclasses.dataclass(kw_only=True)
class Pull:
    """What makes an issue a pull request."""

    head_repo: str | None
    """None when the fork was deleted."""
    head_ref: str
    head_sha: str
    base_ref: str
    base_sha: str
    """The base branch's tip when the pull request was opened or last pushed to."""
    merge_commit_sha: str | None
    """The test merge (`refs/pull/N/merge`) while open, the real one once merged."""
    draft: bool = False
    merged_at: datetime | None = None
    merged_by: str | None = None


@dataclasses.dataclass(kw_only=True)
class Issue:
    """An issue, or a pull request when `pull` is there: GitHub numbers them together."""

    id: int
    number: int
    title: str
    body: str | None
    user: str
    created_at: datetime
    updated_at: datetime
    state: str = "open"
    state_reason: str | None = None
    closed_at: datetime | None = None
    closed_by: str | None = None
    labels: list[str] = dataclasses.field(default_factory=list)
    assignees: list[str] = dataclasses.field(default_factory=list)
    locked: bool = False
    lock_reason: str | None = None
    pull: Pull | None = None


@dataclasses.dataclass(kw_only=True)
class Comment:
    id: int
    issue: int
    """Number of the issue or pull request."""
    body: str
    user: str
    created_at: datetime
    updated_at: datetime


@dataclasses.dataclass(kw_only=True)
class CheckRun:
    id: int
    name: str
    head_sha: str
    status: str
    conclusion: str | None
    started_at: datetime | None
    completed_at: datetime | None
    details_url: str | None = None
    external_id: str | None = None
    title: str | None = None
    summary: str | None = None
    text: str | None = None
    annotations: list[dict[str, Any]] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(kw_only=True)
class Status:
    id: int
    sha: str
    state: str
    context: str
    description: str | None
    target_url: str | None
    creator: str
    created_at: datetime


@dataclasses.dataclass(kw_only=True)
class Job:
    id: int
    run_id: int
    run_attempt: int
    name: str
    status: str
    conclusion: str | None
    started_at: datetime
    completed_at: datetime | None
    labels: list[str]
    runner_name: str | None
    steps: list[dict[str, Any]]
    """Each: name, number, status, conclusion, started_at, completed_at."""


@dataclasses.dataclass(kw_only=True)
class Run:
    """A workflow run, with the jobs of all its attempts."""

    id: int
    name: str
    path: str
    workflow_id: int
    event: str
    status: str
    conclusion: str | None
    head_branch: str
    head_sha: str
    head_repo: str
    run_number: int
    run_attempt: int
    actor: str
    created_at: datetime
    run_started_at: datetime
    updated_at: datetime
    jobs: list[Job] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(kw_only=True)
class Artifact:
    id: int
    run_id: int
    name: str
    path: Path
    size: int
    digest: str
    created_at: datetime
    expired: bool = False


@dataclasses.dataclass(kw_only=True)
class Repo:
    id: int
    owner: str
    name: str
    private: bool
    default_branch: str
    created_at: datetime
    has_issues: bool = True
    archived: bool = False
    fork_of: str | None = None
    git_dir: Path | None = None
    """A real bare repository whose commits and refs are read live."""
    collaborators: dict[str, str] = dataclasses.field(default_factory=dict)
    """Login to admin, maintain, write, triage or read; the owner is always admin."""
    commits: dict[str, Commit] = dataclasses.field(default_factory=dict)
    refs: dict[str, str] = dataclasses.field(default_factory=dict)
    """Full ref name to SHA."""
    issues: dict[int, Issue] = dataclasses.field(default_factory=dict)
    comments: dict[int, Comment] = dataclasses.field(default_factory=dict)
    labels: dict[str, Label] = dataclasses.field(default_factory=dict)
    """By lower-case name: GitHub's labels do not differ by case."""
    check_runs: dict[int, CheckRun] = dataclasses.field(default_factory=dict)
    statuses: list[Status] = dataclasses.field(default_factory=list)
    runs: dict[int, Run] = dataclasses.field(default_factory=dict)
    artifacts: dict[int, Artifact] = dataclasses.field(default_factory=dict)

    @property
    def full_name(self) -> str:
        return f"{self.owner}/{self.name}"

    @property
    def pulls(self) -> dict[int, Issue]:
        """The issues that are pull requests."""
        return {number: issue for number, issue in self.issues.items() if issue.pull}

    def role(self, login: str) -> str:
        """The role of a login here: admin, maintain, write, triage, read or none."""
        if login == self.owner:
            return "admin"
        return self.collaborators.get(login, "none" if self.private else "read")

    def comments_on(self, number: int) -> list[Comment]:
        """The comments of an issue or pull request, oldest first."""
        return [comment for comment in self.comments.values() if comment.issue == number]


class Clock:
    """The fake's time: the real one until a test sets it; then it stands still."""

    def __init__(self) -> None:
        self._set: datetime | None = None

    def now(self) -> datetime:
        """This second, UTC."""
        now = self._set or datetime.now(timezone.utc)
        return now.replace(microsecond=0)

    def set(self, moment: datetime | str) -> None:
        """Stand still at a moment, given as aware datetime or as ISO 8601 with a zone."""
        self._set = moment if isinstance(moment, datetime) else parse_time(moment)

    def advance(self, seconds: float) -> None:
        """Stand still this much later."""
        self.set(self.now() + timedelta(seconds=seconds))


def parse_time(text: str) -> datetime:
    """ISO 8601 with a zone (`Z` too, which Python 3.10 does not read) to UTC."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(timezone.utc)


def format_time(moment: datetime) -> str:
    """As GitHub writes it: 2026-01-31T12:00:00Z."""
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def as_json(value: Any) -> Any:
    """Any record as JSON values; blobs without their content."""
    if isinstance(value, Blob):
        return {"sha": value.sha, "size": value.size, "mode": value.mode}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: as_json(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): as_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_json(item) for item in value]
    return format_time(value) if isinstance(value, datetime) else _plain(value)


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else value
