"""The real forge, in a hurry, on a fake GitHub."""

from __future__ import annotations

from collections.abc import Callable

from telltale.forge import GitHubForge, Patience
from tests.fake_github import WRITE_TOKEN, FakeGitHub

HURRIED = Patience(backoff_s=7.0, timeout_s=10, between_writes_s=0.0)


def no_wait(seconds: float) -> None:
    """Wait for nothing: what is asked again is there at once."""


def connect(
    github: FakeGitHub,
    token: str = WRITE_TOKEN,
    *,
    repository: str = "octo/demo",
    login: str = "",
    patience: Patience = HURRIED,
    sleep: Callable[[float], None] = no_wait,
) -> GitHubForge:
    """Connect to the fake; `sleep` gets the seconds that would have been waited."""
    return GitHubForge(token, repository, github.url, login=login, patience=patience, sleep=sleep)
