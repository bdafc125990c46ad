"""
The report's content in the groups and the order in which people read it, before any wording.

One cause is one group, however many tests and jobs it struck. Nothing is
bounded here: how many rows a text shows is the text's business. `arrange`
makes it.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from telltale.model import Failure, Resources, TestOutcome, Verdict
from telltale.records import Drift, FailureVerdict, IssueRef, Judgement, Record
from telltale.report.data import Job, ReportData


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """All failures of this report with one cause and one verdict."""

    verdict: FailureVerdict
    example: Failure
    tests: tuple[str, ...]
    jobs: tuple[str, ...]
    reasons: tuple[str, ...]
    """Distinct, in the order of the failures."""
    failed: int
    """Executions that ended so, in the flakes' history; 0 unless flaky."""
    executions: int
    """Executions in the flakes' history, whatever their outcome."""
    seen_before: bool
    """Flaky already in a run that is not part of this report, or filed."""
    issue: IssueRef | None
    command: str
    """Runs the scaffold; empty when there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One judged figure and the job it belongs to."""

    job: str
    judgement: Judgement


@dataclass(frozen=True, slots=True, kw_only=True)
class Undecided:
    """The figures of one job that could not be judged, for one reason."""

    job: str
    reason: str
    judgements: tuple[Judgement, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Died:
    """A run that did not come to its own end."""

    job: str
    record: Record
    ended: int
    """Tests that had an outcome by then."""
    running: tuple[str, ...]
    """Tests that had started and have none."""
    artifact: str
    artifact_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """One execution of a test."""

    job: str
    nodeid: str
    outcome: TestOutcome
    duration_s: float
    share: float
    """Of the sum over its job's tests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """Tests that only the head or only the newest comparable run has."""

    nodeid: str
    jobs: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What every text of a report draws from."""

    data: ReportData
    base: str
    jobs: tuple[Job, ...]
    tests: int
    """Distinct tests over all jobs."""
    passed: int
    skipped: int
    interrupted: int
    groups: tuple[Group, ...]
    died: tuple[Died, ...]
    rows: tuple[Row, ...]
    """Every judged figure."""
    decisive: tuple[Row, ...]
    suspects: tuple[Row, ...]
    """Advisory figures that changed and were not measured again, the most lost first."""
    again: tuple[Row, ...]
    """Figures that were measured again and decide nothing: mostly not confirmed."""
    ceilings: tuple[Row, ...]
    """Figures held against an absolute limit."""
    leads: tuple[Row, ...]
    """For each job with a regression, the test that grew most: where to look first."""
    reruns: tuple[tuple[str, str], ...]
    """(job, command to paste) of runs with a failure that nothing explains, each command once."""
    improvements: tuple[Row, ...]
    """Decisive ones only."""
    undecided: tuple[Undecided, ...]
    slowest: tuple[Execution, ...]
    """Every execution that took any time, the slowest first."""
    added: tuple[Changed, ...]
    removed: tuple[Changed, ...]
    findings: tuple[tuple[str, str], ...]
    """(job, sentence)"""
    invalid: tuple[tuple[str, tuple[str, ...]], ...]
    """(job, why) of runs whose figures are no measurement"""
    disagreements: tuple[tuple[str, tuple[str, ...]], ...]
    """(job, sentences) of runs whose evidence contradicts itself"""
    baselines: tuple[int, ...]
    """Runs in each baseline that is not empty."""

    @property
    def failed(self) -> int:
        """Distinct tests that failed, flaky and known ones too."""
        return self.tests - self.passed - self.skipped - self.interrupted

    @property
    def problems(self) -> tuple[str, ...]:
        """What stands in the way of a complete report."""
        return self.data.problems

    @property
    def drifts(self) -> tuple[Drift, ...]:
        """Changes of level that this run is the first to show."""
        return self.data.drifts

    @property
    def regressions(self) -> tuple[Row, ...]:
        """Decisive figures that got worse."""
        return tuple(row for row in self.decisive if row.judgement.verdict is Verdict.REGRESSION)

    @property
    def undecided_figures(self) -> int:
        """How many figures of whole runs could not be judged."""
        return sum(len(group.judgements) for group in self.undecided)

    @property
    def with_artifact(self) -> tuple[Job, ...]:
        """Jobs whose evidence bundle can be downloaded."""
        return tuple(job for job in self.jobs if job.artifact)

    @property
    def baseline_reasons(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """How baselines were chosen: (reason, jobs), each reason once."""
        found: dict[str, list[str]] = defaultdict(list)
        for job in self.jobs:
            found[job.comparison.reason].append(title(job))
        return tuple((reason, tuple(jobs)) for reason, jobs in found.items() if reason)

    def failures(self, verdict: str) -> tuple[Group, ...]:
        """Return the causes with this `FailureVerdict`, those of most tests first."""
        return tuple(group for group in self.groups if group.verdict == verdict)


def cpu_s(used: Resources) -> float | None:
    """Return user and system time together, in seconds; None when either was not measured."""
    if used.user_s is None or used.system_s is None:
        return None
    return used.user_s + used.system_s


def title(job: Job) -> str:
    """Return a job as people read it."""
    return job.comparison.head.series.title
