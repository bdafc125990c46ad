"""
The code without the change: which commit that is, and a folder beside the checkout that holds it.

git alone is asked, so that nothing of this needs a token unless the repository
is a private one whose checkout kept none. Nothing in the checkout changes; its
repository gains the objects that were missing and, for a while, a worktree.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from telltale.errors import HistoryError
from telltale.gha import Context
from telltale.history.git import Git, last_words, token_config

FETCH_S = 60.0
"""For one call of git: a commit is fetched, no history."""
DEEPER = 1000
"""Commits of each side that are fetched at most to find where they part."""

_PREFIX = "telltale-base-"
_TREE = "tree"
_LOCK = "lock"
_PULLS = frozenset({"pull_request", "pull_request_target"})
_SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_DEFAULTS = ("refs/remotes/origin/HEAD", "origin/main", "origin/master", "main", "master")
_NOT_THE_PROJECT = frozenset(
    {
        "vendor",
        "_vendor",
        "third_party",
        "node_modules",
        "examples",
        "docs",
        "testdata",
        "site-packages",
    }
)


class Basis:
    """What a checkout's repository says about the code without the change; all of it may raise `HistoryError`."""

    def __init__(
        self, checkout: Path, context: Context, *, environ: Mapping[str, str], token: str = ""
    ) -> None:
        self._context = context
        # The checkout of a container's job belongs to another user than the job.
        config = (("safe.directory", "*"),)
        self._git = Git(environ=environ, cwd=checkout, config=config, timeout_s=FETCH_S)
        url = self._say("remote", "get-url", "origin")
        if url:
            self._git = replace(self._git, config=(*config, *token_config(url, token)))

    def find(self) -> str:
        """
        Return the commit of the code without the change, and see that it is there.

        For a pull request's test merge that is its first parent; for another
        commit of a pull request or a branch, where it left the base or the
        default branch; for a push to the default branch, what that was before.
        """
        head = self._git.out("rev-parse", "HEAD").decode("ascii").strip()
        base = self._commit(head)
        self._have(base)
        if base == head and not self._say("status", "--porcelain", "--untracked-files=no"):
            raise HistoryError("the code under test is its own merge base: it has no change")
        return base

    @contextlib.contextmanager
    def checked_out(self, sha: str) -> Iterator[Path]:
        """
        Hold the commit's files in a folder outside of the checkout, which is removed afterwards.

        One that a killed run left is removed by the next run in this repository.
        """
        self._prune()
        top = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=_scratch(self._git.environ)))
        tree = top.resolve() / _TREE
        try:
            with (top / _LOCK).open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                done = self._git.run("worktree", "add", "--detach", "--force", str(tree), sha)
                if done.status != 0:
                    raise HistoryError(
                        f"{sha[:12]} cannot be checked out: {last_words(done.errors)}"
                    )
                yield tree
        finally:
            self._remove(tree)

    def packages(self) -> frozenset[str]:
        """Return the names of the packages that the repository holds, as they are imported."""
        listed = self._say("ls-files", "-z", "--", "*__init__.py")
        files = {PurePosixPath(each) for each in listed.split("\0") if each}
        folders = {file.parent for file in files if file.name == "__init__.py"}
        return frozenset(
            folder.name
            for folder in folders
            if folder.parent not in folders and not _NOT_THE_PROJECT & set(folder.parts)
        ) - {""}

    # Which commit

    def _commit(self, head: str) -> str:
        context = self._context
        if context.event_name in _PULLS:
            return self._of_pull_request(head)
        if context.event_name == "merge_group":
            return self._parting(_text(context.event, "merge_group", "base_sha"))
        default = _text(context.event, "repository", "default_branch")
        if context.inside and default and context.ref == f"refs/heads/{default}":
            before = _text(context.event, "before")
            if not before.strip("0"):
                raise HistoryError(f"this run is of {default} itself, not of a change")
            return before
        if context.inside and default:
            self._fetch(f"+refs/heads/{default}:refs/telltale/default")
            return self._parting("refs/telltale/default")
        for name in _DEFAULTS:
            if self._say("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}"):
                return self._parting(name)
        raise HistoryError("there is no branch main or master, here or on origin, to start from")

    def _of_pull_request(self, head: str) -> str:
        event = self._context.event
        # A shallow clone hides the parents of its last commit; the commit itself names them.
        lines = self._git.out("cat-file", "commit", head).decode("utf-8", "replace").splitlines()
        parents = [line[7:] for line in lines[:20] if line.startswith("parent ")]
        if len(parents) == 2 and parents[1] == _text(event, "pull_request", "head", "sha"):
            return parents[0]
        return self._parting(_text(event, "pull_request", "base", "sha"))

    def _parting(self, name: str) -> str:
        """Return where HEAD left a branch or commit."""
        if not name:
            raise HistoryError("the event does not name the base of the change")
        if _SHA.fullmatch(name):
            self._have(name)
        found = self._say("merge-base", "HEAD", name)
        if not found and self._shallow():
            tip = self._say("rev-parse", name)
            ours = self._say("rev-parse", "HEAD")
            self._git.run("fetch", "--quiet", "--no-tags", f"--depth={DEEPER}", "origin", tip, ours)
            found = self._say("merge-base", "HEAD", name)
        if not found:
            raise HistoryError(
                "the merge base is not in this shallow clone: give actions/checkout fetch-depth: 0"
                if self._shallow()
                else f"HEAD and {name[:60]} have no commit in common"
            )
        return found

    def _have(self, sha: str) -> None:
        """Fetch a commit that is not there."""
        if not _SHA.fullmatch(sha):
            raise HistoryError(f"{sha[:60]!r} is no commit")
        if self._git.run("cat-file", "-e", f"{sha}^{{commit}}").status == 0:
            return
        self._fetch(sha)

    def _fetch(self, what: str) -> None:
        # In a whole clone a depth would make it a shallow one.
        depth = ("--depth=1",) if self._shallow() else ()
        done = self._git.run("fetch", "--quiet", "--no-tags", *depth, "origin", what)
        if done.status != 0:
            raise HistoryError(
                f"the base of the change ({what[:12]}) is not in this clone and cannot be fetched:"
                f" {last_words(done.errors)}; give actions/checkout fetch-depth: 0"
            )

    def _shallow(self) -> bool:
        return self._say("rev-parse", "--is-shallow-repository") == "true"

    def _say(self, *arguments: str) -> str:
        """Return what git says, empty when it fails."""
        done = self._git.run(*arguments)
        return done.output.decode("utf-8", "surrogateescape").strip() if not done.status else ""

    # Cleaning up

    def _prune(self) -> None:
        """Remove the worktrees of runs that were killed."""
        listed = self._say("worktree", "list", "--porcelain").splitlines()
        for line in listed:
            tree = Path(line.removeprefix("worktree "))
            if line.startswith("worktree ") and tree.parent.name.startswith(_PREFIX):
                with contextlib.suppress(OSError), (tree.parent / _LOCK).open("w") as lock:
                    # Held for as long as its run lives.
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    self._remove(tree)
        self._git.run("worktree", "prune")

    def _remove(self, tree: Path) -> None:
        shutil.rmtree(tree.parent, ignore_errors=True)
        # Whatever became of the files: the repository must forget them, and a
        # second signal must not keep it from that.
        self._git.run("worktree", "prune")


def _scratch(environ: Mapping[str, str]) -> str | None:
    folder = environ.get("RUNNER_TEMP") or environ.get("TMPDIR")
    return folder if folder and os.access(folder, os.W_OK) else None


def _text(event: Mapping[str, Any], *keys: str) -> str:
    value: Any = event
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value if isinstance(value, str) and not value.startswith("-") else ""
