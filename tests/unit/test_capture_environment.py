"""What a bundle keeps of the surroundings, and what it leaves out."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telltale import gha
from telltale.capture import environment, host, interpreter, kernel, shell, source, timefile
from telltale.capture.interpreter import Interpreter
from telltale.capture.redact import Redactor
from telltale.model import Host, Resources, Source
from tests.support import PYTHON

PLAIN = Redactor({})
INSTALLED = Interpreter(
    path="/home/alice/venv/bin/python",
    version="3.11.7",
    implementation="cpython",
    packages={"pytest": "9.2.0", "Attrs": "25.1"},
    torch=False,
    stamps={},
)


def ours(folder: Path) -> dict[str, str]:
    """Return an environment that lets Telltale keep things in the folder."""
    return {"XDG_CACHE_HOME": str(folder / "cache")}


# Variables


def test_of_the_environment_only_what_matters_is_kept() -> None:
    environ = {
        "OMP_NUM_THREADS": "1",
        "PIP_INDEX_URL": "https://me:pw@pypi.example/simple",
        "GITHUB_TOKEN": "abc",
        "HOME": "/home/alice",
        "CUSTOMER": "Acme",
        "PYTHONPATH": "a\nb\x1b",
    }

    text = environment.variables_text(environ, Redactor(environ, homes=["/home/alice"]))

    assert text.splitlines() == [
        "# The command's variables that are known to matter; values are redacted.",
        "GITHUB_TOKEN=[redacted]",
        "HOME=~",
        "OMP_NUM_THREADS=1",
        "PIP_INDEX_URL=https://pypi.example/simple",
        r"PYTHONPATH=a\nb\x1b",
        "# Set as well, 1; their values are not kept:",
        "# CUSTOMER",
    ]


@settings(deadline=None)
@given(st.dictionaries(st.text(min_size=1), st.text(min_size=1)))
def test_every_variable_is_one_line(environ: dict[str, str]) -> None:
    lines = environment.variables_text(environ, PLAIN).split("\n")

    assert len(lines) == len(environ) + 3


# Packages


def test_packages_are_listed_as_pip_freeze_does() -> None:
    text = environment.packages_text(INSTALLED, Redactor({}, homes=["/home/alice"]))

    assert text == "# cpython 3.11.7 at ~/venv/bin/python\nAttrs==25.1\npytest==9.2.0\n"


def test_packages_from_no_index_conda_and_lock_files_are_told(tmp_path: Path) -> None:
    (tmp_path / "uv.lock").write_text("x", "ascii")
    found = dataclasses.replace(
        INSTALLED,
        origins={
            "Attrs": "git+https://me:pw@github.com/a/attrs@0a1b2c",
            "pytest": "editable file:///home/alice/pytest",
        },
        conda=("python=3.11.7=h955ad1f_0",),
    )

    text = environment.packages_text(
        found, Redactor({}, homes=["/home/alice"]), environment.locks([tmp_path, tmp_path])
    )

    assert text.splitlines()[1:] == [
        "Attrs @ git+https://github.com/a/attrs@0a1b2c  # 25.1",
        "pytest @ editable file://~/pytest  # 9.2.0",
        "# conda",
        "# python=3.11.7=h955ad1f_0",
        "# uv.lock sha256:2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881",
    ]


def test_where_packages_came_from_is_read(tmp_path: Path) -> None:
    for name, direct in {
        "one": {"url": "https://x/one.git", "vcs_info": {"vcs": "git", "commit_id": "0a1b"}},
        "two": {"url": "file:///src/two", "dir_info": {"editable": True}},
        "three": {"url": "https://x/three.whl", "archive_info": {}},
    }.items():
        info = tmp_path / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Name: {name}\nVersion: 1.0\n", "ascii")
        (info / "direct_url.json").write_text(json.dumps(direct), "ascii")

    found = interpreter.ask(
        sys.executable, Path.cwd(), {**os.environ, "PYTHONPATH": str(tmp_path)}, ours=ours(tmp_path)
    )

    assert {name: found.origins[name] for name in ("one", "two", "three")} == {
        "one": "git+https://x/one.git@0a1b",
        "two": "editable file:///src/two",
        "three": "https://x/three.whl",
    }


def test_the_packages_that_figures_depend_on() -> None:
    packages = {"NumPy": "2.3", "nvidia_cublas.cu12": "12.8", "requests": "2.34", "pytest": "9"}
    found = dataclasses.replace(INSTALLED, packages=packages)

    assert environment.key_packages(found) == {
        "numpy": "2.3",
        "nvidia-cublas-cu12": "12.8",
        "pytest": "9",
    }
    assert environment.key_packages(None) == {}


def test_no_python_is_said() -> None:
    text = environment.packages_text(None, PLAIN)

    assert text == "# no Python was found in the PATH of the command\n"


def test_this_python_lists_its_packages(tmp_path: Path) -> None:
    found = interpreter.ask(sys.executable, Path.cwd(), os.environ, ours=ours(tmp_path))

    assert found.version == ".".join(map(str, sys.version_info[:3]))
    assert found.packages is not None
    assert "pytest" in found.packages
    assert not found.changed()


def test_packages_are_those_that_importlib_metadata_lists(tmp_path: Path) -> None:
    wheel, egg = tmp_path / "thing-1.0.dist-info", tmp_path / "old-2.0.egg" / "EGG-INFO"
    for folder, name in ((wheel, "METADATA"), (egg, "PKG-INFO")):
        folder.mkdir(parents=True)
        # The description below the empty line may itself speak of names.
        text = f"Metadata-Version: 2.1\nversion: {len(name)}\nNAME: {name}\n\nName: wrong\n"
        (folder / name).write_text(text, encoding="utf-8")
    (tmp_path / "file-3.0.egg-info").write_text("Name: file\nVersion: 3.0\n", encoding="utf-8")
    (tmp_path / "broken-1.dist-info").mkdir()
    (tmp_path / "empty-1.egg-info").write_bytes(b"Name: \xff\n")
    archive = tmp_path / "packed.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("packed-4.0.dist-info/METADATA", "Name: packed\nVersion: 4.0\n")
    places = (str(tmp_path), str(tmp_path / "old-2.0.egg"), str(archive), *sys.path)
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(places)}

    found = interpreter.ask(sys.executable, tmp_path, environ, ours=ours(tmp_path)).packages or {}

    here = {each.metadata["Name"]: each.version for each in metadata.distributions()}
    made = {"METADATA": "8", "PKG-INFO": "8", "file": "3.0", "packed": "4.0"}
    assert {**here, **made} == dict(found)


def test_an_installation_meanwhile_is_noticed(tmp_path: Path) -> None:
    environ = {**os.environ, "PYTHONPATH": str(tmp_path)}
    before = interpreter.ask(sys.executable, Path.cwd(), environ, ours=ours(tmp_path))

    info = tmp_path / "thing-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: thing\nVersion: 1.0\n", "ascii")

    assert before.changed()
    after = interpreter.ask(sys.executable, Path.cwd(), environ, ours=ours(tmp_path))
    assert (after.packages or {})["thing"] == "1.0"
    assert "thing" not in (before.packages or {})


def test_the_working_directory_does_not_stand_in_for_the_library(tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit(3)", "ascii")
    local = tmp_path / "lib/local-1.dist-info"  # where it came from is read with json
    local.mkdir(parents=True)
    (local / "METADATA").write_text("Name: local\nVersion: 1\n", "ascii")
    (local / "direct_url.json").write_text('{"url": "file:///somewhere"}', "ascii")
    environ = {**os.environ, "PYTHONPATH": str(tmp_path / "lib")}

    found = interpreter.ask(sys.executable, tmp_path, environ, ours=ours(tmp_path))

    assert found.origins == {"local": "file:///somewhere"}


def test_torch_is_found_without_being_imported(tmp_path: Path) -> None:
    without = interpreter.ask(sys.executable, tmp_path, os.environ, ours=ours(tmp_path))
    (tmp_path / "torch.py").write_text("raise SystemExit(3)", "ascii")
    environ = {**os.environ, "PYTHONPATH": str(tmp_path)}

    assert not without.torch
    assert interpreter.ask(sys.executable, tmp_path, environ, ours=ours(tmp_path)).torch


@pytest.mark.parametrize("answer", ["", "nonsense (", "[1]", "name"])
def test_a_python_that_answers_nonsense(answer: str, tmp_path: Path) -> None:
    mute = tmp_path / "python3"
    mute.write_text(f"#!/bin/sh\necho '{answer}'\n", "ascii")
    mute.chmod(0o755)

    with pytest.raises(ValueError, match="gave no list of its packages"):
        interpreter.ask(str(mute), tmp_path, os.environ, ours=ours(tmp_path))


def test_a_python_that_chatters_or_fails(tmp_path: Path) -> None:
    chatty = tmp_path / "python3"
    chatty.write_text(f'#!/bin/sh\necho hello\nexec {PYTHON} "$@"\n', "ascii")
    chatty.chmod(0o755)
    assert interpreter.ask(str(chatty), tmp_path, os.environ, ours=ours(tmp_path)).packages

    chatty.write_text("#!/bin/sh\nexit 1\n", "ascii")
    with pytest.raises(subprocess.CalledProcessError):
        interpreter.ask(str(chatty), tmp_path, os.environ, ours=ours(tmp_path))


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A folder with `pythons/python3`, `venv/bin/python` and its script `venv/bin/pytest`."""
    for name, text in {
        "pythons/python3": "#!/bin/sh\n",
        "venv/bin/python": "#!/bin/sh\n",
        "venv/bin/pytest": f"#!{tmp_path}/venv/bin/python\nimport pytest\n",
        "venv/bin/tool": "#!/usr/bin/env bash\n",
        "venv/bin/binary": "\x7fELF",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="ascii")
        path.chmod(0o755)
    return tmp_path


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (("venv/bin/pytest", "-q"), "venv/bin/python"),
        (("venv/bin/python", "-m", "pytest"), "venv/bin/python"),
        (("venv/bin/tool",), "pythons/python3"),
        (("venv/bin/binary",), "pythons/python3"),
        (("timeout", "-k", "9", "60", "venv/bin/pytest"), "venv/bin/python"),
        (("env", "A=venv/bin/python", "tool", "-x"), "pythons/python3"),
        (("make", "test"), "pythons/python3"),
        (("./nowhere",), "pythons/python3"),
        (shell.argv("venv/bin/pytest -q && echo done"), "venv/bin/python"),
        (shell.argv("A=1 B='2 3' venv/bin/pytest"), "venv/bin/python"),
        (shell.argv("cat x && venv/bin/pytest"), "venv/bin/python"),
        (shell.argv("# venv/bin/pytest\ncd x\nno/such/pytest"), "pythons/python3"),
        (shell.argv("echo 'unbalanced"), "pythons/python3"),
        (shell.argv(" "), "pythons/python3"),
    ],
)
def test_the_commands_own_python_is_asked(
    argv: tuple[str, ...], expected: str, programs: Path
) -> None:
    environ = {"PATH": str(programs / "pythons")}

    found = interpreter.find_interpreter(argv, programs, environ)

    assert found == str(programs / expected)


