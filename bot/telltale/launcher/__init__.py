"""
Telltale's own environment: made once per lock file, entered by the verbs of the bot half.

The runner half needs nothing from here. The bot half needs libraries, and the
job's Python must not get them: it is the thing under test. So they live in a
virtual environment of their own, outside the checkout and outside the job.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from telltale.errors import UsageError

_INSIDE = "telltale"


def inside() -> bool:
    """Return whether this process already runs in Telltale's environment."""
    # Said by an option of the interpreter, because a variable would reach the children.
    return _INSIDE in sys._xoptions  # noqa: SLF001 - documented in `sys` under -X


def enter(
    program: str, argv: Sequence[str], environ: Mapping[str, str], extras: Sequence[str] = ()
) -> NoReturn:
    """
    Start `program` again in Telltale's environment, in place of this process.

    Each of `extras` names a list of further packages beside the program, as in
    `extras/s3.txt`: one that needs none of them has none. The environment variables stay as they are. Raises `SetupError` when the
    environment is missing and cannot be made.
    """
    # Imported here: the runner half starts in every job, and needs none of it.
    from telltale.launcher.environment import find_or_make  # noqa: PLC0415

    here = Path(program).parent
    more = [here / "extras" / f"{name}.txt" for name in extras]
    folder = find_or_make(here / "requirements.txt", environ, more)
    python = str(folder / "bin" / "python")
    sys.stdout.flush()
    sys.stderr.flush()
    # -I: neither the working folder nor the job's PYTHON* variables choose what is imported.
    os.execve(python, [python, "-I", "-X", _INSIDE, program, *argv], dict(environ))  # noqa: S606


def make(arguments: Sequence[str], environ: Mapping[str, str]) -> None:
    """
    Make an environment for a lock file in a folder: `[REQUIREMENTS, FOLDER]`.

    Returns at once when it is there. Raises `SetupError`, or `UsageError` for
    anything but two arguments.
    """
    from telltale.launcher.environment import make_in  # noqa: PLC0415

    if len(arguments) != 2:
        raise UsageError("--make-env takes two arguments: a requirements file and a folder")
    requirements, folder = arguments
    make_in(Path(folder).absolute(), Path(requirements).absolute(), environ)
