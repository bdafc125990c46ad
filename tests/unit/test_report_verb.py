"""The verb `report` on a laptop: bundles in, a folder out, nobody is talked to."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from telltale import bundle
from telltale.cli import main
from telltale.model import (
    BundleKind,
    Command,
    Evidence,
    Host,
    Outcome,
    Resources,
    Source,
    TestCounts,
    TestOutcome,
    TestResult,
)

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=timezone.utc)
FLAKY = "tests/test_tags.py::test_order"
CART = ">       assert total() == 3\nE       assert 4 == 3\n\ntests/test_cart.py:9: AssertionError"
TEXT = ">       assert unique() == 1\nE       assert 2 == 1\n\ntests/test_tags.py:5: AssertionError"
WRITTEN = {"comment.md", "summary.md", "report.html", "report.json"}


def write_bundle(
    out: Path,
    minute: int,
    *,
    failed: Sequence[str] = (),
    name: str = "unit",
    argv: tuple[str, ...] = ("python3", "-m", "pytest"),
    cpu_s: float = 10.0,
    sha: str = "1" * 40,
) -> Path:
    """Write a finished run of `name` at 12:`minute` in which two tests ran."""
    started = NOON + timedelta(minutes=minute)
    folder = bundle.claim(out, name, started)
    nodeids = ("tests/test_cart.py::test_total", FLAKY)
    bundle.write_tests(
        folder, [result(nodeid, bad=nodeid in failed) for nodeid in nodeids], source="junit"
    )
    evidence = Evidence(
        kind=BundleKind.TESTS,
        name=name,
        outcome=Outcome.FAILED if failed else Outcome.PASSED,
        command=Command(argv=argv, cwd="."),
        started_at=bundle.instant(started),
        exit_code=1 if failed else 0,
        elapsed_s=12.0,
        resources=Resources(wall_s=12.0, user_s=cpu_s, system_s=0.5, max_rss_bytes=50_000_000),
        host=Host(fingerprint="00112233445566aa", parts={"cpu": "x"}),
        source=Source(sha=sha, ref="refs/heads/main", dirty=False),
        tests=TestCounts(total=2, passed=2 - len(failed), failed=len(failed)),
        telltale="0.1.0",
    )
    bundle.write_manifest(folder, evidence)
    return folder


def result(nodeid: str, *, bad: bool) -> TestResult:
    return TestResult(
        nodeid=nodeid,
        outcome=TestOutcome.FAILED if bad else TestOutcome.PASSED,
        duration_s=0.1,
        message="assert 2 == 1" if bad else "",
        text=(TEXT if nodeid == FLAKY else CART) if bad else "",
    )


@pytest.fixture
def history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Six runs of one commit, in two of which the flaky test failed."""
    monkeypatch.chdir(tmp_path)
    for variable in ("GITHUB_ACTIONS", "GITHUB_REPOSITORY", "GITHUB_RUN_ID", "GITHUB_EVENT_PATH"):
        monkeypatch.delenv(variable, raising=False)
    for minute in range(6):
        write_bundle(tmp_path / "earlier", minute, failed=[FLAKY] if minute in {1, 4} else [])
    folder = tmp_path / "history"
    assert main(["record", str(tmp_path / "earlier"), "--history", str(folder)]) == 0
    return folder


def report(*arguments: str | Path) -> int:
    return main(["report", "--dry-run", *map(str, arguments)])


def test_a_flake_that_recurred_becomes_an_issue_with_a_scaffold(
    tmp_path: Path, history: Path
) -> None:
    head = write_bundle(tmp_path / "head", 10, failed=[FLAKY], cpu_s=21.0)
    assert report(head, "--history", history, "--out", tmp_path / "out") == 0

    assert {path.name for path in (tmp_path / "out").iterdir()} == {*WRITTEN, "issues", "scaffolds"}
    document = json.loads((tmp_path / "out/report.json").read_text(encoding="utf-8"))
    assert document["verdict"]["text"].startswith("1 regression, 1 known flake")
    (issue,) = (tmp_path / "out/issues").iterdir()
    assert FLAKY in issue.read_text(encoding="utf-8")
    (scaffold,) = (tmp_path / "out/scaffolds").iterdir()
    assert f"{scaffold}/run_test.sh" in issue.read_text(encoding="utf-8")
    assert (scaffold / "run_test.sh").stat().st_mode & 0o111


def test_a_dry_run_leaves_the_history_as_it_was(tmp_path: Path, history: Path) -> None:
    before = sorted(path for path in history.rglob("*"))
    head = write_bundle(tmp_path / "head", 10, failed=[FLAKY])
    assert report(head, "--history", history, "--out", tmp_path / "out") == 0
    assert sorted(path for path in history.rglob("*")) == before


