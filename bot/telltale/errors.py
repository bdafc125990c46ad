"""
Every error that a user can act on: one line instead of a traceback.

The message says what happened, where, and what to type next.
"""

from __future__ import annotations


class TelltaleError(Exception):
    """Something went wrong in Telltale itself; `cli.main` prints it and exits with `exit_code`."""

    exit_code = 70
    """EX_SOFTWARE of sysexits.h: Telltale's own failure, never the wrapped command's."""


class UsageError(TelltaleError):
    """An option, an argument, a variable or a configuration file makes no sense."""

    exit_code = 2


class BundleError(TelltaleError):
    """An evidence bundle is missing, damaged or not what it claims to be."""

    exit_code = 2


class SetupError(TelltaleError):
    """Telltale's own environment could not be made (Python, packages, disk)."""


class HistoryError(TelltaleError):
    """The history cannot be read or written. Never raised for a history that is merely empty."""


class PushRaceError(HistoryError):
    """Another writer kept winning; nothing was written and trying later is safe."""


class ForgeError(TelltaleError):
    """GitHub refused or did not answer."""


class ForgeDeniedError(ForgeError):
    """The token may not do this (401, 403, or 404 for what it cannot see)."""


class ScaffoldError(TelltaleError):
    """A scaffold cannot be made from this failure, or is not one."""

    exit_code = 2


class IsolateError(TelltaleError):
    """A test cannot be run alone and with others: it, its command or its code is not there."""

    exit_code = 2
