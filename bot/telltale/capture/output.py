"""
What the command writes: read at once, kept byte for byte, passed on live.

Two pipes, one for each stream. `logs/stdout.log` and `logs/stderr.log` are
exact; `logs/output.log` holds both in the order in which they became
readable. No terminal is pretended, no line is waited for.
"""

from __future__ import annotations

import functools
import os
import select
import selectors
import stat
from collections.abc import Callable
from pathlib import Path

_BLOCK = 64 * 1024
_HELD_BACK = 1024 * 1024
"""Bytes that our own slow reader may lag behind before the command has to wait for it."""


class Output:
    """
    Both streams of one command.

    Nothing here waits: our own stdout may stand still (a full pipe, a
    stopped terminal) and limits must hold all the same.
    """

    def __init__(self, logs: Path, selector: selectors.BaseSelector, to: tuple[int, int]) -> None:
        self.problems: list[str] = []
        """One sentence for each thing that could not be kept or passed on."""
        out, err = to
        forwards = [_Forward(out, selector), _Forward(err, selector)]
        if _same(out, err):
            # `2>&1`: one queue, or a stalled reader would see the streams change places.
            forwards[1] = forwards[0]
        merged = _Log(logs / "output.log", self.problems)
        self._logs = [
            merged,
            _Log(logs / "stdout.log", self.problems),
            _Log(logs / "stderr.log", self.problems),
        ]
        self._streams = [
            _Stream(selector, forward, (merged, own))
            for forward, own in zip(forwards, self._logs[1:], strict=True)
        ]
        self._forwards = set(forwards)

    @property
    def write_ends(self) -> tuple[int, int]:
        """The command's stdout and stderr."""
        out, err = self._streams
        return out.write_end, err.write_end

    def started(self) -> None:
        """Let go of the write ends once the command has them."""
        for stream in self._streams:
            os.close(stream.write_end)

    @property
    def ended(self) -> bool:
        """Whether nobody can write any more."""
        return all(stream.ended for stream in self._streams)

    def drain(self) -> None:
        """Read what is left in the pipes, whether or not somebody still holds them."""
        for stream in self._streams:
            while not stream.ended and stream.read():
                pass

    def finish(self, patience_s: float, wait: Callable[[Callable[[], bool], float], bool]) -> None:
        """Pass on what is pending, as long as the reader takes some of it, and close everything."""
        self.drain()
        for stream in self._streams:
            stream.close()
        while pending := self._pending:
            if not wait(functools.partial(self._took_some, pending), patience_s):
                self.problems.append(
                    f"the reader of Telltale's own output took nothing for {patience_s:g} s:"
                    f" the last {pending} bytes are in the log only"
                )
                break
        for forward in self._forwards:
            forward.close()
        for log in self._logs:
            log.close()

    def _took_some(self, pending: int) -> bool:
        return self._pending < pending

    @property
    def _pending(self) -> int:
        return sum(len(forward.pending) for forward in self._forwards)


class _Stream:
    """One pipe from the command, read whenever there is something."""

    def __init__(
        self, selector: selectors.BaseSelector, forward: _Forward, logs: tuple[_Log, _Log]
    ) -> None:
        self._read_end, self.write_end = os.pipe()
        os.set_blocking(self._read_end, False)
        self._selector = selector
        self._forward = forward
        self._logs = logs
        self.ended = False
        self._reading = False
        self._listen(True)
        forward.relieved.append(lambda: self._listen(True))

    def read(self) -> bool:
        """Read one block; False when there is nothing at the moment."""
        try:
            data = os.read(self._read_end, _BLOCK)
        except BlockingIOError:
            return False
        if not data:
            self.close()
            return False
        for log in self._logs:
            log.write(data)
        self._forward.push(data)
        if len(self._forward.pending) > _HELD_BACK:
            self._listen(False)
        return True

    def close(self) -> None:
        if not self.ended:
            self.ended = True
            self._listen(False)
            os.close(self._read_end)

    def _listen(self, on: bool) -> None:
        if on and not self._reading and not self.ended:
            self._selector.register(self._read_end, selectors.EVENT_READ, self.read)
        elif not on and self._reading:
            self._selector.unregister(self._read_end)
        self._reading = on and not self.ended


class _Forward:
    """One of our own outputs; what it does not take at once stays pending."""

    def __init__(self, fd: int, selector: selectors.BaseSelector) -> None:
        self.pending = bytearray()
        self.relieved: list[Callable[[], None]] = []
        """Called when pending data has been taken."""
        self._fd = fd
        self._selector = selector
        self._poll = select.poll()
        self._poll.register(fd, select.POLLOUT)
        self._waiting = False
        self._gone = False
        # Files and /dev/null never make a writer wait, and epoll refuses them.
        mode = os.fstat(fd).st_mode
        self._may_block = not stat.S_ISREG(mode) and not _is_null(fd)

    def push(self, data: bytes) -> None:
        if not self._gone:
            self.pending += data
            self._step()

    def close(self) -> None:
        self._wait(False)
        self.pending.clear()

    def _step(self) -> None:
        while self.pending:
            if self._may_block and not self._poll.poll(0):
                break
            # A pipe that polls as writable takes PIPE_BUF bytes without making us wait.
            size = select.PIPE_BUF if self._may_block else len(self.pending)
            try:
                written = os.write(self._fd, bytes(self.pending[:size]))
            except BlockingIOError:
                break
            except OSError:
                # The reader went away (`| head`): the log goes on without it.
                self._gone = True
                self.pending.clear()
                break
            del self.pending[:written]
        self._wait(bool(self.pending))
        if len(self.pending) <= _HELD_BACK // 2:
            for call in self.relieved:
                call()

    def _wait(self, on: bool) -> None:
        if on and not self._waiting:
            self._selector.register(self._fd, selectors.EVENT_WRITE, self._step)
        elif not on and self._waiting:
            self._selector.unregister(self._fd)
        self._waiting = on


class _Log:
    """A file of the bundle that receives bytes as they come."""

    def __init__(self, path: Path, problems: list[str]) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        self._path = path
        self._problems = problems
        self._broken = False

    def write(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest and not self._broken:
            try:
                rest = rest[os.write(self._fd, rest) :]
            except OSError as error:  # noqa: PERF203
                # A full disk must cost the log, not the run.
                self._broken = True
                self._problems.append(
                    f"logs/{self._path.name} ends early: {error.strerror or error}"
                )

    def close(self) -> None:
        os.close(self._fd)


def _same(first: int, second: int) -> bool:
    one, two = os.fstat(first), os.fstat(second)
    return (one.st_dev, one.st_ino) == (two.st_dev, two.st_ino)


def _is_null(fd: int) -> bool:
    return os.fstat(fd).st_rdev == Path(os.devnull).stat().st_rdev


def ensure_standard_streams() -> None:
    """Open /dev/null in the place of a closed stdin, stdout or stderr, before another file takes its number."""
    for fd in (0, 1, 2):
        try:
            os.fstat(fd)
        except OSError:  # noqa: PERF203
            os.open(os.devnull, os.O_RDWR)


def last_bytes(path: Path, size: int) -> bytes:
    """Return the end of a file, at most `size` bytes; empty when there is no such file."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - size))
            return file.read(size)
    except OSError:
        return b""
