"""
The reports that the golden files hold, and their writer.

`PYTHONPATH=bot python -m tests.unit.report_cases` writes tests/data/golden/
anew; read the difference before committing it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from telltale.compare.ceilings import ceilings
from telltale.compare.confirmed import settle
from telltale.compare.confirming import confirm
from telltale.compare.settings import Ceiling
from telltale.model import (
    BundleKind,
    Command,
    Failure,
    FailureKind,
    Host,
    Outcome,
    Resources,
    TestOutcome,
    Verdict,
)
from telltale.records import (
    Comparison,
    Drift,
    FailureVerdict,
    Flake,
    IssueRef,
    JudgedFailure,
    Judgement,
    Milestone,
    Occurrence,
    Origin,
    Record,
    RecordedTest,
    Series,
)
from telltale.report import (
    IssueData,
    Job,
    Rate,
    ReportData,
    comment,
    issue_body,
    issue_title,
    page,
    summary,
    to_json,
)

GOLDEN = Path(__file__).parents[1] / "data" / "golden" / "report"

SERVER = "https://github.com"
REPOSITORY = "octo/widgets"
SHA = "3f9c2d1e8b7a6054c3d2e1f0a9b8c7d6e5f40312"
MIB = 1024**2

RESUME_TEXT = """\
tmp_path = PosixPath('/tmp/pytest-of-runner/pytest-0/test_resume_after_a_dropped_co0')

    def test_resume_after_a_dropped_connection(tmp_path):
        upload = Upload(tmp_path / "big.bin", size=4 * CHUNK)
        upload.send(chunks=2)
        upload.connection.drop()

        upload.resume()

>       assert upload.sent == 4 * CHUNK
E       assert 6291456 == (4 * 2097152)
E        +  where 6291456 = <Upload big.bin, 3 of 4 chunks>.sent

tests/test_upload.py:58: AssertionError"""

ORDER_TEXT = """\
    def test_listing_is_sorted():
        names = [entry.name for entry in listing("fixtures")]
>       assert names == sorted(names)
E       AssertionError: assert ['b', 'a'] == ['a', 'b']
E         At index 0 diff: 'b' != 'a'

tests/test_listing.py:21: AssertionError"""


def failure(
    nodeid: str = "tests/test_upload.py::test_resume_after_a_dropped_connection",
    *,
    kind: FailureKind = FailureKind.ASSERTION,
    signature: str = "v1:5d0c3a9e71b2f846",
    message: str = "assert 6291456 == (4 * 2097152)",
    text: str = RESUME_TEXT,
) -> Failure:
    """Return a failure of the project's upload test."""
    return Failure(nodeid=nodeid, kind=kind, signature=signature, message=message, text=text)


def suite(
    count: int,
    failed: Mapping[str, str] | None = None,
    skipped: int = 0,
) -> tuple[RecordedTest, ...]:
    """Return `count` tests, of which `failed` (nodeid to signature) failed."""
    failed = failed or {}
    named = [
        RecordedTest(nodeid=nodeid, outcome=TestOutcome.FAILED, duration_s=0.8, signature=signature)
        for nodeid, signature in failed.items()
    ]
    rest = [
        RecordedTest(
            nodeid=f"tests/test_{('codec', 'listing', 'session', 'quota')[at % 4]}.py::test_case[{at}]",
            outcome=TestOutcome.SKIPPED if at < skipped else TestOutcome.PASSED,
            duration_s=round(0.004 + 0.9 / (1 + at), 4),
        )
        for at in range(count - len(named))
    ]
    return (*named, *rest)


