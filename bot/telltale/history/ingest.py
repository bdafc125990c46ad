"""
Read the test results of a bundle.

`artifacts/tests.jsonl` where there is one; else `artifacts/junit.xml`. A small
one is read with junitparser, because it knows the dialects; a large one by
`junitxml`, which takes a third of the time and is held to the same results.
Both are hostile input: sizes are bounded before anything is built, and
entities are refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from telltale import bundle, junitxml
from telltale.errors import BundleError
from telltale.history import dialects
from telltale.history.executions import Executions
from telltale.model import TestResult
from telltale.records import TestNumber

JUNIT = "artifacts/junit.xml"

LARGE = 64 * 1024
"""Bytes of a JUnit file from which on it is streamed: some hundred tests."""
MAX_NAME = 4_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a test report holds."""

    results: Sequence[TestResult]
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
    return tuple(report.results)


def read_report(folder: Path) -> Report:
    """Return what can be read of a bundle's test report; never raises for what is in it."""
    path = folder / JUNIT
    if (folder / bundle.TESTS).exists():
        try:
            results = bundle.read_tests(folder)
        except BundleError as error:
            return Report(results=(), problem=str(error))
        numbers = numbers_beside(path, (result.nodeid for result in results))
        return Report(results=results, numbers=numbers)
    return read_junit(path) if path.exists() else Report(results=())


def read_junit(path: Path) -> Report:
    """
    Return the executions in a JUnit XML file; of a damaged one, those before the damage.

    A duration that is negative, not finite or no number counts as 0.
    """
    if path.is_symlink() or not path.is_file():
        return Report(results=(), problem=f"{path}: not a regular file")
    document = (junitxml.read if path.stat().st_size >= LARGE else dialects.read)(path)
    nodeids = _nodeids(document)
    return Report(
        results=Executions(
            nodeids=nodeids,
            outcomes=document.outcomes,
            durations_s=document.durations_s,
            said=document.said,
        ),
        numbers=tuple(
            TestNumber(nodeid=nodeids[index], name=name, value=value)
            for index, name, value in document.numbers
        ),
        problem=f"{path}: {document.problem}" if document.problem else "",
    )


def numbers_beside(path: Path, nodeids: Iterable[str]) -> tuple[TestNumber, ...]:
    """
    Return the numbers in a JUnit file of tests whose nodeids are known; never raises for its content.

    Of a damaged file those before the damage; at most one more than a record keeps.
    """
    if path.is_symlink() or not path.is_file():
        return ()
    document = junitxml.read(path)
    found = [
        ((document.classnames[index], document.names[index]), name, value)
        for index, name, value in document.numbers
    ]
    wanted = {names for names, _, _ in found}
    known = {names: nodeid for nodeid in nodeids if (names := mangled(nodeid)) in wanted}
    return tuple(
        TestNumber(nodeid=nodeid, name=name, value=value)
        for names, name, value in found
        if (nodeid := known.get(names)) is not None
    )


def mangled(nodeid: str) -> tuple[str, str]:
    """Return the `classname` and the `name` that pytest writes for a nodeid."""
    address, bracket, parameters = nodeid.partition("[")
    path, *inside = address.split("::")
    module = path.removesuffix(".py").replace("/", ".")
    return ".".join((module, *inside[:-1])), (inside[-1] if inside else "") + bracket + parameters


def _nodeids(document: junitxml.Document) -> list[str]:
    """Return the nodeid of each execution, as far as the file alone tells it."""
    before = _Before()
    names = document.names
    if any(document.files):
        places = list(map(before.of, document.classnames, document.files))
    else:
        places = list(map(before.__getitem__, document.classnames))
    # A nodeid is one line, whatever a name holds; looked at one by one only where it matters.
    longest = max(map(len, names), default=0) + max(map(len, places), default=0)
    plain = "".join([*before.values(), *names]).isprintable()
    if plain and "" not in names and longest <= MAX_NAME:
        return list(map(str.__add__, places, names))
    return [
        _one_line(place + name if name else place[:-2])
        for place, name in zip(places, names, strict=True)
    ]


class _Before(dict[str, str]):
    """What stands before a test's name, with `::`, by its classname."""

    def __missing__(self, classname: str) -> str:
        self[classname] = place = f"{classname}::" if classname else ""
        return place

    def of(self, classname: str, file: str) -> str:
        """Return it for a test of which the file says where it lies."""
        if not file:
            return self[classname]
        key = f"{file}\0{classname}"
        if key not in self:
            where = _from_file(classname, file) or classname
            self[key] = f"{where}::" if where else ""
        return self[key]


def _one_line(text: str) -> str:
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
