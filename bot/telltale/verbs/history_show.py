"""`telltale history show`: one record, or the last runs of a series, as tables."""

from __future__ import annotations

import dataclasses
import gzip
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from telltale import gha
from telltale.errors import HistoryError, UsageError
from telltale.history import layout
from telltale.history.archive import read_record
from telltale.history.catalog import Shelf, shelves
from telltale.history.finding import find
from telltale.history.interface import Store
from telltale.model import TestOutcome
from telltale.options import Invocation
from telltale.records import Origin, Record
from telltale.report.escape import cell, code, prose
from telltale.report.figures import NONE, count, minute, percent, seconds, size
from telltale.verbs.bundles import store_of, warn

_SLOWEST = 10
_FAILURES = 20


def run(invocation: Invocation) -> int:
    """Find what is meant, read it, print Markdown or JSON."""
    if len(invocation.arguments) != 1:
        raise UsageError("history show takes one series, id or path, as `history list` prints them")
    store = store_of(invocation, gha.context(invocation.environ))
    found = find(invocation.arguments[0], shelves(store))
    if isinstance(found, Shelf):
        _show_series(found, store, invocation)
    else:
        _show_record(found, store, invocation)
    return 0


def _show_series(shelf: Shelf, store: Store, invocation: Invocation) -> None:
    newest = shelf.entries[: invocation.count("limit")]
    contents = store.read([entry.path for entry in newest])
    read = [_read(entry, contents.get(entry.path)) for entry in newest]
    records = [one for one in read if isinstance(one, Record)]
    warn([str(one) for one in read if isinstance(one, HistoryError)], invocation)
    if invocation.flag("json"):
        print(json.dumps([_summary(record) for record in records], indent=2))
    else:
        print("\n".join(_series_page(shelf, records)))


def _show_record(entry: layout.Entry, store: Store, invocation: Invocation) -> None:
    data = store.read([entry.path]).get(entry.path)
    record = read_record(data, entry)
    if invocation.flag("json"):
        # As it is stored, with the keys that a newer version may have added.
        print(json.dumps(json.loads(gzip.decompress(data or b"")), indent=2))
    else:
        print("\n".join(_record_page(record, entry.path)))


def _read(entry: layout.Entry, data: bytes | None) -> Record | HistoryError:
    try:
        return read_record(data, entry)
    except HistoryError as error:
        return error


def _summary(record: Record) -> dict[str, Any]:
    return {
        "id": record.id,
        "path": layout.path_of(record),
        "started_at": record.started_at,
        "outcome": record.outcome.value,
        "tests": {
            outcome.value: number
            for outcome, number in Counter(test.outcome for test in record.tests).items()
        },
        "baseline": layout.may_be_baseline(record.origin),
        "origin": dataclasses.asdict(record.origin),
        "fingerprint": record.host.fingerprint,
        "resources": dataclasses.asdict(record.resources),
    }


def _series_page(shelf: Shelf, records: Sequence[Record]) -> Iterator[str]:
    shown = f"the newest {len(records)} of " if len(records) < len(shelf.entries) else ""
    yield f"# {code(shelf.title)}"
    yield ""
    yield f"{shown}{count(len(shelf.entries), 'record')} in {code(f'records/{shelf.slug}')}"
    yield ""
    head = ("started (UTC)", "id", "outcome", "passed", "bad", "skipped", "wall", "CPU")
    yield from _table(
        (*head, "peak RSS", "commit", "from", "host"), (_line(record) for record in records)
    )


def _line(record: Record) -> tuple[str, ...]:
    outcomes = Counter(test.outcome for test in record.tests)
    used = record.resources
    return (
        minute(record.started_at),
        record.id[:12],
        record.outcome.value,
        str(outcomes[TestOutcome.PASSED]),
        str(sum(number for outcome, number in outcomes.items() if outcome.bad)),
        str(outcomes[TestOutcome.SKIPPED]),
        seconds(used.wall_s),
        seconds(_cpu(record)),
        size(used.max_rss_bytes),
        cell(record.origin.sha[:10]),
        cell(_from(record.origin), 40),
        cell(record.host.fingerprint[:8]),
    )


def _record_page(record: Record, path: str) -> Iterator[str]:
    yield f"# {code(record.series.title)}, {minute(record.started_at)}"
    yield ""
    yield from _table(("what", "value"), _facts(record, path))
    for sentence in (*record.invalid, *record.disagreements, *record.findings):
        yield f"- {prose(sentence)}"
    if record.failures:
        yield f"\n## {count(len(record.failures), 'failure')}\n"
        yield from _table(
            ("test", "kind", "signature", "message"),
            (
                (
                    cell(failure.nodeid or "(the run)"),
                    failure.kind.value,
                    cell(failure.signature),
                    cell(failure.message, 120),
                )
                for failure in record.failures[:_FAILURES]
            ),
        )
    slowest = sorted(record.tests, key=lambda test: test.duration_s, reverse=True)[:_SLOWEST]
    if slowest:
        yield f"\n## The slowest of {count(len(record.tests), 'test')}\n"
        yield from _table(
            ("test", "outcome", "duration"),
            ((cell(test.nodeid), test.outcome.value, seconds(test.duration_s)) for test in slowest),
        )


def _facts(record: Record, path: str) -> Iterator[tuple[str, str]]:
    used, origin = record.resources, record.origin
    outcomes = Counter(test.outcome.value for test in record.tests)
    yield "id", record.id
    yield "path", cell(path, 400)
    yield "outcome", f"{record.outcome.value}, exit status {_or_none(record.exit_code)}"
    yield (
        "tests",
        ", ".join(f"{number} {name}" for name, number in sorted(outcomes.items())) or NONE,
    )
    yield "from", cell(_from(origin))
    yield "may be a baseline", "yes" if layout.may_be_baseline(origin) else "no"
    yield "commit", cell(origin.sha or NONE)
    yield "run", f"{_or_none(origin.run_id)}, attempt {origin.run_attempt}"
    yield "host", cell(record.host.fingerprint or NONE)
    yield "wall time", seconds(used.wall_s)
    yield "CPU time", f"{seconds(_cpu(record))} ({percent(used.cpu_percent)})"
    yield "peak RSS", f"{size(used.max_rss_bytes)}, tree {size(used.tree_peak_rss_bytes)}"


def _cpu(record: Record) -> float | None:
    used = record.resources
    if used.user_s is None or used.system_s is None:
        return None
    return used.user_s + used.system_s


def _from(origin: Origin) -> str:
    if origin.local:
        return f"a terminal, {origin.branch}" if origin.branch else "a terminal"
    if origin.pull_request is not None:
        return f"pull request {origin.pull_request}{' of a fork' if origin.fork else ''}"
    return f"{origin.event} on {origin.branch}"


def _or_none(value: int | None) -> str:
    return NONE if value is None else str(value)


def _table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for line in lines:
        yield f"| {' | '.join(line)} |"
