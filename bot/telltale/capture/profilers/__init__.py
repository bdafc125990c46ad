"""Profilers: one module each, chosen by name with `--profile`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from telltale.capture.profilers.cprofile import CProfile
from telltale.capture.profilers.interface import Profiler
from telltale.capture.profilers.memray import Memray
from telltale.capture.profilers.perf import Perf
from telltale.capture.profilers.pyspy import PySpy
from telltale.capture.profilers.resources import Resources
from telltale.capture.profilers.torch import Torch
from telltale.errors import UsageError

__all__ = ["KNOWN", "choose"]

KNOWN: Mapping[str, Callable[[], Profiler]] = {
    each.name: each for each in (Resources, PySpy, CProfile, Memray, Torch, Perf)
}
"""Every profiler by its name, in the order in which they are shown."""


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
    return tuple(make() for name, make in KNOWN.items() if name in asked)
