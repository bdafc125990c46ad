"""Programs in a PATH."""

from __future__ import annotations

import os


def which(name: str, path: str) -> str | None:
    """
    Return the file that a shell would run for a name; None when there is none.

    As `shutil.which`, whose module brings three compressions that no run
    needs: 2 ms of CPU before every command.
    """
    places = [""] if os.path.dirname(name) else path.split(os.pathsep) if path else []  # noqa: PTH120
    for place in places:
        program = os.path.join(place, name)  # noqa: PTH118
        if os.access(program, os.F_OK | os.X_OK) and not os.path.isdir(program):  # noqa: PTH112
            return program
    return None
