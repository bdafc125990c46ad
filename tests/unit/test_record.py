"""From a bundle to a record, and the verb that does it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from telltale import bundle
from telltale.cli import main
from telltale.errors import BundleError
from telltale.flaky.signature import name_failure
from telltale.history import codec, open_history
from telltale.history.record import MAX_TEXTS, make_record
from telltale.model import (
    BundleKind,
    Command,
    Evidence,
    Failure,
    FailureKind,
    GithubRun,
    Host,
    Outcome,
    Resources,
    Source,
    TestOutcome,
    TestResult,
)
from tests.support import ROOT
from tests.unit.history_records import UNIT, on_main

START = datetime(2026, 11, 22, 10, 15, 16, tzinfo=timezone.utc)
RACE = "E   RuntimeError: the cache changed\n\nsrc/cache.py:31: RuntimeError"


def write_bundle(
    out: Path,
    results: Sequence[TestResult] = (),
    *,
    minute: int = 0,
    failures: tuple[Failure, ...] = (),
    evidence: Evidence | None = None,
) -> Path:
    """Write a bundle of the series unit / tests."""
    started = START + timedelta(minutes=minute)
    folder = bundle.claim(out, "tests", started)
    bundle.write_tests(folder, results, source="junit")
    failed = any(result.outcome.bad for result in results)
    made = evidence or Evidence(
        kind=BundleKind.TESTS,
        name="tests",
        outcome=Outcome.FAILED if failed else Outcome.PASSED,
        command=Command(argv=("pytest", "-q"), cwd="."),
        started_at=bundle.instant(started),
        exit_code=int(failed),
        elapsed_s=12.0,
        resources=Resources(wall_s=12.0, user_s=9.0, system_s=1.0, max_rss_bytes=100 << 20),
        host=Host(fingerprint="5eed5eed5eed5eed", parts={"cpu": "EPYC 7763"}),
        source=Source(repository="octo/widgets", sha="1" * 40, ref="main", dirty=False),
        github=GithubRun(run_id=1001, run_attempt=1, job="unit", event="push"),
        tests=bundle.count(results),
        failures=failures,
    )
    bundle.write_manifest(folder, made)
    return folder


def passed(nodeid: str, duration_s: float = 0.1) -> TestResult:
    return TestResult(nodeid=nodeid, outcome=TestOutcome.PASSED, duration_s=duration_s)


def failed(nodeid: str, text: str = RACE) -> TestResult:
    return TestResult(
        nodeid=nodeid,
        outcome=TestOutcome.FAILED,
        duration_s=0.2,
        message=text.partition("\n")[0],
        text=text,
    )


def test_a_record_says_what_the_bundle_measured(tmp_path: Path) -> None:
    folder = write_bundle(tmp_path, [passed("a::b", 0.1234567), failed("a::c")])
    record = make_record(folder, on_main(1))

    assert record.series == UNIT
    assert record.origin == on_main(1)
    assert (record.started_at, record.outcome, record.exit_code, record.dirty) == (
        "2026-11-22T10:15:16Z",
        Outcome.FAILED,
        1,
        False,
    )
    assert record.resources.user_s == 9.0
    assert [(test.nodeid, test.outcome.value, test.duration_s) for test in record.tests] == [
        ("a::b", "passed", 0.123),
        ("a::c", "failed", 0.2),
    ]
    assert codec.decode(codec.encode(record), "x") == record


def test_a_failure_is_named_from_its_text_whatever_the_bundle_claims(tmp_path: Path) -> None:
    claim = Failure(
        nodeid="a::c",
        kind=FailureKind.INFRA_OTHER,
        signature="v1:0123456789abcdef",
        message="not my fault",
        text="",
    )
    record = make_record(write_bundle(tmp_path, [failed("a::c")], failures=(claim,)), on_main(1))

    named = name_failure(test="a::c", text=RACE)
    (failure,) = record.failures
    assert (failure.signature, failure.kind) == (named.signature, named.kind)
    assert failure.kind is not FailureKind.INFRA_OTHER
    assert record.tests[0].signature == named.signature


def test_a_failure_of_the_run_itself_is_kept(tmp_path: Path) -> None:
    crash = Failure(
        nodeid="",
        kind=FailureKind.CRASH_SIGNAL,
        signature="v1:0123456789abcdef",
        message="Segmentation fault",
        text="Fatal Python error: Segmentation fault",
    )
    folder = write_bundle(tmp_path, [passed("a::b"), failed("a::c")], failures=(crash,))

    assert [failure.nodeid for failure in make_record(folder, on_main(1)).failures] == ["a::c", ""]


@pytest.mark.parametrize(
    "command",
    [
        pytest.param("echo loading the model; kill -9 $$", id="killed"),
        pytest.param("echo 'make: *** [all] Error 2'; exit 2", id="failed"),
    ],
)
def test_a_run_has_one_name_in_its_bundle_and_in_the_history(tmp_path: Path, command: str) -> None:
    run = [sys.executable, "-IS", str(ROOT / "bot/run.py"), "profile-tests", "--out", str(tmp_path)]
    subprocess.run([*run, "--", "sh", "-c", command], cwd=tmp_path, check=False)
    (folder,) = bundle.find([tmp_path])
    (said,) = bundle.read_manifest(folder).failures
    (kept,) = make_record(folder, on_main(1)).failures

    assert (kept.signature, kept.kind) == (said.signature, said.kind)


def test_a_test_report_that_cannot_be_read_is_a_finding(tmp_path: Path) -> None:
    folder = write_bundle(tmp_path, [passed("a::b")])
    (folder / bundle.TESTS).write_text("nonsense\n", encoding="utf-8")
    record = make_record(folder, on_main(1))

    assert record.tests == ()
    assert "could not be read to its end" in record.findings[-1]


def test_a_bundle_without_a_readable_manifest_is_refused(tmp_path: Path) -> None:
    folder = write_bundle(tmp_path)
    (folder / "evidence.json").write_text("{", encoding="utf-8")

    with pytest.raises(BundleError, match=r"evidence\.json"):
        make_record(folder, on_main(1))


def test_texts_are_bounded_and_each_cause_keeps_one(tmp_path: Path) -> None:
    long = "E   ValueError: too large\n" + "some more of it\n" * 600
    many = [failed(f"a::t{index}", long) for index in range(90)]
    other = failed("a::last", RACE)
    record = make_record(write_bundle(tmp_path, [*many, other]), on_main(1))

    assert len(record.failures) == 91
    assert sum(len(failure.text) for failure in record.failures) <= MAX_TEXTS
    assert record.failures[-1].text == RACE
    causes = {failure.signature for failure in record.failures}
    assert {failure.signature for failure in record.failures if failure.text} == causes


@pytest.mark.parametrize("long", ["", "x" * 20_000, "\u00e4\U00010000\n\x00\\" * 4_000])
def test_whatever_a_bundle_holds_the_history_can_hold(tmp_path: Path, long: str) -> None:
    many = {f"{long}{index}": "x" for index in range(3)} | {f"K{index}": "" for index in range(300)}
    evidence = Evidence(
        kind=BundleKind.TESTS,
        name=long,
        outcome=Outcome.FAILED,
        command=Command(argv=(long, *("x",) * 300), cwd=long, env={"K": long, **many}),
        started_at="2026-11-22T10:15:16Z",
        exit_code=1,
        host=Host(fingerprint=long, parts={"cpu": long, **many}),
        github=GithubRun(run_id=1, run_attempt=1, job=long, event=long),
        findings=(long, *("x",) * 150),
    )
    results = [failed(f"{long}{index}", long) for index in range(3)]
    record = make_record(write_bundle(tmp_path, results, evidence=evidence), on_main(1))

    assert codec.decode(codec.encode(record), "x") == record


def test_recording_the_same_bundle_gives_the_same_id(tmp_path: Path) -> None:
    folder = write_bundle(tmp_path, [passed("a::b")])
    again = replace(on_main(1), run_attempt=2, url="https://elsewhere")

    assert make_record(folder, on_main(1)).id == make_record(folder, again).id
    assert make_record(folder, on_main(1)).id != make_record(folder, on_main(2)).id


def test_two_legs_that_started_in_the_same_second_are_two_runs(tmp_path: Path) -> None:
    one, other = write_bundle(tmp_path, [passed("a::b")]), write_bundle(tmp_path, [failed("a::b")])

    assert make_record(one, on_main(1)).started_at == make_record(other, on_main(1)).started_at
    assert make_record(one, on_main(1)).id != make_record(other, on_main(1)).id


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder, outside GitHub Actions."""
    for name in [name for name in os.environ if name.startswith(("GITHUB_", "TELLTALE_"))]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_verb_adds_bundles_and_says_where(
    terminal: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for minute in range(2):
        write_bundle(terminal / "out", [passed("a::b")], minute=minute)

    assert main(["record", "out", "--history", "h"]) == 0
    output = capsys.readouterr().out
    assert output.count("recorded records/tests-unit-") == 2
    assert f"history: {terminal / 'h'}" in output
    assert main(["record", "out", "--history", "h"]) == 0
    assert "2 of 2 were recorded before" in capsys.readouterr().out


def test_at_a_terminal_the_bundle_names_the_commit(terminal: Path) -> None:
    write_bundle(terminal / "out", [passed("a::b")])
    main(["record", "out", "--history", "h"])

    (record,) = open_history("h", cwd=terminal).load(UNIT)
    assert record.origin.local
    assert (record.origin.sha, record.origin.branch) == ("1" * 40, "main")


def test_a_broken_bundle_does_not_keep_the_others_out(
    terminal: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_bundle(terminal / "out", [passed("a::b")], minute=0)
    broken = write_bundle(terminal / "out", [passed("a::b")], minute=1)
    (broken / "evidence.json").write_text("{", encoding="utf-8")

    assert main(["record", "out", "--history", "h"]) == 0
    assert "evidence.json" in capsys.readouterr().err
    assert len(open_history("h", cwd=terminal).load(UNIT)) == 1


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        pytest.param(["nowhere"], 2, "nowhere", id="no-such-folder"),
        pytest.param(["empty"], 2, "no evidence bundle", id="empty-folder"),
        pytest.param(["broken"], 2, "none of the bundles can be read", id="only-broken"),
        pytest.param(["out", "--history", "s3://k:s@b"], 2, "expected s3://BUCKET/", id="s3"),
        pytest.param(["out", "--history", "branch:x"], 70, "no git repository", id="no-repository"),
    ],
)
def test_a_mistake_is_one_clear_line(
    terminal: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    status: int,
    said: str,
) -> None:
    write_bundle(terminal / "out", [passed("a::b")])
    (terminal / "empty").mkdir()
    (write_bundle(terminal / "broken") / "evidence.json").write_text("{", encoding="utf-8")

    assert main(["record", *arguments]) == status
    errors = capsys.readouterr().err.splitlines()
    assert said in errors[-1]


def test_the_verb_runs_as_a_program(terminal: Path) -> None:
    write_bundle(terminal / "out", [passed("a::b")])
    program = "from telltale.cli import main; raise SystemExit(main())"
    done = subprocess.run(
        [sys.executable, "-c", program, "record", "out", "--history", "h"],
        env={"PYTHONPATH": os.pathsep.join(sys.path), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
