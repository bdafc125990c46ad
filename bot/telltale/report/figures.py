"""Numbers as people read them: one format everywhere, three digits that mean something."""

from __future__ import annotations

import math
import re

NONE = "–"  # noqa: RUF001

_INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}", re.ASCII)


def quantity(value: float | None, unit: str, beside: float | None = None) -> str:
    """
    Return a figure of a `Judgement`: `unit` is `s`, `bytes`, `%` or nothing.

    A spread is easier to read in the unit of the figure it stands `beside`.
    """
    if value is None or not math.isfinite(value):
        return NONE
    if unit == "s":
        in_seconds = beside is not None and beside >= 1 and value < 1
        return f"{_digits(value)} s" if in_seconds else seconds(value)
    if unit == "bytes":
        return size(value)
    return percent(value) if unit == "%" else _digits(value)


def seconds(value: float | None) -> str:
    """Return a duration: `0.4 ms`, `850 ms`, `12.3 s`, `2 min 05 s`, `3 h 07 min`."""
    if value is None or not math.isfinite(value):
        return NONE
    if abs(value) < 0.9995:
        return f"{_digits(value * 1000)} ms"
    if abs(value) < 119.95:
        return f"{_digits(value)} s"
    whole = round(value)
    if whole < 7200:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600:,} h {whole % 3600 // 60:02d} min"


def limit(value: float) -> str:
    """Return a limit that people set, in the unit they think in: `30 s`, `10 min`, `2 h`."""
    for unit, length in (("h", 3600), ("min", 60)):
        if value >= length and value % length == 0:
            return f"{value // length:,.0f} {unit}"
    return f"{value:,g} s"


def size(value: float | None) -> str:
    """Return a size: `812 B`, `412 MiB`, `1.23 GiB`."""
    if value is None or not math.isfinite(value):
        return NONE
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(value) < 999.5:
            return f"{_digits(value) if unit != 'B' else round(value)} {unit}"
        value /= 1024
    return f"{_digits(value)} TiB"


def percent(value: float | None) -> str:
    """Return a percentage that was measured: `187%`."""
    return NONE if value is None or not math.isfinite(value) else f"{value:,.0f}%"


def rate(value: float) -> str:
    """Return how often something happens, from a fraction: `6.6%`, `0.31%`, `100%`."""
    return f"{value * 100:.2g}%" if value < 0.995 else f"{value * 100:.0f}%"


def day(instant: str) -> str:
    """Return the day of an ISO 8601 instant; nothing when it is not one."""
    return instant[:10] if _INSTANT.match(instant) else NONE


def minute(instant: str) -> str:
    """Return an ISO 8601 instant in UTC to the minute: `2026-11-22 10:15`."""
    return f"{instant[:10]} {instant[11:16]}" if _INSTANT.match(instant) else NONE


def change(value: float | None) -> str:
    """Return a relative change with its sign: `+14%`, `-3.2%`."""
    if value is None or not math.isfinite(value):
        return NONE
    in_percent = value * 100
    decimals = 1 if abs(in_percent) < 9.95 else 0
    return f"{in_percent:+,.{decimals}f}%"


def count(number: int, one: str, many: str = "") -> str:
    """Return a number with its noun: `1 test`, `10,000 tests`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def _digits(value: float) -> str:
    size_of = abs(value)
    if size_of == 0:
        return "0"
    decimals = 2 if size_of < 9.995 else 1 if size_of < 99.95 else 0
    text = f"{value:,.{decimals}f}"
    if size_of < 0.005:
        return "<0.01"
    return text
