"""`--fail-on`: for those who want a verdict to fail the job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from telltale import gha
from telltale.errors import UsageError
from telltale.model import Verdict
from telltale.options import Invocation
from telltale.records import Comparison, FailureVerdict

EXIT = 1
"""Told apart from 2, a mistake in using Telltale, and 70, its own failure."""

_NAMES = ("regression", "new-failure")


def read(invocation: Invocation) -> frozenset[str]:
    """Return what fails the job; `UsageError` names what nobody knows."""
    names = frozenset(invocation.text("fail-on").replace(",", " ").split())
    unknown = sorted(names - set(_NAMES))
    if unknown:
        raise UsageError(f"--fail-on: unknown {', '.join(unknown)}: give {' or '.join(_NAMES)}")
    return names


def pass_on(shut: Sequence[str], environ: Mapping[str, str]) -> int:
    """Say why the gate is shut, and return the exit status."""
    for reason in shut:
        # A test's name may look like a workflow command, or like several lines.
        with gha.commands_stopped(environ):
            print(f"--fail-on: {' '.join(reason.split())[:500]}")
    return EXIT if shut else 0


def reasons(names: frozenset[str], comparisons: Sequence[Comparison]) -> tuple[str, ...]:
    """Return why the gate is shut, one sentence each; empty when it is open."""
    found = []
    for comparison in comparisons:
        title = comparison.head.series.title
        if "regression" in names:
            found += [
                f"{title}: {f'{one.nodeid} ' if one.nodeid else ''}{one.metric}: {one.reason}"
                for one in comparison.judgements
                if one.verdict is Verdict.REGRESSION and not one.advisory
            ]
        if "new-failure" in names:
            found += [
                f"{title}: new failure: {one.failure.nodeid or 'the run itself'}"
                for one in comparison.failures
                if one.verdict is FailureVerdict.NEW
            ]
    return tuple(found)