def test_without_a_python_there_is_none(tmp_path: Path) -> None:
    assert interpreter.find_interpreter(("make",), tmp_path, {"PATH": str(tmp_path)}) == ""


# Torch, by a package of that name


@pytest.mark.parametrize(
    ("script", "text"),
    [
        ("print('PyTorch version: 2.9.1\\nPython at /home/alice/x')", "PyTorch version: 2.9.1\n"),
        ("raise SystemExit(1)", "# torch.utils.collect_env failed: "),
        ("import time; time.sleep(1000)", "# torch.utils.collect_env took longer than 1 s"),
    ],
    ids=["reports", "fails", "hangs"],
)
def test_torchs_own_report_is_kept_or_its_failure(
    script: str, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "TORCH_S", 1.0)
    package = tmp_path / "torch/utils"
    package.mkdir(parents=True)
    for name in ("torch/__init__.py", "torch/utils/__init__.py"):
        (tmp_path / name).touch()
    (package / "collect_env.py").write_text(script, "ascii")
    environ = {**os.environ, "PYTHONPATH": str(tmp_path)}

    found = interpreter.ask(sys.executable, tmp_path, environ, ours=ours(tmp_path))
    report = environment.torch_text(found, tmp_path, environ, Redactor({}, homes=["/home/alice"]))

    assert found.torch
    assert report.startswith(text)
    assert "alice" not in report


