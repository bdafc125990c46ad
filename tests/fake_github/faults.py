"""Faults on demand: the nth request of a kind goes wrong in a given way."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any


@dataclass(kw_only=True)
class Fault:
    """What goes wrong with some of the requests that match.

    Exactly one of `status`, `reset`, `truncate` and `malformed` says how, or `delay` alone.
    """

    method: str
    route: str
    """Regular expression, searched in the path (without the query)."""
    nth: int = 1
    """The first matching request that is hit, counted from 1."""
    times: int = 1
    """How many are hit from there on."""
    status: int | None = None
    """Answer this instead; nothing happens in the fake."""
    message: str = "Server Error"
    headers: dict[str, str] = field(default_factory=dict)
    reset: str | None = None
    """Cut the connection `before` or `after` the request took effect."""
    truncate: int | None = None
    """Let it happen, promise the whole body and send only so many bytes of it."""
    malformed: bool = False
    """Let it happen and answer something that is not JSON."""
    delay: float = 0.0
    """Seconds to wait before anything happens."""
    seen: int = 0
    hits: int = 0

    def __post_init__(self) -> None:
        ways = (self.status, self.reset, self.truncate, self.malformed or None, self.delay or None)
        if all(way is None for way in ways):
            raise ValueError("a fault needs one of: status, reset, truncate, malformed, delay")
        if self.reset not in {None, "before", "after"}:
            raise ValueError(f"reset is 'before' or 'after', not {self.reset!r}")
        re.compile(self.route)

    def strikes(self, method: str, path: str) -> bool:
        """Count a request; whether this fault hits it."""
        if method != self.method.upper() or not re.search(self.route, path):
            return False
        self.seen += 1
        if not self.nth <= self.seen < self.nth + self.times:
            return False
        self.hits += 1
        return True

    @property
    def body(self) -> dict[str, Any]:
        """The answer's body when `status` says how it goes wrong."""
        return {
            "message": self.message,
            "documentation_url": "https://docs.github.com/rest",
            "status": str(self.status),
        }
