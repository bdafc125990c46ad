"""
What a record says beside its tests, as JSON: numbers of tests, load, leaks, isolation.

Each key is absent where there is nothing to say, as in the records from before
it was there. `written` and the readers are each other's inverse.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from telltale.errors import HistoryError
from telltale.history import fields as take
from telltale.model import Isolation, IsolationVerdict, Leak, Rate
from telltale.records import Load, Record, TestNumber

MAX_NUMBERS = 20_000
MAX_NUMBER_NAME = 100
MAX_LEAKS = 200
MAX_LEAK_TEXT = 500
MAX_ISOLATION = 50
MAX_TESTS_NAMED = 50
"""Polluters, or needs, of one test."""
MAX_NODEID = 1_000
MAX_SENTENCE = 2_000


def written(record: Record) -> Mapping[str, Any]:
    """Return the keys that have something to say."""
    numbers = record.numbers
    documents: Mapping[str, Any] = {
        "numbers": {
            "nodeid": [each.nodeid for each in numbers],
            "name": [each.name for each in numbers],
            "value": [each.value for each in numbers],
        }
        if numbers
        else None,
        "load": asdict(record.load) if record.load else None,
        "leaks": [asdict(leak) for leak in record.leaks],
        "isolation": [{**asdict(each), "verdict": each.verdict.value} for each in record.isolation],
    }
    return {key: document for key, document in documents.items() if document}


def numbers(data: Mapping[str, Any]) -> tuple[TestNumber, ...]:
    """Return the numbers of the record's tests; `HistoryError` for what is none."""
    if "numbers" not in data:
        return ()
    columns = take.mapping(data, "numbers")
    nodeids, names, values = (
        take.items(columns, key, limit=MAX_NUMBERS) for key in ("nodeid", "name", "value")
    )
    if not len(nodeids) == len(names) == len(values):
        raise HistoryError("numbers: the columns differ in length")
    return tuple(
        TestNumber(
            nodeid=take.checked_text(nodeid, "numbers.nodeid", limit=MAX_NODEID),
            name=take.checked_text(name, "numbers.name", limit=MAX_NUMBER_NAME),
            value=take.number({"numbers.value": value}, "numbers.value"),
        )
        for nodeid, name, value in zip(nodeids, names, values, strict=True)
    )


def load(data: Mapping[str, Any]) -> Load | None:
    """Return how busy the machine was; None where the record does not say."""
    if "load" not in data:
        return None
    inner = take.mapping(data, "load")
    return Load(
        load_average=take.number_or_none(inner, "load_average"),
        cpus=take.whole_or_none(inner, "cpus"),
    )


def leaks(data: Mapping[str, Any]) -> tuple[Leak, ...]:
    """Return what tests left changed."""
    return tuple(
        Leak(
            nodeid=take.text(each, "nodeid", limit=MAX_NODEID),
            what=take.text(each, "what", limit=MAX_LEAK_TEXT),
            before=take.text(each, "before", limit=MAX_LEAK_TEXT),
            after=take.text(each, "after", limit=MAX_LEAK_TEXT),
        )
        for each in _objects(data, "leaks", MAX_LEAKS)
    )


def isolation(data: Mapping[str, Any]) -> tuple[Isolation, ...]:
    """Return what became of the failed tests that were run again."""
    return tuple(
        Isolation(
            nodeid=take.text(each, "nodeid", limit=MAX_NODEID),
            signature=take.text(each, "signature", limit=64),
            verdict=take.choice(each, "verdict", IsolationVerdict),
            sentence=take.text(each, "sentence", limit=MAX_SENTENCE),
            polluters=take.texts(each, "polluters", limit=MAX_TESTS_NAMED),
            needs=take.texts(each, "needs", limit=MAX_TESTS_NAMED),
            leaked=take.texts(each, "leaked", limit=MAX_TESTS_NAMED),
            alone=_rate(each, "alone"),
            in_order=_rate(each, "in_order"),
            together=_rate(each, "together"),
            command=take.text(each, "command", limit=MAX_SENTENCE),
            budget_s=take.number(each, "budget_s"),
            elapsed_s=take.number(each, "elapsed_s"),
        )
        for each in _objects(data, "isolation", MAX_ISOLATION)
    )


def _rate(data: Mapping[str, Any], key: str) -> Rate:
    inner = take.mapping(data, key)
    return Rate(
        runs=take.whole(inner, "runs"),
        failures=take.whole(inner, "failures"),
        low=take.number(inner, "low"),
        high=take.number(inner, "high"),
    )


def _objects(data: Mapping[str, Any], key: str, limit: int) -> Sequence[Mapping[str, Any]]:
    if key not in data:
        return ()
    found = take.items(data, key, limit=limit)
    if not all(isinstance(each, dict) for each in found):
        raise HistoryError(f"{key}: expected a list of objects")
    return found
