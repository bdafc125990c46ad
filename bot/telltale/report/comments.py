"""
The pull request comment and the job summary: the same parts, under different limits.

GitHub takes 65,536 characters of a comment and 1 MiB of a summary. What is
too long is shortened by `SHRINK`, one step after the other, until it fits:
whole rows and whole parts go, so tables stay tables and fences stay closed.
"""

from __future__ import annotations

import functools
import json
import re
from dataclasses import dataclass, replace
from typing import Any

from telltale.records import FailureVerdict
from telltale.report import templating, words
from telltale.report.arrange import make_view
from telltale.report.data import ReportData
from telltale.report.view import View

MARKER = "<!-- telltale:comment -->"
"""The first line of every comment of ours, and of no other."""

COMMENT_LIMIT = 65_000
"""Below GitHub's 65,536, which it counts in code points in one place and in bytes in another."""

SUMMARY_LIMIT = 1_000_000
"""Below GitHub's 1 MiB for one step's summary, in bytes."""

_STATE = re.compile(r"<!-- telltale:state (\{[^\n]{0,500}\}) -->")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much of each part is shown: rows, except where the name says otherwise."""

    died: int = 5
    alarms: int = 5
    """Runs whose evidence disagrees with itself, and runs that are invalid."""
    problems: int = 10
    blocks: int = 5
    """Failures shown with their text."""
    lines: int = 14
    """Lines of a failure's text."""
    commands: int = 3
    """Jobs whose command is shown, to run it again; with 0, no scaffold's command either."""
    further: int = 50
    """Failures after `blocks`, one row each."""
    regressions: int = 30
    drifts: int = 20
    flakes: int = 30
    known: int = 30
    undecided: int = 20
    suspects: int = 20
    again: int = 20
    ceilings: int = 20
    improvements: int = 20
    slowest: int = 10
    resources: int = 50
    findings: int = 20
    changed: int = 20
    evidence: int = 50
    method: int = 10


FOR_SUMMARY = Limits(
    died=50,
    alarms=50,
    problems=50,
    blocks=30,
    lines=40,
    further=1000,
    regressions=500,
    drifts=500,
    flakes=500,
    known=500,
    undecided=200,
    suspects=200,
    again=200,
    ceilings=200,
    improvements=200,
    slowest=25,
    resources=300,
    findings=200,
    changed=500,
    evidence=300,
    method=50,
)

PARTS = (
    "heading",
    "died",
    "disagreements",
    "invalid",
    "problems",
    "new_failures",
    "undecided_failures",
    "again",
    "regressions",
    "drifts",
    "flakes",
    "known",
    "undecided",
    "measured",
    "suspects",
    "improvements",
    "ceilings",
    "slowest",
    "resources",
    "findings",
    "changed",
    "evidence",
    "method",
)
"""Macros of `templates/report.md.j2`, in the order in which people read them."""

SHRINK: tuple[tuple[str, int, str], ...] = (
    ("slowest", 0, "slowest tests"),
    ("changed", 0, "added and removed tests"),
    ("improvements", 0, "improvements"),
    ("ceilings", 5, "ceilings"),
    ("again", 5, "figures measured again"),
    ("suspects", 5, "suspects"),
    ("findings", 5, "findings"),
    ("undecided", 5, "undecided figures"),
    ("further", 20, "failures beyond the first ones"),
    ("ceilings", 0, "ceilings"),
    ("again", 0, "figures measured again"),
    ("suspects", 0, "suspects"),
    ("resources", 10, "resources"),
    ("evidence", 10, "evidence links"),
    ("known", 10, "known failures"),
    ("flakes", 10, "known flakes"),
    ("lines", 6, "texts of failures"),
    ("findings", 0, "findings"),
    ("undecided", 0, "undecided figures"),
    ("resources", 0, "resources"),
    ("method", 0, "how this was computed"),
    ("further", 5, "failures beyond the first ones"),
    ("blocks", 2, "texts of failures"),
    ("known", 3, "known failures"),
    ("flakes", 3, "known flakes"),
    ("drifts", 5, "changes of level"),
    ("commands", 0, "commands"),
    ("regressions", 5, "regressions"),
    ("drifts", 2, "changes of level"),
    ("problems", 3, "problems"),
    ("evidence", 0, "evidence links"),
    ("died", 3, "runs that did not end"),
    ("alarms", 2, "runs that are invalid or disagree with themselves"),
)
"""(limit, new value, what people call it): the least important first, each step on top of those
before; docs/report.md has the list. What is left after the last one always fits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Which run a comment speaks of, so that an older run never overwrites a newer one."""

    head: str
    run_id: int | None
    attempt: int


