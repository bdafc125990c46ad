"""
From tries to a verdict: alone, in order, and the few tests that make the difference.

Nothing is believed that was seen once. What was found in a fork of a server,
or by halving, is run again in fresh processes, as often as it takes for the
difference to be no matter of chance (`chances.py`).
"""

from __future__ import annotations

import math
import os
import shlex
from collections import Counter
from collections.abc import Callable, Sequence

from telltale.capture.isolate.case import Case
from telltale.capture.isolate.chances import BY_CHANCE, chance, interval
from telltale.capture.isolate.reading import Result, Shown, read
from telltale.capture.isolate.reduce import ddmin
from telltale.capture.isolate.tries import Ran, Stop, Tries
from telltale.capture.words import many
from telltale.model import Failure, IsolationVerdict, Rate
from telltale.values import dataclass, field

CONFIRM = 5
"""Runs of either kind before a difference counts: 5 of 5 against 0 of 5 is 0.4 % by chance."""
BEFORE_SEARCHING = 2
"""Passes alone before a search is begun; it asks again itself, and all is confirmed after it."""
SLOWED = 3.0
"""Times longer than it takes to pass: then a test that is still busy counts as hanging."""
MOST = 20
"""Runs for a rate, and where a difference is real but not in every run."""


class Blocked(Exception):  # noqa: N818  # what it means is decided by who asks
    """The test does not run at all here; the message says why."""


@dataclass(slots=True, kw_only=True)
class Findings:
    """What is known so far; read when the search ends, however it ends."""

    verdict: IsolationVerdict = IsolationVerdict.UNDECIDED
    reason: str = ""
    """Why it is undecided, or what to add to the sentence."""
    polluters: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    suspects: tuple[str, ...] = ()
    """To what the search was narrowed when it ended early."""
    aim: Result | None = None
    """What the test does after them: fail as it did, or pass."""
    itself: bool = False
    """The polluter is an earlier execution of the test itself."""
    alone: Counter[Result] = field(default_factory=Counter)
    in_order: Counter[Result] = field(default_factory=Counter)
    together: Counter[Result] = field(default_factory=Counter)
    beside: Counter[Result] = field(default_factory=Counter)
    command: str = ""
    other: str = ""
    """How it failed when it failed otherwise."""


