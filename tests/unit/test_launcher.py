"""
The launcher for real: virtual environments, uv and pip, processes and locks.

Nothing is fetched: the one package is a wheel that the test makes, and
TELLTALE_WHEELS names its folder.
"""

from __future__ import annotations

import ast
import base64
import hashlib
import json
import os
import signal
import stat
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telltale.errors import SetupError, UsageError
from telltale.launcher import environment, installer, make, sources

ROOT = Path(__file__).parents[2]
RUN = ROOT / "bot" / "run.py"
UV = Path(sys.prefix) / "bin" / "uv"
PYTHON = installer.base_python()

PROGRAM = f"""\
import json, os, sys
sys.dont_write_bytecode = True
sys.path.insert(0, {str(ROOT / "bot")!r})
from telltale import launcher
if not launcher.inside():
    launcher.enter(os.path.realpath(__file__), sys.argv[1:], os.environ)
import telltale_probe
json.dump(
    {{"prefix": sys.prefix, "argv": sys.argv[1:], "environ": dict(os.environ), "path": sys.path,
      "probe": telltale_probe.__file__}},
    sys.stdout,
)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkout:
    """A program with its lock file, and a machine that has only what `environ` says."""

    folder: Path
    environ: dict[str, str]
    home: Path
    wheels: Path
    programs: Path
    """The only folder in PATH, beside the system's own."""

    @property
    def requirements(self) -> Path:
        return self.folder / "requirements.txt"

    @property
    def shelf(self) -> Path:
        return self.home / ".cache" / "telltale"

    def start(self, *argv: str, **more: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [PYTHON, "-IS", self.folder / "program.py", *argv],
            env=self.environ | more,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            start_new_session=True,
        )

    def run(self, *argv: str, **more: str) -> Started:
        return Started.of(self.start(*argv, **more))


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """What a program that ran to its end said."""

    status: int
    stderr: str
    said: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, process: subprocess.Popen[str]) -> Started:
        out, err = process.communicate(timeout=120)
        return cls(status=process.returncode, stderr=err, said=json.loads(out) if out else {})


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    folder = tmp_path / "a check out"
    wheels = tmp_path / "all wheels"
    home = tmp_path / "home"
    programs = tmp_path / "programs"
    for path in (folder, wheels, home, programs):
        path.mkdir()
    (programs / "uv").symlink_to(UV)
    digest = make_wheel(wheels)
    (folder / "program.py").write_text(PROGRAM, encoding="utf-8")
    (folder / "requirements.txt").write_text(
        f"telltale-probe==1.0 --hash=sha256:{digest}\n", encoding="utf-8"
    )
    return Checkout(
        folder=folder,
        home=home,
        wheels=wheels,
        programs=programs,
        environ={
            "HOME": str(home),
            "PATH": f"{programs}:/usr/bin:/bin",
            "TELLTALE_WHEELS": str(wheels),
            "LC_ALL": "C.UTF-8",
        },
    )


def make_wheel(folder: Path, module: str = "telltale_probe") -> str:
    """Write a wheel of one module; return its SHA-256 in hex."""
    info, name = f"{module}-1.0.dist-info", module.replace("_", "-")
    files = {
        f"{module}.py": "",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\n"
        "Tag: py3-none-any\n",
    }
    record = [f"{info}/RECORD,,"]
    for path_in, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode()
        record.append(f"{path_in},sha256={digest.rstrip('=')},{len(text.encode())}")
    path = folder / f"{module}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for path_in, text in {**files, f"{info}/RECORD": "\n".join(record) + "\n"}.items():
            wheel.writestr(path_in, text)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def only(folder: Path) -> Path:
    """Return the one thing in a folder."""
    (path,) = folder.iterdir()
    return path


