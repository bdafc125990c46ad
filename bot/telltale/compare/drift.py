"""
Find the slow drift on the default branch that no single pull request shows.

Everything is pure. Figures of one series, from runs on one kind of machine, in
the order of the runs; `changepoints` says where their level changed.
docs/drift.md has the rule in words, and how often it is wrong.
"""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from telltale.compare.baseline import executed, unmeasured
from telltale.compare.changepoints import MIN_SEGMENT, ChangePoint, Floor, change_points
from telltale.compare.judge import METRICS
from telltale.model import TestOutcome
from telltale.records import Drift, Milestone, Record

WHOLE_RUN = 0.05
SINGLE_TEST = Floor(change=0.10, amount=0.020)
OTHER_WORK = 0.10
"""By how much the number of tests may differ from the last nine runs', as a part of it."""

_MIN_RUNS = 2 * MIN_SEGMENT
_FACTOR_TESTS = 500
"""The longest so many tests say how fast the machine was during a run."""
_FACTOR_MIN_TESTS = 20
_FACTOR_MIN_S = 0.005


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """One figure over the runs that have it."""

    metric: str
    nodeid: str
    unit: str
    floor: Floor
    family: int
    runs: Sequence[Record]
    values: Sequence[float]


def find_drifts(records: Sequence[Record]) -> tuple[Drift, ...]:
    """
    Return every change of level in the records of one series, the newest first.

    `records` may be in any order and hold any runs; those of the default branch
    count, or, where there is not one, those at a terminal.
    """
    found = [
        _drift(line, point)
        for runs in _by_machine(_usable(records))
        for line in _lines(runs)
        for point in change_points(line.values, line.floor, family=line.family)
    ]
    return tuple(sorted(found, key=_newest_first))


def new_drifts(head: Record, records: Sequence[Record]) -> tuple[Drift, ...]:
    """
    Return the changes that can be seen with `head` and with no earlier run before it.

    So each is told by one run, though nobody keeps what was told: a function of
    the records that started no later than head. Sorted by how much was lost,
    gains last.
    """
    known = [record for record in records if record.id != head.id and _when(record) <= _when(head)]
    runs = [
        record
        for record in _usable([*known, head])
        if record.host.fingerprint == head.host.fingerprint
    ]
    if len(runs) < _MIN_RUNS or runs[-1].id != head.id:
        return ()
    found = [
        _drift(line, point)
        for line in _lines(runs)
        if line.runs[-1].id == head.id
        for point in change_points(line.values, line.floor, family=line.family)
        if not _seen_before(line, point)
    ]
    return tuple(sorted(found, key=_worst_first))


def _seen_before(line: _Line, point: ChangePoint) -> bool:
    """Return whether an earlier run could tell of this change."""
    first = point.earliest + MIN_SEGMENT
    # The newest first: what is known is as a rule known since yesterday.
    return any(
        _same(point, earlier)
        for length in range(len(line.values) - 1, first - 1, -1)
        for earlier in change_points(line.values[:length], line.floor, family=line.family)
    )


def _same(one: ChangePoint, other: ChangePoint) -> bool:
    """Return whether both are one change, each seen with other runs after it."""
    return (
        (one.after > one.before) == (other.after > other.before)
        and one.earliest - MIN_SEGMENT <= other.latest
        and other.earliest - MIN_SEGMENT <= one.latest
    )


def _usable(records: Sequence[Record]) -> list[Record]:
    """Return the runs whose figures may be set beside each other, oldest first."""
    trusted = [record for record in records if record.origin.trusted]
    chosen = trusted or [record for record in records if record.origin.local]
    distinct = {record.id: record for record in chosen}
    ordered = sorted(
        (record for record in distinct.values() if not record.dirty and not unmeasured(record)),
        key=_when,
    )
    return list(_same_work(list(_in_order(ordered))))


def _in_order(runs: Sequence[Record]) -> Iterator[Record]:
    """Leave out what ran again on an older commit: it would stand at the wrong place."""
    seen: set[str] = set()
    newest = ""
    for record in runs:
        sha = record.origin.sha
        if sha and sha != newest and sha in seen:
            continue
        seen.add(sha)
        newest = sha
        yield record


def _same_work(runs: Sequence[Record]) -> Iterator[Record]:
    """Leave out runs of a part of the suite; one that grew is usual after five runs."""
    counts = [executed(record) for record in runs]
    for index, record in enumerate(runs):
        usual = statistics.median(counts[max(0, index - 8) : index + 1])
        if abs(counts[index] - usual) <= OTHER_WORK * usual:
            yield record


def _by_machine(runs: Sequence[Record]) -> list[list[Record]]:
    found: dict[str, list[Record]] = defaultdict(list)
    for record in runs:
        # A machine that is not known is not known to be the same.
        if record.host.fingerprint:
            found[record.host.fingerprint].append(record)
    return [group for group in found.values() if len(group) >= _MIN_RUNS]