class Search:
    """One search; `run` is called once."""

    def __init__(
        self, case: Case, tries: Tries, say: Callable[[str], None], *, most: int = MOST
    ) -> None:
        self.case = case
        self.tries = tries
        self.say = say
        self.most = most
        self.found = Findings()
        self.wanted: Failure | None = case.failure
        self._me = case.nodeid
        self._before = tuple(case.before)
        self._passed_s = math.inf
        """The shortest time in which it passed, with its process's start."""
        self._everything = case.files((*case.before, case.nodeid, *case.others))

    def run(self) -> Findings:
        """Search until the verdict is there or the budget used up. Raises `Blocked`."""
        found = self.found
        try:
            first = self._alone()
            if first.result is Result.BLOCKED:
                raise Blocked(first.said)
            if first.result is Result.SAME:
                self.wanted = self.wanted or first.failure
                self._fails_alone()
            elif first.result is Result.OTHER:
                found.reason = "alone it fails in another way"
                if self._before:
                    self._in_order()
            elif self.wanted is None:
                found.reason = "it passed in the run and passes alone: there is nothing to explain"
            else:
                self._passes_alone()
        except Stop as stop:
            if found.verdict is IsolationVerdict.UNDECIDED:
                found.reason = str(stop)
        return found

    # It fails alone

    def _fails_alone(self) -> None:
        found = self.found
        self._repeat(self._alone, found.alone, CONFIRM)
        if _mixed(found.alone):
            self._rate_alone()
            return
        others = (*self._before, *self.case.others)
        if not others:
            found.verdict = IsolationVerdict.DETERMINISTIC
            return
        # Until something makes it pass, this is what is known.
        found.verdict = IsolationVerdict.DETERMINISTIC
        in_order = self._in_order() if self._before else None
        if in_order is not None and in_order.result is Result.PASSED:
            found.verdict = IsolationVerdict.UNDECIDED
            self._find_needs(self._before)
        elif self.case.others and self._affordable(others):
            self.say("after all other tests of the run")
            if self._fresh((*others, self._me)).result is Result.PASSED:
                found.verdict = IsolationVerdict.UNDECIDED
                self._find_needs(others)

    def _find_needs(self, candidates: Sequence[str]) -> None:
        """Find what must run before the test for it to pass."""
        found = self.found
        self.say(f"it passes after {many(len(candidates), 'test')}: looking for what it needs")
        needs = self._minimal(candidates, Result.PASSED)
        if needs is None:
            found.reason = "it fails alone, and passed after the others only once"
            return
        found.needs = needs
        self._confirm(needs, Result.PASSED)
        if self._differs(found.alone, found.together) and not _mixed(found.together):
            found.verdict = IsolationVerdict.BRITTLE
            self._show(needs[:0])
        elif _mixed(found.together):
            found.reason = "it fails alone, and passes only sometimes after what it seemed to need"
        else:
            found.reason = "what it seemed to need was not enough in runs of its own"

    # It passes alone

    def _passes_alone(self) -> None:
        found = self.found
        in_order = self._in_order() if self._before else None
        if in_order is None or in_order.result is not Result.SAME:
            self._fails_nowhere()
            return
        self._repeat(self._alone, found.alone, BEFORE_SEARCHING)
        if found.alone[Result.SAME]:
            self._rate_alone()
            return
        self._find_polluters()

    def _find_polluters(self) -> None:
        found = self.found
        self.say(f"it fails after the {many(len(self._before), 'test')} before it: looking for one")
        polluters = self._minimal(self._before, Result.SAME)
        if polluters is None:
            self._repeat(self._in_order, found.in_order, CONFIRM)
            self._undecided_by_order()
            return
        found.polluters = polluters
        found.itself = set(polluters) == {self._me}
        self._confirm(polluters, Result.SAME)
        if self._differs(found.together, found.alone):
            found.verdict = IsolationVerdict.ORDER_DEPENDENT
            self._show(polluters)
        else:
            self._undecided_by_order()

    def _undecided_by_order(self) -> None:
        found = self.found
        if _mixed(found.in_order) or _mixed(found.together):
            # Equal conditions, different outcomes: it is flaky whatever the order adds.
            self._repeat(self._alone, found.alone, self.most // 2)
            if found.alone[Result.SAME]:
                found.verdict = IsolationVerdict.FLAKY
                return
            found.reason = "it failed only in the recorded order, and not every time"
        else:
            found.reason = "no smaller set of tests makes it fail as the recorded order does"

    def _fails_nowhere(self) -> None:
        """Try what else could have been the cause: it did not fail again at once."""
        found = self.found
        self.say("twice in one process")
        twice = self._fresh((self._me, self._me))
        if twice.result is Result.SAME:
            self._repeat(self._alone, found.alone, CONFIRM)
            found.polluters, found.itself = (self._me,), True
            found.together[twice.result] += 1
            self._repeat(lambda: self._fresh((self._me, self._me)), found.together, CONFIRM)
            if self._differs(found.together, found.alone):
                found.verdict = IsolationVerdict.ORDER_DEPENDENT
                return
            found.polluters, found.itself = (), False
        if self._beside():
            return
        for _ in range(self.most - 1):
            self._note(found.alone, self._alone_quietly())
            if found.alone[Result.SAME]:
                self._rate_alone()
                return
            if self._before and _runs(found.in_order) < CONFIRM:
                self._in_order()
                if found.in_order[Result.SAME]:
                    self._undecided_by_order()
                    return
        found.reason = "it did not fail again"

    def _beside(self) -> bool:
        """Run what every worker ran, all at once; True when that decides."""
        found = self.found
        orders = [order for order in self.case.workers if order]
        lists = [(*self._before, self._me), *(each for each in orders if self._me not in each)]
        if len(lists) < 2 or not self._affordable([name for each in lists for name in each]):
            return False

        def step() -> Shown:
            self.say(f"as in the run, {len(lists)} processes side by side")
            return self._read(self.tries.side_by_side(lists, [self._everything] * len(lists))[0])

        self._repeat(step, found.beside, BEFORE_SEARCHING)
        if not found.beside[Result.SAME]:
            return False
        self._repeat(step, found.beside, CONFIRM)
        if _mixed(found.beside):
            self._repeat(step, found.beside, self.most)
        runs = _runs(found.beside)
        if self._before:
            self._repeat(self._in_order, found.in_order, runs)
        self._repeat(self._alone_quietly, found.alone, runs)
        if found.alone[Result.SAME]:
            self._rate_alone()
        elif found.in_order[Result.SAME]:
            self._undecided_by_order()
        elif self._differs(found.beside, found.in_order if self._before else found.alone):
            found.verdict = IsolationVerdict.LOAD_DEPENDENT
        else:
            found.reason = "it failed only while the other workers' tests ran beside it, and seldom"
        return True

    def _rate_alone(self) -> None:
        found = self.found
        found.verdict = IsolationVerdict.FLAKY
        self.say("it passes and fails alone: counting")
        self._repeat(self._alone_quietly, found.alone, self.most)

    # Looking for a few among many

    def _minimal(self, candidates: Sequence[str], aim: Result) -> tuple[str, ...] | None:
        """Return the few candidates (tests, or files to import) that lead to `aim`; None if not."""
        self.found.aim = aim
        mine = self.case.files([self._me])
        rest = tuple(file for file in self._everything if file not in mine)
        if rest and self._fresh((self._me,), files=self._everything).result is aim:
            self.say(f"importing {many(len(rest), 'other file')} is enough")
            return ddmin(
                rest,
                lambda files: self._fresh((self._me,), files=self._ordered(files)).result is aim,
                reduced=self._reduced,
            )
        ask = self._oracle(candidates, aim)
        if ask is None:
            return None
        hinted = tuple(each for each in candidates if each in self.case.leaked)
        if hinted and len(hinted) < len(candidates) and ask(hinted):
            self.say(f"{many(len(hinted), 'test')} that left something changed: enough")
            candidates = hinted
        found = ddmin(candidates, ask, reduced=self._reduced)
        self.tries.close_server()
        return found

    def _oracle(
        self, candidates: Sequence[str], aim: Result
    ) -> Callable[[Sequence[str]], bool] | None:
        """Return what asks whether some tests are enough; None when all of them are not."""

        def by_fork(tests: Sequence[str]) -> bool:
            return (self._forked(tests) or self._needed(tests).result) is aim

        def fresh(tests: Sequence[str]) -> bool:
            return self._needed(tests).result is aim

        opposite = {Result.SAME, Result.PASSED} - {aim}
        if self.tries.open_server(self._everything):
            if all(self._forked(candidates) is aim for _ in range(BEFORE_SEARCHING)) and all(
                self._forked(()) in opposite for _ in range(BEFORE_SEARCHING)
            ):
                return by_fork
            self.say("in forks of one process it behaves otherwise: fresh processes are used")
            self.tries.close_server()
        return fresh if self._needed(candidates).result is aim else None

    def _forked(self, tests: Sequence[str]) -> Result | None:
        """Return what the test does in a fork of the server; None without a server."""
        ran = self.tries.forked((*tests, self._me))
        return self._read(ran).result if ran else None

    def _reduced(self, kept: Sequence[str]) -> None:
        self.found.suspects = tuple(kept)
        names = f": {', '.join(kept)}" if len(kept) <= 3 else ""
        self.say(f"narrowed to {len(kept)}{names}")

    def _confirm(self, others: Sequence[str], aim: Result) -> None:
        """Run the few before the test, and the test alone, often enough to be sure."""
        found = self.found
        self.say(f"confirming in fresh processes: {', '.join(others)}")
        step = self._confirming(others)
        shown = step()
        if shown.result is not aim:
            # What is imported may have a part in it as well.
            whole = self._fresh((*_tests(others), self._me), files=self._everything)
            if whole.result is aim:
                shown = whole
                step = lambda: self._fresh((*_tests(others), self._me), files=self._everything)  # noqa: E731
        self._note(found.together, shown)
        # In turns: when the budget ends, either number is worth as much as the other.
        for runs in range(2, CONFIRM + 1):
            self._repeat(step, found.together, runs)
            self._repeat(self._alone_quietly, found.alone, runs)
        if _mixed(found.together):
            self._repeat(step, found.together, self.most)
            self._repeat(self._alone_quietly, found.alone, self.most)

    def _confirming(self, others: Sequence[str]) -> Callable[[], Shown]:
        tests = _tests(others)
        if tests:
            return lambda: self._needed(tests)
        return lambda: self._fresh((self._me,), files=self._ordered(others))

    def _show(self, others: Sequence[str]) -> None:
        """Find a command that a person can type, and see whether it does show the failure."""
        where = self.case.cwd
        words: list[str] = []
        for each in (*others, self._me):
            file, colons, rest = each.partition("::")
            words.append(f"{os.path.relpath(self.case.base / file, where)}{colons}{rest}")
        if others and not _tests(others):
            # A file that pollutes by being imported: collected, and none of its tests chosen.
            name = self._me.rpartition("::")[2]
            words = [*words[:-1], words[-1].partition("::")[0], "-k", name.partition("[")[0]]
        options = self.case.pytest.options
        if any(option.startswith("--randomly") for option in options):
            words += ["--randomly-dont-reorganize"]
        elif "no:randomly" not in options and "-pno:randomly" not in options:
            words += ["-p", "no:randomly"]
        shown = self._read(self.tries.as_typed(words))
        if shown.result is Result.SAME:
            python = [*self.case.python, *self.case.pytest.python_options, "-m", "pytest"]
            self.found.command = shlex.join([*python, *self.case.pytest.options, *words])

    # Single tries

    def _alone(self) -> Shown:
        self.say("alone")
        shown = self._alone_quietly()
        self._note(self.found.alone, shown)
        return shown

    def _alone_quietly(self) -> Shown:
        return self._fresh((self._me,))

    def _in_order(self) -> Shown:
        self.say(f"in the recorded order, after {many(len(self._before), 'test')}")
        shown = self._fresh((*self._before, self._me), files=self._everything)
        self._note(self.found.in_order, shown)
        return shown

    def _needed(self, tests: Sequence[str]) -> Shown:
        return self._fresh((*tests, self._me))

    def _fresh(self, tests: Sequence[str], *, files: Sequence[str] | None = None) -> Shown:
        names = self._ordered(self.case.files(tests)) if files is None else files
        return self._read(self.tries.fresh(tests, names))

    def _ordered(self, files: Sequence[str]) -> tuple[str, ...]:
        """Return the files, and the test's own, in the order in which the run had them."""
        wanted = {*files, *self.case.files([self._me])}
        return tuple(file for file in self._everything if file in wanted)

    def _read(self, ran: Ran) -> Shown:
        shown = read(ran, self._me, self.wanted)
        if shown.result is Result.PASSED:
            self._passed_s = min(self._passed_s, shown.seconds)
        took_s = self.case.duration_s.get(self._me, 0.0)
        hang_s = self.tries.hang_s
        if shown.busy and hang_s < took_s and SLOWED * self._passed_s > hang_s:
            # A test that needs fifteen minutes is not hanging after fifteen seconds.
            raise Stop(
                f"it was still busy after {hang_s:.0f} s, and took {took_s:.0f} s in the run:"
                f" give --budget {8 * took_s:.0f} or more"
            )
        if shown.result is Result.OTHER:
            self.found.other = shown.said
        return shown

    # Counting

    def _note(self, counts: Counter[Result], shown: Shown) -> None:
        counts[shown.result] += 1

    def _repeat(self, step: Callable[[], Shown], counts: Counter[Result], runs: int) -> None:
        """Run until there are that many results; a step of ours may count by itself."""
        while _runs(counts) < runs:
            before = _runs(counts)
            shown = step()
            if _runs(counts) == before:
                self._note(counts, shown)

    def _differs(self, more: Counter[Result], less: Counter[Result]) -> bool:
        return by_chance(more, less) <= BY_CHANCE

    def _affordable(self, tests: Sequence[str]) -> bool:
        needed = sum(self.case.duration_s.get(test, 0.1) for test in tests)
        return needed < self.tries.left_s / 4


def by_chance(more: Counter[Result], less: Counter[Result]) -> float:
    """Return how likely such a difference is when both fail equally often; 1 without runs."""
    return chance(
        failures=more[Result.SAME],
        runs=_runs(more),
        others=less[Result.SAME],
        other_runs=_runs(less),
    )


def rate(counts: Counter[Result]) -> Rate:
    """Return how often it failed with the signature, among the runs in which it ran."""
    runs, failures = _runs(counts), counts[Result.SAME]
    low, high = interval(failures, runs)
    return Rate(runs=runs, failures=failures, low=round(low, 4), high=round(high, 4))


def _runs(counts: Counter[Result]) -> int:
    return sum(counts.values())


def _mixed(counts: Counter[Result]) -> bool:
    return bool(counts[Result.SAME]) and counts[Result.SAME] < _runs(counts)


def _tests(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(each for each in names if "::" in each)
