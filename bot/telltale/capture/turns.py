"""
Who wrote when: the order of two pipes that were written between two looks at them.

A pipe does not say when its bytes came. inotify(7) does: it queues an event
for every write to a watched pipe, and events that follow each other on the
same pipe are one. So the turns that two streams took are known, and where
each turn is one line, the order of lines is exact.
"""

from __future__ import annotations

import ctypes
import itertools
import os
import struct
import sys
from collections.abc import Iterator, Sequence

_IN_MODIFY = 0x2
_IN_NONBLOCK = 0o4000
_IN_CLOEXEC = 0o2000000
_EVENT = struct.Struct("iIII")


class Turns:
    """Watches pipes for writes; silent where the system has no inotify or no room for one more."""

    def __init__(self, pipes: Sequence[int]) -> None:
        self._fd = -1
        self._indexes: dict[int, int] = {}
        if not sys.platform.startswith("linux"):
            return
        libc = ctypes.CDLL(None, use_errno=True)
        self._fd = libc.inotify_init1(_IN_NONBLOCK | _IN_CLOEXEC)
        if self._fd < 0:
            return
        for index, pipe in enumerate(pipes):
            path = f"/proc/self/fd/{pipe}".encode()
            self._indexes[libc.inotify_add_watch(self._fd, path, _IN_MODIFY)] = index

    def take(self) -> list[int]:
        """Return the indexes of the pipes that were written since the last call, turn by turn."""
        if self._fd < 0:
            return []
        turns: list[int] = []
        while True:
            try:
                events = os.read(self._fd, 64 * 1024)
            except BlockingIOError:
                return turns
            for watch, _, _, _ in _EVENT.iter_unpack(events):
                # A watch of -1 says that the queue ran over.
                if watch in self._indexes:
                    turns.append(self._indexes[watch])

    def close(self) -> None:
        """Watch no longer."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class Order:
    """
    Lays the bytes of two streams out in the order of their turns, batch by batch.

    A batch's turns and bytes need not match: the two are read one after the
    other while the command goes on writing. What is ahead or behind is
    carried into the next batch, until both are read to their end.
    """

    def __init__(self) -> None:
        self._ahead: list[int] = []
        """Turns whose bytes were not there yet."""
        self._behind: list[int] = []
        """Streams whose last bytes came before their turn."""
        self._begun: list[int] = []
        """Streams that stopped within a line: what comes next belongs to it."""

    def lay_out(
        self, turns: Sequence[int], pieces: tuple[Sequence[bytes], Sequence[bytes]], *, quiet: bool
    ) -> list[tuple[int, bytes]]:
        """
        Return pairs of stream and bytes: every piece once, each stream in its own order.

        With more pieces than turns each turn gets equally many and the rest
        comes last; with fewer the first turns get one each. `quiet` says
        that everything written was read.
        """
        rest = [iter(pieces[stream]) for stream in (0, 1)]
        laid_out = [(stream, next(rest[stream])) for stream in self._begun if pieces[stream]]
        counts = [len(pieces[stream]) - (stream in self._begun) for stream in (0, 1)]
        turns = _alternating([*self._ahead, *self._without_late(turns)])
        takes = [_takes(counts[stream], turns.count(stream)) for stream in (0, 1)]
        self._ahead, self._behind, self._begun = [], [], []
        for stream in turns:
            taken = b"".join(itertools.islice(rest[stream], next(takes[stream])))
            if taken:
                laid_out.append((stream, taken))
            else:
                self._ahead.append(stream)
        for stream in (0, 1):
            if left := b"".join(rest[stream]):
                laid_out.append((stream, left))
                self._behind.append(stream)
            if pieces[stream] and not pieces[stream][-1].endswith(b"\n"):
                self._begun.append(stream)
        if quiet:
            self._ahead, self._behind, self._begun = [], [], []
        return laid_out

    def _without_late(self, turns: Sequence[int]) -> Sequence[int]:
        for stream in (*self._behind, *self._begun):
            if turns and turns[0] == stream:
                turns = turns[1:]
        return turns


def _alternating(turns: Sequence[int]) -> list[int]:
    # Two looks at the queue may split what the kernel would have joined.
    return [stream for stream, _ in itertools.groupby(turns)]


def _takes(pieces: int, turns: int) -> Iterator[int]:
    if pieces <= turns:
        return iter([1] * max(0, pieces) + [0] * turns)
    return itertools.repeat(pieces // max(1, turns), turns)
