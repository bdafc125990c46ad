"""
Read JUnit XML, whoever wrote it: pytest, unittest, gtest, surefire, jest, Go and their like.

A streaming reader on expat for both halves: no tree is built, entities are
refused, and of a file that ends in the middle the first part is kept. There
is no schema all of them follow; what is read here is what they share.

What it finds are parallel lists, not objects: a million test cases would be
seconds of making objects, and most of them only say "passed".
"""

from __future__ import annotations

import contextlib
import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from xml.parsers import expat

from telltale.bundle import clip
from telltale.model import TestOutcome

SIZE_LIMIT = 256 * 1024 * 1024
"""Bytes of one file that are read."""
CASES_LIMIT = 1_000_000
"""Executions of one file; the rest is not read."""
DEPTH_LIMIT = 100
"""Suites in suites in ...: deeper nesting is nobody's test report."""
NUMBERS_LIMIT = 20_001
"""Properties of one file that are numbers: one more than a record keeps."""
NAME_LIMIT = 100
"""Characters of a property's name."""
MESSAGE_LIMIT = 1000
TEXT_LIMIT = 64 * 1024
"""Characters of one failure that are kept."""
ALL_TEXTS = 64 * 1024 * 1024
"""Characters of all failures of a file; beyond it each keeps a thousand."""
_COLLECT_LIMIT = 1024 * 1024
_CHUNK = 256 * 1024
_ROOTS = frozenset({"testsuite", "testsuites"})
_BAD = {"failure": TestOutcome.FAILED, "error": TestOutcome.ERROR}
_EARLIER = {
    "flakyFailure": TestOutcome.FAILED,
    "rerunFailure": TestOutcome.FAILED,
    "flakyError": TestOutcome.ERROR,
    "rerunError": TestOutcome.ERROR,
}
"""Surefire's elements for what the run saw of a test before its last word."""
_WORST_FIRST = (TestOutcome.FAILED, TestOutcome.ERROR, TestOutcome.SKIPPED)
_PASSED, _SKIPPED = TestOutcome.PASSED, TestOutcome.SKIPPED
_TOO_DEEP = f"its elements are nested more than {DEPTH_LIMIT} deep"
_NO_STATUS = frozenset({"notrun", "disabled"})
_NOT_RUN = frozenset({"skipped", "suppressed"})
_GROUPED = re.compile(r"[1-9]\d{0,2}(,\d{3})+(\.\d*)?", re.ASCII)
_COMMA = re.compile(r"\d+,\d+", re.ASCII)
# Not what float() takes: "nan", "inf" and "1_000" are no numbers that a test measured.
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_DIGITS = 60


class Document:
    """
    What one file holds: parallel lists with one entry for each execution of a test.

    An execution that the run itself tried again (Surefire's elements) comes
    before the test's last one, takes no time, and is in `earlier`.
    """

    def __init__(self) -> None:
        self.classnames: list[str] = []
        self.names: list[str] = []
        self.files: list[str] = []
        """The `file` attribute, empty where there is none."""
        self.outcomes: list[TestOutcome] = []
        self.durations_s: list[float] = []
        self.said: dict[int, tuple[str, str]] = {}
        """First line and whole text of failures, by index; of skipped tests the reason and no text."""
        self.earlier: set[int] = set()
        self.numbers: list[tuple[int, str, float]] = []
        """Index, name and value of each property that is a number."""
        self.problem = ""
        """Why the file could not be read to its end; empty when it was."""


class RefusedError(Exception):
    """The document is not one that an honest runner writes."""


def read(path: Path) -> Document:
    """Return the test cases of a file; never raises for what is in it."""
    reader = _Reader()
    reader.found.problem = feed(path, reader.parser, after=reader.drain)
    reader.close()
    return reader.found


def feed(
    path: Path, parser: expat.XMLParserType, *, after: Callable[[], None] = lambda: None
) -> str:
    """
    Parse the file; return why that stopped before its end, empty when it did not.

    `after` is called after each piece, which is 256 KiB.
    """
    try:
        with path.open("rb") as file:
            left = SIZE_LIMIT
            while block := file.read(min(_CHUNK, left)):
                parser.Parse(block, False)
                after()
                left -= len(block)
            if left == SIZE_LIMIT:
                return "it is empty"
            if not left and file.read(1):
                return f"it is larger than {SIZE_LIMIT} bytes: the rest is not read"
            parser.Parse(b"", True)
    except expat.ExpatError as error:
        return f"line {error.lineno}: {expat.ErrorString(error.code)}"
    except RefusedError as error:
        return f"line {parser.CurrentLineNumber}: {error}"
    except (OSError, ValueError, LookupError) as error:
        # Python's own errors are about encodings that it does not know.
        return str(error)
    return ""


