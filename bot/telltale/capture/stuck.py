"""
Where a test stood when it was ended: its part of `artifacts/stacks.txt`.

The text of a failure that is a hang: what waited, and who had called it,
without the frames of the harness that every test has.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from telltale.capture.output import last_bytes
from telltale.capture.stacks import FILE
from telltale.capture.words import many
from telltale.patterns import pattern

_LIMIT = 4 * 1024 * 1024
_OWN = "# Python frames of pid {} by its own faulthandler:"
_SPY = "# Python frames of pid {} by py-spy:"
_SPY_THREAD = pattern(r'^ *Thread (?P<id>\S+) \([^)]*\)(?:: ".*")?$')
_SPY_FRAME = pattern(r"^ +(?P<function>\S.*) \((?P<path>[^()]+):(?P<line>\d+)\)$")
_HARNESS = pattern(r'File "[^"]*[/\\](?:_pytest|pluggy|pytest|xdist|execnet)[/\\]|"<frozen runpy>"')
_RUNNER = pattern(r"[/\\]_pytest[/\\]")
"""Not xdist: other threads of a worker talk to its controller."""


def stacks_of(folder: Path, pid: int) -> str:
    """
    Return the stacks of a process's threads as faulthandler writes them, "" when nobody told them.

    The thread that ran the test comes first. The process's own word is taken
    before py-spy's: it names whole paths in every version.
    """
    # The newest look is the last in the file.
    lines = last_bytes(folder / FILE, _LIMIT).decode("utf-8", "replace").splitlines()
    own = _section(lines, _OWN.format(pid))
    threads = _threads(own or list(_as_faulthandler(_section(lines, _SPY.format(pid)))))
    if not threads:
        return ""
    # "Current" is whichever thread took the signal. The test's own is the one below the test
    # runner; without one in sight it is the main thread, which is dumped last.
    ours = next((each for each in threads if any(map(_RUNNER.search, each))), threads[-1])
    threads.sort(key=lambda thread: thread is not ours)
    return "\n\n".join(
        "\n".join(_told("Current thread" if thread is ours else "Thread", thread))
        for thread in threads
    )


def _section(lines: list[str], head: str) -> list[str]:
    starts = [at for at, line in enumerate(lines) if line == head]
    if not starts:
        return []
    rest = lines[starts[-1] + 1 :]
    end = next((at for at, line in enumerate(rest) if line.startswith("# ")), len(rest))
    return rest[:end]


def _as_faulthandler(lines: list[str]) -> Iterator[str]:
    """Yield py-spy's lines in the words of faulthandler, which have one reader already."""
    for line in lines:
        thread, frame = _SPY_THREAD.match(line), _SPY_FRAME.match(line)
        if thread:
            yield f"Thread {thread['id']} (most recent call first):"
        elif frame:
            yield f'  File "{frame["path"]}", line {frame["line"]} in {frame["function"]}'


def _threads(lines: list[str]) -> list[list[str]]:
    found: list[list[str]] = []
    for line in lines:
        if re.match(r"(?:Current thread|Thread) .*:$", line):
            found.append([])
        if found and line.strip():
            found[-1].append(line)
    return found


def _told(who: str, thread: list[str]) -> Iterator[str]:
    """Yield a thread's lines under another title, without the frames of the test runner."""
    yield re.sub(r"^(?:Current thread|Thread)", who, thread[0])
    hidden = 0
    for line in thread[1:]:
        if _HARNESS.search(line):
            hidden += 1
        else:
            yield line
    if hidden:
        yield f"  [... {many(hidden, 'frame')} of the test runner left out ...]"
