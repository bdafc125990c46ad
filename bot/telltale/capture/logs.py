"""
The logs of a run as they are kept: redacted while they stream.

A line is kept once it is complete, redacted as a whole, so that a secret
that came in two writes is one. What has no end yet is kept provisionally
and written again, redacted again, with what follows: whoever kills
Telltale finds all but a moment's bytes.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Sequence
from pathlib import Path

from telltale.capture.redact import Redactor
from telltale.patterns import pattern

LONGEST_LINE = 64 * 1024
"""Bytes of a line that are held together; of a longer one the beginning is kept before its end."""
_OVERLAP = 16 * 1024
"""Bytes of such a line that are looked at again with what follows: no secret is longer."""
_SHORT = 2 * 1024
_MOMENT_S = 0.25
_MASK = pattern(
    rb"[ \t]{0,16}(?:::|##\[)add-mask(?:::|\])([^\r\n]{0,65536})[\r\n]{0,2}", re.MULTILINE
)
_MASKING = b"add-mask"
_BREAKS = (b" ", b"\t", b",", b";", b"\0", b"/")


class Stream:
    """Cuts one stream into lines and redacts them."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._held = b""
        self._inside_key = False

    def feed(self, data: bytes) -> bytes:
        """Take bytes and return those that are complete now, redacted."""
        end = max(data.rfind(b"\n"), data.rfind(b"\r")) + 1
        if end:
            complete, self._held = self._held + data[:end], data[end:]
            return self._redact(complete) + self._overlong()
        self._held += data
        return self._overlong()

    def end(self) -> bytes:
        """Return the rest, redacted."""
        rest, self._held = self._held, b""
        return self._redact(rest)

    @property
    def provisional(self) -> bytes:
        """What was not returned yet, redacted as far as it is known."""
        if not self._held or _MASKING in self._held:
            return b""
        return self._redactor.lines(self._held, inside_key=self._inside_key)[0]

    @property
    def held(self) -> int:
        """How many bytes were not returned yet."""
        return len(self._held)

    def _redact(self, data: bytes) -> bytes:
        if _MASKING in data:
            data = self._learn(data)
        data, self._inside_key = self._redactor.lines(data, inside_key=self._inside_key)
        return data

    def _learn(self, data: bytes) -> bytes:
        """Take the values that a workflow command masks, and the commands out of the text."""
        kept = []
        for line in data.splitlines(keepends=True):
            found = _MASK.match(line)
            if found is None:
                kept.append(line)
            else:
                value = found[1].decode("utf-8", "surrogateescape")
                for code, char in (("%0D", "\r"), ("%0A", "\n"), ("%25", "%")):
                    value = value.replace(code, char)
                self._redactor.learn(value)
        return b"".join(kept)

    def _overlong(self) -> bytes:
        """Return the beginning of a line that has grown too long to wait for its end."""
        if len(self._held) <= LONGEST_LINE:
            return b""
        done = []
        at = 0
        while len(self._held) - at > LONGEST_LINE:
            whole = self._held[at : at + LONGEST_LINE]
            cut = self._cut(whole)
            done.append(self._redact(whole[:cut]))
            at += cut
        self._held = self._held[at:]
        return b"".join(done)

    def _cut(self, whole: bytes) -> int:
        """Return where the bytes can be cut in two without cutting a secret."""
        redact = self._redactor.lines
        together = redact(whole, inside_key=self._inside_key)[0]
        cut = len(whole) - _OVERLAP
        if together == whole:
            return cut
        for _ in range(8):
            cut = max((whole.rfind(sign, _OVERLAP, cut) + 1 for sign in _BREAKS), default=0) or cut
            first, inside = redact(whole[:cut], inside_key=self._inside_key)
            if first + redact(whole[cut:], inside_key=inside)[0] == together:
                return cut
            cut -= _OVERLAP // 4
        return len(whole)


