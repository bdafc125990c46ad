"""Compiled modules that are kept between starts: real checkouts, real starts."""

from __future__ import annotations

import marshal
import os
import shutil
import subprocess
from dataclasses import dataclass
from importlib.util import source_hash
from pathlib import Path
from types import CodeType

import pytest

from telltale.launcher import installer

ROOT = Path(__file__).parents[2]
Modules = dict[str, tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkout:
    folder: Path
    environ: dict[str, str]

    @property
    def kept(self) -> Path:
        return Path(self.environ["HOME"], ".cache/telltale/bytecode")

    @property
    def module(self) -> Path:
        """A module that every start imports."""
        return self.folder / "telltale/cli.py"

    def start(self, *options: str, **more: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [installer.base_python(), "-IS", *options, self.folder / "run.py", "signatures"],
            env=self.environ | more,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )

    def run(self, **more: str) -> int:
        """Start it; return its exit status."""
        process = self.start(**more)
        assert process.communicate(timeout=60)[1] == b""
        return process.returncode

    def plant(self) -> Path:
        """Put code that exits with 77 in the place of the module's; return the file it is in."""
        assert self.run() == 0
        (file,) = self.kept.iterdir()
        modules: Modules = marshal.loads(file.read_bytes()[8:])  # noqa: S302  # just written
        mark, _ = modules[str(self.module)]
        code: CodeType = compile("raise SystemExit(77)", str(self.module), "exec")
        modules[str(self.module)] = (mark, marshal.dumps(code))
        content = marshal.dumps(modules)
        file.write_bytes(source_hash(content) + content)
        return file


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    folder, home = tmp_path / "bot", tmp_path / "home"
    shutil.copytree(ROOT / "bot", folder, ignore=shutil.ignore_patterns("__pycache__"))
    home.mkdir()
    return Checkout(
        folder=folder,
        environ={"HOME": str(home), "TMPDIR": str(tmp_path / "tmp"), "PATH": "/usr/bin:/bin"},
    )


def test_a_second_start_compiles_nothing(checkout: Checkout) -> None:
    file = checkout.plant()

    # What was planted in the place of the compiled module is what runs.
    assert checkout.run() == 77
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert not list(checkout.folder.rglob("*.pyc"))


def test_another_source_of_equal_time_and_size_is_compiled_again(checkout: Checkout) -> None:
    assert checkout.run() == 0
    before = checkout.module.stat()
    text = checkout.module.read_text(encoding="utf-8")
    changed = text.replace("    return status\n", "    return 70 + 5\n")
    checkout.module.write_text(changed, encoding="utf-8")
    os.utime(checkout.module, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert checkout.module.stat().st_size == before.st_size

    assert [checkout.run(), checkout.run()] == [75, 75]


def test_what_another_user_may_have_written_is_not_run(checkout: Checkout) -> None:
    file = checkout.plant()
    file.chmod(0o666)
    assert checkout.run() == 0

    # It was replaced by a file that only we could have written.
    assert file.stat().st_mode & 0o777 == 0o600
    checkout.plant()
    checkout.kept.chmod(0o777)
    assert checkout.run() == 0

    checkout.kept.chmod(0o700)
    checkout.kept.rename(checkout.kept.with_name("elsewhere"))
    checkout.kept.symlink_to("elsewhere")
    assert checkout.run() == 0


def test_a_damaged_file_is_written_again(checkout: Checkout) -> None:
    assert checkout.run() == 0
    (file,) = checkout.kept.iterdir()
    whole = file.read_bytes()

    for damaged in (b"", whole[:5], whole[:-100], whole[:-4] + b"1234"):
        file.write_bytes(damaged)
        assert checkout.run() == 0
        assert file.read_bytes() == whole


def test_without_a_folder_of_our_own_everything_is_compiled(checkout: Checkout) -> None:
    nowhere = {"HOME": os.devnull, "TMPDIR": os.devnull}

    assert checkout.run(**nowhere) == 0
    assert not checkout.kept.exists()
    # A home that is none leaves the temporary folder.
    assert checkout.run(HOME=os.devnull) == 0
    assert len(list(Path(checkout.environ["TMPDIR"]).glob("telltale-*/bytecode/*"))) == 1


def test_starts_at_the_same_moment_do_not_disturb_each_other(checkout: Checkout) -> None:
    together = [checkout.start() for _ in range(4)]

    assert {process.communicate(timeout=60)[1] for process in together} == {b""}
    assert {process.returncode for process in together} == {0}
    checkout.plant()
    assert checkout.run() == 77


def test_files_of_checkouts_that_are_gone_are_removed(checkout: Checkout) -> None:
    assert checkout.run() == 0
    old = checkout.kept / "0123456789abcdef"
    old.touch()
    os.utime(old, (0, 0))

    assert checkout.run() == 0
    assert old.exists()
    checkout.module.write_text(f"{checkout.module.read_text(encoding='utf-8')}\n", encoding="utf-8")
    assert checkout.run() == 0
    assert not old.exists()


def test_a_traceback_shows_the_source(checkout: Checkout) -> None:
    module = checkout.folder / "telltale/verbs/signatures.py"
    module.write_text("def run(invocation):\n    return invocation.oops\n", encoding="utf-8")

    for _ in range(2):
        process = checkout.start()
        printed = process.communicate(timeout=60)[1].decode()
        assert process.returncode == 70
        assert f'File "{module}", line 2, in run\n    return invocation.oops' in printed


def test_the_runner_half_reads_no_modules_of_the_bot_half(checkout: Checkout) -> None:
    assert checkout.run() == 0
    (runner,) = checkout.kept.iterdir()
    before = runner.read_bytes()

    bot = checkout.start("-X", "telltale")
    assert (bot.communicate(timeout=60)[1], bot.returncode) == (b"", 0)

    assert len(list(checkout.kept.iterdir())) == 2
    assert runner.read_bytes() == before
