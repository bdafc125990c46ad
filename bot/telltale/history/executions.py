"""
Executions of tests, and the tests of a record, as parallel columns.

A million objects take seconds to make and most are only passed on. Readers see
sequences of `TestResult` and `RecordedTest` all the same; whoever needs speed
takes the columns.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import overload

from telltale.model import TestOutcome, TestResult
from telltale.records import RecordedTest


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Executions(Sequence[TestResult]):
    """What a test report holds, as far as a record keeps it."""

    nodeids: Sequence[str]
    outcomes: Sequence[TestOutcome]
    durations_s: Sequence[float]
    said: Mapping[int, tuple[str, str]] = field(default_factory=dict)
    """First line and whole text of failures, by index."""
    cpu_s: Sequence[float | None] | None = None
    rss_peak_change_bytes: Sequence[int | None] | None = None

    @classmethod
    def of(cls, results: Sequence[TestResult]) -> Executions:
        """Return results as columns; theirs where they have them."""
        if isinstance(results, Executions):
            return results
        return cls(
            nodeids=[each.nodeid for each in results],
            outcomes=[each.outcome for each in results],
            durations_s=[each.duration_s for each in results],
            said={
                index: (each.message, each.text)
                for index, each in enumerate(results)
                if each.message or each.text
            },
            cpu_s=[each.cpu_s for each in results],
            rss_peak_change_bytes=[each.rss_peak_change_bytes for each in results],
        )

    def __len__(self) -> int:
        return len(self.nodeids)

    @overload
    def __getitem__(self, index: int) -> TestResult: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[TestResult]: ...
    def __getitem__(self, index: int | slice) -> TestResult | Sequence[TestResult]:
        if isinstance(index, slice):
            return [self._at(one) for one in range(*index.indices(len(self)))]
        return self._at(range(len(self))[index])

    def __iter__(self) -> Iterator[TestResult]:
        return map(self._at, range(len(self)))

    def _at(self, index: int) -> TestResult:
        message, text = self.said.get(index, ("", ""))
        return TestResult(
            nodeid=self.nodeids[index],
            outcome=self.outcomes[index],
            duration_s=self.durations_s[index],
            message=message,
            text=text,
            cpu_s=self.cpu_s[index] if self.cpu_s else None,
            rss_peak_change_bytes=(
                self.rss_peak_change_bytes[index] if self.rss_peak_change_bytes else None
            ),
        )


class RecordedTests(Sequence[RecordedTest]):
    """The tests of a record; equal to any sequence of the same tests."""

    __slots__ = (
        "cpu_s",
        "durations_s",
        "nodeids",
        "outcomes",
        "rss_peak_change_bytes",
        "signatures",
    )

    def __init__(
        self,
        *,
        nodeids: Sequence[str],
        outcomes: Sequence[TestOutcome],
        durations_s: Sequence[float],
        signatures: Mapping[int, str],
        cpu_s: Sequence[float | None] | None = None,
        rss_peak_change_bytes: Sequence[int | None] | None = None,
    ) -> None:
        self.nodeids = nodeids
        self.outcomes = outcomes
        self.durations_s = durations_s
        self.signatures = signatures
        self.cpu_s = cpu_s
        self.rss_peak_change_bytes = rss_peak_change_bytes

    @classmethod
    def of(cls, tests: Sequence[RecordedTest]) -> RecordedTests:
        """Return tests as columns; theirs where they have them."""
        if isinstance(tests, RecordedTests):
            return tests
        return cls(
            nodeids=[each.nodeid for each in tests],
            outcomes=[each.outcome for each in tests],
            durations_s=[each.duration_s for each in tests],
            signatures={at: each.signature for at, each in enumerate(tests) if each.signature},
            cpu_s=[each.cpu_s for each in tests],
            rss_peak_change_bytes=[each.rss_peak_change_bytes for each in tests],
        )

    def __len__(self) -> int:
        return len(self.nodeids)

    @overload
    def __getitem__(self, index: int) -> RecordedTest: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[RecordedTest]: ...
    def __getitem__(self, index: int | slice) -> RecordedTest | Sequence[RecordedTest]:
        if isinstance(index, slice):
            return tuple(self._at(one) for one in range(*index.indices(len(self))))
        return self._at(range(len(self))[index])

    def __iter__(self) -> Iterator[RecordedTest]:
        return map(self._at, range(len(self)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or len(self) != len(other):
            return NotImplemented if not isinstance(other, Sequence) else False
        return all(mine == theirs for mine, theirs in zip(self, other, strict=True))

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return repr(tuple(self))

    def _at(self, index: int) -> RecordedTest:
        return RecordedTest(
            nodeid=self.nodeids[index],
            outcome=self.outcomes[index],
            duration_s=self.durations_s[index],
            signature=self.signatures.get(index, ""),
            cpu_s=self.cpu_s[index] if self.cpu_s else None,
            rss_peak_change_bytes=(
                self.rss_peak_change_bytes[index] if self.rss_peak_change_bytes else None
            ),
        )
