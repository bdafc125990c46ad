"""What others write into the bundle is redacted before anybody reads it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from telltale.capture import cleaning
from telltale.capture.redact import HIDDEN, Redactor
from telltale.model import BundleKind, Command, Evidence, Failure, FailureKind, Outcome

TOKEN = "ghp" + "_" + "A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r8"
REDACTOR = Redactor({"DEPLOY_TOKEN": 'cor"rect\\horse'}, homes=["/home/alice"])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("artifacts", "logs", "env"):
        (tmp_path / name).mkdir()
    return tmp_path


def swept(folder: Path) -> list[str]:
    return list(cleaning.sweep(folder, REDACTOR, {}))


def test_lines_of_the_probe_stay_json(folder: Path) -> None:
    path = folder / "artifacts/tests.jsonl"
    secret = 'cor"rect\\horse'  # noqa: S105
    lines = [
        {"phase": "start", "nodeid": f"test_a[{TOKEN}]", "n": 1},
        {"phase": "call", "nodeid": "/home/alice/test_a", "text": f'x "{secret}" /home/alice/y'},
        {"phase": "state", "changes": [{"what": "os.environ['API_KEY']", "after": f"'{secret}'"}]},
        {"phase": "session", "args": ["--token", "x", f"--api-key={TOKEN}"]},
    ]
    half = f'{{"phase": "start", "nodeid": "{TOKEN}'
    path.write_text("".join(json.dumps(line) + "\n" for line in lines) + half, "utf-8")
    path.chmod(0o640)

    assert swept(folder) == []

    *kept, last = path.read_text("utf-8").splitlines()
    assert [json.loads(line) for line in kept] == [
        {"phase": "start", "nodeid": f"test_a[{HIDDEN}]", "n": 1},
        {"phase": "call", "nodeid": "/home/alice/test_a", "text": f'x "{HIDDEN}" ~/y'},
        {"phase": "state", "changes": [{"what": "os.environ['API_KEY']", "after": f"'{HIDDEN}'"}]},
        {"phase": "session", "args": ["--token", "x", f"--api-key={HIDDEN}"]},
    ]
    assert last == f'{{"phase": "start", "nodeid": "{HIDDEN}'
    assert path.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("added", [False, True])
def test_what_was_made_of_a_clean_file_is_not_gone_through_again(
    folder: Path, *, added: bool
) -> None:
    path = folder / "artifacts/tests.jsonl"
    path.write_text('{"phase": "warning"}\n', "ascii")
    seen: cleaning.Seen = {}
    list(cleaning.sweep(folder, REDACTOR, seen))
    if added:  # by a process that was left behind
        path.write_text(f'{{"phase": "{TOKEN}"}}\n', "ascii")

    def write() -> None:
        with path.open("a", encoding="ascii") as file:
            file.write("...\n")

    cleaning.rewrite(path, write, seen)
    list(cleaning.sweep(folder, REDACTOR, seen))

    assert path.read_text("ascii") == f'{{"phase": "{HIDDEN if added else "warning"}"}}\n...\n'


def test_of_a_plain_line_the_nodeid_is_looked_at(folder: Path) -> None:
    path = folder / "artifacts/tests.jsonl"
    end = '"n": 1, "attempt": 1, "worker": "gw0", "pid": 4711, "at": 1795589874.635116}\n'
    figures = '"walls_s": [0.1, 0.2, 0.3], "cpu_s": 0.4711, "rss_peak_change_bytes": 4096, '

    def lines(*nodeids: str) -> str:
        return "".join(
            f'{{"phase": "start", "in": "call",     "nodeid": "{nodeid}", {end}'
            f'{{"phase": "passed", "nodeid": "{nodeid}", {figures}{end}'
            for nodeid in nodeids
        )

    path.write_text(lines("a.py::test_a", f"a.py::test_b[{TOKEN}]", "a.py::test_c"), "ascii")
    assert swept(folder) == []
    found = [json.loads(line) for line in path.read_text("ascii").splitlines()]
    clean = lines("a.py::test_a", f"a.py::test_b[{HIDDEN}]", "a.py::test_c").splitlines()
    assert found == [json.loads(line) for line in clean]


def test_a_line_that_only_begins_as_a_plain_one_is_looked_at(folder: Path) -> None:
    path = folder / "artifacts/tests.jsonl"
    begin = (
        '{"phase": "start", "in": "call", "nodeid": "a", "n": 1, "attempt": 1, "worker": "main", '
    )
    path.write_text(f'{begin}"pid": 1, "at": 1.5, "text": "{TOKEN}"}}\n', "ascii")
    assert swept(folder) == []
    assert TOKEN not in path.read_text("ascii")


def test_files_without_secrets_and_files_that_are_no_text_are_not_touched(folder: Path) -> None:
    plain, binary = folder / "artifacts/stacks.txt", folder / "artifacts/memray.bin"
    plain.write_bytes(b"no secret\n\xff no end")
    binary.write_bytes(b"\0" + TOKEN.encode())
    before = plain.stat().st_ino, binary.stat().st_ino

    assert swept(folder) == []

    assert (plain.stat().st_ino, binary.stat().st_ino) == before
    assert [path.name for path in (folder / "artifacts").iterdir() if path.suffix == ".tmp"] == []


def test_texts_and_their_names_are_redacted(folder: Path) -> None:
    path = folder / f"artifacts/{TOKEN}.txt"
    path.write_text(f"line\n{TOKEN}", "ascii")

    assert swept(folder) == []

    (kept,) = (folder / "artifacts").iterdir()
    assert kept.name == f"{HIDDEN}.txt"
    assert kept.read_text("ascii") == f"line\n{HIDDEN}"


def test_a_second_look_is_at_new_files_alone(folder: Path) -> None:
    seen: cleaning.Seen = {}
    first = folder / "artifacts/first.txt"
    first.write_text("plain", "ascii")
    assert list(cleaning.sweep(folder, REDACTOR, seen)) == []
    before = first.stat().st_atime_ns
    os.utime(first, ns=(1, first.stat().st_mtime_ns))
    (folder / "artifacts/second.txt").write_text(TOKEN, "ascii")

    assert list(cleaning.sweep(folder, REDACTOR, seen)) == []

    assert before != 1
    assert first.stat().st_atime_ns == 1, "it was read again"
    assert (folder / "artifacts/second.txt").read_text("ascii") == HIDDEN


def test_what_cannot_be_redacted_does_not_stay(folder: Path) -> None:
    path = folder / "artifacts/broken.txt"
    path.write_text(TOKEN, "ascii")
    # The name under which the redacted text would be written is taken by a folder.
    path.with_name(f".{path.name}.{os.getpid()}.tmp").mkdir()

    (finding,) = swept(folder)

    assert finding.startswith("artifacts/broken.txt was removed: it could not be redacted: ")
    assert not path.exists()


def test_the_manifest_is_redacted_as_a_whole_and_stays_what_it_is() -> None:
    evidence = Evidence(
        kind=BundleKind.TESTS,
        name=f"unit {TOKEN}",
        outcome=Outcome.FAILED,
        command=Command(argv=("pytest", TOKEN), cwd=".", env={"A": TOKEN, "KEY": "x"}),
        started_at="2026-11-22T10:15:16Z",
        failures=(
            Failure(
                nodeid="tests/test_a.py::test_token[/home/alice]",
                kind=FailureKind.ASSERTION,
                signature="v1:1c7088244dc4a5be",
                message=f"assert {TOKEN}",
                text=f"/home/alice/x: {TOKEN}",
            ),
        ),
        findings=(f"left running: {TOKEN}",),
    )

    cleaned = cleaning.clean(evidence, REDACTOR)

    assert cleaned.name == f"unit {HIDDEN}"
    assert cleaned.outcome is Outcome.FAILED
    assert cleaned.command == Command(
        argv=("pytest", HIDDEN), cwd=".", env={"A": HIDDEN, "KEY": HIDDEN}
    )
    assert cleaned.failures[0] == Failure(
        nodeid="tests/test_a.py::test_token[/home/alice]",
        kind=FailureKind.ASSERTION,
        signature="v1:1c7088244dc4a5be",
        message=f"assert {HIDDEN}",
        text=f"~/x: {HIDDEN}",
    )
    assert cleaned.findings == (f"left running: {HIDDEN}",)
    assert cleaning.clean(cleaned, REDACTOR) == cleaned
