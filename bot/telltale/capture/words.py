"""Numbers in sentences."""

from __future__ import annotations


def many(count: int, noun: str) -> str:
    """Return the count and what it counts, as in `1 test` or `3 tests`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
