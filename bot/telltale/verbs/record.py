"""`telltale record`: add bundles to the history."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from telltale import gha
from telltale.options import Invocation
from telltale.records import Record
from telltale.verbs import unrecorded
from telltale.verbs.bundles import history_of, read_bundles

KEPT = "telltale-evidence"
"""Where records are kept that could not be added: the folder that evidence lies in by default."""


def run(invocation: Invocation) -> int:
    """Read the bundles and the records that were kept, add them, say where they are."""
    context = gha.context(invocation.environ)
    records = _read(invocation, context)
    history = history_of(invocation, context)
    written = unrecorded.add_or_keep(history, records, Path(KEPT))
    for path in written:
        print(f"recorded {path}")
    known = len(records) - len(written)
    if known:
        print(f"{known} of {len(records)} were recorded before")
    print(f"history: {history.where}")
    return 0


def _read(invocation: Invocation, context: gha.Context) -> tuple[Record, ...]:
    kept = [argument for argument in invocation.arguments if unrecorded.is_record(Path(argument))]
    bundles = tuple(argument for argument in invocation.arguments if argument not in kept)
    records = tuple(unrecorded.read(Path(argument)) for argument in kept)
    if bundles:
        records += read_bundles(replace(invocation, arguments=bundles), context)
    return records