def record(
    *,
    job: str = "unit",
    name: str = "unit",
    outcome: Outcome = Outcome.PASSED,
    exit_code: int | None = 0,
    ran: tuple[RecordedTest, ...] = (),
    failures: tuple[Failure, ...] = (),
    resources: Resources | None = None,
    findings: tuple[str, ...] = (),
    invalid: tuple[str, ...] = (),
    disagreements: tuple[str, ...] = (),
    timeout_s: float | None = 600,
) -> Record:
    """Return the record of a run of the pull request."""
    return Record(
        id=f"{job}-{name}-101-1",
        series=Series(kind=BundleKind.TESTS, job=job, name=name),
        origin=Origin(
            repository=REPOSITORY, sha=SHA, branch="resume-uploads", run_id=101, pull_request=7
        ),
        started_at="2026-11-22T10:15:16Z",
        outcome=outcome,
        exit_code=exit_code,
        dirty=False,
        host=Host(fingerprint="7c1f0a9be2d45836", parts={"cpu": "AMD EPYC 7763", "cores": "4"}),
        command=Command(argv=("pytest", "-q"), cwd=".", timeout_s=timeout_s),
        resources=resources
        or Resources(
            wall_s=41.8,
            user_s=36.21,
            system_s=2.4,
            cpu_percent=92.4,
            max_rss_bytes=212 * MIB,
            tree_peak_rss_bytes=305 * MIB,
        ),
        tests=ran or suite(412, skipped=3),
        failures=failures,
        findings=findings,
        invalid=invalid,
        disagreements=disagreements,
    )


def figure(
    metric: str = "cpu_s",
    verdict: Verdict = Verdict.UNCHANGED,
    *,
    now: float | None = 38.6,
    baseline: float | None = 38.2,
    spread: float | None = 0.6,
    unit: str = "s",
    n: int = 12,
    nodeid: str = "",
    advisory: bool = False,
    reason: str = "within the threshold of 5 %",
) -> Judgement:
    """Return a judged figure; the change follows from the numbers."""
    return Judgement(
        metric=metric,
        nodeid=nodeid,
        unit=unit,
        verdict=verdict,
        reason=reason,
        advisory=advisory,
        now=now,
        n=n,
        baseline=baseline,
        spread=spread,
        change=None if now is None or not baseline else now / baseline - 1,
        threshold=0.05 if baseline else None,
    )


STEADY = (
    figure(),
    figure("max_rss_bytes", now=212.0 * MIB, baseline=211.0 * MIB, spread=1.5 * MIB, unit="bytes"),
)

BASELINE = tuple(f"unit-unit-{run}-1" for run in range(88, 76, -1))


def compared(
    head: Record,
    *,
    failures: tuple[JudgedFailure, ...] = (),
    judgements: tuple[Judgement, ...] = STEADY,
    baseline: tuple[str, ...] = BASELINE,
    reason: str = "12 runs of main with the same name and fingerprint, newest first",
    added: tuple[str, ...] = (),
    removed: tuple[str, ...] = (),
) -> Comparison:
    """Return a comparison with twelve runs of main."""
    return Comparison(
        head=replace(head, failures=tuple(judged.failure for judged in failures)),
        baseline=baseline,
        reason=reason,
        judgements=judgements,
        failures=failures,
        added=added,
        removed=removed,
    )


def job(comparison: Comparison) -> Job:
    """Return a job whose evidence was uploaded."""
    name = comparison.head.series.name
    return Job(
        comparison=comparison,
        artifact=f"telltale-{name}-1",
        artifact_url=f"{SERVER}/{REPOSITORY}/actions/runs/101/artifacts/{len(name)}",
        reproduce="pytest -q",
    )


def report(*jobs: Job, **changes: object) -> ReportData:
    """Return the report of pull request 7."""
    data = ReportData(
        repository=REPOSITORY,
        head_sha=SHA,
        base_branch="main",
        pull_request=7,
        run_id=101,
        run_attempt=1,
        run_url=f"{SERVER}/{REPOSITORY}/actions/runs/101",
        server_url=SERVER,
        jobs=jobs,
        history="branch telltale-history of octo/widgets",
        report_artifact="telltale-report",
        report_url=f"{SERVER}/{REPOSITORY}/actions/runs/101/artifacts/99",
    )
    return replace(data, **changes)  # type: ignore[arg-type]


def judged(
    what: Failure | None = None,
    verdict: FailureVerdict = FailureVerdict.NEW,
    reason: str = "never seen in 60 runs of main",
    flake: Flake | None = None,
) -> JudgedFailure:
    """Return a failure with the history's verdict."""
    return JudgedFailure(failure=what or failure(), verdict=verdict, reason=reason, flake=flake)


