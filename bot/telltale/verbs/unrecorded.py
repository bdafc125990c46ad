"""
Records that could not be added to the history: kept as files, and read again.

A bundle alone is not enough to make the same record elsewhere: which run it
was of, the event and GitHub's API say, and a terminal knows neither.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from telltale.errors import HistoryError, UsageError
from telltale.history import codec
from telltale.history.interface import MAX_FILE_BYTES, History
from telltale.records import Record

FOLDER = "unrecorded"
_ENDING = ".json.gz"


def is_record(path: Path) -> bool:
    """Whether a path is meant as a record that was kept, not as a bundle."""
    return path.name.endswith(_ENDING)


def read(path: Path) -> Record:
    """
    Return the record that was kept in a file, origin and all.

    It is believed: whoever names the file vouches for it. Raises `UsageError`
    when it cannot be read, `HistoryError` when it is no record.
    """
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise UsageError(f"{path}: too large to be a record")
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    return codec.decode(data, str(path))


def keep(records: Sequence[Record], out: Path) -> str:
    """Write each record below `out` and return, as a sentence, how they are added later."""
    folder = out / FOLDER
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for record in records:
            (folder / f"{record.id}{_ENDING}").write_bytes(codec.encode(record))
    except OSError as error:
        return f"the records could not be kept in {folder} either: {error.strerror}"
    return (
        f"what was to be added is in {folder}: `telltale record"
        f" {shlex.quote(str(folder))}/*{_ENDING} --history URI` adds it later"
    )


def add_or_keep(history: History, records: Sequence[Record], out: Path) -> tuple[str, ...]:
    """Add the records; when that fails keep them, and let the `HistoryError` say where."""
    try:
        return history.add(records)
    except HistoryError as error:
        raise type(error)(f"{error}; {keep(records, out)}") from error
