"""
Make a record of a bundle: what the history keeps of a run.

The bundle says what was measured. Where it came from, the caller says; what
its failures are called, we work out again from their texts.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from telltale import bundle
from telltale.flaky.signature import name_failure
from telltale.history import codec
from telltale.history.ingest import read_report
from telltale.model import Command, Confirmation, Evidence, Failure, Host, TestResult
from telltale.records import Origin, Record, RecordedTest, Series

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
    results = report.results
    if report.problem:
        findings.append(f"The test report could not be read to its end: {report.problem}")
    kept = _bounded(results)
    if len(kept) < len(results):
        findings.append(f"Of {len(results)} tests the history keeps the first {len(kept)}.")
    failures, signatures = _failures(kept, evidence.failures)
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
        tests=tuple(
            RecordedTest(
                nodeid=bundle.clip(result.nodeid, codec.MAX_NODEID),
                outcome=result.outcome,
                # As exact as the history is, so that a run compares with
                # itself the same before and after it was written.
                duration_s=round(min(result.duration_s, 1e9) * 1e6) / 1e6,
                signature=signatures.get(index, ""),
            )
            for index, result in enumerate(kept)
        ),
        failures=_with_bounded_texts(failures),
        findings=_texts(findings, codec.MAX_FINDINGS),
        profiled=_texts([each.name for each in evidence.profiles if each.disturbs], 100),
        invalid=_texts(evidence.invalid, codec.MAX_FINDINGS),
        disagreements=_texts(evidence.disagreements, codec.MAX_FINDINGS),
        confirmations=_confirmations(evidence),
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


def _identity(folder: Path, evidence: Evidence, series: Series, origin: Origin) -> str:
    # The manifest's own bytes tell two legs of a matrix apart that started in
    # the same second under the same name. The attempt is not in it: a second
    # attempt of a run reports the bundles of the first again.
    manifest = hashlib.sha256((folder / bundle.MANIFEST).read_bytes()).hexdigest()
    run = [origin.repository, origin.run_id]
    parts = [*run, series.kind.value, series.job, series.name, evidence.started_at, manifest]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def _bounded(results: Sequence[TestResult]) -> Sequence[TestResult]:
    room = MAX_NODEIDS
    for index, result in enumerate(results[: codec.MAX_TESTS]):
        room -= len(result.nodeid)
        if room < 0:
            return results[:index]
    return results[: codec.MAX_TESTS]


def _failures(
    results: Sequence[TestResult], claimed: Iterable[Failure]
) -> tuple[list[Failure], dict[int, str]]:
    """Return every failure with its name, and the signatures by index of the test."""
    failures = []
    signatures = {}
    for index, result in enumerate(results):
        if result.outcome.bad:
            failure = _named(result.nodeid, result.message, result.text)
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
