"""A strict, stateful GitHub on this machine, for tests; start with `github.FakeGitHub`."""

from tests.fake_github.github import FakeGitHub
from tests.fake_github.world import PERSONAL_TOKEN, READ_TOKEN, WRITE_TOKEN

__all__ = ["PERSONAL_TOKEN", "READ_TOKEN", "WRITE_TOKEN", "FakeGitHub"]
