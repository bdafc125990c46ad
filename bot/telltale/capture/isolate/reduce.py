"""
Delta debugging: the few elements of a long list that are needed for an outcome.

Source: A. Zeller and R. Hildebrandt, "Simplifying and isolating
failure-inducing input", IEEE Transactions on Software Engineering 28 (2002):
the algorithm ddmin. Used on the order of tests as C. Lam, W. Shi and others
use it ("iFixFlakies", ESEC/FSE 2019).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TypeVar

T = TypeVar("T")


def ddmin(
    elements: Sequence[T],
    holds: Callable[[Sequence[T]], bool],
    *,
    reduced: Callable[[Sequence[T]], None] = lambda _: None,
) -> tuple[T, ...]:
    """
    Return elements, in their order, for which `holds` is true and of which none can go.

    `holds` must be true for all `elements` and is not asked that. It is asked
    halves first, so one needed element of n costs about 2 log2(n) questions,
    several cost more, n squared at worst. The later half is asked before the
    earlier one: what ran just before is the likelier cause. Each time fewer
    elements are enough, `reduced` is told.
    """
    kept = tuple(elements)
    pieces = 2
    while len(kept) >= 2:
        chunks = _split(kept, pieces)
        found = _first(chunks[::-1], holds)
        if found is not None:
            kept, pieces = found, 2
        else:
            # With two pieces the rest of one is the other.
            rests = [_without(kept, chunks, at) for at in range(len(chunks))] if pieces > 2 else []
            found = _first(rests, holds)
            if found is not None:
                kept, pieces = found, max(pieces - 1, 2)
            elif pieces >= len(kept):
                break
            else:
                pieces = min(2 * pieces, len(kept))
        if found is not None:
            reduced(kept)
    return kept


def _first(
    candidates: Sequence[tuple[T, ...]], holds: Callable[[Sequence[T]], bool]
) -> tuple[T, ...] | None:
    return next((each for each in candidates if holds(each)), None)


def _split(elements: tuple[T, ...], pieces: int) -> list[tuple[T, ...]]:
    size, more = divmod(len(elements), pieces)
    bounds = [at * size + min(at, more) for at in range(pieces + 1)]
    return [elements[low:high] for low, high in pairwise(bounds)]


def _without(kept: tuple[T, ...], chunks: Sequence[tuple[T, ...]], at: int) -> tuple[T, ...]:
    before = sum(map(len, chunks[:at]))
    return kept[:before] + kept[before + len(chunks[at]) :]
