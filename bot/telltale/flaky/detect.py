"""
Tell a flaky failure from a new one: records in, verdicts with reasons out.

A test is flaky when it passed and failed on the same code in the same
environment. Nothing else proves it: a test that fails on one commit and
passes on the next was perhaps broken and repaired.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence

from telltale.model import Failure, FailureKind, Outcome, TestOutcome
from telltale.recorded import Lookup, RecordedTests
from telltale.records import FailureVerdict, Flake, JudgedFailure, Occurrence, Record, Series
from telltale.values import dataclass

BROKEN_STREAK = 3
"""So many failures in a row, without a pass on the same code, are not called flaky.

Source: LUCI Analysis calls a test consistently failing from three on.
"""

_FlakeName = tuple[Series, str, str]
"""Series, nodeid and signature: what makes two failures the same flake."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Execution:
    """One execution of one test, or of the whole command for the empty nodeid."""

    record: Record
    nodeid: str
    passed: bool
    signature: str
    """Empty when it passed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Code and environment: between two executions in one place only luck differs."""

    series: Series
    nodeid: str
    code: tuple[str, int | None]
    fingerprint: str


def find_flakes(records: Sequence[Record]) -> tuple[Flake, ...]:
    """
    Return every signature that came and went on unchanged code, most failures first.

    A record of a fork proves nothing, for its author may have written it by
    hand; its failures are listed once another record has proven the flake.
    """
    executions = list(_executions(records, _failing(records)))
    beside: dict[_FlakeName, list[_Execution]] = defaultdict(list)
    steady: set[tuple[_Place, str]] = set()
    for place, here in _by_place(executions).items():
        passes = [execution for execution in here if execution.passed]
        for signature in {execution.signature for execution in here if not execution.passed}:
            if passes:
                beside[place.series, place.nodeid, signature] += passes
            elif len(here) > 1:
                steady.add((place, signature))
    of_test: dict[str, list[_Execution]] = defaultdict(list)
    for execution in executions:
        of_test[execution.nodeid].append(execution)
    flakes = (_flake(name, passes, of_test[name[1]], steady) for name, passes in beside.items())
    return tuple(sorted(flakes, key=lambda flake: (-len(flake.failed), flake.series, flake.nodeid)))


def judge_failures(head: Record, records: Sequence[Record]) -> tuple[JudgedFailure, ...]:
    """
    Say for each failure of `head` what the history knows about it.

    `records` are those of the history in any order; `head` may be among them.
    """
    history = _Evidence(head=head, records=records)
    return tuple(history.judge(failure) for failure in head.failures)


