"""Records for the tests of history and comparison: one call a run, and any record at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields

from hypothesis import strategies as st

from telltale.model import (
    BundleKind,
    Command,
    Confirmation,
    Failure,
    FailureKind,
    Host,
    Isolation,
    IsolationVerdict,
    Leak,
    Outcome,
    Rate,
    Resources,
    TestOutcome,
    Verdict,
)
from telltale.records import Load, Origin, Record, RecordedTest, Series, TestNumber

UNIT = Series(kind=BundleKind.TESTS, job="unit", name="tests")
FINGERPRINT = "5eed5eed5eed5eed"
PARTS = {"cpu": "EPYC 7763", "cpus": "4", "python": "3.11"}
MIB = 1024 * 1024


def main_run(
    number: int,
    *,
    cpu_s: float | None = 10.0,
    max_rss_mib: float = 100,
    wall_s: float = 12.0,
    outcome: Outcome = Outcome.PASSED,
    fingerprint: str = FINGERPRINT,
    parts: Mapping[str, str] | None = None,
    dirty: bool | None = False,
    tests: Mapping[str, float] | None = None,
    origin: Origin | None = None,
    series: Series = UNIT,
) -> Record:
    """Return run `number` (they start a minute apart) of the default branch, unless said otherwise."""
    durations = {"tests/test_a.py::test_one": 0.5} if tests is None else tests
    return Record(
        id=f"{number:032x}",
        series=series,
        origin=origin or on_main(number),
        started_at=f"2026-11-{1 + number // 1440:02d}T{number // 60 % 24:02d}:{number % 60:02d}:00Z",
        outcome=outcome,
        exit_code=0 if outcome is Outcome.PASSED else 1,
        dirty=dirty,
        host=Host(fingerprint=fingerprint, parts=PARTS if parts is None else parts),
        command=Command(argv=("pytest", "-q"), cwd="."),
        resources=Resources(
            wall_s=wall_s,
            user_s=None if cpu_s is None else cpu_s * 0.9,
            system_s=None if cpu_s is None else cpu_s * 0.1,
            max_rss_bytes=round(max_rss_mib * MIB),
            tree_peak_rss_bytes=round(max_rss_mib * MIB * 1.2),
        ),
        tests=tuple(
            RecordedTest(nodeid=nodeid, outcome=TestOutcome.PASSED, duration_s=duration)
            for nodeid, duration in durations.items()
        ),
        failures=(),
    )


def on_main(number: int) -> Origin:
    """Return the origin of a push to the default branch."""
    return Origin(
        repository="octo/widgets",
        sha=f"{number:040x}",
        branch="main",
        event="push",
        run_id=1000 + number,
        default_branch=True,
    )


def of_pull_request(number: int, *, sha: str = "", fork: bool = False) -> Origin:
    """Return the origin of a pull request's run."""
    return Origin(
        repository="octo/widgets",
        sha=sha or f"{number:039x}f",
        branch="topic",
        event="pull_request",
        run_id=1000 + number,
        pull_request=7,
        fork=fork,
    )


TERMINAL = Origin(sha="1" * 40)
"""A run that nobody vouches for."""

_text = st.text(max_size=40)
_count = st.none() | st.integers(0, 2**62)
_seconds = st.none() | st.floats(0, 1e9)
_pairs = st.dictionaries(_text, _text, max_size=3)
_test = st.builds(
    RecordedTest,
    nodeid=_text,
    outcome=st.sampled_from(TestOutcome),
    # As exact as the history is: whole microseconds.
    duration_s=st.integers(0, 10**12).map(lambda value: value / 1e6),
    signature=st.sampled_from(["", "v1:0123456789abcdef"]),
    cpu_s=st.none() | st.integers(0, 10**12).map(lambda value: value / 1e6),
    rss_peak_change_bytes=st.none() | st.integers(0, 2**50),
)
_rate = st.builds(
    Rate,
    runs=st.integers(0, 99),
    failures=st.integers(0, 99),
    low=st.floats(0, 1),
    high=st.floats(0, 1),
)
_few = st.lists(_text, max_size=3).map(tuple)
_isolation = st.builds(
    Isolation,
    nodeid=_text,
    signature=_text,
    verdict=st.sampled_from(IsolationVerdict),
    sentence=_text,
    polluters=_few,
    needs=_few,
    leaked=_few,
    alone=_rate,
    in_order=_rate,
    together=_rate,
    command=_text,
    budget_s=st.floats(0, 1e6),
    elapsed_s=st.floats(0, 1e6),
)
_number = st.builds(
    TestNumber,
    nodeid=_text,
    name=_text,
    value=st.floats(allow_nan=False, allow_infinity=False),
)
_load = st.none() | st.builds(Load, load_average=_seconds, cpus=st.none() | st.integers(1, 1024))
_resources = st.builds(
    Resources,
    **{
        field.name: _seconds if str(field.type).startswith("float") else _count
        for field in fields(Resources)
    },
)


def any_record() -> st.SearchStrategy[Record]:
    """Return a strategy for every record that the history can hold."""
    return st.builds(
        Record,
        id=st.integers(0, 2**128 - 1).map(lambda value: f"{value:032x}"),
        series=st.builds(Series, kind=st.sampled_from(BundleKind), job=_text, name=_text),
        origin=st.builds(
            Origin,
            repository=_text,
            sha=_text,
            merge_sha=_text,
            branch=_text,
            event=_text,
            run_id=_count,
            run_attempt=st.integers(1, 99),
            pull_request=_count,
            fork=st.booleans(),
            default_branch=st.booleans(),
            url=_text,
        ),
        started_at=st.datetimes().map(
            lambda moment: moment.strftime("%Y-%m-%dT%H:%M:%SZ").zfill(20)
        ),
        outcome=st.sampled_from(Outcome),
        exit_code=st.none() | st.integers(0, 255),
        dirty=st.none() | st.booleans(),
        host=st.builds(Host, fingerprint=_text, parts=_pairs),
        command=st.builds(
            Command,
            argv=st.lists(_text, max_size=3).map(tuple),
            cwd=_text,
            env=_pairs,
            timeout_s=_seconds,
        ),
        resources=_resources,
        tests=st.lists(_test, max_size=5).map(tuple),
        failures=st.lists(
            st.builds(
                Failure,
                nodeid=_text,
                kind=st.sampled_from(FailureKind),
                signature=_text,
                message=_text,
                text=_text,
            ),
            max_size=3,
        ).map(tuple),
        findings=st.lists(_text, max_size=3).map(tuple),
        profiled=st.lists(_text, max_size=3).map(tuple),
        invalid=st.lists(_text, max_size=3).map(tuple),
        disagreements=st.lists(_text, max_size=3).map(tuple),
        confirmations=st.lists(
            st.builds(
                Confirmation,
                nodeid=_text,
                metric=_text,
                unit=_text,
                base=st.lists(st.floats(0, 1e9), max_size=5).map(tuple),
                head=st.lists(st.floats(0, 1e9), max_size=5).map(tuple),
                wins=st.integers(0, 25),
                pairs=st.integers(0, 25),
                verdict=st.sampled_from(Verdict),
                reason=_text,
            ),
            max_size=2,
        ).map(tuple),
        numbers=st.lists(_number, max_size=3).map(tuple),
        load=_load,
        leaks=st.lists(
            st.builds(Leak, nodeid=_text, what=_text, before=_text, after=_text), max_size=2
        ).map(tuple),
        isolation=st.lists(_isolation, max_size=2).map(tuple),
    )
