"""The words for what the other parts only name: kinds, metrics, ends of a run, the verdict line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from telltale.model import HUNG, FailureKind, Outcome, Verdict
from telltale.records import Drift, FailureVerdict, Judgement, Record
from telltale.report import figures
from telltale.report.data import ReportData
from telltale.report.figures import count
from telltale.report.view import Died, Group, View, cpu_s

KINDS: Mapping[FailureKind, str] = {
    FailureKind.ASSERTION: "assertion",
    FailureKind.EXCEPTION: "exception",
    FailureKind.TEST_TIMEOUT: "test timeout",
    FailureKind.HANG_OR_DEVICE_TIMEOUT: "hang or device timeout",
    FailureKind.CRASH_SIGNAL: "crash by a signal",
    FailureKind.OOM: "out of memory",
    FailureKind.NAN_OR_DIVERGENCE: "NaN or divergence",
    FailureKind.NONDETERMINISTIC_VALUE: "nondeterministic value",
    FailureKind.COLLECTION_ERROR: "collection error",
    FailureKind.INFRA_NETWORK: "network failure",
    FailureKind.INFRA_DISK: "disk failure",
    FailureKind.INFRA_OTHER: "infrastructure failure",
    FailureKind.RESOURCE_LIMIT: "resource limit",
    FailureKind.UNKNOWN: "unknown kind",
}

METRICS: Mapping[str, str] = {
    "wall_s": "wall time",
    "user_s": "user CPU time",
    "system_s": "system CPU time",
    "cpu_s": "CPU time",
    "cpu_percent": "CPU use",
    "max_rss_bytes": "peak memory",
    "tree_peak_rss_bytes": "peak memory of the tree",
    "major_faults": "major page faults",
    "minor_faults": "minor page faults",
    "voluntary_switches": "voluntary context switches",
    "involuntary_switches": "involuntary context switches",
    "inputs": "file system inputs",
    "outputs": "file system outputs",
    "duration_s": "duration",
    "rss_peak_change_bytes": "growth of peak memory",
}

_SIGNALS: Mapping[int, str] = {
    1: "SIGHUP",
    2: "SIGINT",
    3: "SIGQUIT",
    4: "SIGILL",
    6: "SIGABRT",
    7: "SIGBUS",
    8: "SIGFPE",
    9: "SIGKILL",
    11: "SIGSEGV",
    13: "SIGPIPE",
    14: "SIGALRM",
    15: "SIGTERM",
    24: "SIGXCPU",
    25: "SIGXFSZ",
}
"""Numbers on Linux, which are what an exit status of 128+N counts."""

_ENDS: Mapping[Outcome, tuple[str, str]] = {
    Outcome.TIMED_OUT: ("run timed out", "runs timed out"),
    Outcome.CRASHED: ("run crashed", "runs crashed"),
    Outcome.INTERRUPTED: ("run was interrupted", "runs were interrupted"),
    Outcome.RUNNING: ("run was cut off", "runs were cut off"),
    Outcome.ERROR: ("run could not be carried out", "runs could not be carried out"),
    Outcome.FAILED: ("run failed without a failed test", "runs failed without a failed test"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictLine:
    """The first line of every text: what to do, in five seconds."""

    mark: str
    text: str
    """Plain text with a branch name in it: escape it like anything else."""
    needs_action: bool


def metric(name: str) -> str:
    """Return a metric in words; the bare name when it has none, as a test's number."""
    return METRICS.get(name, name.removeprefix("number:"))


def commits(drift: Drift) -> str:
    """Return the commits between two levels, or why there are none."""
    if drift.commits:
        return drift.commits
    same = bool(drift.first_after.sha) and drift.first_after.sha == drift.last_before.sha
    return "no commit in between" if same else "not known"


def metrics(judgements: Sequence[Judgement]) -> str:
    """Return the metrics of several figures in words, each once."""
    return ", ".join(dict.fromkeys(metric(judgement.metric) for judgement in judgements))


