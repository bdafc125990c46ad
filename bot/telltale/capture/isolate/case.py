"""What has to be known to run a test of a bundle again: where, how, after which others."""

from __future__ import annotations

import difflib
import os
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path

from telltale import bundle
from telltale.capture import interpreter
from telltale.capture.invocation import PytestCommand, find_pytest
from telltale.capture.isolate.recorded import Recorded, read_recorded
from telltale.capture.redact import HIDDEN
from telltale.errors import BundleError, IsolateError
from telltale.model import Command, Evidence, Failure, FailureKind
from telltale.values import dataclass, field, replace

DROPPED = ("PYTEST_CURRENT_TEST", "PYTEST_VERSION", "PYTEST_ADDOPTS", "PYTEST_DEBUG_TEMPROOT")
DROPPED_PREFIXES = ("TELLTALE_", "PYTEST_XDIST_")
"""Variables of a run around us, which are not the failed test's."""
_SUGGESTIONS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One test of a run and its circumstances."""

    nodeid: str
    failure: Failure | None
    """None when it passed in the run: only what it needs can be asked."""
    before: tuple[str, ...]
    """What ran before it on its worker, in order."""
    others: tuple[str, ...]
    """All other tests of the run: those after it, and those of other workers."""
    workers: tuple[tuple[str, ...], ...]
    """What ran on each worker, when there were several."""
    duration_s: Mapping[str, float]
    python: tuple[str, ...]
    """The words that start the interpreter."""
    pytest: PytestCommand
    cwd: Path
    env: Mapping[str, str]
    base: Path
    """What the files of nodeids are relative to."""
    limit_s: float | None = None
    """Of the test itself, as its own timeout has it."""
    leaked: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """What tests left changed, in words."""
    rootdir: Path | None = None
    notes: tuple[str, ...] = ()
    """In what this is not the recorded run."""

    def file(self, nodeid: str) -> Path:
        """Return the file that holds the test."""
        return self.base / nodeid.partition("::")[0]

    def name(self, nodeid: str) -> tuple[str, str]:
        """Return the test's file and the rest of its nodeid: the same from every rootdir."""
        return os.path.realpath(self.file(nodeid)), nodeid.partition("::")[2]

    def files(self, nodeids: Iterable[str]) -> tuple[str, ...]:
        """Return the files that hold the tests, in the tests' order, each once, if they exist."""
        names = dict.fromkeys(nodeid.partition("::")[0] for nodeid in nodeids)
        return tuple(name for name in names if (self.base / name).is_file())


def read_case(
    folder: Path,
    nodeid: str,
    *,
    cwd: Path,
    environ: Mapping[str, str],
    command: Command | None = None,
) -> Case:
    """
    Return the case of a test of a bundle, to be run in `cwd`, the folder of the run's command.

    `command` replaces the recorded one, in which secrets are hidden. Raises
    `BundleError` when the bundle cannot be read, `IsolateError` when the test
    is not in it, is not pytest's, or cannot be found in `cwd`.
    """
    evidence = bundle.read_manifest(folder)
    recorded = read_recorded(folder)
    failure = _failure(evidence, recorded, nodeid, folder)
    seen = find_pytest((command or evidence.command).argv, recorded.tests[-200:])
    pytest = seen or _unseen(command or evidence.command, recorded, folder)
    cwd, env, notes = _surroundings(command or evidence.command, pytest, recorded, cwd, environ)
    pytest = _with_addopts(pytest, env, recorded)
    rootdir = (cwd / recorded.rootdir).resolve() if recorded.rootdir else None
    base = _base(nodeid, cwd, pytest, rootdir, evidence)
    before, others = recorded.around(nodeid)
    return Case(
        nodeid=nodeid,
        failure=failure,
        before=before,
        others=others,
        workers=recorded.workers,
        duration_s=recorded.duration_s,
        python=_python(
            (command or evidence.command).argv if seen else (),
            pytest,
            recorded.executable(nodeid),
            cwd,
            env,
        ),
        pytest=pytest,
        cwd=cwd,
        env={
            name: value
            for name, value in env.items()
            if name not in DROPPED and not name.startswith(DROPPED_PREFIXES)
        },
        base=base,
        # A marker beats options, one of 0 too.
        limit_s=recorded.limits_s.get(nodeid, pytest.timeout_s or recorded.limit_s) or None,
        leaked=recorded.leaked,
        rootdir=rootdir if rootdir and rootdir.is_dir() else None,
        notes=tuple(notes),
    )


