"""Records for the tests of flaky detection: a few words instead of twenty fields."""

from __future__ import annotations

import hashlib

from telltale.flaky.signature import name_failure
from telltale.model import BundleKind, Command, Failure, Host, Outcome, Resources, TestOutcome
from telltale.records import Origin, Record, RecordedTest, Series

SERIES = Series(kind=BundleKind.TESTS, job="tests", name="unit")
RACE = "E   RuntimeError: the cache was changed while it was read\n\nsrc/cache.py:31: RuntimeError"
DISK = "E   OSError: [Errno 28] No space left on device\n\nsrc/store.py:8: OSError"


def record(
    sha: str,
    day: int,
    *,
    fails: dict[str, str] | None = None,
    passes: tuple[str, ...] = (),
    run: int | None = None,
    attempt: int = 1,
    pull_request: int | None = None,
    branch: str = "main",
    fork: bool = False,
    fingerprint: str = "f00d",
    dirty: bool | None = False,
    local: bool = False,
) -> Record:
    """Return a run on `day` of November of commit `sha` (a word), of main unless said otherwise."""
    failures = tuple(_failure(nodeid, text) for nodeid, text in (fails or {}).items())
    run_id = None if local else (run if run is not None else day * 100)
    tests = [
        *(
            RecordedTest(
                nodeid=failure.nodeid,
                outcome=TestOutcome.FAILED,
                duration_s=0.1,
                signature=failure.signature,
            )
            for failure in failures
            if failure.nodeid
        ),
        *(
            RecordedTest(nodeid=nodeid, outcome=TestOutcome.PASSED, duration_s=0.1)
            for nodeid in passes
        ),
    ]
    return Record(
        id=hashlib.sha256(
            f"{sha} {day} {run_id} {attempt} {pull_request} {fingerprint}".encode()
        ).hexdigest()[:32],
        series=SERIES,
        origin=Origin(
            repository="" if local else "octo/app",
            sha=hashlib.sha1(sha.encode()).hexdigest() if sha else "",  # noqa: S324
            branch=branch if pull_request is None else "topic",
            event="" if local else ("push" if pull_request is None else "pull_request"),
            run_id=run_id,
            run_attempt=attempt,
            pull_request=pull_request,
            fork=fork,
            default_branch=pull_request is None and branch == "main" and not local,
            url="" if local else f"https://github.com/octo/app/actions/runs/{run_id}",
        ),
        started_at=f"2026-11-{day:02d}T10:00:00Z",
        outcome=Outcome.FAILED if failures else Outcome.PASSED,
        exit_code=1 if failures else 0,
        dirty=dirty,
        host=Host(fingerprint=fingerprint),
        command=Command(argv=("pytest",), cwd="."),
        resources=Resources(),
        tests=tuple(tests),
        failures=failures,
    )


def short(sha: str) -> str:
    """Return the commit as the reasons name it."""
    return hashlib.sha1(sha.encode()).hexdigest()[:7]  # noqa: S324


def _failure(nodeid: str, text: str) -> Failure:
    named = name_failure(test=nodeid, text=text)
    return Failure(
        nodeid=nodeid,
        kind=named.kind,
        signature=named.signature,
        message=text.splitlines()[0],
        text=text,
    )
