"""
The nouns: what the parts of Telltale say to each other.

Frozen, without behaviour that touches anything outside. Times are seconds,
sizes are bytes, instants are ISO 8601 in UTC (`2026-11-22T10:15:16Z`), so
that every value can be written to JSON as it is.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field


@enum.unique
class Outcome(str, enum.Enum):
    """How one run of a command ended."""

    RUNNING = "running"
    """Written before the start; read afterwards it means that Telltale itself was killed."""
    PASSED = "passed"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    """Telltale killed it at its time limit, or because it had gone silent."""
    CRASHED = "crashed"
    """It died by a signal that Telltale did not send."""
    INTERRUPTED = "interrupted"
    """Telltale was asked to stop (SIGINT, SIGTERM: a cancelled job) and passed it on."""
    ERROR = "error"
    """It could not be started, or Telltale failed beside it."""


@enum.unique
class BundleKind(str, enum.Enum):
    """What a bundle is evidence of."""

    TESTS = "tests"
    TRAINING = "training"
    CELL = "cell"


@enum.unique
class TestOutcome(str, enum.Enum):
    """The outcome of one execution of one test."""

    __test__ = False

    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"
    """Set-up, tear-down or collection failed."""
    SKIPPED = "skipped"
    """Also expected failures: JUnit does not tell them apart."""
    INTERRUPTED = "interrupted"
    """It had started when the run was stopped."""

    @property
    def bad(self) -> bool:
        """Whether it counts as a failure."""
        return self in {TestOutcome.FAILED, TestOutcome.ERROR}


@enum.unique
class FailureKind(str, enum.Enum):
    """What sort of failure it was."""

    ASSERTION = "assertion"
    EXCEPTION = "exception"
    TEST_TIMEOUT = "test_timeout"
    HANG_OR_DEVICE_TIMEOUT = "hang_or_device_timeout"
    CRASH_SIGNAL = "crash_signal"
    OOM = "oom"
    NAN_OR_DIVERGENCE = "nan_or_divergence"
    NONDETERMINISTIC_VALUE = "nondeterministic_value"
    COLLECTION_ERROR = "collection_error"
    INFRA_NETWORK = "infra_network"
    INFRA_DISK = "infra_disk"
    INFRA_OTHER = "infra_other"
    RESOURCE_LIMIT = "resource_limit"
    UNKNOWN = "unknown"


@enum.unique
class Verdict(str, enum.Enum):
    """What a figure says about the change under test."""

    REGRESSION = "regression"
    IMPROVEMENT = "improvement"
    UNCHANGED = "unchanged"
    UNDECIDED = "undecided"
    """The history is too short or not comparable: said, not guessed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TestResult:
    """One execution of one test, in the order in which they ran."""

    __test__ = False

    nodeid: str
    """pytest's nodeid, or `classname::name` of a JUnit file that names no test file."""
    outcome: TestOutcome
    duration_s: float
    """Wall time of set-up, call and tear-down together, as the runner reported it."""
    message: str = ""
    """First line of the failure."""
    text: str = ""
    """The whole failure text, empty unless it failed."""
    output: str = ""
    """What a failed test printed, as far as pytest captured it; only from the probe."""
    cpu_s: float | None = None
    """User and system time of its process and the children that it waited for; None without the probe."""
    rss_peak_change_bytes: int | None = None
    """How much higher its process's peak of memory was after it."""
    walls_s: tuple[float, float, float] | None = None
    """Wall time of set-up, call and tear-down, each; None without the probe."""
    worker: str = ""
    """`main`, or xdist's name of the worker; empty without the probe."""
    attempts: int = 1
    """How often it was run; the last one is what counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningTest:
    """A test that had begun and not ended when the run ended."""

    __test__ = False

    nodeid: str
    worker: str
    """`main`, or xdist's name of the worker."""
    phase: str
    """`setup`, `call` or `teardown`."""
    for_s: float
    """How long it had been running."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One failure with its name."""

    nodeid: str
    """Empty when the run itself failed and no test can be named."""
    kind: FailureKind
    signature: str
    """`v1:` and 16 hex digits."""
    message: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Leak:
    """A state leak: something of its process that a test left changed."""

    nodeid: str
    """The test; the file, when importing it was enough."""
    what: str
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TestCounts:
    """How many tests ended how; `total` is their sum."""

    __test__ = False

    total: int = 0
    passed: int = 0
    failed: int = 0
    errors: int = 0
    skipped: int = 0
    interrupted: int = 0


