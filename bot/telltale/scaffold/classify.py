"""What the kind of a failure suggests: which amplifiers come first, and what to suspect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from telltale.model import FailureKind

AMPLIFIERS: Mapping[str, str] = {
    "fresh": "the test alone, each time in a fresh process with another hash seed",
    "repeat": "the test again and again in one process: 2, 10, 50, ... times",
    "order": "the tests that had run before it, in the recorded order, then the test",
    "shuffle": "the tests of its file in random orders",
    "parallel": "copies of the test side by side, which share processors, ports and temporary files",
}
"""In words; `stress/amplifiers.py` does them."""

# `repeat` starts fresh processes too: `fresh` adds hash seeds to what it finds.
_STATE = ("order", "repeat", "fresh", "shuffle", "parallel")
_TIMING = ("repeat", "fresh", "parallel", "order", "shuffle")
_SHARED = ("parallel", "repeat", "fresh", "order", "shuffle")

_ORDERS: Mapping[FailureKind, Sequence[str]] = {
    FailureKind.TEST_TIMEOUT: _TIMING,
    FailureKind.HANG_OR_DEVICE_TIMEOUT: _TIMING,
    FailureKind.NONDETERMINISTIC_VALUE: _TIMING,
    FailureKind.NAN_OR_DIVERGENCE: _TIMING,
    FailureKind.CRASH_SIGNAL: _TIMING,
    FailureKind.INFRA_NETWORK: _SHARED,
    FailureKind.INFRA_DISK: _SHARED,
    FailureKind.INFRA_OTHER: _SHARED,
    FailureKind.RESOURCE_LIMIT: _SHARED,
    FailureKind.OOM: _SHARED,
    FailureKind.COLLECTION_ERROR: ("fresh", "parallel"),
}
_WHOLE_COMMAND = ("fresh", "parallel")

_SUSPECTS: Mapping[FailureKind, str] = {
    FailureKind.ASSERTION: "what it compares depends on something besides the code: the order of"
    " tests, the hash seed, time, random numbers, another process",
    FailureKind.EXCEPTION: "state that another test or an earlier execution left behind, or two"
    " threads that meet in the wrong order",
    FailureKind.TEST_TIMEOUT: "a wait that nobody ends: a lock, a queue, a process that is gone;"
    " or a limit that a busy machine cannot keep",
    FailureKind.HANG_OR_DEVICE_TIMEOUT: "a wait that nobody ends: a lock, a collective operation"
    " that one member never joined, a device that does not answer",
    FailureKind.CRASH_SIGNAL: "memory that native code used after it was freed, or from two threads",
    FailureKind.OOM: "what earlier tests left in memory, or several workers that share one memory",
    FailureKind.NAN_OR_DIVERGENCE: "a random start, an order of reductions, or memory never set",
    FailureKind.NONDETERMINISTIC_VALUE: "values that no seed fixes: random numbers, time, the order"
    " of a set or of a sum",
    FailureKind.COLLECTION_ERROR: "work at import that depends on the machine or on its packages",
    FailureKind.INFRA_NETWORK: "a port that two processes want, or a service that does not answer",
    FailureKind.INFRA_DISK: "a full or slow disk, or a file that two processes want",
    FailureKind.INFRA_OTHER: "the machine rather than the test",
    FailureKind.RESOURCE_LIMIT: "descriptors, threads or processes that are never given back",
    FailureKind.UNKNOWN: "the failure's text does not say enough",
}


def amplifiers(kind: FailureKind, *, whole_command: bool, before: int) -> tuple[str, ...]:
    """
    Return the amplifiers for a failure, the likeliest first.

    `before` tests had run in the process; of a command that is no pytest only
    the whole can be repeated.
    """
    if whole_command:
        return _WHOLE_COMMAND
    chosen = _ORDERS.get(kind, _STATE)
    return tuple(name for name in chosen if name != "order" or before)


def hypothesis(kind: FailureKind, *, before: int) -> str:
    """Return what to suspect, in one sentence; nobody has looked at the code."""
    text = f"Suspected from the kind of the failure: {_SUSPECTS[kind]}."
    if before and kind in {FailureKind.ASSERTION, FailureKind.EXCEPTION}:
        had = "1 test had" if before == 1 else f"{before} tests had"
        text += f" {had} run before it: a polluter may be among them."
    return text
