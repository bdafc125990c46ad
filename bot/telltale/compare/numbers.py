"""Numbers that tests record themselves, as JUnit properties: what changed, and for the worse or not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from telltale.compare.judge import Metric, judge
from telltale.compare.settings import NumberMeaning, Settings
from telltale.model import Verdict
from telltale.records import Judgement, Record

PREFIX = "number:"
"""Before its name, so that no test can call its number like a metric of ours."""
MAX_TOLD = 20
MIN_RUNS = 5
_TURNED = {
    Verdict.REGRESSION: Verdict.IMPROVEMENT,
    Verdict.IMPROVEMENT: Verdict.REGRESSION,
}


def numbers(head: Record, baseline: Sequence[Record], settings: Settings) -> tuple[Judgement, ...]:
    """
    Return the numbers that changed, at most 20, those that the project has a meaning for first.

    Of a number without a meaning nobody knows whether more is better: its
    change is told and not judged. Advisory: a project decides by a ceiling.
    """
    meanings = {meaning.name: meaning for meaning in settings.numbers}
    earlier = [_of(record) for record in baseline]
    found = sorted(
        _changed(_of(head), earlier, meanings),
        key=lambda one: (
            one.metric.removeprefix(PREFIX) not in meanings,
            -abs(one.change or 0.0),
            one.nodeid,
        ),
    )
    return tuple(found[:MAX_TOLD])


def _changed(
    now: Mapping[tuple[str, str], float],
    runs: Sequence[Mapping[tuple[str, str], float]],
    meanings: Mapping[str, NumberMeaning],
) -> Iterator[Judgement]:
    for (nodeid, name), value in now.items():
        earlier = [run[nodeid, name] for run in runs if (nodeid, name) in run]
        if len(earlier) < MIN_RUNS:
            continue
        meaning = meanings.get(name)
        unit = meaning.unit if meaning else ""
        metric = Metric(
            name=f"{PREFIX}{name}", unit=unit, value=lambda _: None, floor=0.0, advisory=True
        )
        judgement = replace(judge(metric, value, earlier), nodeid=nodeid)
        if judgement.verdict not in _TURNED:
            continue
        if meaning is None:
            reason = f"{judgement.reason}; whether more of it is better is not configured"
            yield replace(judgement, verdict=Verdict.UNDECIDED, reason=reason)
        elif meaning.better == "higher":
            yield replace(judgement, verdict=_TURNED[judgement.verdict])
        else:
            yield judgement


def _of(record: Record) -> dict[tuple[str, str], float]:
    # Of several with one name the last counts, as in the report that they come from.
    return {(number.nodeid, number.name): number.value for number in record.numbers}
