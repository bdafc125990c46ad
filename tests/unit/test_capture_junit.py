"""JUnit XML of many writers, and of some who mean harm."""

from __future__ import annotations

import gc
import time
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telltale import junitxml
from telltale.capture import junit
from telltale.capture.junit import Case
from telltale.capture.redact import Redactor
from telltale.model import TestOutcome

PLAIN = Redactor({})
DIALECTS = Path(__file__).parents[1] / "data" / "junit-dialects"
P, F, E, S, I = (  # noqa: E741
    TestOutcome.PASSED,
    TestOutcome.FAILED,
    TestOutcome.ERROR,
    TestOutcome.SKIPPED,
    TestOutcome.INTERRUPTED,
)

EXPECTED: dict[str, list[tuple[str, str, TestOutcome, float, str]]] = {
    "pytest-xunit1": [
        ("tests.unit.test_a.TestX", "test_p[1]", P, 0.053, ""),
        ("tests.unit.test_a.TestX", "test_p[2]", F, 0.052, "AssertionError: boom é"),
        ("tests.unit.test_a", "test_s", S, 0.0, "why"),
        ("tests.unit.test_a", "test_x", S, 0.001, "known"),
        ("tests.unit.test_a", "test_td", F, 0.005, "assert 0"),
    ],
    "pytest-xunit2": [
        ("", "tests.unit.test_broken", E, 0.0, "collection failure"),
        (
            "tests.unit.test_a",
            "test_needs_db",
            E,
            0.01,
            'failed on setup with "RuntimeError: no database"',
        ),
        ("tests.unit.test_a", "test_1", P, 0.001, ""),
    ],
    "pytest-interrupted": [("test_h", "test_ok", P, 0.001, ""), ("", "", I, 0.0, "")],
    "unittest-xml-reporting": [
        ("tests.unit.test_shop.CartTest", "test_adds", P, 0.5, ""),
        ("tests.unit.test_shop.CartTest", "test_total", F, 0.001, "3 != 4"),
        ("tests.unit.test_shop.CartTest", "test_ships", E, 0.001, "'street'"),
        ("tests.unit.test_shop.CartTest", "test_later", S, 0.0, "not yet"),
    ],
    "gtest": [
        ("VectorTest", "Grows", P, 0.004, ""),
        ("VectorTest", "Shrinks", F, 0.005, "vector_test.cc:23"),
        ("VectorTest", "Sorts", S, 0.0, "vector_test.cc:32"),
        ("VectorTest", "DISABLED_Flies", S, 0.0, ""),
    ],
    "surefire": [
        ("com.acme.ShopTest", "opens", P, 1234.5, ""),
        ("com.acme.ShopTest", "sells", F, 0.02, "expected: <1> but was: <2>"),
        ("com.acme.ShopTest", "delivers", P, 0.03, ""),
        ("com.acme.ShopTest", "closes", S, 0.0, "holiday"),
    ],
    "jest-junit": [
        ("cart adds | items", "cart adds | items", P, 0.004, ""),
        ("cart total", "cart total", F, 0.002, "Error: expect(received).toBe(expected)"),
        ("cart later", "cart later", S, 0.0, ""),
    ],
    "gotestsum": [
        ("example.org/shop/cart", "TestAdd", P, 0.0, ""),
        ("example.org/shop/cart", "TestTotal/empty", F, 0.0, "Failed"),
    ],
}


def facts(case: Case) -> tuple[str, str, TestOutcome, float, str]:
    return (case.classname, case.name, case.outcome, round(case.duration_s, 6), case.message)


@pytest.mark.parametrize("dialect", EXPECTED)
def test_a_dialect_is_read(dialect: str) -> None:
    report = junit.read(DIALECTS / f"{dialect}.xml")

    assert report.problem == ""
    assert [facts(case) for case in report.cases] == EXPECTED[dialect]


def test_every_dialect_in_the_folder_is_expected_here() -> None:
    assert {path.stem for path in DIALECTS.iterdir()} == set(EXPECTED)


def by_name(dialect: str) -> dict[str, Case]:
    return {case.name: case for case in junit.read(DIALECTS / f"{dialect}.xml").cases}


