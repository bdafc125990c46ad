"""The benchmark runs and makes its tables; how long anything takes is not looked at."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks.measure import Command, Pairs, cpu_s, interval, pairs

ROOT = Path(__file__).parents[2]


def command(tmp_path: Path, text: str) -> Command:
    return Command(argv=("/bin/sh", "-c", text), cwd=tmp_path, env={"PATH": "/usr/bin:/bin"})


def test_the_smallest_benchmark_makes_the_table() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks", "--smoke"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )

    rows = [line.split(" | ") for line in done.stdout.splitlines() if line.startswith("| ")]
    assert rows[0][0] == "| suite"
    suites = ["| 5 empty tests", "| 1 slow tests", "| 100 empty tests"]
    assert [row[0] for row in rows[1:] if row[3] == "Telltale"] == suites
    assert all(float(row[4]) > 0 and row[6] == "1 |" for row in rows[1:])


def test_the_smallest_benchmark_of_ingestion_reads_the_same_with_each_reader() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks", "--smoke", "--ingestion"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )

    rows = [line.split(" | ") for line in done.stdout.splitlines() if line.startswith("| ")]
    assert "40 test cases of 2 runs in 20 files" in done.stdout
    assert [row[0] for row in rows[1:]] == [
        "| expat alone",
        "| junitparser alone",
        "| Telltale, into a history",
    ]


def test_the_smallest_benchmark_of_a_history_reports_on_one_series_and_on_all() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks", "--smoke", "--history"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )

    rows = [line.split(" | ") for line in done.stdout.splitlines() if line.startswith("| ")]
    assert "720 results: 2 series of 12 runs of 30 tests" in done.stdout
    assert [row[:2] for row in rows[1:]] == [["| 1 series", "360"], ["| 2 series", "720"]]


def test_the_smallest_simulation_of_drift_finds_the_clearest_step() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks", "--smoke", "--drift"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )

    rows = [line.split(" | ") for line in done.stdout.splitlines() if line.startswith("| ")]
    (quiet,) = [row for row in rows if row[0].startswith("| one quiet") and len(row) == 7]
    assert quiet[1] == "0.000"
    assert quiet[4].startswith("100 %")
    assert "100 tests, CPU time and duration of each, in 200 runs" in done.stdout


def test_pairs_change_places(tmp_path: Path) -> None:
    bare, other = command(tmp_path, "echo bare >>log"), command(tmp_path, "echo other >>log")

    found = pairs(bare, other, 3, after=lambda: None, limit_s=60)

    order = (tmp_path / "log").read_text(encoding="ascii").split()
    assert order == ["bare", "other", "other", "bare", "bare", "other"]
    assert (len(found.bare), len(found.other), found.ended) == (3, 3, True)


def test_who_takes_too_long_is_killed_and_said(tmp_path: Path) -> None:
    endless = command(tmp_path, "while :; do :; done")

    found = pairs(command(tmp_path, ":"), endless, 3, after=lambda: None, limit_s=0.5)

    assert not found.ended
    assert len(found.ratios) == 1


def test_a_failing_command_is_no_benchmark(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="exit status 3 in"):
        cpu_s(command(tmp_path, "exit 3"))


def test_ratios_are_those_of_the_pairs() -> None:
    found = Pairs(bare=(1.0, 2.0, 4.0), other=(1.5, 2.0, 5.0), ended=True)

    assert found.ratios == (1.5, 1.0, 1.25)
    assert found.extra_s == pytest.approx(0.5)
    assert interval(found.ratios) == (1.0, 1.5)
    low, high = interval([1.0] * 20 + [9.0])
    assert (low, high) == (1.0, 1.0)


def test_pairs_that_scatter_are_told() -> None:
    assert Pairs(bare=(1.0,) * 4, other=(1.0, 1.1, 1.6, 2.0), ended=True).scatters
    assert not Pairs(bare=(1.0,) * 4, other=(1.1, 1.12, 1.1, 1.11), ended=True).scatters


def test_the_smallest_simulation_of_false_alarms_makes_both_tables() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks", "--smoke", "--false-alarms"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )

    rows = [line.split(" | ") for line in done.stdout.splitlines() if line.startswith("| ")]
    assert [row[0] for row in rows] == [
        "| runs of 100 s CPU",
        *["| one quiet machine"] * 3,
        *["| five runners"] * 3,
        *["| one busy machine"] * 3,
        "| 2,000 tests",
        *["| calm"] * 3,
        *["| busy"] * 3,
    ]
