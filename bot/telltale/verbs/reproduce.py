"""`telltale reproduce`: run a scaffold and say whether, or how often, it fails."""

from __future__ import annotations

from pathlib import Path

from telltale import gha, scaffold
from telltale.errors import UsageError
from telltale.options import Invocation
from telltale.scaffold import Result
from telltale.scaffold.writer import BUDGET_S


def run(invocation: Invocation) -> int:
    """Run the scaffold and exit as it does: 1 reproduced, 0 not, 2 could not run, 3 otherwise."""
    if len(invocation.arguments) != 1:
        raise UsageError("reproduce takes one scaffold: name its folder")
    folder = Path(invocation.arguments[0])
    source = invocation.path("source")
    if not source.is_dir():
        raise UsageError(f"--source: there is no folder {source}")
    budget_s = invocation.seconds("budget") or BUDGET_S
    with gha.group(f"run_test.sh of {folder.name}", invocation.environ):
        result = scaffold.reproduce(
            folder, source=source, budget_s=budget_s, rate=invocation.flag("rate")
        )
    gha.set_outputs(
        invocation.environ,
        exit_status=str(result.exit_status),
        reproduced=str(result.reproduced).lower(),
        tries=str(result.tries),
        same=str(result.same),
    )
    gha.add_summary(invocation.environ, summary(folder, result))
    return result.exit_status


def summary(folder: Path, result: Result) -> str:
    """Return what came out as Markdown."""
    said = "".join(char if char.isprintable() else " " for char in result.said).replace("`", "'")
    return f"### Scaffold {folder.name}\n\n`{said}`\n"