def test_a_tear_down_that_fails_too_belongs_to_its_test() -> None:
    text = by_name("pytest-xunit1")["test_td"].text

    assert "E       assert 0" in text
    assert "ZeroDivisionError" in text


def test_all_failures_of_a_test_are_kept_in_their_order() -> None:
    text = by_name("gtest")["Shrinks"].text

    assert text.index("vector_test.cc:23") < text.index("vector_test.cc:24")


def test_reruns_are_neither_failures_nor_tests() -> None:
    cases = by_name("surefire")

    assert {name: case.rerun for name, case in cases.items()} == {
        "opens": False,
        "sells": False,
        "delivers": True,
        "closes": False,
    }
    assert "again" not in cases["sells"].text


def test_only_what_is_directly_in_a_test_is_its_failure(tmp_path: Path) -> None:
    path = tmp_path / "junit.xml"
    path.write_text(
        "<testsuite><testcase name='a'><properties><error/></properties></testcase>"
        "<failure/></testsuite>",
        encoding="ascii",
    )

    (case,) = junit.read(path).cases

    assert case.outcome is P


def test_output_is_no_failure_text() -> None:
    assert by_name("pytest-xunit2")["test_1"].text == ""


# Damage and malice

BOMB = (
    '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">'
    '<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]><testsuite><testcase name="&c;"/></testsuite>'
)
EXTERNAL = (
    '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
    '<testsuite><testcase name="b"/><testcase><failure>&a;</failure></testcase></testsuite>'
)
MALICE = {
    "nothing": ("", "it is empty", 0),
    "no-xml": ("{}", "line 1: not well-formed", 0),
    "another-root": ("<html><p/></html>", "holds no <testsuite>", 0),
    "entities": (BOMB, "declares an entity", 0),
    "a-file-as-entity": (EXTERNAL, "declares an entity", 0),
    "nesting": ("<testsuite>" + "<a>" * 1_000_000, "nested more than 100 deep", 0),
    "cut-off": (
        '<testsuite>\n<testcase name="a"/>\n<testcase name="b"/>\n<testcase name="c"><fail',
        "line 4: unclosed token",
        2,
    ),
    "another-encoding": ('<?xml version="1.0" encoding="klingon"?><a/>', "unknown encoding", 0),
    "control-characters": ('<testsuite><testcase name="a"/>\x1b</testsuite>', "invalid token", 1),
}


@pytest.mark.parametrize(("content", "problem", "cases"), MALICE.values(), ids=MALICE)
def test_what_cannot_be_read_is_said_and_what_can_is_kept(
    content: str, problem: str, cases: int, tmp_path: Path
) -> None:
    path = tmp_path / "junit.xml"
    path.write_text(content, encoding="utf-8")

    report = junit.read(path)

    assert problem in report.problem
    assert "\n" not in report.problem
    assert len(report.cases) == cases


def test_of_a_file_beyond_the_limit_the_first_tests_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = a_report(tmp_path / "junit.xml", 1000)
    monkeypatch.setattr(junitxml, "SIZE_LIMIT", path.stat().st_size // 2)

    report = junit.read(path)

    assert 480 < len(report.cases) < 520
    assert report.problem == (
        f"it is larger than {path.stat().st_size // 2} bytes: the rest is not read"
    )


def test_a_huge_failure_is_clipped(tmp_path: Path) -> None:
    path = tmp_path / "junit.xml"
    text = "begin" + "x" * (5 * 1024 * 1024)
    path.write_text(
        f"<testsuite><testcase name='a'><failure>{text}</failure></testcase></testsuite>",
        encoding="ascii",
    )

    (case,) = junit.read(path).cases

    assert len(case.text) == junitxml.TEXT_LIMIT
    assert case.text.startswith("begin")


def test_of_too_many_failures_only_the_beginnings_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(junitxml, "ALL_TEXTS", 100_000)
    path = tmp_path / "junit.xml"
    case = f"<testcase name='a'><failure>{'x' * 60_000}</failure></testcase>"
    path.write_text(f"<testsuite>{case * 50}</testsuite>", encoding="ascii")

    sizes = [len(each.text) for each in junit.read(path).cases]

    assert sizes == [60_000] * 2 + [1000] * 48


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1.5", 1.5), ("1,234.5", 1234.5), ("", 0), ("soon", 0), ("nan", 0), ("-1", 0), ("1e999", 0)],
)
def test_times_are_seconds_or_nothing(text: str, seconds: float, tmp_path: Path) -> None:
    path = tmp_path / "junit.xml"
    path.write_text(f'<testsuite><testcase name="a" time="{text}"/></testsuite>', encoding="ascii")

    assert junit.read(path).cases[0].duration_s == seconds


