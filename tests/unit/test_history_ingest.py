"""Reading test reports: what junitparser makes of them, and that both halves read alike."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telltale import junitxml
from telltale.capture import junit
from telltale.capture.nodeids import NodeIds
from telltale.errors import BundleError
from telltale.history import dialects, ingest
from telltale.history.ingest import read_junit, read_report, read_results
from telltale.model import TestOutcome, TestResult

CORPUS = Path(__file__).parents[1] / "data" / "junit"
DIALECTS = Path(__file__).parents[1] / "data" / "junit-dialects"
RERUN = {"surefire-flaky.xml"}
"""Where the bot keeps the executions inside a run that the runner's half folds into one."""


def files(pattern: str) -> list[Path]:
    return sorted(CORPUS.glob(pattern))


def as_the_runner_reads(path: Path) -> list[TestResult]:
    """Return what the standard library's reader of the runner half finds, without test files."""
    nodeids = NodeIds(())
    return [
        TestResult(
            nodeid=nodeids.nodeid(case.classname, case.name, case.file),
            outcome=case.outcome,
            duration_s=case.duration_s,
            message=case.message,
            text=case.text,
        )
        for case in junit.read(path).cases
    ]


@pytest.fixture(params=["junitparser", "streamed"], autouse=True)
def reader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every test here hold for small files and for large ones."""
    monkeypatch.setattr(ingest, "LARGE", 0 if request.param == "streamed" else 1 << 60)


@pytest.mark.parametrize(
    "path", [*files("*.xml"), *sorted(DIALECTS.glob("*.xml"))], ids=lambda path: path.name
)
def test_both_readers_find_the_same(path: Path) -> None:
    assert vars(junitxml.read(path)) == vars(dialects.read(path))


@pytest.mark.parametrize("path", files("*.xml"), ids=lambda path: path.name)
def test_both_halves_read_alike(path: Path) -> None:
    ours = read_junit(path)

    assert bool(ours.problem) is bool(junit.read(path).problem)
    if path.name not in RERUN:
        assert list(ours.results) == as_the_runner_reads(path)


_words = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=12)
_case = st.builds(
    lambda tag, classname, name, time, more, inner: (
        f"<{tag} classname={quoteattr(classname)} name={quoteattr(name)}"
        f" time={quoteattr(time)}{more}>{''.join(inner)}</{tag}>"
    ),
    st.sampled_from(["testcase"] * 9 + ["x:testcase"]),
    _words,
    _words,
    st.floats(-1, 1e4).map(str) | st.sampled_from(["", "nan", "1,000.5", "0,25", "x"]),
    st.sampled_from([""] * 6 + [" status='notrun'", " result='completed'", " file='a.py'"]),
    st.lists(
        st.builds(
            lambda tag, message, text, inner={"flakyFailure": " <stackTrace>at a.B</stackTrace><system-out/>after", "failure": "\n<b>c</b> d", "testcase": "<error/>", "properties": "<property name='n' value='1.5'/><error/>"}: (
                f"<{tag} message={quoteattr(message)}>{escape(text)}{inner.get(tag, '')}</{tag}>"
            ),
            st.sampled_from(
                [
                    *("failure", "error", "skipped", "disabled", "system-out", "properties"),
                    *("flakyFailure", "flakyError", "rerunFailure", "rerunError", "testcase"),
                ]
            ),
            _words,
            _words,
        ),
        max_size=3,
    ),
)


@settings(deadline=None)
@given(st.lists(_case, max_size=6), st.integers(0, 400), st.booleans())
def test_both_readers_and_both_halves_read_any_report_alike(
    tmp_path_factory: pytest.TempPathFactory, cases: list[str], cut: int, damaged: bool
) -> None:
    document = f"<testsuites><testsuite name='s'>{''.join(cases)}</testsuite></testsuites>"
    path = tmp_path_factory.getbasetemp() / "any.xml"
    path.write_bytes(document.encode()[: -cut - 1 if damaged else None])
    ours = read_junit(path)

    assert vars(junitxml.read(path)) == vars(dialects.read(path))
    assert bool(ours.problem) is damaged
    assert [one.nodeid for one in as_the_runner_reads(path)] == [
        nodeid
        for index, nodeid in enumerate(one.nodeid for one in ours.results)
        if index not in junitxml.read(path).earlier
    ]


@settings(deadline=None)
@given(st.binary(max_size=300), st.integers(0, 3000), st.sampled_from(files("[!b]*.xml")))
def test_no_bytes_raise(
    tmp_path_factory: pytest.TempPathFactory, junk: bytes, at: int, original: Path
) -> None:
    whole = original.read_bytes()
    at = min(at, len(whole))
    path = tmp_path_factory.getbasetemp() / "junk.xml"
    path.write_bytes(whole[:at] + junk + whole[at + len(junk) :])

    report = read_junit(path)

    assert vars(junitxml.read(path)) == vars(dialects.read(path))
    assert "\n" not in report.problem
    assert all(0 <= one.duration_s < 1e9 for one in report.results)


@pytest.mark.parametrize("path", files("bad-*.xml"), ids=lambda path: path.name)
def test_a_report_that_is_no_whole_one_is_named(path: Path, tmp_path: Path) -> None:
    (tmp_path / "artifacts").mkdir()
    report = tmp_path / "artifacts" / "junit.xml"
    report.write_bytes(path.read_bytes())

    assert read_report(tmp_path).problem.startswith(f"{report}: ")
    with pytest.raises(BundleError, match=r"junit\.xml: "):
        read_results(tmp_path)


def test_of_a_damaged_report_the_tests_before_the_damage_are_kept() -> None:
    report = read_junit(CORPUS / "bad-truncated.xml")

    assert [(one.nodeid, one.outcome.value) for one in report.results] == [
        ("t::whole", "passed"),
        ("t::also", "failed"),
    ]
    assert report.problem.endswith("bad-truncated.xml: line 2: unclosed token")


def test_executions_inside_a_run_are_kept_apart() -> None:
    results = read_junit(CORPUS / "surefire-flaky.xml").results
    flaky = [one for one in results if one.nodeid.endswith("comesAndGoes")]

    assert [one.outcome for one in flaky] == [TestOutcome.FAILED, TestOutcome.PASSED]
    assert "CartTest.java:17" in flaky[0].text
    assert [one.duration_s for one in flaky] == [0.0, 0.2]
    assert [one.outcome.bad for one in results if one.nodeid.endswith("alwaysFails")] == [True] * 2


def outcomes(name: str) -> list[tuple[str, str]]:
    return [(one.nodeid, one.outcome.value) for one in read_junit(CORPUS / name).results]


def test_what_ctest_did_not_run_has_not_passed() -> None:
    assert outcomes("ctest.xml") == [
        ("opens::opens", "passed"),
        ("sells::sells", "failed"),
        ("closes::closes", "skipped"),
        ("waits::waits", "failed"),
        ("lacks::lacks", "skipped"),
        ("skips::skips", "skipped"),
    ]


@pytest.mark.parametrize("name", ["pytest-6.xml", "pytest-6-xdist.xml", "pytest-9.xml"])
def test_every_pytest_is_read_alike(name: str) -> None:
    found = {nodeid.rpartition("test_shop")[2]: outcome for nodeid, outcome in outcomes(name)}

    assert sum(1 for _ in outcomes(name)) == 9
    assert {key.rpartition("::")[2]: outcome for key, outcome in found.items()} == {
        "test_reads[a/b.py]": "passed",
        "y]": "passed",
        "test_reads[1.5]": "passed",
        "test_total": "failed",
        "test_down": "failed",
        "test_db": "error",
        "test_x": "skipped",
        "test_skip": "skipped",
        "test_prop": "passed",
    }


@pytest.mark.parametrize("name", ["xmlrunner.xml", "nose2.xml"])
def test_every_reporter_of_unittest_is_read_alike(name: str) -> None:
    assert sorted(one for one in outcomes(name) if "test_subs" not in one[0]) == [
        (f"{'test_plain.py' if name[0] == 'x' else 'test_plain'}::CartTest::{test}", outcome)
        if name[0] == "x"
        else (f"test_plain.CartTest::{test}", outcome)
        for test, outcome in (
            ("test_adds", "passed"),
            ("test_later", "skipped"),
            ("test_ships", "error"),
            ("test_total", "failed"),
        )
    ]


def test_durations_that_are_none_count_as_zero() -> None:
    durations = [one.duration_s for one in read_junit(CORPUS / "durations.xml").results]

    assert durations == [0.0, 0.0, 0.0, 0.0, 1234.5, 0.0, 0.0, 0.25, 0.5, 0.0, 0.0]


def test_the_same_name_twice_is_two_executions() -> None:
    results = read_junit(CORPUS / "duplicates.xml").results

    assert [(one.nodeid, one.duration_s) for one in results] == [
        ("d::same", 1.0),
        ("d::same", 2.0),
        ("d::same", 3.0),
    ]


def test_a_nodeid_is_one_line() -> None:
    nodeids = [one.nodeid for one in read_junit(CORPUS / "names.xml").results]

    assert nodeids[0] == r"n::two\nlines\ttab\x7f"
    assert all(len(nodeid.splitlines()) == 1 for nodeid in nodeids)


def test_tests_jsonl_comes_first(tmp_path: Path) -> None:
    (tmp_path / "artifacts").mkdir()
    (tmp_path / "artifacts/junit.xml").write_bytes((CORPUS / "pytest.xml").read_bytes())
    (tmp_path / "artifacts/tests.jsonl").write_text(
        '{"nodeid": "a::b", "phase": "total", "outcome": "passed", "wall_s": 1.5}\n',
        encoding="utf-8",
    )

    assert [one.nodeid for one in read_results(tmp_path)] == ["a::b"]
    (tmp_path / "artifacts/tests.jsonl").write_text("nonsense\n", encoding="utf-8")
    with pytest.raises(BundleError, match=r"tests\.jsonl: line 1"):
        read_results(tmp_path)


def test_a_bundle_without_a_report_has_no_results(tmp_path: Path) -> None:
    assert read_results(tmp_path) == ()


def test_what_is_no_file_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "folder.xml").mkdir()
    (tmp_path / "link.xml").symlink_to("/etc/passwd")

    for name in ("folder.xml", "link.xml"):
        assert "not a regular file" in read_junit(tmp_path / name).problem


def test_memory_does_not_grow_with_what_is_no_result(tmp_path: Path) -> None:
    # Output captured beside the tests is most of a large report.
    path = tmp_path / "chatty.xml"
    noise = "x" * 4096
    with path.open("w", encoding="ascii") as file:
        file.write("<testsuites><testsuite name='s'>")
        for index in range(5_000):
            file.write(
                f"<testcase classname='c' name='{index}'><system-out>{noise}</system-out></testcase>"
            )
        file.write("</testsuite></testsuites>")

    tracemalloc.start()
    try:
        assert len(read_junit(path).results) == 5_000
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert path.stat().st_size > 20_000_000
    assert peak < 8_000_000
