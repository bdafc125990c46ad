"""`telltale history list`: what there is, as people and programs read it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from telltale.cli import main
from telltale.history import open_history
from telltale.model import BundleKind
from telltale.records import Series
from tests.unit.history_records import main_run, of_pull_request

SMOKE = Series(kind=BundleKind.TRAINING, job="smoke", name="tiny")


@pytest.fixture
def history(tmp_path: Path) -> Path:
    where = tmp_path / "h"
    runs = [main_run(1), main_run(2000, origin=of_pull_request(2000)), main_run(3, series=SMOKE)]
    open_history(str(where), cwd=tmp_path).add(runs)
    return where


def listed(history: Path, capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    assert main(["history", "list", "--history", str(history), "--json"]) == 0
    found: list[dict[str, object]] = json.loads(capsys.readouterr().out)
    return found


def test_each_series_with_its_records_and_days(
    history: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    unit, smoke = listed(history, capsys)
    assert unit["series"] == {"kind": "tests", "job": "unit", "name": "tests"}
    assert (unit["records"], unit["baseline"], unit["other"]) == (2, 1, 1)
    assert (unit["first"], unit["last"]) == ("2026-11-01", "2026-11-02")
    assert unit["bytes"] == sum(
        path.stat().st_size for path in history.glob("records/tests-unit-*/*/*/*")
    )
    assert smoke["series"] == {"kind": "training", "job": "smoke", "name": "tiny"}


def test_for_people(history: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["history", "list", "--history", str(history)]) == 0
    printed = capsys.readouterr().out
    assert "| `unit / tests` | 2 | 1 | 1 | 2026-11-01 | 2026-11-02 | " in printed


def test_a_history_without_records_is_no_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["history", "list", "--history", str(tmp_path / "none")]) == 0
    assert "There is no record in" in capsys.readouterr().out
    assert listed(tmp_path / "none", capsys) == []


def test_a_series_whose_description_is_damaged_is_listed_by_its_folder(
    history: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in history.glob("records/tests-unit-*/series.json"):
        path.write_text("{")
    unit, _ = listed(history, capsys)
    assert unit["series"] is None
    assert str(unit["folder"]).startswith("records/tests-unit-")
    assert unit["records"] == 2
