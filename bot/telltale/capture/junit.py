"""
Read JUnit XML, whoever wrote it: pytest, unittest, gtest, surefire, jest, Go and their like.

A streaming reader on expat: memory does not grow with the file, entities are
refused, and of a file that ends in the middle the first part is kept. There
is no schema all of them follow; what is read here is what they share.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TextIO
from xml.parsers import expat

from telltale.bundle import clip
from telltale.capture.redact import Redactor
from telltale.model import TestOutcome
from telltale.values import dataclass

SIZE_LIMIT = 256 * 1024 * 1024
"""Bytes of one file; a larger one is not read."""
TEXT_LIMIT = 64 * 1024
"""Characters of one failure that are kept."""
_ALL_TEXTS = 64 * 1024 * 1024
"""Characters of all failures of a file; beyond it each keeps a thousand."""
_COLLECT_LIMIT = 1024 * 1024
_DEPTH_LIMIT = 100
_MESSAGE_LIMIT = 1000
_BAD = {"failure": TestOutcome.FAILED, "error": TestOutcome.ERROR}
_IN_TEXT = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"})
_IN_VALUE = {**_IN_TEXT, **str.maketrans({'"': "&quot;", "\n": "&#10;", "\t": "&#9;"})}
# Not xml.sax.saxutils: it imports urllib, ssl and email, which cost more than all of this.
_NAMING = frozenset({"name", "classname", "file", "package", "id", "time", "timestamp", "line"})
"""Attributes by which a test is found again."""
_FLAKY = frozenset({"flakyFailure", "flakyError"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One `<testcase>`."""

    classname: str
    name: str
    file: str
    outcome: TestOutcome
    duration_s: float
    message: str
    """First line of the first failure, or the reason for skipping."""
    text: str
    """All failures of the test; empty unless it failed."""
    rerun: bool
    """It failed first and passed when it was run again (surefire's `flakyFailure`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What one file holds."""

    cases: tuple[Case, ...]
    problem: str
    """Why the file could not be read to its end; empty when it was."""


def read(path: Path) -> Report:
    """Return the test cases of a file; never raises for what is in it."""
    reader = _Reader()
    problem = _feed(path, reader.parser)
    if not problem and not reader.suites:
        problem = "it holds no <testsuite>: not JUnit XML"
    return Report(cases=tuple(_one_each(reader.cases)), problem=problem)


def copy(path: Path, target: Path, redactor: Redactor) -> bool:
    """
    Write the document again, redacted; return False when it cannot be read to its end.

    It is the same byte for byte when nothing had to be hidden; otherwise
    elements, attributes and texts stay, comments go. Raises `OSError`.
    """
    with target.open("w", encoding="utf-8", errors="xmlcharrefreplace") as file:
        file.write('<?xml version="1.0" encoding="utf-8"?>\n')
        copier = _Copier(file, redactor, whole=True)
        problem = _feed(path, copier.parser)
        copier.close()
    if not problem and not copier.changed:
        import shutil  # noqa: PLC0415  # its compressions cost a start 2 ms

        shutil.copyfile(path, target)
    return not problem


def merge(paths: Iterable[Path], target: Path, redactor: Redactor) -> None:
    """
    Write one file with the test suites of all, redacted, under one `<testsuites>`.

    Elements that a damaged file left open are closed. Raises `OSError`.
    """
    with target.open("w", encoding="utf-8", errors="xmlcharrefreplace") as file:
        file.write('<?xml version="1.0" encoding="utf-8"?>\n<testsuites>\n')
        for path in paths:
            copier = _Copier(file, redactor)
            _feed(path, copier.parser)
            copier.close()
        file.write("</testsuites>\n")


class _RefusedError(Exception):
    """The document is not one that an honest runner writes."""


def _feed(path: Path, parser: expat.XMLParserType) -> str:
    """Parse the file; return why that stopped before its end, empty when it did not."""
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            if size > SIZE_LIMIT:
                return f"it is larger than {SIZE_LIMIT} bytes"
            if not size:
                return "it is empty"
            while block := file.read(256 * 1024):
                parser.Parse(block, False)
            parser.Parse(b"", True)
    except expat.ExpatError as error:
        return f"line {error.lineno}: {expat.ErrorString(error.code)}"
    except _RefusedError as error:
        return f"line {parser.CurrentLineNumber}: {error}"
    except (OSError, ValueError, LookupError) as error:
        return str(error)
    return ""


