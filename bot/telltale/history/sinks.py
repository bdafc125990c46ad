"""Where the rows of one table go: a file of the format that was asked for."""

from __future__ import annotations

import csv
import gzip
import io
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import BinaryIO, Protocol

from telltale.errors import SetupError
from telltale.history.columns import Columns, Table


class Sink(Protocol):
    """One file that is written from the beginning to the end."""

    def write(self, columns: Columns) -> None:
        """Add rows."""

    def close(self) -> None:
        """Write what is left; the file is whole afterwards."""


Maker = Callable[[Path, Table], Sink]
"""Makes the sink that writes the rows of a table to a path."""


class JsonLines:
    """One JSON object a line, gzip'd; what has no value is null."""

    def __init__(self, path: Path, table: Table) -> None:
        self._names = [column.name for column in table.columns]
        self._raw = path.open("xb")
        self._file = _compressed(self._raw)

    def write(self, columns: Columns) -> None:
        """Add rows."""
        for row in zip(*(columns[name] for name in self._names), strict=True):
            line = dict(zip(self._names, row, strict=True))
            self._file.write(json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n")

    def close(self) -> None:
        """Write what is left."""
        self._file.close()
        self._raw.close()


class Csv:
    """Comma-separated with a line of names, gzip'd; what has no value is empty, as is empty text."""

    def __init__(self, path: Path, table: Table) -> None:
        self._names = [column.name for column in table.columns]
        self._bools = [column.type == "bool" for column in table.columns]
        self._raw = path.open("xb")
        self._file = _compressed(self._raw)
        # RFC 4180's end of a line: with a plain one, a text with the other half is not quoted.
        self._csv = csv.writer(self._file, lineterminator="\r\n")
        self._csv.writerow(self._names)

    def write(self, columns: Columns) -> None:
        """Add rows."""
        values = [
            [None if one is None else str(one).lower() for one in columns[name]]
            if is_bool
            else columns[name]
            for name, is_bool in zip(self._names, self._bools, strict=True)
        ]
        self._csv.writerows(zip(*values, strict=True))

    def close(self) -> None:
        """Write what is left."""
        self._file.close()
        self._raw.close()


def _compressed(raw: BinaryIO) -> io.TextIOWrapper:
    # Without name and time in its head: equal rows are equal bytes.
    zipped = gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0, compresslevel=6)
    return io.TextIOWrapper(zipped, encoding="utf-8", newline="")


def _parquet() -> Maker:
    try:
        # Here, because pyarrow is there only for those who asked for it.
        from telltale.history.parquet import Parquet  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise SetupError(
            f"--format parquet: {error.name} is missing in {sys.prefix}. scripts/telltale and"
            " bot/run.py make an environment that has it; in one of your own:"
            " pip install --require-hashes -r bot/extras/parquet.txt. csv and jsonl need nothing"
        ) from error
    return Parquet


FORMATS: Mapping[str, tuple[str, Callable[[], Maker]]] = {
    "parquet": (".parquet", _parquet),
    "csv": (".csv.gz", lambda: Csv),
    "jsonl": (".jsonl.gz", lambda: JsonLines),
}
"""By the value of `--format`: how the files end, and what gives their maker."""