# Disks


def test_disks_are_told_by_folder(tmp_path: Path) -> None:
    text = environment.disks_text([tmp_path, tmp_path, tmp_path / "nowhere"], PLAIN)

    head, line, missing = text.splitlines()
    assert head.split()[-1] == "folder"
    total, used, free, share, inodes, folder = line.split()
    assert int(total) >= int(used)
    assert int(free) >= 0
    assert share.endswith("%")
    assert int(inodes) >= 0
    assert folder == str(tmp_path)
    assert missing == f"# {tmp_path}/nowhere: No such file or directory"


# The host


def test_the_fingerprint_is_that_of_its_parts_in_any_order() -> None:
    parts = {"cpu": "EPYC", "cpus": "4"}

    assert host.fingerprint(parts) == host.fingerprint(dict(reversed(parts.items())))
    assert re.fullmatch("[0-9a-f]{16}", host.fingerprint(parts))


@settings(deadline=None)
@given(
    st.dictionaries(st.text(max_size=5), st.text(max_size=5)),
    st.dictionaries(st.text(max_size=5), st.text(max_size=5)),
)
def test_other_parts_have_another_fingerprint(one: dict[str, str], two: dict[str, str]) -> None:
    assert (host.fingerprint(one) == host.fingerprint(two)) == (one == two)