class TestEnter:
    def test_first_time_makes_it_and_says_so_then_never_again(self, checkout: Checkout) -> None:
        first = checkout.run("--x", "a b")
        second = checkout.run("--x", "a b")

        folder = only(checkout.shelf)
        assert first.stderr == f"making Telltale's environment, once per version: {folder}\n"
        assert second.stderr == ""
        assert first.said == second.said
        assert first.said["prefix"] == str(folder)
        assert first.said["argv"] == ["--x", "a b"]

    def test_the_environment_variables_stay_as_they_are(self, checkout: Checkout) -> None:
        more = {
            "PYTHONPATH": "/nowhere",
            "PYTHONHOME": "/nowhere",
            "PIP_USER": "1",
            "ODD": "\udcff",
        }

        said = checkout.run(**more).said

        assert said["environ"] == checkout.environ | more
        assert "/nowhere" not in said["path"]
        assert str(checkout.folder) not in said["path"]

    def test_the_checkout_is_not_written(self, checkout: Checkout) -> None:
        before = sorted(checkout.folder.rglob("*"))
        assert checkout.run().status == 0
        assert sorted(checkout.folder.rglob("*")) == before

    def test_pip_does_it_where_uv_is_only_a_shim(self, checkout: Checkout) -> None:
        write_script(checkout.programs / "uv", "echo 'pyenv: uv: command not found' >&2; exit 127")

        result = checkout.run(
            PIP_TARGET="/nowhere", PIP_USER="1", PIP_REQUIRE_VIRTUALENV="1", PIP_NO_BINARY=":all:"
        )

        assert result.said["probe"].startswith(result.said["prefix"])
        log = (only(checkout.shelf) / environment.LOG).read_text(encoding="utf-8")
        assert "-m pip install" in log

    def test_another_lock_file_is_another_environment(self, checkout: Checkout) -> None:
        checkout.run()
        with checkout.requirements.open("a", encoding="utf-8") as file:
            file.write("# changed\n")
        checkout.run()
        assert len(list(checkout.shelf.iterdir())) == 2

    @pytest.mark.parametrize("tool", ["uv", "pip"])
    def test_an_extra_is_another_environment_with_more_in_it(
        self, checkout: Checkout, tool: str
    ) -> None:
        if tool == "pip":
            (checkout.programs / "uv").unlink()
        digest = make_wheel(checkout.wheels, "telltale_extra")
        base = checkout.requirements.read_text(encoding="utf-8")
        extra = checkout.folder / "extra.txt"
        # What both need stands in both, as in the lists of this project.
        extra.write_text(f"{base}telltale-extra==1.0 --hash=sha256:{digest}\n", encoding="utf-8")

        plain = environment.find_or_make(checkout.requirements, checkout.environ)
        more = environment.find_or_make(checkout.requirements, checkout.environ, [extra])

        assert plain != more
        assert environment.find_or_make(checkout.requirements, checkout.environ, [extra]) == more
        assert environment.find_or_make(checkout.requirements, checkout.environ) == plain
        assert {path.name for path in plain.rglob("telltale_*.py")} == {"telltale_probe.py"}
        assert {path.name for path in more.rglob("telltale_*.py")} == {
            "telltale_probe.py",
            "telltale_extra.py",
        }

    def test_an_extra_that_is_not_in_the_checkout(self, checkout: Checkout) -> None:
        missing = checkout.folder / "extras" / "s3.txt"
        with pytest.raises(SetupError, match=f"cannot read {missing}: No such file"):
            environment.find_or_make(checkout.requirements, checkout.environ, [missing])

    def test_it_is_made_again_when_its_python_is_gone(self, checkout: Checkout) -> None:
        checkout.run()
        python = only(checkout.shelf) / "bin" / "python"
        python.unlink()
        python.symlink_to("/nowhere/python3")

        again = checkout.run()

        assert again.status == 0
        assert again.stderr.startswith("making ")


def write_script(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)


