"""
Linux's perf: samples the machine code that the command's Python runs, kernel included where allowed.

It sees C, C++ and Fortran by their symbols, and of Python only the
interpreter. Attached from beside, as py-spy is. Source: perf-record(1),
perf-script(1), and the kernel's Documentation/admin-guide/sysctl/kernel.rst
for perf_event_paranoid.
"""

from __future__ import annotations

import shutil
import subprocess
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import ClassVar, final

from telltale.capture import tree
from telltale.capture.beside import Program
from telltale.capture.profilers import capabilities, flamegraph
from telltale.capture.profilers.interface import Gathered, Place, Profiler
from telltale.capture.profilers.speedscope import Stacks

RATE = 99
"""Samples a second: not 100, which would beat in time with the machine's own timers."""
_PARANOID = Path("/proc/sys/kernel/perf_event_paranoid")
_UNKNOWN = "[unknown] ([unknown])"
_STARTS = 20
_SCRIPT_S = 60.0
_SCRIPT_BYTES = 256 * 1024 * 1024


@final
class Perf(Profiler):
    """Machine code by its symbols, as perf's own file and a flame graph."""

    name: ClassVar[str] = "perf"
    cost: ClassVar[str] = "1.0 times the CPU time, 1.1 times the wall time when cores are short"

    def __init__(self) -> None:
        self._recorder: _Recorder | None = None

    def missing(self, place: Place) -> str:
        """Look for the program and for the right to count events."""
        if not shutil.which("perf", path=place.environ.get("PATH")):
            return "perf is not in the command's PATH: apt-get install linux-perf (or linux-tools)"
        return refused()

    def beside(self, place: Place) -> Program:
        """Return the recorder."""
        perf = shutil.which("perf", path=place.environ.get("PATH")) or "perf"
        self._recorder = _Recorder(perf, place.folder)
        return self._recorder

    def finish(self, place: Place) -> Gathered:
        """Draw the recordings; only this machine still has the symbols."""
        recorder = self._recorder
        parts = [part for part in recorder.parts if part.is_file()] if recorder else []
        if recorder is None or not parts:
            said = recorder.said() if recorder else ""
            return Gathered(missing=said or "no Python process was seen", ran=False)
        stacks: Stacks = Counter()
        for part in parts:
            stacks.update(_folded(recorder.perf, part))
        if not stacks:
            return Gathered(
                files=tuple(parts), missing=recorder.said() or "no sample of a busy moment"
            )
        recorder.log.unlink(missing_ok=True)
        graph = place.folder / "perf.svg"
        title = f"perf: {stacks.total():,} samples, {RATE} a second"
        graph.write_text(place.redact(flamegraph.render(stacks, title=title)), encoding="utf-8")
        return Gathered(files=(*parts, graph))


@final
class _Recorder(Program):
    """`perf record` on the Python processes that are there when it looks."""

    name = "perf"

    def __init__(self, perf: str, folder: Path) -> None:
        self.perf = perf
        self.log = folder / "perf.log"
        self.parts: list[Path] = []
        self._folder = folder

    def argv(self, _: int, living: Sequence[tree.Process]) -> Sequence[str]:
        """Wait for a Python: perf does not follow a shell to what it starts."""
        pids = [process.pid for process in living if tree.is_python(process.pid)]
        if not pids:
            return ()
        self.parts.append(self._folder / f"perf-{len(self.parts) + 1}.data")
        return [
            *(self.perf, "record", "--quiet", "--freq", str(RATE), "-g"),
            *("--pid", ",".join(map(str, pids)), "--output", str(self.parts[-1])),
        ]

    def ended(self, status: int) -> bool:
        """Go on with the next Python, unless perf itself failed."""
        return status == 0 and len(self.parts) < _STARTS

    def said(self) -> str:
        """Return what perf complained about, in one line."""
        try:
            text = self.log.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""
        return " ".join(text.split())[:300]


def refused(*, paranoid: Path = _PARANOID, status: Path = capabilities.STATUS) -> str:
    """Return why this user may not use perf, in one line; empty when he may."""
    try:
        level = int(paranoid.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return "this kernel was built without perf events"
    able = {capabilities.PERFMON, capabilities.SYS_ADMIN} & capabilities.of(status)
    if level <= 2 or able:
        return ""
    return (
        f"no right to use perf: {paranoid} is {level} and this user lacks CAP_PERFMON:"
        " sudo sysctl kernel.perf_event_paranoid=2"
    )


def _folded(perf: str, part: Path) -> Stacks:
    answer = subprocess.run(
        [perf, "script", "--input", str(part), "--fields", "comm,pid,ip,sym,dso"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        timeout=_SCRIPT_S,
        check=False,
    )
    return fold(answer.stdout[:_SCRIPT_BYTES].decode("utf-8", "replace").splitlines())


def fold(lines: Iterable[str]) -> Stacks:
    """
    Return the stacks of `perf script`, outermost frame first.

    A sample is a line of process and pid, a line for each frame, innermost
    first, as `7f0012 symbol+0x1 (library)`, and an empty line. Code that was
    compiled without frame pointers gives long runs of nothing: one stands for
    all.
    """
    stacks: Stacks = Counter()
    process, frames = "", list[str]()
    for line in (*lines, ""):
        if not line.strip():
            if process:
                stack = (process, *reversed(frames))
                stacks[stack] += 1
            process, frames = "", []
        elif not process:
            process = " ".join(line.replace(":", " ").split())
        elif frames[-1:] != [_UNKNOWN] or _frame(line) != _UNKNOWN:
            frames.append(_frame(line))
    return stacks


def _frame(line: str) -> str:
    _, _, rest = line.strip().partition(" ")
    symbol, _, library = rest.rpartition(" (")
    name = symbol.rsplit("+0x", 1)[0].strip() or "[unknown]"
    return f"{name} ({library.rstrip(')').rpartition('/')[2]})"
