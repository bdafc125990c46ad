"""What a run's figures and its failures say, seen from the same history."""

from __future__ import annotations

from collections.abc import Sequence

from telltale.compare import compare
from telltale.compare.settings import Settings
from telltale.flaky.detect import judge_failures
from telltale.records import Comparison, Record
from telltale.verbs.lineage import UNASKED, Lineage


def assess(
    head: Record,
    records: Sequence[Record],
    lineage: Lineage = UNASKED,
    settings: Settings = Settings(),  # noqa: B008 - frozen
) -> Comparison:
    """Compare `head` with `records` of its series and judge its failures by them."""
    return compare(
        head,
        records,
        failures=judge_failures(head, records),
        ancestors=lineage.commits,
        unknown=lineage.unknown,
        settings=settings,
    )