def _failure(evidence: Evidence, recorded: Recorded, nodeid: str, folder: Path) -> Failure | None:
    if not recorded.tests:
        raise IsolateError(
            f"{folder}: names no test: let the command write a JUnit file (--junit says where)"
        )
    if nodeid not in recorded.tests:
        near = difflib.get_close_matches(nodeid, recorded.tests, _SUGGESTIONS, 0.6)
        failed = [each.nodeid for each in evidence.failures if each.nodeid][:_SUGGESTIONS]
        what = f"like it are {', '.join(near)}" if near else f"these failed: {', '.join(failed)}"
        raise IsolateError(f"{folder}: {nodeid} did not run{'; ' + what if near or failed else ''}")
    found = next((each for each in evidence.failures if each.nodeid == nodeid), None)
    if found is not None and found.kind is FailureKind.COLLECTION_ERROR:
        raise IsolateError(
            f"{nodeid} could not be collected, so no other test had a part in it: run"
            f" pytest {shlex.quote(nodeid.partition('::')[0])}"
        )
    return found


def _unseen(command: Command, recorded: Recorded, folder: Path) -> PytestCommand:
    """Return how to run pytest where the command does not show it; raises `IsolateError`."""
    if recorded.probed:
        # Started by tox, make or the like: the probe saw pytest all the same.
        return PytestCommand()
    raise IsolateError(
        f"{folder}: the command does not run pytest as far as one can see:"
        f" {shlex.join(command.argv)[:200]}"
    )


def _with_addopts(
    pytest: PytestCommand, env: Mapping[str, str], recorded: Recorded
) -> PytestCommand:
    """Add what PYTEST_ADDOPTS says and the seed of pytest-randomly; no seed changes the order."""
    try:
        words = shlex.split(env.get("PYTEST_ADDOPTS", ""))
    except ValueError:
        words = []
    more = find_pytest(["pytest", *words], recorded.tests[-200:]) if words else None
    options = (*(more.options if more else ()), *pytest.options)
    seed = recorded.seeds.get("randomly", "")
    if seed and not any("randomly" in option for option in options):
        options += (f"--randomly-seed={seed}",)
    return replace(pytest, options=options)


def _surroundings(
    command: Command,
    pytest: PytestCommand,
    recorded: Recorded,
    cwd: Path,
    environ: Mapping[str, str],
) -> tuple[Path, dict[str, str], list[str]]:
    notes: list[str] = []
    given = {**command.env, **pytest.env}
    hidden = sorted(name for name, value in given.items() if HIDDEN in value)
    if hidden:
        notes.append(f"the bundle hides the values of {', '.join(hidden)}; yours are used")
    seed = recorded.seeds.get("PYTHONHASHSEED", "")
    env = {
        **environ,
        **({"PYTHONHASHSEED": seed} if seed and "PYTHONHASHSEED" not in environ else {}),
        **{name: value for name, value in given.items() if name not in hidden},
    }
    if not (cwd / pytest.cwd).is_dir():
        raise IsolateError(f"{cwd} has no folder {pytest.cwd}: name the checkout with --source DIR")
    return (cwd / pytest.cwd).resolve(), env, notes


def _base(
    nodeid: str, cwd: Path, pytest: PytestCommand, rootdir: Path | None, evidence: Evidence
) -> Path:
    file = nodeid.partition("::")[0]
    roots = [rootdir] if rootdir else []
    for base in (*roots, cwd, *(cwd / folder for folder in pytest.folders), *cwd.parents):
        if (base / file).is_file():
            return base
    code = " at ".join(filter(None, (evidence.source.repository, evidence.source.sha[:12])))
    raise IsolateError(
        f"{cwd} does not hold {file}: run this in a checkout of {code or 'the code under test'},"
        " or name one with --source DIR"
    )


def _python(
    argv: tuple[str, ...],
    pytest: PytestCommand,
    recorded: str,
    cwd: Path,
    env: Mapping[str, str],
) -> tuple[str, ...]:
    """Return what starts the Python: the one that the command names, else the one that ran."""
    if pytest.runner:
        # It makes or finds the environment; what it is called there is python.
        return (*pytest.runner, "python")
    path = interpreter.named_interpreter(argv, cwd, env)
    if recorded.startswith("~/"):
        # The bundle says so of homes.
        recorded = env.get("HOME", "") + recorded[1:]
    if not path and recorded.startswith("/") and os.access(recorded, os.X_OK):
        # What tox, nox and make start has a Python of its own, seldom the first in PATH.
        path = recorded
    path = path or interpreter.find_interpreter((), cwd, env)
    if not path:
        raise IsolateError("there is no Python in PATH: activate the environment of the tests")
    return (path,)


def place(evidence: Evidence, source: Path) -> Path:
    """Return the folder of a recorded command in the checkout `source`; `BundleError` without one."""
    cwd = Path(evidence.command.cwd)
    if not cwd.is_absolute() and not str(cwd).startswith("~"):
        found = source / cwd
        if not found.is_dir():
            raise BundleError(
                f"{source} has no folder {cwd}, where the command ran:"
                " name the checkout with --source DIR"
            )
        return found
    # Outside of a repository the folder is known only by its own name.
    return cwd if source == Path() and cwd.is_dir() else source
