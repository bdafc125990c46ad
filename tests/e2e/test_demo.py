"""The command of the README that shows the whole flow, as a newcomer runs it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.support import ROOT, assert_valid_bundle

pytestmark = pytest.mark.e2e


def checkout() -> str:
    """Say what git sees of the checkout, ignored files included."""
    command = ["git", "-C", str(ROOT), "status", "--porcelain", "--ignored"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_the_demo_shows_the_whole_flow_and_leaves_the_checkout_clean(tmp_path: Path) -> None:
    before = checkout()
    out = tmp_path / "a demo"
    done = subprocess.run(
        [ROOT / "scripts/demo", "--out", out], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert checkout() == before

    assert {"comment.md", "report.html", "issues", "scaffolds"} <= {
        path.name for path in (out / "report").iterdir()
    }
    comment = (out / "report/comment.md").read_text(encoding="utf-8")
    assert "test_prices_are_in_euro" in comment
    assert "test_tags_keep_their_order" in comment
    # Both scaffolds ran, of the flake and of the test that fails after another.
    assert done.stdout.count("exit status 1: reproduced with the same signature") == 2

    outcomes = {
        folder.parent.name: assert_valid_bundle(folder).outcome.value
        for folder in sorted((out / "bundles").glob("*/*"))
    }
    assert outcomes["itsdangerous"] == "passed"
    assert outcomes["killed"] == "crashed"
