"""
Which runs were measured while the machine was busy with something else.

Pure. The signs: what waited for a CPU when the run started, how often the run
was made to wait for one (getrusage(2)'s involuntary switches), and a share of
CPU time below its usual one. Only a low share is a sign: a change that
computes more raises it by itself.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from telltale.records import Load, Record

MAX_LOAD = 1.25
"""Load average of the minute before the start, for each CPU of the machine."""
MAX_SWITCHES = 3.0
"""Involuntary switches in a second of CPU time, times their usual number."""
MIN_SWITCHES = 50.0
"""A second: fewer are nothing, whatever is usual."""
MIN_CPU_SHARE = 0.7
"""Of the usual CPU use."""
MIN_RUNS = 5
"""Fewer do not say what is usual."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usual:
    """What is usual among comparable runs; None where too few say it."""

    switches: float | None = None
    """Involuntary ones in a second of CPU time."""
    cpu_percent: float | None = None


def usual(records: Sequence[Record]) -> Usual:
    """Return the medians over comparable runs."""
    return Usual(
        switches=_median(records, _switches),
        cpu_percent=_median(records, lambda record: record.resources.cpu_percent),
    )


def busy(record: Record, among: Usual) -> str:
    """Return the first sign that the machine was busy, in words; empty when there is none."""
    before = _load(record)
    load, cpus = before.load_average, before.cpus
    if load is not None and cpus and load > MAX_LOAD * cpus:
        return f"load average {load:.3g} on {cpus} CPUs at the start"
    switches, often = _switches(record), among.switches
    if switches and often is not None and switches > max(MIN_SWITCHES, MAX_SWITCHES * often):
        return (
            f"it had to wait for a CPU {switches:.0f} times a second of CPU time,"
            f" {often:.0f} as a rule"
        )
    share, as_a_rule = record.resources.cpu_percent, among.cpu_percent
    if share is not None and as_a_rule is not None and share < MIN_CPU_SHARE * as_a_rule:
        return f"CPU use {share:.0f} %, {as_a_rule:.0f} % as a rule"
    return ""


def _load(record: Record) -> Load:
    if record.load is not None:
        return record.load
    # A run that is compared before it is a record: the host says it.
    return Load(load_average=record.host.load_average, cpus=record.host.online_cpus)


def _switches(record: Record) -> float | None:
    used = record.resources
    if used.involuntary_switches is None or used.user_s is None or used.system_s is None:
        return None
    spent = used.user_s + used.system_s
    # In a short run the switches of its start weigh too much.
    return used.involuntary_switches / spent if spent >= 0.5 else None


def _median(records: Sequence[Record], figure: Callable[[Record], float | None]) -> float | None:
    known = [value for record in records if (value := figure(record)) is not None]
    return statistics.median(known) if len(known) >= MIN_RUNS else None
