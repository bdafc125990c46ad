"""The probe's bytecode is kept outside the checkout, and only what nobody else could have written is run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from telltale.capture import probing
from tests.unit.pytests import Project

LOAD = """
import os, sys
sys.path.append(FOLDER)
compiled = []
def hook(event, args):
    if event == "compile" and args[1] is not None:
        compiled.append(os.path.basename(os.fsdecode(args[1])))
sys.addaudithook(hook)
import telltale_load
modules = [name for name in ("telltale_leaks", "telltale_probe") if name + ".py" in compiled]
print(telltale_load.probe.pytest_configure.__name__, *modules)
"""


def load(shelf: Path | None, folder: Path = probing.FOLDER) -> list[str]:
    """Return which modules were compiled in a new process."""
    settings = {"folder": "/nowhere", **({} if shelf is None else {"shelf": str(shelf)})}
    done = subprocess.run(
        [sys.executable, "-c", LOAD.replace("FOLDER", repr(str(folder)))],
        env={"PATH": os.environ["PATH"], probing.SETTINGS: json.dumps(settings)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    works, *compiled = done.stdout.split()
    assert works == "pytest_configure"
    return compiled


BOTH = ["telltale_leaks", "telltale_probe"]


def test_it_is_compiled_once(tmp_path: Path) -> None:
    shelf = tmp_path / "shelf"
    assert load(shelf) == BOTH
    kept = sorted(each.name for each in shelf.iterdir())
    assert len(kept) == 2
    assert load(shelf) == []
    assert sorted(each.name for each in shelf.iterdir()) == kept


def test_a_source_that_changed_is_compiled_again(tmp_path: Path) -> None:
    shelf, folder = tmp_path / "shelf", tmp_path / "probe"
    folder.mkdir()
    for each in probing.FOLDER.glob("*.py"):
        (folder / each.name).write_bytes(each.read_bytes())
    assert load(shelf, folder) == BOTH
    with (folder / "telltale_probe.py").open("a", encoding="utf-8") as file:
        file.write("#\n")
    assert load(shelf, folder) == ["telltale_probe"]
    assert load(shelf, folder) == []


def test_without_a_place_it_is_compiled_each_time(tmp_path: Path) -> None:
    assert load(None) == BOTH
    assert load(tmp_path / "no" / "parent") == BOTH
    (tmp_path / "file").touch()
    assert load(tmp_path / "file") == BOTH
    (tmp_path / "link").symlink_to(tmp_path)
    assert load(tmp_path / "link") == BOTH


@pytest.mark.parametrize("mode", [0o770, 0o707])
def test_a_folder_that_others_may_write_is_not_used(tmp_path: Path, mode: int) -> None:
    shelf = tmp_path / "shelf"
    assert load(shelf) == BOTH
    shelf.chmod(mode)
    assert load(shelf) == BOTH


def test_a_file_that_others_may_write_is_not_used(tmp_path: Path) -> None:
    shelf = tmp_path / "shelf"
    load(shelf)
    for each in shelf.iterdir():
        each.chmod(0o666)
    assert load(shelf) == BOTH
    assert load(shelf) == []  # written anew


@pytest.mark.parametrize("at", [0, 8, 20, -1])
def test_a_damaged_file_is_written_again(tmp_path: Path, at: int) -> None:
    shelf = tmp_path / "shelf"
    load(shelf)
    for each in shelf.iterdir():
        data = bytearray(each.read_bytes())
        data[at] ^= 1
        each.write_bytes(data)
    assert load(shelf) == BOTH
    assert load(shelf) == []


def test_the_place_is_where_telltale_keeps_its_own(tmp_path: Path) -> None:
    environ = probing.environ({"RUNNER_TOOL_CACHE": str(tmp_path)}, ("pytest",), Path("/out"))
    assert json.loads(environ[probing.SETTINGS])["shelf"] == f"{tmp_path}/telltale/bytecode"
    assert (tmp_path / "telltale").is_dir()


def test_workers_of_xdist_use_it_too(tmp_path: Path) -> None:
    shelf = tmp_path / "tools/telltale/bytecode"
    (tmp_path / "project").mkdir()
    project = Project(tmp_path / "project")
    project.write(
        conftest=f"""
import os, shutil
def pytest_configure(config):
    if not hasattr(config, "workerinput"):
        shutil.rmtree({str(shelf)!r})
""",
        test_a="""
import os
def test_a():
    assert not [name for name in os.environ if name.startswith("TELLTALE")]
""",
    )
    ran = project.pytest("-n1", extra={"RUNNER_TOOL_CACHE": str(tmp_path / "tools")})
    assert ran.outcomes == {"test_a.py::test_a": "passed"}, ran.out
    assert len(list(shelf.iterdir())) == 2
