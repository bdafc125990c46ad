"""
Read the test results of a bundle.

`artifacts/tests.jsonl` where there is one; else `artifacts/junit.xml`, whose
test cases junitparser reads, because it knows the dialects. Both are hostile
input: sizes are bounded before anything is built, and entities are refused.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import TreeBuilder
from xml.parsers import expat

import junitparser
from junitparser import xunit2

from telltale import bundle
from telltale.errors import BundleError
from telltale.model import TestOutcome, TestResult

JUNIT = "artifacts/junit.xml"

MAX_BYTES = 256 * 1024 * 1024
MAX_CASES = 1_000_000
MAX_DEPTH = 64
"""Suites in suites in ...: deeper nesting is nobody's test report."""
MAX_NAME = 4_000
MAX_TEXT = 64 * 1024

_CHUNK = 256 * 1024
_ROOTS = frozenset({"testsuites", "testsuite"})


def read_results(folder: Path) -> tuple[TestResult, ...]:
    """
    Return the executions of tests in a bundle, in their order; none when there is no report.

    Raises `BundleError` for a report that cannot be read to its end.
    """
    if (folder / bundle.TESTS).exists():
        return bundle.read_tests(folder)
    path = folder / JUNIT
    return tuple(read_junit(path)) if path.exists() else ()


def read_junit(path: Path) -> Iterator[TestResult]:
    """
    Yield the executions in a JUnit XML file.

    A test that was rerun inside the run yields one result for each execution.
    A duration that is negative, not finite or no number counts as 0. Raises
    `BundleError` with the file's name, and the line where there is one.
    """
    try:
        if path.is_symlink() or not path.is_file():
            raise BundleError(f"{path}: not a regular file")
        if path.stat().st_size > MAX_BYTES:
            raise BundleError(f"{path}: larger than {MAX_BYTES} bytes, it is not read")
        reader = _Reader()
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                yield from reader.feed(chunk)
            yield from reader.close()
    except OSError as error:
        raise BundleError(f"{path}: cannot be read: {error.strerror}") from error
    except expat.ExpatError as error:
        what = expat.ErrorString(error.code)
        raise BundleError(
            f"{path}: line {error.lineno}: not the XML of a whole test report: {what}"
        ) from error
    except _NotJUnitError as error:
        raise BundleError(f"{path}: line {error.line}: {error.what}") from error


class _NotJUnitError(Exception):
    """Well-formed so far, but nothing that a test runner writes."""

    def __init__(self, what: str, line: int) -> None:
        super().__init__(what)
        self.what = what
        self.line = line


class _Reader:
    """
    Takes a document apart into its test cases, so that only one is in memory at a time.

    Where a case lies does not matter: runners put it into a suite, into a
    suite of suites, or directly below the root.
    """

    def __init__(self) -> None:
        self._depth = 0
        self._builder: TreeBuilder | None = None
        self._case_depth = 0
        self._results: list[TestResult] = []
        self._cases = 0
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._data

    def feed(self, chunk: bytes) -> list[TestResult]:
        """Read on and return the results that are complete."""
        self._parser.Parse(chunk, False)
        return self._taken()

    def close(self) -> list[TestResult]:
        """Tell that this was all; `ExpatError` when the document is cut short."""
        self._parser.Parse(b"", True)
        return self._taken()

    def _taken(self) -> list[TestResult]:
        taken, self._results = self._results, []
        return taken

    def _fail(self, what: str) -> _NotJUnitError:
        return _NotJUnitError(what, self._parser.CurrentLineNumber)

    def _doctype(self, *_: Any) -> None:
        # Entities live in document types, and no test runner writes one.
        raise self._fail("a document type is declared; no test report needs one, so it is refused")

    def _start(self, tag: str, attributes: Mapping[str, str]) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self._fail(f"nested deeper than {MAX_DEPTH} elements")
        if self._depth == 1 and tag not in _ROOTS:
            raise self._fail(f"not JUnit XML: its root is <{tag[:60]}>, expected <testsuites>")
        if self._builder is None and tag == "testcase":
            self._builder = TreeBuilder()
            self._case_depth = self._depth
        if self._builder is not None:
            self._builder.start(tag, dict(attributes))

    def _data(self, text: str) -> None:
        if self._builder is not None:
            self._builder.data(text)

    def _end(self, tag: str) -> None:
        if self._builder is not None:
            self._builder.end(tag)
            if self._depth == self._case_depth:
                case = xunit2.TestCase.fromelem(self._builder.close())  # type: ignore[no-untyped-call]
                self._builder = None
                self._cases += 1
                if self._cases > MAX_CASES:
                    raise self._fail(f"more than {MAX_CASES} test cases")
                self._results += _executions(case)
        self._depth -= 1


def _executions(case: xunit2.TestCase) -> Iterator[TestResult]:
    nodeid = _nodeid(case)
    # What a run did before its last word: Surefire's flaky and rerun elements.
    for earlier in case.interim_result:
        yield _bad(nodeid, earlier, duration_s=0.0)
    finals = {type(result): result for result in reversed(case.result)}
    duration_s = _duration(case)
    for kind in (junitparser.Failure, junitparser.Error):
        if kind in finals:
            yield _bad(nodeid, finals[kind], duration_s=duration_s)
            return
    outcome = TestOutcome.SKIPPED if junitparser.Skipped in finals else TestOutcome.PASSED
    yield TestResult(nodeid=nodeid, outcome=outcome, duration_s=duration_s)


def _bad(nodeid: str, result: junitparser.junitparser.Result, *, duration_s: float) -> TestResult:
    error = isinstance(result, junitparser.Error | xunit2.RerunError | xunit2.FlakyError)
    message = (result.message or "").strip()
    # Surefire puts the text of an earlier execution into an element of its own.
    text = (result.text or getattr(result, "stack_trace", None) or "").strip("\n")
    if message and message not in text:
        text = f"{message}\n{text}".rstrip("\n")
    first = next(iter((message or text).splitlines()), "")
    return TestResult(
        nodeid=nodeid,
        outcome=TestOutcome.ERROR if error else TestOutcome.FAILED,
        duration_s=duration_s,
        message=bundle.clip(first, MAX_NAME),
        text=bundle.clip(text, MAX_TEXT),
    )


def _nodeid(case: xunit2.TestCase) -> str:
    # pytest's older dialect names the file: the rest of a dotted class name
    # after the file's module is the class, as in `test_a.py::TestX::test_y`.
    name = case.name or "(no name)"
    classname = case.classname or ""
    file = (case._elem.get("file") or "").replace("\\", "/").removeprefix("./")  # noqa: SLF001
    if file.endswith(".py"):
        module = file.removesuffix(".py").replace("/", ".")
        inner = classname.removeprefix(module).strip(".") if classname.startswith(module) else ""
        parts = [file, *filter(None, inner.split(".")), name]
    else:
        parts = [*filter(None, [classname]), name]
    return bundle.clip("::".join(parts), MAX_NAME)


def _duration(case: xunit2.TestCase) -> float:
    try:
        seconds = case.time
    except ValueError:
        return 0.0
    return seconds if seconds is not None and math.isfinite(seconds) and seconds > 0 else 0.0
