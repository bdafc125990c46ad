"""
Find the slow drift on the default branch that no single pull request shows.

Everything is pure. Figures of one series, from runs on one kind of machine, in
the order of the runs; `changepoints` says where their level changed.
docs/drift.md has the rule in words, and how often it is wrong.
"""

from __future__ import annotations

import math
import statistics
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from telltale.compare.baseline import executed, unmeasured
from telltale.compare.changepoints import MIN_SEGMENT, ChangePoint, Floor, change_points
from telltale.compare.judge import METRICS
from telltale.compare.load import busy, usual
from telltale.compare.suspects import TEST_METRICS
from telltale.recorded import PASSED, RecordedTests
from telltale.records import Drift, Milestone, Record

WHOLE_RUN = 0.05
SINGLE_TEST = Floor(change=0.10, amount=0.020)
OTHER_WORK = 0.10
"""By how much the number of tests may differ from the usual one, as a part of it."""
RECENT = 9
"""The last so many runs say what is usual."""

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
    indices: Sequence[int]
    """Of the runs, rising."""
    values: Sequence[float]

    def changes(self, end: int) -> Iterator[_Change]:
        """Yield the changes that can be seen in the first `end` runs."""
        cut = bisect_left(self.indices, end)
        for point in change_points(self.values[:cut], self.floor, family=self.family):
            yield _Change(
                line=self,
                point=point,
                earliest=self.indices[point.earliest],
                latest=self.indices[point.latest],
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    """A change of one figure; its new level began with one of the runs `earliest` to `latest`."""

    line: _Line
    point: ChangePoint
    earliest: int
    latest: int

    def same(self, other: _Change) -> bool:
        """Return whether both are one change, seen in other figures or with other runs after it."""
        return (
            (self.point.after > self.point.before) == (other.point.after > other.point.before)
            and self.earliest - MIN_SEGMENT <= other.latest
            and other.earliest - MIN_SEGMENT <= self.latest
        )


def find_drifts(records: Sequence[Record]) -> tuple[Drift, ...]:
    """
    Return every change of level in the records of one series, the newest first.

    `records` may be in any order and hold any runs; those of the default branch
    count, or, where there is not one, those at a terminal.
    """
    found = [
        _drift(change, runs)
        for runs in _by_machine(_usable(records))
        for lines in _subjects(runs)
        for change in _once(lines, len(runs))
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
    machines = _by_machine(_usable([*known, head]))
    runs = next((runs for runs in machines if runs[-1].id == head.id), None)
    if runs is None:
        return ()
    found = [
        _drift(change, runs)
        for lines in _subjects(runs)
        for change in _once(lines, len(runs))
        if not _seen_before(change, lines, len(runs))
    ]
    return tuple(sorted(found, key=_worst_first))


def _once(lines: Sequence[_Line], end: int) -> list[_Change]:
    """Return the changes of one subject, each in the first of its figures that shows it."""
    found: list[_Change] = []
    for line in lines:
        further = [change for change in line.changes(end) if not any(map(change.same, found))]
        found += further
    return found


def _seen_before(change: _Change, lines: Sequence[_Line], runs: int) -> bool:
    """Return whether an earlier run could tell of this change."""
    # The newest first: what is known is as a rule known since yesterday.
    return any(
        change.same(earlier)
        for end in range(runs - 1, change.earliest, -1)
        for line in lines
        for earlier in line.changes(end)
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
        as_a_rule = statistics.median(counts[max(0, index - RECENT + 1) : index + 1])
        if abs(counts[index] - as_a_rule) <= OTHER_WORK * as_a_rule:
            yield record


def _calm(runs: list[Record]) -> list[Record]:
    """
    Leave out runs on a busy machine, or nothing where most are.

    Usual is what the last runs were: when the program itself waits more from
    some commit on, that is usual after five runs.
    """
    calm = [
        record
        for index, record in enumerate(runs)
        if not busy(record, usual(runs[max(0, index - RECENT + 1) : index + 1]))
    ]
    return calm if len(calm) >= max(_MIN_RUNS, len(runs) / 2) else runs


def _by_machine(runs: Sequence[Record]) -> list[list[Record]]:
    found: dict[str, list[Record]] = defaultdict(list)
    for record in runs:
        # A machine that is not known is not known to be the same.
        if record.host.fingerprint:
            found[record.host.fingerprint].append(record)
    return [calm for group in found.values() if len(calm := _calm(group)) >= _MIN_RUNS]


def _subjects(runs: Sequence[Record]) -> Iterator[Sequence[_Line]]:
    """Yield the figures that may drift, those of one test together, the one to believe first."""
    deciding = [metric for metric in METRICS if not metric.advisory]
    for metric in deciding:
        figures = [metric.value(record.resources) for record in runs]
        known = [(at, value) for at, value in enumerate(figures) if value and _sound(value)]
        yield [
            _Line(
                metric=metric.name,
                nodeid="",
                unit=metric.unit,
                floor=Floor(change=WHOLE_RUN, amount=metric.floor),
                family=len(deciding),
                indices=[at for at, _ in known],
                values=[value for _, value in known],
            )
        ]
    seconds = _seconds(runs)
    lines = [_lines(metric, figures, len(runs)) for metric, figures in seconds.items()]
    for nodeid in dict.fromkeys(nodeid for each in lines for nodeid in each):
        yield [each[nodeid] for each in lines if nodeid in each]


_Seconds = dict[str, tuple[list[int], list[float]]]
"""By nodeid: in which runs it passed, and how many seconds it took there."""


def _lines(metric: str, seconds: _Seconds, runs: int) -> Mapping[str, _Line]:
    known = {nodeid: kept for nodeid, kept in seconds.items() if len(kept[0]) >= _MIN_RUNS}
    factors = _factors(known, runs)
    least = SINGLE_TEST.amount * min(factors, default=1.0)
    return {
        nodeid: _Line(
            metric=metric,
            nodeid=nodeid,
            unit="s",
            floor=SINGLE_TEST,
            family=len(known),
            indices=indices,
            values=[value / factors[at] for at, value in zip(indices, values, strict=True)],
        )
        for nodeid, (indices, values) in known.items()
        # The cheap question first: most tests never take so long as a change must be.
        if max(values) > least
    }


def _seconds(runs: Sequence[Record]) -> Mapping[str, _Seconds]:
    """Return the figures of the tests that passed and ran once in a run, by metric."""
    found: dict[str, _Seconds] = {metric.name: {} for metric in TEST_METRICS}
    for at, record in enumerate(runs):
        tests = RecordedTests.of(record.tests)
        once: dict[str, int] = {}
        for place, (nodeid, letter) in enumerate(zip(tests.nodeids, tests.letters, strict=True)):
            # Ran again: neither execution is the usual one.
            once[nodeid] = place if letter == PASSED and nodeid not in once else -1
        for metric in TEST_METRICS:
            values = list(metric.column(tests) or ())
            if values:
                _append(found[metric.name], once, at, values)
    return found


def _append(
    seconds: _Seconds, once: Mapping[str, int], at: int, values: Sequence[float | None]
) -> None:
    for nodeid, place in once.items():
        value = values[place] if place >= 0 else None
        if value is None or not _sound(value):
            continue
        kept = seconds.get(nodeid)
        if kept is None:
            kept = seconds[nodeid] = ([], [])
        kept[0].append(at)
        kept[1].append(value)


def _factors(seconds: _Seconds, runs: int) -> list[float]:
    """
    Return how many times as long as usual the tests of each run took, as a median over tests.

    Without it a slower machine, or a slow-down of everything, which the CPU
    time of the whole run tells, would be a change of every single test.
    """
    medians = {
        nodeid: median
        for nodeid, (indices, values) in seconds.items()
        if len(indices) > runs / 2 and (median := statistics.median(values)) >= _FACTOR_MIN_S
    }
    longest = sorted(medians, key=lambda nodeid: (-medians[nodeid], nodeid))[:_FACTOR_TESTS]
    ratios: list[list[float]] = [[] for _ in range(runs)]
    for nodeid in longest:
        median = medians[nodeid]
        for at, value in zip(*seconds[nodeid], strict=True):
            ratios[at].append(value / median)
    return [
        statistics.median(each) or 1.0 if len(each) >= _FACTOR_MIN_TESTS else 1.0 for each in ratios
    ]


def _drift(change: _Change, runs: Sequence[Record]) -> Drift:
    line, point = change.line, change.point
    last, first = runs[line.indices[point.earliest - 1]], runs[change.latest]
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
        likely=_milestone(runs[line.indices[point.at]]),
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


def _sound(value: float) -> bool:
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
