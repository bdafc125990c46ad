from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telltale.errors import HistoryError
from telltale.history import layout
from telltale.history.layout import Entry
from telltale.model import BundleKind
from telltale.records import Record, Series
from tests.unit.history_records import TERMINAL, UNIT, any_record, main_run, of_pull_request

names = st.text(max_size=80)
series = st.builds(Series, kind=st.sampled_from(BundleKind), job=names, name=names)


def test_a_record_lies_where_people_look_for_it() -> None:
    path = layout.path_of(main_run(75))

    assert path == (
        "records/tests-unit-bb85db42eff6/2026/11/20261101T011500Z-"
        "0000000000000000000000000000004b.json.gz"
    )


@pytest.mark.parametrize(
    ("record", "other"),
    [
        pytest.param(main_run(1), False, id="default-branch"),
        pytest.param(main_run(1, origin=TERMINAL), False, id="terminal"),
        pytest.param(main_run(1, origin=of_pull_request(1)), True, id="pull-request"),
        pytest.param(main_run(1, origin=of_pull_request(1, fork=True)), True, id="fork"),
    ],
)
def test_the_name_says_whether_a_baseline_may_rest_on_it(record: Record, other: bool) -> None:
    found = layout.entry(layout.path_of(record))

    assert found is not None
    assert found.other is other
    assert found.id == record.id


@given(any_record())
def test_any_record_lies_inside_the_history(record: Record) -> None:
    path = layout.path_of(record)

    assert path.isascii()
    assert ".." not in path.split("/")
    assert len(path) < 200
    assert path.startswith(layout.folder_of(record.series) + "/")


@given(series, series)
def test_different_series_have_different_folders(one: Series, other: Series) -> None:
    assert (layout.slug(one) == layout.slug(other)) is (one == other)


def test_names_that_read_alike_are_kept_apart() -> None:
    slugs = {layout.slug(replace(UNIT, name=name)) for name in ("a b", "a-b", "A B", "a  b", "ä b")}

    assert len(slugs) == 5


@pytest.mark.parametrize(
    "started_at", ["", "now", "2026-11-22", "../../etc/passwd", "2026-11-22T10:15:16+01:00"]
)
def test_a_start_that_is_no_instant_in_utc_is_refused(started_at: str) -> None:
    with pytest.raises(HistoryError, match="expected an instant in UTC"):
        layout.path_of(replace(main_run(1), started_at=started_at))


def _entry(second: int, *, other: bool = False) -> Entry:
    return Entry(path="", stamp=f"20261122T10{second:04d}Z", id=f"{second:016x}", other=other)


entries = st.lists(
    st.builds(_entry, st.integers(0, 40), other=st.booleans()),
    unique_by=lambda one: one.id,
)


@given(entries, st.integers(0, 30))
def test_the_window_is_full_newest_first_and_holds_both_classes(
    some: list[Entry], limit: int
) -> None:
    chosen = layout.window(some, limit)
    ours, others = ([one for one in some if one.other is other] for other in (False, True))

    assert len(chosen) == min(limit, len(some))
    assert list(chosen) == sorted(chosen, key=lambda one: one.stamp, reverse=True)
    assert sum(one.other for one in chosen) >= min(len(others), limit // 2)
    assert sum(not one.other for one in chosen) >= min(len(ours), limit // 2)


@given(entries, st.integers(0, 30))
def test_of_each_class_the_newest_are_chosen(some: list[Entry], limit: int) -> None:
    chosen = layout.window(some, limit)
    for one in set(some) - set(chosen):
        assert all(kept.stamp > one.stamp for kept in chosen if kept.other is one.other)


def test_a_flood_of_pull_requests_does_not_hide_the_default_branch() -> None:
    flood = [_entry(second, other=True) for second in range(100, 1000)]
    steady = [_entry(second) for second in range(20)]

    assert set(steady) <= set(layout.window([*flood, *steady], 200))


def test_one_record_twice_is_one_record() -> None:
    assert len(layout.window([_entry(1), _entry(1, other=True)], 10)) == 1
