"""
Measure suspects again: the code without the change and the code under test in turn.

Both run on this machine, now, with the same Python and environment, in fresh
processes of the suspects alone, under the probe: the figures are those that
the history keeps. What decides is `compare.confirming`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from telltale.capture.confirm import imported, whole
from telltale.capture.confirm.sides import Execution, Side, execute, with_paths
from telltale.capture.isolate.tries import Stop, Tries
from telltale.capture.words import many
from telltale.compare.confirming import ROUNDS, confirm, is_open
from telltale.errors import IsolateError
from telltale.model import Confirmation, TestOutcome, TestResult

METRICS: Mapping[str, str] = {"cpu_s": "s", "duration_s": "s", "rss_peak_change_bytes": "bytes"}
"""The figures of a test that can be confirmed, with their units."""
ALWAYS = "cpu_s"
"""Measured of every suspect: it decides, whatever made the test one."""
_SPARE = 0.9
"""Of what is left of the budget, before measurements are begun that might not end in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspect:
    """A test, and which of its figures stood out."""

    nodeid: str
    metrics: tuple[str, ...]


@dataclass(slots=True, kw_only=True)
class Figures:
    """What was measured of one suspect so far."""

    suspect: Suspect
    base: list[TestResult] = field(default_factory=list)
    head: list[TestResult] = field(default_factory=list)
    problem: str = ""

    @property
    def metrics(self) -> tuple[str, ...]:
        """The figures that are judged."""
        return tuple(dict.fromkeys((ALWAYS, *self.suspect.metrics)))

    @property
    def open(self) -> bool:
        """Whether more measurements can change what is known."""
        if self.problem or min(len(self.base), len(self.head)) >= ROUNDS:
            return False
        return any(is_open(*self._of(metric)) for metric in self.metrics)

    def confirmations(self, unfinished: str) -> Iterator[Confirmation]:
        """Yield what the figures amount to; `unfinished` says why there are not more."""
        for metric in self.metrics:
            base, head = self._of(metric)
            short = min(len(base), len(head)) < ROUNDS and is_open(base, head)
            why = self.problem or (unfinished if short else "")
            yield confirm(metric, self.suspect.nodeid, METRICS[metric], base, head, problem=why)

    def _of(self, metric: str) -> tuple[list[float], list[float]]:
        return _figures(self.base, metric), _figures(self.head, metric)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What became of the suspects."""

    confirmations: tuple[Confirmation, ...]
    left_out: tuple[str, ...]
    """Suspects that were not measured: the budget did not reach."""
    refused: str = ""
    """Why none of it may be believed, in words; empty when it may."""
    executions: int = 0


class Confirming:
    """Measures suspects within a budget; raises nothing but what the system raises."""

    def __init__(
        self,
        *,
        tries: Tries,
        head: Side,
        base: Side,
        packages: frozenset[str],
        seed: str,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._tries = tries
        self._head = head
        self._base = base
        self._packages = packages
        # The same bundle measures in the same order again.
        self._random = random.Random(seed)  # noqa: S311  # no secret
        self._say = say
        self._executions = 0
        self._stopped = ""

    def run(self, suspects: Sequence[Suspect]) -> Found:
        """Return what five measurements of each side say about each suspect, worst first."""
        known = {each.nodeid: Figures(suspect=each) for each in suspects}
        left: list[str] = []
        try:
            cost = self._warm_up(known)
            left = self._all(known, cost)
        except IsolateError as error:
            return Found(
                confirmations=(), left_out=(), refused=str(error), executions=self._executions
            )
        except Stop as stop:
            self._stopped = str(stop)
        untouched = {
            name
            for name, each in known.items()
            if not each.problem and not (each.base or each.head)
        }
        return Found(
            confirmations=tuple(
                one
                for name, each in known.items()
                if name not in untouched
                for one in each.confirmations(self._stopped or "the budget is used up")
            ),
            left_out=tuple(name for name in known if name in untouched or name in left),
            executions=self._executions,
        )

    def run_whole(self, nodeids: Sequence[str]) -> Confirmation:
        """
        Return what five runs of all the tests on each side say about their CPU time together.

        Raises `IsolateError` when both import the same code, and `Stop`.
        """
        base, head = self._prepare(nodeids)
        both = [
            name
            for name in nodeids
            if not _trouble(name, base, "base") and not _trouble(name, head, "head")
        ]
        return whole.confirm_whole(self._tries, self._base, self._head, both, self._random)

    def _warm_up(self, known: Mapping[str, Figures]) -> Mapping[str, float]:
        """
        Run everything once on each side without counting it; return what a suspect costs, in seconds.

        Bytecode is written, caches are filled, tests that are not there or
        fail are known, and so is whose code was imported. The empty name is
        for what a process costs beside its tests.
        """
        base, head = self._prepare(tuple(known))
        for name, figures in known.items():
            if name in base.missing:
                figures.problem = "it is not in the base: new in head"
            else:
                figures.problem = _trouble(name, base, "base") or _trouble(name, head, "head")
        cost = {
            name: base.results[name].duration_s + head.results[name].duration_s
            for name, figures in known.items()
            if not figures.problem
        }
        return {**cost, "": base.starting_s + head.starting_s}

    def _prepare(self, nodeids: Sequence[str]) -> tuple[Execution, Execution]:
        """Run the tests once on each side; raises `IsolateError` when both import the same code."""
        self._say("confirm: a first run of each side, which does not count")
        base = self._base_warm(nodeids)
        there = [name for name in nodeids if name not in base.missing]
        head = self._execute(self._head, there) if there else Execution()
        foreign = (self._base.root, *([self._base.site] if self._base.site else []))
        if any(imported.inside(head.modules, each) for each in foreign):
            raise IsolateError(
                "both ran the same code: the build step installed the base into the tests'"
                ' environment; let it install into "$TELLTALE_SITE" instead'
            )
        return base, head

    def _base_warm(self, nodeids: Sequence[str]) -> Execution:
        """Run the base's tests, with the folders of its code first where the other's were imported."""
        found = self._execute(self._base, nodeids)
        foreign = imported.inside(found.modules, self._head.root)
        if foreign:
            # Installed for editing: the environment leads to the code under test.
            wanted = [
                self._base.root / root.relative_to(self._head.root)
                for root in imported.roots(foreign)
                if root.is_relative_to(self._head.root)
            ]
            self._base = with_paths(self._base, wanted)
            found = self._execute(self._base, nodeids)
            foreign = imported.inside(found.modules, self._head.root)
        own = (self._base.root, *([self._base.site] if self._base.site else []))
        other = imported.installed(found.modules, self._packages, *own)
        place = other or next(map(str, foreign.values()), "")
        if place:
            raise IsolateError(
                f"both ran the same code: the package is installed from {Path(place).parent};"
                " set confirm-build to what builds the base"
            )
        return found

    def _all(self, known: Mapping[str, Figures], cost: Mapping[str, float]) -> list[str]:
        """Measure as many as fit into the budget at once, then more; return who did not fit."""
        waiting = [name for name, each in known.items() if not each.problem]
        while waiting:
            chosen = self._fitting(waiting, cost)
            if not chosen:
                return waiting
            waiting = [name for name in waiting if name not in chosen]
            self._measure({name: known[name] for name in chosen})
        return []

    def _fitting(self, names: Sequence[str], cost: Mapping[str, float]) -> list[str]:
        room = _SPARE * self._tries.left_s / ROUNDS - cost[""]
        chosen = []
        for name in names:
            if cost[name] <= room:
                room -= cost[name]
                chosen.append(name)
        return chosen

    def _measure(self, chosen: Mapping[str, Figures]) -> None:
        for number in range(1, ROUNDS + 1):
            names = [name for name, each in chosen.items() if each.open]
            if not names:
                return
            self._say(f"confirm: round {number} of {ROUNDS}, {many(len(names), 'suspect')}")
            sides = [self._base, self._head]
            # Whatever else the machine does must not always hit the same side.
            self._random.shuffle(sides)
            for side in sides:
                found = self._execute(side, names)
                for name in names:
                    figures = chosen[name]
                    trouble = _trouble(name, found, side.name)
                    if trouble:
                        figures.problem = figures.problem or trouble
                    else:
                        of_side = figures.base if side is self._base else figures.head
                        of_side.append(found.results[name])

    def _execute(self, side: Side, nodeids: Sequence[str]) -> Execution:
        self._executions += 1
        return execute(self._tries, side, nodeids)


def _trouble(nodeid: str, found: Execution, side: str) -> str:
    """Return why an execution has no figure of a test, empty when it has one."""
    result = found.results.get(nodeid)
    if result is None:
        return f"it did not run in {side}" + (f": {found.obstacle}" if found.obstacle else "")
    if result.outcome is not TestOutcome.PASSED:
        said = f": {result.message}" if result.message else ""
        return f"it {result.outcome.value} when it was run again in {side}{said}"[:400]
    return ""


def _figures(results: Sequence[TestResult], metric: str) -> list[float]:
    found = (getattr(each, metric) for each in results)
    return [float(each) for each in found if each is not None]
