"""
`artifacts/stacks.txt`: where everything stood at the time limit, before anybody was disturbed.

/proc tells state, wait channel and, to root, kernel stacks; py-spy, when it
is installed, tells the Python frames without stopping the process. Nothing
is installed and no signal is sent.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

from telltale.capture import tree

_DUMP_S = 5.0
_ALL_DUMPS_S = 15.0
_THREADS = 64


def snapshot(
    processes: Sequence[tree.Process], environ: Mapping[str, str], redact: Callable[[str], str]
) -> str:
    """Return the text; takes at most about 20 s, most of it py-spy's."""
    spy = shutil.which("py-spy", path=environ.get("PATH"))
    end = time.monotonic() + _ALL_DUMPS_S
    lines = [
        "# The process tree when the time limit was reached, before any signal was sent.",
        f"# Python frames: {'py-spy dump' if spy else 'py-spy is not in PATH: none'}.",
    ]
    for process in processes:
        lines += ["", *_process(process, redact)]
        if spy and _is_python(process.pid):
            left = min(_DUMP_S, end - time.monotonic())
            lines += _python_frames(spy, process.pid, left)
    return "\n".join(lines) + "\n"


def _process(process: tree.Process, redact: Callable[[str], str]) -> Iterator[str]:
    yield (
        f"pid {process.pid}  parent {process.ppid}  {process.name}  state {process.state}"
        f"  cpu {process.cpu_s:.2f} s  rss {process.rss_bytes} bytes"
    )
    yield f"  command: {redact(tree.command_line(process.pid))}"
    threads = tree.threads(process.pid)
    for thread in threads[:_THREADS]:
        place = f"task/{thread}"
        name = tree.detail(process.pid, f"{place}/comm")
        state = re.search(
            r"^State:\s*(\S)", tree.detail(process.pid, f"{place}/status"), re.MULTILINE
        )
        waits = tree.detail(process.pid, f"{place}/wchan")
        yield (
            f"  thread {thread}  {name}  state {state[1] if state else '?'}"
            f"  waits in {waits if waits not in {'', '0'} else '-'}"
        )
        for frame in tree.detail(process.pid, f"{place}/stack").splitlines():
            yield f"    {frame}"
    if len(threads) > _THREADS:
        yield f"  ... and {len(threads) - _THREADS} more threads"


def _is_python(pid: int) -> bool:
    # An interpreter by name or, for programs that embed one, by its library.
    return "python" in tree.detail(pid, "maps").lower()


def _python_frames(spy: str, pid: int, seconds: float) -> Iterator[str]:
    if seconds <= 0:
        yield "  Python frames: no time left"
        return
    try:
        answer = subprocess.run(
            [spy, "dump", "--pid", str(pid)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=seconds,
            check=False,
        )
    except (OSError, subprocess.SubprocessError) as error:
        yield f"  Python frames: {error}"
        return
    text = answer.stdout if answer.returncode == 0 else answer.stderr
    for line in text.decode("utf-8", "replace").splitlines():
        yield f"  {line}"
