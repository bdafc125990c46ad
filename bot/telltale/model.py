"""
The nouns: what the parts of Telltale say to each other.

Frozen, without behaviour that touches anything outside. Times are seconds,
sizes are bytes, instants are ISO 8601 in UTC (`2026-11-22T10:15:16Z`), so
that every value can be written to JSON as it is.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping

from telltale.values import dataclass, field


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


RUNNER_CLASS = "runner_class"
"""The part of a fingerprint by which people name a kind of machine."""
HARDWARE_PARTS = frozenset(
    {"cpu", "cpus", "memory_gib", "cgroup_cpus", "cgroup_memory_gib", "gpus"}
)
"""The parts that a runner class stands for: told, and not in the fingerprint then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """The machine, as far as figures depend on it."""

    fingerprint: str
    """16 hex digits over `parts`, without the hardware's where a runner class stands for them;
    equal fingerprints mean comparable figures."""
    parts: Mapping[str, str] = field(default_factory=dict)
    packages: Mapping[str, str] = field(default_factory=dict)
    """Versions of the packages that figures depend on most: said when they differ, never a bar."""
    load_average: float | None = None
    """Of the minute before the command started; no part of the fingerprint. In a record: its `load`."""
    online_cpus: int | None = None
    """CPUs of the whole machine, which the load average is about."""


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


@enum.unique
class Verdict(str, enum.Enum):
    """What a figure says about the change under test."""

    REGRESSION = "regression"
    IMPROVEMENT = "improvement"
    UNCHANGED = "unchanged"
    UNDECIDED = "undecided"
    """The history is too short or not comparable, or nothing could be measured: said, not guessed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """What became of measuring a suspect again: base and head in turn, on one machine."""

    nodeid: str
    """The test, or empty for the whole run."""
    metric: str
    """As in a judgement: `cpu_s`, `duration_s` and so on."""
    unit: str
    """`s` or `bytes`."""
    base: tuple[float, ...]
    """The figures of the code without the change, in the order of measurement."""
    head: tuple[float, ...]
    """The figures of the code under test, likewise."""
    wins: int
    """Pairs, of one base and one head figure, that differ in the way the medians do."""
    pairs: int
    """Each base figure with each head figure."""
    verdict: Verdict
    reason: str
    """Why, in words a person can check."""


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
    confirmations: tuple[Confirmation, ...] = ()
    """Suspects that were measured again, base and head in turn."""
    telltale: str = ""
    """Version of the program that wrote it."""
