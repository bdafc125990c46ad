"""In how many ways a secret may be written: as it is, escaped, quoted, or in base64."""

from __future__ import annotations

import binascii
import json
from collections.abc import Iterator

_SHORTEST_ENCODED = 8
"""A shorter value says too little in base64."""
_CUT = 118
"""pytest shortens a long value to so many characters of either end."""


def spellings(value: str) -> Iterator[bytes]:
    """
    Yield the value's bytes in each spelling in which programs print it.

    JSON's and Python's escapes, XML's, percent-encoding, base64 at each of
    the three places a value can have in a longer text (`user:password`), and
    of a very long value its beginning and its end.
    """
    raw = value.encode("utf-8", "surrogateescape")
    yield raw
    yield json.dumps(value)[1:-1].encode()
    yield json.dumps(value, ensure_ascii=False)[1:-1].encode("utf-8", "surrogateescape")
    yield repr(value)[1:-1].encode("utf-8", "backslashreplace")
    yield raw.replace(b"&", b"&amp;").replace(b"<", b"&lt;").replace(b">", b"&gt;")
    yield _percent(raw, b"-._~")
    yield _percent(raw, b"-._~/")
    yield _percent(raw, b"-._~ ").replace(b" ", b"+")
    if len(raw) > 2 * _CUT:
        yield raw[: _CUT - 2]
        yield raw[2 - _CUT :]
    if len(raw) >= _SHORTEST_ENCODED:
        yield from _base64(raw)


def _percent(raw: bytes, kept: bytes) -> bytes:
    # Not urllib.parse: importing it costs more than all else in here.
    return b"".join(
        bytes((byte,)) if (chr(byte).isalnum() and byte < 128) or byte in kept else b"%%%02X" % byte
        for byte in raw
    )


def _base64(raw: bytes) -> Iterator[bytes]:
    for shift in range(3):
        # What stands before shares a character with the value, and so does what comes after.
        encoded = binascii.b2a_base64(b"\0" * shift + raw, newline=False).rstrip(b"=")
        first = (0, 2, 3)[shift]
        last = len(encoded) - ((len(raw) + shift) % 3 != 0)
        yield encoded[first:last]
        yield encoded[first:last].translate(bytes.maketrans(b"+/", b"-_"))