def occurrence(run: int, *, pull_request: int | None = None, hour: int = 9) -> Occurrence:
    """Return one execution in a run of main or of a pull request."""
    return Occurrence(
        record_id=f"unit-unit-{run}-1",
        started_at=f"2026-11-{1 + run % 28:02d}T{hour:02d}:04:11Z",
        sha=f"{run * 2654435761 % 16**12:012x}" + "0" * 28,
        run_id=run,
        run_attempt=1,
        url=f"{SERVER}/{REPOSITORY}/actions/runs/{run}",
        branch="main" if pull_request is None else "resume-uploads",
        pull_request=pull_request,
        fork=False,
        default_branch=pull_request is None,
        fingerprint="7c1f0a9be2d45836" if run % 3 else "aa41c09be2d45811",
    )


def flake(what: Failure | None = None) -> Flake:
    """Return a flake that struck four times in 61 executions."""
    return Flake(
        nodeid=(what or failure()).nodeid,
        series=Series(kind=BundleKind.TESTS, job="unit", name="unit"),
        failure=what or failure(),
        failed=(
            occurrence(61),
            occurrence(66),
            occurrence(73, pull_request=5),
            occurrence(80),
        ),
        passed_beside=(occurrence(61, hour=10), occurrence(66, hour=10)),
        runs=61,
    )


UPLOAD = failure()
LISTING = failure(
    "tests/test_listing.py::test_listing_is_sorted",
    signature="v1:b14e60a2f9d3c758",
    message="AssertionError: assert ['b', 'a'] == ['a', 'b']",
    text=ORDER_TEXT,
)
SESSION = failure(
    "tests/test_session.py::test_token_is_renewed_before_it_expires",
    kind=FailureKind.EXCEPTION,
    signature="v1:0c9f2be7d6a41835",
    message="ConnectionResetError: [Errno 104] Connection reset by peer",
    text="E       ConnectionResetError: [Errno 104] Connection reset by peer",
)
QUOTA = failure(
    "tests/test_quota.py::test_quota_of_a_new_account[eu]",
    signature="v1:e5a7730b18c2d94f",
    message="assert 10 == 20",
    text="E       assert 10 == 20",
)

NEW = judged(
    reason="not seen in 12 runs of the default branch; the same test failed in 2 of them with"
    " another cause"
)
FLAKY = judged(
    SESSION,
    FailureVerdict.FLAKY,
    "passed in 2 and failed in 1 of 3 runs of 91ac3f0 on this kind of machine",
    flake(SESSION),
)
KNOWN = judged(
    QUOTA,
    FailureVerdict.KNOWN,
    "fails without this change: in the newest 3 runs of the default branch, since 4be1d20,"
    " 2026-11-19",
)

SLOWER = figure(
    verdict=Verdict.REGRESSION,
    now=53.1,
    reason="+39% of the median of 12 runs; more than 10% counts, and no earlier run came near",
)
LEAD = figure(
    "duration_s",
    Verdict.UNDECIDED,
    nodeid="tests/test_codec.py::test_round_trip_of_a_large_file",
    now=16.4,
    baseline=2.21,
    spread=0.2,
    advisory=True,
    reason="one run; grew beyond every earlier run",
)
SMALLER = figure(
    "max_rss_bytes",
    Verdict.IMPROVEMENT,
    now=161.0 * MIB,
    baseline=211.0 * MIB,
    spread=1.5 * MIB,
    unit="bytes",
    reason="-24% of the median of 12 runs; more than 10% counts, and no earlier run came near",
)
SUSPECT = figure(
    "duration_s",
    Verdict.UNDECIDED,
    nodeid="tests/test_codec.py::test_case[0]",
    now=0.904,
    baseline=0.412,
    spread=0.021,
    advisory=True,
    reason="suspect: slower than in each of 12 runs; one run is no proof",
)
SCAFFOLD = (
    "git fetch --quiet origin telltale-history"
    " && git archive FETCH_HEAD scaffolds/resume-after-a-dropped-connection-5d0c3a | tar -x"
    " && scaffolds/resume-after-a-dropped-connection-5d0c3a/run_test.sh"
)
BUSIER = Resources(
    wall_s=57.2,
    user_s=50.4,
    system_s=2.7,
    cpu_percent=92.8,
    max_rss_bytes=212 * MIB,
    tree_peak_rss_bytes=305 * MIB,
)
TOO_FEW = "2 comparable runs of 5 needed"


