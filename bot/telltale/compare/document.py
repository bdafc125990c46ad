"""comparison.json: every judgement with its numbers, schema `telltale.comparison/1`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from telltale.records import Comparison, JudgedFailure, Judgement

SCHEMA = "telltale.comparison/1"


def to_document(comparisons: Sequence[Comparison]) -> dict[str, Any]:
    """Return the comparisons as JSON values; docs/comparison.schema.json describes them."""
    return {"schema": SCHEMA, "comparisons": [_comparison(one) for one in comparisons]}


def _comparison(comparison: Comparison) -> dict[str, Any]:
    head = comparison.head
    return {
        "record": head.id,
        "series": {
            "kind": head.series.kind.value,
            "job": head.series.job,
            "name": head.series.name,
        },
        "origin": asdict(head.origin),
        "started_at": head.started_at,
        "outcome": head.outcome.value,
        "fingerprint": head.host.fingerprint,
        "baseline": list(comparison.baseline),
        "reason": comparison.reason,
        "judgements": [_judgement(one) for one in comparison.judgements],
        "failures": [_failure(one) for one in comparison.failures],
        "added": list(comparison.added),
        "removed": list(comparison.removed),
    }


def _judgement(judgement: Judgement) -> dict[str, Any]:
    return {**asdict(judgement), "verdict": judgement.verdict.value}


def _failure(judged: JudgedFailure) -> dict[str, Any]:
    return {
        "nodeid": judged.failure.nodeid,
        "kind": judged.failure.kind.value,
        "signature": judged.failure.signature,
        "message": judged.failure.message,
        "verdict": judged.verdict.value,
        "reason": judged.reason,
    }
