"""
The tables that an export writes, as data: their columns, and the rows that a record gives.

`scripts/docs` prints the columns into docs/history.md. Values are columns, not
rows: a record holds thousands of tests, and every format can take them so.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timezone
from typing import Any, Literal

from telltale.history import layout
from telltale.model import Resources, TestOutcome
from telltale.records import Record

Type = Literal["text", "int", "float", "bool", "instant"]

Columns = Mapping[str, list[Any]]
"""Values by the name of their column, all of one length; None is no value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column: what stands in it and what it means when nothing does."""

    name: str
    type: Type
    help: str
    null: str = ""
    """What no value means; empty when there is always one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One table: its columns, and how a record becomes rows of it."""

    name: str
    help: str
    columns: tuple[Column, ...]
    rows: Callable[[Record], Columns]


def _text(value: str) -> str:
    # JSON can hold half a surrogate pair, no file in UTF-8 can.
    return value if value.isascii() else value.encode("utf-8", "replace").decode("utf-8")


def _json(value: Mapping[str, str] | Sequence[str]) -> str:
    return json.dumps(value if isinstance(value, Mapping) else list(value), sort_keys=True)


_UNITS = {"_s": "seconds", "_bytes": "bytes", "_percent": "percent"}


def _unit(name: str) -> str:
    return next((unit for end, unit in _UNITS.items() if name.endswith(end)), "count")


_RUN = (
    Column(name="run", type="text", help="id of the record"),
    Column(name="started_at", type="instant", help="start of the run, UTC"),
)

_RUNS = (
    *_RUN,
    Column(name="outcome", type="text", help="of the command, as in a record"),
    Column(name="exit_code", type="int", help="exit status", null="it had none"),
    Column(name="baseline", type="bool", help="a baseline may rest on it"),
    Column(name="valid", type="bool", help="its figures are a measurement"),
    Column(name="profiled", type="bool", help="a profiler disturbed the figures"),
    Column(name="repository", type="text", help="owner/name; empty at a terminal"),
    Column(name="sha", type="text", help="commit; of a pull request its head"),
    Column(name="merge_sha", type="text", help="test merge of a pull request; empty without one"),
    Column(name="branch", type="text", help="branch"),
    Column(name="event", type="text", help="GitHub's event; empty at a terminal"),
    Column(name="run_id", type="int", help="GitHub's number of the run", null="at a terminal"),
    Column(name="run_attempt", type="int", help="attempt, from 1"),
    Column(name="pull_request", type="int", help="number", null="of no pull request"),
    Column(name="fork", type="bool", help="the code came from another repository"),
    Column(name="default_branch", type="bool", help="a run of the default branch"),
    Column(name="url", type="text", help="page of the run; empty at a terminal"),
    Column(name="dirty", type="bool", help="tracked files differed", null="unknown"),
    Column(name="fingerprint", type="text", help="of the host"),
    Column(name="host", type="text", help="parts of the fingerprint, a JSON object"),
    Column(name="packages", type="text", help="versions that figures depend on, a JSON object"),
    Column(name="load_average", type="float", help="of the minute before", null="unknown"),
    Column(name="cpus", type="int", help="of the whole machine", null="unknown"),
    Column(name="command", type="text", help="as in a shell"),
    *(
        Column(
            name=field.name,
            type="float" if str(field.type).startswith("float") else "int",
            help=f"as in the manifest, {_unit(field.name)}",
            null="not measured",
        )
        for field in fields(Resources)
    ),
    *(
        Column(name=f"tests_{outcome.value}", type="int", help="number of tests")
        for outcome in TestOutcome
    ),
    Column(name="failures", type="int", help="number of failures"),
    Column(name="findings", type="text", help="sentences, a JSON list"),
)


def _runs(record: Record) -> Columns:
    origin, load = record.origin, record.load
    outcomes = [test.outcome for test in record.tests]
    values: dict[str, Any] = {
        "run": record.id,
        "started_at": record.started_at,
        "outcome": record.outcome.value,
        "exit_code": record.exit_code,
        "baseline": layout.may_be_baseline(origin),
        "valid": not record.invalid,
        "profiled": bool(record.profiled),
        "repository": origin.repository,
        "sha": origin.sha,
        "merge_sha": origin.merge_sha,
        "branch": origin.branch,
        "event": origin.event,
        "run_id": origin.run_id,
        "run_attempt": origin.run_attempt,
        "pull_request": origin.pull_request,
        "fork": origin.fork,
        "default_branch": origin.default_branch,
        "url": origin.url,
        "dirty": record.dirty,
        "fingerprint": record.host.fingerprint,
        "host": _json(record.host.parts),
        "packages": _json(record.host.packages),
        "load_average": load.load_average if load else None,
        "cpus": load.cpus if load else None,
        "command": shlex.join(record.command.argv),
        **{field.name: getattr(record.resources, field.name) for field in fields(Resources)},
        **{f"tests_{outcome.value}": outcomes.count(outcome) for outcome in TestOutcome},
        "failures": len(record.failures),
        "findings": _json(record.findings),
    }
    return {
        name: [_text(value) if isinstance(value, str) else value] for name, value in values.items()
    }


_RESULTS = (
    *_RUN,
    Column(name="baseline", type="bool", help="a baseline may rest on the run"),
    Column(name="sha", type="text", help="commit; of a pull request its head"),
    Column(name="fingerprint", type="text", help="of the host"),
    Column(name="position", type="int", help="in the order of execution, from 0"),
    Column(name="nodeid", type="text", help="the test"),
    Column(name="outcome", type="text", help="of its execution"),
    Column(name="duration_s", type="float", help="wall time, seconds"),
    Column(name="cpu_s", type="float", help="user and system time, seconds", null="not measured"),
    Column(
        name="rss_peak_change_bytes",
        type="int",
        help="how much higher the peak of memory was after it, bytes",
        null="not measured",
    ),
    Column(name="signature", type="text", help="name of the failure", null="it did not fail"),
)


def _results(record: Record) -> Columns:
    tests = record.tests
    return {
        **_same(record, len(tests)),
        "baseline": [layout.may_be_baseline(record.origin)] * len(tests),
        "sha": [_text(record.origin.sha)] * len(tests),
        "fingerprint": [_text(record.host.fingerprint)] * len(tests),
        "position": list(range(len(tests))),
        "nodeid": [_text(test.nodeid) for test in tests],
        "outcome": [test.outcome.value for test in tests],
        "duration_s": [test.duration_s for test in tests],
        "cpu_s": [test.cpu_s for test in tests],
        "rss_peak_change_bytes": [test.rss_peak_change_bytes for test in tests],
        "signature": [_text(test.signature) or None for test in tests],
    }


_FAILURES = (
    *_RUN,
    Column(name="nodeid", type="text", help="the test", null="the run itself failed"),
    Column(name="failure", type="text", help="its kind, as in a record"),
    Column(name="signature", type="text", help="name of the failure"),
    Column(name="message", type="text", help="its first words"),
)


def _failures(record: Record) -> Columns:
    failures = record.failures
    return {
        **_same(record, len(failures)),
        "nodeid": [_text(failure.nodeid) or None for failure in failures],
        "failure": [failure.kind.value for failure in failures],
        "signature": [_text(failure.signature) for failure in failures],
        "message": [_text(failure.message) for failure in failures],
    }


_NUMBERS = (
    *_RUN,
    Column(name="nodeid", type="text", help="the test"),
    Column(name="property", type="text", help="the name under which it recorded the number"),
    Column(name="value", type="float", help="in the unit of the test's own"),
)


def _numbers(record: Record) -> Columns:
    numbers = record.numbers
    return {
        **_same(record, len(numbers)),
        "nodeid": [_text(number.nodeid) for number in numbers],
        "property": [_text(number.name) for number in numbers],
        "value": [number.value for number in numbers],
    }


def _same(record: Record, count: int) -> Columns:
    return {"run": [record.id] * count, "started_at": [record.started_at] * count}


TABLES = (
    Table(name="runs", help="one row a record", columns=_RUNS, rows=_runs),
    Table(name="results", help="one row for each test of a run", columns=_RESULTS, rows=_results),
    Table(name="failures", help="one row a failure", columns=_FAILURES, rows=_failures),
    Table(
        name="numbers",
        help="one row for each number that a test recorded itself",
        columns=_NUMBERS,
        rows=_numbers,
    ),
)


def instant(text: str) -> datetime:
    """Return an instant as records have it, to the microsecond; `ValueError` for no such day."""
    fraction = text.removesuffix("Z").removesuffix("+00:00")[20:]
    moment = datetime.fromisoformat(text[:19]).replace(tzinfo=timezone.utc)
    return moment.replace(microsecond=int(fraction.ljust(6, "0")[:6]))
