"""Arrange what a report is made from: group by cause, order by weight, count once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from telltale.model import Outcome, TestOutcome, Verdict
from telltale.records import FailureVerdict, JudgedFailure, Judgement
from telltale.report.data import Job, ReportData
from telltale.report.escape import one_line
from telltale.report.view import Changed, Died, Execution, Group, Row, Undecided, View, title

_LONGEST_COMMAND = 4_000
"""Code points; nobody pastes more, and a command that was cut short must not be pasted at all."""

_ENDED = frozenset({Outcome.PASSED, Outcome.FAILED})
_UNEXPLAINED = frozenset({FailureVerdict.NEW, FailureVerdict.UNDECIDED})


_latest: list[tuple[ReportData, View]] = []
"""The last report and its view: four texts are made of each."""


def make_view(data: ReportData) -> View:
    """Group and order what the report says."""
    for known, view in _latest:
        if known is data:
            return view
    view = _view(data)
    _latest[:] = [(data, view)]
    return view


def _view(data: ReportData) -> View:
    rows = [
        Row(job=title(job), judgement=judgement)
        for job in data.jobs
        for judgement in job.comparison.judgements
    ]
    decisive = [row for row in rows if _decides(row.judgement)]
    suspects = sorted(
        (row for row in rows if row.judgement.advisory and _not_confirmed(row.judgement)),
        key=_by_loss,
    )
    states = _states(data.jobs)
    return View(
        data=data,
        base=one_line(data.base_branch, 60),
        jobs=data.jobs,
        tests=len(states),
        passed=sum(state is TestOutcome.PASSED for state in states.values()),
        skipped=sum(state is TestOutcome.SKIPPED for state in states.values()),
        interrupted=sum(state is TestOutcome.INTERRUPTED for state in states.values()),
        groups=_groups(data),
        died=_died(data.jobs),
        rows=tuple(rows),
        decisive=tuple(decisive),
        suspects=tuple(suspects),
        leads=_leads(decisive, suspects),
        reruns=_reruns(data),
        again=tuple(row for row in rows if row.judgement.confirmation and row not in decisive),
        ceilings=tuple(row for row in rows if row.judgement.ceiling is not None),
        improvements=tuple(row for row in decisive if row.judgement.verdict is Verdict.IMPROVEMENT),
        undecided=_undecided(rows),
        slowest=_slowest(data.jobs),
        added=_changed([(title(job), job.comparison.added) for job in data.jobs]),
        removed=_changed([(title(job), job.comparison.removed) for job in data.jobs]),
        findings=tuple(
            (title(job), finding) for job in data.jobs for finding in job.comparison.head.findings
        ),
        invalid=tuple(
            (title(job), job.comparison.head.invalid)
            for job in data.jobs
            if job.comparison.head.invalid
        ),
        disagreements=tuple(
            (title(job), job.comparison.head.disagreements)
            for job in data.jobs
            if job.comparison.head.disagreements
        ),
        baselines=tuple(
            len(job.comparison.baseline) for job in data.jobs if job.comparison.baseline
        ),
    )


_WORST_FIRST = (
    TestOutcome.FAILED,
    TestOutcome.ERROR,
    TestOutcome.INTERRUPTED,
    TestOutcome.PASSED,
    TestOutcome.SKIPPED,
)


def _states(jobs: Sequence[Job]) -> dict[str, TestOutcome]:
    # One test may run in several jobs, and several times in one: the worst counts.
    rank = {outcome: at for at, outcome in enumerate(_WORST_FIRST)}
    states: dict[str, TestOutcome] = {}
    for job in jobs:
        for test in job.comparison.head.tests:
            before = states.get(test.nodeid, TestOutcome.SKIPPED)
            states[test.nodeid] = min(before, test.outcome, key=rank.__getitem__)
    return states


def _groups(data: ReportData) -> tuple[Group, ...]:
    found: dict[tuple[FailureVerdict, str], list[tuple[Job, JudgedFailure]]] = defaultdict(list)
    for job in data.jobs:
        for judged in job.comparison.failures:
            found[judged.verdict, judged.failure.signature].append((job, judged))
    unnamed = _unnamed(data.jobs)
    groups = [_group(data, members, _tests(members, unnamed)) for members in found.values()]
    return tuple(sorted(groups, key=lambda group: (-len(group.tests), group.tests)))


def _group(
    data: ReportData, members: Sequence[tuple[Job, JudgedFailure]], tests: tuple[str, ...]
) -> Group:
    all_judged = [judged for _, judged in members]
    signature = all_judged[0].failure.signature
    flakes = [judged.flake for judged in all_judged if judged.flake]
    issue = data.issues.get(signature)
    ours = {job.comparison.head.id for job in data.jobs}
    earlier = any(one.record_id not in ours for flake in flakes for one in flake.failed)
    return Group(
        verdict=all_judged[0].verdict,
        # A record keeps the texts of the first failures only.
        example=max((judged.failure for judged in all_judged), key=lambda one: bool(one.text)),
        tests=tests,
        jobs=_distinct(title(job) for job, _ in members),
        reasons=_distinct(judged.reason for judged in all_judged if judged.reason),
        failed=sum(len(flake.failed) for flake in flakes),
        executions=sum(flake.runs for flake in flakes),
        seen_before=issue is not None or earlier,
        issue=issue,
        command=_pasted(data.scaffolds.get(signature, "")),
    )


def _tests(
    members: Sequence[tuple[Job, JudgedFailure]], unnamed: Mapping[tuple[str, str], list[str]]
) -> tuple[str, ...]:
    named = [judged.failure.nodeid for _, judged in members]
    places = {(job.comparison.head.id, judged.failure.signature) for job, judged in members}
    return _distinct(
        [*named, *(test for place in sorted(places) for test in unnamed.get(place, ()))]
    )


def _unnamed(jobs: Sequence[Job]) -> Mapping[tuple[str, str], list[str]]:
    """Return failed tests without a failure of their own, by record and signature."""
    # A record keeps the first failures; of the rest the outcome and the signature.
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for job in jobs:
        head = job.comparison.head
        judged = {one.failure.nodeid for one in job.comparison.failures}
        for test in head.tests:
            if test.outcome.bad and test.nodeid not in judged:
                found[head.id, test.signature].append(test.nodeid)
    return found


def _reruns(data: ReportData) -> tuple[tuple[str, str], ...]:
    found: dict[str, str] = {}
    for job in data.jobs:
        unclear = [one for one in job.comparison.failures if one.verdict in _UNEXPLAINED]
        scaffolds = all(one.failure.signature in data.scaffolds for one in unclear)
        command = _pasted(job.reproduce)
        if command and (_cut_short(job) or not scaffolds):
            found.setdefault(command, title(job))
    return tuple((job, command) for command, job in found.items())


def _pasted(command: str) -> str:
    return command if len(command) <= _LONGEST_COMMAND else ""


def _distinct(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))


def _died(jobs: Sequence[Job]) -> tuple[Died, ...]:
    found = []
    for job in jobs:
        head = job.comparison.head
        if not _cut_short(job):
            continue
        running = [t.nodeid for t in head.tests if t.outcome is TestOutcome.INTERRUPTED]
        found.append(
            Died(
                job=title(job),
                record=head,
                ended=len(head.tests) - len(running),
                running=tuple(running),
                artifact=job.artifact,
                artifact_url=job.artifact_url,
            )
        )
    return tuple(found)


def _cut_short(job: Job) -> bool:
    head = job.comparison.head
    some_failed = job.comparison.failures or any(test.outcome.bad for test in head.tests)
    speechless = head.outcome is Outcome.FAILED and not some_failed
    return head.outcome not in _ENDED or speechless


def _undecided(rows: Sequence[Row]) -> tuple[Undecided, ...]:
    found: dict[tuple[str, str], list[Judgement]] = defaultdict(list)
    for row in rows:
        # A single test that is undecided is a suspect.
        if row.judgement.verdict is Verdict.UNDECIDED and not row.judgement.nodeid:
            found[row.job, row.judgement.reason].append(row.judgement)
    return tuple(
        Undecided(job=job, reason=reason, judgements=tuple(judgements))
        for (job, reason), judgements in found.items()
    )


def _slowest(jobs: Sequence[Job]) -> tuple[Execution, ...]:
    found = []
    for job in jobs:
        tests = list(job.comparison.head.tests)
        total = sum(test.duration_s for test in tests)
        name = title(job)
        found += [
            Execution(
                job=name,
                nodeid=test.nodeid,
                outcome=test.outcome,
                duration_s=test.duration_s,
                share=test.duration_s / total,
            )
            for test in tests
            if test.duration_s > 0
        ]
    return tuple(sorted(found, key=lambda slow: (-slow.duration_s, slow.nodeid, slow.job)))


def _changed(found: Sequence[tuple[str, Sequence[str]]]) -> tuple[Changed, ...]:
    jobs: dict[str, list[str]] = defaultdict(list)
    for job, nodeids in found:
        for nodeid in nodeids:
            jobs[nodeid].append(job)
    return tuple(Changed(nodeid=nodeid, jobs=tuple(of)) for nodeid, of in sorted(jobs.items()))


def _decides(judgement: Judgement) -> bool:
    """Return whether the verdict line counts it: whole runs, and what else is above or below."""
    changed = judgement.verdict in {Verdict.REGRESSION, Verdict.IMPROVEMENT}
    of_the_run = not judgement.nodeid and judgement.ceiling is None
    return not judgement.advisory and (of_the_run or changed)


def _not_confirmed(judgement: Judgement) -> bool:
    """Return whether it was suspected, for the worse or the better, and not measured again."""
    if judgement.confirmation is not None:
        return False
    if judgement.nodeid:
        return judgement.verdict is not Verdict.UNCHANGED
    return judgement.verdict is Verdict.REGRESSION


def _by_loss(row: Row) -> tuple[bool, float, float, str, str]:
    # Seconds before bytes; what was lost, not by which part: ten times nothing is nothing.
    judgement = row.judgement
    lost = (judgement.now or 0.0) - (judgement.baseline or 0.0)
    change = judgement.change or 0.0
    return (judgement.unit != "s", -lost, -change, judgement.nodeid, row.job)


def _leads(decisive: Sequence[Row], suspects: Sequence[Row]) -> tuple[Row, ...]:
    worse = {row.job for row in decisive if row.judgement.verdict is Verdict.REGRESSION}
    leads: dict[str, Row] = {}
    for row in suspects:
        grew = (row.judgement.change or 0.0) > 0
        if row.judgement.nodeid and grew and row.job in worse:
            leads.setdefault(row.job, row)
    return tuple(leads.values())
