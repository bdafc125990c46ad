"""Deaths told apart: by itself, by us, by somebody else; and what is said about each. Pure but for signal names."""

from __future__ import annotations

import signal
from collections.abc import Iterator

from telltale.capture.words import many
from telltale.model import Outcome
from telltale.values import dataclass

TIMED_OUT_STATUS = 124
"""As timeout(1) has it."""
_DEADLY = frozenset(
    {
        *(signal.SIGILL, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGKILL),
        *(signal.SIGSEGV, signal.SIGTERM, signal.SIGXCPU, signal.SIGXFSZ, signal.SIGSYS),
    }
)
_OOM = "the kernel's OOM killer struck {} meanwhile"


@dataclass(frozen=True, slots=True, kw_only=True)
class Death:
    """The end of a command as the kernel tells it, and what we did to bring it about."""

    raw: int
    """Exit status, or minus the signal that ended it."""
    through_shell: bool
    """The command was a text for a shell, which tells a signal as 128+N."""
    why: Outcome
    """TIMED_OUT or INTERRUPTED when we began to end it ourselves, else RUNNING."""
    asked: int | None
    """The signal that asked us to stop."""
    oom_kills: int
    """How often the OOM killer struck while it ran."""

    @property
    def exit_code(self) -> int:
        """As a shell tells it."""
        return self.raw if self.raw >= 0 else 128 - self.raw

    @property
    def signal(self) -> int | None:
        """The signal that ended it."""
        if self.raw < 0:
            return -self.raw
        # A program may exit with such a number by itself; of a shell that would be odd.
        return self.raw - 128 if self.through_shell and self.raw - 128 in _DEADLY else None

    @property
    def outcome(self) -> Outcome:
        """How the run ended."""
        if self.why is not Outcome.RUNNING:
            return self.why
        if self.signal is not None:
            # Somebody stopped all of us at once and it died before we passed the signal on.
            return Outcome.INTERRUPTED if self.signal == self.asked else Outcome.CRASHED
        return Outcome.PASSED if self.exit_code == 0 else Outcome.FAILED

    @property
    def status(self) -> int:
        """What Telltale exits with."""
        if self.outcome is Outcome.TIMED_OUT:
            return TIMED_OUT_STATUS
        if self.outcome is Outcome.INTERRUPTED:
            return 128 + (self.asked or signal.SIGINT)
        return self.exit_code

    @property
    def out_of_memory(self) -> bool:
        """The OOM killer is the likely cause."""
        return self.signal == signal.SIGKILL and self.oom_kills > 0

    def findings(self) -> Iterator[str]:
        """Yield what a reader must know about a death that was not ours."""
        if self.outcome is Outcome.CRASHED and self.signal:
            yield _crash(self.signal, self.oom_kills)
        elif self.oom_kills:
            yield f"{_OOM.format(many(self.oom_kills, 'time'))}, maybe one of the command's processes"


def _crash(number: int, oom_kills: int) -> str:
    name = signal.Signals(number).name if number in set(signal.Signals) else str(number)
    if number != signal.SIGKILL:
        return f"the command was ended by signal {number} ({name}), which Telltale did not send"
    cause = (
        f"{_OOM.format(many(oom_kills, 'time'))}: out of memory is the likely cause"
        if oom_kills
        else "somebody else sent it; the kernel counted no out-of-memory kill meanwhile"
    )
    return f"the command was ended by signal 9 (SIGKILL), which Telltale did not send: {cause}"
