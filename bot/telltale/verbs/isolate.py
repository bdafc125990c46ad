"""`telltale isolate`: run a failed test alone, in order, after few others; say what it depends on."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from telltale import bundle, gha
from telltale.capture import isolate as isolating
from telltale.capture.isolate import place, read_case, redacted
from telltale.capture.redact import Redactor
from telltale.capture.signals import Signals
from telltale.errors import UsageError
from telltale.model import Isolation
from telltale.options import Invocation
from telltale.values import asdict


def run(invocation: Invocation) -> int:
    """Print one line a step on stderr and the sentence on stdout; 0 whatever the verdict is."""
    folder, nodeid = _arguments(invocation)
    source = invocation.path("source")
    cwd = place(bundle.read_manifest(folder), source)
    case = read_case(folder, nodeid, cwd=cwd.absolute(), environ=invocation.environ)
    hide = Redactor(invocation.environ).text
    began = time.monotonic()

    def say(line: str) -> None:
        print(f"[{time.monotonic() - began:6.1f} s] {hide(line)}", file=sys.stderr, flush=True)

    for note in case.notes:
        say(note)
    with Signals() as signals:
        found = isolating.isolate(
            case,
            budget_s=invocation.seconds("budget") or 120.0,
            asked=lambda: signals.asked is not None,
            say=say,
        )
        _tell(redacted(found, hide), invocation)
        return 128 + signals.asked if signals.asked is not None else 0


def _tell(found: Isolation, invocation: Invocation) -> None:
    if invocation.flag("json"):
        print(json.dumps(asdict(found), indent=2))
    else:
        print(f"{found.nodeid}: {found.sentence}")
        if found.command:
            print(f"to see it: {found.command}")
    gha.set_outputs(invocation.environ, verdict=found.verdict.value)


def _arguments(invocation: Invocation) -> tuple[Path, str]:
    if len(invocation.arguments) != 2:
        raise UsageError(
            "isolate takes a bundle and a test: telltale isolate BUNDLE tests/test_a.py::test_b"
        )
    where, nodeid = invocation.arguments
    found = bundle.find([Path(where)])
    if not found:
        raise UsageError(f"no evidence bundle in {where}: expected a folder with evidence.json")
    if len(found) > 1:
        raise UsageError(f"{len(found)} bundles in {where}: name one, as in isolate {found[-1]}")
    return found[0], nodeid
