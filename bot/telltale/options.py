"""
Options as data: one declaration is the flag, the variable and the action's input.

`cli.py` holds the tables; the verbs receive an `Invocation` and never see
the environment.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from telltale.errors import UsageError
from telltale.values import dataclass, field

Half = Literal["runner", "bot"]

_TRUE = frozenset({"true", "1", "yes", "on"})
_FALSE = frozenset({"false", "0", "no", "off", ""})


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One option: `--name`, `TELLTALE_NAME` and the input `name` of the action."""

    name: str
    help: str
    default: str = ""
    metavar: str = "TEXT"
    flag: bool = False
    """`--name` or `--no-name`; the variable and the input say `true` or `false`."""
    many: bool = False
    """May be given several times; the variable and the input hold one value a line."""
    input: bool = True
    """Whether the action of the same name has it as an input."""
    extras: tuple[tuple[str, str], ...] = ()
    """How a value begins that needs more packages, and their list in `bot/extras/`."""

    @property
    def env(self) -> str:
        """The variable that carries the input from action.yml to this program."""
        return "TELLTALE_" + self.name.upper().replace("-", "_")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verb:
    """One verb: what it is for, what it takes, and the function that does it."""

    help: str
    half: Half
    module: str
    """Its module under `telltale.verbs`, imported when the verb is called."""
    options: tuple[Option, ...] = ()
    arguments: str = ""
    """What the positional arguments are called, as in `BUNDLE...`; empty when there are none."""
    wraps: bool = False
    """Whether a command may follow `--`."""
    steps: Mapping[str, Verb] = field(default_factory=dict)
    """By the word that follows the verb, as in `history list`; the verb itself then has no options."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """One call of a verb: every option's text, and what surrounds it."""

    verb: str
    """As it was typed, with its step: `record`, `history list`."""
    values: Mapping[str, str | tuple[str, ...]]
    arguments: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    environ: Mapping[str, str] = field(default_factory=dict)
    """The whole environment, read once in `cli.py`."""

    def text(self, name: str) -> str:
        """Return the option's text, empty when it was not given and has no default."""
        value = self.values[name]
        return value if isinstance(value, str) else "\n".join(value)

    def lines(self, name: str) -> tuple[str, ...]:
        """Return the values of an option that may be given several times."""
        value = self.values[name]
        return value if isinstance(value, tuple) else tuple(filter(None, value.splitlines()))

    def flag(self, name: str) -> bool:
        """Return whether the flag is on; `UsageError` for anything but true or false."""
        text = self.text(name).strip().lower()
        if text in _TRUE | _FALSE:
            return text in _TRUE
        raise UsageError(f"--{name}: expected true or false, got {self.text(name)!r}")

    def seconds(self, name: str) -> float | None:
        """Return a duration in seconds, None when not given; `UsageError` unless positive."""
        text = self.text(name).strip()
        if not text:
            return None
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not (math.isfinite(value) and value > 0):
            raise UsageError(
                f"--{name}: expected a positive number of seconds, as in 600, got {text!r}"
            )
        return value

    def count(self, name: str) -> int:
        """Return a whole number of at least 1; `UsageError` otherwise."""
        text = self.text(name).strip()
        if not text.isdecimal() or int(text) < 1:
            raise UsageError(f"--{name}: expected a whole number of at least 1, got {text!r}")
        return int(text)

    def path(self, name: str) -> Path:
        """Return a path; `UsageError` when it was not given."""
        text = self.text(name)
        if not text:
            raise UsageError(f"--{name} is missing: give a folder, as in --{name} out")
        return Path(text)

    def pairs(self, name: str) -> dict[str, str]:
        """Return `K=V` lines as a mapping; `UsageError` names the line that is not one."""
        found: dict[str, str] = {}
        for line in self.lines(name):
            key, equals, value = line.partition("=")
            if not equals or not key.strip().isidentifier():
                raise UsageError(f"--{name}: expected NAME=VALUE, got {line!r}")
            found[key.strip()] = value
        return found
