"""
What makes a rare failure frequent: one amplifier, one function.

Each is asked again and again for its next plan and may grow from turn to
turn. Adding one: a function here, its entry in `AMPLIFIERS`, and its place in
`telltale.scaffold.classify`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

MOST_COPIES = 1000
START_S = 1.0
"""What starting pytest costs, until it was measured."""


class Plan(NamedTuple):
    """One try."""

    what: str
    """In words, as in `25 times in one process`."""
    copies: int = 1
    """How often the test runs in the process."""
    before: tuple[str, ...] = ()
    """Tests that run before it."""
    shuffle: int | None = None
    """Seed of a random order of the tests of its file."""
    hash_seed: int | None = None
    parallel: int = 1
    """Processes side by side."""


class State(NamedTuple):
    """What an amplifier may look at."""

    spec: dict[str, Any]
    seed: int
    workers: int
    slice_s: float
    """How long a try should take at most."""
    start_s: float
    test_s: float
    """How long the test takes."""


def fresh(turn: int, state: State) -> Plan:
    """Run it alone in a fresh process: another hash seed, other addresses, cold caches."""
    if "PYTHONHASHSEED" in state.spec["env"]:
        return Plan(what="alone in a fresh process")
    seed = state.seed + turn
    return Plan(what=f"alone in a fresh process, hash seed {seed}", hash_seed=seed)


def repeat(turn: int, state: State) -> Plan:
    """Run it again and again in one process: what the first execution leaves, and rare interleavings."""
    # On a busy machine starting alone may take longer than a slice.
    fit = max(state.slice_s - state.start_s, state.slice_s / 2) / max(state.test_s, 1e-4)
    copies = int(max(2, min(2 * 5 ** min(turn, 9), fit, MOST_COPIES)))
    return Plan(what=f"{copies} times in one process", copies=copies)


def order(turn: int, state: State) -> Plan | None:
    """Run what had run before, in the recorded order: a polluter is among them."""
    before: list[list[Any]] = state.spec["before"]
    if not before:
        return None
    room = max(state.slice_s - state.start_s, state.slice_s / 2) * 3 ** min(turn, 9)
    first = len(before)
    while first > 0 and room > 0:
        first -= 1
        room -= before[first][1] + 0.001
    names = tuple(str(name) for name, _ in before[first:])
    which = f"the last {len(names)} tests" if first else "all tests"
    return Plan(what=f"after {which} of the recorded order", before=names)


def shuffle(turn: int, state: State) -> Plan:
    """Run the tests of its file in a random order."""
    seed = state.seed + turn
    return Plan(what=f"in a random order of its file, seed {seed}", shuffle=seed)


def parallel(turn: int, state: State) -> Plan:
    """Run copies side by side: contention for processors, ports and files."""
    copies = min(state.workers * 2 ** min(turn, 2), 64)
    return Plan(what=f"{copies} copies side by side", parallel=copies)


AMPLIFIERS: dict[str, Callable[[int, State], Plan | None]] = {
    "fresh": fresh,
    "repeat": repeat,
    "order": order,
    "shuffle": shuffle,
    "parallel": parallel,
}