def new_parser(
    start: Callable[[str, dict[str, str]], None],
    end: Callable[[str], None],
    data: Callable[[str], None] | None,
) -> expat.XMLParserType:
    """Return a parser with these handlers that refuses entities."""
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = data
    # The "billion laughs" need an entity declaration; no runner writes one.
    parser.EntityDeclHandler = _refuse
    parser.ExternalEntityRefHandler = _refuse
    return parser


def _refuse(*_: object) -> int:
    raise RefusedError("it declares an entity, which no test runner does")


def seconds(text: str) -> float:
    """
    Return a duration as runners write it: 0 when it is negative, not finite or no number.

    `1,234.5` groups thousands, as Surefire does; `0,25` has the decimal comma
    of a runner in another language.
    """
    if "," in text:
        text = text.strip()
        if _GROUPED.fullmatch(text):
            text = text.replace(",", "")
        elif _COMMA.fullmatch(text):
            text = text.replace(",", ".")
    try:
        value = float(text)
    except ValueError:
        return 0.0
    return value if 0 <= value < 1e9 else 0.0


def number(text: str) -> float | None:
    """Return the finite decimal number that the text is, None when it is none."""
    text = text.strip()
    if len(text) > _DIGITS or not _NUMBER.fullmatch(text):
        return None
    value = float(text)
    return value if math.isfinite(value) else None


def first_line(text: str) -> str:
    """Return the first line that is not blank, as long as a message may be."""
    return next((line.strip() for line in text.splitlines() if line.strip()), "")[:MESSAGE_LIMIT]


class _Entry:
    """A child of a `<testcase>` that says how it went."""

    __slots__ = ("earlier", "message", "outcome", "text")

    def __init__(self, outcome: TestOutcome, message: str, *, earlier: bool) -> None:
        self.outcome = outcome
        self.message = message
        self.earlier = earlier
        self.text = ""


class _Seconds(dict[str, float]):
    """Durations by how they are written: most are a few milliseconds, and come again and again."""

    def __missing__(self, text: str) -> float:
        self[text] = value = seconds(text)
        return value