class TestPlace:
    def test_the_tool_cache_of_the_runner_comes_first(
        self, checkout: Checkout, tmp_path: Path
    ) -> None:
        said = checkout.run(RUNNER_TOOL_CACHE=str(tmp_path / "tools")).said
        assert Path(said["prefix"]).parent == tmp_path / "tools" / "telltale"

    @pytest.mark.parametrize("home", ["/proc", "/nonexistent", "", "relative"])
    def test_without_a_usable_home_it_is_private_in_the_temporary_folder(
        self, checkout: Checkout, tmp_path: Path, home: str
    ) -> None:
        said = checkout.run(HOME=home, TMPDIR=str(tmp_path)).said
        shelf = tmp_path / f"telltale-{os.getuid()}"
        assert Path(said["prefix"]).parent == shelf
        assert not Path("/nonexistent").exists()
        assert stat.S_IMODE(shelf.stat().st_mode) == 0o700

    @pytest.mark.parametrize("trap", ["writable-by-all", "symlink", "file"])
    def test_a_folder_that_others_could_fill_is_never_run(
        self, checkout: Checkout, tmp_path: Path, trap: str
    ) -> None:
        folder = environment.find_or_make(checkout.requirements, checkout.environ)
        shelf = tmp_path / f"telltale-{os.getuid()}"
        if trap == "symlink":
            shelf.symlink_to(folder.parent)
        elif trap == "file":
            shelf.touch()
        else:
            folder.parent.rename(shelf)
            shelf.chmod(0o777)

        with pytest.raises(SetupError, match=f"cannot write .*{shelf}.* set XDG_CACHE_HOME"):
            environment.find_or_make(checkout.requirements, {"TMPDIR": str(tmp_path)})

    def test_a_complete_one_is_used_though_it_is_not_in_the_best_place(
        self, checkout: Checkout, tmp_path: Path
    ) -> None:
        made = environment.find_or_make(checkout.requirements, checkout.environ)
        better = checkout.environ | {"RUNNER_TOOL_CACHE": str(tmp_path / "tools")}
        assert environment.find_or_make(checkout.requirements, better) == made


class TestTwoAtOnce:
    def test_one_makes_it_and_all_use_it(self, checkout: Checkout) -> None:
        results = [Started.of(process) for process in [checkout.start() for _ in range(4)]]

        assert [result.status for result in results] == [0] * 4
        assert "".join(result.stderr for result in results).count("making ") == 1
        assert {result.said["prefix"] for result in results} == {str(only(checkout.shelf))}

    def test_a_killed_launcher_leaves_nothing_behind(self, checkout: Checkout, gate: Gate) -> None:
        """The installer of the killed one still writes: the next one waits for it, then redoes."""
        killed = checkout.start(GATE=str(gate.folder))
        gate.wait_for_first()
        killed.kill()
        assert killed.wait(timeout=60) == -signal.SIGKILL
        half = only(checkout.shelf) / "half-written"
        assert half.exists()

        second = checkout.start(GATE=str(gate.folder))
        assert second.stderr is not None
        waiting = second.stderr.readline()
        gate.let_first_end()
        result = Started.of(second)
        killed.communicate()

        assert waiting.startswith("waiting for another process")
        assert result.stderr.startswith("making ")
        assert result.status == 0
        assert not half.exists()

    def test_when_everything_is_killed_the_next_one_redoes(
        self, checkout: Checkout, gate: Gate
    ) -> None:
        killed = checkout.start(GATE=str(gate.folder))
        gate.wait_for_first()
        os.killpg(killed.pid, signal.SIGKILL)
        killed.communicate()

        result = checkout.run(GATE=str(gate.folder))

        assert result.stderr.startswith("making ")
        assert result.status == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """A uv that stops half-way the first time it installs, and waits to be told to fail."""

    folder: Path

    def wait_for_first(self) -> None:
        (self.folder / "started").read_text(encoding="utf-8")

    def let_first_end(self) -> None:
        (self.folder / "go").write_text("", encoding="utf-8")