class _Evidence:
    """The history as seen from the run under report."""

    def __init__(self, *, head: Record, records: Sequence[Record]) -> None:
        others = [record for record in records if record.id != head.id]
        mine = [record for record in others if record.series == head.series]
        self.head = head
        self.flakes = find_flakes([*mine, head])
        asked = {failure.nodeid for failure in head.failures}
        executions = list(_executions([*mine, head], asked))
        self.places = _by_place(executions)
        self.runs: dict[tuple[str, str], list[_Execution]] = defaultdict(list)
        for one in executions:
            self.runs[one.record.id, one.nodeid].append(one)
        local = head.origin.local
        # Newest first. What runs at a terminal is compared with what ran there before.
        self.baseline = sorted(
            (
                record
                for record in mine
                if not record.invalid and (record.origin.trusted or (local and record.origin.local))
            ),
            key=_when,
            reverse=True,
        )
        self.of_baseline = "earlier runs" if local else "runs of the default branch"

    def judge(self, failure: Failure) -> JudgedFailure:
        """Return the verdict: proof on this very code first, then what the default branch does."""
        if self.head.invalid:
            reason = f"the run is no valid measurement: {self.head.invalid[0]}"
            return JudgedFailure(failure=failure, verdict=FailureVerdict.UNDECIDED, reason=reason)
        flake = self._flake(failure)
        ran = [
            (record, here)
            for record in self.baseline
            if (here := self.runs.get((record.id, failure.nodeid)))
        ]
        streak = list(itertools.takewhile(lambda run: _fails(run[1], failure.signature), ran))
        if flake and (self._passed_here(failure) or len(streak) < BROKEN_STREAK):
            reason = self._proof(failure)
            return JudgedFailure(
                failure=failure, verdict=FailureVerdict.FLAKY, reason=reason, flake=flake
            )
        seen = [record for record, here in ran if _fails(here, failure.signature)]
        if seen:
            return JudgedFailure(
                failure=failure,
                verdict=FailureVerdict.KNOWN,
                reason=self._known(seen, streak=len(streak), runs=len(ran)),
            )
        if not self.baseline:
            return JudgedFailure(
                failure=failure,
                verdict=FailureVerdict.UNDECIDED,
                reason=f"the history has no {self.of_baseline} to compare with",
            )
        return JudgedFailure(
            failure=failure,
            verdict=FailureVerdict.NEW,
            reason=f"not seen in {_count(len(self.baseline), self.of_baseline)}"
            + self._otherwise(ran),
        )

    def _flake(self, failure: Failure) -> Flake | None:
        name = (self.head.series, failure.nodeid, failure.signature)
        known = (flake for flake in self.flakes if _name(flake) == name)
        return next(known, None)

    def _passed_here(self, failure: Failure) -> bool:
        place = _place(self.head, failure.nodeid)
        return place is not None and any(one.passed for one in self.places.get(place, ()))

    def _proof(self, failure: Failure) -> str:
        """Name the code on which it did both: this one if possible, else where it did most."""
        here = _place(self.head, failure.nodeid)
        both = [
            (place, executions)
            for place, executions in self.places.items()
            if place.nodeid == failure.nodeid
            and any(one.passed for one in executions)
            and any(one.signature == failure.signature for one in executions)
        ]
        # The newest of equals, so that the order of the records does not matter.
        place, executions = max(
            both,
            key=lambda item: (
                item[0] == here,
                len(item[1]),
                max(_when(one.record) for one in item[1]),
            ),
        )
        bad = sum(one.signature == failure.signature for one in executions)
        good = sum(one.passed for one in executions)
        runs = len({one.record.id for one in executions})
        times = "runs" if runs == len(executions) else "executions"
        machine = "this" if place.fingerprint == self.head.host.fingerprint else "another"
        return (
            f"passed in {good} and failed in {bad} of {len(executions)} {times}"
            f" of {place.code[0][:7]} on {machine} kind of machine"
        )

    def _known(self, seen: Sequence[Record], *, streak: int, runs: int) -> str:
        first = seen[streak - 1] if streak else seen[0]
        at = f"{_short(first)}, {first.started_at[:10]}"
        if streak:
            since = f"in the newest {_count(streak, self.of_baseline)}, since {at}"
            return f"fails without this change: {since}"
        return (
            f"failed in {len(seen)} of {_count(runs, self.of_baseline)}, last at {at};"
            " never seen to pass there on the same code"
        )

    def _otherwise(self, ran: Sequence[tuple[Record, Sequence[_Execution]]]) -> str:
        if not ran:
            return "; the test itself is new there"
        others = sum(any(not one.passed for one in here) for _, here in ran)
        return f"; the same test failed in {others} of them with another cause" if others else ""


def _failing(records: Iterable[Record]) -> set[str]:
    """Return what failed in any of them: nothing else can be flaky, and most tests never fail."""
    return {""}.union(*(RecordedTests.of(record.tests).failing() for record in records))