def run_label(data: ReportData) -> str:
    """Return what a link to the run says."""
    return f"run, attempt {data.run_attempt}" if data.run_attempt > 1 else "run"


def verdict_line(view: View) -> VerdictLine:
    """Say what happened, the worst first."""
    bad = [*_ended_badly(view), *_alarming(view), *_failed(view), *_slower(view)]
    excused = [*_excused(view), *_risen(view)]
    needs_action = bool(bad)
    if bad or excused:
        what = ", ".join([*bad, *excused])
        text = "; ".join(filter(None, [what, _invalid(view), tests_in_jobs(view)]))
    elif not view.jobs:
        text = "No evidence was found"
    elif not view.tests:
        text = f"No test report was found in {count(len(view.jobs), 'job')}"
    else:
        compared = _compared(view) if len(view.invalid) < len(view.jobs) else ""
        text = "; ".join(filter(None, [_all_pass(view), _invalid(view), compared]))
    worried = bool(excused or view.problems or view.invalid or not view.tests)
    mark = "❌" if needs_action else "⚠️" if worried else "✅"
    return VerdictLine(mark=mark, text=text, needs_action=needs_action)


def counts(view: View) -> str:
    """Return the outcomes of all tests: `409 passed, 2 failed, 1 skipped`."""
    known = (
        (view.passed, "passed"),
        (view.failed, "failed"),
        (view.interrupted, "interrupted"),
        (view.skipped, "skipped"),
    )
    return ", ".join(f"{number:,} {word}" for number, word in known if number)


def tests_in_jobs(view: View) -> str:
    """Return how many tests ran where: `412 tests in 2 jobs`."""
    return f"{count(view.tests, 'test')} in {count(len(view.jobs), 'job')}"


def how_it_ended(died: Died) -> str:
    """Return what became of a run that did not come to its own end, as what follows its name."""
    head = died.record
    at = head.command.timeout_s
    if head.outcome is Outcome.TIMED_OUT:
        limit = f"at the limit{f' of {figures.limit(at)}' if at else ''}"
        silent = any(each.startswith(HUNG) for each in head.findings)
        when = "because it had gone silent" if silent else limit
        return f"timed out: Telltale killed it and all it had started {when}."
    if head.outcome is Outcome.CRASHED:
        return f"crashed: it died by {_signal(head)}, which Telltale did not send."
    if head.outcome is Outcome.INTERRUPTED:
        return "was interrupted: the job was cancelled or the runner was shutting down."
    if head.outcome is Outcome.RUNNING:
        return (
            "was cut off: Telltale itself was killed beside it (out of memory, a hard cancel,"
            " a runner that went away). What was written until then is here."
        )
    if head.outcome is Outcome.ERROR:
        return "could not be carried out: the command did not start, or Telltale failed beside it."
    return f"ended with exit status {head.exit_code}, and no failed test was found."


def how_far(died: Died) -> str:
    """Return how far the run had come, empty when nothing is known."""
    known = []
    if died.record.resources.wall_s is not None:
        known.append(f"It ran for {figures.seconds(died.record.resources.wall_s)}.")
    if died.ended:
        known.append(f"{count(died.ended, 'test')} had ended.")
    if died.record.resources.cpu_percent is not None:
        known.append(f"CPU use {figures.percent(died.record.resources.cpu_percent)}.")
    if died.record.resources.max_rss_bytes is not None:
        known.append(f"Peak memory {figures.size(died.record.resources.max_rss_bytes)}.")
    return " ".join(known)


def resources_line(view: View) -> str:
    """Return what the only job used, or of how many jobs the table tells."""
    if len(view.jobs) != 1:
        return f"Resources of {count(len(view.jobs), 'job')}"
    used = view.jobs[0].comparison.head.resources
    known = (
        (used.wall_s, f"{figures.seconds(used.wall_s)} wall"),
        (cpu_s(used), f"{figures.seconds(cpu_s(used))} CPU"),
        (used.max_rss_bytes, f"{figures.size(used.max_rss_bytes)} peak memory"),
    )
    listed = ", ".join(text for value, text in known if value is not None)
    return f"Resources: {listed}" if listed else "Resources"


