"""What every profiler has in common; one module beside this one for each."""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import ClassVar

from telltale.capture.beside import Program
from telltale.capture.interpreter import Interpreter
from telltale.values import dataclass

FOLDER = "artifacts/profile"
"""Where in the bundle profilers write."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The run that is profiled, as far as it is known before its start."""

    bundle: Path
    environ: Mapping[str, str]
    """The command's environment."""
    python: Interpreter | None
    """The Python that the command uses, where it could be asked."""
    redact: Callable[[str], str]

    @property
    def folder(self) -> Path:
        """Folder of the bundle that a profiler writes to; made before the start."""
        return self.bundle / FOLDER


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """What a profiler left."""

    files: tuple[Path, ...] = ()
    missing: str = ""
    """What is not there and why, in one line; empty when nothing is missing."""
    ran: bool = True
    """Whether it looked at the command at all."""
    lines: tuple[str, ...] = ()
    """Markdown for the summary."""


class Profiler(abc.ABC):
    """
    One profiler.

    Nothing it does may change how the command ends. Whatever a method
    raises becomes a finding of the run, and installing is not its work:
    what is not there is `missing`.
    """

    name: ClassVar[str]
    """What `--profile` calls it."""
    cost: ClassVar[str]
    """One line: what it adds to the command's CPU time, as docs/profilers.md measured it."""
    disturbs: ClassVar[bool] = True
    """Whether the run's own figures are no measurement under it: it adds more than 5 % CPU time."""

    slow: ClassVar[bool] = True
    """Whether `finish` may take seconds; then the bundle is complete before it is called."""

    def missing(self, place: Place) -> str:  # noqa: ARG002
        """Return why it cannot run, in one line that says what to do; empty when it can."""
        return ""

    def beside(self, place: Place) -> Program | None:  # noqa: ARG002
        """Return the program that is to run beside the command, if it takes one."""
        return None

    def raw(self, place: Place) -> Gathered:
        """Return what is there before `finish`, and instead of it when there is no time left."""
        return Gathered(files=tuple(sorted(place.folder.glob(f"{self.name}*"))))

    @abc.abstractmethod
    def finish(self, place: Place) -> Gathered:
        """Return what it left, converted for people; called once, after the command is gone."""
