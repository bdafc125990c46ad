"""Patterns that are compiled late behave as `re.compile`'s."""

from __future__ import annotations

import re

import pytest

from telltale.patterns import pattern


def test_a_late_pattern_does_what_a_compiled_one_does() -> None:
    late, early = pattern(r"(?P<a>b+)C", re.IGNORECASE), re.compile(r"(?P<a>b+)C", re.IGNORECASE)
    text = "xbbc Bc"

    for _ in range(2):
        assert late.sub("-", text) == early.sub("-", text)
        assert [each["a"] for each in late.finditer(text)] == ["bb", "B"]
        assert late.fullmatch(text) is None
        assert late.split(text) == early.split(text)
    assert (late.pattern, late.flags, late.groupindex) == (
        early.pattern,
        early.flags,
        early.groupindex,
    )


def test_a_wrong_pattern_is_told_at_its_first_use() -> None:
    wrong = pattern(rb"(")

    with pytest.raises(re.error, match="unterminated"):
        wrong.match(b"")
