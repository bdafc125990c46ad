"""scripts/render draws Markdown, or says what it lacks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.report_cases import GOLDEN

RENDER = Path(__file__).parents[2] / "scripts" / "render"
COMMENT = GOLDEN / "everything" / "comment.md"


def render(*args: str | Path, path: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, RENDER, *args],
        env={"PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_html_looks_like_github(tmp_path: Path, theme: str) -> None:
    done = render(COMMENT, tmp_path / "out.html", "--theme", theme)

    assert (done.returncode, done.stderr) == (0, "")
    page = (tmp_path / "out.html").read_text(encoding="utf-8")
    assert "markdown-alert" in page
    assert f"color-scheme: {theme}" in page
    assert "<summary>How this was computed</summary>" in page


def test_a_missing_browser_is_named(tmp_path: Path) -> None:
    done = render(COMMENT, tmp_path / "out.png", path=str(tmp_path))

    assert done.returncode == 2
    assert done.stderr == (
        "scripts/render: error: chromium is missing: install it"
        " (on Debian: apt-get install chromium)\n"
    )


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    done = render(tmp_path / "no.md", tmp_path / "out.html")

    assert done.returncode == 2
    assert done.stderr.startswith(f"scripts/render: error: cannot read {tmp_path}/no.md: ")
    assert "Traceback" not in done.stderr
