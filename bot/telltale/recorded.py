"""
The tests of a record as parallel columns.

A history of 200 runs of 10,000 tests is two million objects, which take seconds
to make and a gigabyte to keep, and hardly any is looked at. Readers see a
sequence of `RecordedTest` all the same; whoever needs speed takes the columns.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import overload

from telltale.model import TestOutcome
from telltale.records import RecordedTest

LETTERS: Mapping[TestOutcome, str] = {
    TestOutcome.PASSED: "p",
    TestOutcome.FAILED: "f",
    TestOutcome.ERROR: "e",
    TestOutcome.SKIPPED: "s",
    TestOutcome.INTERRUPTED: "i",
}
"""The outcomes of a record's tests are one string."""
PASSED = LETTERS[TestOutcome.PASSED]

# An enumeration's hash is a function of Python; its members are there once each.
_LETTER_OF = {id(outcome): letter for outcome, letter in LETTERS.items()}
_OUTCOMES = {letter: outcome for outcome, letter in LETTERS.items()}
_BAD = re.compile("[" + "".join(letter for each, letter in LETTERS.items() if each.bad) + "]")


def letters_of(outcomes: Iterable[TestOutcome]) -> str:
    """Return outcomes as a record keeps them."""
    return "".join(map(_LETTER_OF.__getitem__, map(id, outcomes)))


class Seconds(Sequence[float]):
    """Whole microseconds, read as seconds."""

    __slots__ = ("microseconds",)

    def __init__(self, microseconds: array[int]) -> None:
        self.microseconds = microseconds

    def __len__(self) -> int:
        return len(self.microseconds)

    @overload
    def __getitem__(self, index: int) -> float: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[float]: ...
    def __getitem__(self, index: int | slice) -> float | Sequence[float]:
        if isinstance(index, slice):
            return Seconds(self.microseconds[index])
        return self.microseconds[index] / 1e6

    def __iter__(self) -> Iterator[float]:
        return (each / 1e6 for each in self.microseconds)


class RecordedTests(Sequence[RecordedTest]):
    """The tests of a record; equal to any sequence of the same tests."""

    __slots__ = (
        "cpu_s",
        "durations_s",
        "letters",
        "nodeids",
        "rss_peak_change_bytes",
        "signatures",
    )

    def __init__(
        self,
        *,
        nodeids: Sequence[str],
        letters: str,
        durations_s: Sequence[float],
        signatures: Mapping[int, str],
        cpu_s: Sequence[float | None] | None = None,
        rss_peak_change_bytes: Sequence[int | None] | None = None,
    ) -> None:
        self.nodeids = nodeids
        self.letters = letters
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
            letters=letters_of(each.outcome for each in tests),
            durations_s=[each.duration_s for each in tests],
            signatures={at: each.signature for at, each in enumerate(tests) if each.signature},
            cpu_s=[each.cpu_s for each in tests],
            rss_peak_change_bytes=[each.rss_peak_change_bytes for each in tests],
        )

    def failing(self) -> set[str]:
        """Return the nodeids of what failed."""
        return {self.nodeids[found.start()] for found in _BAD.finditer(self.letters)}

    def count(self, value: object) -> int:
        """Return how many tests ended with an outcome; of anything else, how often it is there."""
        if isinstance(value, TestOutcome):
            return self.letters.count(LETTERS[value])
        return super().count(value)

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
            outcome=_OUTCOMES[self.letters[index]],
            duration_s=self.durations_s[index],
            signature=self.signatures.get(index, ""),
            cpu_s=self.cpu_s[index] if self.cpu_s else None,
            rss_peak_change_bytes=(
                self.rss_peak_change_bytes[index] if self.rss_peak_change_bytes else None
            ),
        )


class Lookup:
    """Finds the executions of some tests in many records."""

    def __init__(self, nodeids: Collection[str]) -> None:
        self._nodeids = nodeids
        self._of: Sequence[str] = ()
        self._places: Sequence[int] = ()

    def within(self, tests: RecordedTests) -> Iterator[RecordedTest]:
        """Yield the executions of those tests, in order."""
        # Records that name the same tests share the column: looked through once.
        if tests.nodeids is not self._of:
            self._places = [at for at, name in enumerate(tests.nodeids) if name in self._nodeids]
            self._of = tests.nodeids
        return map(tests.__getitem__, self._places)
