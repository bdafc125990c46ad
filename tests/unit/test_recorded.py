"""Columns instead of objects: the same is read, however it lies in memory."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telltale.errors import HistoryError
from telltale.history import codec
from telltale.history.names import Names
from telltale.model import TestOutcome
from telltale.recorded import Lookup, RecordedTests
from telltale.records import Record, RecordedTest
from tests.unit.history_records import any_record, main_run
from tests.unit.test_history_codec import spoil


def decoded(data: bytes, names: Names | None) -> Record | str:
    try:
        return codec.decode(data, "x", names)
    except HistoryError as error:
        return str(error)


def edited(record: Record, old: str, new: str) -> bytes:
    text = gzip.decompress(codec.encode(record)).decode("ascii")
    assert text.count(old) == 1
    return gzip.compress(text.replace(old, new).encode("ascii"))


@given(st.lists(any_record(), min_size=1, max_size=3))
def test_records_that_share_names_read_as_alone(records: list[Record]) -> None:
    names = Names()

    for record in [*records, *reversed(records)]:
        assert codec.decode(codec.encode(record), "x", names) == record


def test_one_list_of_names_serves_all_records() -> None:
    names = Names()
    one, other = (codec.decode(codec.encode(main_run(n)), "x", names) for n in (1, 2))

    assert RecordedTests.of(one.tests).nodeids is RecordedTests.of(other.tests).nodeids


@given(any_record(), st.data())
def test_a_damaged_record_reads_with_known_names_as_without(
    record: Record, data: st.DataObject
) -> None:
    names = Names()
    codec.decode(codec.encode(record), "x", names)
    document = json.loads(gzip.decompress(codec.encode(record)))
    spoil(document, data)
    text = json.dumps(document, sort_keys=True, separators=(",", ":")).encode("ascii")
    cut = data.draw(st.sampled_from([len(text), len(text) - 1, len(text) // 2]))

    damaged = gzip.compress(text[:cut])

    assert decoded(damaged, names) == decoded(damaged, None)


NODEIDS = '"nodeid":["tests/test_a.py::test_one"]'


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param(NODEIDS, f'"also":0,{NODEIDS},"nodeid":["other"]', id="twice"),
        pytest.param(NODEIDS, f'"nodeid":["other"],{NODEIDS}', id="twice-other-first"),
        pytest.param(NODEIDS, f'"inner":{{"a":0,{NODEIDS}}}', id="deeper"),
        pytest.param('"tests":{', f'"tests":{{"x":{{"a":0,{NODEIDS}}},', id="deeper-and-there"),
        pytest.param(NODEIDS, '"nodeid":["tests/test_a.py::test_one"', id="not-closed"),
        pytest.param(NODEIDS, f"{NODEIDS}]", id="closed-twice"),
        pytest.param(NODEIDS, f'"a":"\\"tests\\":{{,",{NODEIDS}', id="in-a-text"),
        pytest.param('"branch":"main"', f'"branch":"tests":{{,{NODEIDS}', id="before"),
    ],
)
def test_known_names_make_nothing_acceptable_that_is_not(old: str, new: str) -> None:
    names = Names()
    codec.decode(codec.encode(main_run(1)), "x", names)
    data = edited(main_run(2), old, new)

    assert decoded(data, names) == decoded(data, None)


def test_many_lists_of_names_do_not_stay() -> None:
    names = Names()
    records = [main_run(n, tests={f"test_{n}": 0.5}) for n in range(100)]

    assert [codec.decode(codec.encode(one), "x", names) for one in records] == records
    assert len(names) < 10


@given(any_record())
def test_columns_are_equal_to_the_objects(record: Record) -> None:
    tests = tuple(record.tests)
    columns = RecordedTests.of(codec.decode(codec.encode(record), "x").tests)

    assert columns == tests
    assert tests == columns
    assert hash(columns) == hash(tests)
    assert columns[1:] == tests[1:]
    assert list(columns.durations_s[1:]) == [test.duration_s for test in tests[1:]]
    assert columns.failing() == {test.nodeid for test in tests if test.outcome.bad}
    for outcome in TestOutcome:
        assert columns.count(outcome) == sum(test.outcome is outcome for test in tests)
    for test in tests:
        assert columns.count(test) == tests.count(test)


@given(
    st.lists(st.lists(st.sampled_from("abc"), max_size=5), max_size=5),
    st.sets(st.sampled_from("abc")),
)
def test_executions_are_found_in_any_sequence_of_records(
    named: list[list[str]], wanted: set[str]
) -> None:
    runs = [
        RecordedTests.of(
            [RecordedTest(nodeid=n, outcome=TestOutcome.PASSED, duration_s=0.0) for n in each]
        )
        for each in named
    ]
    lookup = Lookup(wanted)

    for run in (each for twice in runs for each in (twice, twice)):
        assert list(lookup.within(run)) == [test for test in run if test.nodeid in wanted]


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("duration_us", [0, 2**32 - 1]),
        ("duration_us", [2**32, 2**53 - 1]),
        ("rss_peak_change_bytes", [None, 2**40]),
        ("cpu_us", [None, 2**40]),
        ("cpu_us", [None, None]),
    ],
)
def test_large_and_missing_figures_stay_what_they_are(column: str, values: list[Any]) -> None:
    record = main_run(1, tests={"a": 0.5, "b": 0.5})
    document = json.loads(gzip.decompress(codec.encode(record)))
    document["tests"][column] = values

    tests = codec.decode(gzip.compress(json.dumps(document).encode()), "x").tests

    field = {"duration_us": "duration_s", "cpu_us": "cpu_s"}.get(column, column)
    scale = 1e6 if column.endswith("_us") else 1
    expected = [None if value is None else value / scale for value in values]
    assert [getattr(test, field) for test in tests] == expected


def test_a_signature_at_a_place_that_is_written_otherwise_is_of_no_test() -> None:
    document = json.loads(gzip.decompress(codec.encode(main_run(1))))
    document["tests"]["signature"] = {
        "00": "a",
        "-1": "b",
        "1": "c",
        "\u0660": "d",
        "9" * 5000: "e",
    }

    record = codec.decode(gzip.compress(json.dumps(document).encode()), "x")

    assert record == main_run(1)
