"""The routes, by subject; importing this package fills the table in `routing`."""

from tests.fake_github.routes import (
    actions,
    checks,
    comments,
    git,
    issues,
    labels,
    pulls,
    repositories,
    search,
    users,
)

__all__ = [
    "actions",
    "checks",
    "comments",
    "git",
    "issues",
    "labels",
    "pulls",
    "repositories",
    "search",
    "users",
]
