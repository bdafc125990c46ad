"""
A pytest plugin, Python 3.7 and later: write down at the end which file each module came from.

It is loaded into the runs that confirm a suspect, to tell whether the code
without the change was really imported, and not an installed copy of the other.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path


def pytest_unconfigure() -> None:
    """Write the names of the modules and their files, as JSON."""
    place = os.environ.get("TELLTALE_IMPORTED")
    if not place:
        return
    found = {}
    for name, module in list(sys.modules.items()):
        # Anything may sit in there: lazy modules, None, objects of all kinds.
        file = getattr(module, "__dict__", {}).get("__file__")
        if isinstance(file, str):
            found[str(name)] = os.path.realpath(file)
    Path(place).write_text(json.dumps(found), encoding="utf-8", errors="replace")
