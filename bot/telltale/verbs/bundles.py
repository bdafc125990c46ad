"""The bundles that a person, or the job that made them, names: read, with their origin."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from telltale import gha
from telltale.errors import BundleError
from telltale.gha import Context
from telltale.history import open_store
from telltale.history.archive import Archive
from telltale.history.interface import History, Store
from telltale.options import Invocation
from telltale.records import Record
from telltale.verbs import gather
from telltale.verbs.origin import resolve


def read_bundles(invocation: Invocation, context: Context) -> tuple[Record, ...]:
    """
    Return a record of each bundle in the arguments, and warn of those that cannot be read.

    Raises `BundleError` when there is not a single one.
    """
    gathered = gather.from_disk([Path(each) for each in invocation.arguments], resolve(context))
    warn(gathered.problems, invocation)
    if not gathered.bundles:
        raise BundleError(f"{' '.join(invocation.arguments)}: none of the bundles can be read")
    return tuple(found.record for found in gathered.bundles)


def history_of(invocation: Invocation, context: Context) -> History:
    """Open the history that `--history` names."""
    return Archive(store_of(invocation, context))


def store_of(invocation: Invocation, context: Context) -> Store:
    """Open the files of the history that `--history` names."""
    address = f"{context.server_url}/{context.repository}.git" if context.repository else ""
    return open_store(
        invocation.text("history"),
        cwd=Path.cwd(),
        remote_url=address,
        token=invocation.text("token"),
        environ=invocation.environ,
    )


def warn(problems: Sequence[str], invocation: Invocation) -> None:
    """Print problems that do not end the work, each once."""
    for problem in problems:
        print(gha.warning_line(problem, invocation.environ), file=sys.stderr)
