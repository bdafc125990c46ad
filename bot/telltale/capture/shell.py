"""A command that is written as text: how it is run, and how it is told from one given as words."""

from __future__ import annotations

from collections.abc import Sequence

_SHELL = ("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c")
"""As GitHub runs a step of `shell: bash`."""


def argv(text: str) -> tuple[str, ...]:
    """Return the words that run the text."""
    return (*_SHELL, text)


def text(words: Sequence[str]) -> str:
    """Return the text that the words run, empty when they come from elsewhere."""
    return words[-1] if tuple(words[:-1]) == _SHELL else ""
