"""Logs are redacted while they stream, however the bytes arrive."""

from __future__ import annotations

import itertools
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telltale.capture.logs import LONGEST_LINE, Logs, Stream
from telltale.capture.redact import HIDDEN, Redactor

TOKEN = b"ghp" + b"_" + b"A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r8"
KNOWN = b"correct-horse-7"
H = HIDDEN.encode()
KEY = b"-----BEGIN RSA PRIVATE" + b" KEY-----\n" + b"MIIEowIBAAKCAQEA\n" * 4
KEY += b"-----END RSA PRIVATE" + b" KEY-----\n"


def fed(data: bytes, cuts: list[int], redactor: Redactor | None = None) -> bytes:
    stream = Stream(redactor or Redactor({"DEPLOY_TOKEN": KNOWN.decode()}))
    ends = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    parts = [stream.feed(data[a:b]) for a, b in itertools.pairwise(ends)]
    return b"".join(parts) + stream.end()


TEXT = b"\n".join(
    (
        b"a line",
        b"token " + TOKEN + b" and " + KNOWN + b"\r",
        b"\xff\xfe not text: " + KNOWN,
        b"progress 1%\rprogress 2% " + TOKEN + b"\rdone",
        KEY + b"after the key",
        b"https://me:pw@host/x  API_KEY=short  --password x",
        b"no end " + TOKEN,
    )
)
EXPECTED = b"\n".join(
    (
        b"a line",
        b"token " + H + b" and " + H + b"\r",
        b"\xff\xfe not text: " + H,
        b"progress 1%\rprogress 2% " + H + b"\rdone",
        H + b"\nafter the key",
        b"https://host/x  API_KEY=" + H + b"  --password " + H,
        b"no end " + H,
    )
)


@settings(deadline=None)
@given(st.lists(st.integers(0, len(TEXT)), max_size=8))
def test_it_does_not_matter_where_the_bytes_are_cut(cuts: list[int]) -> None:
    assert fed(TEXT, cuts) == EXPECTED


def test_byte_by_byte() -> None:
    assert fed(TEXT, list(range(len(TEXT)))) == EXPECTED


@settings(deadline=None)
@given(st.binary(), st.lists(st.integers(0, 100), max_size=5))
def test_ordinary_bytes_stay_as_they_are(data: bytes, cuts: list[int]) -> None:
    data = data.replace(b"@", b"").replace(b"=", b"").replace(b":", b"")

    assert fed(data, cuts) == data


@pytest.mark.parametrize("secret", [TOKEN, KNOWN], ids=["token", "known"])
@pytest.mark.parametrize("sign", [b"", b" ", b"x"])
def test_a_line_without_end_is_kept_in_parts_that_cut_no_secret(secret: bytes, sign: bytes) -> None:
    line = b"".join(b"%07d" % number + sign for number in range(LONGEST_LINE // 4))
    for at in range(LONGEST_LINE - 17_000, LONGEST_LINE + 200, 701):
        data = line[:at] + b" " + secret + b" " + line[at:]

        kept = fed(data, [65_536, 131_072])

        assert kept == line[:at] + b" " + H + b" " + line[at:]


def test_a_line_of_megabytes_needs_no_memory() -> None:
    stream = Stream(Redactor({}))
    block = b"x" * 1_000_000
    tracemalloc.start()
    size = sum(len(stream.feed(block)) for _ in range(8)) + len(stream.end())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert size == 8_000_000
    assert peak < 6_000_000


def test_what_the_command_masks_is_hidden_from_then_on() -> None:
    redactor = Redactor({})
    text = (
        b"::add-mask::ninety%25nine\n  ##[add-mask]multi%0Alines-two\nsay ninety%nine lines-two\n"
    )

    assert fed(text, [5, 40], redactor) == b"say " + H + b" " + H + b"\n"
    assert redactor.text("ninety%nine") == HIDDEN


def test_a_key_that_never_ends_is_over_with_the_first_other_line() -> None:
    text = KEY.split(b"-----END")[0] + b"E   MIIEowIBAAKCAQEA\nFAILED tests/test_a.py - x\n"

    assert fed(text, []) == H + b"FAILED tests/test_a.py - x\n"


# The three files


class Kept:
    def __init__(self, folder: Path) -> None:
        self.problems: list[str] = []
        self.logs = Logs(folder, Redactor({"DEPLOY_TOKEN": KNOWN.decode()}), self.problems)
        self._folder = folder

    def texts(self) -> tuple[bytes, bytes, bytes]:
        out, err, both = (
            (self._folder / f"{name}.log").read_bytes() for name in ("stdout", "stderr", "output")
        )
        return out, err, both


def test_what_has_no_end_yet_is_there_and_is_written_again(tmp_path: Path) -> None:
    kept = Kept(tmp_path)

    kept.logs.write(0, b"first\nPassword is correct-")
    kept.logs.settle()
    assert kept.texts() == (b"first\nPassword is correct-", b"", b"first\nPassword is correct-")

    kept.logs.write(1, b"err: half")
    kept.logs.settle()
    assert kept.texts()[2] == b"first\nPassword is correct-err: half"

    kept.logs.write(0, b"horse-7\nmore")
    kept.logs.settle()
    whole = b"first\nPassword is " + H + b"\n"
    assert kept.texts() == (whole + b"more", b"err: half", whole + b"err: halfmore")

    kept.logs.end()
    kept.logs.close()
    assert kept.texts() == (whole + b"more", b"err: half", whole + b"err: halfmore")


def test_nothing_of_a_longer_tail_is_left(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    kept.logs.write(0, b"x " + KNOWN[:-1])
    kept.logs.settle()
    kept.logs.write(0, KNOWN[-1:] + b" " + TOKEN[:-1])
    kept.logs.settle()
    kept.logs.write(0, TOKEN[-1:] + b"\n")
    kept.logs.end()

    assert kept.texts() == (b"x " + H + b" " + H + b"\n", b"", b"x " + H + b" " + H + b"\n")


def test_a_full_disk_ends_one_log_with_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "output.log").symlink_to("/dev/full")
    kept = Kept(tmp_path)

    for _ in range(3):
        kept.logs.write(0, b"line\nhalf")
        kept.logs.settle()
    kept.logs.end()

    assert kept.problems == ["logs/output.log ends early: No space left on device"]
    assert (tmp_path / "stdout.log").read_bytes() == b"line\nhalfline\nhalfline\nhalf"
