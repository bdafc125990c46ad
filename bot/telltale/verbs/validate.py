"""`telltale validate`: check that bundles are complete and well formed."""

from __future__ import annotations

from pathlib import Path

from telltale import bundle
from telltale.capture.words import many
from telltale.errors import BundleError
from telltale.options import Invocation


def run(invocation: Invocation) -> int:
    """Print one line for each problem; return 1 when there is one, 0 when there is none."""
    folders = bundle.find([Path(argument) for argument in invocation.arguments])
    if not folders:
        raise BundleError(f"no evidence bundle in {', '.join(invocation.arguments)}")
    problems = [problem for folder in folders for problem in bundle.verify(folder)]
    for problem in problems:
        print(problem)
    if not problems:
        print(f"{many(len(folders), 'complete bundle')}.")
    return 1 if problems else 0
