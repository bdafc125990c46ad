"""
A record as bytes: gzip'd JSON, schema `telltale.record/1`.

Columnar: the tests are parallel arrays, so that 10,000 of them take about 80
kB. Deterministic: equal records give equal bytes, whoever writes them.
docs/history.md describes the schema.
"""

from __future__ import annotations

import gzip
import io
import json
import sys
import zlib
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from functools import lru_cache
from typing import Any, NoReturn

from telltale.errors import HistoryError
from telltale.history import circumstances
from telltale.history import fields as take
from telltale.history.names import Names
from telltale.model import (
    BundleKind,
    Command,
    Confirmation,
    Failure,
    FailureKind,
    Host,
    Outcome,
    Resources,
    Verdict,
)
from telltale.recorded import LETTERS, RecordedTests, Seconds
from telltale.records import Origin, Record, Series

SCHEMA = "telltale.record/1"

MAX_BYTES = 64 * 1024 * 1024
"""Of the JSON text: a gzip bomb ends here."""
MAX_TESTS = 200_000
MAX_NODEID = circumstances.MAX_NODEID
MAX_FAILURES = 2_000
MAX_MESSAGE = 500
MAX_FAILURE_TEXT = 4_096
MAX_FINDINGS = 100
MAX_CONFIRMATIONS = 100
MAX_MEASUREMENTS = 100
"""Figures of one side of a confirmation."""

_WHOLE_RESOURCES = frozenset(
    {
        "max_rss_bytes",
        "tree_peak_rss_bytes",
        "major_faults",
        "minor_faults",
        "voluntary_switches",
        "involuntary_switches",
        "inputs",
        "outputs",
    }
)


def encode(record: Record) -> bytes:
    """Return the record as bytes; durations of tests are rounded to microseconds."""
    tests = RecordedTests.of(record.tests)
    document = {
        "schema": SCHEMA,
        "id": record.id,
        "series": {
            "kind": record.series.kind.value,
            "job": record.series.job,
            "name": record.series.name,
        },
        "origin": asdict(record.origin),
        "started_at": record.started_at,
        "outcome": record.outcome.value,
        "exit_code": record.exit_code,
        "dirty": record.dirty,
        "host": {
            "fingerprint": record.host.fingerprint,
            "parts": dict(record.host.parts),
            "packages": dict(record.host.packages),
        },
        "command": {
            "argv": list(record.command.argv),
            "cwd": record.command.cwd,
            "env": dict(record.command.env),
            "timeout_s": record.command.timeout_s,
        },
        "resources": asdict(record.resources),
        "tests": {
            "nodeid": list(tests.nodeids),
            "outcome": tests.letters,
            "duration_us": list(map(_microseconds, tests.durations_s)),
            "signature": {str(index): name for index, name in tests.signatures.items()},
            **_measured(tests),
        },
        "failures": [
            {
                "nodeid": failure.nodeid,
                "kind": failure.kind.value,
                "signature": failure.signature,
                "message": failure.message,
                "text": failure.text,
            }
            for failure in record.failures
        ],
        "findings": list(record.findings),
        # Absent where there is nothing to say, as in the records from before there were any.
        **{key: list(texts) for key, texts in _later(record).items() if texts},
        **_confirmed(record),
        **circumstances.written(record),
    }
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)
    packed = io.BytesIO()
    # No name and no time in the header: equal records are equal files. The highest level
    # takes six times as long as this one and saves a twelfth.
    with gzip.GzipFile(filename="", mode="wb", compresslevel=5, fileobj=packed, mtime=0) as file:
        file.write(text.encode("ascii"))
    return packed.getvalue()


@lru_cache(maxsize=8192)
def _microseconds(seconds: float) -> int:
    # Most tests take one of a few hundred durations, to three digits.
    return round(seconds * 1e6)


def decode(data: bytes, path: str, names: Names | None = None) -> Record:
    """
    Return the record that `encode` wrote.

    Records that are decoded with the same `names` share the names of their
    tests, and take half the time where they name the same ones.

    Any bytes may come in: whatever is wrong, `HistoryError` names the file
    and what is wrong with it. Keys that are not known are passed over, so that
    a later version may add some.
    """
    try:
        return _record(_document(data, names), names)
    except HistoryError as error:
        raise HistoryError(f"{path}: {error}") from error


