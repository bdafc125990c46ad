from __future__ import annotations

import gzip
import json
import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telltale.errors import HistoryError
from telltale.history import codec
from telltale.model import Command, TestOutcome
from telltale.records import Record, RecordedTest, TestNumber
from tests.unit.history_records import any_record, main_run

JUNK: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, -1, 1.5, 10**30, "", "x" * 10_000, [], [[]], {}, {"a": {}}, [None] * 300]
)


@given(any_record())
def test_a_record_comes_back_as_it_went(record: Record) -> None:
    assert codec.decode(codec.encode(record), "x") == record


@given(any_record())
def test_equal_records_are_equal_bytes(record: Record) -> None:
    other_order = dict(sorted(record.command.env.items(), reverse=True))
    same = replace(record, command=replace(record.command, env=other_order))

    assert codec.encode(same) == codec.encode(record)
    assert codec.encode(record)[4:8] == bytes(4), "the time of writing is in the gzip header"


@given(any_record(), st.data())
def test_a_damaged_record_is_refused_by_name_or_still_a_record(
    record: Record, data: st.DataObject
) -> None:
    document = json.loads(gzip.decompress(codec.encode(record)))
    spoil(document, data)
    try:
        found = codec.decode(gzip.compress(json.dumps(document).encode()), "records/a.json.gz")
    except HistoryError as error:
        assert str(error).startswith("records/a.json.gz: ")  # noqa: PT017
    else:
        assert isinstance(found, Record)


def test_a_record_from_before_a_key_was_there_reads_and_writes_as_it_did() -> None:
    old = codec.encode(main_run(1))

    document = json.loads(gzip.decompress(old))
    later = {"invalid", "disagreements", "confirmations", "numbers", "load", "leaks", "isolation"}
    assert not later & set(document)
    assert not {"cpu_us", "rss_peak_change_bytes"} & set(document["tests"])
    assert codec.encode(codec.decode(old, "x")) == old


def spoil(document: dict[str, Any], data: st.DataObject) -> None:
    inner: Any = document
    while True:
        keys = sorted(inner) if isinstance(inner, dict) else list(range(len(inner)))
        key = data.draw(st.sampled_from(keys))
        if isinstance(inner[key], dict | list) and inner[key] and data.draw(st.booleans()):
            inner = inner[key]
            continue
        inner[key] = data.draw(JUNK)
        return


@given(st.binary(max_size=200))
def test_bytes_that_are_no_record_are_refused(data: bytes) -> None:
    with pytest.raises(HistoryError, match=r"^here: "):
        codec.decode(data, "here")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(b"", "cut short", id="empty"),
        pytest.param(codec.encode(main_run(1))[:-9], "cut short", id="truncated"),
        pytest.param(b"PK\x03\x04" + b"\0" * 40, "not a gzip file", id="zip"),
        pytest.param(gzip.compress(b"\0" * (codec.MAX_BYTES + 1)), "more than", id="gzip-bomb"),
        pytest.param(gzip.compress(b"[" * 200_000), "not JSON", id="nesting-bomb"),
        pytest.param(gzip.compress(b'{"a": NaN}'), "NaN", id="nan"),
        pytest.param(gzip.compress(b"\xff\xfe"), "not JSON", id="no-text"),
        pytest.param(gzip.compress(b"[]"), "not a JSON object", id="list"),
        pytest.param(
            gzip.compress(b'{"schema": "telltale.record/9"}'), "newer Telltale", id="newer-schema"
        ),
    ],
)
def test_what_is_wrong_is_said(data: bytes, reason: str) -> None:
    with pytest.raises(HistoryError, match=reason):
        codec.decode(data, "here")


def test_columns_of_different_length_are_refused() -> None:
    document = json.loads(gzip.decompress(codec.encode(main_run(1))))
    document["tests"]["outcome"] = "pp"

    with pytest.raises(HistoryError, match="1 nodeid, 2 outcome, 1 duration_us"):
        codec.decode(gzip.compress(json.dumps(document).encode()), "here")


@pytest.mark.parametrize("column", ["cpu_us", "rss_peak_change_bytes"])
@pytest.mark.parametrize("values", [[1, 2], [-1], [1.5], [True], [2**60], "1"])
def test_a_column_of_measured_figures_is_as_long_as_the_tests_and_whole(
    column: str, values: Any
) -> None:
    document = json.loads(gzip.decompress(codec.encode(main_run(1))))
    document["tests"][column] = values

    with pytest.raises(HistoryError, match=column):
        codec.decode(gzip.compress(json.dumps(document).encode()), "here")


@pytest.mark.parametrize("value", ["NaN", "1e999"])
def test_a_number_of_a_test_is_finite(value: str) -> None:
    number = TestNumber(nodeid="a", name="b", value=1.5)
    text = gzip.decompress(codec.encode(replace(main_run(1), numbers=(number,)))).decode()

    with pytest.raises(HistoryError, match=r"value|NaN"):
        codec.decode(gzip.compress(text.replace("1.5]", f"{value}]").encode()), "here")


def test_keys_of_a_later_version_are_passed_over() -> None:
    document = json.loads(gzip.decompress(codec.encode(main_run(1))))
    document["weather"] = document["origin"]["weather"] = "rain"

    assert codec.decode(gzip.compress(json.dumps(document).encode()), "here") == main_run(1)


def test_ten_thousand_tests_take_about_80_kb() -> None:
    chance = random.Random(1)  # noqa: S311
    tests = tuple(
        RecordedTest(
            nodeid=f"tests/unit/test_module_{index // 25}.py::TestClass{index // 5}"
            f"::test_{chance.choice(['reads', 'writes', 'parses'])}_number_{index % 97}[{index}]",
            outcome=TestOutcome.PASSED,
            duration_s=round(chance.lognormvariate(-3.5, 1.2), 3),
        )
        for index in range(10_000)
    )
    record = replace(main_run(1), tests=tests, command=Command(argv=("pytest",), cwd="."))

    assert len(codec.encode(record)) < 90_000

    measured = tuple(
        replace(
            test,
            cpu_s=round(test.duration_s * chance.lognormvariate(-0.05, 0.05), 3),
            rss_peak_change_bytes=chance.choice([0] * 19 + [4096 * chance.randint(1, 300)]),
        )
        for test in tests
    )
    assert len(codec.encode(replace(record, tests=measured))) < 110_000


def test_the_runs_of_a_series_share_the_names_of_their_tests() -> None:
    name = "tests/test_a.py::test_shared"
    tests = (RecordedTest(nodeid=name, outcome=TestOutcome.PASSED, duration_s=1.0),)
    first, second = (
        codec.decode(codec.encode(replace(main_run(number), tests=tests)), "a") for number in (1, 2)
    )
    assert first.tests[0].nodeid is second.tests[0].nodeid
