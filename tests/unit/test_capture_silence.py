"""When a command counts as hung: what starts the clock of silence again, and what does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from telltale.capture.silence import Silence, last_line


def after(*looks: tuple[float, float, float], late_s: float = 0.0, limit: float = 10) -> bool:
    """Whether it is over after looks at (now, last output, CPU time)."""
    silence = Silence(limit)
    for now, heard, cpu_s in looks:
        silence.look(now, heard=heard, cpu_s=cpu_s, late_s=late_s if now == looks[-1][0] else 0.0)
    return silence.over


@pytest.mark.parametrize(
    ("looks", "over"),
    [
        pytest.param([(0, 0, 0), (10, 0, 0)], True, id="nothing"),
        pytest.param([(0, 0, 0), (9.9, 0, 0)], False, id="not-long-enough"),
        pytest.param([(0, 0, 0), (10, 3, 0)], False, id="output"),
        pytest.param([(0, 0, 0), (4, 3, 0), (14, 3, 0)], True, id="nothing-since-the-output"),
        pytest.param([(0, 0, 0), (10, 0, 1)], False, id="work"),
        pytest.param([(0, 0, 5), (10, 0, 5.1)], True, id="one-percent-is-no-work"),
        pytest.param([(0, 0, 5), (10, 0, 5.11)], False, id="more-is"),
        pytest.param([(0, 0, 5), (5, 0, 5.06), (10, 0, 5.12)], False, id="work-adds-up"),
        pytest.param([(0, 0, 5), (5, 0, 1), (10, 0, 1)], True, id="lost-account-of-who-ended"),
    ],
)
def test_silence(looks: list[tuple[float, float, float]], over: bool) -> None:
    assert after(*looks) is over


def test_time_in_which_we_did_not_look_proves_nothing() -> None:
    assert after((0, 0, 0), (100, 0, 0))
    assert not after((0, 0, 0), (100, 0, 0), late_s=99)


def test_without_a_limit_it_is_never_over() -> None:
    silence = Silence(None)
    for now in (0.0, 1e9):
        silence.look(now, heard=0.0, cpu_s=0.0, late_s=0.0)
    assert not silence.over


@pytest.mark.parametrize(
    ("log", "line"),
    [
        (b"", ""),
        (b"\n \n", ""),
        (b"one\ntwo\n\n", "two"),
        (b"one\r\x1b[31mtwo \xff three", "[31mtwo \ufffd three"),
        (b"x" * 1000, "x" * 200),
    ],
)
def test_the_last_line_is_shown_as_text(log: bytes, line: str, tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(log)

    assert last_line(tmp_path / "log") == line