def _document(data: bytes, names: Names | None) -> Mapping[str, Any]:
    unpack = zlib.decompressobj(wbits=31)
    try:
        text = unpack.decompress(data, MAX_BYTES + 1)
    except zlib.error as error:
        raise HistoryError(f"not a gzip file: {error}") from error
    if len(text) > MAX_BYTES:
        raise HistoryError(f"more than {MAX_BYTES} bytes when unpacked")
    if not unpack.eof:
        raise HistoryError("the gzip file is cut short")
    try:
        document = names.parse(text, _loads) if names is not None else _loads(text)
    # Deep nesting ends in RecursionError, absurdly long integers in ValueError.
    except (ValueError, RecursionError) as error:
        raise HistoryError(f"not JSON: {error}") from error
    if not isinstance(document, dict):
        raise HistoryError("not a JSON object")
    if document.get("schema") != SCHEMA:
        raise HistoryError(
            f"schema: expected {SCHEMA}, got {str(document.get('schema'))[:60]!r}:"
            " a newer Telltale may have written it"
        )
    return document


def _loads(text: bytes) -> Any:
    return json.loads(text, parse_constant=_not_a_number)


def _not_a_number(constant: str) -> NoReturn:
    raise HistoryError(f"not JSON: {constant}")


def _record(data: Mapping[str, Any], names: Names | None) -> Record:
    host = take.mapping(data, "host")
    return Record(
        id=take.text(data, "id", limit=64),
        series=read_series(take.mapping(data, "series")),
        origin=_origin(take.mapping(data, "origin")),
        started_at=take.text(data, "started_at", limit=40),
        outcome=take.choice(data, "outcome", Outcome),
        exit_code=take.whole_or_none(data, "exit_code"),
        dirty=take.truth_or_none(data, "dirty"),
        host=Host(
            fingerprint=take.text(host, "fingerprint", limit=64),
            parts=take.pairs(host, "parts"),
            # Records of before 2026-11-25 have none.
            packages=take.pairs(host, "packages") if "packages" in host else {},
        ),
        command=_command(take.mapping(data, "command")),
        resources=_resources(take.mapping(data, "resources")),
        tests=_tests(take.mapping(data, "tests"), names),
        failures=tuple(
            _failure(failure) for failure in take.items(data, "failures", limit=MAX_FAILURES)
        ),
        findings=take.texts(data, "findings", limit=MAX_FINDINGS),
        profiled=_later_texts(data, "profiled"),
        invalid=_later_texts(data, "invalid"),
        disagreements=_later_texts(data, "disagreements"),
        confirmations=_confirmations(data),
        numbers=circumstances.numbers(data),
        load=circumstances.load(data),
        leaks=circumstances.leaks(data),
        isolation=circumstances.isolation(data),
    )


def _confirmed(record: Record) -> Mapping[str, Any]:
    if not record.confirmations:
        return {}
    return {
        "confirmations": [
            {**asdict(each), "verdict": each.verdict.value} for each in record.confirmations
        ]
    }


def _confirmations(data: Mapping[str, Any]) -> tuple[Confirmation, ...]:
    if "confirmations" not in data:
        return ()
    found = take.items(data, "confirmations", limit=MAX_CONFIRMATIONS)
    return tuple(_confirmation(each) for each in found)


def _confirmation(data: object) -> Confirmation:
    if not isinstance(data, dict):
        raise HistoryError("confirmations: expected a list of objects")
    return Confirmation(
        nodeid=take.text(data, "nodeid", limit=MAX_NODEID),
        metric=take.text(data, "metric", limit=MAX_NODEID),
        unit=take.text(data, "unit", limit=64),
        base=take.numbers(data, "base", limit=MAX_MEASUREMENTS),
        head=take.numbers(data, "head", limit=MAX_MEASUREMENTS),
        wins=take.whole(data, "wins"),
        pairs=take.whole(data, "pairs"),
        verdict=take.choice(data, "verdict", Verdict),
        reason=take.text(data, "reason", limit=MAX_MESSAGE),
    )


def _measured(tests: RecordedTests) -> Mapping[str, list[int | None]]:
    """Return the columns of what only the probe measures, each absent when it measured nothing."""
    columns: Mapping[str, list[int | None]] = {
        "cpu_us": [None if each is None else round(each * 1e6) for each in tests.cpu_s or ()],
        "rss_peak_change_bytes": list(tests.rss_peak_change_bytes or ()),
    }
    return {key: values for key, values in columns.items() if any(v is not None for v in values)}


def _later(record: Record) -> Mapping[str, tuple[str, ...]]:
    return {
        "profiled": record.profiled,
        "invalid": record.invalid,
        "disagreements": record.disagreements,
    }


def _later_texts(data: Mapping[str, Any], key: str) -> tuple[str, ...]:
    return take.texts(data, key, limit=MAX_FINDINGS) if key in data else ()


def read_series(data: Mapping[str, Any]) -> Series:
    """Return the series that an object with `kind`, `job` and `name` describes."""
    return Series(
        kind=take.choice(data, "kind", BundleKind),
        job=take.text(data, "job"),
        name=take.text(data, "name"),
    )


