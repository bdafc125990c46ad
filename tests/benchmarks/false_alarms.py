"""
How often the rule of `telltale compare` cries wolf, and what it misses: a simulation.

    PYTHONPATH=bot python -m tests.benchmarks.false_alarms [REPETITIONS]

No test: it prints figures, which docs/comparison.md quotes. Simulated is a
suite of 2,000 tests on five runners of one kind:

- a test's usual duration is lognormal around 30 ms, its own noise 2, 5 or 12 %;
- the five runners differ by 10 %, each run drifts by 4 %;
- 5 % of executions are hit by a slowdown with a heavy tail (Pareto, shape 2),
  which multiplies the duration ("busy") or adds some 4 ms to it ("calm");
- 2 ms of jitter are on every execution.

A clean run has no other cause. A slowed run has 40 tests of 50 ms or more
that take 1.2, 1.5 or 2 times as long, or, for the whole-run figures, all of
its work does. Whole-run CPU time is the sum over the tests, without the
slowdowns: waiting is not computing.
"""

from __future__ import annotations

import random
import sys
from dataclasses import dataclass

from telltale.compare import compare
from telltale.model import (
    BundleKind,
    Command,
    Comparison,
    Host,
    Origin,
    Outcome,
    Record,
    RecordedTest,
    Resources,
    Series,
    TestOutcome,
    Verdict,
)

TESTS = 2_000
SLOWED = 40
RUNNERS = 5
EFFECTS = (1.2, 1.5, 2.0)
BASELINES = (5, 10, 20)


@dataclass(frozen=True, slots=True, kw_only=True)
class Test:
    """What a test usually takes, and its own noise as a part of it."""

    name: str
    usual_s: float
    noise: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """The tests and the machines they run on."""

    tests: tuple[Test, ...]
    runners: tuple[float, ...]


def make_suite(chance: random.Random) -> Suite:
    """Draw a suite and its runners."""
    return Suite(
        tests=tuple(
            Test(
                name=f"tests/test_{index // 20}.py::test_{index}",
                usual_s=chance.lognormvariate(-3.5, 1.2),
                noise=chance.choice((0.02, 0.05, 0.12)),
            )
            for index in range(TESTS)
        ),
        runners=tuple(chance.uniform(0.9, 1.1) for _ in range(RUNNERS)),
    )


def simulate(
    suite: Suite,
    chance: random.Random,
    *,
    number: int,
    busy: bool,
    slowed: frozenset[str] = frozenset(),
    effect: float = 1.0,
) -> Record:
    """Return a run in which the `slowed` tests take `effect` times as long."""
    machine = chance.choice(suite.runners) * chance.lognormvariate(0, 0.04)
    tests = []
    cpu_s = 0.0
    for test in suite.tests:
        own = test.usual_s * machine * chance.lognormvariate(0, test.noise)
        own *= effect if test.name in slowed else 1.0
        cpu_s += own
        duration = own + abs(chance.gauss(0, 0.002))
        if chance.random() < 0.05:
            hit = chance.paretovariate(2)
            duration = duration * hit if busy else duration + 0.004 * hit
        tests.append(
            RecordedTest(nodeid=test.name, outcome=TestOutcome.PASSED, duration_s=duration)
        )
    return Record(
        id=f"{number:032x}",
        series=Series(kind=BundleKind.TESTS, job="unit", name="tests"),
        origin=Origin(repository="octo/widgets", run_id=number, event="push", default_branch=True),
        started_at=f"2026-11-22T10:{number // 60:02d}:{number % 60:02d}Z",
        outcome=Outcome.PASSED,
        exit_code=0,
        dirty=False,
        host=Host(fingerprint="same"),
        command=Command(argv=("pytest",), cwd="."),
        resources=Resources(
            user_s=cpu_s,
            system_s=0.0,
            wall_s=sum(test.duration_s for test in tests),
            # Measured: peak memory of one command varies by less than 0.5 %.
            max_rss_bytes=round(200e6 * chance.lognormvariate(0, 0.005)),
        ),
        tests=tuple(tests),
        failures=(),
    )


@dataclass(slots=True)
class Tally:
    """What was seen over the repetitions."""

    runs: int = 0
    regressions: int = 0
    advisory: int = 0
    suspects: int = 0
    runs_with_suspects: int = 0
    found: int = 0
    looked_for: int = 0

    def take(self, comparison: Comparison, slowed: frozenset[str] = frozenset()) -> None:
        """Count one comparison."""
        whole = [one for one in comparison.judgements if not one.nodeid]
        worse = [one for one in whole if one.verdict is Verdict.REGRESSION]
        named = {one.nodeid for one in comparison.judgements if one.nodeid}
        self.runs += 1
        self.regressions += any(not one.advisory for one in worse)
        self.advisory += any(one.advisory for one in worse)
        self.suspects += len(named - slowed)
        self.runs_with_suspects += bool(named - slowed)
        self.found += len(named & slowed)
        self.looked_for += len(slowed)


def repeat(n: int, repetitions: int, *, busy: bool) -> None:
    """Print the figures for a baseline of `n` runs."""
    chance = random.Random(n)  # noqa: S311
    clean = Tally()
    slow = {effect: Tally() for effect in EFFECTS}
    whole = {effect: Tally() for effect in EFFECTS}
    for _ in range(repetitions):
        suite = make_suite(chance)
        earlier = [simulate(suite, chance, number=number, busy=busy) for number in range(n)]
        clean.take(compare(simulate(suite, chance, number=n, busy=busy), earlier))
        some = frozenset(
            chance.sample([test.name for test in suite.tests if test.usual_s >= 0.05], SLOWED)
        )
        every = frozenset(test.name for test in suite.tests)
        for effect in EFFECTS:
            head = simulate(suite, chance, number=n, busy=busy, slowed=some, effect=effect)
            slow[effect].take(compare(head, earlier), some)
            head = simulate(suite, chance, number=n, busy=busy, slowed=every, effect=effect)
            whole[effect].take(compare(head, earlier))
    print(  # noqa: T201
        f"{'busy' if busy else 'calm'} n={n:2d}  clean: {clean.regressions / clean.runs:7.2%} of runs with a regression,"
        f" {clean.advisory / clean.runs:6.1%} with an advisory one,"
        f" {clean.suspects / clean.runs:5.2f} suspects a run,"
        f" none in {1 - clean.runs_with_suspects / clean.runs:4.0%}"
    )
    for effect in EFFECTS:
        print(  # noqa: T201
            f"      x{effect}: whole run found {whole[effect].regressions / repetitions:4.0%};"
            f" slowed tests listed {slow[effect].found / slow[effect].looked_for:4.0%}"
            f" (of the 20 places: {slow[effect].found / repetitions / 20:4.0%})"
        )


def main() -> None:
    """Print the figures for each size of baseline."""
    repetitions = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    for busy in (False, True):
        for n in BASELINES:
            repeat(n, repetitions, busy=busy)


if __name__ == "__main__":
    main()
