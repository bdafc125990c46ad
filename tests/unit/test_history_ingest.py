"""Reading test reports: what junitparser makes of them, and that both halves read alike."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telltale.capture import junit
from telltale.capture.nodeids import NodeIds
from telltale.errors import BundleError
from telltale.history.ingest import MAX_BYTES, read_junit, read_report, read_results
from telltale.model import TestOutcome, TestResult

CORPUS = Path(__file__).parents[1] / "data" / "junit"
RERUN = {"surefire-flaky.xml"}
"""Where the bot keeps the executions inside a run that the runner's half folds into one."""
FOREIGN = {"bad-html.xml"}


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


@pytest.mark.parametrize("path", files("*.xml"), ids=lambda path: path.name)
def test_both_halves_read_alike(path: Path) -> None:
    ours = read_junit(path)

    assert bool(ours.problem) is bool(junit.read(path).problem)
    if path.name not in RERUN | FOREIGN:
        assert list(ours.results) == as_the_runner_reads(path)


_words = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=12)
_case = st.builds(
    lambda classname, name, time, inner: (
        f"<testcase classname={quoteattr(classname)} name={quoteattr(name)}"
        f" time={quoteattr(time)}>{''.join(inner)}</testcase>"
    ),
    _words,
    _words,
    st.floats(-1, 1e4).map(str) | st.sampled_from(["", "nan", "1,000.5", "x"]),
    st.lists(
        st.builds(
            lambda tag, message, text: (
                f"<{tag} message={quoteattr(message)}>{escape(text)}</{tag}>"
            ),
            st.sampled_from(["failure", "error", "skipped", "system-out", "properties"]),
            _words,
            _words,
        ),
        max_size=3,
    ),
)


@given(st.lists(_case, max_size=6), st.integers(0, 400), st.booleans())
def test_both_halves_read_any_report_alike(
    tmp_path_factory: pytest.TempPathFactory, cases: list[str], cut: int, damaged: bool
) -> None:
    document = f"<testsuites><testsuite name='s'>{''.join(cases)}</testsuite></testsuites>"
    path = tmp_path_factory.getbasetemp() / "any.xml"
    path.write_bytes(document.encode()[: -cut - 1 if damaged else None])
    ours = read_junit(path)

    assert list(ours.results) == as_the_runner_reads(path)
    assert bool(ours.problem) is damaged


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
    assert "line 2: not the XML of a whole test report" in report.problem


def test_executions_inside_a_run_are_kept_apart() -> None:
    results = read_junit(CORPUS / "surefire-flaky.xml").results
    flaky = [one for one in results if one.nodeid.endswith("comesAndGoes")]

    assert [one.outcome for one in flaky] == [TestOutcome.FAILED, TestOutcome.PASSED]
    assert "CartTest.java:17" in flaky[0].text
    assert [one.duration_s for one in flaky] == [0.0, 0.2]
    assert [one.outcome.bad for one in results if one.nodeid.endswith("alwaysFails")] == [True] * 2


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


def test_a_file_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.xml"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)

    assert "so it is not read" in read_junit(path).problem


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
