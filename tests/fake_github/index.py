"""The search index, which sees every change late, as GitHub's does."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from datetime import datetime, timedelta

from tests.fake_github.state import Issue, Repo


@dataclass(kw_only=True)
class Entry:
    """An issue as it was when the index last looked."""

    repo: str
    issue: Issue
    comments: tuple[str, ...]
    from_request: int
    """The first request that sees it."""
    from_moment: datetime


@dataclass
class SearchIndex:
    """Remembers what every issue looked like, and shows it once it is old enough."""

    lag_requests: int = 0
    """So many requests of any kind come between a change and its first hit."""
    lag_seconds: float = 0.0

    def __post_init__(self) -> None:
        self._entries: dict[tuple[str, int], list[Entry]] = {}

    def update(self, repo: Repo, request: int, now: datetime) -> None:
        """Note every issue of a repository that changed since the last call."""
        for issue in repo.issues.values():
            comments = tuple(comment.body for comment in repo.comments_on(issue.number))
            known = self._entries.setdefault((repo.full_name, issue.number), [])
            if not known or known[-1].issue != issue or known[-1].comments != comments:
                known.append(
                    Entry(
                        repo=repo.full_name,
                        issue=copy.deepcopy(issue),
                        comments=comments,
                        from_request=request + self.lag_requests + 1,
                        from_moment=now + timedelta(seconds=self.lag_seconds),
                    )
                )

    def visible(self, request: int, now: datetime) -> list[Entry]:
        """The issues as the index shows them at a request."""
        shown = []
        for entries in self._entries.values():
            old = [e for e in entries if e.from_request <= request and e.from_moment <= now]
            shown += old[-1:]
        return shown
