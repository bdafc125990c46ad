"""
Choose the runs that a run may be measured against, and say why these.

Everything is pure. Nothing is compared silently: a run that is not
comparable is left out, and the reason names what was missing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from telltale.compare.load import Usual, busy, usual
from telltale.model import HARDWARE_PARTS, RUNNER_CLASS, Outcome, TestOutcome
from telltale.recorded import RecordedTests
from telltale.records import Origin, Record

MAX_RUNS = 20
"""The newest so many: older ones describe another program."""
MIN_RUNS = 5
"""Fewer say nothing about noise."""

MEASURED = frozenset({Outcome.PASSED, Outcome.FAILED})
"""Outcomes of runs that came to their end by themselves."""

_LEFT_OUT = {
    Outcome.TIMED_OUT: "it was killed at its limit",
    Outcome.CRASHED: "it died by a signal",
    Outcome.INTERRUPTED: "it was interrupted",
    Outcome.ERROR: "it did not run",
    Outcome.RUNNING: "it never finished",
}

_PARTS = {
    "cpu": "CPU model",
    "cpus": "number of CPUs",
    "memory_gib": "memory",
    "cgroup_cpus": "CPU limit",
    "cgroup_memory_gib": "memory limit",
    "gpus": "GPUs",
    "os": "operating system",
    "python": "Python version",
    RUNNER_CLASS: "runner class",
}
"""The parts of a fingerprint whose names need words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """The comparable runs, newest first, and how they were chosen or why there are too few."""

    records: tuple[Record, ...]
    reason: str
    usual: Usual = field(default_factory=Usual)
    """What is usual on such a machine, by which a busy one is known."""

    @property
    def enough(self) -> bool:
        """Whether anything may be decided."""
        return len(self.records) >= MIN_RUNS


def choose(
    head: Record,
    records: Sequence[Record],
    *,
    ancestors: Sequence[str] | None = None,
    unknown: str = "",
) -> Baseline:
    """
    Return the newest runs that `head` may be measured against.

    They are of the same series, started no later, ran on the default branch
    (or, when head ran at a terminal, at a terminal too), on unchanged files,
    with all guards that they required, to their end, on the same kind of
    machine, and, where `ancestors` are known (the merge base and before,
    newest first), on one of those commits. Runs on a busy machine are taken
    when there are too few others. `records` may be in any order and may hold
    head itself and anything else; `unknown` says why no ancestors are known.
    """
    local = head.origin.local
    runs = "earlier runs at a terminal" if local else "runs of the default branch"
    unusable = unmeasured(head)
    if unusable:
        return Baseline(records=(), reason=f"nothing to compare: {unusable}")
    known = None if ancestors is None else {sha: at for at, sha in enumerate(ancestors)}
    steps: tuple[tuple[Callable[[Record], bool], str], ...] = (
        (lambda record: record.series == head.series and _earlier(record, head), "no earlier run"),
        (lambda record: _believable(record.origin, local=local), f"no {runs}"),
        (lambda record: not record.dirty, f"no {runs} with unchanged files"),
        (lambda record: not record.invalid, f"no {runs} that are valid measurements"),
        (lambda record: not unmeasured(record), f"no {runs} that came to an end"),
        (
            lambda record: known is None or record.origin.sha in known,
            f"no {runs} of the merge base or before",
        ),
    )
    left: Sequence[Record] = records
    for keep, none_left in steps:
        left = [record for record in left if keep(record)]
        if not left:
            return Baseline(records=(), reason=f"{none_left} of this series")
    left = sorted(left, key=_when, reverse=True)
    if known is not None:
        # Commits in their own order: an old one may have been measured again today.
        left = sorted(left, key=lambda record: known[record.origin.sha])
        runs += " up to the merge base"
    by_time = f"; by time alone: {unknown}" if known is None and unknown else ""
    found = _on_this_machine(head, left, runs)
    return replace(found, reason=found.reason + by_time) if found.records else found


def unmeasured(record: Record) -> str:
    """Return why the run's figures say nothing, empty when they do."""
    if record.outcome not in MEASURED:
        return _LEFT_OUT[record.outcome]
    if record.outcome is Outcome.FAILED and not executed(record):
        return "it failed before a test could be named"
    if record.profiled:
        return f"it ran under {', '.join(record.profiled)[:60]}, which disturbs its figures"
    if record.invalid:
        return f"the run is no valid measurement: {record.invalid[0]}"
    return ""


