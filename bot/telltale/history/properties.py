"""
Read the numbers that tests recorded as properties of their JUnit test cases.

pytest writes them for `record_property("steps_per_s", 41.5)`; gtest, Jest and
others have the same element. `tests.jsonl` knows nothing of them, so the file
is read beside it, by expat: no tree is built, and entities are refused.
"""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.parsers import expat

from telltale.history import circumstances
from telltale.records import TestNumber

MAX_BYTES = 256 * 1024 * 1024
_MAX_DIGITS = 60
_CHUNK = 256 * 1024
# Not what float() takes: "nan", "inf" and "1_000" are no numbers that a test measured.
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Property:
    """One number, by the names that the file gives its test."""

    classname: str
    test: str
    name: str
    value: float


def numbers_beside(path: Path, nodeids: Iterable[str]) -> tuple[TestNumber, ...]:
    """
    Return the numbers in a JUnit file of tests whose nodeids are known; never raises for its content.

    Of a damaged file those before the damage; at most one more than a record keeps.
    """
    found = read(path)
    if not found:
        return ()
    wanted = {(each.classname, each.test) for each in found}
    known = {names: nodeid for nodeid in nodeids if (names := mangled(nodeid)) in wanted}
    return tuple(
        TestNumber(nodeid=nodeid, name=each.name, value=each.value)
        for each in found
        if (nodeid := known.get((each.classname, each.test))) is not None
    )


def mangled(nodeid: str) -> tuple[str, str]:
    """Return the `classname` and the `name` that pytest writes for a nodeid."""
    address, bracket, parameters = nodeid.partition("[")
    path, *inside = address.split("::")
    module = path.removesuffix(".py").replace("/", ".")
    return ".".join((module, *inside[:-1])), (inside[-1] if inside else "") + bracket + parameters


def number(text: str) -> float | None:
    """Return the finite number that the text is, None when it is none."""
    text = text.strip()
    if len(text) > _MAX_DIGITS or not _NUMBER.fullmatch(text):
        return None
    value = float(text)
    return value if math.isfinite(value) else None


def read(path: Path) -> tuple[Property, ...]:
    """Return the numbers in a JUnit file, in their order."""
    try:
        if path.is_symlink() or not path.is_file() or path.stat().st_size > MAX_BYTES:
            return ()
        with path.open("rb") as file:
            return _of(iter(lambda: file.read(_CHUNK), b""))
    except OSError:
        # Whoever reads the tests says what is wrong with the file.
        return ()


def _of(chunks: Iterable[bytes]) -> tuple[Property, ...]:
    reader = _Reader()
    with contextlib.suppress(expat.ExpatError, ValueError, LookupError):
        for chunk in chunks:
            reader.parser.Parse(chunk, False)
            if reader.room <= 0:
                break
    return tuple(reader.found)


class _Reader:
    def __init__(self) -> None:
        self.found: list[Property] = []
        self.room = circumstances.MAX_NUMBERS + 1
        self._case: Mapping[str, str] | None = None
        self.parser = expat.ParserCreate()
        self.parser.EntityDeclHandler = self._refuse
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end

    @staticmethod
    def _refuse(*_: object) -> None:
        raise ValueError("an entity is declared")

    def _start(self, name: str, attributes: Mapping[str, str]) -> None:
        tag = name.rpartition(":")[2]
        if tag == "testcase":
            self._case = attributes
        elif tag == "property" and self._case is not None and self.room > 0:
            value = number(attributes.get("value", ""))
            if value is not None:
                self.room -= 1
                self.found.append(
                    Property(
                        classname=self._case.get("classname", ""),
                        test=self._case.get("name", ""),
                        name=attributes.get("name", "")[: circumstances.MAX_NUMBER_NAME],
                        value=value,
                    )
                )

    def _end(self, name: str) -> None:
        if name.rpartition(":")[2] == "testcase":
            self._case = None
