"""Every text of a report, whole. A change here is a change of what people see."""

from __future__ import annotations

import pytest

from tests.unit.report_cases import GOLDEN, golden

FILES = golden()


@pytest.mark.parametrize("path", FILES)
def test_text_is_the_golden_one(path: str) -> None:
    expected = (GOLDEN / path).read_text(encoding="utf-8")

    assert FILES[path] == expected, (
        "look at the difference; if it is meant: PYTHONPATH=bot python -m tests.unit.report_cases"
    )


def test_no_golden_file_is_left_over() -> None:
    found = {path.relative_to(GOLDEN).as_posix() for path in GOLDEN.rglob("*") if path.is_file()}

    assert found == set(FILES)
