"""`artifacts/samples.csv` as a picture of letters, for the summary."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

from telltale.values import dataclass

COLUMNS = 64
_LEVELS = " .:-=+*#%@"
_MIB = 1024 * 1024
_SHORTEST_S = 0.001
"""The file's resolution."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One row of the file."""

    elapsed_s: float
    cpu_s: float
    rss_bytes: int


def read(path: Path) -> tuple[Sample, ...]:
    """Return the samples; a last row that its writer could not finish is passed over."""
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except FileNotFoundError:
        return ()
    return tuple(_samples(lines))


def _samples(lines: Sequence[str]) -> Iterator[Sample]:
    # Our own rows: no value needs a quote, and the module csv costs a start 1 ms.
    columns = lines[0].split(",") if lines else []
    for line in lines[1:]:
        row = dict(zip(columns, line.split(","), strict=False))
        try:
            yield Sample(
                elapsed_s=float(row["elapsed_s"]),
                cpu_s=float(row["cpu_s"]),
                rss_bytes=int(row["rss_bytes"]),
            )
        except (KeyError, TypeError, ValueError):  # the last row may be a part
            continue


def chart(samples: Sequence[Sample]) -> tuple[str, ...]:
    """Return Markdown with the CPU use and the memory of the tree over time; empty without two samples."""
    if len(samples) < 2:
        return ()
    begin, end = samples[0].elapsed_s, samples[-1].elapsed_s
    step = (end - begin) / COLUMNS
    if step <= 0:
        return ()
    cores, memory = [0.0] * COLUMNS, [0.0] * COLUMNS
    for earlier, later in itertools.pairwise(samples):
        span = later.elapsed_s - earlier.elapsed_s
        use = max(0.0, later.cpu_s - earlier.cpu_s) / max(span, _SHORTEST_S)
        first = int((earlier.elapsed_s - begin) / step)
        last = min(COLUMNS - 1, int((later.elapsed_s - begin) / step))
        for column in range(min(first, COLUMNS - 1), last + 1):
            cores[column] = max(cores[column], use)
            memory[column] = max(memory[column], later.rss_bytes)
    return (
        "```text",
        f"CPU    |{_row(cores)}| {_label(cores, 1, '.2f')} cores",
        f"memory |{_row(memory)}| {_label(memory, _MIB, '.1f')} MiB",
        f"        {'0 s':<{COLUMNS - 10}}{f'{end:.1f} s':>10}",
        "```",
        "",
    )


def _row(values: Sequence[float]) -> str:
    top = max(values) or 1.0
    return "".join(_LEVELS[round(value / top * (len(_LEVELS) - 1))] for value in values)


def _label(values: Sequence[float], unit: float, form: str) -> str:
    return f"@ = {max(values) / unit:{form}}"
