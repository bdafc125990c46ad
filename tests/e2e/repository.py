"""Repositories as GitHub keeps them: a bare one that jobs fetch from and push to."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

AUTHOR = {
    f"GIT_{role}_{field}": value
    for role in ("AUTHOR", "COMMITTER")
    for field, value in (("NAME", "octocat"), ("EMAIL", "octocat@example.com"))
}


def git(folder: Path, *arguments: str) -> str:
    """Run git in `folder` and return what it printed, without the last newline."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    done = subprocess.run(
        ["git", *arguments],
        cwd=folder,
        env=environment | AUTHOR,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    if done.returncode:
        msg = f"git {' '.join(arguments)} in {folder}: {done.stderr}"
        raise RuntimeError(msg)
    return done.stdout.rstrip("\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """One repository of the scratch GitHub whose repositories lie under `root`."""

    root: Path
    slug: str
    """owner/name"""

    @classmethod
    def create(cls, root: Path, slug: str) -> Repository:
        """Make an empty repository with the default branch main."""
        repository = cls(root=root, slug=slug)
        repository.bare.mkdir(parents=True)
        git(repository.bare, "init", "--quiet", "--bare", "--initial-branch", "main")
        # As on GitHub: any object can be fetched by its SHA, and clones may be partial.
        git(repository.bare, "config", "uploadpack.allowAnySHA1InWant", "true")
        git(repository.bare, "config", "uploadpack.allowFilter", "true")
        git(root, "clone", "--quiet", str(repository.bare), str(repository.work))
        return repository

    @property
    def bare(self) -> Path:
        return self.root / f"{self.slug}.git"

    @property
    def work(self) -> Path:
        """The owner's clone, where commits are made."""
        return self.root / f"{self.slug}.work"

    @property
    def owner(self) -> str:
        return self.slug.partition("/")[0]

    @property
    def name(self) -> str:
        return self.slug.partition("/")[2]

    def commit(self, files: Mapping[str, str], message: str, branch: str = "main") -> str:
        """Write `files` on `branch` (made from main when it is new), push it, return its SHA."""
        self._switch(branch)
        for path, text in files.items():
            target = self.work / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
        git(self.work, "add", "--all")
        git(self.work, "commit", "--quiet", "--allow-empty", "--message", message)
        git(self.work, "push", "--quiet", "origin", branch)
        return git(self.work, "rev-parse", "HEAD")

    def fork(self, owner: str) -> Repository:
        """Make a copy of this repository that `owner` can push to."""
        fork = Repository(root=self.root, slug=f"{owner}/{self.name}")
        git(self.root, "clone", "--quiet", "--bare", str(self.bare), str(fork.bare))
        git(self.root, "clone", "--quiet", str(fork.bare), str(fork.work))
        return fork

    def copy(self, root: Path) -> Repository:
        """Make a copy of this repository, branches and all, on another scratch GitHub."""
        copy = Repository(root=root, slug=self.slug)
        copy.bare.parent.mkdir(parents=True)
        shutil.copytree(self.bare, copy.bare)
        git(root, "clone", "--quiet", str(copy.bare), str(copy.work))
        return copy

    def merge_for_pull_request(self, number: int, head: Repository, branch: str) -> str:
        """Make refs/pull/NUMBER/merge, the commit that pull_request runs test; return its SHA."""
        self._switch("main")
        git(self.work, "fetch", "--quiet", str(head.bare), branch)
        git(self.work, "switch", "--quiet", "--detach")
        message = f"Merge {branch} into main"
        git(self.work, "merge", "--quiet", "--no-ff", "--message", message, "FETCH_HEAD")
        for side, commit in (("merge", "HEAD"), ("head", "FETCH_HEAD")):
            git(
                self.work,
                "push",
                "--quiet",
                "--force",
                "origin",
                f"{commit}:refs/pull/{number}/{side}",
            )
        return git(self.work, "rev-parse", "HEAD")

    def branches(self) -> list[str]:
        return git(
            self.bare, "for-each-ref", "--format=%(refname:short)", "refs/heads"
        ).splitlines()

    def tip(self, ref: str) -> str:
        """SHA of the commit that a branch or ref points at."""
        return git(self.bare, "rev-parse", "--verify", f"{ref}^{{commit}}")

    def commits(self, ref: str) -> list[str]:
        """SHAs reachable from `ref`, newest first."""
        return git(self.bare, "rev-list", ref).splitlines()

    def paths(self, ref: str) -> list[str]:
        """Every file in a branch or commit."""
        listed = git(self.bare, "ls-tree", "-r", "-z", "--name-only", ref)
        return listed.rstrip("\0").split("\0")

    def read(self, ref: str, path: str) -> str:
        """Text of a file in a branch or commit."""
        return git(self.bare, "show", f"{ref}:{path}")

    def clone_at(self, sha: str, folder: Path, origin: str) -> Path:
        """Clone to `folder` with `sha` checked out and `origin` as the address of origin."""
        git(self.root, "clone", "--quiet", "--no-checkout", str(self.bare), str(folder))
        git(folder, "fetch", "--quiet", "origin", sha)
        git(folder, "checkout", "--quiet", "--detach", sha)
        git(folder, "remote", "set-url", "origin", origin)
        return folder

    def _switch(self, branch: str) -> None:
        exists = branch in self.branches() or not self.branches()
        if exists and not self.branches():
            git(self.work, "symbolic-ref", "HEAD", f"refs/heads/{branch}")
            return
        git(self.work, "fetch", "--quiet", "origin")
        start = f"origin/{branch if exists else 'main'}"
        git(self.work, "switch", "--quiet", "--force-create", branch, start)
