"""`telltale history list`: which series there are, and how much of each."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from telltale import gha
from telltale.history.catalog import Shelf, shelves
from telltale.options import Invocation
from telltale.verbs.bundles import store_of


def run(invocation: Invocation) -> int:
    """List the names of the files, print a line for each series."""
    store = store_of(invocation, gha.context(invocation.environ))
    found = shelves(store)
    if invocation.flag("json"):
        print(json.dumps([_document(shelf) for shelf in found], indent=2))
    else:
        print("\n".join(_table(found, store.where)))
    return 0


def _document(shelf: Shelf) -> dict[str, Any]:
    stamps = [entry.stamp for entry in shelf.entries]
    other = sum(entry.other for entry in shelf.entries)
    series = shelf.series
    return {
        "folder": f"records/{shelf.slug}",
        "series": (
            {"kind": series.kind.value, "job": series.job, "name": series.name} if series else None
        ),
        "records": len(stamps),
        "baseline": len(stamps) - other,
        "other": other,
        "first": _day(stamps[-1]) if stamps else None,
        "last": _day(stamps[0]) if stamps else None,
    }


def _table(found: Sequence[Shelf], where: str) -> Iterator[str]:
    if not found:
        yield f"There is no record in {where}."
        return
    for shelf in found:
        one = _document(shelf)
        yield shelf.title
        yield f"  {one['folder']}"
        yield (
            f"  {one['records']} records ({one['baseline']} baseline, {one['other']} other),"
            f" {one['first']} to {one['last']}"
        )


def _day(stamp: str) -> str:
    return f"{stamp[:4]}-{stamp[4:6]}-{stamp[6:8]}"
