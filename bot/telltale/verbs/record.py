"""`telltale record`: add bundles to the history."""

from __future__ import annotations

from telltale import gha
from telltale.options import Invocation
from telltale.verbs.bundles import history_of, read_bundles


def run(invocation: Invocation) -> int:
    """Read the bundles, add them, say where they are."""
    context = gha.context(invocation.environ)
    records = read_bundles(invocation, context)
    history = history_of(invocation, context)
    written = history.add(records)
    for path in written:
        print(f"recorded {path}")
    known = len(records) - len(written)
    if known:
        print(f"{known} of {len(records)} were recorded before")
    print(f"history: {history.where}")
    return 0
