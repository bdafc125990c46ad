"""Where earlier runs are kept: one door, several stores."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path

from telltale.errors import SetupError, UsageError
from telltale.history import remote
from telltale.history.archive import Archive
from telltale.history.branch import BranchStore, check_name
from telltale.history.folder import FolderStore
from telltale.history.git import Git
from telltale.history.interface import History, Store

__all__ = ["open_history", "open_store"]

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")


def open_history(
    uri: str,
    *,
    cwd: Path,
    remote_url: str = "",
    token: str = "",
    environ: Mapping[str, str] | None = None,
) -> History:
    """Open the history at an address; as `open_store`."""
    store = open_store(uri, cwd=cwd, remote_url=remote_url, token=token, environ=environ)
    return Archive(store)


def open_store(
    uri: str,
    *,
    cwd: Path,
    remote_url: str = "",
    token: str = "",
    environ: Mapping[str, str] | None = None,
) -> Store:
    """
    Open the files of the history at an address; make nothing yet.

    That is a folder, `branch:NAME`, `branch:NAME@REMOTE` or `s3://BUCKET/PREFIX`.
    REMOTE is a remote of the repository in `cwd`, a URL or a path; without it
    it is `origin`, and where there is none, `remote_url`. `token` is sent to
    http(s) remotes alone. `environ` is the verb's environment, for git (its
    agent, proxy and settings); without it git sees the default PATH and HOME.
    Raises `UsageError` for another sort of address, `HistoryError` when
    REMOTE cannot be found.
    """
    if not uri:
        raise UsageError("--history is empty: give a folder, or branch:NAME")
    if uri.startswith("branch:"):
        surroundings = _bare_environment() if environ is None else environ
        return _open_branch(uri, cwd=cwd, remote_url=remote_url, token=token, environ=surroundings)
    scheme = _SCHEME.match(uri)
    if scheme and scheme[1] == "s3":
        return _open_bucket(uri, environ=_bare_environment() if environ is None else environ)
    if scheme:
        raise UsageError(
            f"--history {uri}: expected a folder, branch:NAME, branch:NAME@REMOTE or s3://BUCKET/PREFIX;"
            f" a branch of a repository there is branch:NAME@{uri}"
        )
    return FolderStore(cwd / Path(uri).expanduser())


def _open_branch(
    uri: str, *, cwd: Path, remote_url: str, token: str, environ: Mapping[str, str]
) -> Store:
    # The first @ ends the name: addresses such as git@host:path have one too.
    name, _, where = uri.removeprefix("branch:").partition("@")
    if where.startswith("-"):
        raise UsageError(f"--history {uri}: {where!r} is not a remote")
    check_name(name, Git(environ=environ, cwd=cwd))
    found = remote.find(where, cwd=cwd, fallback=remote_url, token=token, environ=environ)
    return BranchStore(name, found, environ=environ)


def _open_bucket(uri: str, *, environ: Mapping[str, str]) -> Store:
    try:
        # Here, because boto3 is there only for those who asked for it.
        from telltale.history.bucket import BucketStore  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise SetupError(
            f"--history s3://...: {error.name} is missing in {sys.prefix}. scripts/telltale,"
            " bot/run.py and the actions make an environment that has it; in one of your own:"
            " pip install --require-hashes -r bot/extras/s3.txt"
        ) from error
    return BucketStore(uri, environ=environ)


def _bare_environment() -> dict[str, str]:
    return {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(Path.home())}