def _new_parser(
    start: Callable[[str, dict[str, str]], None],
    end: Callable[[str], None],
    data: Callable[[str], None],
) -> expat.XMLParserType:
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
    raise _RefusedError("it declares an entity, which no test runner does")


class _Open:
    """A `<testcase>` that is being read."""

    __slots__ = ("attributes", "depth", "messages", "outcomes", "reason", "rerun", "texts")

    def __init__(self, attributes: Mapping[str, str], depth: int) -> None:
        self.attributes = attributes
        self.depth = depth
        self.outcomes: list[TestOutcome] = []
        self.messages: list[str] = []
        self.texts: list[str] = []
        self.reason = ""
        self.rerun = False


class _Reader:
    """Collects cases from expat's events."""

    def __init__(self) -> None:
        self.parser = _new_parser(self._start, self._end, self._data)
        self.cases: list[Case] = []
        self.suites = 0
        self._depth = 0
        self._case: _Open | None = None
        self._collected: list[str] | None = None
        self._room = 0
        self._texts = 0

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > _DEPTH_LIMIT:
            raise _RefusedError(f"its elements are nested more than {_DEPTH_LIMIT} deep")
        name = _local(name)
        case = self._case
        if name in {"testsuite", "testsuites"}:
            self.suites += 1
        elif name == "testcase" and case is None:
            self._case = _Open(attributes, self._depth)
        elif case is not None and self._depth == case.depth + 1:
            self._inside(case, name, attributes)

    def _inside(self, case: _Open, name: str, attributes: dict[str, str]) -> None:
        if name in _BAD:
            case.outcomes.append(_BAD[name])
            case.messages.append(attributes.get("message", "") or attributes.get("type", ""))
            self._collected, self._room = [], _COLLECT_LIMIT
        elif name in {"skipped", "disabled"}:
            case.outcomes.append(TestOutcome.SKIPPED)
            case.reason = attributes.get("message", "")
        elif name in _FLAKY:
            case.rerun = True

    def _data(self, text: str) -> None:
        if self._collected is not None and self._room > 0:
            self._collected.append(text[: self._room])
            self._room -= len(text)

    def _end(self, name: str) -> None:
        case = self._case
        if case is not None and self._depth == case.depth + 1 and self._collected is not None:
            case.texts.append("".join(self._collected).strip("\n"))
            self._collected = None
        elif case is not None and self._depth == case.depth and _local(name) == "testcase":
            closed = _close(case, TEXT_LIMIT if self._texts < _ALL_TEXTS else 1000)
            self._texts += len(closed.text)
            self.cases.append(closed)
            self._case = None
        self._depth -= 1


def _close(case: _Open, limit: int) -> Case:
    attributes = case.attributes
    classname, name = attributes.get("classname", ""), attributes.get("name", "")
    outcome = _outcome(case)
    if not classname and not name and not outcome.bad:
        # pytest leaves this when it was interrupted: a test had started and has no report.
        outcome = TestOutcome.INTERRUPTED
    texts = [text or message for text, message in zip(case.texts, case.messages, strict=False)]
    text = "\n\n".join(texts) if outcome.bad else ""
    first = next((message for message in case.messages if message), "") or text or case.reason
    return Case(
        classname=classname,
        name=name,
        file=attributes.get("file", ""),
        outcome=outcome,
        duration_s=_seconds(attributes.get("time", "")),
        message=_first_line(first),
        text=clip(text, limit),
        rerun=case.rerun and not outcome.bad,
    )


def _outcome(case: _Open) -> TestOutcome:
    # A test that failed and whose tear-down failed too has failed.
    for outcome in (TestOutcome.FAILED, TestOutcome.ERROR, TestOutcome.SKIPPED):
        if outcome in case.outcomes:
            return outcome
    # gtest has no <skipped> for tests that it did not run.
    if case.attributes.get("status") == "notrun" or case.attributes.get("result") in {
        "skipped",
        "suppressed",
    }:
        return TestOutcome.SKIPPED
    return TestOutcome.PASSED


