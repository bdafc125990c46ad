"""
Spend the budget: one amplifier after the other, in slices that grow.

Whatever the kind of the failure suggests comes first, but nothing gets all
the time: what reproduces a failure is known only afterwards.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

from .amplifiers import AMPLIFIERS, START_S, Plan, State
from .knobs import Knobs
from .reading import Namer, Verdict, judge_command, judge_tests
from .results import count
from .spec import CannotRunError, Code
from .tries import Job, Limits, Ran, run_together

FIRST_SLICE_S = 4.0
GROWTH = 1.7
FIRST_TRIES = 3
"""Of one amplifier in the first round, so that each has its turn within seconds."""
RESERVE_S = 2.0
"""Of the budget: for killing, reading and writing."""
LONGEST_OWN_LIMIT_S = 60.0
"""A test's own limit beyond this is not waited for: a hang shows itself by its silence."""
STARTING_S = 120.0
"""Without a sign of life before the tests begin."""
HANGS = ("test_timeout", "hang_or_device_timeout")
DROPPED = ("PYTEST_CURRENT_TEST", "PYTEST_VERSION", "PYTEST_ADDOPTS", "PYTEST_DEBUG_TEMPROOT")
DROPPED_PREFIXES = ("TELLTALE_", "PYTEST_XDIST_")
"""Variables of a run around us, which are not the failed test's."""


class Hit(NamedTuple):
    """The first failure with the signature."""

    amplifier: str
    plan: Plan
    log: Path
    after_s: float
    said: str


