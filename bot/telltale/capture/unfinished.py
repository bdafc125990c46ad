"""
Complete the bundles of runs whose Telltale was killed: by SIGKILL, the OOM killer, a crash.

Such a bundle says `running` for ever. The next run that writes to the same
folder finds it by its lock, which nobody holds any more, says what happened,
counts what the tests had written, and kills what is surely left of it.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from pathlib import Path

from telltale import bundle
from telltale.capture import (
    cgroup,
    cleaning,
    ending,
    events,
    failures,
    lock,
    rebuilt,
    summary,
    tree,
)
from telltale.capture.command import Ended
from telltale.capture.output import last_bytes
from telltale.capture.redact import Redactor
from telltale.capture.reports import JUNIT
from telltale.errors import BundleError
from telltale.model import Outcome, Resources, RunningTest
from telltale.values import replace

KILLED = "Telltale itself was killed while the command ran"
_DEPTH = 4
_FOLDERS = 2000
"""How many are looked at, the newest first: the tests wait for this."""
_AT_ONCE = 20
"""Bundles that one run completes."""
_NAMED = 20
_SWEEP_S = 2.0
_RUNNING = 100
_UNKNOWN = "not recorded: Telltale was killed before\n"
_FILLERS = {"artifacts/exit_code.txt": f"{bundle.NO_STATUS}\n", "env/host.json": "{}\n"}


def complete_all(out: Path, redactor: Redactor) -> list[Path]:
    """
    Complete the unfinished bundles below a folder; return those that now are complete.

    Bundles of runs that live are not touched, whoever runs them. One that
    cannot be completed stays as it is.
    """
    done: list[Path] = []
    for folder in _locked(out):
        if len(done) == _AT_ONCE:
            break
        held = lock.take_over(folder)
        if held is None:
            continue
        held.make_room()
        try:
            if _complete(folder, redactor):
                done.append(folder)
        except (BundleError, OSError):
            held.leave()
        else:
            held.release()
    return done


def _locked(out: Path) -> Iterator[Path]:
    """Yield the bundles that a run holds or held when it died, the newest of each series first."""
    # Texts, not paths: there may be thousands, and the tests wait.
    waiting = deque([(str(out), 0)])
    for _ in range(_FOLDERS):
        if not waiting:
            return
        folder, depth = waiting.popleft()
        if os.path.lexists(f"{folder}/{bundle.RUNNING}"):
            yield Path(folder)
        elif depth < _DEPTH and not os.path.lexists(f"{folder}/{bundle.MANIFEST}"):
            waiting.extend((inner, depth + 1) for inner in _inner(folder))


def _inner(folder: str) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            found = [each.path for each in entries if each.is_dir(follow_symlinks=False)]
    except OSError:
        return []
    return sorted(found, reverse=True)


def _complete(folder: Path, redactor: Redactor) -> bool:
    """Complete one bundle; False when it only lacked the end of its lock."""
    evidence = bundle.read_manifest(folder)
    left = _kill_leftovers(folder)
    if evidence.outcome is not Outcome.RUNNING:
        return False
    alive_at = _last_sign(folder)
    # What the probe wrote was to be redacted at the end that never came.
    removed = [*cleaning.sweep(folder, redactor, {})]
    said = events.read(folder)
    told = (redactor.text(each) for each in _findings(folder, left))
    findings = [*evidence.findings, *told, *removed]
    results = said.results if said.sessions else None
    if results is not None:
        rebuilt.write(folder / JUNIT, results, said.sessions[0].at)
        bundle.write_tests(folder, results, source="probe", damage=said.damage)
    evidence = replace(
        evidence,
        outcome=Outcome.ERROR,
        tests=None if results is None else bundle.count(results),
        running=tuple(
            RunningTest(
                nodeid=each.nodeid,
                worker=each.worker,
                phase=each.phase,
                for_s=round(max(0.0, alive_at - each.since), 3),
            )
            for each in said.running[:_RUNNING]
        ),
        failures=failures.name_all(results or (), _ended(), folder / "logs/output.log"),
        findings=tuple(findings),
    )
    text = summary.render(evidence, results or ())
    bundle.write_atomically(folder / "analysis/summary.md", text)
    _fill(folder)
    bundle.write_manifest(folder, evidence)
    return True


def _ended() -> Ended:
    return Ended(
        outcome=Outcome.ERROR,
        exit_code=0,
        signal=None,
        status=0,
        elapsed_s=0.0,
        resources=Resources(),
        findings=(KILLED,),
    )


def _findings(folder: Path, left: Sequence[str]) -> Iterator[str]:
    now = bundle.instant(datetime.now(timezone.utc))
    yield f"{KILLED}; how the command ended is not known; a later run completed this at {now}"
    if last := _last_sample(folder):
        yield f"the last sample was taken {last} s after the start"
    for each in left[:_NAMED]:
        yield f"left running by it, killed by the later run: {each}"
    if len(left) > _NAMED:
        yield f"left running by it and killed: {len(left) - _NAMED} more"


def _last_sign(folder: Path) -> float:
    """Return when the run last wrote something, in seconds since 1970: it lived at least until then."""
    names = ("logs/output.log", "artifacts/samples.csv", bundle.TESTS)
    found = [(folder / name).stat().st_mtime for name in names if (folder / name).is_file()]
    return max(found, default=0.0)


def _last_sample(folder: Path) -> str:
    rows = last_bytes(folder / "artifacts/samples.csv", 4096).decode("ascii", "replace")
    whole, _, _ = rows.rpartition("\n")
    elapsed_s, *rest = whole.rpartition("\n")[2].split(",")
    try:
        return f"{float(elapsed_s):.1f}" if rest else ""
    except ValueError:
        return ""  # the head of the columns


def _kill_leftovers(folder: Path) -> list[str]:
    """
    Kill what is in the cgroup of the dead run; return what it was.

    Where it had none nobody can say for certain what is left of it, and
    nothing is killed.
    """
    group = cgroup.left_by(folder)
    if group is None:
        return []
    group.freeze()
    left = [ending.describe(pid) for pid in group.pids() if not tree.is_dead(pid)]
    group.kill()
    group.remove(_SWEEP_S)
    return left


def _fill(folder: Path) -> None:
    """Write what every complete bundle has and this one lacks."""
    for name in bundle.ALWAYS:
        path = folder / name
        if not path.exists():
            bundle.write_atomically(path, _FILLERS.get(name, _UNKNOWN))