def _signal(head: Record) -> str:
    number = (head.exit_code or 0) - 128
    if number <= 0:
        return "a signal"
    return _SIGNALS.get(number, f"signal {number}")


def _ended_badly(view: View) -> list[str]:
    found = []
    for outcome, (one, many) in _ENDS.items():
        number = sum(died.record.outcome is outcome for died in view.died)
        if number:
            found.append(count(number, one, many))
    return found


def _alarming(view: View) -> list[str]:
    number = len(view.disagreements)
    what = ("run disagrees with itself", "runs disagree with themselves")
    return [count(number, *what)] if number else []


def _invalid(view: View) -> str:
    return count(len(view.invalid), "run is invalid", "runs are invalid") if view.invalid else ""


def _failed(view: View) -> list[str]:
    return [
        *_causes(view.failures(FailureVerdict.NEW), "new failure", "new failures"),
        *_causes(
            view.failures(FailureVerdict.UNDECIDED),
            "failure without history",
            "failures without history",
        ),
    ]


def _slower(view: View) -> list[str]:
    number = len(view.regressions)
    return [count(number, "regression")] if number else []


def _risen(view: View) -> list[str]:
    number = sum(drift.worse for drift in view.drifts)
    where = f" on {view.base}" if view.base else ""
    return [count(number, "level rose", "levels rose") + where] if number else []


def _excused(view: View) -> list[str]:
    flakes = view.failures(FailureVerdict.FLAKY)
    known = view.failures(FailureVerdict.KNOWN)
    there = (f"failure known on {view.base}", f"failures known on {view.base}")
    return [
        *_causes([group for group in flakes if not group.seen_before], "new flake", "new flakes"),
        *_causes([group for group in flakes if group.seen_before], "known flake", "known flakes"),
        *_causes(known, *(there if view.base else ("known failure", "known failures"))),
    ]


def _causes(groups: Sequence[Group], one: str, many: str) -> list[str]:
    if not groups:
        return []
    tests = len({test for group in groups for test in group.tests})
    spread = f" in {tests:,} tests" if tests > len(groups) else ""
    return [count(len(groups), one, many) + spread]


def _all_pass(view: View) -> str:
    skipped = f", {view.skipped:,} skipped" if view.skipped else ""
    if view.passed == 1:
        return f"The only test passes{skipped}"
    return f"All {view.passed:,} tests pass{skipped}"


def _compared(view: View) -> str:
    if not view.baselines:
        reasons = [reason for reason, _ in view.baseline_reasons]
        why = f" ({reasons[0]})" if len(reasons) == 1 else ""
        return f"nothing to compare with yet{why}"
    rows = [row.judgement for row in view.decisive]
    undecided = [row for row in rows if row.verdict is Verdict.UNDECIDED]
    if rows and len(undecided) == len(rows):
        reasons = list(dict.fromkeys(row.reason for row in rows))
        why = f": {reasons[0]}" if len(reasons) == 1 else ""
        return f"{_listed(rows)} undecided{why}"
    fewest, most = min(view.baselines), max(view.baselines)
    runs = f"{fewest} to {most} runs" if fewest != most else count(most, "run")
    against = f"against {runs}" + (f" of {view.base}" if view.base else "")
    if view.improvements:
        return f"{count(len(view.improvements), 'improvement')} {against}"
    if not rows:
        return ""
    return f"{_listed([row for row in rows if row not in undecided])} unchanged {against}"


def _listed(judgements: Sequence[Judgement]) -> str:
    *most, last = dict.fromkeys(metric(judgement.metric) for judgement in judgements)
    return f"{', '.join(most)} and {last}" if most else last
