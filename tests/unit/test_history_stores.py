"""What every store must do: the same tests for a folder, a branch and an object store."""

from __future__ import annotations

import os
import subprocess
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from telltale.errors import UsageError
from telltale.history import layout, open_history
from telltale.history.interface import MAX_FILE_BYTES, FileContent, History
from telltale.records import Series
from tests.object_store import BUCKET, ObjectStore
from tests.unit.history_records import UNIT, main_run, of_pull_request


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A history, and a way to look at its files and to put strange ones there."""

    uri: str
    cwd: Path
    files: Callable[[], Mapping[str, tuple[bytes, bool]]]
    """Contents and executable bit by path."""
    plant: Callable[[str, bytes], None]

    def open(self) -> History:
        return open_history(self.uri, cwd=self.cwd, environ=os.environ)


@pytest.fixture(params=["folder", "branch", "branch-without-contents", "bucket"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "folder":
        return _folder(tmp_path / "history")
    if request.param == "bucket":
        store: ObjectStore = request.getfixturevalue("s3")
        return _bucket(store, tmp_path)
    return _branch(tmp_path / "remote.git", filtered=request.param != "branch")


def _folder(root: Path) -> Place:
    def files() -> dict[str, tuple[bytes, bool]]:
        return {
            path.relative_to(root).as_posix(): (path.read_bytes(), os.access(path, os.X_OK))
            for path in root.rglob("*")
            if path.is_file()
        }

    def plant(path: str, data: bytes) -> None:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(data)

    return Place(uri="history", cwd=root.parent, files=files, plant=plant)


def _branch(remote: Path, *, filtered: bool) -> Place:
    _git(remote.parent, "init", "--bare", "--quiet", str(remote))
    _git(remote, "config", "uploadpack.allowFilter", str(filtered).lower())

    def files() -> dict[str, tuple[bytes, bool]]:
        found = {}
        for line in _git(remote, "ls-tree", "-r", "history").splitlines():
            meta, _, path = line.partition("\t")
            mode, _, oid = meta.split()
            data = subprocess.check_output(["git", "-C", remote, "cat-file", "blob", oid])
            found[path] = (data, mode == "100755")
        return found

    def plant(path: str, data: bytes) -> None:
        tip = _git(remote, "rev-parse", "history").strip()
        head = f"commit refs/heads/history\ncommitter a <a@b> 1 +0000\ndata 1\nx\nfrom {tip}\n"
        stream = f"{head}M 100644 inline {path}\ndata {len(data)}\n".encode() + data + b"\n"
        subprocess.run(["git", "-C", remote, "fast-import", "--quiet"], input=stream, check=True)

    return Place(uri=f"branch:history@file://{remote}", cwd=remote.parent, files=files, plant=plant)


def _bucket(store: ObjectStore, cwd: Path) -> Place:
    prefix = f"test/{uuid.uuid4().hex}"

    def files() -> dict[str, tuple[bytes, bool]]:
        return {
            path: (data, metadata.get("executable") == "true")
            for path, (data, metadata) in store.objects(prefix).items()
        }

    def plant(path: str, data: bytes) -> None:
        store.client.put_object(Bucket=BUCKET, Key=f"{prefix}/{path}", Body=data)

    return Place(uri=f"s3://{BUCKET}/{prefix}", cwd=cwd, files=files, plant=plant)


def _git(where: Path, *arguments: str) -> str:
    return subprocess.check_output(["git", "-C", where, *arguments], text=True)


def test_an_empty_history_is_no_error(place: Place) -> None:
    history = place.open()

    assert history.series() == ()
    assert history.load(UNIT) == ()
    assert history.problems == ()


def test_what_was_added_is_loaded_newest_first(place: Place) -> None:
    records = [main_run(number) for number in (3, 1, 2)]
    written = place.open().add(records)

    assert written == tuple(layout.path_of(record) for record in records)
    assert place.open().load(UNIT) == (main_run(3), main_run(2), main_run(1))
    assert place.open().series() == (UNIT,)


def test_recording_twice_is_recording_once(place: Place) -> None:
    place.open().add([main_run(1)])
    before = place.files()

    assert place.open().add([main_run(1)]) == ()
    assert place.files() == before
    assert place.open().add([main_run(1), main_run(2)]) == (layout.path_of(main_run(2)),)


def test_adding_nothing_touches_nothing(place: Place) -> None:
    assert place.open().add([]) == ()
    assert place.open().series() == ()


def test_the_writer_sees_what_it_wrote(place: Place) -> None:
    history = place.open()
    assert history.load(UNIT) == ()

    history.add([main_run(1)])

    assert history.load(UNIT) == (main_run(1),)


def test_each_series_is_by_itself(place: Place) -> None:
    lint = Series(kind=UNIT.kind, job="lint", name="tests")
    place.open().add([main_run(1), main_run(2, series=lint)])

    assert place.open().series() == (lint, UNIT)
    assert place.open().load(lint) == (main_run(2, series=lint),)


def test_the_limit_leaves_out_the_oldest(place: Place) -> None:
    place.open().add([main_run(number) for number in range(6)])

    assert place.open().load(UNIT, limit=2) == (main_run(5), main_run(4))


def test_pull_requests_do_not_crowd_out_the_default_branch(place: Place) -> None:
    ours = [main_run(number) for number in range(3)]
    flood = [main_run(number, origin=of_pull_request(number)) for number in range(10, 30)]
    place.open().add([*ours, *flood])

    loaded = {record.id for record in place.open().load(UNIT, limit=8)}
    assert {record.id for record in ours} <= loaded


def test_a_damaged_record_is_skipped_and_named(place: Place) -> None:
    place.open().add([main_run(1), main_run(2)])
    damaged = layout.path_of(main_run(1))
    place.plant(damaged, b"\x1f\x8bnonsense")
    history = place.open()

    assert history.load(UNIT) == (main_run(2),)
    (problem,) = history.problems
    assert problem.startswith(f"{damaged}: not a gzip file")


def test_a_record_under_a_false_name_is_not_believed(place: Place) -> None:
    # Its name would make a pull request's run part of the baseline.
    stranger = main_run(2, origin=of_pull_request(2))
    place.open().add([main_run(1), stranger])
    path = layout.path_of(stranger)
    data, _ = place.files()[path]
    false_name = path.replace(".other", "").replace("20261101T000200Z", "20991101T000200Z")
    place.plant(false_name, data)
    history = place.open()

    assert history.load(UNIT) == (main_run(1),)
    assert [problem.partition(":")[0] for problem in history.problems] == [false_name]


def test_a_file_too_large_for_a_record_is_never_read(place: Place) -> None:
    place.open().add([main_run(1)])
    large = layout.path_of(main_run(2))
    place.plant(large, b"\0" * (MAX_FILE_BYTES + 1))
    history = place.open()

    assert history.load(UNIT) == (main_run(1),)
    assert history.problems == (f"{large}: skipped, it is too large to be a record",)


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b'{"kind": "tests"}', b"[" * 100_000])
def test_a_damaged_description_of_a_series_is_named(place: Place, data: bytes) -> None:
    place.open().add([main_run(1)])
    description = f"{layout.folder_of(UNIT)}/series.json"
    place.plant(description, data)
    history = place.open()

    assert history.series() == ()
    assert [problem.partition(":")[0] for problem in history.problems] == [description]


def test_other_files_are_nobodys_business(place: Place) -> None:
    place.open().add([main_run(1)])
    for path in ("notes.txt", "records/README", f"{layout.folder_of(UNIT)}/2026/11/x.json.gz"):
        place.plant(path, b"hello")
    history = place.open()

    assert history.load(UNIT) == (main_run(1),)
    assert history.series() == (UNIT,)
    assert history.problems == ()


SCAFFOLD = {
    "run_test.sh": FileContent(data=b"#!/bin/sh\nexit 1\n", executable=True),
    "tests/test_a_stress.py": FileContent(data=b"\r\n\0\xff"),
    'odd "name" \\ ä.md': FileContent(data=b""),
}


def test_a_folder_is_stored_with_its_modes(place: Place) -> None:
    where = place.open().put_folder("scaffolds/test_a", SCAFFOLD)

    assert "scaffolds/test_a" in where
    # git quotes such names in its lists; the folder store has them as they are.
    stored = {path: content for path, content in place.files().items() if "README" not in path}
    plain = {path: content for path, content in stored.items() if "odd" not in path}
    assert plain == {
        "scaffolds/test_a/run_test.sh": (b"#!/bin/sh\nexit 1\n", True),
        "scaffolds/test_a/tests/test_a_stress.py": (b"\r\n\0\xff", False),
    }
    assert len(stored) == 3


def test_a_folder_stored_again_holds_exactly_the_new_files(place: Place) -> None:
    place.open().add([main_run(1)])
    place.open().put_folder("scaffolds/test_a", SCAFFOLD)
    place.open().put_folder("scaffolds/test_a", {"README.md": FileContent(data=b"new")})

    scaffolds = {path for path in place.files() if path.startswith("scaffolds/")}
    assert scaffolds == {"scaffolds/test_a/README.md"}
    assert place.open().load(UNIT) == (main_run(1),)


@pytest.mark.parametrize(
    "path",
    ["", "/etc", "..", "scaffolds/../..", "scaffolds//x", "scaffolds/.git/x", "a\nb", "records/x"],
)
def test_a_folder_outside_is_refused(place: Place, path: str) -> None:
    with pytest.raises(UsageError):
        place.open().put_folder(path, {"a": FileContent(data=b"")})


def test_a_file_outside_its_folder_is_refused(place: Place) -> None:
    with pytest.raises(UsageError):
        place.open().put_folder("scaffolds/x", {"../y": FileContent(data=b"")})
