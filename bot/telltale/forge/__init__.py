"""GitHub, as far as the bot needs it: `interface` says what, `github` does it."""

from telltale.forge.github import GitHubForge
from telltale.forge.interface import (
    Artifact,
    Comment,
    Forge,
    Issue,
    IssueState,
    PullRequest,
    WorkflowRun,
)
from telltale.forge.wire import Patience

__all__ = [
    "Artifact",
    "Comment",
    "Forge",
    "GitHubForge",
    "Issue",
    "IssueState",
    "Patience",
    "PullRequest",
    "WorkflowRun",
]
