"""One run against its history, as a function, as comparison.json and as a verb."""

from __future__ import annotations

import json
import math
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telltale.cli import main
from telltale.compare import compare
from telltale.compare.document import to_document
from telltale.flaky.detect import judge_failures
from telltale.model import Outcome, Verdict
from telltale.records import Record
from telltale.verbs.assess import assess
from tests.unit.history_records import any_record, main_run, of_pull_request
from tests.unit.test_record import failed, passed, write_bundle

SCHEMA = json.loads(
    (Path(__file__).parents[2] / "docs" / "comparison.schema.json").read_text(encoding="utf-8")
)
EARLIER = [main_run(number, cpu_s=10 + number / 100) for number in range(8)]


def verdicts(head: Record, records: list[Record]) -> dict[str, str]:
    return {one.metric: one.verdict.value for one in compare(head, records).judgements}


def test_every_whole_run_figure_is_judged() -> None:
    head = main_run(100, cpu_s=15, max_rss_mib=60, wall_s=12.1)

    assert verdicts(head, EARLIER) == {
        "cpu_s": "regression",
        "max_rss_bytes": "improvement",
        "tree_peak_rss_bytes": "improvement",
        "wall_s": "unchanged",
        "user_s": "regression",
        "system_s": "regression",
        "cpu_percent": "undecided",
    }


def test_a_clean_run_is_unchanged() -> None:
    found = verdicts(main_run(100, cpu_s=10.05), EARLIER)

    # These records say nothing of CPU use.
    assert found.pop("cpu_percent") == "undecided"
    assert set(found.values()) == {"unchanged"}


def test_the_baseline_is_named() -> None:
    found = compare(main_run(100), EARLIER)

    assert found.baseline == tuple(record.id for record in reversed(EARLIER))
    assert found.reason == "the 8 newest runs of the default branch on such a machine"


@pytest.mark.parametrize(
    ("head", "records", "reason"),
    [
        pytest.param(main_run(100), EARLIER[:3], "3 comparable runs of 5 needed", id="few"),
        pytest.param(main_run(100), [], "no earlier run of this series", id="none"),
        pytest.param(
            main_run(100, outcome=Outcome.TIMED_OUT),
            EARLIER,
            "nothing to compare: it was killed at its limit",
            id="timed-out",
        ),
        pytest.param(
            main_run(100, tests={}), EARLIER, "not the same work: 0 tests ran, 1 as a rule", id="work"
        ),
    ],
)  # fmt: skip
def test_undecided_is_a_verdict_with_a_reason(
    head: Record, records: list[Record], reason: str
) -> None:
    for judgement in compare(head, records).judgements:
        assert judgement.verdict is Verdict.UNDECIDED
        assert judgement.reason == reason


def test_a_figure_that_is_missing_is_not_guessed() -> None:
    unmeasured = compare(main_run(100, cpu_s=None), EARLIER).judgements[0]
    few = compare(main_run(100), [*EARLIER[:4], *(main_run(9 + i, cpu_s=None) for i in range(5))])

    assert (unmeasured.verdict, unmeasured.reason) == (
        Verdict.UNDECIDED,
        "not measured in this run",
    )
    assert (few.judgements[0].reason, few.judgements[0].n) == ("4 comparable runs of 5 needed", 4)
    assert few.judgements[1].verdict is Verdict.UNCHANGED


def test_a_figure_that_is_no_number_is_not_measured() -> None:
    head = main_run(100, wall_s=math.nan)

    assert compare(head, EARLIER).judgements[3].reason == "not measured in this run"


def test_tests_that_came_and_went_are_told() -> None:
    names = {f"a::{index}": 0.1 for index in range(30)}
    before = [main_run(number, tests={**names, "a::old": 0.1}) for number in range(6)]
    found = compare(main_run(100, tests={**names, "a::new": 0.1}), before)

    assert (found.added, found.removed) == (("a::new",), ("a::old",))
    assert compare(main_run(100), []).added == ()


def test_failures_are_passed_on() -> None:
    head = main_run(100, outcome=Outcome.FAILED)
    judged = judge_failures(head, EARLIER)

    assert compare(head, EARLIER, failures=judged).failures == judged
    assert assess(head, EARLIER) == compare(head, EARLIER, failures=judged)


@settings(deadline=None, max_examples=30)
@given(any_record(), st.lists(any_record(), max_size=8))
def test_any_comparison_is_described_by_its_schema(head: Record, records: list[Record]) -> None:
    # The same series and machine, or hardly anything would ever be comparable.
    near = [
        replace(one, series=head.series, host=head.host, started_at="2000-01-01T00:00:00Z")
        for one in records
    ]
    document = to_document([compare(head, [*records, *near])])

    jsonschema.validate(json.loads(json.dumps(document, allow_nan=False)), SCHEMA)


