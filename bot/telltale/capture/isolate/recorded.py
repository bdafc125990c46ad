"""What a bundle tells of the order in which its tests ran, and what they left behind."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from telltale import bundle
from telltale.capture import events
from telltale.capture.events import Session, State
from telltale.model import TestOutcome
from telltale.values import dataclass, field

MOST_TESTS = 200_000
_TEXT = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """The tests of a run, as they ran."""

    tests: tuple[str, ...]
    """All that the run names, each once, skipped ones too."""
    workers: tuple[tuple[str, ...], ...]
    """What each worker ran, in order; without the probe all of it as one."""
    duration_s: Mapping[str, float] = field(default_factory=dict)
    leaked: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    limit_s: float | None = None
    """Of a test that asks for none."""
    limits_s: Mapping[str, float] = field(default_factory=dict)
    """Of those that are marked with one; 0: marked to have none."""
    executables: tuple[str, ...] = ()
    """The Python of each worker, where the probe knows."""
    seeds: Mapping[str, str] = field(default_factory=dict)
    probed: bool = False
    """pytest was seen to run, whatever the command looks like."""
    rootdir: str = ""
    """pytest's, relative to its working directory; empty when not known."""

    def around(self, nodeid: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return what ran before the test on its worker, and all other tests."""
        before: tuple[str, ...] = ()
        for order in self.workers:
            if nodeid in order:
                # Of several executions the last one counts.
                before = order[: len(order) - 1 - order[::-1].index(nodeid)]
                break
        seen = {nodeid, *before}
        return before, tuple(each for each in self.tests if each not in seen)

    def executable(self, nodeid: str) -> str:
        """Return the path of the Python that ran the test, empty when it is not known."""
        workers = zip(self.workers, self.executables, strict=False)
        return next((python for order, python in workers if nodeid in order), "")


def read_recorded(folder: Path) -> Recorded:
    """Return what the bundle's `tests.jsonl` tells. Raises `BundleError` when it cannot be read."""
    results = [each for each in bundle.read_tests(folder) if each.nodeid][:MOST_TESTS]
    told = events.read(folder)
    # A skipped test ran nothing of its own.
    ran = tuple(each.nodeid for each in results if each.outcome is not TestOutcome.SKIPPED)
    session = next((each for each in told.sessions if each.worker == "main"), None)
    return Recorded(
        tests=tuple(dict.fromkeys(each.nodeid for each in results)),
        workers=tuple(told.order.values()) or (ran,),
        duration_s={each.nodeid: each.duration_s for each in results},
        leaked=_leaked(told.states),
        limits_s=told.limits_s,
        executables=tuple(_executable(name, told.sessions) for name in told.order),
        limit_s=_positive(session.timeout.get("effective_s")) if session else None,
        seeds=_seeds(session),
        probed=session is not None,
        # The run may have been elsewhere: another machine, another checkout.
        rootdir=os.path.relpath(session.rootdir, session.cwd)
        if session and session.rootdir and session.cwd
        else "",
    )


def _leaked(states: tuple[State, ...]) -> dict[str, tuple[str, ...]]:
    leaked: dict[str, tuple[str, ...]] = {}
    for state in states:
        said = tuple(
            f"{str(each.get('what', '?'))[:_TEXT]}: {str(each.get('before', '?'))[:_TEXT]}"
            f" -> {str(each.get('after', '?'))[:_TEXT]}"
            for each in state.changes
        )
        if not state.nodeid:
            continue  # what the end of the session put back or left: no test's doing
        leaked[state.nodeid] = (*leaked.get(state.nodeid, ()), *said)
    return leaked


def _executable(worker: str, sessions: tuple[Session, ...]) -> str:
    """Return the Python of a worker; of a second process of its name, `NAME@PID`, its own."""
    name, _, pid = worker.partition("@")
    found = [
        each.executable
        for each in sessions
        if each.worker == name and pid in {"", str(each.pid)} and each.executable
    ]
    return found[0] if found else ""


def _seeds(session: Session | None) -> dict[str, str]:
    if session is None:
        return {}
    return {name: str(seed) for name, seed in session.seeds.items() if seed not in {None, ""}}


def _positive(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) and value > 0 else None
