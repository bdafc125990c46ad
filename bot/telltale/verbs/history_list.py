"""`telltale history list`: which series there are, and how much of each."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from telltale import gha
from telltale.history.catalog import Shelf, shelves
from telltale.history.interface import Store
from telltale.options import Invocation
from telltale.report.escape import cell
from telltale.report.figures import NONE, size
from telltale.verbs.bundles import store_of


def run(invocation: Invocation) -> int:
    """List the names of the files, print a line for each series."""
    store = store_of(invocation, gha.context(invocation.environ))
    found = [_document(shelf, store) for shelf in shelves(store)]
    if invocation.flag("json"):
        print(json.dumps(found, indent=2))
    else:
        print("\n".join(_table(found, store.where)))
    return 0


def _document(shelf: Shelf, store: Store) -> dict[str, Any]:
    stamps = [entry.stamp for entry in shelf.entries]
    other = sum(entry.other for entry in shelf.entries)
    sizes = store.sizes([entry.path for entry in shelf.entries])
    series = shelf.series
    return {
        "title": shelf.title,
        "folder": f"records/{shelf.slug}",
        "series": (
            {"kind": series.kind.value, "job": series.job, "name": series.name} if series else None
        ),
        "records": len(stamps),
        "baseline": len(stamps) - other,
        "other": other,
        "first": _day(stamps[-1]) if stamps else None,
        "last": _day(stamps[0]) if stamps else None,
        # A branch does not say it without sending the contents: unknown is not a small number.
        "bytes": sum(sizes.values()) if len(sizes) == len(stamps) else None,
    }


def _table(found: Sequence[Mapping[str, Any]], where: str) -> Iterator[str]:
    if not found:
        yield f"There is no record in {where}."
        return
    yield "| series | records | baseline | other | first | last | size | folder |"
    yield "|---|---:|---:|---:|---|---|---:|---|"
    for one in found:
        cells = (
            cell(one["title"]),
            *(str(one[key]) for key in ("records", "baseline", "other")),
            one["first"] or NONE,
            one["last"] or NONE,
            size(one["bytes"]),
            cell(one["folder"]),
        )
        yield f"| {' | '.join(cells)} |"


def _day(stamp: str) -> str:
    return f"{stamp[:4]}-{stamp[4:6]}-{stamp[6:8]}"
