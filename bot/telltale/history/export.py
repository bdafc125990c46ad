"""
Write the history as a dataset that databases read as it is.

The layout is Hive's: `TABLE/kind=K/job=J/name=N/year=Y/month=M/SERIES.parquet`.
Everything is written beside the folder that was asked for and put in its place
when it is whole, so that an export that was interrupted leaves what was there.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from telltale.errors import HistoryError, UsageError
from telltale.history import layout
from telltale.history.archive import read_record
from telltale.history.catalog import Shelf
from telltale.history.columns import TABLES, Table, instant
from telltale.history.interface import Store
from telltale.history.sinks import FORMATS, Maker, Sink
from telltale.records import Record, Series

MARKER = "_telltale.json"
"""Says that a folder is ours to replace; readers of datasets pass over names with `_`."""
SCHEMA = "telltale.export/1"

_AT_ONCE = 64
"""Records whose bytes are fetched together; decoded they are one by one."""
_LONGEST = 200
"""Bytes of a value in the name of a folder."""
_NOTHING = "-"
"""Stands for no job: no job of GitHub's can be called so. Hive's own word would be no text for all."""


@dataclass(slots=True, kw_only=True)
class Exported:
    """What was written."""

    rows: Counter[str] = field(default_factory=Counter)
    """By table."""
    problems: list[str] = field(default_factory=list)
    """Records that were left out, a sentence each."""


def export(store: Store, shelves: Sequence[Shelf], out: Path, format_: str) -> Exported:
    """
    Write all records of `shelves` into the folder `out`, in place of an earlier export.

    Damaged records are left out and named. Memory is bounded by one record and
    the rows of one row group. Raises `UsageError` for a folder that holds
    something else or cannot be written, and `SetupError` when the format needs
    a package that is missing.
    """
    ending, maker = FORMATS[format_][0], FORMATS[format_][1]()
    check_ours(out)
    exported = Exported()
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name[:80]}-") as scratch:
            fresh = Path(scratch) / "fresh"
            fresh.mkdir()
            place = _Place(root=fresh, ending=ending, maker=maker)
            for shelf in shelves:
                _export_series(store, shelf, place, exported)
            marker = {"schema": SCHEMA, "format": format_, "rows": dict(exported.rows)}
            (fresh / MARKER).write_text(json.dumps(marker, sort_keys=True) + "\n", encoding="utf-8")
            _put_in_place(fresh, out, Path(scratch) / "old")
    except OSError as error:
        raise UsageError(
            f"--out {out}: the dataset cannot be written: {error.strerror or error}; what was"
            " there is there still"
        ) from error
    return exported


def check_ours(out: Path) -> None:
    """Raise `UsageError` unless the folder is free, empty or an earlier export."""
    try:
        free = not out.exists() or (
            out.is_dir() and ((out / MARKER).is_file() or not any(out.iterdir()))
        )
    except OSError as error:
        raise UsageError(f"--out {out}: cannot be looked at: {error.strerror}") from error
    if not free:
        raise UsageError(f"--out {out}: holds something else than an export; name another folder")


def partition_of(series: Series, stamp: str) -> str:
    """Return the folder of a series' month below its table, as Hive names it."""
    parts = {
        "kind": series.kind.value,
        "job": series.job,
        "name": series.name,
        "year": stamp[:4],
        "month": stamp[4:6],
    }
    return "/".join(f"{key}={_segment(value)}" for key, value in parts.items())


def _segment(value: str) -> str:
    """Return a value as the name of a folder: its bytes percent-encoded, and never too long."""
    if not value:
        return _NOTHING
    text = quote(value, safe=" ", errors="replace")
    if len(text) <= _LONGEST:
        return text
    # Cut in the middle of no escape, and different for different values.
    start = text[:120].rpartition("%")[0] if "%" in text[118:120] else text[:120]
    digest = hashlib.sha256(value.encode("utf-8", "replace")).hexdigest()[:12]
    return f"{start}-{digest}"


def _export_series(store: Store, shelf: Shelf, sink: _Place, exported: Exported) -> None:
    oldest_first = shelf.entries[::-1]
    for month, entries in itertools.groupby(oldest_first, key=lambda entry: entry.stamp[:6]):
        part: _Part | None = None
        try:
            for record in _records(store, list(entries), exported):
                if part is None:
                    part = _Part(sink, shelf.slug, record.series, month)
                part.add(record, exported)
        finally:
            if part is not None:
                part.close()


def _records(store: Store, entries: Sequence[layout.Entry], exported: Exported) -> Iterator[Record]:
    for start in range(0, len(entries), _AT_ONCE):
        chunk = entries[start : start + _AT_ONCE]
        contents = store.read([entry.path for entry in chunk])
        for entry in chunk:
            record = _read(entry, contents.get(entry.path), exported)
            if record is not None:
                yield record


def _read(entry: layout.Entry, data: bytes | None, exported: Exported) -> Record | None:
    try:
        record = read_record(data, entry)
        instant(record.started_at)
    except HistoryError as error:
        exported.problems.append(str(error))
    except ValueError:
        exported.problems.append(f"{entry.path}: skipped, it started on a day that does not exist")
    else:
        return record
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where the files of a dataset go, and what makes them."""

    root: Path
    ending: str
    maker: Maker


class _Part:
    """One series and month: a file in each table that has rows of it."""

    def __init__(self, place: _Place, slug: str, series: Series, month: str) -> None:
        self._place = place
        self._name = f"{slug}{place.ending}"
        self._folder = partition_of(series, month)
        self._sinks: dict[str, Sink] = {}

    def add(self, record: Record, exported: Exported) -> None:
        """Write the rows of one record."""
        for table in TABLES:
            columns = table.rows(record)
            count = len(columns["run"])
            if count:
                self._sink(table).write(columns)
                exported.rows[table.name] += count

    def close(self) -> None:
        """Write what is left in all tables."""
        for sink in self._sinks.values():
            sink.close()

    def _sink(self, table: Table) -> Sink:
        if table.name not in self._sinks:
            path = self._place.root / table.name / self._folder / self._name
            path.parent.mkdir(parents=True, exist_ok=True)
            self._sinks[table.name] = self._place.maker(path, table)
        return self._sinks[table.name]


def _put_in_place(fresh: Path, out: Path, old: Path) -> None:
    check_ours(out)
    if not out.exists():
        fresh.rename(out)
        return
    out.rename(old)
    try:
        fresh.rename(out)
    except BaseException:
        old.rename(out)
        raise
