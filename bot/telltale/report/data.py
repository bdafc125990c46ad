"""What the texts are made from: gathered by the verbs, worded by the other modules here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from telltale.records import Comparison, Drift, Flake, IssueRef


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One bundle of the run under report, compared with its history."""

    comparison: Comparison
    artifact: str = ""
    """Name of the uploaded artifact that holds the evidence bundle."""
    artifact_url: str = ""
    reproduce: str = ""
    """What to paste into a shell, in a checkout of the code under test, to run this job's command
    again; empty when nobody can say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportData:
    """
    Everything the comment, the summary, the page and report.json say.

    The identities (repository, head, pull request, run, URLs) come from the
    event and GitHub's API. Whatever the jobs hold may have been written by a
    stranger: the texts escape and bound all of it.
    """

    repository: str = ""
    """`owner/name`, empty at a terminal."""
    head_sha: str = ""
    base_branch: str = ""
    """The branch that the history stands for, as in `main`."""
    pull_request: int | None = None
    run_id: int | None = None
    run_attempt: int = 1
    run_url: str = ""
    server_url: str = ""
    """As in `https://github.com`; a link to anywhere else is written as plain text."""
    jobs: tuple[Job, ...] = ()
    issues: Mapping[str, IssueRef] = field(default_factory=dict)
    """Our issues by signature."""
    drifts: tuple[Drift, ...] = ()
    """Changes of level on the default branch that this run is the first to show, the worst first."""
    scaffolds: Mapping[str, str] = field(default_factory=dict)
    """By signature, the command that runs the failure's scaffold."""
    problems: tuple[str, ...] = ()
    """What stands in the way of a complete report (an unreadable bundle, an unreachable history):
    one sentence each."""
    history: str = ""
    """Where earlier runs are kept, for people."""
    report_artifact: str = ""
    """Name of the artifact that holds the whole report (`report.html`, `report.json`)."""
    report_url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """How often a scaffold reproduced the failure, with the same signature."""

    reproduced: int
    tries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueData:
    """Everything an issue about one flaky failure says."""

    flake: Flake
    repository: str = ""
    server_url: str = ""
    base_branch: str = ""
    scaffold_command: str = ""
    """One command to paste into a shell, in a checkout of the code under test."""
    scaffold_where: str = ""
    """Where the scaffold lies, for people: a branch and path, or a folder."""
    scaffold_url: str = ""
    log_excerpt: str = ""
    """The part of the run's log around the failure; the failure's own text when empty."""
    rate: Rate | None = None
    """Measured by running the scaffold; None when it was not run."""
