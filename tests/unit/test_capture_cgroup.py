"""The command's own cgroup, where one can be made."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from telltale.capture import cgroup, kernel
from telltale.capture.cgroup import Group

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="cgroups are Linux's")


@pytest.fixture
def group(tmp_path: Path) -> Iterator[Group]:
    made = cgroup.make(tmp_path)
    if made is None:
        pytest.skip("no cgroup of version 2 can be made here without being felt")
    yield made
    made.kill()
    assert made.remove(10)


def started(group: Group, script: str) -> subprocess.Popen[bytes]:
    with kernel.before_exec(group) as before_exec:
        return subprocess.Popen(
            ["sh", "-c", script],
            stdout=subprocess.PIPE,
            preexec_fn=before_exec,  # noqa: PLW1509  # no other thread is there
        )


def test_the_command_is_in_it_from_its_first_moment_with_all_it_starts(group: Group) -> None:
    with started(group, "cat /proc/self/cgroup; sleep 1000 & wait") as process:
        assert process.stdout is not None
        lines = iter(process.stdout.readline, b"")
        assert (
            next(line for line in lines if line.startswith(b"0::"))
            .decode()
            .strip()
            .endswith(group.path.name)
        )
        group.freeze()
        assert process.pid in group.pids()
        group.kill()
        assert process.wait() == -signal.SIGKILL

    assert group.remove(10)
    assert not group.path.exists()


def test_groups_that_were_made_in_it_go_with_it(group: Group) -> None:
    inner = group.path / "inner"
    inner.mkdir()
    with subprocess.Popen(["sleep", "1000"]) as process:
        (inner / "cgroup.procs").write_text(str(process.pid), "ascii")
        assert group.pids() == [process.pid]
        assert not group.remove()
        group.kill()

    assert process.returncode == -signal.SIGKILL
    assert group.remove(10)


def test_it_is_found_again_by_the_bundle_alone(group: Group, tmp_path: Path) -> None:
    assert cgroup.left_by(tmp_path) == group
    (tmp_path / "other").mkdir()
    assert cgroup.left_by(tmp_path / "other") is None


def test_who_has_none_runs_all_the_same() -> None:
    with kernel.before_exec(None) as before_exec:
        done = subprocess.run(
            ["sh", "-c", "exit 3"],
            preexec_fn=before_exec,  # no other thread is there
            check=False,
        )
    assert done.returncode == 3


@pytest.mark.parametrize("limit", ["cpu.max", "memory.max", "pids.max", "cpuset.cpus"])
def test_none_is_made_where_the_command_would_miss_a_limit(
    limit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A version 2 as a folder: this kernel may have none, or none with limits.
    monkeypatch.setattr(cgroup, "_MOUNTS", (tmp_path,))
    for name, text in {
        "cgroup.controllers": "cpu memory",
        "cgroup.procs": f"1\n{os.getpid()}\n",
        "cpu.max": "max 100000",
        "memory.max": "max",
        limit: "2",
    }.items():
        (tmp_path / name).write_text(f"{text}\n", "ascii")

    before = tmp_path.stat().st_mtime_ns
    assert cgroup.make(tmp_path) is None
    assert tmp_path.stat().st_mtime_ns == before, "something was made in it"


def test_without_version_2_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroup, "_MOUNTS", (tmp_path,))

    assert cgroup.make(tmp_path) is None
    assert cgroup.left_by(tmp_path) is None
