"""The history that the verbs see: records in the layout of `layout.py`, over any store."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import PurePosixPath
from typing import TypeVar

from telltale.errors import HistoryError, UsageError
from telltale.history import codec, layout
from telltale.history.interface import FileContent, Store
from telltale.history.names import Names
from telltale.records import Record, Series

T = TypeVar("T")


class Archive:
    """A `History` made of a `Store`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._problems: dict[str, None] = {}

    @property
    def where(self) -> str:
        """Where it is, for people."""
        return self._store.where

    @property
    def problems(self) -> tuple[str, ...]:
        """Files that were skipped so far because they cannot be read: one sentence each."""
        return tuple(self._problems)

    def add(self, records: Sequence[Record]) -> tuple[str, ...]:
        """Keep records; return the paths of those that were not there yet."""
        files: dict[str, FileContent] = {}
        for record in records:
            series_file = f"{layout.folder_of(record.series)}/{layout.SERIES_FILE}"
            files[series_file] = FileContent(data=_describe(record.series))
            files[layout.path_of(record)] = FileContent(data=codec.encode(record))
        if not files:
            return ()
        written = self._store.add(files, why=_why(records))
        return tuple(path for path in written if layout.entry(path))

    def series(self) -> tuple[Series, ...]:
        """Return every series, sorted; a damaged description is a problem, not an error."""
        descriptions = layout.descriptions(self._store.paths(layout.RECORDS))
        contents = self._store.read(descriptions)
        found = {self._noting(partial(read_series, data, path)) for path, data in contents.items()}
        return tuple(sorted(series for series in found if series is not None))

    def load(self, series: Series, *, limit: int = 200) -> tuple[Record, ...]:
        """Return at most `limit` records, newest first; see `layout.window` for which."""
        entries = map(layout.entry, self._store.paths(layout.folder_of(series)))
        chosen = layout.window([entry for entry in entries if entry], limit)
        contents = self._store.read([one.path for one in chosen])
        names = Names()
        read = [
            self._noting(partial(read_record, contents.get(one.path), one, names)) for one in chosen
        ]
        return tuple(record for record in read if record is not None)

    def put_folder(self, path: str, files: Mapping[str, FileContent]) -> str:
        """Make a folder hold exactly these files; `UsageError` for a path that leaves it."""
        for name in (path, *files):
            _check_path(name)
        if path.partition("/")[0] == layout.RECORDS:
            raise UsageError(f"{path}: {layout.RECORDS}/ holds nothing but records")
        return self._store.replace(path, files, why=f"Store {path}")

    def _noting(self, read: Callable[[], T]) -> T | None:
        """Return what was read; a file that cannot be is noted and gives None."""
        try:
            return read()
        except HistoryError as error:
            self._problems[str(error)] = None
            return None


def read_record(data: bytes | None, name: layout.Entry, names: Names | None = None) -> Record:
    """
    Return the record in a file's contents; None are those that a store left out.

    Raises `HistoryError` when it cannot be decoded, and when the file's name is
    not its own: the name is what the choice of records went by.
    """
    if data is None:
        raise HistoryError(f"{name.path}: skipped, it is too large to be a record")
    record = codec.decode(data, name.path, names)
    if record.id != name.id or layout.path_of(record) != name.path:
        raise HistoryError(f"{name.path}: skipped, it holds a record that belongs elsewhere")
    return record


def _of_series(data: bytes | None, name: layout.Entry, series: Series) -> Record:
    record = read_record(data, name)
    # The folder's name has a hash of the series, and hashes can be made to be alike.
    if record.series != series:
        raise HistoryError(f"{name.path}: skipped, it holds a record that belongs elsewhere")
    return record


def _describe(series: Series) -> bytes:
    document = {"kind": series.kind.value, "job": series.job, "name": series.name}
    return (json.dumps(document, sort_keys=True) + "\n").encode("ascii")


def read_series(data: bytes, path: str) -> Series:
    """Return the series that the file at `path` describes; `HistoryError` when it does not."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise HistoryError(f"{path}: not JSON: {error}") from error
    if not isinstance(document, dict):
        raise HistoryError(f"{path}: not a JSON object")
    try:
        series = codec.read_series(document)
    except HistoryError as error:
        raise HistoryError(f"{path}: {error}") from error
    if PurePosixPath(path).parent.name != layout.slug(series):
        raise HistoryError(f"{path}: describes a series that belongs elsewhere")
    return series


def _why(records: Sequence[Record]) -> str:
    first = records[0]
    run = f" of run {first.origin.run_id}" if first.origin.run_id is not None else ""
    more = f" and {len(records) - 1} more" if len(records) > 1 else ""
    # A name may hold anything; a commit's subject is one line.
    title = " ".join(first.series.title.split())[:60]
    return f"Record {title}{run}{more}"


def _check_path(path: str) -> None:
    parts = path.split("/")
    if len(path) > 500 or not all(
        part.isprintable() and part.strip() and part.lower() not in {".", "..", ".git"}
        for part in parts
    ):
        raise UsageError(f"{path[:80]!r}: expected a relative path as in scaffolds/test_name")
