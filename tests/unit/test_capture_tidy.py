"""What a bundle may hold so that it can be uploaded as it is."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from telltale.capture.tidy import tidy


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_plain_files_are_left_alone(tmp_path: Path) -> None:
    for name in ("evidence.json", "logs/output.log", "artifacts/a b (1) [x].txt", "logs/é.log"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name, encoding="utf-8")
    before = names(tmp_path)

    assert list(tidy(tmp_path)) == []
    assert names(tmp_path) == before


@pytest.mark.parametrize("character", [*'":<>|*?\\\r\n\x1b'])
def test_names_that_an_artifact_cannot_hold_are_changed(tmp_path: Path, character: str) -> None:
    (tmp_path / f"test{character}x.svg").write_text("mine", "ascii")
    (tmp_path / "test_x.svg").write_text("another's", "ascii")

    (said,) = tidy(tmp_path)

    assert names(tmp_path) == ["test_x-2.svg", "test_x.svg"]
    assert (tmp_path / "test_x-2.svg").read_text("ascii") == "mine"
    assert said.isascii()
    assert "\n" not in said


def test_hidden_files_and_odd_folders_are_uploaded_too(tmp_path: Path) -> None:
    (tmp_path / ".cache").mkdir()
    (tmp_path / ".cache" / b"\xff:.txt".decode("utf-8", "surrogateescape")).touch()
    (tmp_path / ".evidence.json.7.tmp").touch()

    (said,) = tidy(tmp_path)

    assert names(tmp_path) == [".evidence.json.7.tmp", "_cache", "_cache/__.txt"]
    assert said.startswith("renamed in the bundle")


def test_what_is_no_file_is_taken_out(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hunter2", "ascii")
    folder = tmp_path / "bundle"
    folder.mkdir()
    (folder / "link").symlink_to(secret)
    (folder / "loop").symlink_to(folder)
    os.mkfifo(folder / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(folder / "socket"))
        (said,) = tidy(folder)

    assert names(folder) == []
    assert secret.read_text("ascii") == "hunter2"
    assert "'link', 'loop', 'pipe', 'socket'" in said


def test_what_cannot_be_read_can_be_afterwards(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir()
    (tmp_path / "closed/file").write_text("x", "ascii")
    (tmp_path / "closed/file").chmod(0)
    (tmp_path / "closed").chmod(0)

    assert list(tidy(tmp_path)) == []
    assert (tmp_path / "closed").stat().st_mode & 0o700 == 0o700
    assert (tmp_path / "closed/file").stat().st_mode & 0o400
