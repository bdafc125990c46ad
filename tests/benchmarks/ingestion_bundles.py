"""What the benchmark of ingestion needs of Telltale: apart, so that bare expat does not load it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from pathlib import Path

from telltale import bundle
from telltale.history import codec
from telltale.history.record import make_record
from telltale.model import BundleKind, Command, Evidence, GithubRun, Host, Outcome, Resources
from telltale.records import Origin

_START = datetime(2026, 1, 1, tzinfo=timezone.utc)


def write_manifest(folder: Path, run: int, leg: int) -> None:
    """Complete a bundle that holds a JUnit file alone."""
    evidence = Evidence(
        kind=BundleKind.TESTS,
        name="tests",
        outcome=Outcome.FAILED,
        command=Command(argv=("pytest", "-q", "--junitxml=junit.xml"), cwd="."),
        started_at=bundle.instant(_START + timedelta(minutes=run)),
        exit_code=1,
        elapsed_s=60.0,
        resources=Resources(wall_s=60.0, user_s=50.0, system_s=5.0, max_rss_bytes=100 << 20),
        host=Host(fingerprint="5eed5eed5eed5eed", parts={"cpu": "EPYC 7763"}),
        github=GithubRun(run_id=run + 1, run_attempt=1, job=f"unit-{leg}", event="push"),
    )
    bundle.write_manifest(folder, evidence)


def into_history(folders: Iterable[Path], history: Path) -> int:
    """Make a record of each bundle and keep it; return how many executions they hold."""
    executions = 0
    history.mkdir()
    for folder in folders:
        record = make_record(folder, Origin(repository="octo/shop", event="push", branch="main"))
        # Not through a store: how those write is theirs, and they wait for the disk.
        (history / f"{record.id}.json.gz").write_bytes(codec.encode(record))
        executions += len(record.tests)
    return executions
