"""A flame graph as one SVG that needs no script: widths are samples, titles hold the figures."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from html import escape
from typing import final

WIDTH = 1200
ROW = 17
_EDGE = 10
_HEAD = 44
_LETTER = 6.6
"""Width of one letter of the font, in pixels."""
_NARROWEST = 0.5
"""Frames narrower than this many pixels are not drawn: nobody could see them."""
_DEEPEST = 400


@final
class _Frame:
    __slots__ = ("count", "inner", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self.count = 0
        self.inner: dict[str, _Frame] = {}


def render(stacks: Mapping[tuple[str, ...], int], *, title: str, unit: str = "samples") -> str:
    """
    Return the SVG of stacks, outermost frame first, with how often each was seen.

    Callers are below their callees; beside each other they are in the order
    of their names. A frame's colour depends on its name alone, so that two
    graphs can be laid beside each other.
    """
    root = _tree(stacks)
    scale = (WIDTH - 2 * _EDGE) / max(1, root.count)
    depth = _depth(root, scale)
    height = _HEAD + depth * ROW + _EDGE
    size = f'width="{WIDTH}" height="{height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="0 0 {WIDTH} {height}">',
        "<style>text { font: 11px monospace; pointer-events: none }</style>",
        f"<title>{_text(title)}</title>",
        f'<rect {size} fill="#fffdf7"/>',
        f'<text x="{_EDGE}" y="24">{_text(title)}</text>',
        *_drawn(root, x=_EDGE, level=0, scale=scale, total=root.count, height=height, unit=unit),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _tree(stacks: Mapping[tuple[str, ...], int]) -> _Frame:
    root = _Frame("all")
    for stack, count in stacks.items():
        frame = root
        frame.count += count
        for name in stack[:_DEEPEST]:
            frame = frame.inner.setdefault(name, _Frame(name))
            frame.count += count
    return root


def _depth(frame: _Frame, scale: float) -> int:
    level, deepest = [frame], 0
    while level:
        deepest += 1
        level = [
            inner
            for each in level
            for inner in each.inner.values()
            if inner.count * scale >= _NARROWEST
        ]
    return deepest


def _drawn(
    frame: _Frame, *, x: float, level: int, scale: float, total: int, height: int, unit: str
) -> Iterator[str]:
    """Yield the frame and all above it."""
    waiting = [(frame, x, level)]
    while waiting:
        frame, x, level = waiting.pop()
        width = frame.count * scale
        y = height - _EDGE - (level + 1) * ROW
        share = 100 * frame.count / max(1, total)
        yield (
            f"<g><title>{_text(frame.name)}: {frame.count:,} {unit}, {share:.2f} %</title>"
            f'<rect x="{x:.2f}" y="{y}" width="{width:.2f}" height="{ROW - 1}" rx="1"'
            f' fill="{_colour(frame.name)}"/>{_label(frame.name, x, y, width)}</g>'
        )
        for name in sorted(frame.inner):
            inner = frame.inner[name]
            if inner.count * scale >= _NARROWEST:
                waiting.append((inner, x, level + 1))
            x += inner.count * scale


def _label(name: str, x: float, y: int, width: float) -> str:
    letters = int((width - 4) / _LETTER)
    if letters < 3:
        return ""
    shown = name if len(name) <= letters else name[: letters - 2] + ".."
    return f'<text x="{x + 2:.2f}" y="{y + 12}">{_text(shown)}</text>'


def _colour(name: str) -> str:
    # Not hash(): it differs from process to process.
    number = zlib.crc32(name.encode("utf-8", "backslashreplace"))
    if name.startswith("0x") or ".so" in name:
        return f"hsl({190 + number % 40},55%,{68 + number // 64 % 12}%)"
    return f"hsl({8 + number % 42},85%,{62 + number // 64 % 14}%)"


def _text(text: str) -> str:
    # XML has no way to write most control characters.
    return escape("".join(each if each >= " " and each.isprintable() else "?" for each in text))
