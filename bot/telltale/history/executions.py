"""
Executions of tests as parallel columns.

A million objects take seconds to make and most are only passed on. Readers see
a sequence of `TestResult` all the same; whoever needs speed takes the columns.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import overload

from telltale.model import TestOutcome, TestResult


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