def _one_each(cases: Iterable[Case]) -> Iterator[Case]:
    """Fold the second `<testcase>` that pytest writes when a failed test's tear-down fails too."""
    previous: Case | None = None
    for case in cases:
        if (
            previous is not None
            and previous.outcome is TestOutcome.FAILED
            and case.outcome is TestOutcome.ERROR
            and (case.classname, case.name) == (previous.classname, previous.name)
            and case.message.startswith("failed on teardown")
        ):
            previous = Case(
                classname=previous.classname,
                name=previous.name,
                file=previous.file,
                outcome=previous.outcome,
                duration_s=previous.duration_s + case.duration_s,
                message=previous.message,
                text=clip(f"{previous.text}\n\n{case.text}", TEXT_LIMIT),
                rerun=False,
            )
            continue
        if previous is not None:
            yield previous
        previous = case
    if previous is not None:
        yield previous


class _Copier:
    """Writes a document again, redacted, without its declaration and its outer `<testsuites>`."""

    def __init__(self, file: TextIO, redactor: Redactor, *, whole: bool = False) -> None:
        self.parser = _new_parser(self._start, self._end, self._data)
        self._file = file
        self._redactor = redactor
        self._whole = whole
        """The outer element is kept too."""
        self._open: list[str] = []
        self._namespaces: dict[str, str] = {}
        """Declared by the outer element, which is left out."""
        self._texts: list[str] = []
        """Since the last tag: a secret may have come in two pieces."""
        self.changed = False
        """Whether something was hidden."""
        self._value = functools.lru_cache(maxsize=4096)(self._redacted)

    def close(self) -> None:
        """End what the document left open."""
        while self._open:
            self._end(self._open[-1])

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if len(self._open) > _DEPTH_LIMIT // 2:
            raise _RefusedError("its elements are nested too deep to be merged")
        self._flush()
        self._open.append(name)
        if self._outer:
            names = {key: attributes[key] for key in attributes if key.startswith("xmlns:")}
            self._namespaces = names
        else:
            if len(self._open) == 2:
                attributes = {**self._namespaces, **attributes}
            label = attributes.get("name", "") if _local(name) == "property" else ""
            pairs = (
                f' {key}="{self._value(key, attributes[key], label).translate(_IN_VALUE)}"'
                for key in attributes
            )
            self._file.write(f"<{name}{''.join(pairs)}>")

    def _end(self, name: str) -> None:
        self._flush()
        if not self._outer:
            self._file.write(f"</{name}>" + ("\n" if _local(name) == "testsuite" else ""))
        self._open.pop()

    def _data(self, text: str) -> None:
        if len(self._open) > (0 if self._whole else 1):
            self._texts.append(text)

    def _flush(self) -> None:
        if self._texts:
            whole = "".join(self._texts)
            text = self._redactor.text(whole)
            self.changed |= text != whole
            self._texts.clear()
            self._file.write(text.translate(_IN_TEXT))

    def _redacted(self, key: str, value: str, label: str) -> str:
        """Return an attribute's value; `label` is the name of the `<property>` it belongs to."""
        if key == "hostname" and value:
            kept = "[host]"
        elif key in _NAMING:
            kept = self._redactor.secrets(value)
        elif key == "value":
            kept = self._redactor.value(label, value)
        else:
            kept = self._redactor.text(value)
        self.changed |= kept != value
        return kept

    @property
    def _outer(self) -> bool:
        """Whether the innermost open element is the outer one, which is left out."""
        return not self._whole and len(self._open) == 1 and _local(self._open[0]) == "testsuites"


def _local(name: str) -> str:
    return name.rpartition(":")[2]


def _seconds(text: str) -> float:
    try:
        value = float(text.replace(",", ""))  # surefire groups thousands
    except ValueError:
        return 0.0
    return value if math.isfinite(value) and 0 <= value < 1e9 else 0.0


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "")[:_MESSAGE_LIMIT]
