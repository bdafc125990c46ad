"""
The few verbs that the bot needs of GitHub, and the plain data they answer with.

Every verb raises `ForgeDeniedError` when the token may not do it (the message
names the permission and the lines to paste) and `ForgeError` for everything
else that did not work, after a bounded number of tries.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

IssueState = Literal["open", "closed"]
"""A pull request's and an issue's state; a merged pull request is closed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PullRequest:
    """A pull request as it is now."""

    number: int
    url: str
    state: IssueState
    locked: bool
    """Whether only people with write access may comment."""
    author: str
    head_sha: str
    head_branch: str
    head_repository: str
    """`owner/name`, empty when the fork was deleted."""
    base_sha: str
    """The base branch's tip when the pull request was last pushed to: not the merge base."""
    base_branch: str
    base_repository: str

    @property
    def fork(self) -> bool:
        """Whether the code comes from another repository, or from one that is gone."""
        return self.head_repository.casefold() != self.base_repository.casefold()


@dataclass(frozen=True, slots=True, kw_only=True)
class Comment:
    """A comment on an issue or in a pull request's conversation."""

    id: int
    """Grows with time: the smallest one is the oldest."""
    url: str
    author: str
    """Login; an App's ends in `[bot]`; empty when the account is gone."""
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """An issue; never a pull request."""

    number: int
    url: str
    state: IssueState
    author: str
    title: str
    body: str
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowRun:
    """A workflow run in its latest attempt."""

    id: int
    attempt: int
    url: str
    jobs_url: str
    """Of the API, with this run's jobs."""
    event: str
    status: str
    conclusion: str
    """Empty while it is not complete."""
    head_sha: str
    head_branch: str
    head_repository: str
    """`owner/name`, empty when the fork was deleted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """An uploaded artifact. Its name and content were chosen by the run that uploaded it."""

    id: int
    name: str
    size_bytes: int
    """Of the zip file, as GitHub says."""
    expired: bool
    digest: str
    """`sha256:` and 64 hex digits of the zip file, empty for old artifacts."""
    head_sha: str
    """Head of the run that uploaded it, as GitHub says; empty when it does not."""


class Forge(Protocol):
    """What the bot can ask of GitHub about one repository."""

    @property
    def repository(self) -> str:
        """`owner/name`."""
        ...

    def own_login(self) -> str:
        """Return the login under which the token writes, as far as it is known by now."""
        ...

    def pull_request(self, number: int) -> PullRequest:
        """Return the pull request as it is now."""
        ...

    def pulls_of(
        self, *, head_owner: str, head_branch: str, head_sha: str
    ) -> tuple[PullRequest, ...]:
        """
        Return the pull requests that a commit is the head of, the open ones first.

        When none has it as head any more (the branch was pushed to since), those
        of the same branch: their `head_sha` tells.
        """
        ...

    def merge_base(self, base: str, head: str) -> str:
        """Return the SHA of the commit at which two commits or branches parted."""
        ...

    def commits(self, start: str, *, most: int) -> tuple[str, ...]:
        """Return the SHAs of a commit and of what is before it, newest first, at most so many."""
        ...

    def file(self, path: str) -> str | None:
        """Return the text of a file of the default branch, None when there is none."""
        ...

    def comments(self, number: int) -> tuple[Comment, ...]:
        """Return all comments of an issue or pull request, oldest first."""
        ...

    def create_comment(self, number: int, body: str, *, marker: str) -> Comment:
        """
        Comment on an issue or pull request.

        `marker` is a text that only this comment of ours contains: when the
        answer is lost, it tells whether the comment was made.
        """
        ...

    def edit_comment(self, comment_id: int, body: str) -> Comment | None:
        """Replace a comment's body; None when the comment is gone."""
        ...

    def delete_comment(self, comment_id: int) -> None:
        """Delete a comment; one that is gone already is no error."""
        ...

    def issues_with_label(
        self, label: str, *, state: Literal["open", "closed", "all"] = "all"
    ) -> tuple[Issue, ...]:
        """Return all issues that carry the label, by number."""
        ...

    def create_issue(self, *, title: str, body: str, labels: tuple[str, ...], marker: str) -> Issue:
        """
        Open an issue; the labels must exist, the first one is how we find it again.

        `marker` is a text that only this issue of ours contains, as in `create_comment`.
        """
        ...

    def edit_issue(
        self,
        number: int,
        *,
        title: str | None = None,
        body: str | None = None,
        state: IssueState | None = None,
        reason: Literal["completed", "not_planned", "duplicate", "reopened"] | None = None,
    ) -> Issue:
        """Change what is given; `reason` says why the state changed."""
        ...

    def ensure_label(self, name: str, *, color: str, description: str) -> None:
        """
        Make sure that a label exists; one that exists keeps its looks.

        `color` is six hex digits, `description` at most 100 characters.
        """
        ...

    def workflow_run(self, run_id: int) -> WorkflowRun:
        """Return the facts of a workflow run."""
        ...

    def artifacts(self, run_id: int) -> tuple[Artifact, ...]:
        """Return the artifacts of a workflow run, of all its attempts, oldest first."""
        ...

    def download_artifact(self, artifact: Artifact, to: Path, *, limit_bytes: int) -> Path:
        """
        Write an artifact's zip file to `to` and return `to`; its content is not looked at.

        `ForgeError` when it is larger than `limit_bytes`, expired, or not what its
        digest says. Nothing is left at `to` then.
        """
        ...
