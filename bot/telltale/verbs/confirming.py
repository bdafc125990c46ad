"""`--confirm`: what profile-tests does with suspects once the bundle is complete."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from telltale import bundle, gha
from telltale.capture import confirm as measuring
from telltale.capture import kernel, shell, summary
from telltale.capture.confirm import Confirming, Found, Suspect
from telltale.capture.confirm.sides import Side, base_side, head_side
from telltale.capture.confirm.whole import needed_s
from telltale.capture.isolate import read_case
from telltale.capture.isolate.recorded import read_recorded
from telltale.capture.isolate.tries import Stop, Tries
from telltale.capture.recording import Recording
from telltale.capture.words import many
from telltale.compare import compare
from telltale.errors import IsolateError, UsageError
from telltale.history import open_history
from telltale.history.basis import Basis
from telltale.model import Command, Confirmation, Evidence, TestResult, Verdict
from telltale.options import Invocation
from telltale.records import Comparison, Judgement, Origin, Record, RecordedTest, Series
from telltale.verbs.origin import resolve

FILE = "analysis/confirmation.json"
BUILD_LOG = "logs/confirm-build.log"
SCHEMA = "telltale.confirmation/1"
MOST = 20
"""Suspects that are measured again."""
_HANG_S = 60.0
_CHANGED = frozenset({Verdict.REGRESSION, Verdict.IMPROVEMENT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the measuring needs beside the run itself."""

    invocation: Invocation
    asked: Callable[[], bool]
    say: Callable[[str], None]
    budget_s: float
    build: str


def suspects_of(comparison: Comparison) -> tuple[tuple[Suspect, ...], bool]:
    """Return the suspected tests, worst first, at most 20, and whether the whole run's CPU time is one."""
    metrics: dict[str, list[str]] = {}
    for one in comparison.judgements:
        known = one.metric in measuring.METRICS
        if one.nodeid and one.verdict is Verdict.UNDECIDED and known:
            metrics.setdefault(one.nodeid, []).append(one.metric)
    suspects = [Suspect(nodeid=name, metrics=tuple(each)) for name, each in metrics.items()]
    return tuple(suspects[:MOST]), any(map(_whole_run, comparison.judgements))


def head_record(evidence: Evidence, results: Sequence[TestResult], origin: Origin) -> Record:
    """Return the run as the history would have it, as far as screening looks at it."""
    return Record(
        id="head",
        series=Series(
            kind=evidence.kind,
            job=bundle.clip(evidence.github.job if evidence.github else "", 200),
            name=bundle.clip(evidence.name, 200),
        ),
        origin=origin,
        started_at=evidence.started_at,
        outcome=evidence.outcome,
        exit_code=evidence.exit_code,
        dirty=evidence.source.dirty,
        host=evidence.host,
        command=evidence.command,
        resources=evidence.resources,
        tests=tuple(
            RecordedTest(
                nodeid=each.nodeid,
                outcome=each.outcome,
                duration_s=each.duration_s,
                cpu_s=each.cpu_s,
                rss_peak_change_bytes=each.rss_peak_change_bytes,
            )
            for each in results
        ),
        failures=evidence.failures,
        profiled=tuple(each.name for each in evidence.profiles if each.disturbs),
        invalid=evidence.invalid,
    )


def confirm(recording: Recording, results: Sequence[TestResult], around: Surroundings) -> bool:
    """
    Measure the run's suspects again and keep what that shows; return whether there were any.

    What stands in the way is a finding of the run, and says so in words.
    """
    invocation = around.invocation
    context = gha.context(invocation.environ)
    head = head_record(recording.evidence, results, resolve(context))
    history = open_history(
        invocation.text("history"),
        cwd=recording.plan.cwd,
        remote_url=f"{context.server_url}/{context.repository}.git" if context.repository else "",
        token=invocation.text("history-token"),
        environ=invocation.environ,
    )
    comparison = compare(head, history.load(head.series))
    suspects, whole = suspects_of(comparison)
    if not suspects and not whole:
        around.say(f"confirm: nothing is suspected; {comparison.reason}")
        return False
    began = time.monotonic()
    found, document = _measured(recording, suspects, around, whole=whole)
    document |= {"elapsed_s": round(time.monotonic() - began, 3), "budget_s": around.budget_s}
    _keep(recording, found, document)
    return True


