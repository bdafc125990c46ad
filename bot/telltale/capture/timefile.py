"""`artifacts/time.txt`: the figures of GNU `time -v`, with its labels."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Sequence

from telltale.model import Resources


def render(argv: Sequence[str], resources: Resources, *, exit_code: int, signal: int | None) -> str:
    """
    Return the text that `/usr/bin/time -v` writes.

    Figures that no kernel fills in any more are 0 there and here; one that
    was not measured is 0 as well, since readers expect a number.
    """
    wall_s = resources.wall_s or 0.0
    lines = [
        f'Command being timed: "{_command(argv)}"',
        f"User time (seconds): {resources.user_s or 0:.2f}",
        f"System time (seconds): {resources.system_s or 0:.2f}",
        f"Percent of CPU this job got: {round(resources.cpu_percent or 0)}%",
        f"Elapsed (wall clock) time (h:mm:ss or m:ss): {clock(wall_s)}",
        "Average shared text size (kbytes): 0",
        "Average unshared data size (kbytes): 0",
        "Average stack size (kbytes): 0",
        "Average total size (kbytes): 0",
        f"Maximum resident set size (kbytes): {(resources.max_rss_bytes or 0) // 1024}",
        "Average resident set size (kbytes): 0",
        f"Major (requiring I/O) page faults: {resources.major_faults or 0}",
        f"Minor (reclaiming a frame) page faults: {resources.minor_faults or 0}",
        f"Voluntary context switches: {resources.voluntary_switches or 0}",
        f"Involuntary context switches: {resources.involuntary_switches or 0}",
        "Swaps: 0",
        f"File system inputs: {resources.inputs or 0}",
        f"File system outputs: {resources.outputs or 0}",
        "Socket messages sent: 0",
        "Socket messages received: 0",
        "Signals delivered: 0",
        f"Page size (bytes): {os.sysconf('SC_PAGE_SIZE')}",
        f"Exit status: {0 if signal else exit_code}",
    ]
    head = ""
    if signal:
        head = f"Command terminated by signal {signal}\n"
    elif exit_code:
        head = f"Command exited with non-zero status {exit_code}\n"
    return head + "".join(f"\t{line}\n" for line in lines)


def clock(seconds: float) -> str:
    """Return a duration as GNU time does: `0:01.25`, from an hour on `1:00:00`."""
    if seconds >= 3600:
        whole = int(seconds)
        return f"{whole // 3600}:{whole % 3600 // 60:02}:{whole % 60:02}"
    hundredths = int(seconds * 100)
    return f"{hundredths // 6000}:{hundredths % 6000 // 100:02}.{hundredths % 100:02}"


def _command(argv: Sequence[str]) -> str:
    return re.sub(r"[^\x20-\x7e]", "?", shlex.join(argv))