def _origin(data: Mapping[str, Any]) -> Origin:
    return Origin(
        repository=take.text(data, "repository"),
        sha=take.text(data, "sha"),
        merge_sha=take.text(data, "merge_sha"),
        branch=take.text(data, "branch"),
        event=take.text(data, "event"),
        run_id=take.whole_or_none(data, "run_id"),
        run_attempt=take.whole(data, "run_attempt"),
        pull_request=take.whole_or_none(data, "pull_request"),
        fork=take.truth(data, "fork"),
        default_branch=take.truth(data, "default_branch"),
        url=take.text(data, "url"),
    )


def _command(data: Mapping[str, Any]) -> Command:
    return Command(
        argv=take.texts(data, "argv"),
        cwd=take.text(data, "cwd"),
        env=take.pairs(data, "env"),
        timeout_s=take.number_or_none(data, "timeout_s"),
    )


def _resources(data: Mapping[str, Any]) -> Resources:
    values: dict[str, Any] = {
        field.name: (
            take.whole_or_none(data, field.name)
            if field.name in _WHOLE_RESOURCES
            else take.number_or_none(data, field.name)
        )
        for field in fields(Resources)
    }
    return Resources(**values)


def _tests(data: Mapping[str, Any], names: Names | None) -> RecordedTests:
    nodeids = _nodeids(data, names)
    letters = take.text(data, "outcome", limit=MAX_TESTS)
    durations = take.items(data, "duration_us", limit=MAX_TESTS)
    if not len(nodeids) == len(letters) == len(durations):
        raise HistoryError(
            f"tests: the columns differ in length: {len(nodeids)} nodeid,"
            f" {len(letters)} outcome, {len(durations)} duration_us"
        )
    unknown = set(letters).difference(LETTERS.values())
    if unknown:
        raise HistoryError(
            f"tests.outcome: {min(unknown)!r} is none of {''.join(LETTERS.values())}"
        )
    cpu = _column(data, "cpu_us", len(nodeids))
    return RecordedTests(
        nodeids=nodeids,
        letters=letters,
        durations_s=Seconds(_whole("duration_us", durations)),
        signatures=_signatures(take.mapping(data, "signature"), len(nodeids)),
        cpu_s=(
            Seconds(cpu)
            if isinstance(cpu, array)
            else cpu and [None if each is None else each / 1e6 for each in cpu]
        ),
        rss_peak_change_bytes=_column(data, "rss_peak_change_bytes", len(nodeids)),
    )


def _nodeids(data: Mapping[str, Any], names: Names | None) -> tuple[str, ...]:
    nodeids = data.get("nodeid")
    if isinstance(nodeids, tuple):
        return nodeids  # known to `names`, and checked when it was learnt: JSON has no tuples
    found = tuple(
        # Runs with other tests besides have most names in common all the same.
        sys.intern(take.checked_text(each, "tests.nodeid", limit=MAX_NODEID))
        for each in take.items(data, "nodeid", limit=MAX_TESTS)
    )
    return names.learn(found) if names is not None else found


def _signatures(given: Mapping[str, Any], length: int) -> dict[int, str]:
    found = {}
    for key, name in given.items():
        # Written otherwise than `encode` does, it is the signature of no test.
        if key.isdecimal() and len(key) < 10 and str(int(key)) == key and int(key) < length:
            found[int(key)] = take.checked_text(name, "tests.signature", limit=64)
    return found


def _column(data: Mapping[str, Any], key: str, length: int) -> Sequence[int | None] | None:
    """Return a column of whole numbers and None; None where nothing was measured."""
    if key not in data:
        return None
    values = take.items(data, key, limit=MAX_TESTS)
    if len(values) != length:
        raise HistoryError(f"tests: {length} nodeid, but {len(values)} {key}")
    if None not in values:
        return _whole(key, values)
    _whole(key, [each for each in values if each is not None])
    return values


def _whole(key: str, values: Sequence[Any]) -> array[int]:
    """Return whole numbers that are not negative and that a float holds; 4 bytes each if they fit."""
    # Each of these looks at a column at the speed of C: they are most of what reading takes.
    if set(map(type, values)) <= {int}:
        try:
            return array("I", values)
        except OverflowError:
            if min(values) >= 0 and max(values) < 2**53:
                return array("q", values)
    wrong = next(one for one in values if type(one) is not int or not 0 <= one < 2**53)
    raise HistoryError(
        f"tests.{key}: expected whole numbers that are not negative, got {str(wrong)[:60]}"
    )


def _failure(data: object) -> Failure:
    if not isinstance(data, dict):
        raise HistoryError("failures: expected a list of objects")
    return Failure(
        nodeid=take.text(data, "nodeid", limit=MAX_NODEID),
        kind=take.choice(data, "kind", FailureKind),
        signature=take.text(data, "signature", limit=64),
        message=take.text(data, "message", limit=MAX_MESSAGE),
        text=take.text(data, "text", limit=MAX_FAILURE_TEXT),
    )
