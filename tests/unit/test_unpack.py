"""Archives that strangers wrote: refused whole, with the entry's name, and nothing left behind."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from telltale.errors import BundleError
from telltale.unpack import Limits, extract

SMALL = Limits(
    entries=20, total_bytes=200_000, ratio=50, free_bytes=50_000, name_bytes=300, depth=4
)


@pytest.fixture
def there(tmp_path: Path) -> Path:
    """The folder that holds the archive, the target and what must stay untouched."""
    (tmp_path / "precious").write_text("untouched", encoding="utf-8")
    return tmp_path


def make(there: Path, *entries: tuple[zipfile.ZipInfo | str, bytes]) -> Path:
    path = there / "bundle.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return path


def raw(path: Path, replace: bytes, by: bytes) -> Path:
    """Change bytes in place, as zipfile itself would not write them."""
    assert len(replace) == len(by)
    data = path.read_bytes()
    assert replace in data
    path.write_bytes(data.replace(replace, by))
    return path


def entry(name: str, *, mode: int = stat.S_IFREG | 0o644) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    info.create_system = 3
    return info


def refused(there: Path, archive: Path, limits: Limits = SMALL) -> str:
    """Unpacking must fail and leave no trace; return what it says."""
    before = sorted(there.iterdir())
    with pytest.raises(BundleError) as error:
        extract(archive, there / "out", limits)
    assert sorted(there.iterdir()) == before, "something was left behind"
    assert (there / "precious").read_text(encoding="utf-8") == "untouched"
    return str(error.value)


def test_honest_bundle_comes_out_whole(there: Path) -> None:
    archive = make(
        there,
        ("tests/20260101T000000Z/evidence.json", b"{}"),
        ("tests/20260101T000000Z/logs/", b""),
        ("tests/20260101T000000Z/logs/output.log", b"line\n" * 1000),
        ("tests/ümläut und Leerzeichen.txt", b""),
    )
    files = extract(archive, there / "out", SMALL)
    assert [file.relative_to(there / "out").as_posix() for file in files] == [
        "tests/20260101T000000Z/evidence.json",
        "tests/20260101T000000Z/logs/output.log",
        "tests/ümläut und Leerzeichen.txt",
    ]
    assert files[1].read_bytes() == b"line\n" * 1000
    assert archive.exists()


def test_nothing_becomes_executable(there: Path) -> None:
    archive = make(there, (entry("run.sh", mode=stat.S_IFREG | 0o4777), b"#!/bin/sh\n"))
    (file,) = extract(archive, there / "out")
    assert file.stat().st_mode & 0o7111 == 0


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("../precious", "leads elsewhere"),
        ("a/../../precious", "leads elsewhere"),
        ("a/..", "leads elsewhere"),
        ("./a", "leads elsewhere"),
        ("a//b", "leads elsewhere"),
        ("/etc/passwd", "absolute"),
        ("//host/share", "absolute"),
        ("C:/Windows/x", "character that no upload has"),
        ("C:x", "character that no upload has"),
        ("..\\precious", "character that no upload has"),
        ("a\\..\\..\\precious", "character that no upload has"),
        ("a|b", "character that no upload has"),
        ("a\nb", "control character"),
        ("a\x1b[31mb", "control character"),
        ("a\u202eb", "control character"),
        ("x" * 256, "too long a name"),
        ("ü" * 128, "too long a name"),
        (("x" * 100 + "/") * 3 + "y", "too long a name"),
        ("a/b/c/d/e/f", "deeper than 4"),
    ],
)
def test_names_that_no_upload_has(there: Path, name: str, says: str) -> None:
    message = refused(there, make(there, ("good", b"1"), (name, b"2")))
    assert says in message
    assert message.isprintable(), "a name must not bring control characters into our log"


def test_empty_name(there: Path) -> None:
    assert "leads elsewhere" in refused(there, make(there, (entry(""), b"1")))


def test_name_cut_by_nul(there: Path) -> None:
    archive = raw(make(there, ("evil.sh~x", b"1")), b"evil.sh~x", b"evil.sh\0x")
    assert "control character" in refused(there, archive)


@pytest.mark.parametrize(
    ("mode", "says"),
    [
        (stat.S_IFLNK | 0o777, "is a link"),
        (stat.S_IFIFO | 0o644, "not a plain file"),
        (stat.S_IFCHR | 0o644, "not a plain file"),
        (stat.S_IFBLK | 0o644, "not a plain file"),
        (stat.S_IFSOCK | 0o644, "not a plain file"),
        (stat.S_IFDIR | 0o755, "not a plain file"),
    ],
)
def test_special_files(there: Path, mode: int, says: str) -> None:
    assert says in refused(there, make(there, (entry("x", mode=mode), b"/etc/passwd")))


def test_file_behind_a_link(there: Path) -> None:
    link = entry("logs", mode=stat.S_IFLNK | 0o777)
    assert "'logs' is a link" in refused(there, make(there, (link, b".."), ("logs/precious", b"")))


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    "names",
    [("a", "a"), ("a", "a/b"), ("a/b", "a"), ("a/b/c", "a/b")],
)
def test_two_entries_for_one_place(there: Path, names: tuple[str, str]) -> None:
    archive = make(there, *((name, b"x") for name in names))
    assert "is there twice" in refused(there, archive)


def test_folder_with_content(there: Path) -> None:
    assert "folder with content" in refused(there, make(there, ("a/", b"content")))


def test_bomb_by_ratio(there: Path) -> None:
    archive = make(there, ("zeros", b"\0" * 150_000))
    assert archive.stat().st_size * 50 < 150_000
    assert "may be a bomb" in refused(there, archive)


def test_small_files_need_no_ratio(there: Path) -> None:
    (file,) = extract(make(there, ("zeros", b"\0" * 40_000)), there / "out", SMALL)
    assert file.stat().st_size == 40_000


def test_bomb_by_total(there: Path) -> None:
    noise = bytes(range(256)) * 100
    limits = Limits(total_bytes=100_000, ratio=1e9)
    message = refused(there, make(there, *((f"f{n}", noise) for n in range(5))), limits)
    assert "'f3' makes it unpack to too much" in message


def test_size_is_counted_not_believed(there: Path) -> None:
    archive = make(there, ("zeros", b"\0" * 150_000))
    claimed = struct.pack("<I", 150_000)
    raw(archive, claimed, struct.pack("<I", 10))
    refused(there, archive)


def test_too_many_entries(there: Path) -> None:
    archive = make(there, *((f"f{n}", b"") for n in range(21)))
    assert "21 entries, more than 20" in refused(there, archive)


def test_too_many_folders(there: Path) -> None:
    archive = make(there, *((f"{n}/a/b/c", b"") for n in range(10)))
    assert "more than 20 folders" in refused(there, archive)


def test_a_million_entries_are_not_even_read(there: Path) -> None:
    """A directory of a million entries is refused before an object is made of each."""
    one = make(there, ("f", b"")).read_bytes()
    end = one.rindex(b"PK\5\6")
    start = one.index(b"PK\1\2")
    million = one[start:end] * 1_000_000
    fields = list(struct.unpack("<4s4H2LH", one[end : end + 22]))
    fields[3] = fields[4] = 0xFFFF
    fields[5] = len(million)
    archive = there / "million.zip"
    archive.write_bytes(one[:start] + million + struct.pack("<4s4H2LH", *fields))
    assert "directory is too large" in refused(there, archive, Limits())


def test_encrypted(there: Path) -> None:
    archive = make(there, ("secret", b"x" * 100))
    data = bytearray(archive.read_bytes())
    data[data.index(b"PK\1\2") + 8] |= 1
    archive.write_bytes(bytes(data))
    assert "is encrypted; nothing of it" in refused(there, archive)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_odd_compression(there: Path, method: int) -> None:
    path = there / "bundle.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("a", b"x" * 1000)
    assert "compressed in a way" in refused(there, path)


@pytest.mark.parametrize("kept", [0, 1, 22, 60, 200])
def test_truncated(there: Path, kept: int) -> None:
    archive = make(there, ("a", bytes(range(256)) * 4), ("b", b"x"))
    archive.write_bytes(archive.read_bytes()[:kept])
    assert "is damaged" in refused(there, archive)


def test_content_that_is_not_what_its_checksum_says(there: Path) -> None:
    archive = there / "bundle.zip"
    with zipfile.ZipFile(archive, "w") as stored:
        stored.writestr("log", b"the truth, the whole truth")
    raw(archive, b"the truth, the", b"the lies,, the")
    assert "'log' is damaged" in refused(there, archive)


def test_not_a_zip_and_not_there(there: Path) -> None:
    (there / "page.zip").write_text("<html>502 Bad Gateway</html>", encoding="utf-8")
    assert "page.zip is damaged" in refused(there, there / "page.zip")
    assert "No such file" in refused(there, there / "missing.zip")


def test_target_is_never_written_over(there: Path) -> None:
    (there / "out").mkdir()
    with pytest.raises(BundleError, match="exists already"):
        extract(make(there, ("a", b"")), there / "out")
    assert list((there / "out").iterdir()) == []


Damage = Callable[[bytes], bytes]


def _sample() -> bytes:
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/evidence.json", b'{"schema": "telltale.evidence/1"}')
        archive.writestr("a/logs/output.log", b"line\n" * 50)
    return memory.getvalue()


SAMPLE = _sample()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    changes=st.lists(
        st.tuples(st.integers(0, len(SAMPLE) - 1), st.integers(0, 255)), min_size=1, max_size=8
    ),
    cut=st.integers(0, len(SAMPLE)),
)
@example(changes=[(0, 80)], cut=len(SAMPLE))
def test_any_damage_is_either_harmless_or_refused(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, int]], cut: int
) -> None:
    data = bytearray(SAMPLE)
    for at, byte in changes:
        data[at] = byte
    there = tmp_path_factory.mktemp("fuzz")
    archive = there / "bundle.zip"
    archive.write_bytes(bytes(data[:cut]))
    try:
        files = extract(archive, there / "out", SMALL)
    except BundleError:
        assert list(there.iterdir()) == [archive]
    else:
        assert all(file.resolve().is_relative_to(there / "out") for file in files)
        assert sum(file.stat().st_size for file in files) <= SMALL.total_bytes
