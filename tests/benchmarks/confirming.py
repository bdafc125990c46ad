"""
Measure suspects again, for real: false alarms without a change, and found changes of x1.5 and x2.

    PYTHONPATH=bot python -m tests.benchmarks.confirming 5

runs `profile-tests` so many times on a small project of twelve tests, all of
which its history suspects, with three changes: none, half as much work again
in the function that six of the tests call, and twice as much. It wants no
quiet machine: the one that it has, with its load, is the point.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from telltale import bundle
from telltale.history import open_history
from telltale.history.record import make_record
from telltale.model import Confirmation, Resources
from telltale.records import Origin

ROOT = Path(__file__).parents[2]
CHANGES = {"none": 1.0, "x1.5": 1.5, "x2": 2.0}

_PACKAGE = """
def changed(count):
    return sum(n * n % 7 for n in range(int(count * {factor})))

def same(count):
    return sum(n * n % 7 for n in range(count))
"""
_TESTS = """
import pytest
import pkg

# Loops of some 30 to 150 ms of CPU time: half of it is more than the 10 ms that count.
SIZES = [500_000, 700_000, 1_000_000, 1_300_000, 1_600_000, 2_000_000]

@pytest.mark.parametrize("size", SIZES)
def test_changed(size):
    assert pkg.changed(size)

@pytest.mark.parametrize("size", SIZES)
def test_same(size):
    assert pkg.same(size)
"""


def main() -> None:
    """Print a table: which tests were called what, by the figure."""
    times = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    with tempfile.TemporaryDirectory(prefix="telltale-bench-") as scratch:
        project = _project(Path(scratch))
        verdicts: Counter[tuple[str, str, str, str]] = Counter()
        for _ in range(times):
            for change in CHANGES:
                _git(project, "checkout", "-q", change)
                for one in _confirmed(project):
                    kind = "changed" if "test_changed" in one.nodeid else "same"
                    verdicts[change, kind, one.metric, one.verdict.value] += 1
    lines = [f"load average {os.getloadavg()[1]:.1f} on {os.cpu_count()} CPUs"]
    for (change, kind, metric, verdict), count in sorted(verdicts.items()):
        lines.append(f"{change:5} {kind:8} {metric:12} {verdict:12} {count}")
    sys.stdout.write("\n".join(lines) + "\n")


def _project(scratch: Path) -> Path:
    """Make the repository, a branch for each change, and a history that suspects every test."""
    project = scratch / "project"
    (project / "tests").mkdir(parents=True)
    (project / ".gitignore").write_text("__pycache__/\n", encoding="utf-8")
    (project / "pkg.py").write_text(_PACKAGE.format(factor=1), encoding="utf-8")
    (project / "tests/test_it.py").write_text(_TESTS, encoding="utf-8")
    _git(project, "init", "-q", "-b", "main")
    _git(project, "add", "-A")
    _git(project, "commit", "-qm", "base")
    for change, factor in CHANGES.items():
        _git(project, "checkout", "-q", "-b", change, "main")
        text = _PACKAGE.format(factor=factor) + f"# {change}\n"
        (project / "pkg.py").write_text(text, encoding="utf-8")
        _git(project, "commit", "-qam", change)
    record = make_record(_run(project, "--confirm", "never"), Origin())
    tests = tuple(replace(each, duration_s=1e-4, cpu_s=1e-4) for each in record.tests)
    record = replace(record, tests=tests, resources=Resources())
    open_history(str(scratch / "history"), cwd=scratch).add(
        [
            replace(record, id=f"{n:032x}", started_at=f"2026-01-{n:02d}T00:00:00Z")
            for n in range(1, 11)
        ]
    )
    return project


def _confirmed(project: Path) -> Iterator[Confirmation]:
    evidence = bundle.read_manifest(_run(project, "--confirm-budget", "900"))
    if not evidence.confirmations:
        raise SystemExit(f"nothing was measured: {evidence.findings}")
    yield from evidence.confirmations


def _run(project: Path, *options: str) -> Path:
    out, history = project.parent / "evidence", project.parent / "history"
    shutil.rmtree(out, ignore_errors=True)
    program = [sys.executable, "-IS", str(ROOT / "bot/run.py"), "profile-tests"]
    where = ["--out", str(out), "--history", str(history), *options]
    pytest = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    subprocess.run(
        [*program, *where, "--", *pytest],
        cwd=project,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    (found,) = bundle.find([out])
    return found


def _git(project: Path, *arguments: str) -> None:
    who = ("-c", "user.name=bench", "-c", "user.email=bench@example.org")
    subprocess.run(["git", *who, *arguments], cwd=project, check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