def failed_run(
    *failures: JudgedFailure,
    judgements: tuple[Judgement, ...] = STEADY,
    name: str = "unit",
    count: int = 412,
    resources: Resources | None = None,
) -> Job:
    """Return a job whose command failed with these failures."""
    signatures = {one.failure.nodeid: one.failure.signature for one in failures}
    head = record(
        name=name,
        outcome=Outcome.FAILED,
        exit_code=1,
        ran=suite(count, signatures, skipped=3),
        resources=resources,
    )
    return job(compared(head, failures=failures, judgements=judgements))


def nothing_to_say() -> ReportData:
    """Every test passes and nothing changed."""
    return report(job(compared(record())))


def one_new_failure() -> ReportData:
    """One failure that main does not have, with a scaffold."""
    return report(failed_run(NEW), scaffolds={UPLOAD.signature: SCAFFOLD})


def known_flake() -> ReportData:
    """The only failure is flaky and has an issue."""
    return report(failed_run(FLAKY), issues=issue_for(SESSION, 12))


def milestone(run: int, *, text: str = "") -> Milestone:
    """Return a run of main."""
    one = occurrence(run)
    return Milestone(
        record_id=text or one.record_id,
        sha=text or one.sha,
        started_at=text or one.started_at,
        url=text or one.url,
    )


def drift(
    metric: str = "cpu_s",
    *,
    nodeid: str = "",
    unit: str = "s",
    before: float = 34.1,
    after: float = 38.6,
    runs: tuple[int, int] = (61, 63),
    text: str = "",
) -> Drift:
    """Return a level that changed between two runs of main."""
    last, first = milestone(runs[0], text=text), milestone(runs[1], text=text and text + "-")
    return Drift(
        series=Series(kind=BundleKind.TESTS, job=text or "unit", name=text or "unit"),
        fingerprint=text or "7c1f0a9be2d45836",
        metric=metric,
        nodeid=nodeid,
        unit=unit,
        before=before,
        after=after,
        n_before=48,
        n_after=7,
        last_before=last,
        first_after=first,
        likely=first,
        now=after,
        compare_url=text or f"{SERVER}/{REPOSITORY}/compare/{last.sha}...{first.sha}",
    )


CREPT = (
    drift(),
    drift(
        "duration_s",
        nodeid="tests/test_codec.py::test_case[0]",
        before=0.412,
        after=0.577,
        runs=(59, 60),
    ),
    replace(
        drift("max_rss_bytes", unit="bytes", before=211.0 * MIB, after=188.0 * MIB, runs=(63, 63)),
        compare_url="",
    ),
)


def drifted() -> ReportData:
    """A push to main, the first that shows that figures changed over the runs before it."""
    return report(job(compared(record())), pull_request=None, drifts=CREPT)


def regression() -> ReportData:
    """CPU time grew, memory shrank."""
    return report(job(compared(record(), judgements=(SLOWER, SMALLER))))


def measured_again() -> ReportData:
    """Suspects that were measured again, one of them really slower; and ceilings."""
    name = "tests/test_list.py::test_order"
    suspect = figure("cpu_s", Verdict.UNDECIDED, nodeid=name, baseline=0.2, now=0.4, advisory=True)
    judgements = [
        suspect,
        replace(suspect, nodeid="tests/test_list.py::test_unlucky"),
        replace(suspect, nodeid="tests/test_list.py::test_not_reached"),
    ]
    confirmations = (
        confirm("cpu_s", name, "s", (0.2, 0.21, 0.2, 0.19, 0.2), (0.4, 0.41, 0.4, 0.39, 0.4)),
        confirm("cpu_s", "tests/test_list.py::test_unlucky", "s", (0.2,) * 5, (0.2,) * 5),
    )
    head = record()
    limits = (
        Ceiling(metric="wall_s", limit=905, origin=".github/telltale.yml"),
        Ceiling(metric="cpu_s", limit=10, origin=".github/telltale.yml"),
    )
    settled = (*STEADY, *settle(judgements, confirmations), *ceilings(head, limits))
    return report(job(compared(head, judgements=settled)))


