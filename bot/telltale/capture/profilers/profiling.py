"""The profilers of one run, from the check before its start to what is in the bundle."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeVar, final

from telltale.capture.beside import Beside, Program
from telltale.capture.profilers import inside
from telltale.capture.profilers.inside import InsideProfiler
from telltale.capture.profilers.interface import Gathered, Place, Profiler
from telltale.model import Profile

T = TypeVar("T")


class Attempt(Protocol):
    """Runs a step and returns what it returns; None, and a finding, when it raised."""

    def __call__(self, what: str, step: Callable[[], T]) -> T | None:
        """Run the step."""


@final
class Profiling:
    """What was asked for and what came of it. No method raises."""

    def __init__(self, profilers: Sequence[Profiler], place: Place, attempt: Attempt) -> None:
        """Ask each profiler whether it can run."""
        self._place = place
        self._attempt = attempt
        self._found: dict[Profiler, Gathered] = {}
        attempt("the profiles' folder", lambda: place.folder.mkdir(exist_ok=True))
        self._missing = {each: self._why_not(each) for each in profilers}
        self._able = tuple(each for each, why_not in self._missing.items() if not why_not)

    def environ(self, child: Mapping[str, str]) -> Mapping[str, str]:
        """Return the command's environment `child` with what the profilers inside it need."""
        by = [each.name for each in self._able if isinstance(each, InsideProfiler)]
        if not by:
            return child
        was = self._place.environ.get("PYTHONPATH")
        return inside.environ(child, by, self._place.folder, was=was)

    def beside(self, others: Sequence[Program] = ()) -> Beside:
        """Return the programs that are to run beside the command, `others` too."""
        programs = [
            self._ask(each, functools.partial(each.beside, self._place)) for each in self._able
        ]
        ours = [each for each in programs if each is not None]
        return Beside([*others, *ours], self._place.environ)

    def finish(self, *, slow: bool) -> bool:
        """
        Let the slow ones, or the others, gather what they left; return whether there are any.

        Of slow ones that were not asked yet `profiles` names the raw files.
        """
        due = [each for each in self._able if each.slow is slow]
        for each in due:
            gathered = self._ask(each, functools.partial(each.finish, self._place))
            self._found[each] = gathered or Gathered(missing="it failed, see the findings")
        with contextlib.suppress(OSError):
            self._place.folder.rmdir()  # where nothing was written
        return bool(due)

    @property
    def profiles(self) -> tuple[Profile, ...]:
        """What the manifest says by now."""
        return tuple(self._profile(each) for each in self._missing)

    @property
    def lines(self) -> tuple[str, ...]:
        """Markdown for the summary."""
        return tuple(line for gathered in self._found.values() for line in gathered.lines)

    def _why_not(self, profiler: Profiler) -> str:
        answer = self._ask(profiler, functools.partial(profiler.missing, self._place))
        return "it failed, see the findings" if answer is None else answer

    def _ask(self, profiler: Profiler, step: Callable[[], T]) -> T | None:
        return self._attempt(f"the profile by {profiler.name}", step)

    def _profile(self, profiler: Profiler) -> Profile:
        why_not, gathered = self._missing[profiler], self._found.get(profiler)
        if gathered is None:
            raw = self._ask(profiler, functools.partial(profiler.raw, self._place))
            gathered = raw if raw is not None and not why_not else Gathered()
        files = (file for file in gathered.files if file.is_file())
        return Profile(
            name=profiler.name,
            files=tuple(file.relative_to(self._place.bundle).as_posix() for file in files),
            cost=profiler.cost,
            missing=self._place.redact(why_not or gathered.missing),
            disturbs=profiler.disturbs and not why_not and gathered.ran,
        )


def findings(profiles: Sequence[Profile]) -> tuple[str, ...]:
    """Return what a reader of the run's figures must know about its profilers."""
    names = [each.name for each in profiles if each.disturbs]
    if not names:
        return ()
    said = "the run's own times and memory are no measurement and are not compared"
    return (f"the command ran under {', '.join(names)}: {said}",)
