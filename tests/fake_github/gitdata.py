"""Commits and trees: made in memory by tests, or read live from a real bare repository."""

from __future__ import annotations

import hashlib
import subprocess
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import partial
from pathlib import Path

from tests.fake_github.state import Blob, Commit, Repo

Tree = dict[str, Blob]


def make_blob(content: str | bytes) -> Blob:
    """A file with the SHA git would give it."""
    data = content.encode() if isinstance(content, str) else content
    return Blob(sha=_hash("blob", data), size=len(data), mode="100644", read=lambda: data)


def make_commit(
    *,
    sha: str | None,
    message: str,
    parents: tuple[str, ...],
    tree: Tree,
    author: str,
    date: datetime,
) -> Commit:
    """A commit; without `sha`, with the one git would give it."""
    email = f"{author}@users.noreply.github.com"
    root = tree_sha(tree)
    person = f"{author} <{email}> {int(date.timestamp())} +0000"
    lines = [f"tree {root}", *(f"parent {parent}" for parent in parents)]
    lines += [f"author {person}", f"committer {person}", "", message]
    return Commit(
        sha=sha or _hash("commit", "\n".join(lines).encode()),
        message=message,
        parents=parents,
        tree=tree,
        tree_sha=root,
        author=author,
        email=email,
        date=date,
    )


def tree_sha(tree: Mapping[str, Blob]) -> str:
    """The SHA git would give a tree of paths."""
    # Git sorts a folder as if its name ended with a slash.
    entries: dict[str, bytes] = {}
    for path, blob in tree.items():
        name, slash, _ = path.partition("/")
        if name + slash not in entries:
            sha = tree_sha(folder(tree, name)) if slash else blob.sha
            mode = "40000" if slash else blob.mode
            entries[name + slash] = f"{mode} {name}\0".encode() + bytes.fromhex(sha)
    ordered = sorted(entries.items(), key=lambda entry: entry[0].encode())
    return _hash("tree", b"".join(data for _, data in ordered))


def folder(tree: Mapping[str, Blob], path: str) -> Tree:
    """What lies under a folder, with paths relative to it."""
    prefix = f"{path.strip('/')}/" if path.strip("/") else ""
    return {name[len(prefix) :]: blob for name, blob in tree.items() if name.startswith(prefix)}


def ancestors(repo: Repo, sha: str) -> Iterator[Commit]:
    """A commit and everything before it, nearest first, each once."""
    queue, seen = deque([sha]), {sha}
    while queue:
        commit = repo.commits[queue.popleft()]
        yield commit
        for parent in commit.parents:
            if parent not in seen and parent in repo.commits:
                seen.add(parent)
                queue.append(parent)


def merge_base(repo: Repo, base: str, head: str) -> Commit | None:
    """The nearest common ancestor; None for unrelated histories."""
    theirs = {commit.sha for commit in ancestors(repo, base)}
    return next((commit for commit in ancestors(repo, head) if commit.sha in theirs), None)


def only_in(repo: Repo, head: str, base: str) -> list[Commit]:
    """The commits of `base..head`, oldest first, as GitHub lists them."""
    known = {commit.sha for commit in ancestors(repo, base)}
    return [commit for commit in ancestors(repo, head) if commit.sha not in known][::-1]


def merged_tree(repo: Repo, base: str, head: str) -> Tree:
    """The base's files with what the head changed since they parted; conflicts go to the head."""
    common = merge_base(repo, base, head)
    before = common.tree if common else {}
    tree, ours = dict(repo.commits[base].tree), repo.commits[head].tree
    for change in changes(before, ours):
        if change.after is None:
            tree.pop(change.path, None)
        else:
            tree[change.path] = change.after
    return tree


@dataclass(kw_only=True)
class Change:
    path: str
    before: Blob | None
    after: Blob | None

    @property
    def status(self) -> str:
        if self.before is None:
            return "added"
        return "removed" if self.after is None else "modified"

    def lines(self) -> tuple[int, int]:
        """Lines added and removed, counting a changed file as wholly rewritten."""
        return _lines(self.after), _lines(self.before)


def _lines(blob: Blob | None) -> int:
    return len(blob.read().splitlines()) if blob else 0


def changes(before: Mapping[str, Blob], after: Mapping[str, Blob]) -> list[Change]:
    """The files that differ between two trees, by path."""
    return [
        Change(path=path, before=before.get(path), after=after.get(path))
        for path in sorted({*before, *after})
        if (before[path].sha if path in before else None)
        != (after[path].sha if path in after else None)
    ]


def sync(repo: Repo) -> bool:
    """Bring a repository with a `git_dir` up to date with it; whether anything was new."""
    if repo.git_dir is None:
        return False
    listing = _git(repo.git_dir, "for-each-ref", "--format=%(refname) %(objectname) %(*objectname)")
    # An annotated tag names a tag object; its third column is the commit.
    rows = [line.split() for line in listing.splitlines()]
    refs = {row[0]: row[-1] for row in rows}
    ours = {name: sha for name, sha in repo.refs.items() if not name.startswith("refs/pull/")}
    if refs == ours:
        return False
    repo.refs = {**{n: s for n, s in repo.refs.items() if n.startswith("refs/pull/")}, **refs}
    log = _git(
        repo.git_dir, "log", "--all", "-z", "--format=%H%x1f%P%x1f%T%x1f%an%x1f%ae%x1f%ct%x1f%B"
    )
    for record in filter(None, log.split("\0")):
        sha, parents, root, author, email, date, message = record.split("\x1f", 6)
        if sha not in repo.commits:
            repo.commits[sha] = Commit(
                sha=sha,
                message=message.strip("\n"),
                parents=tuple(parents.split()),
                tree=_read_tree(repo.git_dir, sha),
                tree_sha=root,
                author=author,
                email=email,
                date=datetime.fromtimestamp(int(date), timezone.utc),
            )
    return True


def write_ref(repo: Repo, name: str, sha: str | None) -> None:
    """Set a ref, or delete it with None, in memory and in the real repository behind it."""
    if repo.git_dir is not None:
        what = ("-d", name) if sha is None else (name, sha)
        _git(repo.git_dir, "update-ref", *what)
    if sha is None:
        repo.refs.pop(name, None)
    else:
        repo.refs[name] = sha


def _read_tree(git_dir: Path, sha: str) -> Tree:
    tree = {}
    for line in filter(None, _git(git_dir, "ls-tree", "-r", "-l", "-z", sha).split("\0")):
        meta, path = line.split("\t", 1)
        mode, kind, blob, size = meta.split()
        if kind == "blob":
            tree[path] = Blob(
                sha=blob, size=int(size), mode=mode, read=partial(_cat, git_dir, blob)
            )
    return tree


def _cat(git_dir: Path, sha: str) -> bytes:
    return subprocess.run(
        ["git", "--git-dir", git_dir, "cat-file", "blob", sha], check=True, capture_output=True
    ).stdout


def _git(git_dir: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "--git-dir", git_dir, *arguments], check=True, capture_output=True
    )
    return done.stdout.decode("utf-8", "replace")


def _hash(kind: str, data: bytes) -> str:
    # Git names its objects by SHA-1; nothing is protected by it here.
    return hashlib.sha1(f"{kind} {len(data)}\0".encode() + data, usedforsecurity=False).hexdigest()
