"""
report.json: the report for other programs.

Schema `telltale.report/1`, described in docs/report.md. Keys are only ever added. Seconds, bytes and
fractions are plain numbers; null means not known. Texts are as they came
from the bundles: unescaped, unbounded and not to be trusted.
"""

from __future__ import annotations

import dataclasses
import enum
import math
from collections.abc import Mapping
from typing import Any

from telltale.records import Drift, JudgedFailure, Judgement, Milestone
from telltale.report import words
from telltale.report.arrange import make_view
from telltale.report.data import Job, ReportData
from telltale.report.view import title

SCHEMA = "telltale.report/1"


def to_json(data: ReportData) -> dict[str, Any]:
    """
    Return the report as what `json.dump` takes.

    `verdict` is the line people see with its `needs_action`; `counts` are
    distinct tests over all jobs; `jobs` hold what each bundle said; `failures`
    the causes over all jobs, one entry a cause.
    """
    view = make_view(data)
    line = words.verdict_line(view)
    return {
        "schema": SCHEMA,
        "verdict": {"text": line.text, "needs_action": line.needs_action},
        "repository": data.repository,
        "head_sha": data.head_sha,
        "base_branch": data.base_branch,
        "pull_request": data.pull_request,
        "run": {"id": data.run_id, "attempt": data.run_attempt, "url": data.run_url},
        "counts": {
            "total": view.tests,
            "passed": view.passed,
            "failed": view.failed,
            "interrupted": view.interrupted,
            "skipped": view.skipped,
        },
        "failures": [
            {
                "signature": group.example.signature,
                "kind": group.example.kind.value,
                "verdict": group.verdict.value,
                "message": group.example.message,
                "text": group.example.text,
                "tests": list(group.tests),
                "jobs": list(group.jobs),
                "reasons": list(group.reasons),
                "issue": None if group.issue is None else plain(group.issue),
                "reproduce": group.command,
            }
            for group in view.groups
        ],
        "drifts": [drift_to_json(drift) for drift in data.drifts],
        "jobs": [_job(job) for job in data.jobs],
        "problems": list(data.problems),
        "history": data.history,
    }


def drift_to_json(drift: Drift) -> dict[str, Any]:
    """Return a change of level as `report.json` and `telltale drift --json` say it."""
    return {
        "series": plain(drift.series),
        "fingerprint": drift.fingerprint,
        "metric": drift.metric,
        "nodeid": drift.nodeid,
        "unit": drift.unit,
        "before": drift.before,
        "after": drift.after,
        "n_before": drift.n_before,
        "n_after": drift.n_after,
        "change": drift.change,
        "now": drift.now,
        "standing": drift.standing,
        "last_before": _milestone(drift.last_before),
        "likely": _milestone(drift.likely),
        "first_after": _milestone(drift.first_after),
        "commits": drift.commits,
        "compare_url": drift.compare_url,
    }


def plain(value: Any) -> Any:
    """Return dataclasses, enums, mappings and tuples as dicts, values and lists, NaN as None."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, enum.Enum):
        return value.value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {each.name: plain(getattr(value, each.name)) for each in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return value


def _job(job: Job) -> dict[str, Any]:
    comparison = job.comparison
    head = comparison.head
    return {
        "title": title(job),
        "record": head.id,
        "kind": head.series.kind.value,
        "job": head.series.job,
        "name": head.series.name,
        "outcome": head.outcome.value,
        "exit_code": head.exit_code,
        "started_at": head.started_at,
        "fingerprint": head.host.fingerprint,
        "resources": plain(head.resources),
        "baseline": {"records": list(comparison.baseline), "reason": comparison.reason},
        "judgements": [_judgement(judgement) for judgement in comparison.judgements],
        "failures": [_failure(judged) for judged in comparison.failures],
        "added": list(comparison.added),
        "removed": list(comparison.removed),
        "findings": list(head.findings),
        "invalid": list(head.invalid),
        "disagreements": list(head.disagreements),
        "artifact": {"name": job.artifact, "url": job.artifact_url},
        "reproduce": job.reproduce,
    }


def _milestone(one: Milestone) -> dict[str, Any]:
    return {
        "record": one.record_id,
        "sha": one.sha,
        "started_at": one.started_at,
        "url": one.url,
    }


def _judgement(judgement: Judgement) -> dict[str, Any]:
    found: dict[str, Any] = plain(judgement)
    return found


def _failure(judged: JudgedFailure) -> dict[str, Any]:
    return {
        "nodeid": judged.failure.nodeid,
        "signature": judged.failure.signature,
        "kind": judged.failure.kind.value,
        "message": judged.failure.message,
        "verdict": judged.verdict.value,
        "reason": judged.reason,
    }
