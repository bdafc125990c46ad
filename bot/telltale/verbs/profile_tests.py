"""`telltale profile-tests`: run a test command under measurement and keep an evidence bundle."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path

from telltale import bundle, gha
from telltale.capture import failures, guards, profilers, reports, shell, stuck, summary
from telltale.capture.command import Ended
from telltale.capture.events import Events
from telltale.capture.guards import Guards
from telltale.capture.recording import Plan, Recording
from telltale.capture.reports import Stamp
from telltale.capture.signals import Signals
from telltale.capture.words import many
from telltale.errors import UsageError
from telltale.model import BundleKind, Outcome, TestResult
from telltale.options import Invocation
from telltale.verbs import again, naming, paired

_DEFAULT_GLOB = "**/*junit*.xml"
_FORGIVEN = frozenset({Outcome.FAILED, Outcome.CRASHED, Outcome.TIMED_OUT})
"""What `--continue-on-failure` is about: the command ran. A cancelled job or a typo is not."""


def run(invocation: Invocation) -> int:
    """
    Run the command and return its own status: 128+N after signal N, 124 at the time limit.

    With `--continue-on-failure` a command that ran and failed counts as 0.
    What goes wrong in Telltale after the command has started is said on
    stderr and never changes the status.
    """
    plan, required = read_plan(invocation), read_guards(invocation)
    isolate_s = again.wanted(invocation)
    confirming = paired.wanted(invocation)
    forgiving = invocation.flag("continue-on-failure")
    glob = invocation.text("junit") or _DEFAULT_GLOB
    with Signals() as signals:
        recording = Recording(plan, datetime.now(timezone.utc))
        recording.attempt("the step's outputs", lambda: announce(recording, invocation))
        recording.describe()
        recording.complete_earlier()
        for reason in recording.require(required):
            message = f"INVALID: this run will be no measurement: {reason}"
            say(gha.warning_line(message, invocation.environ))
        before = recording.attempt("older JUnit files", lambda: stamps(plan, glob)) or {}
        ended = recording.run(signals)
        try:
            results = conclude(recording, ended, glob, before)
            tell(recording, ended, invocation)
            if signals.asked is None and recording.ask_torch():
                recording.finish(tests=results, failures=recording.evidence.failures)
            again.isolate_failures(
                recording,
                results,
                budget_s=isolate_s,
                signals=signals,
                invocation=invocation,
                say=say,
            )
            paired.confirm_suspects(
                recording,
                results,
                wanted=confirming,
                signals=signals,
                invocation=invocation,
                say=say,
            )
        except Exception as error:  # noqa: BLE001  # the command's status goes first
            message = f"the bundle in {recording.folder} may be incomplete: {error}"
            say(gha.error_line(message, invocation.environ))
    if forgiving and ended.outcome in _FORGIVEN:
        say(gha.warning_line(f"{forgiven(ended)}; the step goes on", invocation.environ))
        return 0
    return ended.status


def read_plan(invocation: Invocation) -> Plan:
    """Return what to run; `UsageError` says which option makes no sense."""
    text = invocation.text("command")
    if bool(text.strip()) == bool(invocation.command):
        raise UsageError(
            "profile-tests: give either --command 'TEXT' or `-- COMMAND ...`"
            f"{', not both' if text else ''}; as in telltale profile-tests -- pytest -q"
        )
    cwd = Path(invocation.text("working-directory") or ".")
    if not cwd.is_dir():
        raise UsageError(f"--working-directory: there is no folder {cwd}")
    return Plan(
        kind=BundleKind.TESTS,
        name=naming.series_name(
            invocation.text("name") or "tests", naming.read_leg(invocation.text("matrix"))
        ),
        argv=invocation.command or shell.argv(text),
        cwd=cwd.absolute(),
        out=invocation.path("out"),
        overrides=invocation.pairs("env"),
        timeout_s=invocation.seconds("timeout"),
        hang_after_s=invocation.seconds("hang-after"),
        profilers=profilers.choose(invocation.text("profile")),
        probe=invocation.flag("probe"),
        leaks=invocation.flag("leaks"),
        environ=invocation.environ,
        image=invocation.text("image"),
        runner_class=" ".join(invocation.text("runner-class").split())[:100],
        masks=invocation.lines("mask"),
    )


def read_guards(invocation: Invocation) -> Guards:
    """Return what the run requires; `UsageError` says which option makes no sense."""
    return guards.read(
        invocation.lines("require-env"),
        invocation.lines("require-flag"),
        clean_tree=invocation.flag("require-clean-tree"),
    )


def announce(recording: Recording, invocation: Invocation) -> None:
    """Set the outputs that the upload needs, before anything can go wrong."""
    hide = recording.redactor.secrets
    leg = naming.read_leg(invocation.text("matrix"))
    gha.set_outputs(
        invocation.environ,
        bundle=str(recording.folder),
        upload=gha.glob_literal(str(recording.folder)),
        artifact=naming.artifact_name(
            hide(invocation.text("artifact-name")),
            # The event's file is not needed, so one that cannot be read does no harm.
            context=gha.context({**invocation.environ, "GITHUB_EVENT_PATH": ""}),
            name=hide(invocation.text("name")),
            matrix={key: hide(leg[key]) if isinstance(leg[key], str) else leg[key] for key in leg},
        ),
    )


def stamps(plan: Plan, glob: str) -> Mapping[Path, Stamp]:
    """Return the JUnit files that are there already."""
    return reports.stamps(plan.cwd, glob, without=plan.out.absolute())


def conclude(
    recording: Recording, ended: Ended, glob: str, before: Mapping[Path, Stamp]
) -> tuple[TestResult, ...] | None:
    """Read what the command left, name its failures, and complete the bundle; return the tests."""
    plan = recording.plan
    recording.measure(ended)
    recording.gather(slow=False)
    if ended.outcome is not Outcome.INTERRUPTED:
        recording.list_again()
        recording.look_again()
    found = recording.attempt(
        "the test report",
        lambda: reports.collect(
            plan.cwd,
            glob,
            before,
            bundle=recording.folder,
            without=plan.out.absolute(),
            roots=recording.roots,
            redactor=recording.redactor,
        ),
    )
    told = recording.tests(found)
    results = told.results
    if ended.outcome is not Outcome.ERROR:
        recording.findings += (*(found.findings if found else ()), *told.findings)
    recording.findings += failures.remarks(results, ended)
    recording.disagreements += told.disagreements
    recording.disagreements += failures.disagreements(results, ended, told.events)
    if results is not None:
        recording.attempt(
            "the tests' results",
            lambda: recording.rewrite(
                bundle.TESTS,
                lambda: bundle.write_tests(
                    recording.folder, results, source="junit", damage=told.events.damage
                ),
            ),
        )
    log = recording.folder / "logs/output.log"
    named = recording.attempt(
        "the failures' names",
        lambda: failures.name_all(results or (), ended, log, _stuck(recording, told.events, ended)),
    )
    recording.tell_leaks(told.events)
    recording.finish(tests=results, failures=named or ())
    # A cancelled job has no time for pictures; the recordings are there.
    if ended.outcome is not Outcome.INTERRUPTED and recording.gather(slow=True):
        recording.finish(tests=results, failures=named or ())
    return results


def _stuck(recording: Recording, said: Events, ended: Ended) -> str:
    """Return the stacks of the test that was running when Telltale ended the run."""
    if ended.outcome is not Outcome.TIMED_OUT:
        return ""
    stacks = (stuck.stacks_of(recording.folder, test.pid) for test in said.running)
    return next(filter(None, stacks), "")


def tell(recording: Recording, ended: Ended, invocation: Invocation) -> None:
    """Say how it went: the step's outputs, its summary, and one line."""
    environ, evidence = invocation.environ, recording.evidence
    counts = evidence.tests
    gha.set_outputs(
        environ,
        outcome=evidence.outcome.value,
        exit_code=str(ended.exit_code),
        elapsed=f"{ended.elapsed_s:.3f}",
        peak_rss=str(peak) if (peak := _peak_rss(ended)) is not None else "",
        failed_tests=str(counts.failed + counts.errors) if counts else "",
    )
    path = recording.folder / "analysis/summary.md"
    gha.add_summary(environ, path.read_text(encoding="ascii"))
    tests = f", {many(counts.total, 'test')}" if counts else ""
    for disagreement in evidence.disagreements:
        say(gha.error_line(disagreement, environ))
    invalid = " (INVALID: no measurement)" if evidence.invalid else ""
    say(
        f"telltale: {evidence.outcome.value}{invalid} in {summary.duration(ended.elapsed_s)}{tests};"
        f" bundle: {recording.folder}"
    )


def forgiven(ended: Ended) -> str:
    """Return how the command failed, for the line that says that this does not count."""
    if ended.outcome is Outcome.TIMED_OUT:
        return f"the command was killed {'as hung' if ended.silent else 'at its time limit'}"
    if ended.outcome is Outcome.CRASHED:
        return f"the command was ended by signal {ended.signal}"
    return f"the command exited with {ended.exit_code}"


def _peak_rss(ended: Ended) -> int | None:
    used = ended.resources
    return used.max_rss_bytes if used.tree_peak_rss_bytes is None else used.tree_peak_rss_bytes


def say(line: str) -> None:
    """Print a line to stderr; when nobody can hear it, the command's status matters more."""
    # Past Python's buffer: what cannot be written must not be tried again at exit.
    with contextlib.suppress(OSError):
        os.write(2, f"{line}\n".encode("utf-8", "backslashreplace"))
