"""What a person means by SERIES, ID or PATH."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TypeVar

from telltale.errors import UsageError
from telltale.history import layout
from telltale.history.catalog import Shelf

_ID = re.compile(r"[0-9a-f]{8,64}")
_SHOWN = 6

T = TypeVar("T")


def find(text: str, shelves: Sequence[Shelf]) -> Shelf | layout.Entry:
    """
    Return the series or the record that `text` names.

    A record by its path, or by eight or more digits of its id. A series by its
    folder, its title, its name or its job. Raises `UsageError` when nothing or
    more than one thing is called so.
    """
    entries = [entry for shelf in shelves for entry in shelf.entries]
    path = text.removeprefix("./")
    by_path = [entry for entry in entries if entry.path == path]
    if by_path:
        return by_path[0]
    if _ID.fullmatch(text):
        records = [entry for entry in entries if entry.id.startswith(text)]
        if records:
            return _only(text, records, (entry.path for entry in records))
    return find_series(text, shelves)


def find_series(text: str, shelves: Sequence[Shelf]) -> Shelf:
    """Return the series that `text` names; raises `UsageError` as `find`."""
    for names in (_folders, _titles, _parts):
        found = [shelf for shelf in shelves if text in names(shelf)]
        if found:
            return _only(text, found, (f"{layout.RECORDS}/{shelf.slug}" for shelf in found))
    known = ", ".join(repr(shelf.title) for shelf in shelves[:_SHOWN])
    more = f" and {len(shelves) - _SHOWN} more" if len(shelves) > _SHOWN else ""
    raise UsageError(
        f"{text!r}: no series and no record is called so; `telltale history list` names them:"
        f" {known or 'there are none'}{more}"
    )


def _only(text: str, found: Sequence[T], names: Iterable[str]) -> T:
    if len(found) == 1:
        return found[0]
    several = sorted(names)[:_SHOWN]
    raise UsageError(f"{text!r}: {len(found)} are called so, name one: {', '.join(several)}")


def _folders(shelf: Shelf) -> set[str]:
    return {shelf.slug, f"{layout.RECORDS}/{shelf.slug}", f"{layout.RECORDS}/{shelf.slug}/"}


def _titles(shelf: Shelf) -> set[str]:
    return {shelf.title}


def _parts(shelf: Shelf) -> set[str]:
    return {shelf.series.name, shelf.series.job} if shelf.series else set()
