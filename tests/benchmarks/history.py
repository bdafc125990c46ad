"""
What a report over a large history costs: `scripts/bench --history`.

10 series of 10,000 tests with 200 runs each in a folder: 20,000,000 results. The
bundles of one more run are reported on as `telltale report --dry-run` does it:
of all series, and of one. Each report is a process of its own.
"""

from __future__ import annotations

import json
import math
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from telltale.records import Record

ROOT = Path(__file__).parents[2]
_FLAKY = 20
"""Tests of a series that fail now and then, with one cause each."""
_FLAKES = 0.05
"""How often each of them does."""
_NOISE = [math.exp(0.1 * (n - 16) / 8) for n in range(33)]
_PROGRAM = "import sys; from telltale.cli import main; sys.exit(main(sys.argv[1:]))"
_EVENT = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_EVENT_NAME": "pull_request",
    "GITHUB_REPOSITORY": "octo/shop",
    "GITHUB_RUN_ID": "100000",
    "GITHUB_RUN_ATTEMPT": "1",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much there is."""

    series: int = 10
    runs: int = 200
    """Of each series; half of them of the default branch."""
    tests: int = 10_000
    """Of a run."""
    times: int = 3
    """How often each report is made."""

    @property
    def results(self) -> int:
        """Of all runs."""
        return self.series * self.runs * self.tests


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What a process took."""

    cpu_s: float
    wall_s: float
    peak_mib: float


def measure(folder: Path, size: Size) -> str:
    """Write the history, report over it, and return the figures as Markdown."""
    for number in range(size.series):
        _run(
            [
                *(sys.executable, "-m", "tests.benchmarks.history", str(folder)),
                *map(str, (number, size.runs, size.tests)),
            ],
            ROOT,
        )
    bytes_ = sum(path.stat().st_size for path in (folder / "history").rglob("*.gz"))
    lines = [
        (
            f"{size.results:,} results: {size.series} series of {size.runs} runs of {size.tests:,}"
            f" tests, {bytes_ / 1e6:.0f} MB. Median of {size.times}."
        ),
        "",
        "| report on a run of | results looked at | CPU | elapsed | peak RSS |",
        "|---|--:|--:|--:|--:|",
    ]
    for series in dict.fromkeys((1, size.series)):
        taken = [_report(folder, series) for _ in range(size.times)]
        lines.append(
            f"| {series} series | {series * size.runs * size.tests:,}"
            f" | {statistics.median(one.cpu_s for one in taken):.1f} s"
            f" | {statistics.median(one.wall_s for one in taken):.1f} s"
            f" | {max(one.peak_mib for one in taken):.0f} MiB |"
        )
    return "\n".join(lines) + "\n"


def _report(folder: Path, series: int) -> Taken:
    head = {"sha": "f" * 40, "ref": "topic", "repo": {"full_name": "octo/shop"}}
    event = {"pull_request": {"number": 1000, "base": {"ref": "main"}, "head": head}}
    (folder / "event.json").write_text(json.dumps(event), encoding="utf-8")
    heads = [str(folder / "heads" / str(number)) for number in range(series)]
    argv = ["report", "--dry-run", "--history", str(folder / "history")]
    taken, said = _run(
        [sys.executable, "-c", _PROGRAM, *argv, "--out", str(folder / "out"), *heads], folder
    )
    comment = (folder / "out/comment.md").read_text(encoding="utf-8")
    if "newest" not in comment:
        raise RuntimeError(f"the report was not made from the history: {said}")
    return taken


