"""After a run with failed tests: run a few of them again, within a budget, and say what they are."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from telltale.capture.isolate import isolate, read_case
from telltale.capture.words import many
from telltale.errors import TelltaleError
from telltale.model import Command, Failure, FailureKind, Isolation

MOST_TESTS = 3
"""Failures of one signature have one cause: one test of each is enough, and a few are all."""
LEAST_S = 5.0
"""Of the budget, before another test is begun."""


def chosen(failures: Sequence[Failure]) -> tuple[tuple[Failure, ...], str]:
    """Return one test for each signature, and a sentence about those that are left out, or ""."""
    tests = [each for each in failures if each.nodeid]
    by_signature: dict[str, Failure] = {}
    for failure in tests:
        if failure.kind is not FailureKind.COLLECTION_ERROR:
            by_signature.setdefault(failure.signature, failure)
    first = tuple(by_signature.values())[:MOST_TESTS]
    left = len(tests) - len(first)
    if not first or not left:
        return first, ""
    return first, (
        f"of {many(len(tests), 'failed test')} {len(first)} {'was' if len(first) == 1 else 'were'} run again, one a signature;"
        " the others: telltale isolate BUNDLE NODEID"
    )


def isolate_each(
    folder: Path,
    failures: Sequence[Failure],
    *,
    command: Command,
    cwd: Path,
    environ: Mapping[str, str],
    budget_s: float,
    asked: Callable[[], bool],
    say: Callable[[str], None],
) -> Iterator[Isolation | str]:
    """
    Yield what became of each test, or one sentence why it could not be run again.

    The budget is shared: each takes an equal part of what is left.
    """
    end = time.monotonic() + budget_s
    for at, failure in enumerate(failures):
        left = end - time.monotonic()
        if asked() or left < LEAST_S:
            why = "it was interrupted" if asked() else "the budget was used up"
            yield f"{failure.nodeid} was not run again: {why}"
            continue
        try:
            case = read_case(folder, failure.nodeid, cwd=cwd, environ=environ, command=command)
        except TelltaleError as error:
            yield f"it was not tried whether {failure.nodeid} fails alone: {error}"
            continue
        say(f"isolate: {failure.nodeid}")
        share = left / (len(failures) - at)
        yield isolate(case, budget_s=share, asked=asked, say=lambda line: say(f"isolate: {line}"))
