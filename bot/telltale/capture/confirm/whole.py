"""The CPU time of a whole run, measured again: only a short run fits ten times into a budget."""

from __future__ import annotations

import random
import resource
from collections.abc import Sequence

from telltale.capture.confirm.sides import Side, execute
from telltale.capture.isolate.tries import Stop, Tries
from telltale.compare.confirming import ROUNDS, confirm, is_open
from telltale.model import Confirmation, TestOutcome

METRIC = "cpu_s"


def needed_s(wall_s: float) -> float:
    """Return what five runs of each side take, and the first ones, which do not count, in seconds."""
    return (2 * ROUNDS + 2) * wall_s


def confirm_whole(
    tries: Tries, base: Side, head: Side, nodeids: Sequence[str], order: random.Random
) -> Confirmation:
    """
    Return what five runs of all the tests on each side say about their CPU time together.

    It is that of pytest and all that it started, by the kernel's accounting
    of children that were waited for; tests are not distributed to workers.
    """
    figures: dict[str, list[float]] = {"base": [], "head": []}
    passed: set[frozenset[str]] = set()
    problem = ""
    try:
        for _ in range(ROUNDS):
            sides = [base, head]
            order.shuffle(sides)
            for side in sides:
                before = _children_s()
                found = execute(tries, side, nodeids)
                figures[side.name].append(_children_s() - before)
                ended = found.results.items()
                passed.add(frozenset(n for n, each in ended if each.outcome is TestOutcome.PASSED))
            if len(passed) > 1 or passed == {frozenset()}:
                problem = "not the same work: other tests passed in one run than in another"
                break
            if not is_open(figures["base"], figures["head"]):
                break
    except Stop as stop:
        problem = str(stop)
    return confirm(METRIC, "", "s", figures["base"], figures["head"], problem=problem)


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
