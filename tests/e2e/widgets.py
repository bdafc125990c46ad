"""The small project under test: prices, a stock in memory, and a delivery that depends on the weather."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.github import WORKFLOWS

EXAMPLES = Path(__file__).parents[2] / "examples/workflows"

TESTS = """
import os

import widgets


def test_price():
    assert widgets.price(3) == 6


def test_stock():
    assert len(widgets.stock()) == widgets.SHELVES << 20


def test_delivery():
    weather = os.environ.get("WEATHER", "fair")
    assert weather == "fair", f"the parcel got wet at 0x{id(weather):x}"
"""

PYPROJECT = """
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"

[project]
name = "widgets"
version = "1"

[tool.setuptools]
py-modules = ["widgets"]
"""

FAIR: dict[str, str] = {}
STORM = {"WEATHER": "storm"}
"""Variables of the runner under which test_delivery fails, and nothing else does."""


def sources(*, shelves: int = 1, each: int = 2) -> dict[str, str]:
    """Write the project; its stock takes `shelves` MiB of memory, a widget costs `each`."""
    module = f"""
SHELVES = {shelves}


def price(number):
    return {each} * number


def stock():
    return b"w" * (SHELVES << 20)
"""
    return {
        "widgets.py": module,
        "test_widgets.py": TESTS,
        "pyproject.toml": PYPROJECT,
        ".gitignore": "junit.xml\n",
    }


def workflows(example: str) -> dict[str, str]:
    """
    Read the workflows of examples/workflows/EXAMPLE, to be copied to a repository.

    Without the step that installs the project into a new environment: the
    runner's Python has pytest, and one leg of a matrix is enough.
    """
    place = EXAMPLES / example
    files = sorted(place.glob("*.yml")) if place.is_dir() else [place]
    found = {}
    for file in files:
        text = file.read_text(encoding="utf-8")
        kept = [line for line in text.splitlines() if "-m venv" not in line]
        text = "\n".join(kept).replace(".venv/bin/python", "python3")
        found[f"{WORKFLOWS}/{file.name}"] = text.replace('["3.11", "3.13"]', '["3"]')
    return found
