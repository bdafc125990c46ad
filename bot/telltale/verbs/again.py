"""`--isolate auto`: what profile-tests does with failed tests once the bundle is complete."""

from __future__ import annotations

import json
from collections.abc import Callable

from telltale import bundle, gha
from telltale.capture import summary
from telltale.capture.recording import Recording
from telltale.capture.signals import Signals
from telltale.errors import UsageError
from telltale.model import Command, Isolation, Outcome, TestResult
from telltale.options import Invocation
from telltale.values import asdict, replace

FILE = "artifacts/isolation.json"
_FAILED = frozenset({Outcome.FAILED, Outcome.TIMED_OUT, Outcome.PASSED})
"""Outcomes after which a test's failure is worth another look; the rest have nothing to run or no time."""


def wanted(invocation: Invocation) -> float | None:
    """Return the budget in seconds, None when nothing is to be isolated; `UsageError` otherwise."""
    how = invocation.text("isolate").strip().lower() or "off"
    if how not in {"auto", "off"}:
        raise UsageError(f"--isolate: expected auto or off, got {how!r}")
    budget_s = invocation.seconds("isolate-budget") or 120.0
    return budget_s if how == "auto" else None


def isolate_failures(
    recording: Recording,
    tests: tuple[TestResult, ...] | None,
    *,
    budget_s: float | None,
    signals: Signals,
    invocation: Invocation,
    say: Callable[[str], None],
) -> None:
    """Run failed tests again, write what that shows, and complete the bundle once more."""
    if budget_s is None:
        return
    # Few runs need it, and every start would pay for it.
    from telltale.capture.isolate import automatic, redacted  # noqa: PLC0415

    failures, left_out = automatic.chosen(recording.evidence.failures)
    if not failures:
        return
    if signals.asked is not None or recording.evidence.outcome not in _FAILED:
        outcome = recording.evidence.outcome
        why = f"the run was {outcome.value}" if outcome not in _FAILED else "it was interrupted"
        recording.findings.append(f"no failed test was run again: {why}")
    else:
        plan = recording.plan
        found: list[Isolation | str] = []
        each_one = automatic.isolate_each(
            recording.folder,
            failures,
            command=Command(argv=plan.argv, cwd=".", env=plan.overrides),
            cwd=plan.cwd,
            environ=plan.child_environ,
            budget_s=budget_s,
            asked=lambda: signals.asked is not None,
            say=say,
        )
        # What was found before something broke is kept.
        recording.attempt("what failed tests depend on", lambda: found.extend(each_one))
        _write(
            recording,
            tuple(redacted(each, recording.clean) for each in found if isinstance(each, Isolation)),
        )
        recording.findings += [each for each in found if isinstance(each, str)]
        recording.findings += [left_out] if left_out else []
    recording.finish(tests=tests, failures=recording.evidence.failures)
    for each in recording.evidence.isolation:
        say(f"{each.nodeid}: {each.sentence}")
    gha.add_summary(invocation.environ, summary.isolation(recording.evidence))


def _write(recording: Recording, found: tuple[Isolation, ...]) -> None:
    recording.evidence = replace(recording.evidence, isolation=found)
    text = json.dumps([asdict(each) for each in found], indent=2) + "\n"
    recording.attempt(FILE, lambda: bundle.write_atomically(recording.folder / FILE, text))
