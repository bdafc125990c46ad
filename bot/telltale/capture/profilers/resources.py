"""What the sampler gives of every run, and a picture of it for the summary."""

from __future__ import annotations

from typing import ClassVar, final

from telltale.capture.profilers import timeline
from telltale.capture.profilers.interface import Gathered, Place, Profiler

_FILES = ("artifacts/samples.csv", "artifacts/time.txt")


@final
class Resources(Profiler):
    """Processes, CPU time and memory of the process tree over time."""

    name: ClassVar[str] = "resources"
    cost: ClassVar[str] = "nothing in the command; a look at /proc each second beside it"
    disturbs: ClassVar[bool] = False
    slow: ClassVar[bool] = False

    def finish(self, place: Place) -> Gathered:
        """Return the samples and their chart."""
        files = tuple(place.bundle / name for name in _FILES)
        samples = timeline.read(files[0])
        return Gathered(
            files=tuple(file for file in files if file.is_file()),
            lines=timeline.chart(samples),
            missing="" if len(samples) > 1 else "too short for samples over time",
        )