HUNG = "Telltale killed the command as hung"
"""How the finding begins that tells silence from the time limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What was run, exactly."""

    argv: tuple[str, ...]
    cwd: str
    """Relative to the repository's root with forward slashes, `.` at the root; absolute outside one."""
    env: Mapping[str, str] = field(default_factory=dict)
    """What `--env` set for the child, redacted; nothing of the surrounding environment."""
    timeout_s: float | None = None
    hang_after_s: float | None = None
    """Seconds of silence after which it was to be ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """
    What the command used, by the kernel's own accounting.

    Source: wait4(2) for the child and all it reaped; /proc for the tree.
    None means not measured, never zero.
    """

    wall_s: float | None = None
    user_s: float | None = None
    system_s: float | None = None
    cpu_percent: float | None = None
    """(user + system) / wall, in percent; above 100 with several busy cores."""
    max_rss_bytes: int | None = None
    """Of the largest single process."""
    tree_peak_rss_bytes: int | None = None
    """Largest sampled sum over the process tree; shared pages count once a process."""
    major_faults: int | None = None
    minor_faults: int | None = None
    voluntary_switches: int | None = None
    involuntary_switches: int | None = None
    inputs: int | None = None
    """File system inputs, in blocks of 512 bytes."""
    outputs: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """The machine, as far as figures depend on it."""

    fingerprint: str
    """16 hex digits over `parts`; equal fingerprints mean comparable figures."""
    parts: Mapping[str, str] = field(default_factory=dict)
    packages: Mapping[str, str] = field(default_factory=dict)
    """Versions of the packages that figures depend on most: said when they differ, never a bar."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The code under test."""

    repository: str = ""
    """`owner/name`, empty when unknown."""
    sha: str = ""
    ref: str = ""
    dirty: bool | None = None
    """Whether tracked files differed from `sha`; None when unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GithubRun:
    """The run attempt and job that a bundle claims to come from."""

    run_id: int
    run_attempt: int
    job: str
    event: str
    workflow: str = ""
    runner: str = ""


@enum.unique
class IsolationVerdict(str, enum.Enum):
    """What running a test alone, in order and after others showed."""

    ORDER_DEPENDENT = "order-dependent"
    """It passes alone and fails after its polluters."""
    BRITTLE = "brittle"
    """It fails alone and passes after what sets up its state."""
    FLAKY = "flaky"
    """It passed and failed under equal conditions."""
    DETERMINISTIC = "deterministic"
    """It fails every time, alone and in order: a real failure."""
    LOAD_DEPENDENT = "load-dependent"
    """It fails only while others run beside it."""
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """How often a test failed, with the same signature, under one condition."""

    runs: int = 0
    failures: int = 0
    low: float = 0.0
    high: float = 1.0
    """The true rate lies from low to high, at 95 % (Clopper-Pearson)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Isolation:
    """What became of running one failed test again, alone and with others."""

    nodeid: str
    signature: str
    verdict: IsolationVerdict
    sentence: str
    """All of it in one sentence, for people."""
    polluters: tuple[str, ...] = ()
    """Tests, in order, after which it fails; a file without `::` pollutes by being imported."""
    needs: tuple[str, ...] = ()
    """Tests, in order, without which a brittle test fails; files as above."""
    leaked: tuple[str, ...] = ()
    """What the polluters left changed, as the run recorded it."""
    alone: Rate = field(default_factory=Rate)
    in_order: Rate = field(default_factory=Rate)
    """After all that ran before it on its worker."""
    together: Rate = field(default_factory=Rate)
    """After the polluters, or what it needs, alone."""
    command: str = ""
    """For a shell in the command's folder: shows the failure; empty when pytest cannot be told so."""
    budget_s: float = 0.0
    elapsed_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What one profiler left of a run."""

    name: str
    files: tuple[str, ...] = ()
    """Paths in the bundle."""
    cost: str = ""
    """What it costs the command, in one line."""
    missing: str = ""
    """What is not there and why, in one line; empty when nothing is missing."""
    disturbs: bool = False
    """It ran and makes the run's own figures no measurement."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The manifest of a bundle: `evidence.json`, schema `telltale.evidence/1`."""

    kind: BundleKind
    name: str
    outcome: Outcome
    command: Command
    started_at: str
    exit_code: int | None = None
    signal: int | None = None
    elapsed_s: float | None = None
    resources: Resources = field(default_factory=Resources)
    host: Host = field(default_factory=lambda: Host(fingerprint=""))
    source: Source = field(default_factory=Source)
    github: GithubRun | None = None
    tests: TestCounts | None = None
    """None when no test report was found."""
    failures: tuple[Failure, ...] = ()
    profiles: tuple[Profile, ...] = ()
    """One for each profiler that was asked for."""
    running: tuple[RunningTest, ...] = ()
    """Which tests were running when the run ended."""
    findings: tuple[str, ...] = ()
    """What a reader must know to read the rest rightly: one sentence each."""
    invalid: tuple[str, ...] = ()
    """Why the figures are no measurement: one sentence for each guard that was missing."""
    disagreements: tuple[str, ...] = ()
    """Where exit status, test report and pytest's own word contradict each other."""
    leaks: tuple[Leak, ...] = ()
    """What tests left changed and nobody put back, the worst first."""
    isolation: tuple[Isolation, ...] = ()
    """Failed tests that were run again, alone and with others."""
    telltale: str = ""
    """Version of the program that wrote it."""


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
    tests: tuple[RecordedTest, ...]
    failures: tuple[Failure, ...]
    findings: tuple[str, ...] = ()
    profiled: tuple[str, ...] = ()
    """Profilers under which the figures are no measurement."""
    invalid: tuple[str, ...] = ()
    """Why the figures are no measurement; empty when they are one."""
    disagreements: tuple[str, ...] = ()
    """Where exit status, test report and pytest's own word contradict each other."""


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
class IssueRef:
    """An issue of ours about one signature."""

    number: int
    url: str
    signature: str
    state: str = "open"
