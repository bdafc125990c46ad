"""
The JUnit files that a command wrote: their test cases, and redacted copies of them.

`junitxml` reads them; here one file is written again or several are merged,
from expat's events, so that memory does not grow with the file.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from pathlib import Path
from typing import TextIO

from telltale import junitxml
from telltale.capture.redact import Redactor
from telltale.model import TestOutcome
from telltale.values import dataclass

_IN_TEXT = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"})
_IN_VALUE = {**_IN_TEXT, **str.maketrans({'"': "&quot;", "\n": "&#10;", "\t": "&#9;"})}
# Not xml.sax.saxutils: it imports urllib, ssl and email, which cost more than all of this.
_NAMING = frozenset({"name", "classname", "file", "package", "id", "time", "timestamp", "line"})
"""Attributes by which a test is found again."""


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
    """Return the test cases of a file, each once; never raises for what is in it."""
    found = junitxml.read(path)
    cases = []
    rerun = False
    for index, outcome in enumerate(found.outcomes):
        if index in found.earlier:
            rerun = True
            continue
        message, text = found.said.get(index, ("", ""))
        cases.append(
            Case(
                classname=found.classnames[index],
                name=found.names[index],
                file=found.files[index],
                outcome=outcome,
                duration_s=found.durations_s[index],
                message=message,
                text=text,
                rerun=rerun and not outcome.bad,
            )
        )
        rerun = False
    return Report(cases=tuple(cases), problem=found.problem)


def copy(path: Path, target: Path, redactor: Redactor) -> bool:
    """
    Write the document again, redacted; return False when it cannot be read to its end.

    It is the same byte for byte when nothing had to be hidden; otherwise
    elements, attributes and texts stay, comments go. Raises `OSError`.
    """
    with target.open("w", encoding="utf-8", errors="xmlcharrefreplace") as file:
        file.write('<?xml version="1.0" encoding="utf-8"?>\n')
        copier = _Copier(file, redactor, whole=True)
        problem = junitxml.feed(path, copier.parser)
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
            junitxml.feed(path, copier.parser)
            copier.close()
        file.write("</testsuites>\n")


class _Copier:
    """Writes a document again, redacted, without its declaration and its outer `<testsuites>`."""

    def __init__(self, file: TextIO, redactor: Redactor, *, whole: bool = False) -> None:
        self.parser = junitxml.new_parser(self._start, self._end, self._data)
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
        if len(self._open) > junitxml.DEPTH_LIMIT // 2:
            raise junitxml.RefusedError("its elements are nested too deep to be merged")
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
