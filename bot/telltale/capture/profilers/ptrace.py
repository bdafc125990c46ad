"""
Who may look into another process: what ptrace(2) needs here.

Source: ptrace(2), section "Ptrace access mode checking", and the kernel's
Documentation/admin-guide/LSM/Yama.rst.
"""

from __future__ import annotations

from pathlib import Path

from telltale.capture.profilers import capabilities

_SCOPE = "/proc/sys/kernel/yama/ptrace_scope"


def refused(*, scope: Path = Path(_SCOPE), status: Path = capabilities.STATUS) -> str:
    """
    Return why a child of ours may not look into the command, in one line; empty when it may.

    Yama's scope 1 lets only ancestors look, and what looks here is a sibling
    of the command: it must never be its parent.
    """
    try:
        level = int(scope.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return ""  # a kernel without Yama: the same user may
    if level == 0 or (level < 3 and capabilities.SYS_PTRACE in capabilities.of(status)):
        return ""
    if level >= 3:
        return (
            f"no process of this machine may look into another: {scope} is {level} until a reboot"
        )
    return (
        f"no right to look into the command: {scope} is {level} and this user lacks CAP_SYS_PTRACE:"
        " sudo sysctl kernel.yama.ptrace_scope=0, or docker run --cap-add SYS_PTRACE"
    )