def first_run() -> ReportData:
    """No history at all, and a failure."""
    undecided = judged(
        LISTING,
        FailureVerdict.UNDECIDED,
        "the history has no runs of the default branch to compare with",
    )
    one = failed_run(undecided, judgements=unjudged("no earlier run of this series", n=0))
    comparison = replace(one.comparison, baseline=(), reason="no earlier run of this series")
    return report(replace(one, comparison=comparison))


def first_run_passes() -> ReportData:
    """No history at all, and nothing wrong."""
    reason = "no earlier run of this series"
    comparison = compared(record(), judgements=unjudged(reason, n=0), baseline=(), reason=reason)
    return report(job(comparison))


def timed_out() -> ReportData:
    """The command hung in a test and was killed."""
    hung = RecordedTest(
        nodeid="tests/test_session.py::test_two_writers_take_turns",
        outcome=TestOutcome.INTERRUPTED,
        duration_s=540.2,
    )
    head = record(
        outcome=Outcome.TIMED_OUT,
        exit_code=124,
        ran=(*suite(187), hung),
        resources=Resources(
            wall_s=600.4,
            user_s=58.2,
            system_s=3.1,
            cpu_percent=10.2,
            max_rss_bytes=214 * MIB,
            tree_peak_rss_bytes=304 * MIB,
        ),
    )
    reason = "nothing to compare: it was killed at its limit"
    return report(job(compared(head, judgements=unjudged(reason, n=0), baseline=(), reason=reason)))


def invalid() -> ReportData:
    """A guard was missing, and every test passes."""
    reason = "NANOBRAGG_DISABLE_COMPILE is not set, and --require-env wants it to be 1"
    unusable = f"nothing to compare: the run is no valid measurement: {reason}"
    head = record(invalid=(reason,))
    judgements = unjudged(unusable, n=0)
    return report(job(compared(head, judgements=judgements, baseline=(), reason=unusable)))


def disagreement() -> ReportData:
    """The status got lost in a pipe; and in another job a guard was missing beside a failure."""
    said = "the command exited with 0, and its test report has 2 failed tests: was the status lost?"
    reason = "the command does not say --gridsize 3, which --require-flag wants"
    lost = record(name="lost", disagreements=(said,))
    guarded = compared(
        record(name="guarded", outcome=Outcome.FAILED, exit_code=1, invalid=(reason,)),
        failures=(judged(verdict=FailureVerdict.UNDECIDED, reason=f"invalid: {reason}"),),
        judgements=unjudged(reason, n=0),
        baseline=(),
        reason=reason,
    )
    return report(job(compared(lost)), job(guarded))


def hundred_failures() -> ReportData:
    """A hundred causes, and one more that struck ten thousand tests."""
    many = [
        judged(
            failure(
                f"tests/test_wide.py::test_row[{at}]",
                signature=f"v1:{at + 4096:016x}",
                message=f"assert {at} == {at + 1}",
                text=f">       assert {at} == after({at})\nE       assert {at} == {at + 1}",
            )
        )
        for at in range(100)
    ]
    one_cause = [
        judged(replace(LISTING, nodeid=f"tests/test_grid.py::test_cell[{at}]"))
        for at in range(10_000)
    ]
    return report(failed_run(*many, *one_cause))


def matrix() -> ReportData:
    """Forty legs of a matrix: the same flake in some, one failure in two."""
    legs = [f"py3.{minor}-{system}" for minor in range(10, 15) for system in SYSTEMS]
    jobs = [job(compared(record(job="tests", name=leg))) for leg in legs]
    jobs[3] = failed_run(FLAKY, name=legs[3])
    jobs[8] = failed_run(NEW, FLAKY, name=legs[8])
    jobs[9] = failed_run(NEW, name=legs[9])
    jobs[20] = job(compared(record(job="tests", name=legs[20]), judgements=unjudged(TOO_FEW)))
    return report(*jobs, issues=issue_for(SESSION, 12))


def readme() -> ReportData:
    """What the README's picture shows: a failure, a slower run, a flake."""
    return report(
        failed_run(NEW, FLAKY, judgements=(SLOWER, STEADY[1], LEAD), resources=BUSIER),
        issues=issue_for(SESSION, 12),
    )


