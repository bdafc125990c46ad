"""memray inside pytest: every allocation, and who made those of the peak."""

from __future__ import annotations

import shlex
import subprocess
import time
from pathlib import Path
from typing import ClassVar, final

from telltale.capture.profilers.inside import NO_SESSION, InsideProfiler, ask
from telltale.capture.profilers.interface import Gathered, Place

_ALL_S = 90.0
"""For all pictures together."""


@final
class Memray(InsideProfiler):
    """One recording a process, readable up to a kill, with a flame graph of its peak."""

    name: ClassVar[str] = "memray"
    package: ClassVar[str] = "memray"
    cost: ClassVar[str] = "1.7 times the CPU time, 1.1 times the memory"

    def finish(self, place: Place) -> Gathered:
        """Let the user's memray draw the recordings, while there is time."""
        found = self.recorded(place, ".bin")
        problem = self.why_nothing(place)
        if not found:
            return Gathered(missing=problem or NO_SESSION)
        end = time.monotonic() + _ALL_S
        pages = []
        for recording in found:
            page = recording.with_suffix(".html")
            args = ("-m", "memray", "flamegraph", "--force", "--output", str(page), str(recording))
            try:
                ask(place, *args, seconds=max(0.1, end - time.monotonic()))
            except (OSError, subprocess.SubprocessError):
                problem = problem or _by_hand(recording)
            else:
                pages.append(page)
        return Gathered(files=(*sorted(found), *pages), missing=problem)


def _by_hand(recording: Path) -> str:
    name = shlex.quote(recording.name)
    return f"a flame graph, which took too long or failed here: python -m memray flamegraph {name}"
