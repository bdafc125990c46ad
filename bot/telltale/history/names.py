"""
The names of tests that many records share, parsed once.

The runs of a series name the same tests, and their names are nine tenths of a
record's text. What was parsed before is known by its text and taken out of the
next one; the rest is parsed as strictly as ever.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from typing import Any

_KEPT = 8
"""Different lists of names kept: records of pull requests with other tests lie between the rest."""
_LONGEST = 8 * 1024 * 1024
"""Bytes of a list that is kept: of ten times as many tests as a large project has."""


class Names:
    """What the records of one load have in common."""

    def __init__(self) -> None:
        self._known: dict[bytes, tuple[str, ...]] = {}
        # A record that holds it was not written by guessing: 128 bits.
        self._mark = secrets.token_hex(16)

    def __len__(self) -> int:
        return len(self._known)

    def parse(self, text: bytes, loads: Callable[[bytes], Any]) -> Any:
        """
        Return `loads(text)`; its `tests.nodeid` is a tuple where a record before had the same.

        Raises what `loads` raises. A list becomes known by `learn` only.
        """
        at = _place(text)
        for names, known in reversed(self._known.items()) if at else ():
            if text.startswith(names, at):
                # Whole values for each other: either text is JSON if the other one is.
                document = self._without(text, at, names, loads)
                if document is not None:
                    document["tests"]["nodeid"] = known
                    return document
        return loads(text)

    def _without(
        self, text: bytes, at: int, names: bytes, loads: Callable[[bytes], Any]
    ) -> Any | None:
        """Return the document, its names unset; None when that was another list than theirs."""
        short = b'%s"%s"%s' % (text[:at], self._mark.encode("ascii"), text[at + len(names) :])
        try:
            document = loads(short)
        except (ValueError, RecursionError):
            return None  # the whole text says where it is wrong
        tests = document.get("tests") if isinstance(document, dict) else None
        found = tests.get("nodeid") if isinstance(tests, dict) else None
        return document if found == self._mark else None

    def learn(self, nodeids: tuple[str, ...]) -> tuple[str, ...]:
        """Know a list, which was checked, from now on; return the one for all records."""
        text = json.dumps(nodeids, separators=(",", ":")).encode("ascii")
        if len(text) > _LONGEST:
            return nodeids
        shared = self._known.setdefault(text, nodeids)
        while len(self._known) > _KEPT:
            del self._known[next(iter(self._known))]
        return shared


def _place(text: bytes) -> int:
    """Return where the list of names should begin, 0 when it is not written as we write it."""
    tests = text.find(b'"tests":{')
    key = b',"nodeid":'
    at = text.find(key, tests)
    return at + len(key) if 0 <= tests < at else 0
