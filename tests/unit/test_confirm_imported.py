"""Which code a run imported, told from the files of its modules."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from telltale.capture.confirm import imported

HEAD, BASE = Path("/work/head"), Path("/tmp/base/tree")  # noqa: S108  # never made
MODULES = {
    "pkg": "/work/head/src/pkg/__init__.py",
    "pkg.sub.part": "/work/head/src/pkg/sub/part.py",
    "space.part": "/work/head/lib/space/part.cpython-311-x86_64-linux-gnu.so",
    "one": "/work/head/one.py",
    "six": "/work/head/.venv/lib/python3.11/site-packages/six.py",
    "__main__": "/work/head/run.py",
    "os": "/usr/lib/python3.11/os.py",
}


def test_the_folders_of_a_checkouts_modules_are_where_they_are_imported_from() -> None:
    found = imported.inside(MODULES, HEAD)

    assert set(found) == {"pkg", "pkg.sub.part", "space.part", "one", "__main__"}
    assert imported.roots(found) == (HEAD / "src", HEAD / "lib", HEAD)
    assert imported.inside(MODULES, BASE) == {}
    assert imported.inside({"pkg": "/work/header/pkg.py"}, HEAD) == {}


def test_a_package_of_the_project_that_lies_elsewhere_is_installed() -> None:
    installed = {"pkg": "/usr/lib/python3/dist-packages/pkg/__init__.py"}

    assert imported.installed(installed, frozenset({"pkg"}), BASE) == installed["pkg"]
    assert imported.installed(installed, frozenset({"other"}), BASE) == ""
    assert imported.installed({"pkg": f"{BASE}/pkg/__init__.py"}, frozenset({"pkg"}), BASE) == ""
    # A virtual environment in the checkout is an installation too.
    inside = {"six": MODULES["six"]}
    assert imported.installed(inside, frozenset({"six"}), HEAD) == MODULES["six"]


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 100_000, '{"a": 1}', "\xff"])
def test_what_tests_may_have_written_is_no_modules(text: str, tmp_path: Path) -> None:
    (tmp_path / "modules").write_text(text, encoding="latin-1")

    assert imported.read(tmp_path / "modules") == {}
    assert imported.read(tmp_path / "absent") == {}


def test_what_the_plugin_wrote_is_read(tmp_path: Path) -> None:
    (tmp_path / "modules").write_text(json.dumps(MODULES), encoding="utf-8")

    assert imported.read(tmp_path / "modules") == MODULES
