"""
What this process may do beyond its user's rights: capabilities(7).

Source: proc_pid_status(5), `CapEff`, and linux/capability.h.
"""

from __future__ import annotations

import re
from pathlib import Path

STATUS = Path("/proc/self/status")
SYS_PTRACE = 19
SYS_ADMIN = 21
PERFMON = 38


def of(status: Path = STATUS) -> frozenset[int]:
    """Return the numbers of the capabilities that are in effect; none where there is no /proc."""
    try:
        found = re.search(r"^CapEff:\s*([0-9a-f]+)", status.read_text("utf-8"), re.MULTILINE)
    except OSError:
        return frozenset()
    mask = int(found[1], 16) if found else 0
    return frozenset(number for number in range(64) if mask >> number & 1)
