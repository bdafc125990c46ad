"""Patterns that are compiled when they first have something to look at: most runs need few."""

from __future__ import annotations

import re
from typing import Any, AnyStr, cast


def pattern(source: AnyStr, flags: int = 0) -> re.Pattern[AnyStr]:
    """Return what `re.compile` returns, at no cost before its first use; `re.error` comes then."""
    return cast("re.Pattern[AnyStr]", _Late(source, flags))


class _Late:
    """Takes over the compiled pattern's attributes, each when it is first asked for."""

    def __init__(self, source: str | bytes, flags: int) -> None:
        self._made_of = source, flags
        self._compiled: re.Pattern[Any] | None = None

    def __getattr__(self, name: str) -> Any:
        # Only for what is not there yet: the second time it is as fast as a pattern.
        if self._compiled is None:
            self._compiled = re.compile(*self._made_of)
        found = getattr(self._compiled, name)
        setattr(self, name, found)
        return found
