"""
Make a record of a bundle: what the history keeps of a run.

The bundle says what was measured. Where it came from, the caller says; what
its failures are called, we work out again from their texts.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from telltale import bundle
from telltale.flaky.signature import name_failure
from telltale.history import circumstances, codec
from telltale.history.executions import Executions
from telltale.history.ingest import read_report
from telltale.model import (
    Command,
    Confirmation,
    Evidence,
    Failure,
    Host,
    Isolation,
    Leak,
    TestOutcome,
)
from telltale.recorded import RecordedTests, letters_of
from telltale.records import Load, Origin, Record, Series, TestNumber

MAX_TEXTS = 256 * 1024
"""Characters of all failure texts of a record together."""
MAX_NODEIDS = 24 * 1024 * 1024
"""Characters of all nodeids together; the tests after that are left out."""

_MAX_NAME = 200
_MAX_ARGUMENT = 2_000


def make_record(folder: Path, origin: Origin) -> Record:
    """
    Return the record of the bundle in `folder`; `BundleError` when its manifest cannot be read.

    A test report that cannot be read is a finding of the record: the run
    happened all the same. Texts are cut to what `codec` keeps.
    """
    evidence = bundle.read_manifest(folder)
    findings = list(evidence.findings)
    report = read_report(folder)
    results = Executions.of(report.results)
    if report.problem:
        findings.append(f"The test report could not be read to its end: {report.problem}")
    kept = _bounded(results)
    if kept < len(results):
        findings.append(f"Of {len(results)} tests the history keeps the first {kept}.")
    if len(report.numbers) > circumstances.MAX_NUMBERS:
        findings.append(
            "Of the numbers that tests recorded the history keeps the first"
            f" {circumstances.MAX_NUMBERS}."
        )
    failures, signatures = _failures(results, kept, evidence.failures)
    if len(failures) > codec.MAX_FAILURES:
        findings.append(
            f"Of {len(failures)} failures the history keeps the first {codec.MAX_FAILURES}."
        )
    series = Series(
        kind=evidence.kind,
        job=bundle.clip(evidence.github.job if evidence.github else "", _MAX_NAME),
        name=bundle.clip(evidence.name, _MAX_NAME),
    )
    return Record(
        id=_identity(folder, evidence, series, origin),
        series=series,
        origin=origin,
        started_at=evidence.started_at,
        outcome=evidence.outcome,
        exit_code=evidence.exit_code,
        dirty=evidence.source.dirty,
        host=_host(evidence.host),
        command=_command(evidence.command),
        resources=evidence.resources,
        tests=_tests(results, kept, signatures),
        failures=_with_bounded_texts(failures),
        findings=_texts(findings, codec.MAX_FINDINGS),
        profiled=_texts([each.name for each in evidence.profiles if each.disturbs], 100),
        invalid=_texts(evidence.invalid, codec.MAX_FINDINGS),
        disagreements=_texts(evidence.disagreements, codec.MAX_FINDINGS),
        confirmations=_confirmations(evidence),
        numbers=tuple(map(_number, report.numbers[: circumstances.MAX_NUMBERS])),
        load=_load(evidence.host),
        leaks=tuple(map(_leak, evidence.leaks[: circumstances.MAX_LEAKS])),
        isolation=tuple(map(_isolation, evidence.isolation[: circumstances.MAX_ISOLATION])),
    )


def _confirmations(evidence: Evidence) -> tuple[Confirmation, ...]:
    return tuple(
        replace(
            each,
            nodeid=bundle.clip(each.nodeid, codec.MAX_NODEID),
            metric=bundle.clip(each.metric, codec.MAX_NODEID),
            unit=bundle.clip(each.unit, 64),
            reason=bundle.clip(each.reason, codec.MAX_MESSAGE),
        )
        for each in evidence.confirmations[: codec.MAX_CONFIRMATIONS]
    )


def _tests(results: Executions, kept: int, signatures: Mapping[int, str]) -> RecordedTests:
    cpu, memory = results.cpu_s, results.rss_peak_change_bytes
    nodeids = results.nodeids[:kept]
    if max(map(len, nodeids), default=0) > codec.MAX_NODEID:
        nodeids = [bundle.clip(nodeid, codec.MAX_NODEID) for nodeid in nodeids]
    return RecordedTests(
        nodeids=nodeids,
        letters=letters_of(results.outcomes[:kept]),
        durations_s=list(map(_rounded, results.durations_s[:kept])),
        signatures=signatures,
        cpu_s=cpu and [None if one is None else _rounded(one) for one in cpu[:kept]],
        rss_peak_change_bytes=memory and list(map(_whole, memory[:kept])),
    )


@functools.lru_cache(maxsize=8192)
def _rounded(seconds: float) -> float:
    """
    Return seconds as exact as the history keeps them: three digits, from 1 s on milliseconds.

    Done here, so that a run compares with itself the same before and after it
    was written. No verdict rests on less than a tenth; digits that nobody needs
    would make a record half as large again.
    """
    microseconds = round(min(seconds, 1e9) * 1e6)
    digits = len(str(microseconds))
    return round(microseconds, -min(max(digits - 3, 0), 3)) / 1e6


def _number(number: TestNumber) -> TestNumber:
    return replace(number, nodeid=bundle.clip(number.nodeid, codec.MAX_NODEID))


def _whole(value: int | None) -> int | None:
    return None if value is None else min(value, 2**53 - 1)


def _load(host: Host) -> Load | None:
    if host.load_average is None and host.online_cpus is None:
        return None
    return Load(load_average=host.load_average, cpus=host.online_cpus)


def _leak(leak: Leak) -> Leak:
    return Leak(
        nodeid=bundle.clip(leak.nodeid, codec.MAX_NODEID),
        what=bundle.clip(leak.what, circumstances.MAX_LEAK_TEXT),
        before=bundle.clip(leak.before, circumstances.MAX_LEAK_TEXT),
        after=bundle.clip(leak.after, circumstances.MAX_LEAK_TEXT),
    )


def _isolation(found: Isolation) -> Isolation:
    return replace(
        found,
        nodeid=bundle.clip(found.nodeid, codec.MAX_NODEID),
        signature=bundle.clip(found.signature, 64),
        sentence=bundle.clip(found.sentence, circumstances.MAX_SENTENCE),
        polluters=_texts(found.polluters, circumstances.MAX_TESTS_NAMED),
        needs=_texts(found.needs, circumstances.MAX_TESTS_NAMED),
        leaked=_texts(found.leaked, circumstances.MAX_TESTS_NAMED),
        command=bundle.clip(found.command, circumstances.MAX_SENTENCE),
    )


def _identity(folder: Path, evidence: Evidence, series: Series, origin: Origin) -> str:
    # The manifest's own bytes tell two legs of a matrix apart that started in
    # the same second under the same name. The attempt is not in it: a second
    # attempt of a run reports the bundles of the first again.
    manifest = hashlib.sha256((folder / bundle.MANIFEST).read_bytes()).hexdigest()
    run = [origin.repository, origin.run_id]
    parts = [*run, series.kind.value, series.job, series.name, evidence.started_at, manifest]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def _bounded(results: Executions) -> int:
    """Return how many of the tests are kept: the first ones."""
    if len(results) <= codec.MAX_TESTS and sum(map(len, results.nodeids)) <= MAX_NODEIDS:
        return len(results)
    used = itertools.accumulate(map(len, results.nodeids[: codec.MAX_TESTS]))
    return sum(1 for _ in itertools.takewhile(MAX_NODEIDS.__ge__, used))


def _failures(
    results: Executions, kept: int, claimed: Iterable[Failure]
) -> tuple[list[Failure], dict[int, str]]:
    """Return every failure with its name, and the signatures by index of the test."""
    failures = []
    signatures = {}
    for index, outcome in enumerate(results.outcomes[:kept]):
        if outcome is not TestOutcome.PASSED and outcome.bad:
            failure = _named(results.nodeids[index], *results.said.get(index, ("", "")))
            signatures[index] = failure.signature
            failures.append(failure)
    # The manifest's further failures: of the run itself, or of tests that the
    # report could not name because the run was stopped in them.
    seen = {failure.nodeid for failure in failures}
    failures += [_of_the_run(failure) for failure in claimed if failure.nodeid not in seen]
    return failures, signatures


def _named(nodeid: str, message: str, text: str) -> Failure:
    named = name_failure(test=nodeid, text=text or message)
    return Failure(
        nodeid=bundle.clip(nodeid, codec.MAX_NODEID),
        kind=named.kind,
        signature=named.signature,
        message=bundle.clip(message, codec.MAX_MESSAGE),
        text=text,
    )


def _of_the_run(failure: Failure) -> Failure:
    # Its text is the end of a log; the message says how the run ended, which capture knows
    # and the log does not. The name is made of both there, and so it must be here.
    named = _named(failure.nodeid, failure.message, f"{failure.message}\n{failure.text}")
    return replace(named, kind=failure.kind, text=failure.text)


def _with_bounded_texts(failures: Sequence[Failure]) -> tuple[Failure, ...]:
    """Cut the texts to the record's bounds; the first of each signature is served first."""
    failures = failures[: codec.MAX_FAILURES]
    seen: Counter[str] = Counter()
    turn = []
    for index, failure in enumerate(failures):
        turn.append((seen[failure.signature], index))
        seen[failure.signature] += 1
    room = MAX_TEXTS
    texts: dict[int, str] = {}
    for _, index in sorted(turn):
        text = bundle.clip(failures[index].text, codec.MAX_FAILURE_TEXT)
        if len(text) <= room:
            texts[index] = text
            room -= len(text)
    return tuple(
        replace(failure, text=texts.get(index, "")) for index, failure in enumerate(failures)
    )


def _host(host: Host) -> Host:
    return Host(
        fingerprint=bundle.clip(host.fingerprint, 64),
        parts=_pairs(host.parts),
        packages=_pairs(host.packages),
    )


def _command(command: Command) -> Command:
    return Command(
        argv=_texts(command.argv, 256),
        cwd=bundle.clip(command.cwd, _MAX_ARGUMENT),
        env=_pairs(command.env),
        timeout_s=command.timeout_s,
    )


def _texts(values: Sequence[str], limit: int) -> tuple[str, ...]:
    return tuple(bundle.clip(value, _MAX_ARGUMENT) for value in values[:limit])


def _pairs(values: Mapping[str, str]) -> dict[str, str]:
    some = sorted(values.items())[:256]
    return {name[:_MAX_NAME]: bundle.clip(value, _MAX_ARGUMENT) for name, value in some}