def test_this_host_is_described_the_same_twice() -> None:
    found = host.describe("3.11", "none", image="python@sha256:1")

    assert found == host.describe("3.11", "none", image="python@sha256:1")
    assert set(found.parts) == {
        *("cpu", "cpus", "memory_gib", "cgroup_cpus", "cgroup_memory_gib", "os", "kernel"),
        *("architecture", "python", "gpus", "container", "image"),
    }
    assert all(found.parts.values())
    assert found.parts["python"] == "3.11"
    assert found.parts["cpus"] == str(len(os.sched_getaffinity(0)))


def test_load_is_beside_the_fingerprint_not_in_it() -> None:
    machine = Host(fingerprint="0" * 16, parts={"cpu": "x"})

    document = json.loads(host.document(machine, {"gpus": {}}, host.load(), None))

    assert document["parts"] == {"cpu": "x"}
    assert document["after"] is None
    assert len(document["before"]["load_average"]) == 3
    assert document["before"]["available_memory_bytes"] > 0


def test_limits_of_cgroups_are_numbers_or_none() -> None:
    memory, cpus = kernel.memory_limit(), kernel.cpu_limit()

    assert memory is None or memory > 0
    assert cpus is None or cpus > 0
    assert kernel.oom_kills() >= 0


# The code under test


