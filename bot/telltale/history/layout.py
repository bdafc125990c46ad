"""
Where a record lies: `records/<series>/<YYYY>/<MM>/<STAMP>-<id>.json.gz`.

The path is a function of the record alone, so that writing it twice is
writing it once, and its name says all that is needed to choose which records
to fetch.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from telltale.errors import HistoryError
from telltale.records import Origin, Record, Series

RECORDS = "records"
SERIES_FILE = "series.json"

_NAME = re.compile(r"(\d{8}T\d{6}Z)-([0-9a-f]{16,64})(\.other)?\.json\.gz")
_INSTANT = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.\d{1,9})?(?:Z|\+00:00)")
_SLUG_CHARACTERS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What the path of a record says about it."""

    path: str
    stamp: str
    id: str
    other: bool
    """No baseline may rest on it: a pull request, a fork, another branch."""


def slug(series: Series) -> str:
    """
    Return the folder name of a series: readable, and different for different series.

    The hash makes it so: names may hold any character, in any case.
    """
    exact = json.dumps([series.kind.value, series.job, series.name])
    parts = dict.fromkeys(part for part in (series.kind.value, series.job, series.name) if part)
    readable = re.sub(r"[^a-z0-9]+", "-", "-".join(parts).lower()).strip("-")
    digest = hashlib.sha256(exact.encode()).hexdigest()[:12]
    return f"{readable[:_SLUG_CHARACTERS].rstrip('-')}-{digest}"


def folder_of(series: Series) -> str:
    """Return the folder of a series, relative to the history."""
    return f"{RECORDS}/{slug(series)}"


def path_of(record: Record) -> str:
    """Return the path of a record; `HistoryError` when it does not start at an instant in UTC."""
    when = stamp(record.started_at)
    other = "" if may_be_baseline(record.origin) else ".other"
    return f"{folder_of(record.series)}/{when[:4]}/{when[4:6]}/{when}-{record.id}{other}.json.gz"


def stamp(started_at: str) -> str:
    """Return an instant such as `2026-11-22T10:15:16Z` as a file name has it: `20261122T101516Z`."""
    found = _INSTANT.fullmatch(started_at)
    if not found:
        raise HistoryError(
            f"started_at: expected an instant in UTC as in 2026-11-22T10:15:16Z, got {started_at[:60]!r}"
        )
    year, month, day, hour, minute, second = found.groups()
    return f"{year}{month}{day}T{hour}{minute}{second}Z"


def may_be_baseline(origin: Origin) -> bool:
    """Whether a baseline may rest on the run: on the default branch, or at a terminal for its like."""
    return origin.trusted or origin.local


def entry(path: str) -> Entry | None:
    """Read the path of a record; None when it is not one."""
    found = _NAME.fullmatch(PurePosixPath(path).name)
    if not found:
        return None
    return Entry(path=path, stamp=found[1], id=found[2], other=found[3] is not None)


def descriptions(paths: Iterable[str]) -> list[str]:
    """Return those of the paths that describe a series: `records/<series>/series.json`."""
    return [
        path for path in paths if PurePosixPath(path).name == SERIES_FILE and path.count("/") == 2
    ]


def window(entries: Iterable[Entry], limit: int) -> tuple[Entry, ...]:
    """
    Choose at most `limit` entries, newest first, one per id.

    Each of the two classes is sure of half of the places; what one leaves
    free goes to the other.
    """
    newest = sorted(entries, key=lambda one: (one.stamp, one.id, one.other), reverse=True)
    unique = list({one.id: one for one in reversed(newest)}.values())[::-1]
    ours = [one for one in unique if not one.other]
    others = [one for one in unique if one.other]
    half = limit // 2
    for_others = min(len(others), max(half, limit - len(ours)))
    chosen = {one.id for one in [*ours[: limit - for_others], *others[:for_others]]}
    return tuple(one for one in unique if one.id in chosen)
