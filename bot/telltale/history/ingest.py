"""
Read the test results of a bundle.

`artifacts/tests.jsonl` where there is one; else `artifacts/junit.xml`, whose
test cases junitparser reads, because it knows the dialects. Both are hostile
input: sizes are bounded before anything is built, and entities are refused.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any
from xml.etree.ElementTree import TreeBuilder
from xml.parsers import expat

import junitparser
from junitparser import xunit2

from telltale import bundle
from telltale.errors import BundleError
from telltale.history import circumstances, properties
from telltale.model import TestOutcome, TestResult
from telltale.records import TestNumber

JUNIT = "artifacts/junit.xml"

MAX_BYTES = 256 * 1024 * 1024
MAX_CASES = 1_000_000
MAX_DEPTH = 100
"""Suites in suites in ...: deeper nesting is nobody's test report."""
MAX_NAME = 4_000
MAX_MESSAGE = 1_000
MAX_TEXT = 64 * 1024

_CHUNK = 256 * 1024
_ROOTS = frozenset({"testsuites", "testsuite"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a test report holds."""

    results: tuple[TestResult, ...]
    """Executions in their order: a test that was rerun in the run has several."""
    numbers: tuple[TestNumber, ...] = ()
    """What tests recorded themselves, in the order of the report."""
    problem: str = ""
    """Why it could not be read to its end, with the file's name; empty when it was."""


def read_results(folder: Path) -> tuple[TestResult, ...]:
    """
    Return the executions of tests in a bundle, in their order; none when there is no report.

    Raises `BundleError` for a report that cannot be read to its end.
    """
    report = read_report(folder)
    if report.problem:
        raise BundleError(report.problem)
    return report.results


def read_report(folder: Path) -> Report:
    """Return what can be read of a bundle's test report; never raises for what is in it."""
    path = folder / JUNIT
    if (folder / bundle.TESTS).exists():
        try:
            results = bundle.read_tests(folder)
        except BundleError as error:
            return Report(results=(), problem=str(error))
        numbers = properties.numbers_beside(path, (result.nodeid for result in results))
        return Report(results=results, numbers=numbers)
    return read_junit(path) if path.exists() else Report(results=())


def read_junit(path: Path) -> Report:
    """
    Return the executions in a JUnit XML file; of a damaged one, those before the damage.

    A duration that is negative, not finite or no number counts as 0.
    """
    reader = _Reader()
    problem = _feed(path, reader)
    results = tuple(_one_each(reader.results))
    return Report(results=results, numbers=tuple(reader.numbers), problem=problem)


def _feed(path: Path, reader: _Reader) -> str:
    try:
        if path.is_symlink() or not path.is_file():
            return f"{path}: not a regular file"
        if path.stat().st_size > MAX_BYTES:
            return f"{path}: larger than {MAX_BYTES} bytes, so it is not read"
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                reader.parser.Parse(chunk, False)
            reader.parser.Parse(b"", True)
    except OSError as error:
        return f"{path}: cannot be read: {error.strerror}"
    except expat.ExpatError as error:
        what = expat.ErrorString(error.code)
        return f"{path}: line {error.lineno}: not the XML of a whole test report: {what}"
    except (_NotJUnitError, ValueError, LookupError) as error:
        # Python's own errors are about encodings that it does not know.
        return f"{path}: line {reader.parser.CurrentLineNumber}: {error}"
    return ""


class _NotJUnitError(Exception):
    """Well-formed so far, but nothing that a test runner writes."""


class _Reader:
    """
    Takes a document apart into its test cases, so that only one is a tree at a time.

    Where a case lies does not matter: runners put it into a suite, into a
    suite of suites, or directly below the root.
    """

    def __init__(self) -> None:
        self.results: list[TestResult] = []
        self.numbers: list[TestNumber] = []
        self._depth = 0
        self._case_depth = 0
        self._builder: TreeBuilder | None = None
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.EntityDeclHandler = self._entity
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._data

    def _entity(self, *_: Any) -> None:
        # The "billion laughs" need one, and no test runner does.
        raise _NotJUnitError("an entity is declared, which no test report needs: refused")

    def _start(self, name: str, attributes: Mapping[str, str]) -> None:
        tag = name.rpartition(":")[2]
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _NotJUnitError(f"nested deeper than {MAX_DEPTH} elements")
        if self._depth == 1 and tag not in _ROOTS:
            raise _NotJUnitError(f"not JUnit XML: its root is <{tag[:60]}>, not <testsuites>")
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
        executions = tuple(_executions(case))
        self.results += executions
        self.numbers += _numbers(case, executions[0].nodeid)
        if len(self.results) > MAX_CASES:
            raise _NotJUnitError(f"more than {MAX_CASES} tests: the rest is not read")


def _executions(case: xunit2.TestCase) -> Iterator[TestResult]:
    nodeid = _nodeid(case)
    # What the run saw of the test before its last word: Surefire's elements.
    for earlier in case.interim_result:
        error = isinstance(earlier, xunit2.FlakyError | xunit2.RerunError)
        outcome = TestOutcome.ERROR if error else TestOutcome.FAILED
        yield _result(nodeid, outcome, [earlier], duration_s=0.0)
    yield _result(nodeid, _outcome(case), case.result, duration_s=_duration(case))


def _numbers(case: xunit2.TestCase, nodeid: str) -> Iterator[TestNumber]:
    for each in case.iterchildren(junitparser.Properties):  # type: ignore[no-untyped-call]
        for one in each:
            value = properties.number(one.value or "")
            if value is not None:
                name = (one.name or "")[: circumstances.MAX_NUMBER_NAME]
                yield TestNumber(nodeid=nodeid, name=name, value=value)


def _outcome(case: xunit2.TestCase) -> TestOutcome:
    # A test that failed and whose tear-down failed too has failed.
    if case.is_failure:
        return TestOutcome.FAILED
    if case.is_error:
        return TestOutcome.ERROR
    if not case.name and not case.classname:
        # pytest leaves this when it was interrupted: a test had started and has no report.
        return TestOutcome.INTERRUPTED
    element = case._elem  # noqa: SLF001  # junitparser has no word for these
    skipped = element.find("disabled") is not None or element.get("status") == "notrun"
    if case.is_skipped or skipped or element.get("result") in {"skipped", "suppressed"}:
        return TestOutcome.SKIPPED
    return TestOutcome.PASSED


def _result(
    nodeid: str,
    outcome: TestOutcome,
    entries: Iterable[junitparser.junitparser.Result],
    *,
    duration_s: float,
) -> TestResult:
    bad = [entry for entry in entries if not isinstance(entry, junitparser.Skipped)]
    said = [entry.message or entry.type or "" for entry in bad]
    texts = [_text(entry) or message for entry, message in zip(bad, said, strict=True)]
    text = "\n\n".join(texts) if outcome.bad else ""
    skips = [entry.message or "" for entry in entries if isinstance(entry, junitparser.Skipped)]
    first = next(filter(None, [*said, text, *skips[-1:]]), "")
    return TestResult(
        nodeid=nodeid,
        outcome=outcome,
        duration_s=duration_s,
        message=next((line.strip() for line in first.splitlines() if line.strip()), "")[
            :MAX_MESSAGE
        ],
        text=bundle.clip(text, MAX_TEXT),
    )


def _text(entry: junitparser.junitparser.Result) -> str:
    # Surefire puts the text of an earlier execution into an element of its own.
    inner = getattr(entry, "stack_trace", None)
    return (inner or entry.text or "").strip("\n")


def _one_each(results: Iterable[TestResult]) -> Iterator[TestResult]:
    """Fold the second `<testcase>` that pytest writes when a failed test's tear-down fails too."""
    previous: TestResult | None = None
    for result in results:
        if (
            previous is not None
            and previous.nodeid == result.nodeid
            and previous.outcome is TestOutcome.FAILED
            and result.outcome is TestOutcome.ERROR
            and result.message.startswith("failed on teardown")
        ):
            previous = replace(
                previous,
                duration_s=previous.duration_s + result.duration_s,
                text=bundle.clip(f"{previous.text}\n\n{result.text}", MAX_TEXT),
            )
            continue
        if previous is not None:
            yield previous
        previous = result
    if previous is not None:
        yield previous


def _nodeid(case: xunit2.TestCase) -> str:
    name, classname = case.name or "", case.classname or ""
    where = _from_file(classname, case._elem.get("file") or "") or classname  # noqa: SLF001
    text = "::".join(part for part in (where, name) if part)
    # A nodeid is one line, whatever a name holds.
    line = "".join(repr(one)[1:-1] if one < " " or one == "\x7f" else one for one in text)
    return bundle.clip(line, MAX_NAME)


def _from_file(classname: str, file: str) -> str:
    """Return the file and the classes in it as pytest writes them, empty when they do not agree."""
    path = PurePosixPath(file.replace("\\", "/"))
    if path.suffix != ".py" or path.is_absolute() or ".." in path.parts:
        return ""
    module = ".".join(path.with_suffix("").parts)
    if classname == module:
        return str(path)
    if classname.startswith(f"{module}."):
        return "::".join((str(path), *classname.removeprefix(f"{module}.").split(".")))
    return ""


def _duration(case: xunit2.TestCase) -> float:
    try:
        seconds = case.time
    except ValueError:
        return 0.0
    return seconds if seconds is not None and math.isfinite(seconds) and 0 <= seconds < 1e9 else 0.0
