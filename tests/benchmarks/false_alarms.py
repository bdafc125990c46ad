"""
How often the rules of `telltale compare` cry wolf, and what they miss: a simulation.

    scripts/bench --false-alarms
    PYTHONPATH=bot python -m tests.benchmarks.false_alarms [SUITES] [RUNS]

No test: it prints the tables that docs/comparison.md quotes.

Whole runs: CPU time varies from run to run by some percent, and from runner
to runner where there are several of one kind. The third kind of place is a
machine that does much besides: 10 % is what was measured on one.

Single tests: 2,000 of them, the usual CPU time lognormal around 30 ms, own
noise 2, 5 or 12 %, on five runners that differ by 10 %, with 4 % of drift and
2 ms of jitter. 5 % of executions are hit by a slowdown with a heavy tail
(Pareto, shape 2), which adds some 4 ms ("calm") or multiplies the figure
("busy"). In a slowed run 10 tests of 50 ms or more take longer. A suspect is
measured again five times with and without the change, with the same noise, on
one runner.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from telltale.compare.confirmed import settle
from telltale.compare.confirming import ROUNDS, confirm
from telltale.compare.judge import METRICS, judge
from telltale.compare.suspects import suspects
from telltale.model import BundleKind, Command, Host, Outcome, Resources, TestOutcome, Verdict
from telltale.records import Judgement, Origin, Record, RecordedTest, Series

TESTS = 2_000
SLOWED = 10
CLEAN_RUNS = 5
"""Of each suite: false alarms are rare."""
RUNNERS = 5
EFFECTS = (1.2, 1.5, 2.0)
BASELINES = (5, 10, 20)
PLACES: Mapping[str, tuple[float, float]] = {
    "one quiet machine": (0.0, 0.04),
    "five runners": (0.1, 0.04),
    "one busy machine": (0.0, 0.10),
}
"""By name: how much runners differ (half the width), how much runs do (deviation)."""

Measure = Callable[[str, bool], float]
"""Measures a test again: its name, and whether with the change."""


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
    """Tests, each with its usual figure and its own noise, and the machines they run on."""

    tests: Mapping[str, tuple[float, float]]
    machines: tuple[float, ...]
    busy: bool

    def run(
        self, chance: random.Random, slowed: frozenset[str] = frozenset(), effect: float = 1.0
    ) -> Record:
        """Return a run in which the `slowed` tests take `effect` times as long."""
        machine = self.machine(chance)
        return make_record(
            {
                name: self.figure(chance, name, machine * (effect if name in slowed else 1.0))
                for name in self.tests
            }
        )

    def machine(self, chance: random.Random) -> float:
        """Return how slow the machine of a run is."""
        return chance.choice(self.machines) * chance.lognormvariate(0, 0.04)

    def figure(self, chance: random.Random, name: str, factor: float) -> float:
        """Return one execution's figure, in seconds."""
        usual_s, noise = self.tests[name]
        took_s = usual_s * factor * chance.lognormvariate(0, noise) + abs(chance.gauss(0, 0.002))
        if chance.random() < 0.05:
            hit = chance.paretovariate(2)
            took_s = took_s * hit if self.busy else took_s + 0.004 * hit
        return took_s

    def again(self, chance: random.Random, effect: float) -> Measure:
        """Return how tests are measured again, on one machine."""
        machine = self.machine(chance)
        return lambda name, changed: self.figure(
            chance, name, machine * (effect if changed else 1.0)
        )


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


def confirmed(found: tuple[Judgement, ...], measure: Measure) -> frozenset[str]:
    """Measure suspects again, base and head in turn; return those that are regressions then."""
    confirmations = []
    for one in found:
        pairs = [(measure(one.nodeid, False), measure(one.nodeid, True)) for _ in range(ROUNDS)]
        base, head = zip(*pairs, strict=True)
        confirmations.append(confirm(one.metric, one.nodeid, "s", base, head))
    settled = settle(found, confirmations)
    return frozenset(one.nodeid for one in settled if one.verdict is Verdict.REGRESSION)


@dataclass(slots=True, kw_only=True)
class Tally:
    """What became of the runs of one kind of place."""

    suspected: int = 0
    alarms: int = 0
    screened: dict[float, int]
    found: dict[float, int]


def single_tests(suites: int) -> None:
    """Print what screening and confirmation say of clean and of slowed runs."""
    print("| 2,000 tests | n | suspects of a clean run | false alarms of it |", end="")  # noqa: T201
    print(" +20 % | +50 % | x2 |")  # noqa: T201
    print("|---|--:|--:|--:|--:|--:|--:|")  # noqa: T201
    for busy in (False, True):
        for n in BASELINES:
            tally = _simulate(suites, n, busy=busy)
            clean = CLEAN_RUNS * suites
            shares = [
                f"{tally.screened[one] / (SLOWED * suites):.0%},"
                f" {tally.found[one] / (SLOWED * suites):.0%}"
                for one in EFFECTS
            ]
            place = "busy" if busy else "calm"
            cells = [place, str(n), f"{tally.suspected / clean:.1f}", f"{tally.alarms / clean:.3f}"]
            print(f"| {' | '.join([*cells, *shares])} |", flush=True)  # noqa: T201


def _simulate(suites: int, n: int, *, busy: bool) -> Tally:
    chance = random.Random(n)  # noqa: S311
    tally = Tally(screened=dict.fromkeys(EFFECTS, 0), found=dict.fromkeys(EFFECTS, 0))
    for _ in range(suites):
        suite = make_suite(chance, busy=busy)
        earlier = [suite.run(chance) for _ in range(n)]
        for _ in range(CLEAN_RUNS):
            found = suspects(suite.run(chance), earlier).judgements
            tally.suspected += len(found)
            tally.alarms += len(confirmed(found, suite.again(chance, 1.0)))
        long = [name for name, (usual_s, _) in suite.tests.items() if usual_s >= 0.05]
        slowed = frozenset(chance.sample(long, SLOWED))
        for effect in EFFECTS:
            found = suspects(suite.run(chance, slowed, effect), earlier).judgements
            right = tuple(one for one in found if one.nodeid in slowed)
            tally.screened[effect] += len(right)
            tally.found[effect] += len(confirmed(right, suite.again(chance, effect)))
    return tally


def make_record(cpu_s: Mapping[str, float]) -> Record:
    """Return a run of passed tests with these CPU times; their durations are too short to tell."""
    test = RecordedTest(nodeid="", outcome=TestOutcome.PASSED, duration_s=0.0)
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
        tests=tuple(replace(test, nodeid=name, cpu_s=value) for name, value in cpu_s.items()),
        failures=(),
    )


def main() -> None:
    """Print both tables."""
    whole_runs(int(sys.argv[2]) if len(sys.argv) > 2 else 20_000)
    print()  # noqa: T201
    single_tests(int(sys.argv[1]) if len(sys.argv) > 1 else 40)


if __name__ == "__main__":
    main()