def git(folder: Path, *args: str) -> str:
    identity = ("-c", "user.name=a", "-c", "user.email=a@b.c")
    done = subprocess.run(
        ["git", *identity, *args], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "checkout"
    (folder / "sub").mkdir(parents=True)
    git(folder, "init", "-q", "-b", "main")
    (folder / "file").write_text("one", "ascii")
    git(folder, "add", "file")
    git(folder, "commit", "-q", "-m", "one")
    return folder


def test_git_tells_the_code(checkout: Path) -> None:
    git(checkout, "remote", "add", "origin", "https://t0ken@github.com/octo/shop.git")
    (checkout / "untracked").touch()

    found = source.look(checkout / "sub", os.environ, gha.Context())

    assert found.root == checkout
    assert found.source == Source(
        repository="octo/shop",
        sha=git(checkout, "rev-parse", "HEAD"),
        ref="refs/heads/main",
        dirty=False,
    )
    assert found.place(checkout / "sub") == "sub"
    assert found.place(checkout) == "."
    assert found.place(Path("/")) == "/"


def test_changes_make_it_dirty_and_the_job_names_the_ref(checkout: Path) -> None:
    (checkout / "file").write_text("two", "ascii")
    context = gha.Context(repository="octo/fork", ref="refs/pull/7/merge", sha="0" * 40)

    found = source.look(checkout, os.environ, context).source

    assert (found.repository, found.ref, found.dirty) == ("octo/fork", "refs/pull/7/merge", True)
    assert found.sha == git(checkout, "rev-parse", "HEAD")


def test_a_commit_that_no_branch_names_has_no_ref(checkout: Path) -> None:
    (checkout / "HEAD").touch()  # a file of that name must not be mistaken for it
    git(checkout, "checkout", "-q", "--detach")

    found = source.look(checkout, os.environ, gha.Context()).source

    assert (found.sha, found.ref) == (git(checkout, "rev-parse", "--verify", "HEAD"), "")


@pytest.mark.parametrize(
    ("url", "repository"),
    [
        ("git@github.com:octo/shop.git", "octo/shop"),
        ("ssh://git@host:22/octo/shop", "octo/shop"),
        ("https://github.com/octo/shop.js.git/", "octo/shop.js"),
        ("/srv/git/shop.git", ""),
        ("file:///srv/git/shop.git", ""),
        ("../shop", ""),
    ],
)
def test_the_remote_names_the_repository(url: str, repository: str, checkout: Path) -> None:
    git(checkout, "remote", "add", "origin", url)

    assert source.look(checkout, os.environ, gha.Context()).source.repository == repository


def test_a_repository_without_a_commit_or_no_repository(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "-b", "main")
    empty = source.look(tmp_path, os.environ, gha.Context()).source
    nowhere = source.look(Path("/"), os.environ, gha.Context(sha="1" * 40))
    no_git = source.look(tmp_path, {"PATH": "/nowhere"}, gha.Context())

    assert (empty.sha, empty.ref, empty.dirty) == ("", "refs/heads/main", False)
    assert (nowhere.source.sha, nowhere.source.dirty, nowhere.root) == ("1" * 40, None, None)
    assert no_git.source == Source()


def test_looking_writes_nothing(checkout: Path) -> None:
    index = checkout / ".git/index"
    before = index.stat().st_mtime_ns, index.read_bytes()
    os.utime(checkout / "file")

    source.look(checkout, os.environ, gha.Context())

    assert (index.stat().st_mtime_ns, index.read_bytes()) == before


# time.txt


def test_time_txt_has_the_labels_of_gnu_time() -> None:
    text = timefile.render(
        ["pytest", "-k", "a b"],
        Resources(
            wall_s=3725.5,
            user_s=1.234,
            system_s=0.5,
            cpu_percent=1294.4,
            max_rss_bytes=9057120256,
            major_faults=1,
            minor_faults=2,
            voluntary_switches=3,
            involuntary_switches=38681,
            inputs=5,
            outputs=6,
        ),
        exit_code=1,
        signal=None,
    )

    assert text.splitlines() == [
        "Command exited with non-zero status 1",
        "\tCommand being timed: \"pytest -k 'a b'\"",
        "\tUser time (seconds): 1.23",
        "\tSystem time (seconds): 0.50",
        "\tPercent of CPU this job got: 1294%",
        "\tElapsed (wall clock) time (h:mm:ss or m:ss): 1:02:05",
        "\tAverage shared text size (kbytes): 0",
        "\tAverage unshared data size (kbytes): 0",
        "\tAverage stack size (kbytes): 0",
        "\tAverage total size (kbytes): 0",
        "\tMaximum resident set size (kbytes): 8844844",
        "\tAverage resident set size (kbytes): 0",
        "\tMajor (requiring I/O) page faults: 1",
        "\tMinor (reclaiming a frame) page faults: 2",
        "\tVoluntary context switches: 3",
        "\tInvoluntary context switches: 38681",
        "\tSwaps: 0",
        "\tFile system inputs: 5",
        "\tFile system outputs: 6",
        "\tSocket messages sent: 0",
        "\tSocket messages received: 0",
        "\tSignals delivered: 0",
        f"\tPage size (bytes): {os.sysconf('SC_PAGE_SIZE')}",
        "\tExit status: 1",
    ]


def test_time_txt_says_which_signal_it_was() -> None:
    text = timefile.render(["true"], Resources(), exit_code=137, signal=9)

    assert text.startswith('Command terminated by signal 9\n\tCommand being timed: "true"\n')
    assert text.endswith("\tExit status: 0\n")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0:00.00"),
        (1.259, "0:01.25"),
        (61.5, "1:01.50"),
        (3599.999, "59:59.99"),
        (3600, "1:00:00"),
    ],
)
def test_clocks_are_read_as_gnu_time_writes_them(seconds: float, text: str) -> None:
    assert timefile.clock(seconds) == text


def test_a_runner_class_stands_for_the_hardware_in_the_fingerprint() -> None:
    named = host.describe("3.11", "none", runner_class="ci-large")

    assert named.parts["runner_class"] == "ci-large"
    assert named.parts["cpu"]
    elsewhere = {**named.parts, "cpu": "another", "cpus": "64", "gpus": "8 H100"}
    assert host.fingerprint(elsewhere) == named.fingerprint
    assert host.fingerprint({**elsewhere, "python": "3.13"}) != named.fingerprint
    assert host.describe("3.11", "none").fingerprint != named.fingerprint