def executed(record: Record) -> int:
    """Return how many tests ran to an end, skipped ones left out."""
    tests = RecordedTests.of(record.tests)
    return len(tests) - tests.count(TestOutcome.SKIPPED) - tests.count(TestOutcome.INTERRUPTED)


def _on_this_machine(head: Record, left: Sequence[Record], runs: str) -> Baseline:
    if not head.host.fingerprint:
        return Baseline(records=(), reason="the machine of this run is not known")
    same = [record for record in left if record.host.fingerprint == head.host.fingerprint]
    others = [record for record in left if record.host.fingerprint != head.host.fingerprint]
    differs = f"other fingerprint: {_difference(head, others)}" if others else ""
    if not same:
        return Baseline(records=(), reason=f"{_nowhere(head)} ({differs})")
    as_a_rule = usual(same[: 2 * MAX_RUNS])
    chosen, loaded = _calm_first(same, as_a_rule)
    if len(chosen) < MIN_RUNS:
        reason = f"{len(chosen)} comparable runs of {MIN_RUNS} needed"
        if others:
            reason += f"; {len(others)} on another kind of machine ({differs})"
        return Baseline(records=chosen, reason=reason, usual=as_a_rule)
    reason = f"the {len(chosen)} newest {runs} on such a machine"
    if loaded:
        reason += f"; {loaded} of them while it was busy"
    return Baseline(records=chosen, reason=reason + _other_packages(head, chosen), usual=as_a_rule)


def _calm_first(same: Sequence[Record], as_a_rule: Usual) -> tuple[tuple[Record, ...], int]:
    """Return at most `MAX_RUNS` runs, newest first, and how many of them ran on a busy machine."""
    marked = [bool(busy(record, as_a_rule)) for record in same]
    calm = [record for record, mark in zip(same, marked, strict=True) if not mark]
    if len(calm) >= MIN_RUNS:
        return tuple(calm[:MAX_RUNS]), 0
    return tuple(same[:MAX_RUNS]), sum(marked[:MAX_RUNS])


def _nowhere(head: Record) -> str:
    named = head.host.parts.get(RUNNER_CLASS)
    return f"no run on the runner class {named[:60]}" if named else "no run on this kind of machine"


def _other_packages(head: Record, chosen: Sequence[Record]) -> str:
    """
    Return which packages the runs had in other versions, empty when in none.

    No bar: a pull request that raises one is measured for exactly that.
    """
    ours, theirs = head.host.packages, chosen[0].host.packages
    if not ours or not theirs:
        return ""
    changes = [
        f"{name[:60]} {theirs.get(name, 'none')[:30]} -> {ours.get(name, 'none')[:30]}"
        for name in sorted({*ours, *theirs})
        if ours.get(name) != theirs.get(name)
    ]
    more = f" and {len(changes) - 3} more" if len(changes) > 3 else ""
    return (
        f"; other packages than the newest of them: {', '.join(changes[:3])}{more}"
        if changes
        else ""
    )


def _difference(head: Record, others: Sequence[Record]) -> str:
    """Return the names of the parts in which most of the others differ from head."""
    parts: Counter[str] = Counter()
    for record in others:
        names = {*head.host.parts, *record.host.parts}
        if RUNNER_CLASS in head.host.parts and RUNNER_CLASS in record.host.parts:
            names -= HARDWARE_PARTS
        differing = sorted(
            name for name in names if head.host.parts.get(name) != record.host.parts.get(name)
        )
        parts[", ".join(_words(name) for name in differing[:4]) or "parts not recorded"] += 1
    return min(parts, key=lambda names: (-parts[names], names))


def _words(name: str) -> str:
    return _PARTS.get(name, name.replace("_", " ")[:60])


def _earlier(record: Record, head: Record) -> bool:
    if record.id == head.id or _when(record)[0] > _when(head)[0]:
        return False
    if head.origin.run_id is not None and record.origin.run_id == head.origin.run_id:
        return False  # another attempt of the same run
    # A pull request that was merged by fast-forward is not its own baseline.
    same_code = bool(head.origin.sha) and record.origin.sha == head.origin.sha
    return not (head.origin.pull_request is not None and same_code)


def _believable(origin: Origin, *, local: bool) -> bool:
    # At a terminal nobody vouches for anything: such runs are good enough
    # for each other, and never for a run of GitHub Actions.
    return origin.trusted or (local and origin.local)


def _when(record: Record) -> tuple[str, str]:
    # Without the Z, fractions of a second sort after the whole second.
    return record.started_at.removesuffix("Z"), record.id
