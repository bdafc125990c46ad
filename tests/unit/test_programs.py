"""Programs are found in a PATH as `shutil.which` finds them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from telltale.capture.programs import which


@pytest.mark.parametrize("name", ["tool", "plain", "folder", "missing", "sub/tool", "link", "gone"])
@pytest.mark.parametrize("order", ["ab", "ba", "a", "", "x:", ":ab"])
def test_it_finds_what_shutil_finds(
    name: str, order: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for place in ("a", "b", "sub"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "plain").write_text("", "ascii")
    for path in (tmp_path / "b/tool", tmp_path / "sub/tool"):
        path.write_text("", "ascii")
        path.chmod(0o755)
    (tmp_path / "a/folder").mkdir()
    (tmp_path / "a/link").symlink_to(tmp_path / "b/tool")
    (tmp_path / "a/gone").symlink_to(tmp_path / "nowhere")
    places = ":".join(str(tmp_path / each) if each.isalpha() else each for each in order)

    assert which(name, places) == shutil.which(name, path=places)


def test_it_finds_a_shell() -> None:
    assert which("sh", "/usr/bin:/bin") == shutil.which("sh", path="/usr/bin:/bin")
