"""Choose the variables of the failed run that its scaffold sets, and say which it does not."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from telltale.capture.redact import HIDDEN, Redactor, secret_name

_NAME = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*$")
_REFUSED = re.compile(
    # What starts programs, finds them, or speaks for git, GitHub or us.
    r"^(?:PATH|IFS|ENV|PS4|SHELLOPTS|BASHOPTS|PROMPT_COMMAND|CDPATH|GLOBIGNORE|HOME|SHELL|USER|LOGNAME"
    r"|PWD|OLDPWD|SHLVL|_|TMPDIR|TMP|TEMP|EDITOR|PAGER|BROWSER|PERL5OPT|PERL5LIB|RUBYOPT|NODE_OPTIONS"
    r"|PYTHONSTARTUP|PYTHONHOME|PYTHONINSPECT|PYTHONEXECUTABLE|PYTHONPLATLIBDIR|PYTHONBREAKPOINT"
    r"|PYTHONUSERBASE|PYTHONPYCACHEPREFIX|PYTEST_CURRENT_TEST|PYTEST_VERSION|PYTEST_ADDOPTS"
    r"|VIRTUAL_ENV|JAVA_HOME|LD_PRELOAD|LD_AUDIT|DYLD_INSERT_LIBRARIES"
    r"|(?:BASH|GIT|SSH|GITHUB|ACTIONS|RUNNER|TELLTALE|CONDA|PYTEST_XDIST)_.*)$"
)
_OF_THE_MACHINE = re.compile(
    # Recorded because they explain a figure; on another machine they are wrong.
    r"^(?:TERM|COLUMNS|LINES|NO_COLOR|FORCE_COLOR|PY_COLORS|ImageOS|ImageVersion|MASTER_(?:ADDR|PORT)"
    r"|GLIBC_TUNABLES|CC|CXX|(?:C|CXX|LD|RUST|MAKE|GO)FLAGS|RUST_.*|GOMAXPROCS|NODE_ENV"
    r"|(?:UV|PIP|TOX|NOX|COVERAGE|SLURM|NVIDIA|NV)_.*)$"
)
_FOLDER = re.compile(r"(?:^|:)[/~]")
_A_PATH = "names a place of that machine: set it yourself if it matters"


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """One variable to set."""

    name: str
    value: str
    critical: bool
    """It was set for this command alone: leaving it out may leave the failure out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """Something of the failed run that the scaffold does not have, and what was done about it."""

    what: str
    done: str


def choose(
    overrides: Mapping[str, str], surrounding: Mapping[str, str]
) -> tuple[tuple[Variable, ...], tuple[Missing, ...]]:
    """
    Return the variables to set, and those that were left out with the reason.

    `overrides` were set for the command on purpose; `surrounding` is what
    else of its environment is known to matter.
    """
    found: list[Variable] = []
    missing: list[Missing] = []
    for name in sorted({*overrides, *surrounding}):
        critical = name in overrides
        value = overrides[name] if critical else surrounding[name]
        reason = _reason(name, value, critical=critical)
        if not reason:
            found.append(Variable(name=name, value=value, critical=critical))
        elif critical or reason == _A_PATH:
            shown = f"{name}={value[:200]}" if reason == _A_PATH else name
            missing.append(Missing(what=shown, done=reason))
    return tuple(found), tuple(missing)


def _reason(name: str, value: str, *, critical: bool) -> str:
    """Return why the variable is not set; empty when it is."""
    if not _NAME.match(name) or "\0" in value:
        return "not a name or value that a shell can set: skipped"
    if _REFUSED.match(name):
        return "belongs to the machine or starts other programs: this machine's own is used"
    if secret_name(name) or HIDDEN in value or Redactor({}).text(value) != value:
        return "its value was never recorded, as it may be a secret: set it yourself if it matters"
    if not critical and _OF_THE_MACHINE.match(name):
        return "describes that machine: this machine's own is used"
    return _A_PATH if not critical and _FOLDER.search(value) else ""
