"""The JUnit files of one run: find them, tell them from older ones, keep them."""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from telltale.bundle import MANIFEST
from telltale.capture import cleaning, junit
from telltale.capture.nodeids import NodeIds
from telltale.capture.redact import Redactor
from telltale.capture.words import many
from telltale.model import TestOutcome, TestResult
from telltale.values import dataclass

JUNIT = "artifacts/junit.xml"

Stamp = tuple[int, int, int]
"""Inode, change time in ns and size of a file: one of them differs when it was written again."""

_PRUNED = frozenset({".git", ".hg", ".svn", ".venv", ".tox", ".nox", "node_modules", "__pycache__"})
"""Folders with many files in which no report is looked for unless the glob names them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reports:
    """The tests that a run's reports tell of."""

    results: tuple[TestResult, ...] | None
    """None when the command wrote no report."""
    findings: tuple[str, ...] = ()
    names: tuple[tuple[str, str], ...] = ()
    """`classname` and `name` of each result, as the file has them."""
    absent: str = ""
    """A sentence for a run of which nothing else tells either; empty when a report was written."""


def stamps(folder: Path, glob: str, *, without: Path) -> dict[Path, Stamp]:
    """
    Return the files that match the glob with what tells whether they were written again.

    The glob is relative to `folder`; `**` means any number of folders.
    Bundles, and everything below `without`, are passed over.
    """
    found = {}
    for path in _matching(folder, glob, without.resolve()):
        try:
            status = path.stat()
        except OSError:
            continue
        found[path] = (status.st_ino, status.st_ctime_ns, status.st_size)
    return found


def collect(
    folder: Path,
    glob: str,
    before: Mapping[Path, Stamp],
    *,
    bundle: Path,
    without: Path,
    roots: Sequence[Path],
    redactor: Redactor,
) -> Reports:
    """Read the reports written since `before`, and keep them, redacted, as `artifacts/junit.xml`."""
    now = stamps(folder, glob, without=without)
    fresh = [path for path in sorted(now) if before.get(path) != now[path]]
    stale = [path for path in sorted(now) if before.get(path) == now[path]]
    findings = [
        f"{_name(path, folder)} matches --junit but is older than this run: not read"
        for path in stale[:20]
    ]
    if not fresh:
        absent = (
            f"no JUnit file matching {glob!r} was written: no test is counted;"
            " let the command write one, as in pytest --junitxml=junit.xml"
        )
        return Reports(results=None, findings=tuple(findings), absent=absent)
    _keep(fresh, bundle / JUNIT, redactor)
    results: list[TestResult] = []
    names: list[tuple[str, str]] = []
    nodeids = NodeIds(roots)
    for path in fresh:
        report = junit.read(path)
        results += [_result(case, nodeids, redactor) for case in report.cases]
        names += [
            (redactor.secrets(case.classname), redactor.secrets(case.name)) for case in report.cases
        ]
        findings += _say(_name(path, folder), report, results)
    return Reports(results=tuple(results), findings=tuple(findings), names=tuple(names))


def _result(case: junit.Case, nodeids: NodeIds, redactor: Redactor) -> TestResult:
    nodeid = ""
    if case.classname or case.name:
        nodeid = nodeids.nodeid(case.classname, case.name, case.file)
    return TestResult(
        nodeid=redactor.secrets(nodeid),
        outcome=case.outcome,
        duration_s=case.duration_s,
        message=redactor.text(case.message) if case.message else "",
        text=redactor.text(case.text) if case.text else "",
    )


def _say(name: str, report: junit.Report, results: Sequence[TestResult]) -> Iterator[str]:
    count = len(report.cases)
    if report.problem:
        yield f"{name} could not be read to its end ({report.problem}): {many(count, 'test')} read"
    rerun = sum(case.rerun for case in report.cases)
    if rerun:
        yield f"{name}: {many(rerun, 'test')} passed only when run again"
    if any(result.outcome is TestOutcome.INTERRUPTED for result in results[len(results) - count :]):
        yield f"{name}: a test had started and has no result: the run was interrupted in it"


def _keep(paths: Sequence[Path], target: Path, redactor: Redactor) -> None:
    if len(paths) > 1:
        junit.merge(paths, target, redactor)
    elif not junit.copy(paths[0], target, redactor):
        # Damaged, or no XML at all: kept as it is but for its secrets.
        with paths[0].open("rb") as source, target.open("wb") as file:
            cleaning.copy(source, file, redactor)


def _matching(folder: Path, glob: str, without: Path) -> Iterator[Path]:
    pattern = PurePosixPath(glob)
    if pattern.is_absolute():
        folder, pattern = Path("/"), pattern.relative_to("/")
    yield from _match(folder, pattern.parts, without)


def _match(folder: Path, parts: Sequence[str], without: Path) -> Iterator[Path]:
    """Yield the files below the folder that the parts of a glob describe, each once."""
    first, rest = parts[0], parts[1:]
    if first == "**":
        seen: set[Path] = set()
        for inner, files in _folders(folder, without):
            for path in _inside(inner, files, rest or ("*",), without):
                if path not in seen:
                    seen.add(path)
                    yield path
    elif not any(sign in first for sign in "*?["):
        yield from _step(folder / first, rest, without)
    else:
        for name in _names(folder):
            if fnmatch.fnmatchcase(name, first):
                yield from _step(folder / name, rest, without)


def _inside(
    folder: str, files: Sequence[str], parts: Sequence[str], without: Path
) -> Iterator[Path]:
    """Yield what the parts describe in a folder whose files are known, without listing it again."""
    if parts[1:] or parts[0] == "**":
        yield from _match(Path(folder), parts, without)
        return
    for name in sorted(fnmatch.filter(files, parts[0])):
        yield from _step(Path(folder, name), (), without)


def _step(path: Path, rest: Sequence[str], without: Path) -> Iterator[Path]:
    if rest:
        if path.is_dir():
            yield from _match(path, rest, without)
    elif path.is_file() and not _in_bundle(path, without):
        yield path


def _folders(top: Path, without: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield each folder in which a report may be, and the names of the files in it."""
    # Paths are made of what matches alone: one for each folder was half of the time.
    start, out = str(top), str(without)
    for folder, names, files in os.walk(start):
        environment = folder != start and "pyvenv.cfg" in files
        if environment or MANIFEST in files or folder == out:
            names.clear()
            continue
        yield folder, files
        names[:] = sorted(name for name in names if name not in _PRUNED)


def _names(folder: Path) -> list[str]:
    try:
        return sorted(path.name for path in folder.iterdir())
    except OSError:
        return []


def _in_bundle(path: Path, without: Path) -> bool:
    resolved = path.resolve()
    return without in resolved.parents or (resolved.parent.parent / MANIFEST).exists()


def _name(path: Path, folder: Path) -> str:
    return os.path.relpath(path, folder)
