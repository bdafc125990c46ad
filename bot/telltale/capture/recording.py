"""
One run and its bundle, from the claim of the folder to the final manifest.

What every kind of run has in common; what makes a run one of tests or of a
training is added by its verb. Only the claim and the first manifest may
fail: from then on whatever goes wrong beside the command is a finding, since
wrapping a command must never change whether it runs or how it ends.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from telltale import __version__, bundle, gha
from telltale.capture import (
    cleaning,
    environment,
    frames,
    gpus,
    guards,
    host,
    interpreter,
    leaks,
    lock,
    machine,
    nodeids,
    probing,
    source,
    stacks,
    summary,
    tidy,
    timefile,
    unfinished,
)
from telltale.capture.beside import Beside
from telltale.capture.command import Ended, Start, run_command
from telltale.capture.events import Events
from telltale.capture.guards import Guards
from telltale.capture.interpreter import Interpreter
from telltale.capture.probing import Told
from telltale.capture.profilers import profiling
from telltale.capture.profilers.interface import Place, Profiler
from telltale.capture.profilers.profiling import Profiling
from telltale.capture.redact import Redactor
from telltale.capture.reports import Reports
from telltale.capture.signals import Signals
from telltale.capture.source import Checkout
from telltale.capture.stacks import Look
from telltale.errors import TelltaleError, UsageError
from telltale.model import (
    BundleKind,
    Command,
    Evidence,
    Failure,
    GithubRun,
    Host,
    Leak,
    Outcome,
    Resources,
    Source,
    TestResult,
)
from telltale.values import dataclass, replace

OURS = "TELLTALE_"
"""Prefix of our own variables, which the command does not see."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to run and what to call it."""

    kind: BundleKind
    name: str
    argv: tuple[str, ...]
    cwd: Path
    out: Path
    overrides: Mapping[str, str]
    """What `--env` set."""
    timeout_s: float | None
    hang_after_s: float | None
    probe: bool = False
    """Load the probe into the pytest that the command runs."""
    leaks: bool = True
    """Let the probe look at what each test left changed."""
    environ: Mapping[str, str]
    """Our own environment."""
    profilers: tuple[Profiler, ...] = ()
    image: str = ""
    runner_class: str = ""
    """Of the container that the job runs in, with its digest; only the workflow knows it."""
    masks: tuple[str, ...] = ()
    """Further values that nothing may keep."""

    @property
    def child_environ(self) -> dict[str, str]:
        """The command's environment: ours without our variables, with what `--env` set."""
        inherited = {key: self.environ[key] for key in self.environ if not key.startswith(OURS)}
        return {**inherited, **self.overrides}