def _executions(records: Iterable[Record], nodeids: Collection[str]) -> Iterator[_Execution]:
    """Yield the executions of these tests alone; the empty nodeid is the whole command."""
    lookup = Lookup(nodeids)
    for record in records:
        for test in lookup.within(RecordedTests.of(record.tests)):
            if test.outcome is TestOutcome.PASSED or test.outcome.bad:
                yield _Execution(
                    record=record,
                    nodeid=test.nodeid,
                    passed=test.outcome is TestOutcome.PASSED,
                    signature="" if test.outcome is TestOutcome.PASSED else test.signature,
                )
        # The command as a whole is an execution too: not every command names its tests.
        whole = [failure.signature for failure in record.failures if not failure.nodeid]
        passed = record.outcome is Outcome.PASSED and not record.disagreements
        if "" in nodeids and (whole or passed):
            yield _Execution(
                record=record, nodeid="", passed=not whole, signature=whole[0] if whole else ""
            )


def _by_place(executions: Iterable[_Execution]) -> dict[_Place, list[_Execution]]:
    found: dict[_Place, list[_Execution]] = defaultdict(list)
    for execution in executions:
        place = _place(execution.record, execution.nodeid)
        if place is not None and not execution.record.origin.fork:
            found[place].append(execution)
    return found


def _place(record: Record, nodeid: str) -> _Place | None:
    """Return where the test ran; None when the code or the machine is not known for certain."""
    origin = record.origin
    clean = record.dirty is False or (record.dirty is None and origin.run_id is not None)
    if record.invalid:
        return None  # the environment was not the one that was required
    if not (origin.sha and clean and record.host.fingerprint):
        return None
    # A pull request is tested merged into a base that moves between its runs; only the
    # attempts of one run have the same code.
    merged = origin.run_id if origin.pull_request is not None else None
    return _Place(
        series=record.series,
        nodeid=nodeid,
        code=(origin.sha, merged),
        fingerprint=record.host.fingerprint,
    )


def _flake(
    name: _FlakeName,
    passes: Sequence[_Execution],
    executions: Sequence[_Execution],
    steady: set[tuple[_Place, str]],
) -> Flake:
    series, nodeid, signature = name
    ran = [one for one in executions if one.record.series == series and one.nodeid == nodeid]
    failed = [
        one
        for one in ran
        if one.signature == signature and (_place(one.record, nodeid), signature) not in steady
    ]
    failed.sort(key=lambda one: _when(one.record))
    return Flake(
        nodeid=nodeid,
        series=series,
        failure=_latest(failed, nodeid, signature),
        failed=tuple(_occurrence(one.record) for one in failed),
        passed_beside=tuple(
            _occurrence(one.record) for one in sorted(passes, key=lambda one: _when(one.record))
        ),
        runs=len(ran),
    )


def _latest(failed: list[_Execution], nodeid: str, signature: str) -> Failure:
    # The text goes into an issue: a fork's is taken only when there is no other.
    newest_first = failed[::-1]
    newest_first.sort(key=lambda one: one.record.origin.fork)
    for one in newest_first:
        for failure in one.record.failures:
            if (failure.nodeid, failure.signature) == (nodeid, signature):
                return failure
    return Failure(
        nodeid=nodeid, kind=FailureKind.UNKNOWN, signature=signature, message="", text=""
    )


def _occurrence(record: Record) -> Occurrence:
    origin = record.origin
    return Occurrence(
        record_id=record.id,
        started_at=record.started_at,
        sha=origin.sha,
        run_id=origin.run_id,
        run_attempt=origin.run_attempt,
        url=origin.url,
        branch=origin.branch,
        pull_request=origin.pull_request,
        fork=origin.fork,
        default_branch=origin.default_branch,
        fingerprint=record.host.fingerprint,
    )


def _name(flake: Flake) -> _FlakeName:
    return flake.series, flake.nodeid, flake.signature


def _fails(here: Sequence[_Execution], signature: str) -> bool:
    return all(not one.passed for one in here) and any(one.signature == signature for one in here)


def _when(record: Record) -> tuple[str, int, str]:
    return record.started_at, record.origin.run_attempt, record.id


def _short(record: Record) -> str:
    return record.origin.sha[:7] or "an unknown commit"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number != 1 else f"1 {what.replace('runs', 'run', 1)}"
