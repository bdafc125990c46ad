"""The order of two streams that were written between two looks at them."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telltale.capture.turns import Order, Turns

Write = tuple[int, bytes]

streams = st.integers(0, 1)
lines = st.sampled_from([b"a\n", b"b\n", b"a longer one\n", b"\n"])
pieces = st.lists(lines | st.just(b"no end"), max_size=6)


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.lists(streams, max_size=8), st.tuples(pieces, pieces), st.booleans()),
        max_size=4,
    )
)
def test_nothing_is_lost_and_no_stream_overtakes_itself(
    batches: list[tuple[list[int], tuple[list[bytes], list[bytes]], bool]],
) -> None:
    order = Order()
    laid_out: list[Write] = []
    for turns, found, quiet in batches:
        laid_out += order.lay_out(turns, found, quiet=quiet)

    for stream in (0, 1):
        given_ = b"".join(piece for _, found, _ in batches for piece in found[stream])
        assert b"".join(data for each, data in laid_out if each == stream) == given_


def look(
    writes: Sequence[Write], read: int, seen: int, told: int
) -> tuple[list[int], tuple[list[bytes], list[bytes]]]:
    """
    Return what a look finds that reads the writes `read` to `seen`, then the turns up to `told`.

    The kernel joins events that follow each other on one pipe.
    """
    turns = [stream for stream, _ in itertools.groupby(stream for stream, _ in writes[read:told])]
    out = [data for stream, data in writes[read:seen] if stream == 0]
    err = [data for stream, data in writes[read:seen] if stream == 1]
    return turns, (out, err)


def alternating(draw_lines: list[bytes], first: int) -> list[Write]:
    return [((first + index) % 2, line) for index, line in enumerate(draw_lines)]


@settings(deadline=None)
@given(st.lists(lines, max_size=20), streams)
def test_lines_in_turn_keep_their_order(written: list[bytes], first: int) -> None:
    writes = alternating(written, first)
    turns, found = look(writes, 0, len(writes), len(writes))

    assert Order().lay_out(turns, found, quiet=True) == writes


@settings(deadline=None)
@given(st.lists(lines, max_size=20), streams, st.data())
def test_turns_that_are_told_before_their_bytes_wait_for_them(
    written: list[bytes], first: int, data: st.DataObject
) -> None:
    writes = alternating(written, first)
    cut = data.draw(st.integers(0, len(writes)))
    told = data.draw(st.integers(cut, len(writes)))
    order = Order()

    early, found = look(writes, 0, cut, told)
    laid_out = order.lay_out(early, found, quiet=False)
    late, _ = look(writes, told, told, len(writes))
    _, found = look(writes, cut, len(writes), len(writes))
    laid_out += order.lay_out(late, found, quiet=True)

    assert laid_out == writes


@settings(deadline=None)
@given(st.lists(lines, min_size=8, max_size=20), streams)
def test_a_turn_that_is_told_late_is_not_counted_twice(written: list[bytes], first: int) -> None:
    writes = alternating(written, first)
    cut = len(writes) // 2 + 1
    order = Order()

    early, found = look(writes, 0, cut, cut - 1)
    laid_out = order.lay_out(early, found, quiet=False)
    late, _ = look(writes, cut - 1, cut - 1, len(writes))
    _, found = look(writes, cut, len(writes), len(writes))
    laid_out += order.lay_out(late, found, quiet=True)

    assert laid_out == writes


@settings(deadline=None)
@given(st.integers(1, 5), st.integers(1, 5), st.integers(1, 6))
def test_turns_of_equally_many_lines_keep_their_order(out: int, err: int, turns: int) -> None:
    once = [(0, b"o\n")] * out + [(1, b"e\n")] * err
    found = ([b"o\n"] * out * turns, [b"e\n"] * err * turns)

    laid_out = Order().lay_out([0, 1] * turns, found, quiet=True)

    assert b"".join(data for _, data in laid_out) == b"".join(data for _, data in once) * turns


def test_a_line_that_was_cut_in_two_stays_one() -> None:
    order = Order()

    laid_out = order.lay_out([0, 1], ([b"hel"], [b"e\n"]), quiet=False)
    laid_out += order.lay_out([1, 0], ([b"lo\n", b"next\n"], [b"f\n"]), quiet=True)

    assert laid_out == [(0, b"hel"), (1, b"e\n"), (0, b"lo\n"), (1, b"f\n"), (0, b"next\n")]


def test_a_turn_that_was_told_in_two_looks_is_one() -> None:
    laid_out = Order().lay_out([0, 0, 1, 1, 0], ([b"a\n", b"b\n"], [b"e\n"]), quiet=True)

    assert laid_out == [(0, b"a\n"), (1, b"e\n"), (0, b"b\n")]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="inotify is Linux's")
def test_the_kernel_tells_the_turns_of_two_pipes() -> None:
    pipes = [os.pipe(), os.pipe()]
    turns = Turns([read_end for read_end, _ in pipes])
    try:
        for stream in (0, 0, 1, 0, 1, 1):
            os.write(pipes[stream][1], b"x")
        first = turns.take()
        os.write(pipes[1][1], b"x")
        second, third = turns.take(), turns.take()
    finally:
        turns.close()
        for end in itertools.chain(*pipes):
            os.close(end)

    assert (first, second, third) == ([0, 1, 0, 1], [1], [])


def test_without_inotify_there_are_no_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    turns = Turns([0, 1])

    assert turns.take() == []
    turns.close()
    assert Order().lay_out([], ([b"o\n"], [b"e\n"]), quiet=True) == [(0, b"o\n"), (1, b"e\n")]
