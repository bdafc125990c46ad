"""What Telltale costs: `scripts/bench`."""

from __future__ import annotations

import argparse
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks import history, ingestion, parts, suites
from tests.benchmarks.ingestion import Size
from tests.benchmarks.measure import Pairs, interval, pairs
from tests.benchmarks.suites import ROOT, Suite
from tests.benchmarks.tools import Bench, environ

PAGE = ROOT / "docs/benchmarks.md"
DRIFT_PAGE = ROOT / "docs/drift.md"
BEGIN, END = "<!-- scripts/bench --write -->\n", "<!-- end -->"
_HEAVY = "pytest-monitor"
_FEW = 100
"""Tests of the small empty suite: fixed cost and cost of a test are told apart by it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much is measured."""

    command: str
    """What to type to measure the same again."""
    empty: int = 2_000
    slow: int = 20
    ours: int = 15
    """Pairs with Telltale."""
    others: int = 5
    """Pairs with each of the others."""
    limit_s: float = 60.0
    """Of one run; a tool that takes longer is killed and said to take more."""
    downloads: bool = True
    """Whether networkx and the other tools are fetched and measured."""
    parts: bool = True


FULL = Plan(command="scripts/bench")
QUICK = Plan(command="scripts/bench --quick", ours=4, others=1, limit_s=20.0)
SMOKE = Plan(
    command="scripts/bench --smoke", empty=5, slow=1, ours=1, others=1, downloads=False, parts=False
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One tool on one suite."""

    suite: Suite
    tool: str
    pairs: Pairs


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print the tables; with --write put them into docs/benchmarks.md."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_const", const=QUICK, dest="plan", default=FULL)
    size.add_argument("--smoke", action="store_const", const=SMOKE, dest="plan", help="seconds")
    parser.add_argument("--write", action="store_true", help=f"write the tables into {PAGE.name}")
    parser.add_argument("--ingestion", action="store_true", help="of reading JUnit, alone")
    parser.add_argument("--history", action="store_true", help="of a large history; some minutes")
    parser.add_argument(
        "--false-alarms",
        action="store_true",
        help="of comparison: simulated, then real; half an hour",
    )
    parser.add_argument("--drift", action="store_true", help="of changes of level, simulated")
    args = parser.parse_args(argv)
    if args.drift:
        text = measure_drift(args.plan)
        say(f"\n{text}", end="")
        if args.write:
            write(BEGIN.replace(" --write", " --drift --write"), text, DRIFT_PAGE)
        return 0
    if args.false_alarms:
        measure_false_alarms(args.plan)
        return 0
    begin = BEGIN
    with tempfile.TemporaryDirectory(prefix="telltale-bench-") as folder:
        if args.ingestion:
            begin = BEGIN.replace(" --write", " --ingestion --write")
            text = measure_ingestion(args.plan, Path(folder))
        elif args.history:
            begin = BEGIN.replace(" --write", " --history --write")
            text = measure_history(args.plan, Path(folder))
        else:
            text = measure(args.plan, Path(folder))
    say(f"\n{text}", end="")
    if args.write:
        write(begin, text)
    return 0


def write(begin: str, text: str, path: Path = PAGE) -> None:
    """Put the figures between two marks of a page."""
    page = path.read_text(encoding="utf-8")
    before, begin, rest = page.partition(begin)
    after = rest.partition(END)[2]
    path.write_text(f"{before}{begin}\n{text}\n{END}{after}", encoding="utf-8")


def measure_false_alarms(plan: Plan) -> None:
    """Print how often comparison cries wolf, and what it misses; docs/comparison.md quotes it."""
    suites_, runs, rounds = {QUICK.command: (4, 2_000, 1), SMOKE.command: (1, 20, 0)}.get(
        plan.command, (40, 20_000, 4)
    )
    for module, *numbers in (("false_alarms", suites_, runs), ("real_runs", rounds)):
        if numbers[0]:
            # Processes of their own: they import the program, which this one does not.
            subprocess.run(
                [sys.executable, "-m", f"tests.benchmarks.{module}", *map(str, numbers)],
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT / "bot")},
                check=True,
            )


def measure_drift(plan: Plan) -> str:
    """Return how often changes of level are told and are true, as Markdown."""
    size = {QUICK.command: (10, 1, 10_000), SMOKE.command: (1, 0, 100)}.get(
        plan.command, (150, 10, 10_000)
    )
    # A process of its own: it imports the program, which this one does not.
    return subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.drift", *map(str, size)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT / "bot")},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout


def measure_ingestion(plan: Plan, folder: Path) -> str:
    """Return what reading JUnit costs, as Markdown."""
    before = os.getloadavg()
    sizes = {QUICK.command: Size(runs=10), SMOKE.command: Size(runs=2, tests=20)}
    size = sizes.get(plan.command, Size())
    return f"{machine(before)}\n\n{ingestion.measure(folder, size)}"


def measure_history(plan: Plan, folder: Path) -> str:
    """Return what a report over a large history costs, as Markdown."""
    before = os.getloadavg()
    sizes = {
        QUICK.command: history.Size(series=2),
        SMOKE.command: history.Size(series=2, runs=12, tests=30, times=1),
    }
    size = sizes.get(plan.command, history.Size())
    return f"{machine(before)}\n\n{history.measure(folder, size)}"


def measure(plan: Plan, folder: Path) -> str:
    """Return the tables and what a reader must know of the machine, as Markdown."""
    before = os.getloadavg()
    bench = make_bench(plan, folder)
    rows = list(measure_suites(plan, bench))
    blocks = [machine(before), table(rows), fit(rows, plan), *doubts(rows)]
    if plan.parts:
        blocks += parts.measure(folder, environ(), quick=plan is QUICK)
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    blocks.append(f"Load average at the end: {load}. Again: `{plan.command}`.")
    return "\n\n".join(filter(None, blocks)) + "\n"


def make_bench(plan: Plan, folder: Path) -> Bench:
    """Make a working folder; fetch what is needed, once."""
    plugins = None
    python = Path(sys.executable)
    if plan.downloads:
        python = suites.environment("requirements") / "bin/python"
        plugins = suites.site_packages(suites.environment("tools"))
    # Not below the checkout: its configuration is none of the measured pytest's.
    (folder / "pytest.ini").write_text("[pytest]\n", encoding="ascii")
    bench = Bench(folder=folder, python=python, plugins=plugins)
    bench.clear()
    return bench


def measure_suites(plan: Plan, bench: Bench) -> Iterator[Row]:
    """Yield what each tool takes on each suite."""
    large = suites.empty(bench.folder, plan.empty)
    small = suites.empty(bench.folder, _FEW)
    measured = [large, suites.slow(bench.folder, plan.slow)]
    if plan.downloads:
        measured[1:1] = suites.networkx(bench.python, environ(), bench.folder)
    for suite in measured:
        yield measure_one(plan, bench, suite, "Telltale")
        for tool, _ in bench.others(suite):
            # Each of its tests starts programs and asks the network: minutes on the others.
            if not tool.startswith(_HEAVY):
                yield measure_one(plan, bench, suite, tool)
    yield measure_one(plan, bench, small, "Telltale")
    for tool, _ in bench.others(small):
        if tool.startswith(_HEAVY):
            yield measure_one(plan, bench, small, tool)


def measure_one(plan: Plan, bench: Bench, suite: Suite, tool: str) -> Row:
    """Measure one tool on one suite."""
    ours = tool == "Telltale"
    other = bench.telltale(suite) if ours else dict(bench.others(suite))[tool]
    found = pairs(
        bench.bare(suite),
        other,
        plan.ours if ours else plan.others,
        after=bench.clear,
        limit_s=plan.limit_s,
    )
    say(f"{suite.name}, {tool}: {statistics.median(found.ratios):.3f}")
    return Row(suite=suite, tool=tool, pairs=found)


def table(rows: Sequence[Row]) -> str:
    """Return the ratios as a table."""
    lines = [
        "| suite | bare CPU | of a test | beside it | CPU ratio | 95 % interval | pairs |",
        "|---|--:|--:|---|--:|--:|--:|",
    ]
    bare: dict[str, list[float]] = {}
    for row in rows:
        bare.setdefault(row.suite.name, []).extend(row.pairs.bare)
    for row in rows:
        base = statistics.median(bare[row.suite.name])
        ratios = row.pairs.ratios
        low, high = interval(ratios)
        more = "" if row.pairs.ended else "> "
        lines.append(
            f"| {row.suite.name} | {base:.2f} s | {1000 * base / row.suite.tests:.1f} ms"
            f" | {row.tool} | {more}{statistics.median(ratios):.2f} | {low:.2f}-{high:.2f}"
            f" | {len(ratios)} |"
        )
    return "\n".join(lines)


def fit(rows: Sequence[Row], plan: Plan) -> str:
    """Say what Telltale takes for a run and what for a test, from the two empty suites."""
    ours = {row.suite.tests: row.pairs.extra_s for row in rows if row.tool == "Telltale"}
    if plan.empty <= _FEW:
        return ""
    each_s = (ours[plan.empty] - ours[_FEW]) / (plan.empty - _FEW)
    return (
        f"Telltale's part, from the two empty suites: {1000 * (ours[_FEW] - _FEW * each_s):.0f} ms"
        f" of CPU for a run and {1e6 * each_s:.0f} us for a test."
    )


def doubts(rows: Sequence[Row]) -> Iterator[str]:
    """Yield a warning for each figure whose pairs scatter."""
    for row in rows:
        if row.pairs.scatters:
            low, high = min(row.pairs.ratios), max(row.pairs.ratios)
            yield (
                f"Warning: the pairs of {row.tool} on {row.suite.name} scatter from {low:.2f} to"
                f" {high:.2f}: the machine was not quiet."
            )


def machine(before: tuple[float, float, float]) -> str:
    """Say where this was measured."""
    cpu = re.search(r"^model name\s*: (.+)$", _read("/proc/cpuinfo"), re.MULTILINE)
    name = cpu[1] if cpu else platform.processor() or platform.machine()
    load = ", ".join(f"{each:.1f}" for each in before)
    return (
        f"{name}, {os.cpu_count()} CPUs, {platform.system()} {platform.release().split('-')[0]},"
        f" Python {platform.python_version()}. Load average at the beginning: {load}."
    )


def say(text: str, end: str = "\n") -> None:
    """Print, at once."""
    sys.stdout.write(text + end)
    sys.stdout.flush()


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


if __name__ == "__main__":
    sys.exit(main())