def test_the_next_report_replaces_the_last(tmp_path: Path, history: Path) -> None:
    out = tmp_path / "out"
    head = write_bundle(tmp_path / "head", 10, failed=[FLAKY])
    assert report(head, "--history", history, "--out", out) == 0
    assert (out / "issues").exists()
    sound = write_bundle(tmp_path / "head", 11)
    assert report(sound, "--history", tmp_path / "none", "--out", out) == 0
    assert {path.name for path in out.iterdir()} == WRITTEN


def test_what_is_not_a_report_is_not_replaced(
    tmp_path: Path, history: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    (out / "issues").mkdir(parents=True)
    (out / "issues/mine.md").write_text("mine", encoding="utf-8")
    head = write_bundle(tmp_path / "head", 10)
    assert report(head, "--history", history, "--out", out) == 2
    assert "is not part of a report: name another folder" in capsys.readouterr().err
    assert (out / "issues/mine.md").read_text(encoding="utf-8") == "mine"


def test_an_unreadable_bundle_does_not_hide_the_others(tmp_path: Path, history: Path) -> None:
    write_bundle(tmp_path / "head", 10)
    broken = write_bundle(tmp_path / "head", 11, name="gpu")
    (broken / "evidence.json").write_text('{"schema": "telltale.evidence/1"', encoding="utf-8")
    assert report(tmp_path / "head", "--history", history, "--out", tmp_path / "out") == 0
    comment = (tmp_path / "out/comment.md").read_text(encoding="utf-8")
    assert "evidence.json" in comment
    assert "All 2 tests pass" in comment


def test_an_unreachable_history_is_not_an_empty_one(tmp_path: Path, history: Path) -> None:
    assert history.exists()
    head = write_bundle(tmp_path / "head", 10)
    address = f"branch:telltale-history@{tmp_path / 'gone'}"
    assert report(head, "--history", address, "--out", tmp_path / "out") == 70
    comment = (tmp_path / "out/comment.md").read_text(encoding="utf-8")
    assert "the history could not be read" in comment


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param([], "name the bundles to report on", id="nothing"),
        pytest.param(["gone"], "gone does not exist", id="gone"),
        pytest.param(["."], "expected a folder with evidence.json", id="no-bundle"),
    ],
)
def test_a_mistake_says_what_to_type(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    assert report(*arguments, "--history", "h", "--out", tmp_path / "out") == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "pasted"),
    [
        pytest.param(("pytest", "-k", "a b"), "pytest -k 'a b'", id="quoted"),
        pytest.param(("~/venv/bin/python", "x"), "~/venv/bin/python x", id="home"),
        pytest.param(
            ("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", "pytest -q | cat"),
            "pytest -q | cat",
            id="as-the-workflow-says-it",
        ),
    ],
)
def test_the_command_is_shown_as_a_person_types_it(
    tmp_path: Path, history: Path, argv: tuple[str, ...], pasted: str
) -> None:
    failed = ["tests/test_cart.py::test_total"]
    head = write_bundle(tmp_path / "head", 10, failed=failed, argv=argv, sha="2" * 40)
    assert report(head, "--history", history, "--out", tmp_path / "out") == 0
    comment = (tmp_path / "out/comment.md").read_text(encoding="utf-8")
    assert f"\n{pasted}\n" in comment


def test_a_level_that_changed_is_told_by_one_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for variable in ("GITHUB_ACTIONS", "GITHUB_REPOSITORY", "GITHUB_RUN_ID", "GITHUB_EVENT_PATH"):
        monkeypatch.delenv(variable, raising=False)
    folder = tmp_path / "history"
    for minute in range(20):
        write_bundle(tmp_path / "earlier", minute, cpu_s=10.0 + minute % 3 / 10)
    assert main(["record", str(tmp_path / "earlier"), "--history", str(folder)]) == 0

    told = []
    for minute in range(20, 40):
        head = write_bundle(tmp_path / f"head-{minute}", minute, cpu_s=15.0 + minute % 3 / 10)
        out = tmp_path / f"out-{minute}"
        assert report(head, "--history", folder, "--out", out) == 0
        document = json.loads((out / "report.json").read_text(encoding="utf-8"))
        if document["drifts"]:
            told.append(minute)
            comment = (out / "comment.md").read_text(encoding="utf-8")
            assert "This run is the first that shows it." in comment
            (drift,) = [each for each in document["drifts"] if each["metric"] == "cpu_s"]
            assert drift["change"] == pytest.approx(0.47, abs=0.03)
        assert main(["record", str(head), "--history", str(folder)]) == 0
    assert len(told) == 1
