"""`telltale flakes`: which tests come and go."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from telltale import gha
from telltale.flaky.detect import find_flakes
from telltale.flaky.filing import decide
from telltale.options import Invocation
from telltale.records import Flake
from telltale.verbs.bundles import history_of, warn


def run(invocation: Invocation) -> int:
    """Load the history, find the flakes, print them."""
    store = history_of(invocation, gha.context(invocation.environ))
    flakes = [flake for series in store.series() for flake in find_flakes(store.load(series))]
    warn(store.problems, invocation)
    if invocation.flag("json"):
        print(json.dumps(to_json(flakes), indent=2))
    else:
        print("\n".join(table(flakes, store.where)))
    return 0


def to_json(flakes: Sequence[Flake]) -> list[dict[str, Any]]:
    """Return the flakes as JSON values, the most frequent first."""
    waiting = _waiting(flakes)
    return [
        {
            "nodeid": flake.nodeid,
            "series": {
                "kind": flake.series.kind.value,
                "job": flake.series.job,
                "name": flake.series.name,
            },
            "signature": flake.signature,
            "kind": flake.failure.kind.value,
            "message": flake.failure.message,
            "failed": len(flake.failed),
            "executions": flake.runs,
            "first_seen": flake.failed[0].started_at,
            "last_seen": flake.failed[-1].started_at,
            "shas": sorted({one.sha for one in flake.failed if one.sha}),
            "recurred": flake not in waiting,
            "why_not": waiting.get(flake, ""),
        }
        for flake in flakes
    ]


def table(flakes: Sequence[Flake], where: str) -> Iterator[str]:
    """Yield the lines that a person at a terminal reads."""
    if not flakes:
        yield f"No test passed and failed on the same code in {where}."
        return
    waiting = _waiting(flakes)
    for flake in flakes:
        first, last = flake.failed[0].started_at[:10], flake.failed[-1].started_at[:10]
        yield flake.nodeid or "(the whole run)"
        yield (
            f"  failed {len(flake.failed)} of {flake.runs} times in {flake.series.title},"
            f" {first} to {last}"
        )
        yield f"  {flake.failure.kind.value}: {flake.failure.message[:160]}"
        yield f"  {flake.signature}"
        why = waiting.get(flake)
        yield f"  no issue yet: {why}" if why else "  recurred: `report` files an issue"
        yield ""


def _waiting(flakes: Sequence[Flake]) -> dict[Flake, str]:
    held = decide(flakes, limit=len(flakes)).held
    return {one.flake: one.reason for one in held}
