"""
How often the rule of `telltale compare` cries wolf, and what it misses: a simulation.

    PYTHONPATH=bot python -m tests.benchmarks.false_alarms [SUITES] [RUNS]

No test: it prints the two tables that docs/comparison.md quotes.

Whole runs: CPU time varies from run to run by some percent, and from runner
to runner where there are several of one kind. The third kind of place is a
machine that does much besides: 10 % is what was measured on one.

Single tests: 2,000 of them, the usual duration lognormal around 30 ms, own
noise 2, 5 or 12 %, on five runners that differ by 10 %, with 4 % of drift and
2 ms of jitter. 5 % of executions are hit by a slowdown with a heavy tail
(Pareto, shape 2), which adds some 4 ms ("calm") or multiplies the duration
("busy"). In a slowed run 40 tests of 50 ms or more take longer.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from telltale.compare.durations import MAX_SUSPECTS, suspects
from telltale.compare.judge import METRICS, judge
from telltale.model import BundleKind, Command, Host, Outcome, Resources, TestOutcome, Verdict
from telltale.records import Origin, Record, RecordedTest, Series

TESTS = 2_000
SLOWED = 40
RUNNERS = 5
EFFECTS = (1.2, 1.5, 2.0)
BASELINES = (5, 10, 20)
PLACES: Mapping[str, tuple[float, float]] = {
    "one quiet machine": (0.0, 0.04),
    "five runners": (0.1, 0.04),
    "one busy machine": (0.0, 0.10),
}
"""By name: how much runners differ (half the width), how much runs do (deviation)."""


def whole_runs(runs: int) -> None:
    """Print how often the CPU time of a clean run is called a regression, and a slowed one's."""
    print("| runs of 100 s CPU | n | false alarms | +20 % | +50 % | x2 |")  # noqa: T201
    print("|---|--:|--:|--:|--:|--:|")  # noqa: T201
    for place, (width, drift) in PLACES.items():
        for n in BASELINES:
            chance = random.Random(n)  # noqa: S311
            found = dict.fromkeys((1.0, *EFFECTS), 0)
            for _ in range(runs):
                machines = [chance.uniform(1 - width, 1 + width) for _ in range(RUNNERS)]
                *earlier, now = (
                    100 * chance.choice(machines) * chance.lognormvariate(0, drift)
                    for _ in range(n + 1)
                )
                for effect in found:
                    verdict = judge(METRICS[0], now * effect, earlier).verdict
                    found[effect] += verdict is Verdict.REGRESSION
            shares = [f"{found[1.0] / runs:.2%}", *(f"{found[one] / runs:.0%}" for one in EFFECTS)]
            print(f"| {place} | {n} | {' | '.join(shares)} |")  # noqa: T201


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """Tests, each with its usual duration and its own noise, and the machines they run on."""

    tests: Mapping[str, tuple[float, float]]
    machines: tuple[float, ...]
    busy: bool

    def run(
        self, chance: random.Random, slowed: frozenset[str] = frozenset(), effect: float = 1.0
    ) -> Record:
        """Return a run in which the `slowed` tests take `effect` times as long."""
        machine = chance.choice(self.machines) * chance.lognormvariate(0, 0.04)
        tests = []
        for name, (usual_s, noise) in self.tests.items():
            duration_s = usual_s * machine * chance.lognormvariate(0, noise)
            duration_s *= effect if name in slowed else 1.0
            duration_s += abs(chance.gauss(0, 0.002))
            if chance.random() < 0.05:
                hit = chance.paretovariate(2)
                duration_s = duration_s * hit if self.busy else duration_s + 0.004 * hit
            tests.append(_passed(name, duration_s))
        return _record(tuple(tests))


def make_suite(chance: random.Random, *, busy: bool) -> Suite:
    """Draw a suite and its machines."""
    return Suite(
        tests={
            f"tests/test_{index // 20}.py::test_{index}": (
                chance.lognormvariate(-3.5, 1.2),
                chance.choice((0.02, 0.05, 0.12)),
            )
            for index in range(TESTS)
        },
        machines=tuple(chance.uniform(0.9, 1.1) for _ in range(RUNNERS)),
        busy=busy,
    )


def single_tests(suites: int) -> None:
    """Print how many tests of a clean run are suspects, and how many of the slowed ones."""
    print("| 2,000 tests | n | suspects of a clean run |", end="")  # noqa: T201
    print(" +20 % | +50 % | x2 | right among those listed at x2 |")  # noqa: T201
    print("|---|--:|--:|--:|--:|--:|--:|")  # noqa: T201
    for busy in (False, True):
        for n in BASELINES:
            chance = random.Random(n)  # noqa: S311
            clean = 0
            listed = dict.fromkeys(EFFECTS, 0)
            right = dict.fromkeys(EFFECTS, 0)
            for _ in range(suites):
                suite = make_suite(chance, busy=busy)
                earlier = [suite.run(chance) for _ in range(n)]
                clean += len(suspects(suite.run(chance), earlier))
                long = [name for name, (usual_s, _) in suite.tests.items() if usual_s >= 0.05]
                slowed = frozenset(chance.sample(long, SLOWED))
                for effect in EFFECTS:
                    found = suspects(suite.run(chance, slowed, effect), earlier)
                    listed[effect] += len(found)
                    right[effect] += sum(one.nodeid in slowed for one in found)
            shares = [f"{right[one] / suites:.1f} of {MAX_SUSPECTS}" for one in EFFECTS]
            precise = f"{right[2.0] / max(1, listed[2.0]):.0%}"
            place = "busy" if busy else "calm"
            cells = [place, str(n), f"{clean / suites:.1f}", *shares, precise]
            print(f"| {' | '.join(cells)} |")  # noqa: T201


def _passed(name: str, duration_s: float) -> RecordedTest:
    return RecordedTest(nodeid=name, outcome=TestOutcome.PASSED, duration_s=duration_s)


def _record(tests: tuple[RecordedTest, ...]) -> Record:
    return Record(
        id="",
        series=Series(kind=BundleKind.TESTS, job="unit", name="tests"),
        origin=Origin(),
        started_at="2026-11-22T10:15:16Z",
        outcome=Outcome.PASSED,
        exit_code=0,
        dirty=False,
        host=Host(fingerprint=""),
        command=Command(argv=("pytest",), cwd="."),
        resources=Resources(),
        tests=tests,
        failures=(),
    )


def main() -> None:
    """Print both tables."""
    whole_runs(int(sys.argv[2]) if len(sys.argv) > 2 else 20_000)
    single_tests(int(sys.argv[1]) if len(sys.argv) > 1 else 40)


if __name__ == "__main__":
    main()
