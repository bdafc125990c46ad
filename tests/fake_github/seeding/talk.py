"""Issues, comments, labels and people."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from tests.fake_github.state import Comment, Issue, Label
from tests.fake_github.world import World


class Talk(World):
    """What people wrote."""

    def open_issue(
        self,
        number: int | None = None,
        *,
        title: str = "An issue",
        body: str | None = None,
        user: str = "octocat",
        labels: Sequence[str] = (),
        at: datetime | str | None = None,
        repo: str | None = None,
    ) -> Issue:
        there, now = self.find_repo(repo), self.moment(at)
        issue = Issue(
            id=self.new_id(),
            number=number or self.next_number(there),
            title=title,
            body=body,
            user=user,
            labels=self.ensure_labels(there, list(labels)),
            created_at=now,
            updated_at=now,
        )
        there.issues[issue.number] = issue
        self.changed()
        return issue

    def close_issue(
        self,
        number: int,
        *,
        by: str = "octocat",
        reason: str | None = "completed",
        at: datetime | str | None = None,
        repo: str | None = None,
    ) -> Issue:
        """Close an issue, or a pull request without merging it."""
        issue = self.find_repo(repo).issues[number]
        issue.state, issue.state_reason, issue.closed_by = "closed", reason, by
        issue.closed_at = issue.updated_at = self.moment(at)
        self.changed()
        return issue

    def lock_issue(
        self, number: int, *, reason: str | None = None, repo: str | None = None
    ) -> Issue:
        """Lock the conversation of an issue or pull request."""
        issue = self.find_repo(repo).issues[number]
        issue.locked, issue.lock_reason = True, reason
        self.changed()
        return issue

    def add_comment(
        self,
        number: int,
        body: str,
        *,
        user: str = "octocat",
        at: datetime | str | None = None,
        repo: str | None = None,
    ) -> Comment:
        """A comment on an issue or pull request."""
        there, now = self.find_repo(repo), self.moment(at)
        comment = Comment(
            id=self.new_id(), issue=number, body=body, user=user, created_at=now, updated_at=now
        )
        there.comments[comment.id] = comment
        there.issues[number].updated_at = now
        self.changed()
        return comment

    def add_label(
        self,
        name: str,
        *,
        color: str = "ededed",
        description: str | None = None,
        repo: str | None = None,
    ) -> Label:
        label = Label(id=self.new_id(), name=name, color=color, description=description)
        self.find_repo(repo).labels[name.lower()] = label
        self.changed()
        return label

    def add_collaborator(self, login: str, role: str = "write", *, repo: str | None = None) -> None:
        """Give somebody a role: admin, maintain, write, triage or read."""
        self.find_repo(repo).collaborators[login] = role
        self.changed()
