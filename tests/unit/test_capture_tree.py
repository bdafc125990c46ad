"""The process tree, with real processes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from telltale.capture import kernel, tree

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="there is no /proc")


class Child:
    """A process that starts children of its own when told to."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            ["/bin/sh", "-c", "while read -r _; do sleep 600 >/dev/null & echo $!; done"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.pid = self._process.pid
        self._children: list[int] = []

    def fork(self) -> int:
        """Start a child; return its process id."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        self._children.append(int(self._process.stdout.readline()))
        return self._children[-1]

    def leave(self) -> None:
        """End it; its children stay."""
        self._process.communicate("")

    def clear(self) -> None:
        self.leave()
        while self._children:
            os.kill(self._children.pop(), 9)


@pytest.fixture
def child() -> Iterator[Child]:
    child = Child()
    yield child
    child.clear()


@pytest.fixture
def stranger() -> Iterator[Child]:
    child = Child()
    yield child
    child.clear()


def pids(processes: list[tree.Process]) -> set[int]:
    return {process.pid for process in processes}


def test_the_tree_is_what_is_below_at_every_look(child: Child, stranger: Child) -> None:
    looked_at = tree.Tree(os.getpid())

    first = looked_at.look(without={stranger.pid})
    grandchild = child.fork()
    stranger.fork()
    second = looked_at.look(without={stranger.pid})

    assert pids(first) == {child.pid}
    assert [process.pid for process in second] == [child.pid, grandchild]
    assert pids(second) == pids(tree.below(os.getpid(), without={stranger.pid}))


def test_an_orphan_that_we_adopt_stays_in_the_tree(child: Child) -> None:
    looked_at = tree.Tree(os.getpid())
    before = kernel.adopt_orphans(True)
    try:
        grandchild = child.fork()
        assert pids(looked_at.look()) == {child.pid, grandchild}
        child.leave()

        assert pids(looked_at.look()) == {grandchild}
    finally:
        child.clear()
        os.waitpid(grandchild, 0)
        kernel.adopt_orphans(bool(before))


def test_all_others_are_read_once(child: Child) -> None:
    looked_at = tree.Tree(os.getpid())
    looked_at.look()

    assert {os.getpid(), os.getppid(), 1} <= set(looked_at._others)
    assert child.pid not in looked_at._others


def test_a_number_that_comes_again_is_another_process(child: Child) -> None:
    looked_at = tree.Tree(os.getpid())
    inode = os.stat(f"/proc/{child.pid}").st_ino  # noqa: PTH116

    looked_at._others = {child.pid: inode}
    assert child.pid not in pids(looked_at.look())
    looked_at._others = {child.pid: inode + 1}
    assert child.pid in pids(looked_at.look())
