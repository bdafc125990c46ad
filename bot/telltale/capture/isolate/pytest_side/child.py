"""
Run pytest for one try, in a process of its own, with the Python of the environment under test.

Started as a script with a plan (JSON): `sys.path` is made what the original
command had, the `plugin.py` beside it arranges the tests. Scaffolds carry a
copy of this file beside a plugin of their own.
"""

from __future__ import annotations

import faulthandler
import json
import os
import runpy
import signal
import sys
from pathlib import Path


def main() -> None:
    """Run pytest as the plan says and exit with its status."""
    plan = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    here = Path(__file__).resolve().parent
    # Our folder was put first; the original command had another one there.
    if sys.path and sys.path[0] and Path(sys.path[0]).resolve() == here:
        del sys.path[0]
    first = Path.cwd() if plan["cwd_on_path"] else Path(sys.executable).parent
    sys.path.insert(0, str(first))
    if hasattr(faulthandler, "register"):
        # Open for the life of the process: the parent asks for the stacks before it kills.
        stacks = os.open(plan["stacks"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        faulthandler.register(signal.SIGUSR2, file=stacks, all_threads=True)
    plugin = runpy.run_path(str(here / "plugin.py"), {"__name__": "telltale_chosen_tests"})
    sys.argv = ["pytest", *plan["arguments"]]
    sys.exit(plugin["run"](plan))


if __name__ == "__main__":
    main()
