"""
Start Telltale from its checkout: `python3 -IS bot/run.py VERB ...`.

Nothing is installed and nothing is added to a child's environment. Verbs of
the runner half run at once, in the Python that started this file; verbs of the
bot half run in Telltale's own environment (see `telltale.launcher`).

This file alone must parse on every Python, even 2.7: it is what tells the user
of an old one what to do.
"""
# ruff: noqa: E402, PTH110, PTH120, PTH123, RUF005, S606, UP031, UP036 - for the old Pythons

import os
import sys

# The checkout may be read-only, or shared by jobs that run different Pythons: see `bytecode`.
sys.dont_write_bytecode = True
PROGRAM = os.path.realpath(__file__)

if sys.version_info < (3, 10):
    import subprocess

    probe = "import sys; sys.exit(sys.version_info < (3, 10))"
    names = ["python3"] + ["python3.%d" % minor for minor in range(19, 9, -1)]
    with open(os.devnull, "w") as nowhere:
        for name in names:
            try:
                status = subprocess.call([name, "-ISc", probe], stdout=nowhere, stderr=nowhere)
            except OSError:  # not in PATH
                continue
            if status == 0:
                os.execvp(name, [name, "-IS", PROGRAM] + sys.argv[1:])
    sys.stderr.write(
        "telltale: error: Python 3.10 or newer is needed, found %s (%s) and no newer python3.N in "
        "PATH: install one (on Debian or Ubuntu `apt-get install python3`, in a workflow "
        "actions/setup-python)\n" % (sys.version.split()[0], sys.executable)
    )
    sys.exit(2)

# In a plain C locale Python sets LC_CTYPE for its children (PEP 538); ours get what the job has.
if "LC_CTYPE" in os.environ and os.path.exists("/proc/self/environ"):
    with open("/proc/self/environ", "rb") as given:
        if not any(entry.startswith(b"LC_CTYPE=") for entry in given.read().split(b"\0")):
            del os.environ["LC_CTYPE"]

sys.path.insert(0, os.path.dirname(PROGRAM))

from telltale.launcher import bytecode

bytecode.keep(os.path.dirname(PROGRAM), os.environ)

from telltale import cli, gha, launcher
from telltale.errors import TelltaleError

argv = sys.argv[1:]
try:
    if argv[:1] == ["--make-env"]:  # what scripts/ uses, for the packages of the tests
        launcher.make(argv[1:], os.environ)
        sys.exit(0)
    verb = cli.VERBS.get(argv[0]) if argv else None
    if verb is not None and verb.half == "bot" and not launcher.inside():
        # First of all: a mistake in the arguments must not cost an environment.
        invocation = cli.parse(argv, os.environ)
        launcher.enter(PROGRAM, argv, os.environ, cli.extras(invocation))
    status = cli.main(argv)
except TelltaleError as error:
    sys.stderr.write(gha.error_line(str(error), os.environ) + "\n")
    status = error.exit_code
except KeyboardInterrupt:
    status = 130
sys.exit(status)
