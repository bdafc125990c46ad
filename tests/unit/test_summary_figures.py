"""Every number of summary.md, worked out again from the files beside it."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import ROOT, assert_valid_bundle

SUITE = """
import time
import pytest

KEPT = []

def test_busy():
    end = time.process_time() + 0.2
    while time.process_time() < end:
        pass

def test_large():
    KEPT.append(b"x" * (150 << 20))

@pytest.fixture
def slow():
    time.sleep(0.05)
    yield
    time.sleep(0.05)

def test_around(slow): pass
def test_fails(): assert 41 == 42
def test_errs(nothing): pass
@pytest.mark.skip
def test_skipped(): pass
@pytest.mark.parametrize("n", range(12))
def test_many(n): time.sleep(0.001 * n)
"""

UNITS = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
SECTIONS = (
    "the headline",
    "Figures",
    "Findings",
    "Failures",
    "Slowest tests",
    "Profiles",
    "Where it ran",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle of a real run."""
    project = tmp_path_factory.mktemp("project")
    (project / "pytest.ini").touch()
    (project / "test_it.py").write_text(SUITE, encoding="ascii")
    command = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--junitxml=junit.xml")
    done = subprocess.run(
        [sys.executable, "-IS", str(ROOT / "bot/run.py"), "profile-tests", "--", *command],
        cwd=project,
        env={key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 1, done.stderr
    (found,) = (project / "telltale-evidence/tests").iterdir()
    assert_valid_bundle(found)
    return found


@pytest.fixture(scope="module")
def parts(folder: Path) -> dict[str, list[str]]:
    """The summary's lines under each heading."""
    found: dict[str, list[str]] = defaultdict(list)
    heading, fenced = "the headline", False
    for line in (folder / "analysis/summary.md").read_text(encoding="ascii").splitlines():
        fenced ^= line.startswith("```")
        if line.startswith("## ") and not fenced:
            heading = line[3:]
        found[heading].append(line)
    return found


def manifest(folder: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((folder / "evidence.json").read_text("utf-8"))
    return document


def lines_of(folder: Path) -> list[dict[str, Any]]:
    text = (folder / "artifacts/tests.jsonl").read_text("utf-8")
    return [json.loads(line) for line in text.splitlines()]


def totals(folder: Path) -> list[dict[str, Any]]:
    return [line for line in lines_of(folder) if line["phase"] == "total"]


def times(folder: Path) -> dict[str, str]:
    text = (folder / "artifacts/time.txt").read_text("ascii")
    return dict(line.strip().rpartition(": ")[::2] for line in text.splitlines())


def table(lines: list[str]) -> Iterator[list[str]]:
    for line in lines:
        if line.startswith("| ") and not line.startswith("| ---"):
            yield [cell.strip() for cell in line.strip("|").split(" | ")]


def seconds(text: str) -> float:
    """Read a duration as people read it."""
    if match := re.fullmatch(r"(\d+) min (\d\d) s", text):
        return int(match[1]) * 60 + int(match[2])
    assert re.fullmatch(r"[\d.]+ s", text), text
    return float(text.removesuffix(" s"))


def size(text: str) -> float:
    number, unit = text.split()
    return float(number) * UNITS[unit]


def shown(text: str) -> float:
    """Return half of the last digit that is shown: how far from the truth it may be."""
    number = text.split(maxsplit=1)[0]
    digits = len(number.partition(".")[2])
    return float(0.5001 * 10**-digits)


def same_time(text: str, expected: float) -> bool:
    return abs(seconds(text) - expected) <= shown(text)


def same_size(text: str, expected: float) -> bool:
    return abs(size(text) - expected) <= shown(text) * UNITS[text.split()[1]]


def test_the_figures_of_the_run(folder: Path, parts: dict[str, list[str]]) -> None:
    rows = dict(row for row in table(parts["Figures"]) if len(row) == 2)
    assert rows.pop("Figure") == "Value"
    said = times(folder)

    assert rows.pop("Exit code") == (folder / "artifacts/exit_code.txt").read_text().strip()
    minutes, _, rest = said["Elapsed (wall clock) time (h:mm:ss or m:ss)"].partition(":")
    wall_s = int(minutes) * 60 + float(rest)
    assert abs(seconds(rows.pop("Wall time")) - wall_s) <= 0.06
    user, system = rows.pop("CPU time").removesuffix(" system").split(" user, ")
    assert abs(seconds(user) - float(said["User time (seconds)"])) <= 0.06
    assert abs(seconds(system) - float(said["System time (seconds)"])) <= 0.06
    percent = rows.pop("CPU").removesuffix(" %")
    assert f"{round(float(percent))}%" == said["Percent of CPU this job got"]
    largest = int(said["Maximum resident set size (kbytes)"]) * 1024
    assert same_size(rows.pop("Peak memory, largest process"), largest)
    with (folder / "artifacts/samples.csv").open(encoding="ascii") as file:
        tree = max(int(row["rss_bytes"] or 0) for row in csv.DictReader(file))
    assert same_size(rows.pop("Peak memory, all processes"), max(tree, largest))
    total, _, each = rows.pop("Tests").partition(": ")
    counted = Counter(line["outcome"] for line in totals(folder))
    counted["errors"] = counted.pop("error")
    assert int(total) == sum(counted.values()) == 18
    told = {word: int(number) for number, word in (one.split() for one in each.split(", "))}
    assert told == counted
    assert rows == {}, "a figure that this test does not work out again"


def test_the_slowest_tests(folder: Path, parts: dict[str, list[str]]) -> None:
    head, *rows = table(parts["Slowest tests"])
    phases: dict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
    for line in lines_of(folder):
        if line["phase"] in {"setup", "call", "teardown"}:
            phases[line["nodeid"]][line["phase"]] = line
        elif line["phase"] == "passed":
            first, *others = zip(("setup", "call", "teardown"), line["walls_s"], strict=True)
            phases[line["nodeid"]] = {
                first[0]: {**line, "wall_s": first[1]},
                **{phase: {"wall_s": wall_s} for phase, wall_s in others},
            }
    slowest = sorted(totals(folder), key=lambda line: -line["wall_s"])[:10]

    assert len(rows) == 10
    for row, line in zip(rows, slowest, strict=True):
        told = dict(zip(head, row, strict=True))
        assert told.pop("Test") == f"`{line['nodeid']}`"
        assert told.pop("Outcome") == line["outcome"]
        assert same_time(told.pop("Wall time"), line["wall_s"])
        if line["source"] == "probe":
            of_it = phases[line["nodeid"]]
            names = {"Set-up": "setup", "Call": "call", "Tear-down": "teardown"}
            for title, phase in names.items():
                wall_s = of_it.get(phase, {}).get("wall_s", 0.0)
                assert same_time(told.pop(title), wall_s), (line["nodeid"], title)
            cpu_s = sum(each.get("cpu_s", 0.0) for each in of_it.values())
            assert same_time(told.pop("CPU time"), cpu_s)
            grew = sum(each.get("rss_peak_change_bytes", 0) for each in of_it.values())
            assert same_size(told.pop("Peak memory grew by"), grew)
        assert told == {}, "a column that this test does not work out again"


def test_the_failures(folder: Path, parts: dict[str, list[str]]) -> None:
    bad = [line for line in totals(folder) if line["outcome"] in {"failed", "error"}]
    (heading,) = [name for name in parts if name.startswith("Failures")]

    assert heading == f"Failures ({len(bad)})"
    named = [line for line in parts[heading] if line.startswith("### ")]
    assert named == [f"### `{line['nodeid']}`" for line in bad]
    signatures = re.findall(r"signature `(\S+)`", "\n".join(parts[heading]))
    assert signatures == [each["signature"] for each in manifest(folder)["failures"]]
    assert "assert 41 == 42" in "\n".join(parts[heading])


def test_the_picture_of_the_resources(folder: Path, parts: dict[str, list[str]]) -> None:
    with (folder / "artifacts/samples.csv").open(encoding="ascii") as file:
        rows = list(csv.DictReader(file))
    picture = "\n".join(parts["Profiles"])
    (memory,) = re.findall(r"^memory .* @ = (.*)$", picture, re.MULTILINE)
    (until,) = re.findall(r"^ +0 s +(.*)$", picture, re.MULTILINE)

    assert same_size(memory, max(int(row["rss_bytes"] or 0) for row in rows))
    assert same_time(until, float(rows[-1]["elapsed_s"]))


def test_where_it_ran(folder: Path, parts: dict[str, list[str]]) -> None:
    document = manifest(folder)
    told = dict(
        line.removeprefix("- ").replace("\\", "").split(": ", 1)
        for line in parts["Where it ran"]
        if line.startswith("- ")
    )
    assert told.pop("Host fingerprint") == f"`{document['host']['fingerprint']}`"
    assert told.pop("Started") == document["started_at"]
    assert told == document["host"]["parts"]


def test_there_is_no_other_part(parts: dict[str, list[str]]) -> None:
    """A new part comes with a test of its own numbers."""
    assert {name.partition(" (")[0] for name in parts} <= set(SECTIONS)


def test_findings_are_the_manifests(folder: Path, parts: dict[str, list[str]]) -> None:
    told = [line for line in parts.get("Findings", []) if line.startswith("- ")]
    findings = manifest(folder)["findings"]
    assert [re.sub(r"\\(.)", r"\1", line.removeprefix("- ")) for line in told] == findings
