"""Who may do what: tokens, permissions, roles, and GitHub's words when they do not suffice."""

from __future__ import annotations

from collections.abc import Iterable

from tests.fake_github.state import LEVELS, Issue, Repo, Token
from tests.fake_github.web import ApiError, not_found

ROLES = ("none", "read", "triage", "write", "maintain", "admin")


def repository_visible(token: Token | None, repo: Repo) -> bool:
    """Whether a repository exists for this token; a private one answers 404 to others."""
    if not repo.private:
        return True
    return token is not None and _covers(token, repo) and _role(token, repo) != "none"


def check(token: Token | None, repo: Repo, needs: Iterable[str], method: str) -> None:
    """Raise what GitHub answers when a token may not do this here.

    `needs` are alternatives, each `scope:level` as `issues:write`; none at all means that
    seeing the repository is enough. Anybody may read a public repository.
    """
    needs = list(needs)
    if not repository_visible(token, repo):
        raise not_found()
    writing = any(need.endswith(":write") for need in needs)
    if token is None:
        if writing or method != "GET":
            raise ApiError(401, "Requires authentication")
        return
    if repo.archived and writing:
        raise ApiError(403, "Repository was archived so is read-only.")
    if not needs or (not writing and not repo.private):
        return
    if not any(_grants(token, repo, need) for need in needs):
        raise refused(token, needs)


def check_conversation(token: Token | None, repo: Repo, issue: Issue, method: str) -> None:
    """Raise when a token may not write to this issue or pull request.

    GitHub's header says that either permission will do, but only pull_requests counts for
    a pull request and only issues for an issue.
    """
    check(token, repo, ["pull_requests:write" if issue.pull else "issues:write"], method)


def check_unlocked(token: Token | None, repo: Repo, issue: Issue, action: str) -> None:
    """Raise when the conversation is locked; bots are locked out whatever their permissions.

    That is known of new comments; of changes to old ones GitHub says nothing, and the strict
    reading is taken.
    """
    if not issue.locked or token is None:
        return
    if token.installation or ROLES.index(_role(token, repo)) < ROLES.index("write"):
        raise ApiError(
            403,
            f"Unable to {action} comment because issue is locked.",
            documentation_url="https://docs.github.com/articles/locking-conversations/",
        )


def check_download(token: Token | None, repo: Repo) -> None:
    """Raise unless the token may download artifacts; even public ones need a token with the scope."""
    if token is None:
        raise ApiError(401, "Requires authentication")
    if not _grants(token, repo, "actions:read"):
        raise refused(token, ["actions:read"])


def refused(token: Token, needs: Iterable[str]) -> ApiError:
    """403 in the words for this kind of token."""
    who = "integration" if token.installation else "personal access token"
    accepted = "; ".join(need.replace(":", "=") for need in needs)
    return ApiError(
        403,
        f"Resource not accessible by {who}",
        headers={"X-Accepted-GitHub-Permissions": accepted},
    )


def _grants(token: Token, repo: Repo, need: str) -> bool:
    scope, level = need.split(":")
    if not _covers(token, repo):
        return False
    if token.permissions is not None:
        granted = token.permissions.get(scope, "none")
        if LEVELS.index(granted) < LEVELS.index(level):
            return False
    if token.installation or level == "read":
        return True
    # Whoever sees a repository may open issues in it and comment there.
    least = "read" if scope in {"issues", "pull_requests"} else "write"
    return ROLES.index(_role(token, repo)) >= ROLES.index(least)


def _covers(token: Token, repo: Repo) -> bool:
    return token.repositories is None or repo.full_name in token.repositories


def _role(token: Token, repo: Repo) -> str:
    return "write" if token.installation else repo.role(token.login)


def check_author(token: Token | None, repo: Repo, author: str) -> None:
    """Raise when a token may not change what this person wrote: writers may, others only theirs."""
    if token is None or token.login == author:
        return
    if ROLES.index(_role(token, repo)) < ROLES.index("write"):
        raise ApiError(403, "Must have admin rights to Repository.")