def a_report(path: Path, tests: int) -> Path:
    with path.open("w", encoding="ascii") as file:
        file.write("<testsuites><testsuite>")
        for number in range(tests):
            file.write(f'<testcase classname="test_a" name="test_{number}" time="0.001"/>')
        file.write("</testsuite></testsuites>")
    return path


def test_reading_takes_time_in_proportion(tmp_path: Path) -> None:
    def cost(tests: int) -> float:
        path = a_report(tmp_path / "junit.xml", tests)
        gc.collect()
        start = time.process_time()
        assert len(junit.read(path).cases) == tests
        return time.process_time() - start

    small = min(cost(10_000) for _ in range(3))

    assert cost(100_000) < 40 * small  # 100 would be quadratic


# Merging


def test_a_namespace_of_the_outer_element_goes_with_the_suites(tmp_path: Path) -> None:
    path = tmp_path / "one.xml"
    path.write_text('<testsuites xmlns:x="urn:x"><testsuite x:y="z"/></testsuites>', "ascii")

    junit.merge([path], tmp_path / "all.xml", PLAIN)

    (suite,) = ET.parse(tmp_path / "all.xml").getroot()  # noqa: S314
    assert suite.attrib == {"{urn:x}y": "z"}


def contents(path: Path) -> list[tuple[str, str, TestOutcome, float, str, str]]:
    return [(*facts(case), case.text) for case in junit.read(path).cases]


def test_merged_files_hold_the_tests_of_all(tmp_path: Path) -> None:
    paths = sorted(DIALECTS.glob("*.xml"))

    junit.merge(paths, tmp_path / "all.xml", PLAIN)

    assert junit.read(tmp_path / "all.xml").problem == ""
    assert contents(tmp_path / "all.xml") == [one for path in paths for one in contents(path)]


def test_damaged_files_are_merged_as_far_as_they_go(tmp_path: Path) -> None:
    paths = []
    for name, (content, _, _) in MALICE.items():
        paths.append(tmp_path / f"{name}.xml")
        paths[-1].write_text(content, encoding="utf-8")
    paths.append(DIALECTS / "pytest-interrupted.xml")

    junit.merge(paths, tmp_path / "all.xml", PLAIN)

    report = junit.read(tmp_path / "all.xml")
    assert report.problem == ""
    assert [case.name for case in report.cases] == ["a", "b", "c", "a", "test_ok", ""]


texts = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff")
)


@settings(deadline=None)
@given(texts, texts, texts)
def test_merging_keeps_every_character(
    tmp_path_factory: pytest.TempPathFactory, name: str, message: str, text: str
) -> None:
    folder = tmp_path_factory.mktemp("merge")
    suite = ET.Element("testsuite")
    case = ET.SubElement(suite, "testcase", classname="c", name=name)
    ET.SubElement(case, "failure", message=message).text = text
    ET.ElementTree(suite).write(folder / "one.xml", encoding="utf-8", xml_declaration=True)

    junit.merge([folder / "one.xml"] * 2, folder / "two.xml", PLAIN)

    assert contents(folder / "two.xml") == contents(folder / "one.xml") * 2
    assert contents(folder / "two.xml")[0][1] == name


@settings(deadline=None)
@given(st.binary(max_size=300), st.integers(0, 2000))
def test_no_damage_raises(tmp_path_factory: pytest.TempPathFactory, junk: bytes, at: int) -> None:
    original = (DIALECTS / "pytest-xunit1.xml").read_bytes()
    at = min(at, len(original))
    path = tmp_path_factory.mktemp("junk") / "junit.xml"
    path.write_bytes(original[:at] + junk + original[at + len(junk) :])

    junit.read(path)
    junit.merge([path], path.with_name("merged.xml"), PLAIN)

    assert junit.read(path.with_name("merged.xml")).problem == ""