def _measured(
    recording: Recording, suspects: Sequence[Suspect], around: Surroundings, *, whole: bool
) -> tuple[Found, dict[str, object]]:
    end = time.monotonic() + around.budget_s
    environ = around.invocation.environ
    top = recording.top
    if top is None:
        raise UsageError("the tests did not run in a checkout of git: there is no base")
    context = gha.context(environ)
    basis = Basis(top, context, environ=environ, token=around.invocation.text("history-token"))
    sha = basis.find()
    around.say(f"confirm: {many(len(suspects), 'suspect')}; the base is {sha[:12]}")
    seed = recording.evidence.started_at
    with basis.checked_out(sha) as root:
        head, base = _sides(recording, suspects, root, around, end)
        left = end - time.monotonic()
        with Tries(
            head.case, budget_s=left, asked=around.asked, hang_s=_hang_s(recording)
        ) as tries:
            confirming = Confirming(
                tries=tries,
                head=head,
                base=base,
                packages=basis.packages(),
                seed=seed,
                say=around.say,
            )
            found = confirming.run(suspects)
            more = _whole(recording, tries, confirming) if whole and not found.refused else ()
    confirmations = (*found.confirmations, *more)
    document: dict[str, object] = {"base": sha, "seed": seed, "executions": found.executions}
    return dataclasses.replace(found, confirmations=confirmations), document


def _sides(
    recording: Recording,
    suspects: Sequence[Suspect],
    root: Path,
    around: Surroundings,
    end: float,
) -> tuple[Side, Side]:
    plan, top = recording.plan, recording.top
    assert top is not None  # noqa: S101  # there is a base, so there is a repository
    site = root.parent / "site"
    site.mkdir()
    nodeid = suspects[0].nodeid if suspects else read_recorded(recording.folder).tests[0]
    case = read_case(
        recording.folder,
        nodeid,
        cwd=plan.cwd,
        environ=plan.child_environ,
        command=Command(argv=plan.argv, cwd=".", env=plan.overrides),
    )
    executable = read_recorded(recording.folder).executable(nodeid)
    home = plan.child_environ.get("HOME", "")
    head = head_side(
        case, top, executable.replace("~", home, 1) if executable[:1] == "~" else executable
    )
    if around.build:
        where = root / plan.cwd.resolve().relative_to(top)
        _build(recording, around, where, site, end)
    return head, base_side(head, root, site)


def _build(recording: Recording, around: Surroundings, where: Path, site: Path, end: float) -> None:
    """Run the build step in the base; raises `UsageError` when it fails or takes too long."""
    around.say("confirm: building the base")
    path = recording.folder / BUILD_LOG
    with path.open("wb") as log, kernel.before_exec(None) as before_exec:
        process = subprocess.Popen(
            shell.argv(around.build),
            cwd=where,
            env={**recording.plan.child_environ, "TELLTALE_SITE": str(site)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=before_exec,  # noqa: PLW1509  # no other thread is there
        )
        try:
            while process.poll() is None and not around.asked() and time.monotonic() < end:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(0.1)
        finally:
            ended = process.poll()
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    if ended != 0:
        how = (
            "was stopped: the budget is used up" if ended is None else f"ended with status {ended}"
        )
        raise UsageError(f"--confirm-build {how}; its output is in {BUILD_LOG}")


def _whole(recording: Recording, tries: Tries, confirming: Confirming) -> tuple[Confirmation, ...]:
    wall_s = recording.evidence.resources.wall_s or 0.0
    left_s = max(0.0, tries.left_s)
    if needed_s(wall_s) > left_s:
        recording.findings.append(
            "the CPU time of the whole run was not confirmed: twelve runs of"
            f" {summary.duration(wall_s)} do not fit into {summary.duration(left_s)},"
            " what is left of --confirm-budget"
        )
        return ()
    try:
        return (confirming.run_whole(read_recorded(recording.folder).tests),)
    except (IsolateError, Stop) as error:
        recording.findings.append(f"the CPU time of the whole run was not confirmed: {error}")
        return ()


def _keep(recording: Recording, found: Found, document: Mapping[str, object]) -> None:
    hide = recording.clean
    confirmations = tuple(
        dataclasses.replace(each, reason=hide(each.reason)) for each in found.confirmations
    )
    recording.evidence = dataclasses.replace(recording.evidence, confirmations=confirmations)
    if found.refused:
        recording.findings.append(f"suspects were not confirmed: {hide(found.refused)}")
    if found.left_out:
        recording.findings.append(
            f"{many(len(found.left_out), 'suspect')} not measured again: --confirm-budget did not reach:"
            f" {', '.join(found.left_out[:3])}{' and more' if len(found.left_out) > 3 else ''}"
        )
    text = json.dumps(
        {
            "schema": SCHEMA,
            **document,
            "refused": hide(found.refused),
            "left_out": list(found.left_out),
            "confirmations": [
                {**dataclasses.asdict(each), "verdict": each.verdict.value}
                for each in confirmations
            ],
        },
        indent=2,
    )
    bundle.write_atomically(recording.folder / FILE, text + "\n")


def _whole_run(one: Judgement) -> bool:
    if one.nodeid or one.metric != "cpu_s":
        return False
    if one.verdict in _CHANGED:
        return True
    if one.verdict is not Verdict.UNDECIDED or one.change is None or one.threshold is None:
        return False
    return abs(one.change) > one.threshold


def _hang_s(recording: Recording) -> float:
    durations = read_recorded(recording.folder).duration_s.values()
    return max(_HANG_S, 10 * max(durations, default=0.0))
