"""
Programs that watch the command from beside it: our children, and none of the command's.

The supervisor starts them after the command and drives them from its loop.
What they use is not counted as the command's, and none of them outlives it
by more than a moment.
"""

from __future__ import annotations

import abc
import functools
import math
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar, final

from telltale.capture import kernel
from telltale.capture.tree import Process

_LOOK_S = 0.1
"""How often to look for something to watch, at most."""
_SHARE = 0.01
"""Of one core, at most, for looking."""

Living = Callable[[], Sequence[Process]]
T = TypeVar("T")


class Program(abc.ABC):
    """One program, started once at a time."""

    name: str
    log: Path
    """Receives what it prints; the folder is there."""

    @abc.abstractmethod
    def argv(self, root: int, living: Sequence[Process]) -> Sequence[str]:
        """
        Return what to start; empty while there is nothing to watch.

        `root` is the command's pid, `living` what lives of the command.
        """

    @abc.abstractmethod
    def ended(self, status: int) -> bool:
        """Hear its exit status while the command still runs; return whether to start it again."""


@final
class Beside:
    """The programs of one run. No method raises: trouble ends up in `problems`."""

    def __init__(
        self, programs: Sequence[Program] = (), environ: Mapping[str, str] | None = None
    ) -> None:
        self.problems: list[str] = []
        self.due = math.inf
        """When the next look is due, by the monotonic clock."""
        self._environ = environ
        self._waiting = list(programs)
        self._running: dict[Program, subprocess.Popen[bytes]] = {}
        self._root = -1
        self._over = False

    @property
    def pids(self) -> frozenset[int]:
        """Of the programs that have not been waited for."""
        return frozenset(process.pid for process in self._running.values())

    def begin(self, root: int) -> None:
        """Begin to look; the command has the pid `root`."""
        self._root = root
        self.due = time.monotonic() if self._waiting else math.inf

    def tick(self, living: Living) -> None:
        """Start what has something to watch by now, and again what ended too early."""
        if self._over:
            return
        for program, status in self._ended():
            if self._attempt(program, functools.partial(program.ended, status)):
                self._waiting.append(program)
                self.due = time.monotonic()
        if time.monotonic() >= self.due:
            before = time.process_time()
            self._look(living())
            cost = time.process_time() - before
            wait = max(_LOOK_S, cost / _SHARE)
            self.due = time.monotonic() + wait if self._waiting else math.inf

    def interrupt(self) -> None:
        """Ask all of them to end and to write what they have; start none any more."""
        self._over = True
        self.due = math.inf
        for process in self._running.values():
            process.send_signal(signal.SIGINT)

    def gone(self) -> bool:
        """Whether none is running."""
        self._ended()
        return not self._running

    def kill(self) -> None:
        """Kill what did not end."""
        self._over = True
        for program, process in self._running.items():
            self.problems.append(f"{program.name} did not end in time and was killed")
            process.kill()
            process.wait()
        self._running.clear()

    def _ended(self) -> list[tuple[Program, int]]:
        ended = [(p, process.poll()) for p, process in self._running.items()]
        found = [(program, status) for program, status in ended if status is not None]
        for program, _ in found:
            del self._running[program]
        return found

    def _look(self, living: Sequence[Process]) -> None:
        for program in list(self._waiting):
            argv = self._attempt(program, functools.partial(program.argv, self._root, living))
            if argv is None:
                self._waiting.remove(program)
            elif argv:
                self._waiting.remove(program)
                process = self._attempt(program, functools.partial(self._start, program, argv))
                if process is not None:
                    self._running[program] = process

    def _start(self, program: Program, argv: Sequence[str]) -> subprocess.Popen[bytes]:
        with program.log.open("ab") as log:
            # A session of its own: a terminal's Ctrl-C is passed on by us, in the order that we
            # want. It is not niced: while it waits for a core, what it looks at stands still.
            return subprocess.Popen(
                argv,
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                # Were we killed, it would watch what is left of the command for ever.
                preexec_fn=kernel.signal_when_we_die(signal.SIGINT),  # noqa: PLW1509  # no threads
            )

    def _attempt(self, program: Program, step: Callable[[], T]) -> T | None:
        try:
            return step()
        except Exception as error:  # noqa: BLE001  # nothing beside the command may end the run
            self.problems.append(f"{program.name} could not be run: {error}")
            return None
