"""A till of which there is one on the whole machine: two tests that use it must not meet."""

import hashlib
import os
import socket
import time
from pathlib import Path

NAME = f"\0till of {hashlib.sha256(os.fsencode(Path(__file__).resolve())).hexdigest()}"
"""In the abstract name space: it ends with the process that holds it."""


def company() -> bool:
    """Whether another process of the same parent runs tests beside this one."""
    tasks = Path(f"/proc/{os.getppid()}/task").glob("*/children")
    return len({pid for path in tasks for pid in path.read_text("ascii").split()}) > 1


def take() -> socket.socket:
    """Return the till; `OSError` while somebody else has it."""
    till = socket.socket(socket.AF_UNIX)
    try:
        till.bind(NAME)
        till.listen()
    except OSError:
        till.close()
        raise
    return till


def await_holder() -> socket.socket:
    """Return when another process has the till, with what tells it that it may let go."""
    end = time.monotonic() + 60
    while True:
        other = socket.socket(socket.AF_UNIX)
        try:
            other.connect(NAME)
            return other
        except OSError:
            other.close()
            assert time.monotonic() < end, "nobody came"
            time.sleep(0.01)
