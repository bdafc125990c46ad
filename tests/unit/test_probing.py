"""What Telltale makes of the probe's record and the reports beside it."""

from __future__ import annotations

import dataclasses
import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import junitparser
import pytest

from telltale import bundle
from telltale.capture import events, junit, probing, rebuilt
from telltale.capture.reports import Reports
from telltale.model import TestOutcome, TestResult
from tests.unit.test_events import Log

PROBE = str(probing.FOLDER)


@pytest.fixture
def log(tmp_path: Path) -> Log:
    (tmp_path / "logs").mkdir()
    return Log(tmp_path)


def reports(*cases: tuple[str, str, TestOutcome]) -> Reports:
    return Reports(
        results=tuple(
            TestResult(nodeid=f"{classname}::{name}", outcome=outcome, duration_s=1.0)
            for classname, name, outcome in cases
        ),
        names=tuple((classname, name) for classname, name, _ in cases),
    )


def tell(log: Log, found: Reports | None = None, **child: str) -> probing.Told:
    return probing.tell(log.folder, found, child, ("pytest",))


# The command's environment


def settings(environ: dict[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(environ[probing.SETTINGS])
    return found


@pytest.mark.parametrize(
    ("before", "after"),
    [(None, PROBE), ("", PROBE), ("/a:/b", f"/a:/b:{PROBE}")],
    ids=["unset", "empty", "set"],
)
def test_the_path_gets_the_probe_at_its_end(before: str | None, after: str) -> None:
    child = {"X": "1"} if before is None else {"X": "1", "PYTHONPATH": before}
    changed = probing.environ(child, ("pytest",), Path("/out"))
    assert changed["PYTHONPATH"] == after
    assert settings(changed)["was"] == {"PYTHONPATH": before}
    assert settings(changed)["folder"] == "/out/artifacts"
    assert set(changed) == {"X", "PYTHONPATH", probing.SETTINGS}


@pytest.mark.parametrize(
    ("argv", "named"),
    [
        (("python", "-m", "pytest"), True),
        (("/usr/bin/python3.12", "-X", "dev", "-m", "pytest", "-I"), True),
        (("python3", "-I", "-m", "pytest"), False),
        (("python3", "-bEs", "-m", "pytest"), False),
        (("make", "test"), False),
        (("tox",), False),
        (("timeout", "9", "pytest"), False),
        (("pytest",), False),
        (("bash", "-c", "python -m pytest -x"), False),
        (
            ("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", "python -m pytest | tee x"),
            False,
        ),
    ],
)
def test_it_is_named_only_to_a_command_that_is_certain_to_find_it(
    argv: tuple[str, ...], named: bool
) -> None:
    child = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": "-x"}
    changed = probing.environ(child, argv, Path("/out"))
    assert changed["PYTEST_ADDOPTS"] == ("-x -p telltale_probe" if named else "-x")


def test_a_script_is_asked_how_it_starts_its_python(tmp_path: Path) -> None:
    child = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    for line, named in (("#!/usr/bin/python3", True), ("#!/usr/bin/python3 -E", False)):
        script = tmp_path / "pytest"
        script.write_text(f"{line}\n", "ascii")
        changed = probing.environ(child, (str(script),), Path("/out"))
        assert ("PYTEST_ADDOPTS" in changed) == named


# Two records side by side


def test_what_only_the_reports_have_is_added(log: Log) -> None:
    log.line("session").test("tests/test_a.py::TestX::test_p[a.b/c]")
    found = reports(
        ("tests.test_a.TestX", "test_p[a.b/c]", TestOutcome.PASSED),
        ("web", "renders", TestOutcome.FAILED),
    )
    told = tell(log, found)
    assert [(each.nodeid, each.worker) for each in told.results or ()] == [
        ("tests/test_a.py::TestX::test_p[a.b/c]", "main"),
        ("web::renders", ""),
    ]
    assert told.findings == (
        (
            "1 test of the JUnit files, as web::renders, ran outside the probe's sight: their CPU time"
            " and memory are not known"
        ),
    )


def test_a_contradiction_is_told(log: Log) -> None:
    log.line("session").test("test_a.py::x")
    told = tell(log, reports(("test_a", "x", TestOutcome.FAILED)))
    assert [each.outcome for each in told.results or ()] == [TestOutcome.PASSED]
    assert told.disagreements == (
        (
            "the probe and the JUnit file differ about 1 test: test_a.py::x passed here, failed there;"
            " the probe's word is taken"
        ),
    )


def test_a_test_that_is_missing_in_the_report_is_told(log: Log) -> None:
    log.line("session").test("test_a.py::x").test("test_a.py::y")
    told = tell(log, reports(("test_a", "x", TestOutcome.PASSED)))
    assert told.findings == (
        "1 test that the probe saw end, as test_a.py::y, is not in the JUnit file",
    )


def test_the_nameless_case_of_an_interrupted_run_is_the_one_that_was_running(log: Log) -> None:
    log.line("session").test("test_a.py::x").start("test_a.py::y").line("finish", exit_status=2)
    told = tell(
        log,
        reports(("test_a", "x", TestOutcome.PASSED), ("", "", TestOutcome.INTERRUPTED)),
    )
    assert [(each.nodeid, each.outcome) for each in told.results or ()] == [
        ("test_a.py::x", TestOutcome.PASSED),
        ("test_a.py::y", TestOutcome.INTERRUPTED),
    ]
    assert told.findings == ()


def test_a_prefix_of_classnames(log: Log) -> None:
    log.line("session", args=["--junit-prefix=py311"]).test("test_a.py::x")
    told = tell(log, reports(("py311.test_a", "x", TestOutcome.PASSED)))
    assert len(told.results or ()) == 1
    assert told.findings == ()


def test_one_name_twice(log: Log) -> None:
    log.line("session").test("test_a.py::x").line("session", pid=11).test("test_a.py::x", pid=11)
    case = ("test_a", "x", TestOutcome.PASSED)
    told = tell(log, reports(case, case, case))
    assert len(told.results or ()) == 3, "the third is the report's own"


def test_tests_that_were_not_reached_are_told_unless_the_run_was_to_stop(log: Log) -> None:
    log.line("session").test("test_a.py::x")
    log.line("finish", exit_status=1, collected=9, seen=1, stopped=True)
    assert tell(log).findings == ()


# Runs without the probe


def test_a_run_that_is_no_pytest_needs_no_probe(log: Log) -> None:
    (log.folder / "logs/output.log").write_text("ok\n", "ascii")
    told = tell(log, Reports(results=None, absent="nothing was written"))
    assert told.findings == ("nothing was written",)
    assert told.results is None


@pytest.mark.parametrize(
    ("argv", "child", "why"),
    [
        (("make", "test"), {}, "PYTHONPATH probably did not get through to it"),
        (("tox", "-e", "py"), {}, "tox probably did not pass PYTHONPATH on"),
        (("bash", "-c", "sudo pytest"), {}, "sudo probably did not pass PYTHONPATH on"),
        (
            ("python", "-I", "-m", "pytest"),
            {},
            "its Python was told to read no variables (-I or -E)",
        ),
        (
            ("make",),
            {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
            "plugins are not loaded by themselves; add `-p telltale_probe` to pytest's options",
        ),
    ],
)
@pytest.mark.parametrize(
    "output",
    ["=== test session starts ===\n", "..\n2 passed in 0.05s\n", "1 failed, 2 passed in 3s"],
)
def test_a_pytest_without_the_probe_is_told(
    output: str, argv: tuple[str, ...], child: dict[str, str], why: str, log: Log
) -> None:
    (log.folder / "logs/output.log").write_text(output, "ascii")
    (finding,) = probing.tell(log.folder, None, child, argv).findings
    assert finding.endswith(f"are missing: {why}; all else is complete")


def test_one_who_switched_it_off_is_told_nothing(log: Log) -> None:
    (log.folder / "logs/output.log").write_text("2 passed in 0.05s\n", "ascii")
    argv = ("pytest", "-p", "no:telltale_probe")
    assert probing.tell(log.folder, None, {}, argv).findings == ()


def test_a_report_of_pytest_is_known_by_its_name(log: Log) -> None:
    rebuilt.write(log.folder / "artifacts/junit.xml", [], 0.0)
    assert len(tell(log).findings) == 1


# The JUnit file that pytest never wrote


def test_a_rebuilt_report_has_every_test(log: Log) -> None:
    log.line("session", args=["--junitxml=x.xml"])
    log.line("collect", nodeid="b.py", outcome="failed", message="collection failure", text="E")
    log.test("tests/test_a.py::TestX::test_p[<&\x1b>]")
    log.start("tests/test_a.py::test_f").end("setup", "tests/test_a.py::test_f")
    log.end(
        "call",
        "tests/test_a.py::test_f",
        "failed",
        message='a "b"',
        text="E ]]>\x00\r\n",
        output="<p>",
    )
    log.end("teardown", "tests/test_a.py::test_f")
    log.start("tests/test_a.py::test_s").end(
        "setup", "tests/test_a.py::test_s", "skipped", message="no"
    )
    log.end("teardown", "tests/test_a.py::test_s").start("tests/test_a.py::test_r")

    told = tell(log, Reports(results=None, absent="nothing was written"))

    assert told.findings == (
        "pytest wrote no JUnit file: artifacts/junit.xml was put together from the probe's record",
    )
    path = log.folder / "artifacts/junit.xml"
    (suite,) = junitparser.JUnitXml.fromfile(str(path))
    assert (suite.tests, suite.errors, suite.failures, suite.skipped) == (5, 2, 1, 1)
    assert ET.parse(path).getroot().tag == "testsuites"  # noqa: S314  # we wrote it
    report = junit.read(path)
    assert report.problem == ""
    assert [(case.classname, case.name, case.outcome) for case in report.cases] == [
        ("", "b", TestOutcome.ERROR),
        ("tests.test_a.TestX", "test_p[<&#x1B>]", TestOutcome.PASSED),
        ("tests.test_a", "test_f", TestOutcome.FAILED),
        ("tests.test_a", "test_s", TestOutcome.SKIPPED),
        ("tests.test_a", "test_r", TestOutcome.ERROR),
    ]
    assert report.cases[2].message == 'a "b"'
    assert report.cases[2].text == "E ]]>#x00\r"
    assert report.cases[4].message == "the run ended while this test was running"


# The finished bundle


def without_walls(results: tuple[TestResult, ...]) -> tuple[TestResult, ...]:
    """Without the times of the phases, which are not in the totals."""
    return tuple(dataclasses.replace(result, walls_s=None) for result in results)


def test_lines_of_the_probe_stay_and_totals_follow(log: Log) -> None:
    log.line("session").test("test_a.py::x").raw(b"damage\n").test("test_a.py::y")
    log.raw(b'{"phase": "sta')
    said = events.read(log.folder)
    assert said.damaged == 1

    bundle.write_tests(log.folder, said.results, source="junit", damage=said.damage)

    lines = [json.loads(line) for line in log.path.read_text("ascii").splitlines()]
    assert [line["phase"] for line in lines] == [
        *("session", *("start", "setup", "call", "teardown") * 2, "total", "total")
    ]
    assert lines[-1]["source"] == "probe"
    assert (lines[-1]["cpu_s"], lines[-1]["worker"], lines[-1]["attempts"]) == (0.75, "main", 1)
    assert without_walls(bundle.read_tests(log.folder)) == without_walls(said.results)
    assert [path.name for path in (log.folder / "artifacts").iterdir()] == ["tests.jsonl"]


@pytest.mark.parametrize("where", [0, 1, 5, 9])
def test_damage_at_any_place_is_left_out(where: int, log: Log) -> None:
    log.line("session").test("test_a.py::x").test("test_a.py::y")
    lines = log.path.read_bytes().splitlines(keepends=True)
    lines[where:where] = [b"damage\n", b"more\n"]
    log.path.write_bytes(b"".join(lines))
    said = events.read(log.folder)
    bundle.write_tests(log.folder, said.results, source="junit", damage=said.damage)
    assert events.read(log.folder).damaged == 0
    assert without_walls(bundle.read_tests(log.folder)) == without_walls(said.results)
    assert len(said.results) == 2


def test_a_bundle_without_totals_is_read_from_its_phases(log: Log) -> None:
    log.line("session").test("test_a.py::x").raw(b"damage\n").start("test_a.py::y")
    found = bundle.read_tests(log.folder)
    assert [(each.nodeid, each.outcome) for each in found] == [
        ("test_a.py::x", TestOutcome.PASSED),
        ("test_a.py::y", TestOutcome.INTERRUPTED),
    ]


def test_a_record_without_end_is_cut_and_can_be_read(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundle, "TESTS_LIMIT", 40_000)
    log.line("session")
    for number in range(100):
        log.test(f"test_a.py::{number}")
    said = events.read(log.folder)
    bundle.write_tests(log.folder, said.results[:20], source="junit", damage=said.damage)
    assert log.path.stat().st_size < 40_000
    assert len(bundle.read_tests(log.folder)) == 20
    assert events.read(log.folder).damaged == 0
