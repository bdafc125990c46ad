"""
How often `telltale drift` cries wolf, what it finds, how soon, and what it costs: a simulation.

    scripts/bench --drift [--write]

Whole runs: 160 or 200 runs on the default branch, each looked at as the
report does it, when it is the newest. CPU time varies by some percent from
run to run, between five runners by up to 10 % besides; where it wanders, a
run resembles the one before it (autoregression, 0.5 and 0.8). One run in
twenty is a spike with a heavy tail (Pareto, shape 2, at most four times). A
step comes with run 80 and stays; a ramp takes 30 runs from there.

Single tests: suites as in `false_alarms`, over 120 runs, in which 40 tests of
50 ms or more became slower in the middle.
"""

from __future__ import annotations

import importlib
import logging
import math
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from telltale.compare.changepoints import Floor
from telltale.compare.drift import WHOLE_RUN, _Change, _Line, find_drifts
from telltale.model import BundleKind, Command, Host, Outcome, Resources
from telltale.recorded import RecordedTests
from telltale.records import Origin, Record, Series
from tests.benchmarks.false_alarms import SLOWED, Suite, make_suite

FLOOR = Floor(change=WHOLE_RUN, amount=0.1)
BEGAN = 80
RUNS = 160
CLEAN_RUNS = 200
RAMP_RUNS = 30
STEPS = (0.05, 0.10, 0.20)
RAMPS = (0.10, 0.30)
SUITE_RUNS = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """How the CPU time of unchanged code varies."""

    noise: float
    """Deviation from run to run, as a part."""
    runners: float = 0.0
    """By how much they differ, as a part: half the width."""
    memory: float = 0.0
    """How much a run resembles the one before."""


