"""
py-spy: samples the stacks of the command's Python processes from outside.

It attaches to the command that the supervisor started and is never its
parent: as a wrapper it would lose the command's exit status
(benfred/py-spy#717). Each recording is made once, as speedscope JSON, and
the flame graph is drawn from it.
"""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, final

from telltale.capture import tree
from telltale.capture.beside import Program
from telltale.capture.profilers import flamegraph, ptrace, speedscope
from telltale.capture.profilers.interface import Gathered, Place, Profiler
from telltale.capture.programs import which
from telltale.patterns import pattern

RATE = 100
"""Samples a second."""
_STARTS = 20
"""It ends when no Python is left, as between two commands of a script, and is started again."""
_HELP_S = 10.0
_HOTTEST = 10
_DENIED = pattern(r"permission denied|operation not permitted", re.IGNORECASE)
_NONE_FOUND = "No python processes found"
_FAILURES = 5
"""Starts that may find nothing: the right to look is missing, or the program only looks like a Python."""


@final
class PySpy(Profiler):
    """Stacks of all Python processes, native frames included, as speedscope file and flame graph."""

    name: ClassVar[str] = "py-spy"
    cost: ClassVar[str] = (
        "1.1 times the CPU time; 1.8 times the wall time when cores are short, for native frames"
    )

    def __init__(self) -> None:
        self._recorder: _Recorder | None = None

    def missing(self, place: Place) -> str:
        """Look for the program and for the right to trace."""
        if not _find(place):
            return (
                "py-spy is neither in the command's PATH nor beside its Python:"
                " pip install py-spy, in the job or on the runner"
            )
        return ptrace.refused()

    def beside(self, place: Place) -> Program:
        """Return the recorder."""
        spy = _find(place)
        self._recorder = _Recorder(spy, place.folder, native=_knows_native(spy))
        return self._recorder

    def raw(self, place: Place) -> Gathered:
        """Return the recordings as they are, but for the command lines in them."""
        parts = [part for part in self._recorder.parts if part.is_file()] if self._recorder else []
        for part in parts:
            speedscope.without_command_lines(part)
        return super().raw(place)

    def finish(self, place: Place) -> Gathered:
        """Join the recordings into one file, and draw it."""
        recorder = self._recorder
        if recorder is None:
            return Gathered(missing="it was not started", ran=False)
        parts = [part for part in recorder.parts if part.is_file()]
        recordings, unread = _read(parts)
        if not recordings:
            return Gathered(
                files=(*parts, recorder.log),
                missing=unread or recorder.why_nothing(),
                ran=bool(parts),
            )
        document = speedscope.join(recordings, "py-spy", place.redact)
        stacks = speedscope.fold(document)
        if not stacks:
            return Gathered(files=tuple(parts), missing="no Python was seen at work")
        whole, graph = place.folder / "py-spy.speedscope.json", place.folder / "py-spy.svg"
        whole.write_text(json.dumps(document, separators=(",", ":")), encoding="utf-8")
        title = f"py-spy: {stacks.total():,} samples, {RATE} a second"
        graph.write_text(flamegraph.render(stacks, title=title), encoding="utf-8")
        for part in (*recorder.parts, recorder.log):
            part.unlink(missing_ok=True)
        return Gathered(
            files=(whole, graph),
            missing="; ".join(filter(None, (unread, recorder.without))),
            lines=_table(stacks),
        )


@final
class _Recorder(Program):
    """`py-spy record` on the command and all below it, while there is a Python."""

    name = "py-spy"

    def __init__(self, spy: str, folder: Path, *, native: bool) -> None:
        self.log = folder / "py-spy.log"
        self.parts: list[Path] = []
        self.without = "" if native else "native frames: this py-spy was built without them"
        self._spy = spy
        self._folder = folder
        self._native = native
        self._seen = False
        self._failures = 0
        self._logged = 0
        """Bytes of the log that earlier starts wrote."""

    def argv(self, root: int, living: Sequence[tree.Process]) -> Sequence[str]:
        """Wait for the first Python: on a tree without one py-spy gives up after a second."""
        if not any(tree.is_python(process.pid) for process in living):
            return ()
        self._seen = True
        self._logged = self.log.stat().st_size if self.log.exists() else 0
        self.parts.append(self._folder / f"py-spy-{len(self.parts) + 1}.speedscope.json")
        options = ["--subprocesses", *(["--native"] if self._native else [])]
        output = ["--format", "speedscope", "--full-filenames", "--output", str(self.parts[-1])]
        return [
            *(self._spy, "record", "--pid", str(root), "--rate", str(RATE)),
            *(*options, *output),
        ]

    def ended(self, status: int) -> bool:
        """Go on with the next Python; without native frames where they were the trouble."""
        said = self._said()
        if status and _NONE_FOUND in said:
            self._failures += 1
        elif status and self._native and not _DENIED.search(said):
            self._native = False
            self.without = f"native frames: {self._reason()}"
        elif status:
            return False
        return self._failures < _FAILURES and len(self.parts) < _STARTS

    def why_nothing(self) -> str:
        """Return why there is no recording."""
        if not self._seen:
            return "no Python process was seen"
        if self._failures or _NONE_FOUND in self._said():
            return (
                "py-spy found no Python that it could look into: no right to trace"
                " (CAP_SYS_PTRACE), or a Python that it does not know"
            )
        return self._reason() or "py-spy left no recording"

    def _reason(self) -> str:
        errors = [line for line in self._said().splitlines() if line.strip()]
        said = next((line for line in errors if line.lower().startswith("error")), "")
        reasons = [line for line in errors if line.startswith("Reason:")]
        return " ".join([said, *reasons[:1]]).strip()[:300]

    def _said(self) -> str:
        with contextlib.suppress(OSError):
            text = self.log.read_bytes()[self._logged :]
            return text[-64_000:].decode("utf-8", "replace")
        return ""


def _find(place: Place) -> str:
    beside = Path(place.python.path).parent if place.python else None
    paths = [place.environ.get("PATH"), str(beside) if beside else None]
    return next((spy for path in paths if path and (spy := which("py-spy", path))), "")


def _knows_native(spy: str) -> bool:
    answer = subprocess.run(
        [spy, "record", "--help"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=_HELP_S,
        check=False,
    )
    return b"--native" in answer.stdout


def _read(parts: Sequence[Path]) -> tuple[list[dict[str, Any]], str]:
    recordings, unread = [], []
    for part in parts:
        try:
            recordings.append(speedscope.read(part))
        except (OSError, ValueError, TypeError) as error:  # noqa: PERF203  # one may be damaged
            unread.append(f"{part.name}: {error}")
    return recordings, "; ".join(unread)


def _table(stacks: speedscope.Stacks) -> tuple[str, ...]:
    total = stacks.total()
    return (
        "| Innermost function, by py-spy | Samples |",
        "| --- | ---: |",
        *(
            f"| `{name.replace('`', '').replace('|', '')}` | {100 * count / total:.1f} % |"
            for name, count in speedscope.hottest(stacks, _HOTTEST)
        ),
        "",
    )
