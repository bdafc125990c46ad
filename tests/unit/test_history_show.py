"""`telltale history show`: a series' last runs, or one record, named as people name them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from telltale.cli import main
from telltale.history import layout, open_history
from telltale.model import BundleKind
from telltale.records import Series
from tests.unit.history_records import TERMINAL, UNIT, main_run, of_pull_request

SMOKE = Series(kind=BundleKind.TRAINING, job="smoke", name="tests")

Show = Callable[..., str]


@pytest.fixture
def history(tmp_path: Path) -> Path:
    where = tmp_path / "h"
    runs = [
        main_run(1),
        main_run(2, origin=of_pull_request(2, fork=True), tests={"a|b": 1.5, "c": 0.25}),
        main_run(3, series=SMOKE, origin=TERMINAL),
    ]
    open_history(str(where), cwd=tmp_path).add(runs)
    return where


@pytest.fixture
def show(history: Path, capsys: pytest.CaptureFixture[str]) -> Show:
    def run(*arguments: str, status: int = 0) -> str:
        assert main(["history", "show", *arguments, "--history", str(history)]) == status
        printed = capsys.readouterr()
        return printed.err if status else printed.out

    return run


@pytest.mark.parametrize(
    "name", ["unit", "unit / tests", layout.slug(UNIT), layout.folder_of(UNIT)]
)
def test_a_series_is_a_table_of_its_runs_newest_first(show: Show, name: str) -> None:
    lines = show(name).splitlines()
    assert lines[0] == "# `unit / tests`"
    table = [line for line in lines if line.startswith("| 2026")]
    assert [line.split(" | ")[0] for line in table] == ["| 2026-11-01 00:02", "| 2026-11-01 00:01"]
    assert "`pull request 7 of a fork`" in table[0]
    assert "| 2 | 0 | 0 | 12.0 s | 10.0 s | 100 MiB |" in table[0]
    assert "`push on main`" in table[1]


def test_the_limit_says_what_it_leaves_out(show: Show) -> None:
    assert "the newest 1 of 2 records" in show("unit", "--limit", "1")


def test_a_record_by_its_id(show: Show) -> None:
    assert show(main_run(3).id).startswith("# `smoke / tests`, 2026-11-01 00:03")


def test_a_record_by_its_path(show: Show) -> None:
    record = main_run(2, origin=of_pull_request(2, fork=True))
    printed = show(layout.path_of(record))
    assert "| may be a baseline | no |" in printed
    assert "| tests | 2 passed |" in printed
    assert r"| `a\|b` | passed | 1.50 s |" in printed


def test_what_is_called_alike_is_listed(show: Show) -> None:
    assert "'tests': 2 are called so, name one: records/" in show("tests", status=2)
    # Eight digits that three records begin with.
    assert "'00000000': 3 are called so" in show("00000000", status=2)


def test_what_is_not_there_is_a_mistake(show: Show) -> None:
    said = show("nope", status=2)
    assert "no series and no record is called so" in said
    assert "'unit / tests'" in said
    assert "takes one series, id or path" in show("a", "b", status=2)
    assert "--limit: expected a whole number" in show("unit", "--limit", "0", status=2)


def test_json_of_a_series_and_of_a_record(show: Show) -> None:
    series = json.loads(show("unit", "--json"))
    assert [one["id"] for one in series] == [main_run(2).id, main_run(1).id]
    assert series[0]["tests"] == {"passed": 2}
    assert series[0]["baseline"] is False
    record = json.loads(show(main_run(1).id, "--json"))
    assert record["schema"] == "telltale.record/1"
    assert record["tests"]["nodeid"] == ["tests/test_a.py::test_one"]


def test_a_damaged_record_is_named_and_the_others_are_shown(
    history: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (history / layout.path_of(main_run(1))).write_bytes(b"junk")
    assert main(["history", "show", "unit", "--history", str(history)]) == 0
    printed = capsys.readouterr()
    assert printed.out.count("| 2026") == 1
    assert f"{layout.path_of(main_run(1))}: not a gzip file" in printed.err
    assert main(["history", "show", main_run(1).id, "--history", str(history)]) == 70
    assert "not a gzip file" in capsys.readouterr().err
