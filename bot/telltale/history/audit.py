"""Read everything in a history and name what is damaged, misplaced, double or not ours."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from telltale.errors import HistoryError
from telltale.history import layout
from telltale.history.archive import read_record, read_series
from telltale.history.interface import Store
from telltale.records import Series

_AT_ONCE = 64
"""Files that are held in memory together."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Problem:
    """One file that is not as it should be."""

    path: str
    what: str


@dataclass(slots=True, kw_only=True)
class Audit:
    """What was read, and what is wrong with it."""

    series: int = 0
    records: int = 0
    """Sound ones."""
    bytes: int = 0
    """Of all files that could be read."""
    problems: list[Problem] = field(default_factory=list)


def audit(store: Store) -> Audit:
    """
    Read every file below `records/`; raises `HistoryError` when the history cannot be reached.

    A record is sound when it can be decoded whole, lies where its contents say,
    and is the only one of its id. What is wrong is told by path, sorted.
    """
    found = Audit()
    paths = store.paths(layout.RECORDS)
    described = _check_descriptions(store, paths, found)
    places: dict[str, list[str]] = defaultdict(list)
    entries = []
    for path in paths:
        entry = layout.entry(path) if path.count("/") == 4 else None
        if entry is not None:
            entries.append(entry)
            places[entry.id].append(path)
        elif not _is_description(path):
            found.problems.append(Problem(path=path, what=_stranger(path)))
    undescribed = {entry.path.split("/")[1] for entry in entries} - described
    found.problems += [
        Problem(
            path=f"{layout.RECORDS}/{slug}", what=f"has records and no sound {layout.SERIES_FILE}"
        )
        for slug in undescribed
    ]
    _check_records(store, entries, found)
    found.problems += [
        Problem(path=path, what=f"the record {id_} is also {', '.join(_others(path, same))}")
        for id_, same in places.items()
        if len(same) > 1
        for path in same
    ]
    found.problems.sort()
    return found


def _check_descriptions(store: Store, paths: Sequence[str], found: Audit) -> set[str]:
    """Return the folders whose series is described."""
    described: dict[str, Series] = {}
    for path, data in store.read(layout.descriptions(paths)).items():
        found.bytes += len(data)
        try:
            described[PurePosixPath(path).parent.name] = read_series(data, path)
        except HistoryError as error:
            found.problems.append(Problem(path=path, what=_without(path, error)))
    found.series = len(described)
    return set(described)


def _check_records(store: Store, entries: Sequence[layout.Entry], found: Audit) -> None:
    for chunk in _chunks(entries):
        contents = store.read([entry.path for entry in chunk])
        for entry in chunk:
            data = contents.get(entry.path)
            found.bytes += len(data or b"")
            try:
                read_record(data, entry)
            except HistoryError as error:
                what = _without(entry.path, error)
                found.problems.append(Problem(path=entry.path, what=what))
            else:
                found.records += 1


def _stranger(path: str) -> str:
    if "/.telltale-" in path:
        return "left by a writer that was killed: remove it"
    return "no file of a history"


def _is_description(path: str) -> bool:
    return bool(layout.descriptions([path]))


def _others(path: str, same: Sequence[str]) -> list[str]:
    return [other for other in same if other != path]


def _without(path: str, error: HistoryError) -> str:
    return str(error).removeprefix(f"{path}: ").removeprefix("skipped, ")


def _chunks(entries: Sequence[layout.Entry]) -> Iterator[Sequence[layout.Entry]]:
    for start in range(0, len(entries), _AT_ONCE):
        yield entries[start : start + _AT_ONCE]
