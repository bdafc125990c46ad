"""
Many writers to one branch at once, some of them killed.

What must hold, however they are timed: a record whose writer reported success
is there once, and the branch can be read at every moment.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

from telltale.history import open_history
from telltale.records import Record
from tests.unit.history_records import UNIT, main_run

WRITERS = 20
RECORDS = 1
KILLED = 6

_WRITER = """\
import os, sys
from pathlib import Path
from telltale.history import open_history
from tests.unit.history_records import main_run

uri, first, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
sys.stdin.readline()
for number in range(first, first + count):
    open_history(uri, cwd=Path.cwd(), environ=os.environ).add([main_run(number)])
    print(number, flush=True)
"""


def test_no_reported_record_is_lost_and_the_branch_is_always_readable(tmp_path: Path) -> None:
    remote = tmp_path / "remote.git"
    subprocess.run(["git", "init", "--bare", "--quiet", str(remote)], check=True)
    uri = f"branch:h@{remote}"
    writers = [_start(uri, index * RECORDS, tmp_path) for index in range(WRITERS)]
    for writer in writers:
        assert writer.stdin
        writer.stdin.write("go\n")
        writer.stdin.flush()

    chance = random.Random()  # noqa: S311  # any moment will do; what must hold holds at all of them
    doomed = chance.sample(writers, KILLED)
    seen = 0
    while any(writer.poll() is None for writer in writers):
        if doomed and chance.random() < 0.5:
            _kill(doomed.pop())
        now = _load(uri, tmp_path)
        # Records never go away, and none is ever seen half written.
        assert len(now) >= seen
        seen = len(now)

    reported = set()
    for writer in writers:
        output, errors = writer.communicate()
        assert writer.returncode in {0, -signal.SIGKILL}, errors
        reported |= {main_run(int(line)).id for line in output.splitlines()}
    records = _load(uri, tmp_path)
    ids = [record.id for record in records]
    assert reported <= set(ids)
    assert len(ids) == len(set(ids))
    subprocess.run(["git", "-C", remote, "fsck", "--strict", "--no-dangling"], check=True)


def _start(uri: str, first: int, cwd: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _WRITER, uri, str(first), str(RECORDS)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )


def _kill(writer: subprocess.Popen[str]) -> None:
    """Kill a writer and the git it is running, as the end of a job does; the remote's half lives on."""
    children = Path(f"/proc/{writer.pid}/task/{writer.pid}/children")
    with contextlib.suppress(OSError):
        started = children.read_text(encoding="ascii").split()
        writer.kill()
        for child in started:
            os.kill(int(child), signal.SIGKILL)
    writer.kill()


def _load(uri: str, cwd: Path) -> tuple[Record, ...]:
    history = open_history(uri, cwd=cwd, environ=os.environ)
    records = history.load(UNIT, limit=1000)
    assert history.problems == ()
    return records
