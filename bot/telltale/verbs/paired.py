"""`--confirm`: whether suspects are to be measured again once the bundle is complete."""

from __future__ import annotations

from collections.abc import Callable

from telltale import gha
from telltale.capture import summary
from telltale.capture.recording import Recording
from telltale.capture.signals import Signals
from telltale.errors import TelltaleError, UsageError
from telltale.model import Outcome, TestResult
from telltale.options import Invocation
from telltale.values import dataclass

_MEASURED = frozenset({Outcome.PASSED, Outcome.FAILED})
"""Outcomes of runs that came to their end by themselves: the others have no figures, or no time."""
_CHANGES = frozenset({"pull_request", "pull_request_target", "merge_group"})
"""Events of runs that test a change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is to be done with suspects."""

    always: bool
    budget_s: float


def wanted(invocation: Invocation) -> Wanted | None:
    """Return what is to be done with suspects, None when nothing is; `UsageError` otherwise."""
    how = invocation.text("confirm").strip().lower() or "auto"
    if how not in {"auto", "always", "never"}:
        raise UsageError(f"--confirm: expected auto, always or never, got {how!r}")
    budget_s = invocation.seconds("confirm-budget") or 120.0
    if how == "always" and not invocation.text("history"):
        raise UsageError(
            "--confirm always: what is suspected is told by earlier runs: name them with --history URI"
        )
    if how == "never" or not invocation.text("history"):
        return None
    return Wanted(always=how == "always", budget_s=budget_s)


def confirm_suspects(
    recording: Recording,
    results: tuple[TestResult, ...] | None,
    *,
    wanted: Wanted | None,
    signals: Signals,
    invocation: Invocation,
    say: Callable[[str], None],
) -> None:
    """Measure suspects again, and complete the bundle once more; nothing of it changes the status."""
    if wanted is None or not results or signals.asked is not None:
        return
    context = gha.context({**invocation.environ, "GITHUB_EVENT_PATH": ""})
    if context.inside and context.event_name not in _CHANGES and not wanted.always:
        return
    if recording.evidence.outcome not in _MEASURED:
        return
    # Few runs need it, and every start would pay for it.
    from telltale.verbs import confirming  # noqa: PLC0415

    around = confirming.Surroundings(
        invocation=invocation,
        asked=lambda: signals.asked is not None,
        say=say,
        budget_s=wanted.budget_s,
        build=invocation.text("confirm-build"),
    )
    try:
        if not confirming.confirm(recording, results, around):
            return
    except TelltaleError as error:
        recording.findings.append(recording.clean(f"suspects were not confirmed: {error}"))
    except Exception as error:  # noqa: BLE001  # nothing beside the command may end the run
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        recording.findings.append(recording.clean(f"suspects could not be confirmed: {reason}"))
    recording.finish(tests=results, failures=recording.evidence.failures)
    gha.add_summary(invocation.environ, summary.confirmation(recording.evidence))
    for each in recording.evidence.confirmations:
        name = each.nodeid or "the whole run"
        say(f"confirm: {name}: {each.metric} {each.verdict.value}: {each.reason}")
    if recording.evidence.confirmations:
        say(f"confirm: {summary.confirmed(recording.evidence)}")