@given(st.lists(st.floats(0.2, 1e3), min_size=5, max_size=20), st.data())
def test_a_run_equal_to_one_of_the_baseline_is_no_regression(
    cpu: list[float], data: st.DataObject
) -> None:
    records = [main_run(number, cpu_s=value) for number, value in enumerate(cpu)]
    head = main_run(100, cpu_s=data.draw(st.sampled_from(cpu)), origin=of_pull_request(100))

    assert verdicts(head, records)["cpu_s"] == "unchanged"


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder, outside GitHub Actions, with six runs in the history `h`."""
    for name in [name for name in os.environ if name.startswith(("GITHUB_", "TELLTALE_"))]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    for minute in range(6):
        write_bundle(tmp_path / "runs", [passed("a::b")], minute=minute)
    assert main(["record", "runs", "--history", "h"]) == 0
    return tmp_path


def comparison(folder: Path) -> Any:
    document = json.loads((folder / "comparison.json").read_text(encoding="utf-8"))
    jsonschema.validate(document, SCHEMA)
    return document["comparisons"][0]


def test_the_verb_prints_markdown_and_writes_numbers(
    terminal: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    head = write_bundle(terminal / "head", [passed("a::b"), failed("a::c")], minute=30)

    # A verdict never fails a job.
    assert main(["compare", str(head), "--history", "h", "--out", "out"]) == 0
    assert "a::c" in capsys.readouterr().out
    found = comparison(terminal / "out")
    assert len(found["baseline"]) == 6
    assert found["reason"] == (
        "the 6 newest earlier runs at a terminal on such a machine;"
        " by time alone: no whole clone here to ask for the merge base"
    )
    assert [(one["nodeid"], one["verdict"]) for one in found["failures"]] == [("a::c", "new")]


def test_comparing_records_nothing_unless_asked(terminal: Path) -> None:
    head = write_bundle(terminal / "head", [passed("a::b")], minute=30)
    before = sorted(path.name for path in (terminal / "h").rglob("*.gz"))

    main(["compare", str(head), "--history", "h", "--out", "out"])
    assert sorted(path.name for path in (terminal / "h").rglob("*.gz")) == before
    main(["compare", str(head), "--history", "h", "--out", "out", "--record"])
    assert len(list((terminal / "h").rglob("*.gz"))) == len(before) + 1
    assert len(comparison(terminal / "out")["baseline"]) == 6


def test_in_a_job_the_summary_gets_the_markdown(
    terminal: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    event = terminal / "event.json"
    event.write_text('{"repository": {"default_branch": "main"}}', encoding="utf-8")
    for name, value in {
        "GITHUB_ACTIONS": "true",
        "GITHUB_RUN_ID": "77",
        "GITHUB_EVENT_NAME": "push",
        "GITHUB_EVENT_PATH": str(event),
        "GITHUB_REPOSITORY": "octo/widgets",
        "GITHUB_REF": "refs/heads/main",
        "GITHUB_SHA": "2" * 40,
        "GITHUB_STEP_SUMMARY": str(terminal / "summary.md"),
    }.items():
        monkeypatch.setenv(name, value)
    head = write_bundle(terminal / "head", [passed("a::b")], minute=30)

    assert main(["compare", str(head), "--history", "h", "--out", "out"]) == 0
    summary = (terminal / "summary.md").read_text(encoding="utf-8").strip()
    assert summary
    assert summary in capsys.readouterr().out
    found = comparison(terminal / "out")
    assert found["origin"]["run_id"] == 77
    # What ran at a terminal is no baseline of a job.
    assert found["reason"] == "no runs of the default branch of this series"


def test_a_damaged_record_is_told_and_the_rest_is_used(
    terminal: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damaged = min((terminal / "h").rglob("*.json.gz"))
    damaged.write_bytes(b"nonsense")
    head = write_bundle(terminal / "head", [passed("a::b")], minute=30)

    assert main(["compare", str(head), "--history", "h", "--out", "out"]) == 0
    assert damaged.name in capsys.readouterr().err
    assert len(comparison(terminal / "out")["baseline"]) == 5


def test_a_folder_that_cannot_be_written_is_one_clear_line(
    terminal: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (terminal / "out").write_text("in the way", encoding="utf-8")

    assert main(["compare", "runs", "--history", "h", "--out", "out"]) == 2
    assert "--out out" in capsys.readouterr().err


def test_the_gate_fails_on_what_was_asked_and_says_why(
    terminal: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    head = str(write_bundle(terminal / "head", [passed("a::b"), failed("a::c")], minute=30))
    call = ["compare", head, "--history", "h", "--out", "out"]

    assert main([*call, "--fail-on", "regression"]) == 0
    assert main([*call, "--fail-on", "regression,new-failure"]) == 1
    assert "--fail-on: unit / tests: new failure: a::c" in capsys.readouterr().out
    assert main([*call, "--fail-on", "regressions"]) == 2
    assert "unknown regressions: give regression or new-failure" in capsys.readouterr().err


def test_a_ceiling_of_the_configuration_can_fail_the_gate(
    terminal: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    head = str(write_bundle(terminal / "head", [passed("a::b")], minute=30))
    (terminal / "own.yml").write_text(
        "ceilings: [{metric: duration_s, tests: 'a::*', limit: 0.0001}]", encoding="utf-8"
    )
    call = ["compare", head, "--history", "h", "--out", "out", "--config", "own.yml"]

    assert main(call) == 0
    one = comparison(terminal / "out")["judgements"][-1]
    assert (one["nodeid"], one["verdict"], one["ceiling"]) == ("a::b", "regression", 0.0001)
    assert main([*call, "--fail-on", "regression"]) == 1
    assert "--fail-on: unit / tests: a::b duration_s: " in capsys.readouterr().out
