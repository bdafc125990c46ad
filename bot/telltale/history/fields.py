"""
Take typed values out of JSON that somebody else wrote.

Each function raises `HistoryError` naming the key; the caller adds the file.
Bounds are generous: they are there to stop nonsense, not large projects.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping
from typing import Any, TypeVar

from telltale.errors import HistoryError

MAX_TEXT = 8_192
MAX_ITEMS = 256

Choice = TypeVar("Choice", bound=enum.Enum)


def mapping(data: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Return an object."""
    value = data.get(key)
    if not isinstance(value, dict):
        raise _wrong(key, "an object", value)
    return value


def items(data: Mapping[str, Any], key: str, *, limit: int = MAX_ITEMS) -> list[Any]:
    """Return a list of at most `limit` items."""
    value = data.get(key)
    if not isinstance(value, list):
        raise _wrong(key, "a list", value)
    if len(value) > limit:
        raise HistoryError(f"{key}: at most {limit} items, got {len(value)}")
    return value


def text(data: Mapping[str, Any], key: str, *, limit: int = MAX_TEXT) -> str:
    """Return a string of at most `limit` characters."""
    return checked_text(data.get(key), key, limit=limit)


def checked_text(value: object, key: str, *, limit: int = MAX_TEXT) -> str:
    """Return the value when it is a string of at most `limit` characters."""
    if not isinstance(value, str):
        raise _wrong(key, "a string", value)
    if len(value) > limit:
        raise HistoryError(f"{key}: at most {limit} characters, got {len(value)}")
    return value


def texts(data: Mapping[str, Any], key: str, *, limit: int = MAX_ITEMS) -> tuple[str, ...]:
    """Return a list of strings."""
    return tuple(checked_text(value, key) for value in items(data, key, limit=limit))


def numbers(data: Mapping[str, Any], key: str, *, limit: int = MAX_ITEMS) -> tuple[float, ...]:
    """Return a list of finite numbers."""
    found = [number_or_none({key: value}, key) for value in items(data, key, limit=limit)]
    if None in found:
        raise HistoryError(f"{key}: expected a list of numbers")
    return tuple(value for value in found if value is not None)


def pairs(data: Mapping[str, Any], key: str) -> dict[str, str]:
    """Return an object whose values are strings."""
    found = mapping(data, key)
    if len(found) > MAX_ITEMS:
        raise HistoryError(f"{key}: at most {MAX_ITEMS} items, got {len(found)}")
    return {name: checked_text(value, f"{key}.{name[:60]}") for name, value in found.items()}


def truth(data: Mapping[str, Any], key: str) -> bool:
    """Return true or false."""
    value = data.get(key)
    if not isinstance(value, bool):
        raise _wrong(key, "true or false", value)
    return value


def truth_or_none(data: Mapping[str, Any], key: str) -> bool | None:
    """Return true, false or None."""
    return None if data.get(key) is None else truth(data, key)


def whole(data: Mapping[str, Any], key: str) -> int:
    """Return a whole number that 64 bits hold."""
    value = data.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) >= 2**63:
        raise _wrong(key, "a whole number", value)
    return value


def whole_or_none(data: Mapping[str, Any], key: str) -> int | None:
    """Return a whole number or None."""
    return None if data.get(key) is None else whole(data, key)


def number_or_none(data: Mapping[str, Any], key: str) -> float | None:
    """Return a finite number or None."""
    value = data.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _wrong(key, "a number", value)
    if (isinstance(value, int) and abs(value) >= 2**63) or not math.isfinite(value):
        raise _wrong(key, "a finite number", value)
    return float(value)


def number(data: Mapping[str, Any], key: str) -> float:
    """Return a finite number."""
    value = number_or_none(data, key)
    if value is None:
        raise _wrong(key, "a number", value)
    return value


def choice(data: Mapping[str, Any], key: str, kind: type[Choice]) -> Choice:
    """Return a member of an enumeration."""
    value = data.get(key)
    try:
        return kind(value)
    except ValueError:
        known = ", ".join(str(member.value) for member in kind)
        raise _wrong(key, f"one of {known}", value) from None


def _wrong(key: str, expected: str, value: object) -> HistoryError:
    shown = (
        repr(value) if isinstance(value, str | int | float | bool | None) else type(value).__name__
    )
    return HistoryError(f"{key}: expected {expected}, got {shown[:60]}")
