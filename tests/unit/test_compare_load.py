"""Runs on a busy machine: how they are known, and that others are preferred."""

from __future__ import annotations

from dataclasses import replace

import pytest

from telltale.compare.baseline import choose
from telltale.compare.load import busy, usual
from telltale.model import Host
from telltale.records import Load, Record
from tests.unit.history_records import FINGERPRINT, PARTS, main_run

HEAD = main_run(100)


def run(
    number: int,
    *,
    load: float | None = 0.5,
    switches: int | None = 100,
    cpu_percent: float | None = 90.0,
) -> Record:
    record = main_run(number)
    resources = replace(record.resources, involuntary_switches=switches, cpu_percent=cpu_percent)
    return replace(record, resources=resources, load=Load(load_average=load, cpus=2))


CALM = [run(number) for number in range(6)]


@pytest.mark.parametrize(
    ("record", "sign"),
    [
        pytest.param(run(9), "", id="calm"),
        pytest.param(run(9, load=2.5), "", id="as-many-as-may-be"),
        pytest.param(run(9, load=9.14), "load average 9.14 on 2 CPUs at the start", id="load"),
        pytest.param(run(9, load=None), "", id="load-not-known"),
        pytest.param(
            run(9, switches=4000),
            "it had to wait for a CPU 400 times a second of CPU time, 10 as a rule",
            id="switches",
        ),
        pytest.param(run(9, switches=None), "", id="switches-not-known"),
        pytest.param(run(9, cpu_percent=40), "CPU use 40 %, 90 % as a rule", id="low-cpu-use"),
        pytest.param(run(9, cpu_percent=180), "", id="high-cpu-use-is-the-changes-own"),
        pytest.param(run(9, cpu_percent=None), "", id="cpu-use-not-known"),
    ],
)
def test_the_signs_of_a_busy_machine(record: Record, sign: str) -> None:
    assert busy(record, usual(CALM)) == sign


def test_a_run_that_is_no_record_yet_has_its_load_in_the_host() -> None:
    host = Host(fingerprint=FINGERPRINT, parts=PARTS, load_average=7.0, online_cpus=2)

    assert busy(replace(main_run(9), host=host), usual([])).startswith("load average 7 on 2")


def test_few_runs_do_not_say_what_is_usual() -> None:
    assert busy(run(9, switches=4000, cpu_percent=1), usual(CALM[:4])) == ""


def test_runs_on_a_busy_machine_are_left_out_where_there_are_others() -> None:
    baseline = choose(HEAD, [*CALM, *(run(number, load=9) for number in range(10, 20))])

    assert baseline.records == tuple(reversed(CALM))
    assert "busy" not in baseline.reason


def test_runs_on_a_busy_machine_are_taken_where_there_are_too_few_others() -> None:
    loaded = [run(number, load=9) for number in range(10, 14)]
    baseline = choose(HEAD, [*CALM[:4], *loaded])

    assert len(baseline.records) == 8
    assert baseline.reason == (
        "the 8 newest runs of the default branch on such a machine; 4 of them while it was busy"
    )
