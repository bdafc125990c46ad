"""The table of routes, and what a route gets to answer a request."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import unquote

from tests.fake_github import access
from tests.fake_github.state import Comment, Commit, Issue, Repo, Run, Token
from tests.fake_github.view import View
from tests.fake_github.web import ApiError, Request, Response, not_found
from tests.fake_github.world import World

MANY_SEGMENTS = {"ref", "basehead"}
"""Parameters that may contain slashes."""


@dataclass(kw_only=True)
class Call:
    """A routed request that may go ahead, with what every route needs."""

    request: Request
    world: World
    view: View
    token: Token | None
    maybe_repo: Repo | None

    @property
    def repo(self) -> Repo:
        """The repository of the path; only for routes that have one."""
        assert self.maybe_repo is not None
        return self.maybe_repo

    @property
    def login(self) -> str:
        """Who is asking; only for routes that need a token."""
        assert self.token is not None
        return self.token.login

    def number(self, name: str) -> int:
        """A path parameter as a whole number; 404 when it is none."""
        text = self.request.params[name]
        if not text.isdecimal():
            raise not_found()
        return int(text)

    def issue(self) -> Issue:
        """The issue or pull request of the path."""
        issue = self.repo.issues.get(self.number("issue_number"))
        if issue is None:
            raise not_found()
        if not self.repo.has_issues and not issue.pull:
            raise ApiError(410, "Issues are disabled for this repo")
        return issue

    def comment(self) -> Comment:
        comment = self.repo.comments.get(self.number("comment_id"))
        if comment is None:
            raise not_found()
        return comment

    def run(self) -> Run:
        run = self.repo.runs.get(self.number("run_id"))
        if run is None:
            raise not_found()
        return run

    def not_empty(self) -> None:
        """Bring the repository up to date; raise when it has no commits at all."""
        self.world.sync(self.repo)
        if not self.repo.commits:
            raise ApiError(409, "Git Repository is empty.")

    def commit(self, ref: str) -> Commit:
        """A commit by SHA, branch or tag."""
        self.not_empty()
        commit = self.world.resolve(self.repo, ref)
        if commit is None:
            raise ApiError(422, f"No commit found for SHA: {ref}")
        return commit

    def may_write_to(self, issue: Issue) -> None:
        """Raise unless the token may write to this issue or pull request."""
        access.check_conversation(self.token, self.repo, issue, self.request.method)


Handler = Callable[[Call], Response]


@dataclass(frozen=True, kw_only=True)
class Route:
    method: str
    pattern: str
    """As GitHub's OpenAPI description spells it."""
    needs: tuple[str, ...]
    """Permissions of which one is needed, each `scope:level`."""
    handler: Handler

    @property
    def regexp(self) -> re.Pattern[str]:
        def group(match: re.Match[str]) -> str:
            name = match[1]
            if name == "path":  # the root folder's is empty
                return "(?P<path>.*)"
            return f"(?P<{name}>{'.+' if name in MANY_SEGMENTS else '[^/]+'})"

        return re.compile(re.sub(r"\\{(\w+)\\}", group, re.escape(self.pattern)))

    @property
    def rank(self) -> int:
        """Routes with more fixed segments are tried first."""
        return -sum("{" not in segment for segment in self.pattern.split("/"))


ROUTES: list[Route] = []
REPO = "/repos/{owner}/{repo}"


def route(method: str, pattern: str, *needs: str) -> Callable[[Handler], Handler]:
    """Put a handler into the table of routes."""

    def register(handler: Handler) -> Handler:
        ROUTES.append(Route(method=method, pattern=pattern, needs=needs, handler=handler))
        return handler

    return register


class Router:
    """Finds the route of a request."""

    def __init__(self) -> None:
        self._routes = [(r.regexp, r) for r in sorted(ROUTES, key=lambda r: r.rank)]

    def find(self, request: Request, encoded_path: str) -> Route | None:
        """The route, with the path's parameters put into the request; None for no such route."""
        for regexp, found in self._routes:
            match = regexp.fullmatch(encoded_path) if found.method == request.method else None
            if match:
                request.params = {name: unquote(text) for name, text in match.groupdict().items()}
                return found
        return None
