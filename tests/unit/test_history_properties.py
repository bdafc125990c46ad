"""Numbers that tests record themselves, and what else a record says beside its tests."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from telltale import bundle, junitxml
from telltale.history import circumstances, codec, ingest
from telltale.history.ingest import JUNIT, read_report
from telltale.history.record import make_record
from telltale.model import Isolation, IsolationVerdict, Leak, TestOutcome, TestResult
from telltale.records import Load
from tests.unit.history_records import on_main
from tests.unit.test_record import passed, write_bundle

SUITE = """
import pytest
class TestTraining:
    class TestInner:
        @pytest.mark.parametrize("size", ["a::b", "x/y.py", 3])
        def test_step(self, record_property, size):
            record_property("steps_per_s", 41.5)
            record_property("device", "cpu")
            record_property("worse", "nan")
def test_plain(record_property):
    record_property("loss", -1e-3)
"""


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in which pytest ran the suite and wrote `junit.xml`."""
    folder = tmp_path_factory.mktemp("suite")
    (folder / "tests/unit.d").mkdir(parents=True)
    (folder / "tests/unit.d/test_speed.py").write_text(SUITE, encoding="utf-8")
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--junitxml=junit.xml"],
        cwd=folder,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return folder


def in_bundle(out: Path, junit: bytes, results: tuple[TestResult, ...] | None) -> Path:
    """Write a bundle with a JUnit file, and `tests.jsonl` when there are results."""
    folder = write_bundle(out, results or ())
    if results is None:
        (folder / bundle.TESTS).unlink()
    (folder / JUNIT).write_bytes(junit)
    return folder


def test_numbers_are_found_by_the_nodeids_of_pytest(suite: Path, tmp_path: Path) -> None:
    stem = "tests/unit.d/test_speed.py::"
    inner = [
        f"{stem}TestTraining::TestInner::test_step[{size}]" for size in ("a::b", "x/y.py", "3")
    ]
    nodeids = [*inner, f"{stem}test_plain"]
    junit = (suite / "junit.xml").read_bytes()
    folder = in_bundle(tmp_path, junit, tuple(map(passed, nodeids)))

    record = make_record(folder, on_main(1))

    assert [(each.nodeid, each.name, each.value) for each in record.numbers] == [
        *((nodeid, "steps_per_s", 41.5) for nodeid in inner),
        (f"{stem}test_plain", "loss", -0.001),
    ]
    assert codec.decode(codec.encode(record), "x") == record


def test_numbers_of_a_bundle_with_a_junit_file_alone_have_its_names(
    suite: Path, tmp_path: Path
) -> None:
    report = read_report(in_bundle(tmp_path, (suite / "junit.xml").read_bytes(), None))

    assert {each.name for each in report.numbers} == {"steps_per_s", "loss"}
    assert {each.nodeid for each in report.numbers} == {each.nodeid for each in report.results}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1.0),
        (" -2.5e-3\n", -0.0025),
        (".5", 0.5),
        ("nan", None),
        ("inf", None),
        ("1e999", None),
        ("1_000", None),
        ("1,234.5", None),
        ("", None),
        ("0x10", None),
        ("\u0663", None),
        ("1" * 10_000, None),
    ],
)
def test_a_number_is_a_finite_decimal_one(text: str, value: float | None) -> None:
    assert junitxml.number(text) == value


def test_numbers_beyond_what_a_record_keeps_are_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(circumstances, "MAX_NUMBERS", 2)
    cases = "".join(
        f'<testcase classname="a" name="{name}"><properties>'
        f'<property name="{"n" * 300}" value="1"/></properties></testcase>'
        for name in "bcd"
    )
    junit = f"<testsuite>{cases}</testsuite>".encode()
    folder = in_bundle(tmp_path, junit, tuple(passed(f"a.py::{name}") for name in "bcd"))

    record = make_record(folder, on_main(1))

    assert [each.nodeid for each in record.numbers] == ["a.py::b", "a.py::c"]
    assert {each.name for each in record.numbers} == {"n" * circumstances.MAX_NUMBER_NAME}
    assert "Of the numbers that tests recorded the history keeps the first 2." in record.findings


def test_an_entity_ends_the_reading(tmp_path: Path) -> None:
    path = tmp_path / "junit.xml"
    path.write_text(
        '<!DOCTYPE a [<!ENTITY b "1">]><testsuite><testcase name="a"><properties>'
        '<property name="n" value="&b;"/></properties></testcase></testsuite>',
        encoding="utf-8",
    )

    assert ingest.numbers_beside(path, ["a"]) == ()


def test_what_the_probe_measured_is_kept(tmp_path: Path) -> None:
    measured = replace(
        passed("a.py::b"), cpu_s=0.0123456, rss_peak_change_bytes=4096, worker="main"
    )
    folder = write_bundle(tmp_path, [measured, passed("a.py::c", 12.3456)])

    record = make_record(folder, on_main(1))

    assert [(each.duration_s, each.cpu_s, each.rss_peak_change_bytes) for each in record.tests] == [
        (0.1, 0.0123, 4096),
        (12.346, None, None),
    ]


def test_load_leaks_and_isolation_come_from_the_manifest(tmp_path: Path) -> None:
    folder = write_bundle(tmp_path, [passed("a.py::b")])
    evidence = bundle.read_manifest(folder)
    busy = replace(evidence.host, load_average=1.25, online_cpus=16)
    leak = Leak(nodeid="a.py::b", what="os.environ['X']", before="", after="y" * 5_000)
    isolation = Isolation(
        nodeid="a.py::c",
        signature="v1:0123456789abcdef",
        verdict=IsolationVerdict.ORDER_DEPENDENT,
        sentence="It passes alone and fails after a.py::b.",
        polluters=tuple(f"a.py::{number}" for number in range(200)),
    )
    bundle.write_manifest(
        folder, replace(evidence, host=busy, leaks=(leak,), isolation=(isolation,))
    )

    record = make_record(folder, on_main(1))

    assert record.load == Load(load_average=1.25, cpus=16)
    assert record.host == evidence.host
    assert (record.leaks[0].what, len(record.leaks[0].after)) == (leak.what, 500)
    assert record.isolation == (
        replace(isolation, polluters=isolation.polluters[: circumstances.MAX_TESTS_NAMED]),
    )
    assert codec.decode(codec.encode(record), "x") == record


def test_an_outcome_is_not_a_property(tmp_path: Path) -> None:
    report = read_report(
        in_bundle(
            tmp_path,
            b'<testsuite><properties><property name="python" value="3.11"/></properties>'
            b'<testcase classname="a" name="b"/></testsuite>',
            None,
        )
    )

    assert (report.numbers, report.results[0].outcome) == ((), TestOutcome.PASSED)
