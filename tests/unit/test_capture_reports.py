"""Which JUnit files are this run's, and what becomes of them."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest

from telltale import bundle
from telltale.capture import junit, reports
from telltale.capture.redact import Redactor
from telltale.capture.reports import Reports, collect, stamps
from telltale.model import TestOutcome

DIALECTS = Path(__file__).parents[1] / "data" / "junit-dialects"
TOKEN = "ghp" + "_" + "A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r8"
GLOB = "**/*junit*.xml"
NOTHING = (
    "no JUnit file matching '**/*junit*.xml' was written: no test is counted;"
    " let the command write one, as in pytest --junitxml=junit.xml"
)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / "build").mkdir(parents=True)
    return folder


@pytest.fixture
def evidence(tmp_path: Path) -> Path:
    folder = tmp_path / "project/out/tests/20261122T120000Z"
    (folder / "artifacts").mkdir(parents=True)
    (folder / bundle.MANIFEST).touch()
    return folder


def write(path: Path, dialect: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(DIALECTS / f"{dialect}.xml", path)
    return path


def found(
    project: Path, evidence: Path, before: dict[Path, reports.Stamp], glob: str = GLOB
) -> Reports:
    return collect(
        project,
        glob,
        before,
        bundle=evidence,
        without=project / "out",
        roots=(project,),
        redactor=Redactor({}),
    )


def names(result: Reports) -> list[str]:
    return [each.nodeid for each in result.results or ()]


def test_one_report_is_kept_byte_for_byte(project: Path, evidence: Path) -> None:
    path = write(project / "build/junit.xml", "pytest-xunit2")
    path.write_bytes(re.sub(rb' hostname="[^"]*"', b"", path.read_bytes()))

    result = found(project, evidence, {})

    assert (evidence / "artifacts/junit.xml").read_bytes() == path.read_bytes()
    assert names(result) == [
        "tests.unit.test_broken",
        "tests.unit.test_a::test_needs_db",
        "tests.unit.test_a::test_1",
    ]
    assert result.findings == ()


def test_a_report_is_kept_without_its_secrets(project: Path, evidence: Path) -> None:
    path = project / "junit.xml"
    path.write_text(
        '<?xml version="1.0"?><testsuites name="x"><testsuite hostname="box" name="s">'
        '<properties><property name="api_key" value="tiny"/></properties>'
        f'<testcase classname="a" name="test[{TOKEN}]"><failure message="{TOKEN}">'
        f'A &lt; B <![CDATA[{TOKEN}]]> password="a&amp;b c" {TOKEN[:9]}<!-- -->{TOKEN[9:]}'
        "</failure></testcase></testsuite></testsuites>",
        "ascii",
    )

    result = found(project, evidence, {})

    (test,) = result.results or ()
    assert test.nodeid == "a::test[[redacted]]"
    assert test.text == 'A < B [redacted] password="[redacted]" [redacted]'
    kept = junit.read(evidence / "artifacts/junit.xml")
    assert kept.problem == ""
    assert (kept.cases[0].name, kept.cases[0].text) == ("test[[redacted]]", test.text)
    text = (evidence / "artifacts/junit.xml").read_text("utf-8")
    assert 'hostname="[host]"' in text
    assert '<property name="api_key" value="[redacted]">' in text
    assert '<testsuites name="x">' in text


def test_a_damaged_report_is_kept_as_it_is_but_for_its_secrets(
    project: Path, evidence: Path
) -> None:
    (project / "junit.xml").write_bytes(f"<testsuite><testcase \xff {TOKEN}".encode("latin-1"))

    found(project, evidence, {})

    kept = (evidence / "artifacts/junit.xml").read_bytes()
    assert kept == b"<testsuite><testcase \xff [redacted]"


def test_several_reports_are_merged(project: Path, evidence: Path) -> None:
    write(project / "build/b-junit.xml", "gotestsum")
    write(project / "a-junit.xml", "jest-junit")

    result = found(project, evidence, {})

    assert len(result.results or ()) == 5
    kept = junit.read(evidence / "artifacts/junit.xml")
    assert kept.problem == ""
    assert [case.name for case in kept.cases][-1] == "TestTotal/empty"


def test_an_older_report_is_named_and_not_read(project: Path, evidence: Path) -> None:
    write(project / "build/junit.xml", "gtest")
    before = stamps(project, GLOB, without=project / "out")

    result = found(project, evidence, before)

    assert result.results is None
    assert result.findings == (
        "build/junit.xml matches --junit but is older than this run: not read",
    )
    assert result.absent == NOTHING
    assert not (evidence / "artifacts/junit.xml").exists()


@pytest.mark.parametrize("how", ["rewritten", "replaced", "same-time"])
def test_a_report_that_was_written_again_counts(how: str, project: Path, evidence: Path) -> None:
    path = write(project / "junit.xml", "gtest")
    status = path.stat()
    before = stamps(project, GLOB, without=project / "out")

    if how == "replaced":
        write(project / "new", "gtest").replace(path)
    else:
        write(path, "gtest")
    if how == "same-time":
        # As `cp -p` or a clock that was set back would leave it.
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))

    assert len(found(project, evidence, before).results or ()) == 4


def test_bundles_are_passed_over_wherever_they_are(project: Path, evidence: Path) -> None:
    write(evidence / "artifacts/junit.xml", "gtest")
    elsewhere = project / "kept/tests/20200101T000000Z"
    write(elsewhere / "artifacts/junit.xml", "gtest")
    (elsewhere / bundle.MANIFEST).touch()

    assert stamps(project, GLOB, without=project / "out") == {}
    assert stamps(project, "kept/*/*/artifacts/*.xml", without=project / "out") == {}
    assert stamps(project, "out/**/*.xml", without=project / "out") == {}


@pytest.mark.parametrize(
    ("glob", "matches"),
    [
        ("junit.xml", ["junit.xml"]),
        ("*.xml", ["junit.xml", "other.xml"]),
        ("**/junit.xml", ["a/b/junit.xml", "a/junit.xml", "junit.xml"]),
        ("a/**/*.xml", ["a/b/junit.xml", "a/junit.xml"]),
        ("a/*/*.xml", ["a/b/junit.xml"]),
        ("**/b/*.xml", ["a/b/junit.xml"]),
        ("**", ["a/b/junit.xml", "a/junit.xml", "junit.xml", "other.xml"]),
        ("**/**/junit.xml", ["a/b/junit.xml", "a/junit.xml", "junit.xml"]),
        ("../project/other.xml", ["../project/other.xml"]),
        ("[no", []),
        ("nowhere/*.xml", []),
        (".tox/py/*.xml", [".tox/py/junit.xml"]),
        (".tox/**/*.xml", [".tox/py/junit.xml"]),
    ],
)
def test_globs_are_relative_to_the_working_directory(
    glob: str, matches: list[str], project: Path
) -> None:
    for name in (
        *("junit.xml", "other.xml", "a/junit.xml", "a/b/junit.xml"),
        *(".tox/py/junit.xml", "node_modules/x/junit.xml", ".git/junit.xml"),
        *("env/pyvenv.cfg", "env/lib/junit.xml"),
    ):
        write(project / name, "gtest")

    paths = stamps(project, glob, without=project / "out")

    assert sorted(os.path.relpath(path, project) for path in paths) == sorted(
        matches if ".." not in glob else ["other.xml"]
    )


def test_an_absolute_glob_is_absolute(project: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "elsewhere/junit.xml", "gtest")

    assert list(stamps(project, f"{tmp_path}/else*/*.xml", without=project / "out")) == [path]


def test_links_lead_nowhere_twice(project: Path) -> None:
    write(project / "a/junit.xml", "gtest")
    (project / "a/loop").symlink_to(project)

    assert list(stamps(project, GLOB, without=project / "out")) == [project / "a/junit.xml"]


def test_what_is_wrong_with_a_report_is_said(project: Path, evidence: Path) -> None:
    (project / "cut-junit.xml").write_text("<testsuite><testcase name='a'/><te", encoding="ascii")
    write(project / "flaky-junit.xml", "surefire")
    write(project / "stopped-junit.xml", "pytest-interrupted")

    result = found(project, evidence, {})

    assert result.findings == (
        "cut-junit.xml could not be read to its end (line 1: unclosed token): 1 test read",
        "flaky-junit.xml: 1 test passed only when run again",
        "stopped-junit.xml: a test had started and has no result: the run was interrupted in it",
    )


def test_the_test_that_was_interrupted_has_no_name_and_never_passed(
    project: Path, evidence: Path
) -> None:
    write(project / "junit.xml", "pytest-interrupted")

    results = found(project, evidence, {}).results

    assert results is not None
    assert [(each.nodeid, each.outcome) for each in results] == [
        ("test_h::test_ok", TestOutcome.PASSED),
        ("", TestOutcome.INTERRUPTED),
    ]