class Logs:
    """`stdout.log`, `stderr.log` and `output.log`, each with the whole lines of its streams."""

    def __init__(self, folder: Path, redactor: Redactor, problems: list[str]) -> None:
        self._streams = (Stream(redactor), Stream(redactor))
        self._alone = (
            _File(folder / "stdout.log", problems),
            _File(folder / "stderr.log", problems),
        )
        self._merged = _File(folder / "output.log", problems)
        self._begun: list[int] = []
        """Streams that stopped within a line, the one that began first before the other."""
        self._written_at = 0.0
        self._late = False
        self._broken = False
        self._problems = problems

    def write(self, stream: int, data: bytes) -> None:
        """Take bytes of a stream, 0 or 1."""
        if self._broken:
            return
        try:
            complete = self._streams[stream].feed(data)
        except Exception as error:  # noqa: BLE001  # rather no log than one with secrets
            self._give_up(error)
            return
        self._keep(stream, complete)
        self._late = True

    def settle(self, *, now: bool = False) -> None:
        """Write what has no end yet, provisionally; a long one not more often than every moment."""
        if self._broken or not self._late:
            return
        moment = time.monotonic()
        size = sum(stream.held for stream in self._streams)
        if not now and size > _SHORT and moment - self._written_at < _MOMENT_S:
            return
        self._late, self._written_at = False, moment
        try:
            tails = [stream.provisional for stream in self._streams]
        except Exception as error:  # noqa: BLE001  # as above
            self._give_up(error)
            return
        for file, tail in zip(self._alone, tails, strict=True):
            file.end_with(tail)
        self._merged.end_with(b"".join(tails[stream] for stream in self._begun))

    def end(self) -> None:
        """Keep what is left: nothing more will come."""
        for stream in self._begun.copy():
            try:
                rest = self._streams[stream].end()
            except Exception as error:  # noqa: BLE001  # as above
                self._give_up(error)
                return
            self._keep(stream, rest)

    def close(self) -> None:
        """Close the files."""
        for file in self._files:
            file.close()

    @property
    def _files(self) -> Sequence[_File]:
        return (*self._alone, self._merged)

    def _keep(self, stream: int, complete: bytes) -> None:
        if complete:
            self._alone[stream].append(complete)
            self._merged.append(complete)
        began = self._streams[stream].held > 0
        if stream in self._begun and (complete or not began):
            self._begun.remove(stream)
        if began and stream not in self._begun:
            self._begun.append(stream)

    def _give_up(self, error: Exception) -> None:
        self._broken = True
        self._problems.append(f"the logs end early: they could not be redacted: {error!r:.200}")


class _File:
    """A log: what is complete, and behind it what is not and will be written again."""

    def __init__(self, path: Path, problems: list[str]) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
        self._path = path
        self._problems = problems
        self._broken = False
        self._complete = 0
        """Bytes that stay."""
        self._tail = b""

    def append(self, data: bytes) -> None:
        self._write(data)
        self._complete += len(data)
        # Of the old tail nothing may be left behind the new end.
        if len(self._tail) > len(data):
            self._truncate()
        self._tail = b""

    def end_with(self, tail: bytes) -> None:
        if tail == self._tail:
            return
        if tail.startswith(self._tail):
            self._write(tail[len(self._tail) :], len(self._tail))
        else:
            self._write(tail)
            if len(tail) < len(self._tail):
                self._truncate(len(tail))
        self._tail = tail

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _write(self, data: bytes, behind: int = 0) -> None:
        rest = memoryview(data)
        at = self._complete + behind
        while rest and not self._broken:
            try:
                written = os.pwrite(self._fd, rest, at)
            except OSError as error:  # noqa: PERF203
                self._fail(error)
            else:
                rest, at = rest[written:], at + written

    def _truncate(self, behind: int = 0) -> None:
        if not self._broken:
            try:
                os.ftruncate(self._fd, self._complete + behind)
            except OSError as error:
                self._fail(error)

    def _fail(self, error: OSError) -> None:
        # A full disk must cost the log, not the run.
        self._broken = True
        self._problems.append(f"logs/{self._path.name} ends early: {error.strerror or error}")
