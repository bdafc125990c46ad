"""What there is in a history, from the names of its files: no record is read."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from dataclasses import dataclass
from pathlib import PurePosixPath

from telltale.errors import HistoryError
from telltale.history import layout
from telltale.history.archive import read_series
from telltale.history.interface import Store
from telltale.records import Series


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """One series and its records, as the names of the files say."""

    slug: str
    """The folder below `records/`."""
    series: Series | None
    """None when the folder's `series.json` is missing or damaged."""
    entries: tuple[layout.Entry, ...]
    """Newest first; not empty unless the series has lost all its records."""

    @property
    def title(self) -> str:
        """How people read it."""
        return self.series.title if self.series else self.slug


def shelves(store: Store) -> tuple[Shelf, ...]:
    """Return every series of a history, by folder; raises `HistoryError` when it cannot be reached."""
    paths = store.paths(layout.RECORDS)
    described = layout.descriptions(paths)
    series = {}
    for path, data in store.read(described).items():
        # One that is damaged is listed under its folder: `verify` says what is wrong.
        with contextlib.suppress(HistoryError):
            series[PurePosixPath(path).parent.name] = read_series(data, path)
    entries: dict[str, list[layout.Entry]] = defaultdict(list)
    for path in described:
        entries[PurePosixPath(path).parent.name] = []
    for path in paths:
        entry = layout.entry(path)
        if entry is not None and path.count("/") == 4:
            entries[path.split("/")[1]].append(entry)
    return tuple(
        Shelf(
            slug=slug,
            series=series.get(slug),
            entries=tuple(sorted(found, key=lambda one: (one.stamp, one.id), reverse=True)),
        )
        for slug, found in sorted(entries.items())
    )
