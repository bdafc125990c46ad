"""The code under test, as git knows it."""

from __future__ import annotations

import functools
import re
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from telltale import gha
from telltale.model import Source
from telltale.values import dataclass

_LIMIT_S = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkout:
    """A checkout and where it is."""

    source: Source
    root: Path | None
    """Its top folder; None outside a repository."""

    def place(self, folder: Path) -> str:
        """Return the folder relative to the checkout with forward slashes, absolute outside it."""
        try:
            return folder.resolve().relative_to(self.root or Path("/nowhere")).as_posix()
        except ValueError:
            return str(folder.resolve())


def look(cwd: Path, environ: Mapping[str, str], context: gha.Context) -> Checkout:
    """Return what git and the job say about the code in `cwd`; what nobody knows stays empty."""
    git = functools.partial(_ask_git, cwd, environ)
    top, sha, branch = _place(git)
    if not top:
        return Checkout(
            source=Source(repository=context.repository, sha=context.sha, ref=context.ref),
            root=None,
        )
    changes = git("status", "--porcelain", "--untracked-files=no")
    return Checkout(
        source=Source(
            repository=context.repository
            or _owner_and_name(git("remote", "get-url", "origin") or ""),
            sha=sha or context.sha,
            ref=context.ref or branch,
            dirty=None if changes is None else bool(changes),
        ),
        root=Path(top).resolve(),
    )


def _place(git: Callable[..., str | None]) -> tuple[str, str, str]:
    """Return the top folder, the commit and the ref of HEAD; what is not there is empty."""
    # One question: each costs a start of git before every command.
    said = git("rev-parse", "--show-toplevel", "HEAD", "--symbolic-full-name", "HEAD") or ""
    if said.count("\n") >= 2:  # a folder's name may hold more
        top, sha, ref = said.rsplit("\n", 2)
        return top, sha, "" if ref == "HEAD" else ref  # detached
    # There is no commit yet, or no repository.
    top = git("rev-parse", "--show-toplevel") or ""
    return top, "", (git("symbolic-ref", "--quiet", "HEAD") or "") if top else ""


def changes(cwd: Path, environ: Mapping[str, str]) -> tuple[str, ...] | None:
    """Return the tracked files that differ from HEAD, sorted; None when git does not say."""
    git = functools.partial(_ask_git, cwd, environ)
    top = git("rev-parse", "--show-toplevel")
    # Not the porcelain's status: a file that was only touched is no change.
    names = git("diff", "--name-only", "-z", "HEAD", "--") if top else None
    return None if names is None else tuple(sorted(filter(None, names.split("\0"))))


def _owner_and_name(url: str) -> str:
    found = re.search(r"[/:]([\w.-]+/[\w.-]+?)(?:\.git)?/?$", url)
    # A path on this machine names folders, not an owner.
    return found[1] if found and ("://" in url or "@" in url) and "file://" not in url else ""


def _ask_git(cwd: Path, environ: Mapping[str, str], *args: str) -> str | None:
    """Return what git says, without the line's end; None when it fails, is absent or hangs."""
    try:
        answer = subprocess.run(
            [
                "git",
                # The checkout of a container job belongs to another user than the job.
                *("-c", "safe.directory=*"),
                *("-c", "core.fsmonitor=false"),
                *args,
            ],
            cwd=cwd,
            # Looking must not write: another git may be at work.
            env={**environ, "GIT_OPTIONAL_LOCKS": "0"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_LIMIT_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.decode("utf-8", "replace").rstrip("\n")
