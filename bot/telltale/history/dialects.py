"""
Read a small JUnit file with junitparser, which knows the dialects.

Expat cuts the document into test cases, so that only one is a tree at a time
and what must be refused is refused before anything is built.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from xml.etree.ElementTree import TreeBuilder

import junitparser
from junitparser import xunit2

from telltale import junitxml
from telltale.bundle import clip
from telltale.model import TestOutcome

_ROOTS = frozenset({"testsuites", "testsuite"})


def read(path: Path) -> junitxml.Document:
    """Return the test cases of a file; never raises for what is in it."""
    reader = _Reader()
    reader.found.problem = junitxml.feed(path, reader.parser)
    junitxml.fold(reader.found)
    return reader.found


class _Reader:
    """
    Takes a document apart into its test cases.

    Where a case lies does not matter: runners put it into a suite, into a
    suite of suites, or directly below the root.
    """

    def __init__(self) -> None:
        self.found = junitxml.Document()
        self.parser = junitxml.new_parser(self._start, self._end, self._data)
        self._depth = 0
        self._case_depth = 0
        self._builder: TreeBuilder | None = None

    def _start(self, name: str, attributes: Mapping[str, str]) -> None:
        tag = name.rpartition(":")[2]
        self._depth += 1
        if self._depth > junitxml.DEPTH_LIMIT:
            raise junitxml.RefusedError(
                f"its elements are nested more than {junitxml.DEPTH_LIMIT} deep"
            )
        if self._depth == 1 and tag not in _ROOTS:
            raise junitxml.RefusedError(
                f"its root is <{tag[:60]}>: it holds no <testsuite>, so it is not JUnit XML"
            )
        if self._builder is None and tag == "testcase":
            self._builder = TreeBuilder()
            self._case_depth = self._depth
        if self._builder is not None:
            self._builder.start(tag, dict(attributes))

    def _data(self, text: str) -> None:
        if self._builder is not None:
            self._builder.data(text)

    def _end(self, name: str) -> None:
        if self._builder is not None:
            self._builder.end(name.rpartition(":")[2])
            if self._depth == self._case_depth:
                self._take(xunit2.TestCase.fromelem(self._builder.close()))  # type: ignore[no-untyped-call]
                self._builder = None
        self._depth -= 1

    def _take(self, case: xunit2.TestCase) -> None:
        found = self.found
        entries = [
            case.ITER_TYPES[each.tag].fromelem(each)  # type: ignore[no-untyped-call]
            for each in case._elem  # noqa: SLF001  # junitparser looks into what a failure holds too
            if each.tag in case.ITER_TYPES
        ]
        # What the run saw of the test before its last word: Surefire's elements.
        for each in entries:
            if isinstance(each, xunit2.InterimResult):
                error = isinstance(each, xunit2.FlakyError | xunit2.RerunError)
                outcome = TestOutcome.ERROR if error else TestOutcome.FAILED
                found.earlier.add(len(found.names))
                self._add(case, outcome, _said([each], outcome), duration_s=0.0)
        last = [each for each in entries if isinstance(each, junitparser.junitparser.FinalResult)]
        outcome = _outcome(case, last)
        # junitparser does not know <disabled>.
        reasons = [
            each.get("message", "")
            for each in case._elem  # noqa: SLF001
            if each.tag in {"skipped", "disabled"}
        ]
        said = _said(last, outcome, next(reversed(reasons), ""))
        for name, value in _numbers(case):
            if len(found.numbers) < junitxml.NUMBERS_LIMIT:
                found.numbers.append((len(found.names), name, value))
        time = case._elem.get("time") or ""  # noqa: SLF001  # as it is written: commas may be decimal
        self._add(case, outcome, said, duration_s=junitxml.seconds(time))

    def _add(
        self,
        case: xunit2.TestCase,
        outcome: TestOutcome,
        said: tuple[str, str],
        *,
        duration_s: float,
    ) -> None:
        found = self.found
        if any(said):
            found.said[len(found.names)] = said
        found.classnames.append(case.classname or "")
        found.names.append(case.name or "")
        found.files.append(case._elem.get("file") or "")  # noqa: SLF001  # junitparser has no word for it
        found.outcomes.append(outcome)
        found.durations_s.append(duration_s)


def _outcome(
    case: xunit2.TestCase, entries: Sequence[junitparser.junitparser.FinalResult]
) -> TestOutcome:
    # A test that failed and whose tear-down failed too has failed.
    if any(isinstance(each, junitparser.Failure) for each in entries):
        return TestOutcome.FAILED
    if any(isinstance(each, junitparser.Error) for each in entries):
        return TestOutcome.ERROR
    if not case.name and not case.classname:
        # pytest leaves this when it was interrupted: a test had started and has no report.
        return TestOutcome.INTERRUPTED
    element = case._elem  # noqa: SLF001  # junitparser has no word for these
    unrun = element.get("status") in {"notrun", "disabled"}
    skipped = element.find("disabled") is not None or unrun
    if skipped or entries or element.get("result") in {"skipped", "suppressed"}:
        return TestOutcome.SKIPPED
    return TestOutcome.PASSED


def _said(
    entries: Sequence[junitparser.junitparser.Result], outcome: TestOutcome, reason: str = ""
) -> tuple[str, str]:
    """Return the first line that says something, and the whole text of a failure."""
    bad = [entry for entry in entries if not isinstance(entry, junitparser.Skipped)]
    messages = [entry.message or entry.type or "" for entry in bad]
    texts = [_text(entry) or message for entry, message in zip(bad, messages, strict=True)]
    text = "\n\n".join(texts) if outcome.bad else ""
    first = next(filter(None, [*messages, text, reason]), "")
    return junitxml.first_line(first), clip(text, junitxml.TEXT_LIMIT)


def _text(entry: junitparser.junitparser.Result) -> str:
    # Surefire puts the text of an earlier execution into an element of its own.
    inner = getattr(entry, "stack_trace", None) or ""
    text = inner if inner.strip() else entry.text or ""
    return text.strip("\n") if text.strip() else ""


def _numbers(case: xunit2.TestCase) -> Iterator[tuple[str, float]]:
    for each in case.iterchildren(junitparser.Properties):  # type: ignore[no-untyped-call]
        for one in each:
            value = junitxml.number(one.value or "")
            if value is not None:
                yield (one.name or "")[: junitxml.NAME_LIMIT], value