def _lines(runs: Sequence[Record]) -> Iterator[_Line]:
    """Yield the figures that may drift: CPU time and peak memory, and the duration of each test."""
    deciding = [metric for metric in METRICS if not metric.advisory]
    for metric in deciding:
        figures = [(record, metric.value(record.resources)) for record in runs]
        known = [
            (record, value) for record, value in figures if value is not None and _usual(value)
        ]
        yield _Line(
            metric=metric.name,
            nodeid="",
            unit=metric.unit,
            floor=Floor(change=WHOLE_RUN, amount=metric.floor),
            family=len(deciding),
            runs=[record for record, _ in known],
            values=[value for _, value in known],
        )
    yield from _tests(runs)


def _tests(runs: Sequence[Record]) -> Iterator[_Line]:
    durations = _durations(runs)
    factors = _factors(durations, len(runs))
    least = SINGLE_TEST.amount * min(factors, default=1.0)
    for nodeid, (indices, values) in durations.items():
        # The cheap question first: most tests never take so long as a change must be.
        if max(values) <= least:
            continue
        yield _Line(
            metric="duration_s",
            nodeid=nodeid,
            unit="s",
            floor=SINGLE_TEST,
            family=len(durations),
            runs=[runs[index] for index in indices] if len(indices) < len(runs) else runs,
            values=[value / factors[index] for index, value in zip(indices, values, strict=True)],
        )


_Durations = Mapping[str, tuple[Sequence[int], Sequence[float]]]
"""By nodeid: in which runs it passed, and how many seconds it took there."""


def _durations(runs: Sequence[Record]) -> _Durations:
    found: dict[str, tuple[list[int], list[float]]] = {}
    passed = TestOutcome.PASSED
    for index, record in enumerate(runs):
        once: dict[str, float] = {}
        ran: set[str] = set()
        for test in record.tests:
            nodeid = test.nodeid
            if nodeid in ran:
                once.pop(nodeid, None)  # ran again: neither execution is the usual one
            elif test.outcome is passed:
                once[nodeid] = test.duration_s
            ran.add(nodeid)
        for nodeid, duration_s in once.items():
            indices, values = found.setdefault(nodeid, ([], []))
            indices.append(index)
            values.append(duration_s)
    return {nodeid: kept for nodeid, kept in found.items() if len(kept[0]) >= _MIN_RUNS}


def _factors(durations: _Durations, runs: int) -> list[float]:
    """
    Return how many times as long as usual the tests of each run took, as a median over tests.

    Without it a slower machine, or a slow-down of everything, which the CPU
    time of the whole run tells, would be a change of every single test.
    """
    usual = {
        nodeid: median
        for nodeid, (indices, values) in durations.items()
        if len(indices) > runs / 2 and (median := statistics.median(values)) >= _FACTOR_MIN_S
    }
    longest = sorted(usual, key=lambda nodeid: (-usual[nodeid], nodeid))[:_FACTOR_TESTS]
    ratios: list[list[float]] = [[] for _ in range(runs)]
    for nodeid in longest:
        median = usual[nodeid]
        for index, value in zip(*durations[nodeid], strict=True):
            ratios[index].append(value / median)
    return [
        statistics.median(each) or 1.0 if len(each) >= _FACTOR_MIN_TESTS else 1.0 for each in ratios
    ]


def _drift(line: _Line, point: ChangePoint) -> Drift:
    last, first = line.runs[point.earliest - 1], line.runs[point.latest]
    return Drift(
        series=first.series,
        fingerprint=first.host.fingerprint,
        metric=line.metric,
        nodeid=line.nodeid,
        unit=line.unit,
        before=point.before,
        after=point.after,
        n_before=point.n_before,
        n_after=point.n_after,
        last_before=_milestone(last),
        first_after=_milestone(first),
        likely=_milestone(line.runs[point.at]),
        now=statistics.median(line.values[-MIN_SEGMENT:]),
        compare_url=_compare_url(last, first),
    )


def _milestone(record: Record) -> Milestone:
    return Milestone(
        record_id=record.id,
        sha=record.origin.sha,
        started_at=record.started_at,
        url=record.origin.url,
    )


def _compare_url(last: Record, first: Record) -> str:
    """Return GitHub's page of the commits in between, from the address of the run's own page."""
    repository, old, new = first.origin.repository, last.origin.sha, first.origin.sha
    base, found, _ = first.origin.url.partition(f"/{repository}/actions/")
    if not (repository and found and old and new and old != new):
        return ""
    return f"{base}/{repository}/compare/{old}...{new}"


def _usual(value: float) -> bool:
    return math.isfinite(value) and value >= 0


def _when(record: Record) -> tuple[str, str]:
    # Without the Z, fractions of a second sort after the whole second.
    return record.started_at.removesuffix("Z"), record.id


def _newest_first(drift: Drift) -> tuple[tuple[int, ...], str, str, str]:
    instant = tuple(-ord(char) for char in drift.first_after.started_at)
    return instant, drift.nodeid, drift.metric, drift.fingerprint


def _worst_first(drift: Drift) -> tuple[bool, bool, float, str]:
    lost = drift.change if not drift.nodeid else drift.after - drift.before
    return not drift.worse, bool(drift.nodeid), -lost, drift.nodeid or drift.metric
