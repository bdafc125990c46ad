"""The two codes that are measured in turn, and one execution of tests in one of them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from telltale.capture import events, probing
from telltale.capture.confirm import imported
from telltale.capture.isolate import reading
from telltale.capture.isolate.case import Case
from telltale.capture.isolate.tries import Ran, Tries
from telltale.errors import IsolateError
from telltale.model import TestResult

PLUGIN = Path(__file__).parent / "pytest_side"
IMPORTED = "TELLTALE_IMPORTED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of the two codes."""

    name: str
    """`base` or `head`, as people read it."""
    root: Path
    """The top of its checkout."""
    case: Case
    """How its tests are run."""
    site: Path | None = None
    """What its build step installed, imported before everything else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """What one process that ran some tests showed."""

    results: Mapping[str, TestResult] = field(default_factory=dict)
    """By nodeid: the tests that ended or were running."""
    missing: frozenset[str] = frozenset()
    """Tests that are not there."""
    modules: Mapping[str, str] = field(default_factory=dict)
    """Their files, by name."""
    obstacle: str = ""
    """Why there are no results."""
    seconds: float = 0.0

    @property
    def starting_s(self) -> float:
        """What the process took beside its tests."""
        return max(0.0, self.seconds - sum(each.duration_s for each in self.results.values()))


def head_side(case: Case, root: Path, executable: str) -> Side:
    """Return the code under test; `IsolateError` when its tests cannot be measured so."""
    if any(option[1:2] in {"I", "E"} for option in case.pytest.python_options):
        raise IsolateError(
            "the command's Python is told to ignore PYTHONPATH, which the probe needs"
        )
    if case.pytest.runner:
        # `uv run` in another folder makes another environment: the one that ran is meant.
        if not os.access(executable, os.X_OK):
            raise IsolateError(f"the Python that {case.pytest.runner[0]} started is not known")
        case = replace(case, python=(executable,))
    return Side(name="head", root=root, case=case)


def base_side(head: Side, root: Path, site: Path) -> Side:
    """Return the same tests of the code in `root`, with the same Python and environment."""
    case = head.case
    cwd, base = _moved(case.cwd, head.root, root), _moved(case.base, head.root, root)
    if not cwd.is_dir():
        raise IsolateError(f"the base has no folder {case.cwd.relative_to(head.root)}")
    paths = [
        str(_moved(Path(each), head.root, root)) if each.startswith("/") else each
        for each in case.env.get("PYTHONPATH", "").split(os.pathsep)
    ]
    options = tuple(each.replace(f"{head.root}/", f"{root}/") for each in case.pytest.options)
    moved = replace(
        case,
        cwd=cwd,
        base=base,
        rootdir=_moved(case.rootdir, head.root, root) if case.rootdir else None,
        pytest=replace(case.pytest, options=options),
        env={**case.env, **({"PYTHONPATH": os.pathsep.join(paths)} if any(paths) else {})},
    )
    side = Side(name="base", root=root, case=moved, site=site)
    return with_paths(side, [site]) if any(site.iterdir()) else side


def with_paths(side: Side, paths: Sequence[Path]) -> Side:
    """Return the side with folders from which it imports first."""
    before = side.case.env.get("PYTHONPATH", "")
    found = os.pathsep.join([*map(str, paths), *([before] if before else [])])
    return replace(side, case=replace(side.case, env={**side.case.env, "PYTHONPATH": found}))


def execute(tries: Tries, side: Side, nodeids: Sequence[str]) -> Execution:
    """Run the tests in a process of their own, with the probe; raises `Stop` as `Tries` does."""
    case = side.case
    there = [each for each in nodeids if case.file(each).is_file()]
    absent = frozenset(nodeids) - frozenset(there)
    if not there:
        return Execution(missing=absent)
    with tempfile.TemporaryDirectory(prefix="telltale-confirm-") as scratch:
        folder = Path(scratch)
        (folder / "artifacts").mkdir()
        tries.case = _watched(case, folder)
        ran = tries.fresh(there, case.files(there))
        told = events.read(folder)
        modules = imported.read(folder / "modules.json")
    unknown = _unknown(ran, case, there)
    if unknown and not told.results:
        # The last one decides whether any is run: without it, and the others that are not there.
        again = execute(tries, side, [each for each in there if each not in unknown])
        return replace(again, missing=again.missing | unknown | absent)
    results = {each.nodeid: each for each in told.results}
    return Execution(
        results=results,
        missing=absent | unknown,
        modules=modules,
        obstacle="" if results else reading.read(ran, there[-1], None).said,
        seconds=ran.seconds,
    )


def _watched(case: Case, folder: Path) -> Case:
    """Return the case with the probe, and our plugin, in its environment."""
    argv = (*case.python, *case.pytest.python_options, "-m", "pytest")
    environ = probing.environ(case.env, argv, folder, leaks=False)
    environ["PYTHONPATH"] += f"{os.pathsep}{PLUGIN}"
    environ[IMPORTED] = str(folder / "modules.json")
    options = (*case.pytest.options, "-p", "telltale_imported")
    return replace(case, env=environ, pytest=replace(case.pytest, options=options))


def _unknown(ran: Ran, case: Case, nodeids: Sequence[str]) -> frozenset[str]:
    names = {"::".join(case.name(each)): each for each in nodeids}
    said = [event for event in ran.events if event.get("event") == "collected"]
    missing = said[-1].get("missing", []) if said else []
    return frozenset(names[each] for each in missing if each in names)


def _moved(path: Path, old: Path, new: Path) -> Path:
    """Return the same place in the other checkout; what lies outside, or is installed, stays."""
    try:
        inner = path.relative_to(old)
    except ValueError:
        return path
    return path if "site-packages" in inner.parts else new / inner
