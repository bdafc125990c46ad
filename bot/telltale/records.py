"""
The nouns of the history and of what is made of it: records, comparisons, flakes.

As in `model`: frozen, without behaviour that touches anything outside. They
are a module of their own because no run under capture needs them.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass

from telltale.model import (
    BundleKind,
    Command,
    Confirmation,
    Failure,
    Host,
    Isolation,
    Leak,
    Outcome,
    Resources,
    TestOutcome,
    Verdict,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """
    Where a run came from, as the event and GitHub's API say, never the artifact.

    Empty strings and None mean that nobody vouches for it (a run at a terminal).
    """

    repository: str = ""
    sha: str = ""
    """The head of a pull request, never its test merge."""
    merge_sha: str = ""
    """The test merge that a pull request's run checked out, where the event says it."""
    branch: str = ""
    event: str = ""
    run_id: int | None = None
    run_attempt: int = 1
    pull_request: int | None = None
    fork: bool = False
    """The code came from another repository: nothing it wrote may be believed."""
    default_branch: bool = False
    """A run of the default branch, not of a pull request."""
    url: str = ""
    """The run's page."""

    @property
    def trusted(self) -> bool:
        """Whether a baseline may rest on it."""
        return self.default_branch and not self.fork

    @property
    def local(self) -> bool:
        """Whether it ran at a terminal: nobody vouches for it, and its like may be compared with it."""
        return self.run_id is None and not self.event


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Series:
    """Runs that may be compared with each other: same kind, job and name."""

    kind: BundleKind
    job: str
    name: str

    @property
    def title(self) -> str:
        """How people read it."""
        return f"{self.job} / {self.name}" if self.job and self.job != self.name else self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedTest:
    """One test in the history, in the order in which it ran."""

    nodeid: str
    outcome: TestOutcome
    duration_s: float
    signature: str = ""
    """Of its failure, empty otherwise."""
    cpu_s: float | None = None
    """User and system time of its process and the children it waited for; None: not measured."""
    rss_peak_change_bytes: int | None = None
    """How much higher its process's peak of memory was after it; None: not measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TestNumber:
    """A number that a test recorded itself, as a property of its JUnit test case."""

    __test__ = False

    nodeid: str
    name: str
    value: float
    """Finite."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """How busy the machine was when the run started."""

    load_average: float | None
    """Of the minute before; None: not known."""
    cpus: int | None
    """Of the whole machine, which the load average is about; None: not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One run attempt of one job in the history: immutable."""

    id: str
    """Derived from the origin and the bundle: recording twice is recording once."""
    series: Series
    origin: Origin
    started_at: str
    outcome: Outcome
    exit_code: int | None
    dirty: bool | None
    host: Host
    command: Command
    resources: Resources
    tests: Sequence[RecordedTest]
    failures: tuple[Failure, ...]
    findings: tuple[str, ...] = ()
    profiled: tuple[str, ...] = ()
    """Profilers under which the figures are no measurement."""
    invalid: tuple[str, ...] = ()
    """Why the figures are no measurement; empty when they are one."""
    disagreements: tuple[str, ...] = ()
    """Where exit status, test report and pytest's own word contradict each other."""
    confirmations: tuple[Confirmation, ...] = ()
    """Suspects that were measured again, base and head in turn, in the run's own job."""
    numbers: tuple[TestNumber, ...] = ()
    """What tests recorded themselves, in the order of the report."""
    load: Load | None = None
    """None when nobody looked."""
    leaks: tuple[Leak, ...] = ()
    """What tests left changed and nobody put back, the worst first."""
    isolation: tuple[Isolation, ...] = ()
    """Failed tests that were run again, alone and with others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """One figure against its baseline, with the numbers that led to the verdict."""

    metric: str
    """`cpu_s` (user and system together), a field of `Resources`, or `duration_s` of a test."""
    nodeid: str
    """The test, or empty for the whole run."""
    unit: str
    """`s`, `bytes` or `%`."""
    verdict: Verdict
    reason: str
    """Why, in words a person can check."""
    advisory: bool
    """Wall times and single tests: shown, never decisive."""
    now: float | None
    n: int
    """Comparable runs in the baseline."""
    baseline: float | None = None
    """Their median."""
    spread: float | None = None
    """Their interquartile range, in the metric's unit."""
    change: float | None = None
    """now / baseline - 1."""
    threshold: float | None = None
    """How large a change had to be, as a fraction of the baseline."""
    noise: float | None = None
    """Standard deviation of a suspect's figure from run to run, as a fraction of the baseline."""
    ceiling: float | None = None
    """The absolute limit that the figure is held against, in the unit; None when it is the history."""
    confirmation: Confirmation | None = None
    """What measuring again showed; None when it was not."""