@pytest.fixture
def gate(checkout: Checkout, tmp_path: Path) -> Gate:
    folder = tmp_path / "gate"
    folder.mkdir()
    os.mkfifo(folder / "started")
    os.mkfifo(folder / "go")
    write_script(
        checkout.programs / "uv",
        'if [ "$1" = pip ] && mkdir "$GATE/first" 2>/dev/null; then\n'
        '  echo half > half-written; echo > "$GATE/started"; read -r _ < "$GATE/go"; exit 1\n'
        "fi\n"
        f'exec "{UV}" "$@"',
    )
    return Gate(folder=folder)


class TestMakeIn:
    def test_it_is_made_once_and_again_for_another_lock_file(self, checkout: Checkout) -> None:
        folder = checkout.folder / ".venv"
        environment.make_in(folder, checkout.requirements, checkout.environ)
        (folder / "left-over").touch()
        environment.make_in(folder, checkout.requirements, checkout.environ)
        assert (folder / "left-over").exists()

        with checkout.requirements.open("a", encoding="utf-8") as file:
            file.write("# changed\n")
        environment.make_in(folder, checkout.requirements, checkout.environ)
        assert not (folder / "left-over").exists()
        subprocess.run([folder / "bin" / "python", "-c", "import telltale_probe"], check=True)

    def test_a_folder_of_somebody_else_is_left_alone(self, checkout: Checkout) -> None:
        folder = checkout.folder / ".venv"
        folder.mkdir()
        (folder / "precious").touch()
        with pytest.raises(SetupError, match=r"was not made by Telltale.*move it away"):
            environment.make_in(folder, checkout.requirements, checkout.environ)
        assert only(folder).name == "precious"

    def test_a_place_that_cannot_be_is_one_line(self, checkout: Checkout) -> None:
        with pytest.raises(SetupError, match="cannot make Telltale's environment in /proc/nope"):
            environment.make_in(Path("/proc/nope"), checkout.requirements, checkout.environ)

    def test_a_missing_lock_file_is_one_line(self, checkout: Checkout) -> None:
        with pytest.raises(SetupError, match=r"cannot read /nope\.txt: No such file"):
            environment.make_in(checkout.folder, Path("/nope.txt"), checkout.environ)

    def test_anything_but_two_arguments_is_a_mistake(self) -> None:
        with pytest.raises(UsageError, match="two arguments"):
            make(["requirements.txt"], {})


class TestFailure:
    @pytest.mark.parametrize("tool", ["uv", "pip"])
    def test_a_wheel_folder_that_lacks_something_says_how_to_fill_it(
        self, checkout: Checkout, tool: str
    ) -> None:
        only(checkout.wheels).unlink()
        if tool == "pip":
            (checkout.programs / "uv").unlink()

        with pytest.raises(SetupError) as caught:
            environment.find_or_make(checkout.requirements, checkout.environ)

        message = str(caught.value)
        assert "\n" not in message
        assert message.startswith(f"TELLTALE_WHEELS: {checkout.wheels} lacks something")
        assert f"-r '{checkout.requirements}' -d FOLDER" in message
        assert "telltale-probe" in message
        log = Path(message.rpartition(": ")[2])
        assert "telltale-probe" in log.read_text(encoding="utf-8")

    def test_a_wheel_with_another_hash_is_refused(self, checkout: Checkout) -> None:
        checkout.requirements.write_text(
            f"telltale-probe==1.0 --hash=sha256:{'0' * 64}\n", encoding="utf-8"
        )
        with pytest.raises(SetupError, match=r"[Hh]ash"):
            environment.find_or_make(checkout.requirements, checkout.environ)

    @pytest.mark.parametrize("tool", ["uv", "pip"])
    def test_a_package_without_a_hash_is_refused(self, checkout: Checkout, tool: str) -> None:
        if tool == "pip":
            (checkout.programs / "uv").unlink()
        checkout.requirements.write_text("telltale-probe==1.0\n", encoding="utf-8")
        with pytest.raises(SetupError, match=r"[Hh]ash"):
            environment.find_or_make(checkout.requirements, checkout.environ)

    def test_a_wheel_folder_that_is_none(self, checkout: Checkout) -> None:
        with pytest.raises(UsageError, match="TELLTALE_WHEELS: /nope is not a folder"):
            environment.find_or_make(
                checkout.requirements, checkout.environ | {"TELLTALE_WHEELS": "/nope"}
            )

    @pytest.mark.parametrize(
        "told",
        [
            pytest.param({"UV_DEFAULT_INDEX": "http://me:secret@127.0.0.1:9/simple"}, id="uv"),
            pytest.param(
                {"PIP_INDEX_URL": "http://me:secret@127.0.0.1:9/simple", "PIP_RETRIES": "1"},
                id="pip",
            ),
        ],
    )
    def test_an_index_that_cannot_be_reached_is_named_without_its_password(
        self, checkout: Checkout, told: dict[str, str]
    ) -> None:
        online = {"UV_HTTP_RETRIES": "0", "PIP_CONFIG_FILE": os.devnull, "TELLTALE_WHEELS": ""}
        with pytest.raises(SetupError) as caught:
            environment.find_or_make(checkout.requirements, checkout.environ | online | told)

        message = str(caught.value)
        assert f"{checkout.requirements} from http://127.0.0.1:9/simple. Check" in message
        assert "Connection refused" in message
        assert "secret" not in message
        assert "\n" not in message

    def test_after_a_failure_it_is_tried_again(self, checkout: Checkout, tmp_path: Path) -> None:
        (tmp_path / "none").mkdir()
        assert checkout.run(TELLTALE_WHEELS=str(tmp_path / "none")).status != 0
        assert checkout.run().status == 0