class _Reader:
    """
    Takes a document apart into its test cases.

    Where a case lies does not matter: runners put it into a suite, into a
    suite of suites, or directly below the root. Most cases are empty elements
    of tests that passed: their attributes are put aside, and made into columns
    for a whole piece of the file at once.
    """

    def __init__(self) -> None:
        self.found = Document()
        self._cases: list[dict[str, str]] = []
        """Attributes of the cases that are not in the columns yet, one for each execution."""
        self._outcomes: dict[int, TestOutcome] = {}
        """By index, of those whose elements said more than their attributes do."""
        self._entries: list[_Entry] = []
        """Of the open `<testcase>`."""
        self._properties = False
        self._collected: list[str] | None = None
        self._collect_level = 0
        self._room = 0
        self._texts = 0
        self._full = False
        self._seconds = _Seconds()
        self._same: dict[str, str] = {}
        """One object for equal classnames and files: they come a thousand times."""
        self.parser, self._is_open = self._handlers()

    def _handlers(self) -> tuple[expat.XMLParserType, Callable[[], bool]]:
        """Return the parser, and what tells whether a `<testcase>` is open."""
        # Functions with variables of their own: methods took half as long again.
        depth = case_depth = 0
        put_aside, entries = self._cases.append, self._entries

        def start(tag: str, attributes: dict[str, str]) -> None:
            nonlocal depth, case_depth
            depth += 1
            if case_depth:
                self._within(tag, attributes, depth, depth - case_depth)
            elif (tag == "testcase" and depth > 1) or self._is_case(tag, depth):
                case_depth = depth
                put_aside(attributes)

        def end(_: str) -> None:
            nonlocal depth, case_depth
            if depth == case_depth:
                case_depth = 0
                if entries:
                    self._say()
            elif self._collected is not None and depth == case_depth + self._collect_level:
                self._keep()
            depth -= 1

        return new_parser(start, end, None), lambda: case_depth > 0

    def drain(self) -> None:
        """Make columns of the cases that were put aside, except the latest: it may be open."""
        cases = self._cases[:-1]
        del self._cases[:-1]
        found, same = self.found, self._same.setdefault
        base = len(found.names)
        classnames, names, times, files, outcomes = _columns(cases)
        found.classnames += map(same, classnames, classnames)
        found.names += names
        found.files += map(same, files, files)
        if len(self._seconds) > 10_000:
            self._seconds.clear()
        found.durations_s += map(self._seconds.__getitem__, times)
        for index in [index for index in self._outcomes if index < base + len(cases)]:
            outcome = self._outcomes.pop(index)
            if outcome.bad or outcomes[index - base] is _PASSED:
                outcomes[index - base] = outcome
        found.outcomes += outcomes
        if len(found.names) > CASES_LIMIT and not self._full:
            self._full = True
            raise RefusedError(f"more than {CASES_LIMIT} tests: the rest is not read")

    def close(self) -> None:
        """End the document; a case whose end never came is left out."""
        found = self.found
        if self._is_open():
            at = self._index()
            found.numbers = [each for each in found.numbers if each[0] != at]
        else:
            # It takes the place of the one that `drain` leaves.
            self._cases.append({})
        self._full = True
        self.drain()
        for index in found.earlier:
            found.durations_s[index] = 0.0
        fold(found)
        # Parser and reader hold each other: what a file took shall go before the next is read.
        del self.parser

    def _index(self) -> int:
        """Return the index of the latest case."""
        return len(self.found.names) + len(self._cases) - 1

    @staticmethod
    def _is_case(tag: str, depth: int) -> bool:
        """Return whether an element outside of the cases is one."""
        tag = tag.rpartition(":")[2]
        if depth > DEPTH_LIMIT:
            raise RefusedError(_TOO_DEEP)
        if depth == 1 and tag not in _ROOTS:
            raise RefusedError(
                f"its root is <{tag[:60]}>: it holds no <testsuite>, so it is not JUnit XML"
            )
        return tag == "testcase"

    def _within(self, tag: str, attributes: dict[str, str], depth: int, level: int) -> None:
        """Take an element of a case: level 1 is directly in it."""
        if depth > DEPTH_LIMIT:
            raise RefusedError(_TOO_DEEP)
        if level == 1:
            self._inside(tag.rpartition(":")[2], attributes)
        elif level == 2:
            self._below(tag.rpartition(":")[2], attributes)

    def _inside(self, tag: str, attributes: Mapping[str, str]) -> None:
        self._properties = tag == "properties"
        message = attributes.get("message", "")
        if tag in _BAD or tag in _EARLIER:
            outcome = _BAD.get(tag) or _EARLIER[tag]
            message = message or attributes.get("type", "")
            self._entries.append(_Entry(outcome, message, earlier=tag in _EARLIER))
            self._collect(1)
        elif tag in {"skipped", "disabled"}:
            self._entries.append(_Entry(_SKIPPED, message, earlier=False))

    def _below(self, tag: str, attributes: Mapping[str, str]) -> None:
        if tag == "property" and self._properties and len(self.found.numbers) < NUMBERS_LIMIT:
            value = number(attributes.get("value", ""))
            if value is not None:
                name = attributes.get("name", "")[:NAME_LIMIT]
                self.found.numbers.append((self._index(), name, value))
        elif self._collected is not None:
            # What a failure says ends where an element in it begins; Surefire puts the text
            # of an earlier execution into an element of its own.
            self._keep()
            if tag == "stackTrace" and self._entries[-1].earlier:
                self._collect(2)

    def _collect(self, level: int) -> None:
        self._collected, self._collect_level, self._room = [], level, _COLLECT_LIMIT
        self.parser.CharacterDataHandler = self._data

    def _keep(self) -> None:
        """Give what was collected to its entry."""
        if self._collected is not None:
            self.parser.CharacterDataHandler = None
            text = "".join(self._collected).strip("\n")
            self._collected = None
            # Between tags there is nothing but white space: that says less than the message.
            self._entries[-1].text = text if text.strip() else self._entries[-1].text

    def _data(self, text: str) -> None:
        if self._collected is not None and self._room > 0:
            self._collected.append(text[: self._room])
            self._room -= len(text)

    def _say(self) -> None:
        """Keep what the case's entries say; earlier executions come before it."""
        entries = self._entries[:]
        self._entries.clear()
        found = self.found
        for each in entries:
            if each.earlier:
                at = self._index()
                self._cases.append(self._cases[-1])
                found.earlier.add(at)
                self._outcomes[at] = each.outcome
                said = self._words([each], bad=True)
                if any(said):
                    found.said[at] = said
                _renumber(found.numbers, at, at + 1)
        last = [each for each in entries if not each.earlier]
        outcomes = [each.outcome for each in last]
        # A test that failed and whose tear-down failed too has failed.
        outcome = next((one for one in _WORST_FIRST if one in outcomes), None)
        at = self._index()
        if outcome is not None:
            self._outcomes[at] = outcome
        said = self._words(last, bad=outcome is not None and outcome.bad)
        if any(said):
            found.said[at] = said

    def _words(self, entries: list[_Entry], *, bad: bool) -> tuple[str, str]:
        """Return the first line that says something, and the whole text of a failure."""
        failed = [each for each in entries if each.outcome.bad]
        text = "\n\n".join(each.text or each.message for each in failed) if bad else ""
        skips = [each.message for each in entries if not each.outcome.bad]
        said = (*(each.message for each in failed), text, *skips[-1:])
        kept = clip(text, TEXT_LIMIT if self._texts < ALL_TEXTS else 1000)
        self._texts += len(kept)
        return first_line(next(filter(None, said), "")), kept


