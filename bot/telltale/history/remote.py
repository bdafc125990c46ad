"""Find the repository that holds the branch: a remote's name, a URL, a path, or `origin`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from telltale.errors import HistoryError
from telltale.history.git import Git, last_words, token_config, without_userinfo

_SCP = re.compile(r"[^/]+:.*")
_GITHUB = re.compile(r"(?:ssh://)?git@([\w.-]+)[:/](?P<path>[\w./-]+)")

_CREDENTIALS = r"^(http|credential|url|ssh)\.|^core\.sshcommand$"


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """Where a branch is, and what git needs to get there."""

    url: str = field(repr=False)
    """As git takes it; it may hold a password."""
    config: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    @property
    def where(self) -> str:
        """The address without secrets."""
        return without_userinfo(self.url)

    def page(self, branch: str, path: str) -> str:
        """Return the address of a folder of a branch as GitHub shows it, else its description."""
        found = _GITHUB.fullmatch(self.where)
        base = f"https://{found[1]}/{found['path']}" if found else self.where
        if not base.startswith(("http://", "https://")):
            return f"{path} in branch {branch} of {base}"
        return f"{base.removesuffix('/').removesuffix('.git')}/tree/{branch}/{path}"


def find(
    remote: str, *, cwd: Path, fallback: str, token: str, environ: Mapping[str, str]
) -> Remote:
    """
    Return where `remote` points; empty means `origin` of the repository in `cwd`.

    `fallback` is the address used when there is no such repository or no
    `origin`. Credentials that the checkout itself has for its remotes are used
    too, as git would there; a token takes their place. Raises `HistoryError`.
    """
    if _is_url(remote):
        return Remote(url=remote, config=token_config(remote, token))
    git = Git(environ=environ, cwd=cwd)
    inside = git.run("rev-parse", "--git-dir")
    if "dubious ownership" in inside.errors and (remote or not fallback):
        raise HistoryError(
            f"{cwd}: {last_words(inside.errors)}; type the `git config` line it names"
        )
    known = git.run("remote", "get-url", "--", remote or "origin") if not inside.status else None
    if known is not None and known.status == 0:
        url = _absolute(known.output.decode(errors="replace").strip(), _top(git, cwd))
        return Remote(url=url, config=(*_checkout_config(git), *token_config(url, token)))
    url = _absolute(remote, cwd) if remote else fallback
    if not url:
        missing = "no remote called origin" if known is not None else "no git repository"
        raise HistoryError(
            f"{cwd}: there is {missing} here: run this in a checkout, name the repository"
            " (--history branch:NAME@REMOTE, where REMOTE may be `.`) or give a folder"
        )
    return Remote(url=url, config=token_config(url, token))


def _is_url(remote: str) -> bool:
    return "://" in remote or _SCP.fullmatch(remote) is not None


def _top(git: Git, cwd: Path) -> Path:
    # git reads the relative address of a remote from the top of the checkout.
    found = git.run("rev-parse", "--show-toplevel")
    return Path(found.output.decode(errors="surrogateescape").strip()) if not found.status else cwd


def _absolute(url: str, base: Path) -> str:
    return url if _is_url(url) else str((base / url).resolve())


def _checkout_config(git: Git) -> tuple[tuple[str, str], ...]:
    # actions/checkout keeps the job's credentials in the checkout's own
    # settings, directly or by an include.
    listed = git.run("config", "--local", "--includes", "-z", "--get-regexp", _CREDENTIALS)
    found = []
    for item in listed.output.decode(errors="surrogateescape").split("\0"):
        key, newline, value = item.partition("\n")
        if newline:
            found.append((key, value))
    return tuple(found)
