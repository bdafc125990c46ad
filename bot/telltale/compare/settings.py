"""
What a project says about its own figures: ceilings, and what the numbers of its tests mean.

Pure data; `verbs/configuration.py` reads it from `.github/telltale.yml`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Better = Literal["lower", "higher"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceiling:
    """A limit that no run may pass, whatever the history says."""

    metric: str
    """As in a judgement: a figure of the whole run, or `duration_s` or `cpu_s` of tests."""
    limit: float
    """In the metric's unit: seconds, bytes."""
    tests: str = ""
    """Pattern of nodeids as in a shell, `*` for any text; empty for the whole run."""
    origin: str = "the configuration"
    """Where it was set, for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberMeaning:
    """What a number that tests record as JUnit property is."""

    name: str
    unit: str = ""
    better: Better = "lower"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All that a project may set; the default is to set nothing."""

    ceilings: tuple[Ceiling, ...] = ()
    numbers: tuple[NumberMeaning, ...] = ()