@enum.unique
class FailureVerdict(str, enum.Enum):
    """What the history says about a failure."""

    NEW = "new"
    """Never seen on the default branch: this change is the first suspect."""
    FLAKY = "flaky"
    """The same test passed and failed on the same code in the same environment."""
    KNOWN = "known"
    """It fails on the default branch as well, and has not been seen to pass there on the same code."""
    UNDECIDED = "undecided"
    """No history to say anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Occurrence:
    """One execution of a test that failed with a signature, or passed beside such a failure."""

    record_id: str
    started_at: str
    sha: str
    run_id: int | None
    run_attempt: int
    url: str
    branch: str
    pull_request: int | None
    fork: bool
    default_branch: bool
    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Flake:
    """A flaky test: one signature, with the evidence that it comes and goes."""

    nodeid: str
    series: Series
    failure: Failure
    """The latest one, from a run that is not a fork's where there is one."""
    failed: tuple[Occurrence, ...]
    """Executions with this signature, oldest first."""
    passed_beside: tuple[Occurrence, ...]
    """Passes on code and environment on which it also failed, oldest first."""
    runs: int
    """Executions of the test in the window, whatever their outcome."""

    @property
    def signature(self) -> str:
        """The failure's name."""
        return self.failure.signature


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedFailure:
    """A failure of the run under report with what the history says."""

    failure: Failure
    verdict: FailureVerdict
    reason: str
    flake: Flake | None = None
    """Present exactly when the verdict is flaky."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One run against its history."""

    head: Record
    baseline: tuple[str, ...]
    """Identifiers of the comparable records, newest first."""
    reason: str
    """How the baseline was chosen, or why there is none."""
    judgements: tuple[Judgement, ...]
    failures: tuple[JudgedFailure, ...]
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    """Tests that are not in this run although the newest comparable run had them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Milestone:
    """A run of the default branch beside which a level changed."""

    record_id: str
    sha: str
    started_at: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """A change of level over the runs of a series on one kind of machine."""

    series: Series
    fingerprint: str
    metric: str
    """As in `Judgement`."""
    nodeid: str
    """The test, or empty for the whole run."""
    unit: str
    before: float
    """Median of the runs of the old level."""
    after: float
    n_before: int
    n_after: int
    last_before: Milestone
    """The last run that is surely of the old level."""
    first_after: Milestone
    """The first run that is surely of the new level."""
    likely: Milestone
    """The run with which it most likely began."""
    now: float
    """Median of the newest five runs."""
    compare_url: str = ""
    """Page that lists the commits in between, empty when the repository or a commit is not known."""

    @property
    def change(self) -> float:
        """Part of the level before: after / before - 1."""
        return self.after / self.before - 1

    @property
    def worse(self) -> bool:
        """Whether the level rose; every metric counts a cost."""
        return self.after > self.before

    @property
    def standing(self) -> bool:
        """Whether the newest runs are nearer to the new level than to the old one."""
        return abs(self.now - self.after) < abs(self.now - self.before)

    @property
    def commits(self) -> str:
        """The range as git takes it, `abc..def`, empty when nothing lies in between or is known."""
        old, new = self.last_before.sha, self.first_after.sha
        return f"{old[:10]}..{new[:10]}" if old and new and old != new else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueRef:
    """An issue of ours about one signature."""

    number: int
    url: str
    signature: str
    state: str = "open"
