from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from telltale.errors import HistoryError, UsageError
from telltale.history import layout, open_history
from tests.unit.history_records import UNIT, main_run


def test_no_temporary_file_stays(tmp_path: Path) -> None:
    open_history("h", cwd=tmp_path).add([main_run(1)])

    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == [
        Path(layout.path_of(main_run(1))).name,
        "series.json",
    ]


def test_what_a_killed_writer_left_is_passed_over(tmp_path: Path) -> None:
    history = open_history("h", cwd=tmp_path)
    (path,) = history.add([main_run(1)])
    left = (tmp_path / "h" / path).parent / ".telltale-abc"
    left.mkdir()
    (left / "file").write_bytes(b"half of it")

    assert history.load(UNIT) == (main_run(1),)
    assert history.problems == ()


def test_of_many_writers_one_writes_each_record(tmp_path: Path) -> None:
    records = [main_run(number) for number in range(10)]
    with ThreadPoolExecutor(8) as pool:
        writers = [pool.submit(open_history("h", cwd=tmp_path).add, records) for _ in range(8)]
    written = [path for writer in writers for path in writer.result()]

    assert sorted(written) == sorted(layout.path_of(record) for record in records)
    assert len(open_history("h", cwd=tmp_path).load(UNIT)) == 10


def test_a_file_is_no_history(tmp_path: Path) -> None:
    (tmp_path / "h").write_text("x", encoding="ascii")

    with pytest.raises(HistoryError, match="is a file: give a folder"):
        open_history("h", cwd=tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_is_not_an_empty_one(tmp_path: Path) -> None:
    history = open_history("h", cwd=tmp_path)
    history.add([main_run(1)])
    (tmp_path / "h/records").chmod(0)
    try:
        with pytest.raises(HistoryError, match="cannot be read: Permission denied"):
            history.load(UNIT)
    finally:
        (tmp_path / "h/records").chmod(0o755)


def test_a_history_that_cannot_be_written_says_how_to_add_the_bundle_later(tmp_path: Path) -> None:
    history = open_history("h/inner", cwd=tmp_path)
    (tmp_path / "h").write_text("in the way", encoding="ascii")

    with pytest.raises(HistoryError, match="Adding again is safe"):
        history.add([main_run(1)])


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("", "--history is empty"),
        ("s3://", "expected s3://BUCKET/PREFIX"),
        ("https://github.com/octo/widgets", "branch:NAME@https://github.com/octo/widgets"),
    ],
)
def test_an_address_of_another_sort_says_what_to_type(
    tmp_path: Path, uri: str, reason: str
) -> None:
    with pytest.raises(UsageError) as caught:
        open_history(uri, cwd=tmp_path)

    assert reason in str(caught.value)