class Search:
    """One run of the scaffold: what was tried so far, and what came of it."""

    def __init__(
        self, *, folder: Path, spec: dict[str, Any], code: Code, knobs: Knobs, name: Namer
    ) -> None:
        self.folder = folder
        self.spec = spec
        self.code = code
        self.knobs = knobs
        self.name = name
        self.started = time.monotonic()
        self.deadline = self.started + max(1.0, knobs.budget_s - RESERVE_S)
        self.counts: dict[str, Counter[str]] = {}
        self.hit: Hit | None = None
        self.other = ""
        """What it said when it failed otherwise."""
        self.rate: Counter[str] = Counter()
        self.start_s = START_S
        hangs = spec["kind"] in HANGS
        # A hang took as long as its limit: that says nothing about a pass.
        self.test_s = 0.1 if hangs else max(0.001, spec["duration_s"])

    def run(self) -> None:
        """Try until the failure came, the tries are used up, or the time."""
        waiting = [name for name in self.knobs.amplifiers if name in self.spec["amplifiers"]]
        turns: Counter[str] = Counter()
        slice_s = FIRST_SLICE_S
        while waiting and not self._done():
            for amplifier in list(waiting):
                if self._done():
                    break
                end = time.monotonic() + slice_s
                tries = 0
                while not self._done() and (not tries or time.monotonic() < end):
                    plan = AMPLIFIERS[amplifier](turns[amplifier], self._state(slice_s))
                    if plan is None:
                        waiting.remove(amplifier)
                        break
                    self._try(amplifier, plan)
                    turns[amplifier] += 1
                    tries += 1
                    if slice_s == FIRST_SLICE_S and tries >= FIRST_TRIES:
                        break
                self._tell(amplifier)
            slice_s *= GROWTH
        if self.hit and self.knobs.rate:
            self._measure(self.hit, turns[self.hit.amplifier])

    def total(self, what: str) -> int:
        """Return a count over all amplifiers: `tries`, `same`, `other`, `executions`."""
        return sum(counts[what] for counts in self.counts.values())

    def _measure(self, hit: Hit, turn: int) -> None:
        """Go on with what reproduced it: the rate is counted after the first hit, without bias."""
        while not self._out_of_time() and not self._enough(self.rate["tries"]):
            seed = self.knobs.seed + turn
            turn += 1
            plan = hit.plan._replace(
                hash_seed=None if hit.plan.hash_seed is None else seed,
                shuffle=None if hit.plan.shuffle is None else seed,
            )
            for verdict in self._try(hit.amplifier, plan):
                if verdict.result not in {"unfinished", "blocked"}:
                    self.rate["tries"] += 1
                    self.rate["same"] += verdict.result == "same"

    def _done(self) -> bool:
        return bool(self.hit) or self._out_of_time() or self._enough(self.total("tries"))

    def _out_of_time(self) -> bool:
        return time.monotonic() >= self.deadline

    def _enough(self, tries: int) -> bool:
        return bool(self.knobs.iterations) and tries >= self.knobs.iterations

    def _state(self, slice_s: float) -> State:
        return State(
            spec=self.spec,
            seed=self.knobs.seed,
            workers=self.knobs.workers,
            slice_s=slice_s,
            start_s=self.start_s,
            test_s=self.test_s,
        )

    def _try(self, amplifier: str, plan: Plan) -> list[Verdict]:
        scratch = Path(tempfile.mkdtemp(prefix="telltale-"))
        began = time.monotonic()
        try:
            jobs = [self._job(plan, scratch / str(number)) for number in range(plan.parallel)]
            interrupt = self.spec["kind"] in HANGS
            rans = run_together(jobs, self._limits(plan), interrupt=interrupt)
            judge = judge_tests if self.code.nodeid else judge_command
            verdicts = []
            for job, ran in zip(jobs, rans):  # noqa: B905  # `strict` came with Python 3.10
                verdicts.append(judge(self.spec, job, ran, self.name))
                _foot(job, ran, verdicts[-1], f"{amplifier}: {plan.what}")
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        self._count(amplifier, plan, jobs, verdicts, time.monotonic() - began)
        return verdicts

    def _count(
        self, amplifier: str, plan: Plan, jobs: list[Job], verdicts: list[Verdict], took: float
    ) -> None:
        counts = self.counts.setdefault(amplifier, Counter())
        counts["seconds"] += round(took * 1000)
        for job, verdict in zip(jobs, verdicts):  # noqa: B905
            if verdict.result == "unfinished":
                continue
            counts["tries"] += verdict.result != "blocked"
            counts[verdict.result] += 1
            counts["executions"] += verdict.executions
            if verdict.result == "same" and self.hit is None:
                after = time.monotonic() - self.started
                self.hit = Hit(amplifier, plan, job.log, after, verdict.said)
            if verdict.result == "other" and not self.other:
                self.other = verdict.said
        blocked = [verdict.said for verdict in verdicts if verdict.result == "blocked"]
        if blocked and not self.total("tries"):
            raise CannotRunError(blocked[0])
        first = verdicts[0]
        if plan.parallel == 1 and first.result == "passed" and first.executions:
            self.test_s = max(0.0005, first.seconds / first.executions)
            if not plan.before and plan.shuffle is None:
                self.start_s = max(0.05, took - first.seconds)

    def _limits(self, plan: Plan) -> Limits:
        before = dict(self.spec["before"])
        expected = self.start_s + plan.copies * self.test_s
        expected += sum(before.get(name, 0.0) for name in plan.before)
        # Copies side by side share the processors.
        expected *= max(1.0, plan.parallel / (os.cpu_count() or 1))
        limit = self.knobs.timeout_s or max(STARTING_S, 10 * expected)
        silence = max(self.knobs.silence_s, 3 * self.test_s)
        own = self._own_limit()
        if own:
            # The failure is that this limit was reached: ours must not come first.
            limit, silence = max(limit, own + 5), max(silence, own + 5)
        return Limits(
            limit_s=limit,
            silence_s=silence,
            # Large packages are silent for long while they are imported.
            starting_s=max(silence, STARTING_S) if self.code.nodeid else silence,
            deadline=self.deadline,
        )

    def _own_limit(self) -> float:
        """Return the limit that ended the original, 0 when there was none that fits the budget."""
        command = self.spec["pytest"]
        own = float((command["timeout_s"] if command else self.spec["timeout_s"]) or 0)
        if not command and self.spec["kind"] in HANGS:
            return own
        return own if own <= LONGEST_OWN_LIMIT_S else 0.0

    def _job(self, plan: Plan, place: Path) -> Job:
        place.mkdir(parents=True)
        temporary = place.parent / "tmp"
        temporary.mkdir(exist_ok=True)
        env = {
            name: value
            for name, value in os.environ.items()
            if name not in DROPPED and not name.startswith(DROPPED_PREFIXES)
        }
        # Its own place for temporary files; copies side by side share one, as on a machine.
        env.update(TMPDIR=str(temporary), COVERAGE_FILE=str(place / ".coverage"))
        if plan.hash_seed is not None:
            env["PYTHONHASHSEED"] = str(plan.hash_seed)
        argv = self.spec["argv"]
        if self.code.nodeid:
            argv = self._pytest(plan, place)
        return Job(
            argv=list(argv),
            cwd=self.code.cwd,
            env=env,
            log=_claim_log(self.folder / "logs"),
            reports=place / "reports.jsonl",
            stacks=place / "stacks.txt",
        )

    def _pytest(self, plan: Plan, place: Path) -> list[str]:
        command = self.spec["pytest"]
        target = self._split(self.code.nodeid)
        before = [self._split(nodeid) for nodeid in plan.before]
        files = dict.fromkeys([*(file for file, _ in before if Path(file).exists()), target[0]])
        options = list(command["options"])
        if "no:cacheprovider" not in " ".join(options):
            options += ["-o", f"cache_dir={place / 'cache'}"]
        document = {
            "arguments": [*options, *(os.path.relpath(file, self.code.cwd) for file in files)],
            "cwd_on_path": command["cwd_on_path"],
            "target": target,
            "before": before,
            "shuffle": plan.shuffle,
            "copies": plan.copies,
            "reports": str(place / "reports.jsonl"),
            "stacks": str(place / "stacks.txt"),
        }
        path = place / "plan.json"
        path.write_text(json.dumps(document), encoding="utf-8")
        child = Path(__file__).with_name("child.py")
        return [sys.executable, *command["python_options"], str(child), str(path)]

    def _split(self, nodeid: str) -> list[str]:
        file, _, rest = nodeid.partition("::")
        return [os.path.realpath(str(self.code.base / file)), rest]

    def _tell(self, amplifier: str) -> None:
        counts = self.counts.get(amplifier)
        if counts:
            tries = count(counts["tries"], "try", "tries")
            executions = count(counts["executions"], "execution", "executions")
            _say(
                f"[{time.monotonic() - self.started:6.1f} s] {amplifier}: {tries}, {executions},"
                f" {counts['same']} with the signature, {counts['other']} otherwise"
            )


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201


def _claim_log(folder: Path) -> Path:
    """Make the next `run_N.log`; no log is ever overwritten."""
    numbers = [int(path.stem[4:]) for path in folder.glob("run_*.log") if path.stem[4:].isdecimal()]
    number = max(numbers, default=0) + 1
    while True:
        path = folder / f"run_{number}.log"
        with contextlib.suppress(FileExistsError):
            path.open("x").close()
            return path
        number += 1


def _foot(job: Job, ran: Ran, verdict: Verdict, what: str) -> None:
    # At the end: what the command wrote is what its failure is named from.
    with job.log.open("a", encoding="utf-8", errors="backslashreplace") as log:
        how = f"killed: {ran.killed}" if ran.killed else f"exit status {ran.status}"
        ended = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        log.write(f"\n# {ended} {what}\n")
        log.write(f"# {verdict.result} after {ran.seconds:.1f} s, {how}\n")
        if verdict.said:
            log.write(f"# {verdict.signature} {verdict.said}\n")
