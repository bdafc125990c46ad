"""What people type, and the two lock files that it installs."""

from __future__ import annotations

import itertools
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from telltale.launcher.installer import base_python

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "scripts"
LOCKS = (
    ROOT / "bot/requirements.txt",
    *sorted(ROOT.glob("bot/extras/*.txt")),
    ROOT / "tests/requirements.txt",
)


def run(*command: str | Path, path: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        env={"PATH": path},
        cwd=cwd,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )


def useless_python(folder: Path, version: str) -> None:
    """Put a python3 into `folder` that is old, or that says nothing as a shim does."""
    path = folder / "python3"
    path.write_text(
        f'#!/bin/sh\ntest "$1" = --version && echo {version} && exit\nexit 1\n'
        if version
        else "#!/bin/sh\necho 'pyenv: python3: command not found' >&2\nexit 127\n",
        encoding="utf-8",
    )
    path.chmod(0o755)


class TestAnyPython:
    """What scripts/any-python starts."""

    PROGRAM = ("-c", "import sys; print(sys.version_info[:2], sys.argv[1:])", "a b")

    def expect(self, result: subprocess.CompletedProcess[str]) -> None:
        assert result.stdout == f"{sys.version_info[:2]} ['a b']\n"

    @pytest.mark.parametrize("name", ["python3", "python3.10", "python3.14", "python3.19"])
    def test_it_takes_whichever_is_there(self, tmp_path: Path, name: str) -> None:
        (tmp_path / name).symlink_to(base_python())
        self.expect(run(SCRIPTS / "any-python", *self.PROGRAM, path=str(tmp_path)))

    @pytest.mark.parametrize("version", ["Python 3.9.2", ""], ids=["old", "shim"])
    def test_it_passes_by_a_useless_one(self, tmp_path: Path, version: str) -> None:
        useless_python(tmp_path, version)
        (tmp_path / "python3.11").symlink_to(base_python())
        self.expect(run(SCRIPTS / "any-python", *self.PROGRAM, path=str(tmp_path)))

    @pytest.mark.parametrize("version", ["Python 3.9.2", ""], ids=["old", "shim"])
    def test_it_says_what_is_needed(self, tmp_path: Path, version: str) -> None:
        useless_python(tmp_path, version)
        result = run(SCRIPTS / "any-python", "-c", "", path=str(tmp_path))
        assert result.returncode == 2
        (line,) = result.stderr.splitlines()
        assert line.startswith(
            f"telltale: error: Python 3.10 or newer is needed, found {version or 'no python3'} and"
        )


def test_telltale_runs_from_anywhere_and_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "a link").symlink_to(SCRIPTS / "telltale")
    result = run(tmp_path / "a link", "--version", path=os.environ["PATH"], cwd=tmp_path)
    assert (result.returncode, result.stdout.split()[0]) == (0, "telltale")


@pytest.mark.parametrize(
    "path", sorted([*SCRIPTS.iterdir(), ROOT / ".ci" / "run"]), ids=lambda path: path.name
)
def test_a_script_is_executable_and_says_what_it_is_for(path: Path) -> None:
    first, second = path.read_text(encoding="utf-8").splitlines()[:2]
    assert os.access(path, os.X_OK)
    assert re.match(r"#!/(bin/sh|bin/bash|usr/bin/env python3)$", first)
    assert second.startswith(("# ", '"""'))


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: f"{path.parent.name}-{path.stem}")
class TestLock:
    def test_every_package_has_hashes_and_no_address(self, lock: Path) -> None:
        for name, block in packages(lock).items():
            assert re.search(r"--hash=sha256:[0-9a-f]{64}", block), name
            assert "://" not in block
            assert "@" not in block

    def test_there_is_no_option_line(self, lock: Path) -> None:
        lines = lock.read_text(encoding="utf-8").splitlines()
        assert not [line for line in lines if line.startswith("-")]

    def test_it_holds_everything_that_is_asked_for(self, lock: Path) -> None:
        asked = {
            re.split(r"[\[ ;#]", line)[0].strip().lower().replace("_", "-")
            for line in lock.with_suffix(".in").read_text(encoding="utf-8").splitlines()
            if line.strip() and not line.startswith(("#", "-"))
        }
        assert asked <= {name.partition("==")[0] for name in packages(lock)}


def test_the_tests_run_with_the_packages_that_users_get() -> None:
    *bot, tests = (packages(lock) for lock in LOCKS)
    assert all(lock.keys() <= tests.keys() for lock in bot)


def test_what_may_be_in_one_environment_is_of_one_version() -> None:
    *bot, _ = (packages(lock) for lock in LOCKS)
    for one, other in itertools.combinations(bot, 2):
        names = {name.partition("==")[0] for name in one}
        shared = {name for name in other if name.partition("==")[0] in names}
        assert shared <= one.keys()


def packages(lock: Path) -> dict[str, str]:
    """Return the block of each `name==version` of a lock file."""
    blocks = re.split(r"^(?=[a-z0-9])", lock.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    return {block.split()[0]: block for block in blocks}
