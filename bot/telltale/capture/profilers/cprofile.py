"""cProfile inside pytest: how often each function was called and how long it took."""

from __future__ import annotations

import subprocess
from typing import ClassVar, final

from telltale.capture.profilers.inside import NO_SESSION, InsideProfiler, ask
from telltale.capture.profilers.interface import Gathered, Place

_TEXT_S = 30.0
# Only the command's own Python is sure to read what it wrote. What cannot be read is left out.
_TEXT = """
import pstats, sys
stats, read = None, 0
for path in sys.argv[1:]:
    try:
        if stats is None:
            stats = pstats.Stats(path)
        else:
            stats.add(path)
        read += 1
    except Exception as error:
        print("# %s could not be read: %s" % (path.split("/")[-1], error))
if stats is not None:
    print("# %d of %d processes together, main threads only." % (read, len(sys.argv) - 1))
    print("\\n# By the time in the function itself\\n")
    stats.sort_stats("tottime").print_stats(60)
    print("# By the time in it and all it called\\n")
    stats.sort_stats("cumulative").print_stats(60)
"""


@final
class CProfile(InsideProfiler):
    """Totals of every function, one file a process, and a text of the top ones."""

    name: ClassVar[str] = "cprofile"
    cost: ClassVar[str] = "1.9 times the CPU time, 1.1 times the memory"

    def finish(self, place: Place) -> Gathered:
        """Write the text of the top functions."""
        found = self.recorded(place, ".pstats")
        problem = self.why_nothing(place)
        if not found:
            return Gathered(missing=problem or NO_SESSION)
        text = place.folder / "cprofile.txt"
        try:
            said = ask(place, "-c", _TEXT, *map(str, found), seconds=_TEXT_S)
        except (OSError, subprocess.SubprocessError) as error:
            return Gathered(files=tuple(found), missing=f"cprofile.txt: {error}"[:300])
        text.write_text(place.redact(said), encoding="utf-8")
        return Gathered(files=(*sorted(found), text), missing=problem)
