"""What a Python answered before is believed as long as nothing has changed: real ones, real files."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
import venv
from collections.abc import Callable
from pathlib import Path

import pytest

from telltale.capture import interpreter
from telltale.capture.interpreter import Interpreter


class Place:
    """A virtual environment whose Python writes its process id when it starts."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.env = root / "env"
        venv.create(self.env, symlinks=True, with_pip=False)
        self.python = self.env / "bin/python"
        (self.site,) = self.env.glob("lib/python3*/site-packages")
        self.starts = root / "starts"
        self.environ = {"PATH": os.defpath, "HOME": str(root)}
        say = f"import os; open({str(self.starts)!r}, 'a').write(f'{{os.getpid()}} ')\n"
        self.write("a.pth", say)
        self.write("b.pth", f"import os; os.environ.get('SEEN')\n{root}/later\n")
        self.write("one-1.0.dist-info/METADATA", "Name: one\nVersion: 1.0\n")

    def write(self, name: str, text: str) -> None:
        path = self.site / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "ascii")

    @property
    def count(self) -> int:
        return len(set(self.starts.read_text("ascii").split())) if self.starts.exists() else 0

    @property
    def kept(self) -> Path:
        return self.root / ".cache/telltale/pythons"

    def ask(
        self, *, later_s: float = 60.0, cwd: str = "/", path: Path | None = None
    ) -> Interpreter:
        """Ask, at a time when what was written just now is old."""
        return interpreter.ask(
            str(path or self.python),
            Path(cwd),
            self.environ,
            ours={"HOME": str(self.root)},
            clock=lambda: time.time() + later_s,
        )


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_it_is_asked_once_and_its_answer_stays_the_same(place: Place) -> None:
    first = place.ask()

    assert [place.ask() for _ in range(3)] == [first] * 3
    assert place.count == 1
    assert first.packages == {"one": "1.0"}


def edited(place: Place) -> None:
    place.write("one-1.0.dist-info/METADATA", "Name: one\nVersion: 2.0\n")


def installed(place: Place) -> None:
    place.write("two-1.0.dist-info/METADATA", "Name: two\nVersion: 1.0\n")


def removed(place: Place) -> None:
    shutil.rmtree(place.site / "one-1.0.dist-info")


def came_from_elsewhere(place: Place) -> None:
    place.write("one-1.0.dist-info/direct_url.json", '{"url": "file:///one"}')


def a_path_more(place: Place) -> None:
    place.write("b.pth", f"{place.root}\n")


def a_named_path_appears(place: Place) -> None:
    (place.root / "later").mkdir()


def other_settings(place: Place) -> None:
    with (place.env / "pyvenv.cfg").open("a", encoding="ascii") as file:
        file.write("extra = 1\n")


def a_user_site_appears(place: Place) -> None:
    shutil.copytree(place.site / "one-1.0.dist-info", place.root / "here/one-1.0.dist-info")
    minor = f"python3.{sys.version_info.minor}"
    (place.root / ".local/lib" / minor / "site-packages").mkdir(parents=True)


def another_python(place: Place) -> None:
    real = place.python.resolve()
    place.python.unlink()
    place.python.symlink_to(shutil.copy2(real, place.root / "python3"))


def a_variable_of_python(place: Place) -> None:
    place.environ["PYTHONPATH"] = "/somewhere"


def a_variable_of_a_start_up_file(place: Place) -> None:
    place.environ["SEEN"] = "1"


def a_conda_package(place: Place) -> None:
    (place.env / "conda-meta").mkdir()


@pytest.mark.parametrize(
    "change",
    [
        edited,
        installed,
        removed,
        came_from_elsewhere,
        a_path_more,
        a_named_path_appears,
        other_settings,
        a_user_site_appears,
        another_python,
        a_variable_of_python,
        a_variable_of_a_start_up_file,
        a_conda_package,
    ],
)
def test_it_is_asked_again_after_a_change(place: Place, change: Callable[[Place], None]) -> None:
    place.ask()
    change(place)

    fresh = place.ask()

    assert place.count == 2
    assert place.ask() == fresh
    assert place.count == 2


def test_it_is_asked_in_each_folder(place: Place) -> None:
    place.ask()
    place.ask(cwd="/tmp")  # noqa: S108

    assert place.count == 2


def test_what_changed_just_now_is_not_kept(place: Place) -> None:
    place.ask(later_s=0.0)
    place.ask(later_s=0.0)

    assert place.count == 2
    assert not place.kept.exists() or not list(place.kept.iterdir())


@pytest.mark.parametrize(
    "text", ["import sys; sys.path.append('/x')", "import site; site.addsitedir('/x')"]
)
def test_start_up_files_that_make_a_path_are_not_understood(place: Place, text: str) -> None:
    place.write("c.pth", text + "\n")
    place.ask()
    place.ask()

    assert place.count == 2


def test_a_start_up_module_of_somebody_is_not_understood(place: Place) -> None:
    place.write("sitecustomize.py", "import site\n")
    place.ask()
    place.ask()
    assert place.count == 2

    place.write(
        "sitecustomize.py", "try:\n    import apport_python_hook\nexcept ImportError: pass\n"
    )
    place.ask()
    place.ask()
    assert place.count == 3


def test_a_script_that_chooses_a_python_is_asked_each_time(place: Place) -> None:
    shim = place.root / "python3"
    shim.write_text(f'#!/bin/sh\nexec {place.python} "$@"\n', "ascii")
    shim.chmod(0o755)
    place.ask(path=shim)
    place.ask(path=shim)

    assert place.count == 2


def lie(text: str) -> str:
    held = json.loads(text)
    held["answer"]["packages"] = {"evil": "1"}
    return json.dumps(held)


@pytest.mark.parametrize("what", ["folder", "file", "link", "cut", "list", "keys"])
def test_what_somebody_else_may_have_written_is_not_read(place: Place, what: str) -> None:
    place.ask()
    (file,) = place.kept.iterdir()
    truth = file.read_text("ascii")
    file.write_text(
        {"cut": truth[:-9], "list": "[]", "keys": '{"asked": 1}'}.get(what, lie(truth)), "ascii"
    )
    if what == "folder":
        place.kept.chmod(0o777)
    elif what == "file":
        file.chmod(0o666)
    elif what == "link":
        file.rename(place.root / "elsewhere")
        file.symlink_to(place.root / "elsewhere")

    assert place.ask().packages == {"one": "1.0"}
    assert place.count == 2
