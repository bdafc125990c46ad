"""A test report that is damaged, hostile or none at all is one line of the record; the run is kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telltale import bundle, junitxml
from telltale.history import codec, ingest
from telltale.history.ingest import JUNIT
from telltale.history.record import make_record
from telltale.records import Record
from tests.unit.history_records import on_main
from tests.unit.test_record import write_bundle

ONE = '<testcase classname="t" name="a" time="1"/>'
BAD: dict[str, tuple[bytes, str, int]] = {
    "empty": (b"", "it is empty", 0),
    "blank": (b"\n\n", "line 3: no element found", 0),
    "binary": (bytes(range(256)) * 40, "line 1: not well-formed (invalid token)", 0),
    "gzip": (b"\x1f\x8b\x08\x00" + b"\0" * 60, "line 1: not well-formed (invalid token)", 0),
    "json": (b'{"tests": []}', "line 1: not well-formed (invalid token)", 0),
    "html": (b"<html><body/></html>", "its root is <html>: it holds no <testsuite>", 0),
    "no-junit": (b"<coverage/>", "its root is <coverage>: it holds no <testsuite>", 0),
    "truncated": (f"<testsuite>{ONE}\n<testc".encode(), "line 2: unclosed token", 1),
    "two-roots": (f"<testsuite>{ONE}</testsuite>\n<a/>".encode(), "line 2: junk after", 1),
    "wrong-encoding": (
        f"<testsuite>{ONE}\n\xe9 </testsuite>".encode("latin-1"),
        "line 2: not well",
        1,
    ),
    "unknown-encoding": (b'<?xml version="1.0" encoding="klingon"?><a/>', "unknown encoding", 0),
    "nested": (f"<testsuite>{ONE}{'<testsuite>' * 200}".encode(), "more than 100 deep", 1),
    "nested-in-a-case": (
        f"<testsuite>{ONE}<testcase name='b'>{'<a>' * 200}".encode(),
        "more than 100 deep",
        1,
    ),
    "bomb": (
        b'<!DOCTYPE a [<!ENTITY b "ha"><!ENTITY c "&b;&b;&b;&b;">]><testsuite a="&c;"/>',
        "line 1: it declares an entity",
        0,
    ),
    "parameter-bomb": (
        b'<!DOCTYPE a [<!ENTITY % b "x"> %b;]><testsuite/>',
        "line 1: it declares an entity",
        0,
    ),
    "foreign-file": (
        b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><testsuite>&b;</testsuite>',
        "line 1: it declares an entity",
        0,
    ),
}


@pytest.fixture(params=["junitparser", "streamed"], autouse=True)
def reader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every test here hold for small files and for large ones."""
    monkeypatch.setattr(ingest, "LARGE", 0 if request.param == "streamed" else 1 << 60)


@pytest.fixture
def recorded(tmp_path: Path) -> Callable[[bytes], Record]:
    """Return what makes the record of a bundle whose report has these bytes."""

    def make(content: bytes) -> Record:
        folder = write_bundle(tmp_path)
        (folder / bundle.TESTS).unlink()
        (folder / JUNIT).write_bytes(content)
        return make_record(folder, on_main(1))

    return make


@pytest.mark.parametrize(("content", "reason", "tests"), BAD.values(), ids=BAD)
def test_what_is_wrong_is_one_line_and_the_run_is_kept(
    recorded: Callable[[bytes], Record], content: bytes, reason: str, tests: int
) -> None:
    record = recorded(content)

    (finding,) = record.findings
    assert finding.startswith("The test report could not be read to its end: ")
    assert reason in finding
    assert len(finding.splitlines()) == 1
    assert len(record.tests) == tests
    assert codec.decode(codec.encode(record), "x") == record


def test_of_a_huge_report_the_first_tests_are_kept(
    recorded: Callable[[bytes], Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(junitxml, "SIZE_LIMIT", 10_000)

    record = recorded(f"<testsuite>{ONE * 1000}</testsuite>".encode())

    assert "it is larger than 10000 bytes: the rest is not read" in record.findings[0]
    assert 220 < len(record.tests) < 240


def test_of_too_many_tests_the_first_are_kept(
    recorded: Callable[[bytes], Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest, "LARGE", 0)  # a small file holds no million tests
    monkeypatch.setattr(junitxml, "CASES_LIMIT", 10)

    record = recorded(f"<testsuite>{ONE * 1000}</testsuite>".encode())

    assert "more than 10 tests: the rest is not read" in record.findings[0]
    assert len(record.tests) >= 10


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("-1", 0.0),
        ("nan", 0.0),
        ("inf", 0.0),
        ("1e999", 0.0),
        ("1e12", 0.0),
        ("", 0.0),
        ("soon", 0.0),
        ("1,234.5", 1234.5),
        ("1,234,567.25", 1234567.25),
        ("0,25", 0.25),
        ("12,5", 12.5),
        (" 0.5 ", 0.5),
        ("1,2,3", 0.0),
        (",", 0.0),
    ],
)
def test_a_duration_is_seconds_or_nothing(
    recorded: Callable[[bytes], Record], text: str, seconds: float
) -> None:
    record = recorded(f"<testsuite><testcase name='a' time='{text}'/></testsuite>".encode())

    assert [test.duration_s for test in record.tests] == [seconds]
    assert record.findings == ()


def test_one_name_twice_is_two_executions_of_one_test(
    recorded: Callable[[bytes], Record],
) -> None:
    failed = '<testcase classname="t" name="a" time="2"><failure message="no"/></testcase>'

    record = recorded(f"<testsuite>{failed}{ONE}</testsuite>".encode())

    assert [(test.nodeid, test.outcome.value, test.duration_s) for test in record.tests] == [
        ("t::a", "failed", 2.0),
        ("t::a", "passed", 1.0),
    ]
    assert [failure.nodeid for failure in record.failures] == ["t::a"]


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=400))
def test_no_bytes_lose_a_run(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    folder = write_bundle(tmp_path_factory.mktemp("bytes"))
    (folder / bundle.TESTS).unlink()
    (folder / JUNIT).write_bytes(content)

    record = make_record(folder, on_main(1))

    assert len(record.findings) == 1
    assert record.tests == ()