def everything(count: int = 412) -> ReportData:
    """Each part has something to say."""
    unit = failed_run(
        NEW, FLAKY, KNOWN, judgements=(SLOWER, SMALLER, SUSPECT), count=count, resources=BUSIER
    )
    unit = replace(
        unit,
        comparison=replace(
            unit.comparison,
            added=("tests/test_upload.py::test_resume_after_a_dropped_connection",),
            removed=("tests/test_upload.py::test_upload_cannot_resume",),
        ),
    )
    gpu = record(
        job="gpu",
        name="gpu",
        ran=suite(count // 10),
        findings=("The JUnit file is older than the run: tests.jsonl was read instead.",),
    )
    few = compared(gpu, judgements=unjudged(TOO_FEW), baseline=BASELINE[:2], reason=TOO_FEW)
    return report(
        unit,
        job(few),
        issues=issue_for(SESSION, 12),
        scaffolds={UPLOAD.signature: SCAFFOLD},
        drifts=CREPT[:1],
    )


SYSTEMS = ("ubuntu", "debian", "alma", "arm64", "macos", "gpu-a", "gpu-b", "slow")


def unjudged(reason: str, n: int = 2) -> tuple[Judgement, ...]:
    """Return the figures of a run that nothing can be said about."""
    return tuple(
        replace(
            one,
            verdict=Verdict.UNDECIDED,
            reason=reason,
            n=n,
            baseline=None,
            spread=None,
            change=None,
            threshold=None,
        )
        for one in STEADY
    )


def issue_for(what: Failure, number: int) -> dict[str, IssueRef]:
    """Return our issue about a failure, by its signature."""
    url = f"{SERVER}/{REPOSITORY}/issues/{number}"
    return {what.signature: IssueRef(number=number, url=url, signature=what.signature)}


HOSTILE = (
    "x](javascript:alert(1)) ![i](https://evil.example/p.png) <img src=//evil.example onerror=a>",
    "a\n\n# heading\n\n@octocat fixes #1, octo/widgets#2, GH-3, 3f9c2d1e8b7a6054c3d2e1f0a9b8c7d6",
    "```\n</details>\n<script>alert(1)</script>\n~~~\n````",
    "a | b \\| c || `x|y` \\",
    "\x00\x1b[31mred\x1b[0m \x1b]8;;https://evil.example\x07link\x1b]8;;\x07 \u202ekcab \u200b\udc80",
    "<!-- telltale:comment -->\n<!-- telltale:end --> --> <!-- telltale:signature v1:0 -->",
    "www.evil.example https://evil.example evil@example.com :smile: $x$ [^1] Closes: #4",
    "- [x] done\n1. one\n> quote\n    code\n===\n***\n| a |\n|---|\n&lt;b&gt; &#64;octocat \\@octocat",
)


def hostile() -> ReportData:
    """Whatever a stranger can write holds something that must not work."""
    return written_by_a_stranger("\n".join(HOSTILE))


def written_by_a_stranger(text: str) -> ReportData:
    """Return a report in which every text that an artifact can hold is this one."""
    failures = tuple(
        judged(
            failure(text, signature=f"v1:{at:016x}", message=text, text=text),
            verdict,
            reason=text,
            flake=flake(failure(text)) if verdict is FailureVerdict.FLAKY else None,
        )
        for at, verdict in enumerate(
            [*FailureVerdict, *[FailureVerdict.NEW, FailureVerdict.UNDECIDED] * 5]
        )
    )
    figures = tuple(
        figure("cpu_s", verdict, nodeid=nodeid, reason=text, advisory=bool(nodeid))
        for verdict in Verdict
        for nodeid in ("", text)
    )
    hung = RecordedTest(nodeid=text + "!", outcome=TestOutcome.INTERRUPTED, duration_s=1.0)
    head = record(
        job=text,
        name=text + "-",
        outcome=Outcome.TIMED_OUT,
        ran=(*suite(3, {text: "v1:0000000000000001"}), hung),
        findings=(text, text),
        invalid=(text, text),
        disagreements=(text, text),
    )
    comparison = compared(
        replace(head, host=Host(fingerprint=text)),
        failures=failures,
        judgements=figures,
        reason=text,
        added=(text, text + "+"),
        removed=(text + "-",),
    )
    return report(
        Job(comparison=comparison, artifact=text, artifact_url=text, reproduce=text),
        base_branch=text,
        problems=(text, text),
        history=text,
        report_artifact=text,
        report_url=text,
        scaffolds={failures[4].failure.signature: text},
        issues=issue_for(failures[1].failure, 2),
        drifts=(drift(text, nodeid=text, text=text),),
    )


def too_long() -> ReportData:
    """Far more of everything than a comment can hold."""
    wide = "é" * 400
    failures = [
        judged(
            failure(
                f"tests/{wide}.py::test[{at}]",
                signature=f"v1:{at + 4096:016x}",
                message=wide,
                text="\n".join([f"E   {wide}"] * 60),
            ),
            verdict,
            reason=wide,
            flake=flake() if verdict is FailureVerdict.FLAKY else None,
        )
        for at in range(400)
        for verdict in FailureVerdict
    ]
    figures = tuple(
        figure(verdict=verdict, nodeid=f"{at}{wide}" * advisory, advisory=advisory, reason=wide)
        for at in range(100)
        for verdict in Verdict
        for advisory in (False, True)
    )
    jobs = [
        Job(
            comparison=compared(
                record(
                    name=f"{leg}{wide}",
                    outcome=Outcome.RUNNING,
                    findings=(wide,) * 50,
                    ran=suite(20),
                ),
                failures=tuple(failures[leg::60]),
                judgements=figures[leg::60],
                reason=f"{leg}{wide}",
                added=tuple(f"{at}{wide}" for at in range(100)),
                removed=tuple(f"{at}{wide}" for at in range(100)),
            ),
            artifact=f"{leg}{wide}",
            reproduce=wide * 5 + str(leg),
        )
        for leg in range(60)
    ]
    drifts = tuple(drift(nodeid=f"{at}{wide}", text=f"{at}{wide}") for at in range(100))
    return report(*jobs, base_branch=wide, problems=(wide,) * 100, history=wide, drifts=drifts)


def flaky_issue() -> IssueData:
    """An issue with a scaffold that was measured."""
    folder = "scaffolds/test_token_is_renewed_before_it_expires"
    return IssueData(
        flake=flake(SESSION),
        repository=REPOSITORY,
        server_url=SERVER,
        base_branch="main",
        scaffold_command=f"git restore --source=origin/telltale-history {folder} && {folder}/run_test.sh",
        scaffold_where=f"{folder} on telltale-history",
        scaffold_url=f"{SERVER}/{REPOSITORY}/tree/telltale-history/{folder}",
        log_excerpt=SESSION_LOG,
        rate=Rate(reproduced=7, tries=50),
    )


def bare_issue() -> IssueData:
    """An issue of which little is known: no scaffold, no links."""
    return IssueData(flake=flake(replace(SESSION, kind=FailureKind.UNKNOWN, message="", text="")))


SESSION_LOG = """\
tests/test_session.py:88: in test_token_is_renewed_before_it_expires
    session.get("/whoami")
src/widgets/session.py:41: in get
    return self._connection.request("GET", path)
E   ConnectionResetError: [Errno 104] Connection reset by peer"""


CASES: dict[str, Callable[[], ReportData]] = {
    build.__name__: build
    for build in (
        nothing_to_say,
        one_new_failure,
        known_flake,
        regression,
        measured_again,
        drifted,
        first_run,
        first_run_passes,
        timed_out,
        invalid,
        disagreement,
        hundred_failures,
        matrix,
        readme,
        everything,
        hostile,
        too_long,
    )
}


def golden() -> dict[str, str]:
    """Return the content of every golden file by its path below `GOLDEN`."""
    compact = everything(count=20)
    return {
        **{f"{name}/comment.md": comment(build()) for name, build in CASES.items()},
        "everything/summary.md": summary(everything()),
        "compact/report.html": page(compact),
        "compact/report.json": json.dumps(to_json(compact), indent=2) + "\n",
        "issue/title.txt": issue_title(flake(SESSION)) + "\n",
        "issue/body.md": issue_body(flaky_issue()),
        "issue/bare.md": issue_body(bare_issue()),
    }


if __name__ == "__main__":
    for path, text in golden().items():
        (GOLDEN / path).parent.mkdir(parents=True, exist_ok=True)
        (GOLDEN / path).write_text(text, encoding="utf-8")
