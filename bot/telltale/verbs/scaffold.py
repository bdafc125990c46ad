"""`telltale scaffold`: from an evidence bundle to a folder that reproduces its failure."""

from __future__ import annotations

from pathlib import Path

from telltale import bundle, scaffold
from telltale.errors import UsageError
from telltale.options import Invocation


def run(invocation: Invocation) -> int:
    """Find the bundle, choose the failure, write the scaffold, say how to run it."""
    folder = _bundle(invocation)
    request = scaffold.request_from_bundle(folder, invocation.text("nodeid"))
    written = scaffold.write(request, invocation.path("out"))
    print(f"{request.failure.nodeid or 'the whole run'}: {request.failure.signature}")
    print(f"in a checkout of the code, run: {written / 'run_test.sh'}")
    return 0


def _bundle(invocation: Invocation) -> Path:
    found = bundle.find([Path(argument) for argument in invocation.arguments])
    if len(found) == 1:
        return found[0]
    where = ", ".join(invocation.arguments)
    if not found:
        raise UsageError(f"no evidence bundle in {where}: expected a folder with evidence.json")
    newest = found[-1]
    raise UsageError(f"{len(found)} bundles in {where}: name one, as in scaffold {newest}")