class Recording:
    """One run that is being recorded."""

    def __init__(self, plan: Plan, started: datetime) -> None:
        """Claim the folder and write the manifest as `running`; `UsageError` when that fails."""
        self.plan = plan
        self.findings: list[str] = []
        self.disagreements: list[str] = []
        self._environ = plan.child_environ
        self._swept: cleaning.Seen = {}
        self._redactor = Redactor(
            {**plan.environ, **plan.overrides},
            homes=_homes(plan.environ),
            hosts=(os.uname().nodename, plan.environ.get("HOSTNAME", "")),
            masks=plan.masks,
        )
        name = self._redactor.secrets(plan.name)
        if name != plan.name:
            self.findings.append(f"the name of this run held a secret; it is kept as {name}")
        self.folder = bundle.claim(plan.out.absolute(), name, started)
        # The event's file is not needed, so one that cannot be read does no harm.
        self._context = gha.context({**plan.environ, "GITHUB_EVENT_PATH": ""})
        self._checkout: Checkout = self.attempt(
            "the code under test", lambda: source.look(plan.cwd, plan.environ, self._context)
        ) or Checkout(source=Source(), root=None)
        self._python: Interpreter | None = None
        self._before: dict[str, object] = {}
        self._gpus: dict[str, Any] = {"source": None, "devices": None, "why": "nobody asked"}
        self._profiling: Profiling | None = None
        self._guarded = False
        self.evidence = Evidence(
            kind=plan.kind,
            name=name,
            outcome=Outcome.RUNNING,
            command=Command(
                argv=self._redactor.argv(plan.argv),
                cwd=self._redactor.text(self._checkout.place(plan.cwd)),
                env={
                    key: self._redactor.value(key, value) for key, value in plan.overrides.items()
                },
                timeout_s=plan.timeout_s,
                hang_after_s=plan.hang_after_s,
            ),
            started_at=bundle.instant(started),
            source=self._checkout.source,
            github=_github(self._context),
            telltale=__version__,
        )
        self._lock = self.attempt("that Telltale lives", lambda: lock.hold(self.folder))
        try:
            bundle.write_manifest(self.folder, self.evidence)
        except OSError as error:
            raise UsageError(
                f"--out: cannot write into {self.folder}: {error.strerror or error};"
                " the command was not run"
            ) from error

    @property
    def redactor(self) -> Redactor:
        """What keeps this run's secrets out of texts."""
        return self._redactor

    @property
    def roots(self) -> tuple[Path, ...]:
        """Folders from which test files may be named, the likeliest first."""
        return nodeids.roots(self.plan.cwd.resolve(), self._checkout.root)

    @property
    def top(self) -> Path | None:
        """The top folder of the checkout of the code under test; None outside a repository."""
        return self._checkout.root

    def clean(self, text: str) -> str:
        """Return the text without what must not be kept: secrets, home folder, host name."""
        return self._redactor.text(text)

    def attempt(self, what: str, step: Callable[[], T]) -> T | None:
        """Return what the step returns; when it fails, that is a finding and the run goes on."""
        try:
            return step()
        except Exception as error:  # noqa: BLE001  # nothing beside the command may end the run
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            self.findings.append(f"{what} could not be recorded: {reason[:300]}")
            return None

    def complete_earlier(self) -> None:
        """Complete the bundles of runs beside this one whose Telltale was killed."""
        done = self.attempt(
            "earlier runs",
            lambda: unfinished.complete_all(self.plan.out.absolute(), self._redactor),
        )
        self.findings += [
            f"Telltale was killed beside an earlier run, whose bundle was completed: {folder}"
            for folder in done or ()
        ]

    def describe(self) -> None:
        """Write `env/` before the command runs, so that it is there however the run ends."""
        self._python = self.attempt("the command's Python", self._ask_python)
        self._gpus = self.attempt("the GPUs", lambda: gpus.look(self._environ)) or self._gpus
        described = self.attempt("the host", self._describe_host) or Host(fingerprint="")
        self._before = self.attempt("the load", host.load) or {}
        described = host.busy(described, self._before)
        self.evidence = replace(self.evidence, host=described)
        self._write("env/host.json", lambda: self._host_document(None))
        self._write(
            "env/env.txt", lambda: environment.variables_text(self._environ, self._redactor)
        )
        self._write("env/packages.txt", self._packages)
        self._write(
            "env/disk_usage.txt",
            lambda: environment.disks_text(
                (self.plan.cwd, self.folder, Path(self._environ.get("TMPDIR") or "/tmp")),  # noqa: S108
                self._redactor,
            ),
        )
        self._profiling = self._profile()
        self.attempt("the manifest", lambda: bundle.write_manifest(self.folder, self.evidence))

    def require(self, required: Guards) -> tuple[str, ...]:
        """
        Check the guards before the start; return why the figures will be no measurement.

        The manifest says so from now on. A guard that cannot be checked is missing.
        """
        if required == Guards():
            return ()
        before = len(self.findings)
        found = self.attempt("the guards", lambda: self._missing(required))
        reasons = tuple(self.findings[before:]) if found is None else found
        self._guarded = required.clean_tree and not reasons
        self.evidence = replace(self.evidence, invalid=reasons)
        self.attempt("the manifest", lambda: bundle.write_manifest(self.folder, self.evidence))
        return reasons

    def look_again(self) -> None:
        """Say which tracked files the command changed, when they were required to be unchanged."""
        plan = self.plan
        if self._guarded and (
            files := self.attempt(
                "the code after the run", lambda: source.changes(plan.cwd, plan.environ)
            )
        ):
            self.findings.append(f"the command changed tracked files: {guards.listed(files)}")

    def run(self, signals: Signals) -> Ended:
        """Run the command; nothing that it started survives."""
        if signals.asked is not None:
            return self._not_run(
                signals.asked, "Telltale was asked to stop before the command was started"
            )
        profiles = self._profiling
        start = Start(
            argv=self.plan.argv,
            cwd=self.plan.cwd,
            env=self._with_probe(profiles.environ(self._environ) if profiles else self._environ),
            bundle=self.folder,
            timeout_s=self.plan.timeout_s,
            hang_after_s=self.plan.hang_after_s,
            beside=self._beside(),
            redactor=self._redactor,
            # A test may have taken pytest out of the command's session.
            further=lambda: frames.armed(self.folder / bundle.TESTS),
        )
        return self.attempt(
            "the run", lambda: run_command(start, signals, look=self._look)
        ) or self._not_run(signals.asked, "Telltale could not run the command")

    def _with_probe(self, environ: Mapping[str, str]) -> Mapping[str, str]:
        if not self.plan.probe:
            return environ
        plan, folder = self.plan, self.folder
        return (
            self.attempt(
                "the probe",
                lambda: probing.environ(environ, plan.argv, folder, leaks=plan.leaks),
            )
            or environ
        )

    def tests(self, found: Reports | None) -> Told:
        """Return what is known of the tests; what goes wrong is a finding."""
        reported = Told(
            results=found.results if found else None,
            findings=(found.absent,) if found and found.absent else (),
        )
        if not self.plan.probe:
            return reported
        told = self.attempt(
            "the probe's record",
            lambda: probing.tell(self.folder, found, self._environ, self.plan.argv),
        )
        told = told or reported
        self.evidence = replace(self.evidence, running=told.running)
        return told

    def measure(self, ended: Ended) -> None:
        """Write what the run itself leaves: its status, its figures and the host afterwards."""
        self.findings += ended.findings
        if self._lock is not None:
            self._lock.make_room()
        self._sweep()
        self._write("artifacts/exit_code.txt", lambda: f"{ended.exit_code}\n")
        if ended.resources.wall_s is not None:
            self._write("artifacts/time.txt", lambda: self._time(ended))
        load = self.attempt("the load", host.load)
        self._write("env/host.json", lambda: self._host_document(load or {}))
        self.evidence = replace(
            self.evidence,
            outcome=ended.outcome,
            exit_code=ended.exit_code,
            signal=ended.signal,
            elapsed_s=round(ended.elapsed_s, 6),
            resources=ended.resources,
        )

    def gather(self, *, slow: bool) -> bool:
        """Take what the slow profilers, or the others, left; return whether there are any."""
        if self._profiling is None:
            return False
        any_there = self._profiling.finish(slow=slow)
        self.evidence = replace(self.evidence, profiles=self._profiling.profiles)
        return any_there

    def list_again(self) -> None:
        """List the packages once more when something was installed or removed meanwhile."""
        python = self._python
        if python is None or not python.changed():
            return
        again = self.attempt("the packages after the run", self._ask_python)
        if again is not None and again.packages != python.packages:
            self.findings.append(
                "the command changed the installed packages; env/packages.txt is from after it"
            )
            self._python = again
            self._write("env/packages.txt", self._packages)

    def ask_torch(self) -> bool:
        """
        Write torch's own report on its environment, if there is a torch; return whether.

        It may take a minute, so the bundle is finished before, and again after it.
        """
        python = self._python
        if python is None or not python.torch:
            return False
        self._write(
            "env/torch_env.txt",
            lambda: environment.torch_text(python, self.plan.cwd, self._environ, self._redactor),
        )
        return True

    def tell_leaks(self, events: Events) -> None:
        """Name the tests that left something of their process changed."""
        found = self.attempt("what the tests left changed", lambda: leaks.tell(events))
        if found is None:
            return
        left, sentences = found
        self.findings += sentences
        hide = self._redactor.text
        self.evidence = replace(
            self.evidence,
            leaks=tuple(
                Leak(
                    nodeid=leak.nodeid,
                    what=hide(leak.what),
                    before=hide(leak.before),
                    after=hide(leak.after),
                )
                for leak in left[: bundle.LEAKS_LIMIT]
            ),
        )

    def finish(
        self, *, tests: tuple[TestResult, ...] | None = None, failures: tuple[Failure, ...] = ()
    ) -> str:
        """Write the summary and the final manifest; return the summary."""
        self.findings += self.attempt("the files", lambda: [*tidy.tidy(self.folder)]) or ()
        self._sweep()
        findings = (*self.findings, *profiling.findings(self.evidence.profiles))
        self.evidence = replace(
            self.evidence,
            tests=None if tests is None else bundle.count(tests),
            failures=failures,
            findings=findings,
            disagreements=tuple(self.disagreements),
        )
        self.evidence = cleaning.clean(self.evidence, self._redactor)
        profiled = self._profiling.lines if self._profiling else ()
        text = summary.render(self.evidence, tests or (), profiled)
        self._write("analysis/summary.md", lambda: text)
        bundle.write_manifest(self.folder, self.evidence)
        if self._lock is not None:
            self._lock.release()
            self._lock = None
        return text

    def _missing(self, required: Guards) -> tuple[str, ...]:
        plan = self.plan
        sentences = guards.missing(
            required,
            argv=plan.argv,
            environ=self._environ,
            redact=self._redactor.value,
            changed=lambda: source.changes(plan.cwd, plan.environ),
        )
        return tuple(self._redactor.text(sentence) for sentence in sentences)

    def _not_run(self, asked: int | None, why: str) -> Ended:
        status = 128 + asked if asked else TelltaleError.exit_code
        return Ended(
            outcome=Outcome.INTERRUPTED if asked else Outcome.ERROR,
            exit_code=status,
            signal=None,
            status=status,
            elapsed_s=0.0,
            resources=Resources(),
            findings=(why,),
        )

    def _profile(self) -> Profiling | None:
        place = Place(
            bundle=self.folder,
            environ=self._environ,
            python=self._python,
            redact=self._redactor.text,
        )
        found = self.attempt(
            "the profiles", lambda: Profiling(self.plan.profilers, place, self.attempt)
        )
        if found is not None:
            self.evidence = replace(self.evidence, profiles=found.profiles)
        return found

    def _ask_python(self) -> Interpreter | None:
        plan = self.plan
        path = interpreter.find_interpreter(plan.argv, plan.cwd, self._environ)
        return interpreter.ask(path, plan.cwd, self._environ, ours=plan.environ) if path else None

    def _beside(self) -> Beside:
        """Return the programs that watch the command."""
        log = self.folder / "artifacts/gpu.csv"
        found = self.attempt("the GPUs", lambda: gpus.sampler(self._gpus, self._environ, log)) or []
        if self._profiling is None:
            return Beside(found, self._environ)
        return self._profiling.beside(found)

    def _packages(self) -> str:
        folders = filter(None, (self.plan.cwd, self._checkout.root))
        locks = environment.locks(folders)
        return environment.packages_text(self._python, self._redactor, locks)

    def _describe_host(self) -> Host:
        described = host.describe(
            self._python.feature if self._python else "",
            gpus.part(self._gpus),
            image=self._redactor.text(self.plan.image),
            runner_class=self._redactor.text(self.plan.runner_class),
        )
        return replace(described, packages=environment.key_packages(self._python))

    def _host_document(self, after: Mapping[str, object] | None) -> str:
        beside = {"machine": machine.details(), "gpus": self._gpus}
        return host.document(self.evidence.host, beside, self._before, after)

    def _time(self, ended: Ended) -> str:
        return timefile.render(
            self.evidence.command.argv,
            ended.resources,
            exit_code=ended.exit_code,
            signal=ended.signal,
        )

    def _look(self, look: Look) -> None:
        """See where everything stands before it is told to end."""
        python = self._python.path if self._python else None
        spy = frames.find_spy(self._environ.get("PATH"), python)
        self.attempt(
            "where everything stood",
            lambda: stacks.record(self.folder, look, spy, self._redactor.text),
        )

    def rewrite(self, name: str, write: Callable[[], None]) -> None:
        """Let `write` make a file of what was redacted already: it need not be gone through again."""
        cleaning.rewrite(self.folder / name, write, self._swept)

    def _sweep(self) -> None:
        """Redact what others wrote into the bundle."""
        self.attempt(
            "the redaction",
            lambda: self.findings.extend(cleaning.sweep(self.folder, self._redactor, self._swept)),
        )

    def _write(self, name: str, text: Callable[[], str]) -> None:
        self.attempt(name, lambda: bundle.write_atomically(self.folder / name, text()))


def _homes(environ: Mapping[str, str]) -> tuple[str, ...]:
    try:
        entry = pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        entry = ""  # a container's user need not be in /etc/passwd
    return (environ.get("HOME", ""), entry)


def _github(context: gha.Context) -> GithubRun | None:
    if context.run_id is None:
        return None
    return GithubRun(
        run_id=context.run_id,
        run_attempt=context.run_attempt,
        job=context.job,
        event=context.event_name,
        workflow=context.workflow,
        runner=context.runner,
    )
