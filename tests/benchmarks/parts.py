"""What single parts of Telltale cost: starting, looking at the process tree, passing output on."""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.benchmarks.measure import Command, cpu_s, pairs
from tests.benchmarks.suites import ROOT

_RUN = (sys.executable, "-IS", str(ROOT / "bot/run.py"), "profile-tests", "--out")
_TREES = (1, 100, 1_000)
_STRANGERS = 300

# Runs in a process of its own, which becomes the parent of the tree; prints seconds of one look.
_LOOK = """
import os, sys, time
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from telltale.capture import tree
from telltale.capture.sampler import Sampler

count, strangers, looks = map(int, sys.argv[3:])
before = set(tree.children(os.getpid()))
gate, hold = os.pipe()

def sleepers(number):
    for _ in range(number):
        if os.fork() == 0:
            os.close(hold)
            os.read(gate, 1)
            os._exit(0)

between = os.fork()
if between == 0:
    sleepers(strangers)
    os._exit(0)
os.waitpid(between, 0)
sleepers(count)
look = tree.Tree(os.getpid()).look
sampler = Sampler(Path(sys.argv[2]), lambda: look(without=before), lambda: 0.0)
sampler.begin()
assert len(look(without=before)) == count
sampler._look(0.0)
began = time.process_time()
for number in range(looks):
    sampler._look(float(number))
print((time.process_time() - began) / looks)
os.close(hold)
"""


def measure(folder: Path, env: Mapping[str, str], *, quick: bool) -> list[str]:
    """Return a paragraph for each part."""
    bundles = folder / "parts"
    return [
        _start(bundles, env, 5 if quick else 25),
        _looks(folder, env, 10 if quick else 50),
        _output(bundles, env, 50 if quick else 500, 1 if quick else 3),
    ]


def _start(out: Path, env: Mapping[str, str], count: int) -> str:
    true = Command(argv=("true",), cwd=out.parent, env=env)
    ours = Command(argv=(*_RUN, str(out), "--", "true"), cwd=out.parent, env=env)
    cpu_s(ours)  # Telltale's modules are compiled by the first start
    found = pairs(true, ours, count, after=lambda: shutil.rmtree(out, True), limit_s=60.0)
    return (
        f"A run of `true` takes {1000 * found.extra_s:.0f} ms of CPU more below `profile-tests`:"
        f" the whole of it, the start of the Python that is asked for its packages included"
        f" (median of {count})."
    )


def _looks(folder: Path, env: Mapping[str, str], count: int) -> str:
    words = []
    for size in _TREES:
        numbers = (str(size), str(_STRANGERS), str(count))
        done = subprocess.run(
            [sys.executable, "-c", _LOOK, str(ROOT / "bot"), str(folder / "samples.csv"), *numbers],
            env=dict(env),
            capture_output=True,
            text=True,
            check=True,
        )
        look_s = float(done.stdout)
        # As the sampler has it: every second, and never more than one hundredth of a core.
        words.append(
            f"{size:,}: {1000 * look_s:.2f} ms, {100 * look_s / max(1.0, 100 * look_s):.2f} %"
        )
    return (
        "A look at the process tree and the share of one core that the looks take, by the number"
        f" of processes in the tree, with {_STRANGERS} others on the machine: {'; '.join(words)}."
    )


def _output(out: Path, env: Mapping[str, str], megabytes: int, count: int) -> str:
    write = f"yes 'one line of a log, of usual length, with nothing in it' | head -c {megabytes}M"
    tee = f"({write}) | tee {out.parent / 'tee.log'}"
    argv = (*_RUN, str(out), "--", "sh", "-c", write)
    costs = []
    for command in (("sh", "-c", write), ("sh", "-c", tee), argv):
        taken = []
        for _ in range(count):
            taken.append(cpu_s(Command(argv=command, cwd=out.parent, env=env))[0])
            shutil.rmtree(out, ignore_errors=True)
        costs.append(statistics.median(taken))
    bare, tee_s, ours_s = costs
    return (
        f"Passing {megabytes} MB of output on takes {1000 * (ours_s - bare) / megabytes:.2f} ms of"
        f" CPU for each MB; tee(1) takes {1000 * (tee_s - bare) / megabytes:.2f} ms and keeps one"
        " copy where Telltale keeps two."
    )