class TestPipSettings:
    @pytest.fixture
    def environ(self, tmp_path: Path) -> dict[str, str]:
        return {"HOME": str(tmp_path), "XDG_CONFIG_DIRS": str(tmp_path / "site")}

    def write(self, path: Path, text: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def test_later_files_sections_and_variables_win(
        self, environ: dict[str, str], tmp_path: Path
    ) -> None:
        self.write(
            tmp_path / "site/pip/pip.conf",
            "[install]\ntimeout = 1\n[global]\nindex-url = https://site\nclient-cert = /site\n",
        )
        self.write(
            tmp_path / ".config/pip/pip.conf",
            "[global]\nindex_url = https://user\ntimeout = 9\nproxy = p\ntarget = /elsewhere\n",
        )
        settings = sources.pip_settings(environ | {"PIP_PROXY": "q", "PIP_USER": "1"})
        assert {
            name: settings[name] for name in ("index-url", "timeout", "client-cert", "proxy")
        } == {
            "index-url": "https://user",
            "timeout": "1",
            "client-cert": "/site",
            "proxy": "q",
        }
        assert not {"target", "user"} & settings.keys()

    def test_the_null_device_means_no_files(self, environ: dict[str, str], tmp_path: Path) -> None:
        self.write(tmp_path / ".config/pip/pip.conf", "[global]\nproxy = p\n")
        assert sources.pip_settings(environ | {"PIP_CONFIG_FILE": os.devnull}) == {}

    def test_a_broken_file_is_named(self, environ: dict[str, str], tmp_path: Path) -> None:
        broken = tmp_path / "pip.conf"
        self.write(broken, "index-url = x\n")
        with pytest.raises(SetupError, match=f"pip's configuration in {broken}: .*section"):
            sources.pip_settings(environ | {"PIP_CONFIG_FILE": str(broken)})

    @pytest.mark.parametrize(
        ("settings", "environ", "expected"),
        [
            pytest.param({}, {}, False, id="nobody-was-told"),
            pytest.param({"timeout": "9"}, {}, False, id="not-the-way"),
            pytest.param({"proxy": "http://proxy"}, {}, True, id="a-proxy-is-part-of-the-way"),
            pytest.param({"index-url": "https://mirror"}, {}, True, id="pip-alone"),
            pytest.param(
                {"index-url": "https://a"}, {"UV_DEFAULT_INDEX": "https://a"}, False, id="both"
            ),
        ],
    )
    def test_who_was_told(
        self, settings: dict[str, str], environ: dict[str, str], expected: bool
    ) -> None:
        assert sources.told_pip_alone(settings, environ) is expected

    def test_a_file_of_uv_tells_uv(self, environ: dict[str, str], tmp_path: Path) -> None:
        self.write(tmp_path / ".config/uv/uv.toml", "")
        assert not sources.told_pip_alone({"index-url": "https://a"}, environ)


@given(
    st.text(st.characters(codec="utf-8", exclude_characters="/@"), min_size=1).filter(
        lambda text: not any(character.isspace() for character in text)
    )
)
def test_no_password_is_ever_shown(password: str) -> None:
    address = f"https://user:{password}@mirror.example/simple"
    assert sources.pip_sources({"index-url": address}) == "https://mirror.example/simple"
    assert sources.uv_sources({"UV_INDEX_URL": address}) == "https://mirror.example/simple"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        pytest.param(
            "Looking in indexes: http://127.0.0.1:9/simple\n"
            "WARNING: Retrying (Retry(total=0, connect=None, read=None)) after connection broken by"
            " 'NewConnectionError('<pip._vendor.urllib3.connection.HTTPConnection object at"
            " 0x7fe0>: Failed to establish a new connection: [Errno 111] Connection refused')':"
            " /simple/certifi/\n"
            "ERROR: Could not find a version that satisfies the requirement certifi==1\n"
            "ERROR: No matching distribution found for certifi==1\n",
            "[Errno 111] Connection refused; ERROR: Could not find a version that satisfies the"
            " requirement certifi==1",
            id="pip-refused",
        ),
        pytest.param(
            "error: Request failed after 3 retries in 4.2s\n"
            "  cause: Failed to fetch: http://me:pw@127.0.0.1:9/simple/pyjwt/\n"
            "  cause: tcp connect error\n"
            "  cause: Connection refused (os error 111)\n",
            "error: Request failed after 3 retries in 4.2s; cause: Connection refused"
            " (os error 111)",
            id="uv-refused",
        ),
        pytest.param(
            "error: Failed to fetch: `http://me:pw@a/simple/`\n  Caused by: timed out\n",
            "error: Failed to fetch: `http://a/simple/`; Caused by: timed out",
            id="an-older-uv",
        ),
        pytest.param("Segmentation fault\n", "Segmentation fault", id="anything-else"),
        pytest.param("", "it said nothing", id="nothing"),
    ],
)
def test_the_cause_is_found_in_what_the_installer_said(
    tmp_path: Path, said: str, expected: str
) -> None:
    log = tmp_path / "log"
    log.write_text(f"$ before\nerror: before\n$ tool\n{said}", encoding="utf-8")
    assert installer._gist(log) == expected