_Columns = tuple[Sequence[str], Sequence[str], Sequence[str], Sequence[str], "list[TestOutcome]"]
_usual = operator.itemgetter("classname", "name", "time")


def _columns(cases: Sequence[dict[str, str]]) -> _Columns:
    """Return classnames, names, times, files and outcomes, as far as attributes tell them."""
    outcomes = [_PASSED] * len(cases)
    with contextlib.suppress(KeyError):
        usual = list(map(_usual, cases))
        # Nearly always: exactly these three, and not one of them is missing.
        if usual and sum(map(len, cases)) == 3 * len(cases):
            columns: tuple[Sequence[str], ...] = tuple(zip(*usual, strict=True))
            if "" not in columns[1]:
                return columns[0], columns[1], columns[2], [""] * len(cases), outcomes
    classnames, names, times, files = (
        [case.get(key, "") for case in cases] for key in ("classname", "name", "time", "file")
    )
    for index, case in enumerate(cases):
        if ("status" in case or "result" in case) and _not_run(case):
            outcomes[index] = _SKIPPED
        if not names[index] and not classnames[index]:
            # pytest leaves this when it was interrupted: a test had started and has no report.
            outcomes[index] = TestOutcome.INTERRUPTED
    return classnames, names, times, files, outcomes


def _not_run(case: Mapping[str, str]) -> bool:
    # gtest has no <skipped> for tests that it did not run, CTest none for disabled ones.
    return case.get("status") in _NO_STATUS or case.get("result") in _NOT_RUN


def fold(found: Document) -> None:
    """
    Fold the second `<testcase>` that pytest writes when a failed test's tear-down fails too.

    It follows the first, or under xdist comes somewhere behind it.
    """
    again = [
        at
        for at, (message, _) in sorted(found.said.items())
        if message.startswith("failed on teardown") and found.outcomes[at] is TestOutcome.ERROR
    ]
    if not again:
        return
    wanted = {(found.classnames[at], found.names[at]) for at in again}
    late = frozenset(again)
    firsts: dict[tuple[str, str], int] = {}
    folded: dict[int, int] = {}
    for at, names in enumerate(zip(found.classnames, found.names, strict=True)):
        if names not in wanted:
            continue
        before = firsts.get(names)
        if at in late and before is not None:
            message, text = found.said.get(before, ("", ""))
            found.said[before] = (message, clip(f"{text}\n\n{found.said[at][1]}", TEXT_LIMIT))
            found.durations_s[before] += found.durations_s[at]
            folded[at] = before
        elif found.outcomes[at] is TestOutcome.FAILED:
            firsts[names] = at
        else:
            firsts.pop(names, None)
    if folded:
        _leave_out(found, folded)


def _leave_out(found: Document, folded: Mapping[int, int]) -> None:
    """Take executions out of the columns; their numbers become those of another."""
    kept = [at for at in range(len(found.names)) if at not in folded]
    new = {old: at for at, old in enumerate(kept)}
    found.classnames = [found.classnames[at] for at in kept]
    found.names = [found.names[at] for at in kept]
    found.files = [found.files[at] for at in kept]
    found.outcomes = [found.outcomes[at] for at in kept]
    found.durations_s = [found.durations_s[at] for at in kept]
    found.said = {new[at]: said for at, said in found.said.items() if at in new}
    found.earlier = {new[at] for at in found.earlier}
    found.numbers = [(new[folded.get(at, at)], name, value) for at, name, value in found.numbers]


def _renumber(numbers: list[tuple[int, str, float]], old: int, new: int) -> None:
    """Give the numbers of the latest case its new index."""
    for place in range(len(numbers) - 1, -1, -1):
        index, name, value = numbers[place]
        if index != old:
            break
        numbers[place] = (new, name, value)
