"""Numbers in sentences."""

from __future__ import annotations


def many(count: int, noun: str, nouns: str = "") -> str:
    """Return the count and what it counts, as in `1 test`, `3 tests` or `2 processes`."""
    return f"{count} {noun}" if count == 1 else f"{count} {nouns or f'{noun}s'}"
