"""`telltale drift`: where CPU time, memory or a test's duration changed on the default branch."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from telltale import gha
from telltale.compare.drift import find_drifts
from telltale.options import Invocation
from telltale.records import Drift
from telltale.report import figures, words
from telltale.report.escape import one_line
from telltale.report.exports import drift_to_json
from telltale.verbs.bundles import history_of, warn


def run(invocation: Invocation) -> int:
    """Load the history, find the changes of level, print them."""
    store = history_of(invocation, gha.context(invocation.environ))
    drifts = [drift for series in store.series() for drift in find_drifts(store.load(series))]
    warn(store.problems, invocation)
    if invocation.flag("json"):
        print(json.dumps([drift_to_json(drift) for drift in drifts], indent=2))
    else:
        print("\n".join(table(drifts, store.where)))
    return 0


def table(drifts: Sequence[Drift], where: str) -> Iterator[str]:
    """Yield the lines that a person at a terminal reads."""
    if not drifts:
        yield f"No level changed on the default branch in {where}."
        return
    for drift in drifts:
        subject = one_line(drift.nodeid, 200) or "(the whole run)"
        yield f"{subject}: {words.metric(drift.metric)} {figures.change(drift.change)}"
        yield (
            f"  {figures.quantity(drift.before, drift.unit)} in {drift.n_before} runs,"
            f" then {figures.quantity(drift.after, drift.unit)} in {drift.n_after},"
            f" of {one_line(drift.series.title, 120)}"
            f" on {one_line(drift.fingerprint, 16)}"
        )
        yield f"  {_between(drift)}"
        yield (
            "  still so"
            if drift.standing
            else f"  since taken back: {figures.quantity(drift.now, drift.unit)} now"
        )
        yield ""


def _between(drift: Drift) -> str:
    days = f"{drift.last_before.started_at[:10]} to {drift.first_after.started_at[:10]}"
    if drift.commits:
        return f"commits {one_line(drift.commits, 30)}, {days} {drift.compare_url}".rstrip()
    if drift.first_after.sha and drift.first_after.sha == drift.last_before.sha:
        return f"{days}, without a new commit: look at the machine and what it installs"
    return f"{days}, commits not known"
