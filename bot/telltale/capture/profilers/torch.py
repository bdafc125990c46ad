"""torch.profiler inside pytest: Chrome traces of the slowest tests that use torch."""

from __future__ import annotations

from typing import ClassVar, final

from telltale.capture.profilers.inside import TORCH_TESTS, InsideProfiler
from telltale.capture.profilers.interface import Gathered, Place


@final
class Torch(InsideProfiler):
    """A trace of each of the five slowest tests of a process, or of the tests that a variable names."""

    name: ClassVar[str] = "torch"
    package: ClassVar[str] = "torch"
    cost: ClassVar[str] = "1.5 times the CPU time, 1.2 times the memory"

    def finish(self, place: Place) -> Gathered:
        """Return the traces."""
        found = self.recorded(place, ".json")
        problem = self.why_nothing(place)
        if not found and not problem:
            named = place.environ.get(TORCH_TESTS, "")
            which = f" named by {TORCH_TESTS}={named}" if named else ""
            problem = f"no test{which} ran in a process that had torch loaded"
        return Gathered(files=tuple(sorted(found)), missing=problem)
