"""Decide which flaky failures deserve an issue: few, recurring, and not the machine's fault."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone

from telltale.records import Flake, Occurrence
from telltale.values import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """When a flake has recurred; the defaults are those of docs/signatures.md."""

    min_failures: int = 2
    """Executions that failed with the signature."""
    min_runs: int = 2
    """Distinct runs among them; all runs of one pull request count as one."""
    min_pull_requests: int = 2
    """Pull requests that stand in for one failure on the default branch."""
    window_days: float = 14.0
    """How far back a failure counts, from the newest occurrence."""
    mass_failure: int = 3
    """More tests than this failing for the first time in one run: the run was sick."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A flake that gets no issue now, and why."""

    flake: Flake
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What to file, and what not with its reason."""

    file: tuple[Flake, ...]
    held: tuple[Held, ...]


def to_file(
    flakes: Sequence[Flake], *, limit: int = 1, policy: Policy | None = None, now: str = ""
) -> tuple[Flake, ...]:
    """Return the flakes to file, at most `limit`, the most frequent first; see `decide`."""
    return decide(flakes, limit=limit, policy=policy, now=now).file


def decide(
    flakes: Sequence[Flake], *, limit: int = 1, policy: Policy | None = None, now: str = ""
) -> Decision:
    """
    Sort flakes into those to file and those to hold.

    `now` is the instant the window ends at (ISO 8601), the newest occurrence
    when empty. One signature is filed once, whatever tests it hit. Failures
    of forks count for nothing. Leave out flakes that have an issue already:
    they would use up `limit`.
    """
    policy = policy or Policy()
    sick = _sick(flakes, policy)
    since = _since(flakes, policy, now)
    held: list[Held] = []
    ripe: list[tuple[tuple[int, int], Flake]] = []
    for flake in flakes:
        recent = [
            one
            for one in flake.failed
            if not one.fork and one.record_id not in sick and _instant(one.started_at) >= since
        ]
        reason = _reason_to_wait(flake, recent, sick, policy)
        if reason:
            held.append(Held(flake=flake, reason=reason))
        else:
            ripe.append(((len(_runs(recent)), len(recent)), flake))
    ripe.sort(key=lambda item: (-item[0][0], -item[0][1], item[1].signature, item[1].nodeid))
    chosen: dict[str, Flake] = {}
    for _, flake in ripe:
        if flake.signature in chosen:
            reason = f"has the cause of {chosen[flake.signature].nodeid or 'the run'}: one issue"
            held.append(Held(flake=flake, reason=reason))
        elif len(chosen) >= limit:
            held.append(Held(flake=flake, reason=f"at most {limit} new a report; next time"))
        else:
            chosen[flake.signature] = flake
    return Decision(file=tuple(chosen.values()), held=tuple(held))


def _reason_to_wait(
    flake: Flake, recent: Sequence[Occurrence], sick: set[str], policy: Policy
) -> str:
    if not recent and any(one.record_id in sick for one in flake.failed):
        return (
            f"failed only where more than {policy.mass_failure} stable tests failed at once:"
            " look at the runner or the environment, not at the test"
        )
    if not flake.passed_beside:
        return "never passed on the code on which it failed"
    runs = len(_runs(recent))
    if len(recent) < policy.min_failures or runs < policy.min_runs:
        return (
            f"{_count(len(recent), 'failure')} in {_count(runs, 'run')}"
            f" within {policy.window_days:g} days;"
            f" an issue needs {policy.min_failures} in {policy.min_runs}"
        )
    pulls = {one.pull_request for one in recent if one.pull_request is not None}
    # At a terminal there is no default branch; whoever keeps a history there vouches for it.
    on_default = any(one.default_branch or _local(one) for one in recent)
    if not on_default and len(pulls) < policy.min_pull_requests:
        return (
            "not seen on the default branch,"
            f" and in {len(pulls)} of the {policy.min_pull_requests} pull requests it takes"
        )
    return ""


def _local(occurrence: Occurrence) -> bool:
    return occurrence.run_id is None and occurrence.pull_request is None


def _sick(flakes: Sequence[Flake], policy: Policy) -> set[str]:
    """Return the records in which too many tests failed that had been stable before."""
    sick: set[str] = set()
    left = list(flakes)
    while True:
        first: dict[str, set[str]] = defaultdict(set)
        for flake in left:
            if flake.failed:
                first[flake.failed[0].record_id].add(flake.nodeid)
        found = {record for record, tests in first.items() if len(tests) > policy.mass_failure}
        if not found:
            return sick
        # What failed first in a sick run is stable still: the next run may be sick as well.
        sick |= found
        left = [
            replace(flake, failed=tuple(one for one in flake.failed if one.record_id not in sick))
            for flake in left
        ]


def _runs(occurrences: Sequence[Occurrence]) -> set[tuple[str, int | str]]:
    return {
        ("pull request", one.pull_request)
        if one.pull_request is not None
        else ("run", one.run_id if one.run_id is not None else one.record_id)
        for one in occurrences
    }


def _since(flakes: Sequence[Flake], policy: Policy, now: str) -> datetime:
    seen = [one.started_at for flake in flakes for one in (*flake.failed, *flake.passed_beside)]
    newest = max((_instant(text) for text in ([now] if now else seen)), default=None)
    if newest is None:
        return datetime.min.replace(tzinfo=timezone.utc)
    return newest - timedelta(days=policy.window_days)


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + "s" * (number != 1)


def _instant(text: str) -> datetime:
    # `Z` is not understood before Python 3.11.
    instant = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return instant if instant.tzinfo else instant.replace(tzinfo=timezone.utc)
