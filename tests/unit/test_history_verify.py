"""`telltale history verify`: everything that is wrong has a name, and nothing else has."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from telltale.cli import main
from telltale.history import codec, layout, open_history
from telltale.history.interface import MAX_FILE_BYTES
from telltale.model import BundleKind
from telltale.records import Series
from tests.unit.history_records import UNIT, main_run, of_pull_request

LINT = Series(kind=BundleKind.TESTS, job="lint", name="tests")

Verify = Callable[[], list[str]]


@pytest.fixture
def history(tmp_path: Path) -> Path:
    where = tmp_path / "h"
    runs = [main_run(1), main_run(2, origin=of_pull_request(2)), main_run(3, series=LINT)]
    open_history(str(where), cwd=tmp_path).add(runs)
    return where


@pytest.fixture
def verify(history: Path, capsys: pytest.CaptureFixture[str]) -> Verify:
    """Verify, hold text and JSON against each other, return the lines that name a problem."""

    def run() -> list[str]:
        status = main(["history", "verify", "--history", str(history)])
        *lines, last = capsys.readouterr().out.splitlines()
        assert main(["history", "verify", "--history", str(history), "--json"]) == status
        found = json.loads(capsys.readouterr().out)
        assert status == (1 if lines else 0)
        assert lines == [f"{one['path']}: {one['what']}" for one in found["problems"]]
        assert f"{found['records']} sound record" in last
        return lines

    return run


def plant(history: Path, path: str, data: bytes) -> None:
    (history / path).parent.mkdir(parents=True, exist_ok=True)
    (history / path).write_bytes(data)


def test_a_sound_history(history: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # What lies beside the records is not theirs.
    plant(history, "scaffolds/test_a/README.md", b"hello")
    assert main(["history", "verify", "--history", str(history)]) == 0
    assert capsys.readouterr().out.startswith("3 sound records of 2 series, ")


def test_an_empty_history_is_sound(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["history", "verify", "--history", str(tmp_path / "none")]) == 0
    assert capsys.readouterr().out.startswith("0 sound records of 0 series")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        pytest.param(b"", "cut short", id="empty"),
        pytest.param(codec.encode(main_run(1))[:-20], "cut short", id="cut"),
        pytest.param(b"\0" * (MAX_FILE_BYTES + 1), "too large", id="large"),
        pytest.param(codec.encode(main_run(2)), "belongs elsewhere", id="another-record"),
    ],
)
def test_a_record_that_is_not_what_it_says(
    history: Path, verify: Verify, data: bytes, said: str
) -> None:
    path = layout.path_of(main_run(1))
    plant(history, path, data)
    (line,) = verify()
    assert line.startswith(f"{path}: ")
    assert said in line


def test_one_record_twice(history: Path, verify: Verify) -> None:
    theirs = layout.path_of(main_run(2, origin=of_pull_request(2)))
    ours = theirs.replace(".other", "")
    shutil.copy(history / theirs, history / ours)
    assert verify() == [
        f"{ours}: it holds a record that belongs elsewhere",
        f"{ours}: the record {main_run(2).id} is also {theirs}",
        f"{theirs}: the record {main_run(2).id} is also {ours}",
    ]


def test_files_that_are_not_ours(history: Path, verify: Verify) -> None:
    folder = layout.folder_of(UNIT)
    record = Path(layout.path_of(main_run(1))).name
    strangers = ["records/notes.txt", f"{folder}/2026/{record}", f"{folder}/2026/11/x.json.gz"]
    for path in strangers:
        plant(history, path, b"hello")
    plant(history, f"{folder}/2026/11/.telltale-x1/file", b"half")
    assert verify() == sorted(
        [
            *(f"{path}: no file of a history" for path in strangers),
            f"{folder}/2026/11/.telltale-x1/file: left by a writer that was killed: remove it",
        ]
    )


@pytest.mark.parametrize("data", [None, b"{", b'{"kind": "tests", "job": "x", "name": "y"}'])
def test_a_series_without_a_sound_description(
    history: Path, verify: Verify, data: bytes | None
) -> None:
    path = history / layout.folder_of(UNIT) / layout.SERIES_FILE
    path.unlink() if data is None else path.write_bytes(data)
    lines = verify()
    assert f"{layout.folder_of(UNIT)}: has records and no sound series.json" in lines
    assert len(lines) == (1 if data is None else 2)


def test_a_name_cannot_speak_to_the_runner(
    history: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plant(history, "records/a\n::error::b\x1b[31m", b"")
    assert main(["history", "verify", "--history", str(history)]) == 1
    printed = capsys.readouterr().out
    assert "\n::error" not in printed
    assert "\x1b" not in printed


def test_an_unreachable_history_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["history", "verify", "--history", f"branch:h@{tmp_path}/none.git"]) == 70
    assert capsys.readouterr().out == ""
    assert main(["history", "verify", "--history", "http://x/y"]) == 2
