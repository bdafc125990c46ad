"""What is known of a failure, from an evidence bundle or from the history."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from telltale import bundle
from telltale.capture.redact import Redactor
from telltale.errors import BundleError, ScaffoldError
from telltale.model import Command, Failure, Host, Source, TestOutcome, TestResult
from telltale.records import Record

LOG_BYTES = 64 * 1024
MOST_BEFORE = 20_000
_ENV_LIMIT = 1024 * 1024
_LONGEST_LIST = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A failure to reproduce, with the circumstances in which it happened."""

    failure: Failure
    command: Command
    source: Source
    before: tuple[tuple[str, float], ...] = ()
    """Tests that had run in the same run before it, oldest first, with their durations."""
    duration_s: float = 0.0
    """Of the failed execution; of the whole command when no test is named."""
    exit_code: int | None = None
    host: Host = field(default_factory=lambda: Host(fingerprint=""))
    environ: Mapping[str, str] = field(default_factory=dict)
    """Variables around the command that are known to matter."""
    packages: tuple[str, ...] = ()
    """As `pip freeze` words them."""
    job: str = ""
    date: str = ""
    frequency: str = ""
    """How often it fails, in words."""
    url: str = ""
    """Of the run."""
    log: str = ""
    """The end of the run's log."""


def request_from_bundle(folder: Path, nodeid: str = "", *, frequency: str = "") -> Request:
    """
    Return the request for a failure of a bundle, the first one unless a nodeid is given.

    Raises `BundleError` when it cannot be read, and `ScaffoldError` when it
    holds no such failure.
    """
    evidence = bundle.read_manifest(folder)
    failure = _choose(evidence.failures, nodeid, folder)
    results = bundle.read_tests(folder)
    before, duration = _what_ran(
        ((one.nodeid, one.outcome, one.duration_s) for one in results), failure.nodeid
    )
    return Request(
        failure=_whole(failure, results),
        command=evidence.command,
        source=evidence.source,
        before=before,
        duration_s=duration or (evidence.elapsed_s or 0.0) * (not failure.nodeid),
        exit_code=evidence.exit_code,
        host=evidence.host,
        environ=_variables(folder / "env/env.txt"),
        packages=_packages(folder / "env/packages.txt"),
        job=evidence.github.job if evidence.github else evidence.name,
        date=evidence.started_at,
        frequency=frequency,
        log=_text(folder / "logs/output.log", LOG_BYTES),
    )


def request_from_record(record: Record, failure: Failure, *, frequency: str = "") -> Request:
    """Return the request for a failure of a record of the history."""
    before, duration = _what_ran(
        ((one.nodeid, one.outcome, one.duration_s) for one in record.tests), failure.nodeid
    )
    return Request(
        failure=failure,
        command=record.command,
        source=Source(
            repository=record.origin.repository,
            sha=record.origin.sha,
            ref=record.origin.branch,
            dirty=record.dirty,
        ),
        before=before,
        duration_s=duration or (record.resources.wall_s or 0.0) * (not failure.nodeid),
        exit_code=record.exit_code,
        host=record.host,
        job=record.series.title,
        date=record.started_at,
        frequency=frequency,
        url=record.origin.url,
    )


def _choose(failures: Sequence[Failure], nodeid: str, folder: Path) -> Failure:
    if not failures:
        raise ScaffoldError(f"{folder}: nothing failed in this run: name a bundle with a failure")
    if not nodeid:
        return failures[0]
    for failure in failures:
        if failure.nodeid == nodeid:
            return failure
    there = ", ".join(failure.nodeid or "(the run itself)" for failure in failures[:5])
    raise ScaffoldError(f"{folder}: {nodeid} did not fail in this run; these did: {there}")


def _whole(failure: Failure, results: Sequence[TestResult]) -> Failure:
    """Return the failure with its whole text, which the manifest may have clipped."""
    for result in results:
        if result.nodeid == failure.nodeid and result.outcome.bad and failure.text and result.text:
            return Failure(
                nodeid=failure.nodeid,
                kind=failure.kind,
                signature=failure.signature,
                message=failure.message,
                text=result.text,
            )
    return failure


def _what_ran(
    tests: Iterable[tuple[str, TestOutcome, float]], nodeid: str
) -> tuple[tuple[tuple[str, float], ...], float]:
    """Return the tests before the first failure of `nodeid`, and how long that took."""
    before: list[tuple[str, float]] = []
    for name, outcome, seconds in tests:
        if name == nodeid and (outcome.bad or outcome is TestOutcome.INTERRUPTED):
            return tuple(before[-MOST_BEFORE:]), seconds
        if outcome is not TestOutcome.SKIPPED:
            before.append((name, seconds))
    return (), 0.0


def _variables(path: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in _text(path, _ENV_LIMIT).splitlines()[:_LONGEST_LIST]:
        name, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found[name] = value
    return found


def _packages(path: Path) -> tuple[str, ...]:
    lines = _text(path, _ENV_LIMIT).splitlines()[:_LONGEST_LIST]
    return tuple(line for line in lines if line and not line.startswith("#"))


def _text(path: Path, size: int) -> str:
    """Return the end of a file of a bundle, empty when there is none. Its writer is a stranger."""
    if path.is_symlink() or not path.is_file():
        return ""
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - size))
            return file.read(size).decode("utf-8", "replace")
    except OSError as error:
        raise BundleError(f"{path}: cannot be read: {error.strerror or error}") from error


def redacted(text: str) -> str:
    """Return the text without what looks like a secret: it is copied to where others read it."""
    return Redactor({}).text(text)