PLACES: Mapping[str, Place] = {
    "one quiet machine, 2 %": Place(noise=0.02),
    "one machine, 4 %": Place(noise=0.04),
    "five runners, 4 %": Place(noise=0.04, runners=0.10),
    "one busy machine, 10 %": Place(noise=0.10),
    "wandering by 4 %, 0.5": Place(noise=0.04, memory=0.5),
    "wandering by 4 %, 0.8": Place(noise=0.04, memory=0.8),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A change, and after how many runs it was told."""

    run: int
    change: _Change


def draw(
    chance: random.Random, place: Place, runs: int, shape: Callable[[int], float]
) -> list[float]:
    """Return the CPU times of runs, `shape(run)` times as high as unchanged code's."""
    machines = [chance.uniform(1 - place.runners, 1 + place.runners) for _ in range(5)]
    state = chance.gauss(0, place.noise)
    values = []
    for run in range(runs):
        state = place.memory * state + math.sqrt(1 - place.memory**2) * chance.gauss(0, place.noise)
        value = 100 * math.exp(state) * chance.choice(machines) * shape(run)
        values.append(value * (min(4, chance.paretovariate(2)) if chance.random() < 0.05 else 1))
    return values


def flat(_: int) -> float:
    """Return the factor of unchanged code."""
    return 1.0


def step(size: float) -> Callable[[int], float]:
    """Return a step that comes with run `BEGAN`."""
    return lambda run: 1 + size * (run >= BEGAN)


def ramp(size: float) -> Callable[[int], float]:
    """Return a climb of equal parts, complete after `RAMP_RUNS`."""
    return lambda run: 1 + size * min(1.0, max(0, run - BEGAN + 1) / RAMP_RUNS)


def line(values: Sequence[float]) -> _Line:
    """Return the figure as `telltale drift` has it."""
    return _Line(
        metric="cpu_s",
        nodeid="",
        unit="s",
        floor=FLOOR,
        family=2,
        indices=range(len(values)),
        values=values,
    )


def told(values: Sequence[float]) -> list[Told]:
    """Return what the reports of these runs, one after the other, tell."""
    every = line(values)
    seen: list[_Change] = []
    found = []
    for end in range(1, len(values) + 1):
        changes = list(every.changes(end))
        found += [
            Told(run=end, change=change)
            for change in changes
            if not any(change.same(earlier) for earlier in seen)
        ]
        seen += changes
    return found


def whole_runs(series: int) -> Iterator[str]:
    """Yield the table of whole runs."""
    steps = " | ".join(f"step +{one:.0%}".replace("%", " %") for one in STEPS)
    ramps = " | ".join(f"ramp +{one:.0%}".replace("%", " %") for one in RAMPS)
    yield f"| runs of 100 s CPU | told in 200 clean runs | {steps} | {ramps} |"
    yield "|---|--:|" + "--:|" * (len(STEPS) + len(RAMPS))
    for name, place in PLACES.items():
        chance = random.Random(name)  # noqa: S311
        clean = sum(len(told(draw(chance, place, CLEAN_RUNS, flat))) for _ in range(series))
        cells = [
            f"{clean / series:.3f}",
            *(
                _found([told(draw(chance, place, RUNS, shape)) for _ in range(series)])
                for shape in (*map(step, STEPS), *map(ramp, RAMPS))
            ),
        ]
        yield f"| {name} | {' | '.join(cells)} |"
        sys.stderr.write(f"{name}\n")


def _found(tries: Sequence[Sequence[Told]]) -> str:
    """Return the share of series in which a rise was told, after how many runs, and how often."""
    rises = [
        [one for one in each if one.run > BEGAN and one.change.point.change > 0] for each in tries
    ]
    hit = [each for each in rises if each]
    if not hit:
        return "0 %"
    after = statistics.median(each[0].run - BEGAN for each in hit)
    times = statistics.mean(map(len, hit))
    return f"{100 * len(hit) / len(tries):.0f} %, {after:.0f}, {times:.2f}"


def ranges(series: int) -> Iterator[str]:
    """Yield the table of where a step of a hundred commits is said to be."""
    yield "| runs of 100 s CPU | step | found | range holds it | runs in the range | likely one is it |"
    yield "|---|--:|--:|--:|--:|--:|"
    for name, place in PLACES.items():
        for size in STEPS[1:]:
            chance = random.Random(name)  # noqa: S311
            hits = []
            for _ in range(series):
                changes = list(line(draw(chance, place, RUNS, step(size))).changes(RUNS))
                rises = [one for one in changes if one.point.change > 0]
                hits += [min(rises, key=lambda one: abs(one.point.at - BEGAN))] if rises else []
            if not hits:
                continue
            holds = sum(one.earliest <= BEGAN <= one.latest for one in hits) / len(hits)
            width = statistics.median(one.latest - one.earliest + 1 for one in hits)
            exact = sum(one.point.at == BEGAN for one in hits) / len(hits)
            yield (
                f"| {name} | +{100 * size:.0f} % | {100 * len(hits) / series:.0f} %"
                f" | {100 * holds:.0f} % | {width:.0f} | {100 * exact:.0f} % |"
            )


def methods(series: int) -> Iterator[str]:
    """Yield what other methods say about whole series: a trend test, and Otava where it is."""
    tests: dict[str, Callable[[Sequence[float]], bool]] = {
        "this one": lambda values: any(True for _ in line(values).changes(len(values))),
        "Mann-Kendall, Theil-Sen": trend,
    }
    otava = _otava()
    if otava:
        tests["Apache Otava"] = otava
    shapes = {
        "clean": flat,
        "step +5 %": step(0.05),
        "step +10 %": step(0.10),
        "ramp +10 %": ramp(0.10),
        "ramp +30 %": ramp(0.30),
        "+10 % in 160 runs": lambda run: 1 + 0.10 * run / RUNS,
    }
    yield f"| runs of 100 s CPU | method | {' | '.join(shapes)} |"
    yield "|---|---|" + "--:|" * len(shapes)
    for name, place in PLACES.items():
        shares: dict[str, list[str]] = {method: [] for method in tests}
        for shape in shapes.values():
            chance = random.Random(name)  # noqa: S311
            drawn = [draw(chance, place, RUNS, shape) for _ in range(series)]
            for method, test in tests.items():
                shares[method].append(f"{100 * sum(map(test, drawn)) / series:.1f} %")
        for method, cells in shares.items():
            yield f"| {name} | {method} | {' | '.join(cells)} |"
        sys.stderr.write(f"{name}\n")


def trend(values: Sequence[float]) -> bool:
    """
    Return whether there is a trend of 5 % over all runs (Mann-Kendall, two-sided p < 0.001).

    Mann, Nonparametric tests against trend, Econometrica 13 (1945); Sen,
    Estimates of the regression coefficient based on Kendall's tau, JASA 63 (1968).
    """
    n = len(values)
    pairs = list(combinations(range(n), 2))
    score = sum((values[j] > values[i]) - (values[j] < values[i]) for i, j in pairs)
    z = abs(score) / math.sqrt(n * (n - 1) * (2 * n + 5) / 18)
    if z < 3.29:
        return False
    slope = statistics.median((values[j] - values[i]) / (j - i) for i, j in pairs)
    return abs(slope) * n > WHOLE_RUN * statistics.median(values)


def _otava() -> Callable[[Sequence[float]], bool] | None:
    """Return Otava's verdict with its own defaults and our floor, None where it is not installed."""
    try:
        analysis = importlib.import_module("otava.analysis")
    except ImportError:
        return None
    logging.disable()

    def changed(values: Sequence[float]) -> bool:
        points, _ = analysis.compute_change_points(
            list(values), window_len=50, max_pvalue=0.001, min_magnitude=WHOLE_RUN
        )
        return bool(points)

    return changed


def single_tests(suites: int) -> Iterator[str]:
    """Yield the table of suites of 2,000 tests."""
    yield "| 2,000 tests, 120 runs | told of unchanged tests | +20 % | +50 % | x2 |"
    yield "|---|--:|--:|--:|--:|"
    for busy in (False, True):
        cells = []
        for effect in (1.0, 1.2, 1.5, 2.0):
            chance = random.Random(1)  # noqa: S311
            wrong = right = 0
            for _ in range(suites):
                suite = make_suite(chance, busy=busy)
                long = [name for name, (usual_s, _) in suite.tests.items() if usual_s >= 0.05]
                slowed = frozenset(chance.sample(long, SLOWED))
                named = {one.nodeid for one in find_drifts(history(chance, suite, slowed, effect))}
                right += len(named & slowed)
                wrong += len(named - slowed) if effect > 1 else len(named)
            if effect == 1.0:
                cells.append(f"{wrong / suites:.2f} a suite")
            else:
                cells.append(f"{100 * right / SLOWED / suites:.0f} %, {wrong / suites:.2f}")
            sys.stderr.write(f"suites, {busy}, {effect}\n")
        yield f"| {'busy' if busy else 'calm'} | {' | '.join(cells)} |"


def history(
    chance: random.Random, suite: Suite, slowed: frozenset[str], effect: float
) -> list[Record]:
    """Return runs of a suite in which some tests became slower in the middle."""
    return [
        _on_main(run, suite.run(chance, slowed if run >= SUITE_RUNS / 2 else frozenset(), effect))
        for run in range(SUITE_RUNS)
    ]


def _on_main(number: int, record: Record) -> Record:
    return replace(
        record,
        id=f"{number:032x}",
        origin=Origin(sha=f"{number:040x}", event="push", run_id=number, default_branch=True),
        started_at=f"2026-11-{1 + number // 24:02d}T{number % 24:02d}:00:00Z",
        host=Host(fingerprint="5eed"),
        tests=RecordedTests.of(record.tests),
    )


def cost(tests: int, runs: int) -> str:
    """Return what it takes to look at every test of a long history, without reading it."""
    chance = random.Random(1)  # noqa: S311
    nodeids = [f"tests/test_{index // 20}.py::test_{index}" for index in range(tests)]
    usual = [chance.lognormvariate(-3.5, 1.2) for _ in nodeids]
    records = []
    for run in range(runs):
        machine = chance.uniform(0.9, 1.1)
        seconds = [machine * one * chance.lognormvariate(0, 0.05) for one in usual]
        columns = RecordedTests(
            nodeids=nodeids,
            letters="p" * tests,
            durations_s=seconds,
            signatures={},
            cpu_s=[0.9 * one for one in seconds],
        )
        records.append(_on_main(run, replace(_EMPTY, tests=columns)))
    began = time.process_time()
    find_drifts(records)
    spent = time.process_time() - began
    return (
        f"{tests:,} tests, CPU time and duration of each, in {runs} runs: {spent:.1f} s of CPU"
        " (without reading the history)."
    )


_EMPTY = Record(
    id="",
    series=Series(kind=BundleKind.TESTS, job="unit", name="tests"),
    origin=Origin(),
    started_at="",
    outcome=Outcome.PASSED,
    exit_code=0,
    dirty=False,
    host=Host(fingerprint=""),
    command=Command(argv=("pytest",), cwd="."),
    resources=Resources(),
    tests=(),
    failures=(),
)


def measure(series: int, suites: int, tests: int) -> str:
    """Return all tables as Markdown."""
    whole = (
        f"Whole runs, {series} series each. Of steps and ramps: found, runs until it was told, and"
        " how many times it was told, on average, where it was found:"
    )
    single = (
        f"Single tests, {suites} suites each; 40 tests of 50 ms or more became slower in the"
        " middle. Of slowed ones: found, and unchanged tests told beside them:"
    )
    blocks = [
        whole,
        "\n".join(whole_runs(series)),
        "Where a step is said to be, 80 runs later:",
        "\n".join(ranges(series)),
        "Share of series of 160 runs in which a change is found, by method:",
        "\n".join(methods(series)),
        *((single, "\n".join(single_tests(suites))) if suites else ()),
        cost(tests, 200),
    ]
    return "\n\n".join(blocks) + "\n"


if __name__ == "__main__":
    sys.stdout.write(measure(*(int(number) for number in sys.argv[1:4])))
