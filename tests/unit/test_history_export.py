"""`telltale history export`: the same rows in every format, whole or not at all."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.dataset
import pyarrow.parquet
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from telltale.cli import extras, main, parse
from telltale.errors import HistoryError
from telltale.history import layout, open_history, open_store
from telltale.history.catalog import shelves
from telltale.history.columns import TABLES
from telltale.history.export import export, partition_of
from telltale.history.folder import FolderStore
from telltale.history.parquet import ROWS_A_GROUP
from telltale.model import BundleKind, Failure, FailureKind, TestOutcome
from telltale.records import Load, Record, RecordedTest, Series, TestNumber
from tests.unit.history_records import UNIT, any_record, main_run, of_pull_request

LINT = Series(kind=BundleKind.TESTS, job="lint", name="tests")
RICH = replace(
    main_run(2, origin=of_pull_request(2)),
    started_at="2026-11-01T00:02:00.25Z",
    tests=(
        RecordedTest(nodeid="a", outcome=TestOutcome.PASSED, duration_s=0.5, cpu_s=0.25),
        RecordedTest(
            nodeid="b",
            outcome=TestOutcome.FAILED,
            duration_s=1.5,
            signature="v1:0123456789abcdef",
            rss_peak_change_bytes=4096,
        ),
    ),
    failures=(
        Failure(
            nodeid="b",
            kind=FailureKind.ASSERTION,
            signature="v1:0123456789abcdef",
            message='a, "b"\n\udc80c',
            text="",
        ),
    ),
    numbers=(TestNumber(nodeid="a", name="images/s", value=12.5),),
    load=Load(load_average=1.5, cpus=4),
)


@pytest.fixture
def history(tmp_path: Path) -> Path:
    where = tmp_path / "h"
    december = replace(main_run(4), started_at="2026-12-01T00:00:00Z")
    runs = [main_run(1), RICH, december, main_run(3, series=LINT)]
    open_history(str(where), cwd=tmp_path).add(runs)
    return where


def run(history: Path, out: Path, *arguments: str) -> int:
    return main(["history", "export", "--history", str(history), "--out", str(out), *arguments])


def files(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def table(out: Path, name: str) -> list[dict[str, Any]]:
    data = pyarrow.dataset.dataset(out / name, format="parquet", partitioning="hive")
    rows: list[dict[str, Any]] = data.to_table().sort_by("run").to_pylist()
    return rows


class TestParquet:
    def test_a_dataset_by_series_and_month(self, history: Path, tmp_path: Path) -> None:
        out = tmp_path / "out"
        assert run(history, out) == 0
        unit = f"kind=tests/job=unit/name=tests/year=2026/month=11/{layout.slug(UNIT)}.parquet"
        assert {f"{name}/{unit}" for name in ("runs", "results", "failures", "numbers")} <= set(
            files(out)
        )
        runs = table(out, "runs")
        assert [(one["job"], one["year"], one["month"]) for one in runs] == [
            ("unit", 2026, 11),
            ("unit", 2026, 11),
            ("lint", 2026, 11),
            ("unit", 2026, 12),
        ]

    def test_values_keep_their_types_and_what_is_missing(
        self, history: Path, tmp_path: Path
    ) -> None:
        run(history, tmp_path / "out")
        rich = next(one for one in table(tmp_path / "out", "runs") if one["run"] == RICH.id)
        assert rich["started_at"].isoformat() == "2026-11-01T00:02:00.250000+00:00"
        assert rich["user_s"] == pytest.approx(9.0)
        assert (rich["baseline"], rich["fork"], rich["pull_request"]) == (False, False, 7)
        assert (rich["major_faults"], rich["load_average"], rich["cpus"]) == (None, 1.5, 4)
        assert (rich["tests_passed"], rich["tests_failed"]) == (1, 1)
        assert json.loads(rich["host"])["cpu"] == "EPYC 7763"
        a, b = (one for one in table(tmp_path / "out", "results") if one["run"] == RICH.id)
        assert (a["nodeid"], a["cpu_s"], a["rss_peak_change_bytes"]) == ("a", 0.25, None)
        assert (b["position"], b["cpu_s"], b["rss_peak_change_bytes"]) == (1, None, 4096)
        assert (a["signature"], b["signature"]) == (None, "v1:0123456789abcdef")
        (number,) = table(tmp_path / "out", "numbers")
        assert (number["property"], number["value"]) == ("images/s", 12.5)

    def test_rows_are_grouped(self, tmp_path: Path) -> None:
        tests = {f"t{number}": 0.001 for number in range(ROWS_A_GROUP + 10)}
        open_history("h", cwd=tmp_path).add([main_run(1, tests=tests), main_run(2)])
        run(tmp_path / "h", tmp_path / "out")
        (path,) = (tmp_path / "out/results").rglob("*.parquet")
        read = pyarrow.parquet.ParquetFile(path).metadata
        assert [read.row_group(n).num_rows for n in range(read.num_row_groups)] == [
            ROWS_A_GROUP,
            10,
            1,
        ]

    def test_the_launcher_brings_pyarrow_for_this_format_alone(self) -> None:
        assert extras(parse(["history", "export"], {})) == ("parquet",)
        assert extras(parse(["history", "export", "--format", "csv"], {})) == ()
        both = ["history", "export", "--history", "s3://b/p"]
        assert extras(parse(both, {})) == ("parquet", "s3")

    def test_without_pyarrow(
        self,
        history: Path,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        monkeypatch.delitem(sys.modules, "telltale.history.parquet", raising=False)
        monkeypatch.setitem(sys.modules, "pyarrow", None)
        assert run(history, tmp_path / "out") == 70
        assert "-r bot/extras/parquet.txt. csv and jsonl need nothing" in capsys.readouterr().err
        assert not (tmp_path / "out").exists()
        assert run(history, tmp_path / "out", "--format", "csv") == 0


def rows_of(out: Path, format_: str, name: str) -> list[dict[str, Any]]:
    """Read the files of one table, in the order of their paths, as the format has values."""
    rows: list[dict[str, Any]] = []
    for path in sorted(path for path in (out / name).rglob("*") if path.is_file()):
        if format_ == "parquet":
            rows += pyarrow.parquet.ParquetFile(path).read().to_pylist()
            continue
        text = gzip.decompress(path.read_bytes()).decode()
        if format_ == "csv":
            rows += csv.DictReader(io.StringIO(text, newline=""))
        else:
            rows += [json.loads(line) for line in text.split("\n") if line]
    return rows


def as_csv(row: Mapping[str, Any]) -> dict[str, str]:
    """What CSV makes of values: text, with nothing for what is missing."""
    return {
        name: "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in row.items()
    }


class TestFormats:
    @settings(max_examples=8, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
    @given(st.lists(any_record(), max_size=2, unique_by=lambda record: record.id))
    def test_every_format_holds_the_same_rows(self, records: Sequence[Record]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            where = Path(folder)
            open_history("h", cwd=where).add(records)
            store = open_store("h", cwd=where)
            found = shelves(store)
            read: dict[str, dict[str, list[dict[str, Any]]]] = {}
            for format_ in ("parquet", "csv", "jsonl"):
                exported = export(store, found, where / format_, format_)
                assert exported.problems == []
                assert exported.rows["runs"] == len(records)
                read[format_] = {
                    each.name: rows_of(where / format_, format_, each.name) for each in TABLES
                }
        for each in TABLES:
            expected = read["jsonl"][each.name]
            assert len(expected) == exported.rows[each.name]
            for row, wanted in zip(read["csv"][each.name], expected, strict=True):
                assert row == as_csv(wanted)
            parquet = [
                {name: value for name, value in row.items() if name != "started_at"}
                for row in read["parquet"][each.name]
            ]
            assert parquet == [
                {name: value for name, value in row.items() if name != "started_at"}
                for row in expected
            ]

    def test_a_format_that_is_none(
        self, history: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert run(history, tmp_path / "out", "--format", "xlsx") == 2
        assert "--format: expected parquet, csv, jsonl, got 'xlsx'" in capsys.readouterr().err


class TestPlace:
    def test_exported_again_it_is_the_same(self, history: Path, tmp_path: Path) -> None:
        for format_ in ("parquet", "csv", "jsonl"):
            out = tmp_path / format_
            run(history, out, "--format", format_)
            first = files(out)
            run(history, out, "--format", format_)
            assert files(out) == first

    def test_nothing_of_the_earlier_export_stays(self, history: Path, tmp_path: Path) -> None:
        out = tmp_path / "out"
        run(history, out)
        run(history, out, "--format", "csv", "--series", "lint")
        slug = layout.slug(LINT)
        month = "kind=tests/job=lint/name=tests/year=2026/month=11"
        assert set(files(out)) == {
            "_telltale.json",
            f"runs/{month}/{slug}.csv.gz",
            f"results/{month}/{slug}.csv.gz",
        }
        assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []

    def test_a_series_that_is_none(
        self, history: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert run(history, tmp_path / "out", "--series", "nope") == 2
        assert "no series and no record is called so" in capsys.readouterr().err

    @pytest.mark.parametrize("what", ["file", "folder"])
    def test_what_is_not_ours_is_left_alone(
        self, history: Path, tmp_path: Path, what: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        out = tmp_path / "out"
        thesis = out if what == "file" else out / "thesis.txt"
        thesis.parent.mkdir(exist_ok=True)
        thesis.write_text("years of work")
        assert run(history, out) == 2
        assert "holds something else than an export; name another" in capsys.readouterr().err
        assert thesis.read_text() == "years of work"

    def test_an_empty_folder_is_taken(self, history: Path, tmp_path: Path) -> None:
        (tmp_path / "out").mkdir()
        assert run(history, tmp_path / "out") == 0

    def test_an_export_that_breaks_off_leaves_the_earlier_one(
        self, history: Path, tmp_path: Path
    ) -> None:
        out = tmp_path / "out"
        run(history, out)
        before = files(out)
        open_history(str(history), cwd=tmp_path).add([main_run(9)])
        store = _Breaking(history)
        found = shelves(store)
        store.reads_left = 1
        with pytest.raises(HistoryError, match="the line is dead"):
            export(store, found, out, "parquet")
        assert files(out) == before
        assert sorted(path.name for path in tmp_path.iterdir()) == ["h", "out"]

    def test_a_folder_that_cannot_be_made(
        self, history: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / "file").write_text("")
        assert run(history, tmp_path / "file" / "out") == 2
        assert "--out" in capsys.readouterr().err.splitlines()[-1]

    def test_a_damaged_record_is_named_and_left_out(
        self, history: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        damaged = layout.path_of(main_run(1))
        (history / damaged).write_bytes(b"junk")
        assert run(history, tmp_path / "out") == 0
        printed = capsys.readouterr()
        assert f"{damaged}: not a gzip file" in printed.err
        assert "exported 3 runs with 4 results" in printed.out

    def test_a_day_that_does_not_exist(
        self, history: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        never = replace(main_run(5), started_at="2026-13-41T00:00:00Z")
        open_history(str(history), cwd=tmp_path).add([never])
        assert run(history, tmp_path / "out") == 0
        assert "it started on a day that does not exist" in capsys.readouterr().err

    def test_an_empty_history_is_an_empty_dataset(self, tmp_path: Path) -> None:
        assert run(tmp_path / "none", tmp_path / "out") == 0
        assert set(files(tmp_path / "out")) == {"_telltale.json"}


class _Breaking(FolderStore):
    """A store whose line dies after some reads."""

    reads_left = 1000

    def read(self, paths: Sequence[str]) -> Mapping[str, bytes]:
        if not self.reads_left:
            raise HistoryError("the line is dead")
        self.reads_left -= 1
        return super().read(paths)


class TestPartitions:
    def test_no_column_is_called_as_a_folder_is(self) -> None:
        # Readers take the folder's value for the column's.
        keys = {part.partition("=")[0] for part in partition_of(UNIT, "202611").split("/")}
        assert not [each.name for one in TABLES for each in one.columns if each.name in keys]

    def test_any_name_comes_back(self, tmp_path: Path) -> None:
        names = ["a/b", "..", ".", "x=y", "100%", "ä ö", "plain", "a\nb", "__x__"]
        odd = [Series(kind=BundleKind.TESTS, job="j", name=name) for name in names]
        runs = [main_run(number, series=series) for number, series in enumerate(odd)]
        open_history("h", cwd=tmp_path).add(runs)
        run(tmp_path / "h", tmp_path / "out")
        assert [one["name"] for one in table(tmp_path / "out", "runs")] == names
        assert {path.name for path in (tmp_path / "out").iterdir()} == {
            "_telltale.json",
            "runs",
            "results",
        }

    def test_no_job_is_a_dash(self, tmp_path: Path) -> None:
        series = Series(kind=BundleKind.TESTS, job="", name="tests")
        open_history("h", cwd=tmp_path).add([main_run(1, series=series)])
        run(tmp_path / "h", tmp_path / "out")
        assert [one["job"] for one in table(tmp_path / "out", "runs")] == ["-"]

    @given(st.text(min_size=1, max_size=300), st.text(min_size=1, max_size=300))
    def test_a_folder_has_a_name_that_file_systems_take(self, one: str, other: str) -> None:
        def segment(name: str) -> str:
            series = Series(kind=BundleKind.TESTS, job="j", name=name)
            return partition_of(series, "202611").split("/")[2]

        assert len(segment(one).encode()) <= 255
        assert segment(one).isprintable()
        assert (segment(one) == segment(other)) == (one == other)
