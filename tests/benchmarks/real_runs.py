"""
A/A and A/B on this machine as it is: real Python tests, each measured by its CPU time.

    scripts/bench --false-alarms

120 tests in a process each run: sorting, hashing, parsing, regular
expressions, arithmetic, compression; each sized to take some 30 to 150 ms.
Runs of unchanged code are the history and the clean heads (A/A); in slowed
ones ten tests of 50 ms or more do half as much again, or twice the work (A/B). A suspect is
measured again in turn, in processes of their own, five times each.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import random
import re
import statistics
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from telltale.compare.confirmed import settle
from telltale.compare.confirming import ROUNDS, confirm
from telltale.compare.suspects import suspects
from telltale.model import Verdict
from telltale.records import Judgement, Record
from tests.benchmarks.false_alarms import SLOWED, make_record

TESTS = 120
HISTORY = 10
EFFECTS = (1.5, 2.0)
ROOT = Path(__file__).parents[2]

Factors = Mapping[str, float]
"""By test: how many times its work is done."""


def _sort(size: int) -> None:
    sorted(random.Random(size).random() for _ in range(size))  # noqa: S311


def _hash(size: int) -> None:
    data = b"x" * 1000
    for _ in range(size):
        data = hashlib.sha256(data).digest()


def _parse(size: int) -> None:
    text = json.dumps([{"a": index, "b": [1, 2, 3]} for index in range(size // 20)])
    for _ in range(3):
        json.loads(text)


def _match(size: int) -> None:
    re.findall(r"(\w+)@(\w+)\.org", "somebody@example.org and others " * (size // 20))


def _add(size: int) -> None:
    functools.reduce(lambda total, index: (total + index * index) % 7, range(size))


def _pack(size: int) -> None:
    zlib.compress(bytes(index % 251 for index in range(size)), 6)


WORKS: Sequence[tuple[Callable[[int], None], int]] = (
    (_sort, 12_000),
    (_hash, 150_000),
    (_parse, 250_000),
    (_match, 1_400_000),
    (_add, 700_000),
    (_pack, 700_000),
)
"""What a test does, and how large that is for some tens of milliseconds."""


def measure(names: Sequence[str], factors: Factors) -> dict[str, float]:
    """Do the tests here, one after the other, and return the CPU time of each in seconds."""
    found = {}
    for name in names:
        index = int(name)
        work, size = WORKS[index % len(WORKS)]
        size = int(size * random.Random(index).uniform(0.6, 2.0) * factors.get(name, 1.0))  # noqa: S311
        before = time.process_time()
        work(size)
        found[name] = time.process_time() - before
    return found


def run(names: Sequence[str], factors: Factors) -> dict[str, float]:
    """Do the tests in a process of their own."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.real_runs", json.dumps([names, factors])],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT / "bot")},
        stdout=subprocess.PIPE,
        check=True,
    )
    return dict(json.loads(done.stdout))


def confirmed(found: Sequence[Judgement], factors: Factors) -> frozenset[str]:
    """Measure suspects again, base and head in turn; return those that are regressions then."""
    names = [one.nodeid for one in found]
    pairs = [(run(names, {}), run(names, factors)) for _ in range(ROUNDS)] if names else []
    confirmations = [
        confirm(
            one.metric,
            one.nodeid,
            "s",
            [base[one.nodeid] for base, _ in pairs],
            [head[one.nodeid] for _, head in pairs],
        )
        for one in found
    ]
    settled = settle(found, confirmations)
    return frozenset(one.nodeid for one in settled if one.verdict is Verdict.REGRESSION)


def real_runs(rounds: int) -> None:
    """Print what is said of clean and of slowed runs, `rounds` of each."""
    names = [str(index) for index in range(TESTS)]
    earlier: list[Record] = [make_record(run(names, {})) for _ in range(HISTORY)]
    sums = [sum(test.cpu_s or 0.0 for test in record.tests) for record in earlier]
    usual = zip(*([test.cpu_s or 0.0 for test in record.tests] for record in earlier), strict=True)
    long = [
        name for name, each in zip(names, usual, strict=True) if statistics.median(each) >= 0.05
    ]
    load = os.getloadavg()[0]
    print(  # noqa: T201
        f"{TESTS} real tests on {os.cpu_count()} CPUs, load average {load:.1f}; CPU time of a run"
        f" {min(sums):.1f} to {max(sums):.1f} s. {rounds} runs of each kind:\n"
    )
    print("| runs | suspects of a run | false alarms | suspected | confirmed |")  # noqa: T201
    print("|---|--:|--:|--:|--:|")  # noqa: T201
    for effect in (1.0, *EFFECTS):
        listed = alarms = screened = right = 0
        for at in range(rounds):
            chance = random.Random(at)  # noqa: S311
            slowed = chance.sample(long, SLOWED) if effect > 1 else []
            factors = dict.fromkeys(slowed, effect)
            found = suspects(make_record(run(names, factors)), earlier).judgements
            accused = confirmed(found, factors)
            listed += len(found)
            screened += sum(one.nodeid in factors for one in found)
            right += len(accused & set(factors))
            alarms += len(accused - set(factors))
        changed = SLOWED * rounds
        shares = [f"{screened / changed:.0%}", f"{right / changed:.0%}"] if effect > 1 else ["", ""]
        kind = f"x{effect:g}, {SLOWED} tests" if effect > 1 else "unchanged"
        cells = [kind, f"{listed / rounds:.1f}", str(alarms), *shares]
        print(f"| {' | '.join(cells)} |", flush=True)  # noqa: T201


if __name__ == "__main__":
    if sys.argv[1].isdecimal():
        real_runs(int(sys.argv[1]))
    else:
        sys.stdout.write(json.dumps(measure(*json.loads(sys.argv[1]))))