def comment(data: ReportData) -> str:
    """Return the pull request comment, hidden marker and state first."""
    head = f"{MARKER}\n{_state_line(data)}\n"
    return head + _fitting(make_view(data), Limits(), COMMENT_LIMIT - len(head))


def summary(data: ReportData) -> str:
    """Return the job summary: the comment's parts with more of each."""
    return _fitting(make_view(data), FOR_SUMMARY, SUMMARY_LIMIT)


def state_of(body: str) -> State | None:
    """Return the state that a comment of ours carries; None when it is not ours or has none."""
    lines = body.replace("\r\n", "\n").split("\n", 2)
    found = _STATE.fullmatch(lines[1]) if len(lines) > 1 and lines[0] == MARKER else None
    if not found:
        return None
    try:
        raw = json.loads(found[1])
        run = raw["run"]
        return State(
            head=str(raw["head"]),
            run_id=None if run is None else int(run),
            attempt=int(raw["attempt"]),
        )
    except (ValueError, KeyError, TypeError):
        return None


def _state_line(data: ReportData) -> str:
    # Nothing but hex digits and numbers: "--" or ">" cannot come in and end the HTML comment.
    sha = re.fullmatch(r"[0-9a-f]{7,64}", data.head_sha)
    state = {
        "head": sha[0] if sha else "",
        "run": data.run_id,
        "attempt": data.run_attempt,
    }
    return f"<!-- telltale:state {json.dumps(state)} -->"


def _fitting(view: View, limits: Limits, most: int) -> str:
    """Return the text after as few steps of `SHRINK` as make it fit."""
    low, high = 0, len(SHRINK)
    text = _shortened(view, limits, 0)
    if _fits(text, most):
        return text
    while high - low > 1:
        middle = (low + high) // 2
        if _fits(_shortened(view, limits, middle), most):
            high = middle
        else:
            low = middle
    return _shortened(view, limits, high)


def _fits(text: str, most: int) -> bool:
    return len(text.encode()) <= most  # never fewer bytes than code points


def _shortened(view: View, limits: Limits, steps: int) -> str:
    there = _rows(view)
    cut: dict[str, None] = {}
    for name, value, called in SHRINK[:steps]:
        if value < min(getattr(limits, name), there[name]):
            limits = replace(limits, **{name: value})
            cut[called] = None
    return _render(view, limits, tuple(cut))


def _rows(view: View) -> dict[str, int]:
    """Return how much there is of what each limit bounds."""
    loud = [view.failures(verdict) for verdict in (FailureVerdict.NEW, FailureVerdict.UNDECIDED)]
    causes = max(len(groups) for groups in loud)
    lengths = [1 + group.example.text.count("\n") for groups in loud for group in groups]
    return {
        "died": len(view.died),
        "alarms": max(len(view.disagreements), len(view.invalid)),
        "problems": len(view.problems),
        "blocks": causes,
        "lines": max(lengths, default=0),
        "commands": len(view.reruns) + sum(bool(group.command) for group in view.groups),
        "further": causes,
        "regressions": len(view.regressions),
        "drifts": len(view.drifts),
        "flakes": len(view.failures(FailureVerdict.FLAKY)),
        "known": len(view.failures(FailureVerdict.KNOWN)),
        "undecided": len(view.undecided),
        "suspects": len(view.suspects),
        "again": len(view.again),
        "ceilings": len(view.ceilings),
        "improvements": len(view.improvements),
        "slowest": len(view.slowest),
        "resources": len(view.jobs),
        "findings": len(view.findings),
        "changed": max(len(view.added), len(view.removed)),
        "evidence": len(view.jobs),
        "method": len(view.jobs),
    }


def _render(view: View, limits: Limits, cut: tuple[str, ...]) -> str:
    parts = _parts()
    line = words.verdict_line(view)
    texts = [str(getattr(parts, name)(view, limits, line)) for name in PARTS]
    if cut:
        texts.append(str(parts.left_out(view, cut)))
    return "\n\n".join(filter(None, (text.strip("\n") for text in texts))) + "\n"


@functools.cache
def _parts() -> Any:
    return templating.markdown_environment().get_template("report.md.j2").module
