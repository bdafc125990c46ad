"""Signals to Telltale itself, turned into something a loop can wait for."""

from __future__ import annotations

import contextlib
import os
import signal
from types import FrameType, TracebackType
from typing import Any, final

ASKING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Signals that ask us to stop. A cancelled job sends SIGINT, 7.5 s later SIGTERM, 2.5 s later SIGKILL."""


@final
class Signals:
    """
    While it is entered, signals set `asked` and make `fd` readable instead of ending us.

    Only for the main thread, as all of Python's signal handling.
    """

    def __init__(self) -> None:
        self.asked: int | None = None
        """The first signal that asked us to stop."""
        self.times = 0
        """How many did: a second one means that whoever asked is losing patience."""
        self.fd = -1
        self._write = -1
        self._wakeup = -1
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Signals:
        self.fd, self._write = os.pipe()
        os.set_blocking(self.fd, False)
        os.set_blocking(self._write, False)
        self._wakeup = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        for number in ASKING:
            # nohup and a shell's background jobs start us with a signal ignored: we go on
            # ignoring it. By a handler, though, where the command must not inherit that: at its
            # limit it is asked to end by SIGINT.
            ignored = signal.getsignal(number) is signal.SIG_IGN
            if not ignored:
                self._before[number] = signal.signal(number, self._ask)
            elif number == signal.SIGINT:
                self._before[number] = signal.signal(number, _wake)
        self._before[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, _wake)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._wakeup)
        os.close(self.fd)
        os.close(self._write)

    def clear(self) -> None:
        """Forget that `fd` is readable."""
        with contextlib.suppress(BlockingIOError):
            while os.read(self.fd, 4096):
                pass

    def _ask(self, number: int, _frame: FrameType | None) -> None:
        self.times += 1
        if self.asked is None:
            self.asked = number


def _wake(_number: int, _frame: FrameType | None) -> None:
    """Do nothing: a handler must be there for Python to make `fd` readable on SIGCHLD."""
