"""Parquet by pyarrow, an extra: row groups of a bounded size, one open file a table."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from telltale.history.columns import Columns, Table, instant

ROWS_A_GROUP = 64 * 1024
"""Rows that are held in memory: what a reader can skip as one."""

_TYPES = {
    "text": pa.string(),
    "int": pa.int64(),
    "float": pa.float64(),
    "bool": pa.bool_(),
    "instant": pa.timestamp("us", tz="UTC"),
}


class Parquet:
    """One Parquet file, compressed with zstd."""

    def __init__(self, path: Path, table: Table) -> None:
        self._schema = pa.schema(
            [
                pa.field(column.name, _TYPES[column.type], nullable=bool(column.null))
                for column in table.columns
            ]
        )
        self._instants = [column.name for column in table.columns if column.type == "instant"]
        self._held: list[Any] = []
        self._rows = 0
        self._writer = pq.ParquetWriter(path, self._schema, compression="zstd")

    def write(self, columns: Columns) -> None:
        """Add rows."""
        parsed = {name: _instants(columns[name]) for name in self._instants}
        rows = pa.table({**columns, **parsed}, schema=self._schema)
        self._held.append(rows)
        self._rows += rows.num_rows
        if self._rows >= ROWS_A_GROUP:
            self._flush()

    def close(self) -> None:
        """Write what is left."""
        if self._rows:
            self._flush()
        self._writer.close()

    def _flush(self) -> None:
        self._writer.write_table(pa.concat_tables(self._held), row_group_size=ROWS_A_GROUP)
        self._held, self._rows = [], 0


def _instants(texts: list[str]) -> list[datetime]:
    # A run's rows have one instant, thousands of times.
    known = {text: instant(text) for text in set(texts)}
    return [known[text] for text in texts]