class TestRun:
    """bot/run.py itself."""

    @pytest.fixture
    def environ(self, tmp_path: Path) -> Iterator[dict[str, str]]:
        yield {"XDG_CACHE_HOME": str(tmp_path), "PATH": os.environ["PATH"]}
        assert not list(tmp_path.rglob("env-*")), "an environment was made for nothing"

    def run(
        self, *argv: str, environ: Mapping[str, str], cwd: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [PYTHON, "-IS", RUN, *argv],
            env=environ,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
        )

    @pytest.mark.parametrize(
        ("argv", "status"),
        [
            pytest.param(["--version"], 0, id="version"),
            pytest.param(["report", "--help"], 0, id="help"),
            pytest.param(["signatures"], 0, id="a-verb-of-the-runner-half"),
            pytest.param(["report", "--nope"], 2, id="a-wrong-option"),
            pytest.param(["report", "--", "x"], 2, id="a-command-too-many"),
            pytest.param([], 2, id="no-verb"),
            pytest.param(["--make-env"], 2, id="nothing-to-make"),
        ],
    )
    def test_what_needs_no_packages_makes_no_environment(
        self, environ: dict[str, str], argv: list[str], status: int
    ) -> None:
        result = self.run(*argv, environ=environ)
        assert result.returncode == status
        assert "Traceback" not in result.stderr

    def test_a_failure_is_one_line_and_its_own_status(self, tmp_path: Path) -> None:
        wheels = tmp_path / "wheels"
        wheels.mkdir()
        environ = {
            "XDG_CACHE_HOME": str(tmp_path / "cache"),
            "PATH": f"{UV.parent}:{os.environ['PATH']}",
            "TELLTALE_WHEELS": str(wheels),
        }
        result = self.run("flakes", environ=environ)
        assert result.returncode == 70
        making, error = result.stderr.splitlines()
        assert making.startswith("making ")
        assert error.startswith(f"telltale: error: TELLTALE_WHEELS: {wheels} lacks something")

    def test_it_takes_nothing_from_the_working_folder(
        self, environ: dict[str, str], tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        trap = tmp_path_factory.mktemp("trap")
        for name in ("json.py", "telltale.py", "sitecustomize.py"):
            (trap / name).write_text("raise SystemExit(99)\n", encoding="utf-8")
        result = self.run("--version", environ=environ | {"PYTHONPATH": str(trap)}, cwd=trap)
        assert result.returncode == 0

    @pytest.mark.parametrize(
        ("given", "seen"),
        [
            pytest.param({}, {}, id="absent"),
            pytest.param({"LC_CTYPE": "C.UTF-8"}, {"LC_CTYPE": "C.UTF-8"}, id="given"),
        ],
    )
    def test_the_locale_that_python_sets_does_not_reach_children(
        self, given: dict[str, str], seen: dict[str, str], tmp_path: Path
    ) -> None:
        out = tmp_path / "environ"
        code = (
            "import runpy, sys, os\n"
            f"sys.argv = ['run.py', '--version']; sys.path.insert(0, {str(RUN.parent)!r})\n"
            f"try: runpy.run_path({str(RUN)!r}, run_name='__main__')\n"
            f"finally: open({str(out)!r}, 'w').write(repr(dict(os.environ)))\n"
        )
        subprocess.run([PYTHON, "-ISc", code], env=given, check=True, capture_output=True)
        assert ast.literal_eval(out.read_text(encoding="utf-8")) == seen

    def old_python(self, path: str) -> subprocess.CompletedProcess[str]:
        """Run run.py as a Python that says it is 3.6."""
        code = (
            "import runpy, sys\n"
            "sys.version_info = (3, 6, 15, 'final', 0)\n"
            f"sys.argv = ['run.py', '--version']\nrunpy.run_path({str(RUN)!r})\n"
        )
        return subprocess.run(
            [PYTHON, "-ISc", code],
            env={"PATH": path},
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
        )

    def test_an_old_python_starts_a_newer_one(self, tmp_path: Path) -> None:
        write_script(tmp_path / "python3", "exit 127")
        (tmp_path / "python3.12").symlink_to(PYTHON)
        result = self.old_python(str(tmp_path))
        assert (result.returncode, result.stdout[:9]) == (0, "telltale ")

    def test_an_old_python_alone_says_what_is_needed(self, tmp_path: Path) -> None:
        result = self.old_python(str(tmp_path))
        assert result.returncode == 2
        (line,) = result.stderr.splitlines()
        assert line.startswith("telltale: error: Python 3.10 or newer is needed, found ")

    def test_it_parses_on_every_python(self) -> None:
        newer_than_2_7 = (
            ast.JoinedStr,
            ast.AnnAssign,
            ast.Starred,
            ast.NamedExpr,
            ast.AsyncFunctionDef,
            ast.Nonlocal,
            ast.FunctionDef,  # ours would carry annotations
        )
        tree = ast.parse(RUN.read_text(encoding="ascii"), feature_version=(3, 7))
        assert not [node for node in ast.walk(tree) if isinstance(node, newer_than_2_7)]
