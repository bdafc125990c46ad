"""Profilers: one module each, chosen by name with `--profile`."""

from __future__ import annotations

import importlib
from collections.abc import Mapping

from telltale.capture.profilers.interface import Profiler
from telltale.errors import UsageError

__all__ = ["KNOWN", "choose"]

KNOWN: Mapping[str, tuple[str, str]] = {
    "resources": ("resources", "Resources"),
    "py-spy": ("pyspy", "PySpy"),
    "cprofile": ("cprofile", "CProfile"),
    "memray": ("memray", "Memray"),
    "torch": ("torch", "Torch"),
    "perf": ("perf", "Perf"),
}
"""
Module and class of every profiler by its name, in the order in which they are shown.

Names, since a run pays for what it imports: most ask for one profiler.
"""


def choose(text: str) -> tuple[Profiler, ...]:
    """Return the profilers that `--profile` names, by commas or lines; `UsageError` for others."""
    asked = [name.strip() for name in text.replace(",", "\n").splitlines() if name.strip()]
    unknown = sorted(set(asked) - {*KNOWN, "none"})
    if unknown:
        raise UsageError(
            f"--profile: there is no profiler {unknown[0]!r}; known are {', '.join(KNOWN)},"
            " and none for no profile"
        )
    if "none" in asked:
        if len(set(asked)) > 1:
            raise UsageError("--profile: none stands alone, as in --profile none")
        return ()
    return tuple(_make(name) for name in KNOWN if name in asked)


def _make(name: str) -> Profiler:
    module, kind = KNOWN[name]
    profiler: Profiler = getattr(importlib.import_module(f"{__name__}.{module}"), kind)()
    return profiler