def _run(argv: list[str], cwd: Path) -> tuple[Taken, str]:
    environ = {
        # A pull request's, whoever measures.
        **{name: value for name, value in os.environ.items() if not name.startswith("GITHUB_")},
        **_EVENT,
        "GITHUB_EVENT_PATH": str(cwd / "event.json"),
        "PYTHONPATH": os.pathsep.join([str(ROOT / "bot"), str(ROOT)]),
    }
    before = time.monotonic()
    with subprocess.Popen(argv, env=environ, cwd=cwd, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{argv}: exit status {process.returncode}: {said}")
    taken = Taken(
        cpu_s=used.ru_utime + used.ru_stime,
        wall_s=time.monotonic() - before,
        peak_mib=used.ru_maxrss / 1024,
    )
    return taken, said


# What is reported on: written by processes of their own, since it imports the program


def write(folder: Path, number: int, runs: int, tests: int) -> None:
    """Write the history of a series, and a bundle of one more run. Equal sizes give equal ones."""
    from telltale.history.archive import Archive  # noqa: PLC0415
    from telltale.history.folder import FolderStore  # noqa: PLC0415
    from telltale.history.record import make_record  # noqa: PLC0415
    from telltale.records import Origin  # noqa: PLC0415

    chance = random.Random(number)  # noqa: S311
    suite = _Suite.drawn(chance, tests)
    bundle = folder / "heads" / str(number)
    _write_head(bundle, number, 99_999, suite)
    template = make_record(bundle, Origin())
    archive = Archive(FolderStore(folder / "history"))
    for first in range(0, runs, 20):
        some = range(first, min(first + 20, runs))
        archive.add([_record(template, number, run, suite) for run in some])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Suite:
    chance: random.Random
    nodeids: Sequence[str]
    usual_s: Sequence[float]
    flaky: Sequence[int]

    @classmethod
    def drawn(cls, chance: random.Random, tests: int) -> _Suite:
        return cls(
            chance=chance,
            nodeids=[
                f"tests/unit/shop/test_module_{n // 25}.py::TestClass{n // 5}"
                f"::test_{chance.choice(['reads', 'writes', 'parses'])}_number_{n % 97}[size-{n}]"
                for n in range(tests)
            ],
            usual_s=[chance.lognormvariate(-3.5, 1.2) for _ in range(tests)],
            flaky=chance.sample(range(tests), min(_FLAKY, tests)),
        )

    def durations_s(self) -> list[float]:
        """Return how long each test took in one more run, to three digits as in a record."""
        factors = self.chance.choices(_NOISE, k=len(self.usual_s))
        return [
            float(f"{usual_s * factor:.3g}")
            for usual_s, factor in zip(self.usual_s, factors, strict=True)
        ]

    def failing(self) -> list[int]:
        """Return which tests failed in one more run."""
        return sorted(n for n in self.flaky if self.chance.random() < _FLAKES)


def _write_head(folder: Path, number: int, run: int, suite: _Suite) -> None:
    from tests.benchmarks.ingestion_bundles import write_manifest  # noqa: PLC0415

    failing = {suite.flaky[0], *suite.failing()}
    (folder / "artifacts").mkdir(parents=True)
    with (folder / "artifacts/tests.jsonl").open("w", encoding="utf-8") as file:
        for n, wall_s in enumerate(suite.durations_s()):
            line = {
                "phase": "total",
                "nodeid": suite.nodeids[n],
                "outcome": "failed" if n in failing else "passed",
                "wall_s": wall_s,
                "cpu_s": 0.8 * wall_s,
                "text": _text(n) if n in failing else "",
            }
            file.write(json.dumps(line) + "\n")
    write_manifest(folder, run, number)


def _record(template: Record, number: int, run: int, suite: _Suite) -> Record:
    """Return an earlier run of what the template is of: every other one of a pull request."""
    from telltale.flaky.signature import name_failure  # noqa: PLC0415
    from telltale.model import Failure, Outcome  # noqa: PLC0415
    from telltale.recorded import RecordedTests  # noqa: PLC0415
    from telltale.records import Origin  # noqa: PLC0415

    pull = run if run % 2 else None
    failures = []
    letters = ["p"] * len(suite.nodeids)
    for n in suite.failing():
        letters[n] = "f"
        nodeid, text = suite.nodeids[n], _text(n)
        named = name_failure(test=nodeid, text=text)
        failures.append(
            Failure(
                nodeid=nodeid, kind=named.kind, signature=named.signature, message=text, text=text
            )
        )
    durations_s = suite.durations_s()
    place = {nodeid: n for n, nodeid in enumerate(suite.nodeids)} if failures else {}
    return replace(
        template,
        id=f"{number:016x}{run:016x}",
        origin=Origin(
            repository="octo/shop",
            # Two runs of each commit of the default branch: that shows that a test is flaky.
            sha=f"{run if pull else run - run % 4:040x}",
            branch=f"topic-{run}" if pull else "main",
            event="pull_request" if pull else "push",
            run_id=run + 1,
            pull_request=pull,
            default_branch=pull is None,
        ),
        started_at=f"2025-{1 + run // 28:02d}-{1 + run % 28:02d}T10:00:00Z",
        outcome=Outcome.FAILED if failures else Outcome.PASSED,
        exit_code=int(bool(failures)),
        resources=replace(template.resources, user_s=50.0 * suite.chance.lognormvariate(0, 0.02)),
        tests=RecordedTests(
            nodeids=suite.nodeids,
            letters="".join(letters),
            durations_s=durations_s,
            signatures={place[one.nodeid]: one.signature for one in failures},
            cpu_s=[0.8 * each for each in durations_s],
        ),
        failures=tuple(failures),
    )


def _text(n: int) -> str:
    return f"AssertionError: part {'abcdefghijklmnopqrstuvwxyz'[n % 26]} of the cart is missing"


if __name__ == "__main__":
    write(Path(sys.argv[1]), *map(int, sys.argv[2:]))
