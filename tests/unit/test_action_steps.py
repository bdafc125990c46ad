"""The steps of the actions, run as GitHub's runner runs them: a script, a shell, one process to signal."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from telltale import bundle
from telltale.model import Outcome
from tests.support import ROOT, alive, assert_valid_bundle

ACTIONS = {"one-step": ROOT, "profile-tests": ROOT / "actions/profile-tests"}
TOOLS = ("bash", "cat", "env", "sh", "sleep", "true")

Step = Callable[..., "subprocess.Popen[str]"]


def first_step(action: Path) -> dict[str, Any]:
    document = yaml.safe_load((action / "action.yml").read_text(encoding="utf-8"))
    step: dict[str, Any] = document["runs"]["steps"][0]
    return step


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A PATH without Python: what a container's image may hold."""
    folder = tmp_path / "tools"
    folder.mkdir()
    for name in TOOLS:
        (folder / name).symlink_to(shutil.which(name) or name)
    return folder


@pytest.fixture
def start(tmp_path: Path, tools: Path) -> Step:
    """Start an action's first step in a job's workspace, without its artifacts' upload."""
    workspace = tmp_path / "work"
    workspace.mkdir()
    scripts = (tmp_path / f"step-{number}.sh" for number in itertools.count())

    def call(action: Path, **variables: str) -> subprocess.Popen[str]:
        step = first_step(action)
        # Source: ScriptHandlerHelpers.cs of actions/runner.
        assert step["shell"] == "sh"
        script = next(scripts)
        script.write_text(step["run"] + "\n", encoding="utf-8")
        inputs = dict.fromkeys(step["env"], "")
        return subprocess.Popen(
            ["sh", "-e", str(script)],
            cwd=workspace,
            env={
                "PATH": str(tools),
                "GITHUB_ACTIONS": "true",
                "GITHUB_ACTION_PATH": str(action),
                "GITHUB_OUTPUT": str(tmp_path / "OUTPUT"),
                "GITHUB_JOB": "unit",
                **inputs,
                **variables,
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            preexec_fn=_heed_interrupts,  # noqa: PLW1509  # no other thread is there
        )

    return call


def _heed_interrupts() -> None:
    # A shell that runs pytest in the background lets it ignore SIGINT.
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def with_python(tools: Path, name: str = "python3") -> None:
    (tools / name).symlink_to(Path(sys.executable).resolve())


def outputs(folder: Path) -> dict[str, str]:
    text = (folder / "OUTPUT").read_text(encoding="utf-8")
    return dict(re.findall(r"^([\w-]+)<<(?:\S+)\n(.*)\n\S+$", text, re.MULTILINE))


@pytest.mark.parametrize("action", ACTIONS.values(), ids=[*ACTIONS])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_cancelled_job_reaches_telltale_behind_the_steps_shell(
    action: Path, number: signal.Signals, start: Step, tools: Path, tmp_path: Path
) -> None:
    with_python(tools)
    os.mkfifo(tmp_path / "work/pid")
    with start(action, TELLTALE_COMMAND="echo $$ >pid; exec sleep 1000") as process:
        pid = int((tmp_path / "work/pid").read_text("ascii"))
        # The runner signals the process that it started, and no other.
        process.send_signal(number)
        _, err = process.communicate()

    assert process.returncode == 128 + number, err
    evidence = assert_valid_bundle(Path(outputs(tmp_path)["bundle"]))
    assert evidence.outcome is Outcome.INTERRUPTED
    assert not alive(pid)


@pytest.mark.parametrize("action", ACTIONS.values(), ids=[*ACTIONS])
def test_without_python_a_step_says_what_to_do(action: Path, start: Step, tmp_path: Path) -> None:
    with start(action, TELLTALE_COMMAND="true") as process:
        _, err = process.communicate()

    assert process.returncode == 2
    (line,) = err.splitlines()
    assert line.startswith("::error::Python 3.10 or newer is needed, found no python3")
    assert "image" in line
    assert not (tmp_path / "OUTPUT").exists()


def test_any_python_from_3_10_on_will_do(start: Step, tools: Path, tmp_path: Path) -> None:
    with_python(tools, "python3.12")
    with start(ACTIONS["profile-tests"], TELLTALE_COMMAND="true") as process:
        _, err = process.communicate()

    assert process.returncode == 0, err
    assert_valid_bundle(Path(outputs(tmp_path)["bundle"]))


def test_an_image_without_bash_is_no_hindrance(start: Step, tools: Path, tmp_path: Path) -> None:
    """The command written as text needs one, and says so; the bundle is there all the same."""
    with_python(tools)
    (tools / "bash").unlink()
    with start(ACTIONS["profile-tests"], TELLTALE_COMMAND="true") as process:
        process.communicate()

    assert process.returncode == 127
    evidence = assert_valid_bundle(Path(outputs(tmp_path)["bundle"]))
    assert evidence.outcome is Outcome.ERROR
    assert "bash" in " ".join(evidence.findings)


def test_jobs_of_one_machine_share_an_output_folder(
    start: Step, tools: Path, tmp_path: Path
) -> None:
    """Six runs of one name at one moment: each has its own bundle, whole, with its own output."""
    with_python(tools)
    action = ACTIONS["profile-tests"]
    processes = [
        start(
            action,
            TELLTALE_COMMAND=f"echo job {number}; exit {number}",
            TELLTALE_OUT=str(tmp_path / "shared [out]"),
            GITHUB_OUTPUT=str(tmp_path / f"OUTPUT-{number}"),
        )
        for number in range(6)
    ]
    statuses = []
    for process in processes:
        with process:
            process.communicate()
        statuses.append(process.returncode)

    assert statuses == [*range(6)]
    folders = bundle.find([tmp_path / "shared [out]"])
    assert len(folders) == 6
    for folder in folders:
        evidence = assert_valid_bundle(folder)
        log = (folder / "logs/output.log").read_text("ascii")
        assert log == f"job {evidence.exit_code}\n"


def test_the_upload_names_the_folder_literally(start: Step, tools: Path, tmp_path: Path) -> None:
    with_python(tools)
    with start(
        ACTIONS["profile-tests"], TELLTALE_COMMAND="true", TELLTALE_OUT="out [x]*"
    ) as process:
        process.communicate()

    told = outputs(tmp_path)
    assert told["bundle"].startswith(f"{tmp_path}/work/out [x]*/tests/")
    assert told["upload"] == told["bundle"].replace("[x]*", "[[]x][*]")
