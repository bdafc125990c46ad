"""What the end-to-end tests share: the stand-ins, the repository under test, a scratch GitHub."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.e2e import stand_ins


@pytest.fixture(scope="session")
def foreign_actions(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """Build the stand-ins of actions/checkout and actions/upload-artifact."""
    return stand_ins.build(tmp_path_factory.mktemp("stand-ins"))


@pytest.fixture(scope="session")
def telltale(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make octo/telltale@v1: the working tree as a commit would hold it."""
    return stand_ins.telltale_as_downloaded(tmp_path_factory.mktemp("telltale"))
