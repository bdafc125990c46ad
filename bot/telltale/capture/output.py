"""
What the command writes: read at once, passed on live byte for byte, kept redacted.

Two pipes, one for each stream. `logs/stdout.log` and `logs/stderr.log` hold
each alone, `logs/output.log` both in the order of their lines
(`capture.logs`). No terminal is pretended, no line is waited for.
"""

from __future__ import annotations

import functools
import os
import select
import selectors
import stat
import time
from collections.abc import Callable
from pathlib import Path

from telltale.capture.logs import Logs
from telltale.capture.redact import Redactor
from telltale.capture.turns import Order, Turns

_BLOCK = 64 * 1024
_BATCH = 256 * 1024
_BATCH_S = 0.02
_LITTLE = 4096
_REST_S = 0.01
"""After little was read: a program that prints a dot for each test would wake us for each dot."""
_HELD_BACK = 1024 * 1024
"""Bytes that our own slow reader may lag behind before the command has to wait for it."""


class Output:
    """
    Both streams of one command.

    Nothing here waits: our own stdout may stand still (a full pipe, a
    stopped terminal) and limits must hold all the same.
    """

    def __init__(
        self,
        logs: Path,
        selector: selectors.BaseSelector,
        to: tuple[int, int],
        redactor: Redactor,
    ) -> None:
        self.problems: list[str] = []
        """One sentence for each thing that could not be kept or passed on."""
        self.heard = time.monotonic()
        """When the last output came, by the monotonic clock; at first when we began to listen."""
        out, err = (_Forward(fd, selector, self._listen) for fd in to)
        # `2>&1`: one queue, or a stalled reader would see the streams change places.
        self._forwards = (out, out) if _same(*to) else (out, err)
        self._logs = Logs(logs, redactor, self.problems)
        self._selector = selector
        self._pipes = (_Pipe(), _Pipe())
        self._turns = Turns([pipe.read_end for pipe in self._pipes])
        self._order = Order()
        self._listen()

    @property
    def write_ends(self) -> tuple[int, int]:
        """The command's stdout and stderr."""
        out, err = self._pipes
        return out.write_end, err.write_end

    def started(self) -> None:
        """Let go of the write ends once the command has them."""
        for pipe in self._pipes:
            pipe.let_go()

    def finish(self, patience_s: float, wait: Callable[[Callable[[], bool], float], bool]) -> None:
        """
        Read what is left, whether or not somebody still holds the pipes.

        What our own reader has not taken yet is passed on as long as it takes some of it.
        """
        # All who wrote are dead: a pipe's worth is left. Whoever lives outside the tree and
        # holds it all the same must not hold us.
        for _ in range(16):
            if not self._read():
                break
        for pipe in self._pipes:
            self._close(pipe)
        self._logs.end()
        while pending := self.pending:
            if not wait(functools.partial(self._took_some, pending), patience_s):
                self.problems.append(
                    f"the reader of Telltale's own output took nothing for {patience_s:g} s:"
                    f" the last {pending} bytes are in the log only"
                )
                break

    def close(self) -> None:
        """Close everything, whatever is left; closing twice is closing once."""
        for pipe in self._pipes:
            self._close(pipe)
        self._logs.settle(now=True)
        for end in (*self._forwards, self._logs, self._turns):
            end.close()

    def tick(self) -> None:
        """Let the logs catch up with a line that has no end yet."""
        self._logs.settle()

    def _wake(self) -> None:
        if 0 < self._read() < _LITTLE:
            time.sleep(_REST_S)

    def _read(self) -> int:
        """Read and pass on what both pipes hold; return how many bytes."""
        parts: tuple[list[bytes], list[bytes]] = ([], [])
        turns: list[int] = []
        size = 0
        quiet = False
        end = time.monotonic() + _BATCH_S
        # The longer the batch, the fewer turns are cut in two; but people are watching.
        while not quiet and size < _BATCH and time.monotonic() < end:
            found = [self._take(pipe) for pipe in self._pipes]
            # After the bytes: a write shows in the pipe first and in the turns a moment later.
            told = self._turns.take()
            turns += told
            for part, data in zip(parts, found, strict=True):
                part.append(data)
                size += len(data)
            # What was told just now may have been written after we looked.
            quiet = not any(found) and not told
        if size:
            self.heard = time.monotonic()
        self._write(turns, b"".join(parts[0]), b"".join(parts[1]), quiet=quiet)
        self._listen()
        return size

    def _write(self, turns: list[int], out: bytes, err: bytes, *, quiet: bool) -> None:
        # Lines cost time to find: a stream that is alone is one piece.
        alone = not out or not err
        pieces = (
            ([out] * bool(out), [err] * bool(err))
            if alone
            else (out.splitlines(True), err.splitlines(True))
        )
        for stream, data in self._order.lay_out(turns, pieces, quiet=quiet):
            self._pass_on(stream, data)
        self._logs.settle()

    def _pass_on(self, stream: int, data: bytes) -> None:
        self._logs.write(stream, data)
        self._forwards[stream].push(data)

    def _take(self, pipe: _Pipe) -> bytes:
        if pipe.ended:
            return b""
        try:
            data = os.read(pipe.read_end, _BLOCK)
        except BlockingIOError:
            return b""
        if not data:
            self._close(pipe)
        return data

    def _close(self, pipe: _Pipe) -> None:
        if not pipe.ended:
            pipe.ended = True
            self._listen()
            pipe.let_go()
            os.close(pipe.read_end)

    def _listen(self) -> None:
        """Wake up for the pipes that may be read: none while a reader of ours lags far behind."""
        held_back = self.pending > _HELD_BACK
        for pipe in self._pipes:
            wanted = not pipe.ended and not held_back
            if wanted and not pipe.listening:
                self._selector.register(pipe.read_end, selectors.EVENT_READ, self._wake)
            elif pipe.listening and not wanted:
                self._selector.unregister(pipe.read_end)
            pipe.listening = wanted

    def _took_some(self, pending: int) -> bool:
        return self.pending < pending

    @property
    def pending(self) -> int:
        """Bytes that our own reader has not taken yet."""
        return sum(len(forward.pending) for forward in set(self._forwards))


class _Pipe:
    """A pipe from the command."""

    def __init__(self) -> None:
        self.read_end, self.write_end = os.pipe()
        os.set_blocking(self.read_end, False)
        self.ended = False
        """Nobody can write any more, and the read end is closed."""
        self.listening = False
        self._held = True

    def let_go(self) -> None:
        """Close our write end, so that the pipe ends when the command has closed its own."""
        if self._held:
            self._held = False
            os.close(self.write_end)


class _Forward:
    """One of our own outputs; what it does not take at once stays pending."""

    def __init__(
        self, fd: int, selector: selectors.BaseSelector, relieved: Callable[[], None]
    ) -> None:
        self.pending = bytearray()
        self._relieved = relieved
        """Called when some of what was pending has been taken."""
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
            self._write()

    def close(self) -> None:
        self._wait(False)
        self.pending.clear()

    def _writable(self) -> None:
        self._write()
        self._relieved()

    def _write(self) -> None:
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

    def _wait(self, on: bool) -> None:
        if on and not self._waiting:
            self._selector.register(self._fd, selectors.EVENT_WRITE, self._writable)
        elif not on and self._waiting:
            self._selector.unregister(self._fd)
        self._waiting = on


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
