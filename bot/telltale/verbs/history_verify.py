"""`telltale history verify`: read everything, name what is wrong."""

from __future__ import annotations

import dataclasses
import json

from telltale import gha
from telltale.history.audit import audit
from telltale.options import Invocation
from telltale.report.escape import one_line
from telltale.report.figures import count, size
from telltale.verbs.bundles import store_of


def run(invocation: Invocation) -> int:
    """Print one line for each file that is not as it should be; exit status 1 when there is one."""
    store = store_of(invocation, gha.context(invocation.environ))
    found = audit(store)
    if invocation.flag("json"):
        print(json.dumps(dataclasses.asdict(found), indent=2))
        return 1 if found.problems else 0
    # A path may be anybody's: it must not speak to the runner.
    with gha.commands_stopped(invocation.environ):
        for problem in found.problems:
            print(f"{one_line(problem.path, 500)}: {one_line(problem.what, 500)}")
    sound = (
        f"{count(found.records, 'sound record')} of {count(found.series, 'series', 'series')},"
        f" {size(found.bytes)}"
    )
    wrong = f"{count(len(found.problems), 'problem')}; " if found.problems else ""
    print(f"{wrong}{sound} in {store.where}")
    return 1 if found.problems else 0
