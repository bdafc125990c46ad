"""
The commits that a run's code stands on: the merge base and what is before it.

Asked of GitHub's API where there is one, since a checkout of `actions/checkout`
holds one commit; of git in the current folder otherwise. Sources: GitHub's
"Compare two commits" (`merge_base_commit`) and "List commits".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from telltale.errors import ForgeError, HistoryError, SetupError
from telltale.forge import Forge, GitHubForge
from telltale.gha import Context
from telltale.history.git import Git
from telltale.options import Invocation
from telltale.records import Origin

MOST = 1000
"""Commits that are looked back: ten requests, where that many are there."""
_GIT_S = 60.0
_SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_DEFAULTS = ("origin/HEAD", "origin/main", "origin/master", "main", "master")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """The merge base and the commits before it, newest first; None and why, when not known."""

    commits: tuple[str, ...] | None = None
    unknown: str = ""


UNASKED = Lineage()


def may_ask(invocation: Invocation, context: Context) -> Forge | None:
    """Return the repository on GitHub, None outside of a job or without a token."""
    token = invocation.text("token")
    if not (context.inside and token):
        return None
    return GitHubForge(token, context.repository, context.api_url)


class Lineages:
    """Finds the lineage of runs, each commit's once."""

    def __init__(
        self, context: Context, forge: Forge | None, *, environ: Mapping[str, str]
    ) -> None:
        self._context = context
        self._forge = forge
        self._git = Git(
            environ=environ,
            cwd=Path.cwd(),
            # The checkout of a container's job belongs to another user than the job.
            config=(("safe.directory", "*"),),
            timeout_s=_GIT_S,
        )
        self._found: dict[tuple[str, str], Lineage] = {}

    def of(self, origin: Origin) -> Lineage:
        """Return the lineage of a run's code; never raises."""
        # The test merge is what ran: its base is the one that the change was measured on.
        key = (origin.merge_sha, origin.sha)
        if key not in self._found:
            self._found[key] = self._find(origin)
        return self._found[key]

    def _find(self, origin: Origin) -> Lineage:
        heads = [sha for sha in (origin.merge_sha, origin.sha) if sha]
        if not heads:
            return Lineage(unknown="the commit of this run is not known")
        if self._forge is not None:
            return self._by_api(self._forge, origin, heads)
        return self._by_git(heads[-1])

    def _by_api(self, forge: Forge, origin: Origin, heads: list[str]) -> Lineage:
        head, *others = heads
        try:
            start = head if origin.trusted else forge.merge_base(self._base(), head)
            return Lineage(commits=forge.commits(start, most=MOST))
        except ForgeError as error:
            if others:
                # An outdated test merge is gone after a while; the commit itself is not.
                return self._by_api(forge, origin, others)
            return Lineage(unknown=f"GitHub did not name the merge base ({str(error)[:200]})")

    def _base(self) -> str:
        """Return the branch that the history stands for."""
        repository = self._context.event.get("repository")
        name = repository.get("default_branch") if isinstance(repository, Mapping) else None
        return name if isinstance(name, str) and name else "HEAD"

    def _by_git(self, head: str) -> Lineage:
        # At a terminal the bundle names the commit, and may come from anywhere.
        if not _SHA.fullmatch(head):
            return Lineage(unknown="the commit of this run is not known")
        try:
            if self._say("rev-parse", "--is-shallow-repository") != "false":
                return Lineage(unknown="no whole clone here to ask for the merge base")
            for name in _DEFAULTS:
                base = self._say("merge-base", head, name)
                if base:
                    listed = self._say("rev-list", f"--max-count={MOST}", base)
                    return Lineage(commits=tuple(listed.split()))
        except (HistoryError, SetupError):
            pass
        return Lineage(unknown="git here does not know where this commit left main or master")

    def _say(self, *arguments: str) -> str:
        """Return what git says, empty when it fails."""
        done = self._git.run(*arguments)
        return done.output.decode("ascii", "replace").strip() if done.status == 0 else ""
