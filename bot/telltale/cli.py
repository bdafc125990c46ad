"""The command line: read, call, print one line on an error; nothing is decided here."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from telltale import __version__, gha
from telltale.errors import TelltaleError, UsageError
from telltale.options import Invocation, Option, Verb
from telltale.values import replace

OUT = Option(
    name="out", help="Folder that receives the result.", default="telltale-evidence", metavar="DIR"
)
HISTORY = Option(
    name="history",
    help="Where earlier runs are kept: a folder, branch:NAME, branch:NAME@REMOTE or s3://BUCKET/PREFIX.",
    default="branch:telltale-history",
    metavar="URI",
    extras=(("s3://", "s3"),),
)
NODEID = Option(name="nodeid", help="The failed test to take; the first one by default.")
TIMEOUT = Option(
    name="timeout",
    help="Seconds after which the command and everything it started are killed.",
    metavar="SECONDS",
)
HANG_AFTER = Option(
    name="hang-after",
    help="Seconds without output and CPU time after which the command is ended as at its timeout.",
    metavar="SECONDS",
)
SOURCE = Option(
    name="source",
    help="Checkout of the code under test; the current folder by default.",
    default=".",
    metavar="DIR",
)
TOKEN = Option(
    name="token",
    help="Token for the history branch, comments and issues.",
    metavar="TOKEN",
)
ARTIFACT_NAME = Option(
    name="artifact-name",
    help="Name of the uploaded artifact; the default is unique by job, name, leg of the matrix and attempt.",
)

_CONFIG = (
    "File with ceilings and the meaning of numbers; in a job with a token, of the default branch."
)
CONFIG = Option(name="config", help=_CONFIG, default=".github/telltale.yml", metavar="FILE")
FAIL_ON = Option(
    name="fail-on",
    help="Exit with 1 on these verdicts, by commas: regression, new-failure.",
    metavar="NAMES",
)

JSON = Option(name="json", help="Print JSON.", default="false", flag=True)

PROFILE_TESTS = (
    Option(name="command", help="Command to run, written as in bash."),
    Option(
        name="name",
        help="Name of this series of runs; the values of the matrix are added unless it holds one.",
        default="tests",
    ),
    Option(
        name="junit",
        help="Glob of the JUnit XML files that the command writes.",
        default="**/*junit*.xml",
        metavar="GLOB",
    ),
    Option(
        name="probe",
        help="Load Telltale's plugin into pytest: each test as it happens, with CPU time and memory.",
        default="true",
        flag=True,
    ),
    Option(
        name="leaks",
        help="Name the tests that left something of their process changed; needs the probe.",
        default="true",
        flag=True,
    ),
    TIMEOUT,
    HANG_AFTER,
    Option(
        name="profile",
        help="Profilers of the run, by commas or lines: resources, py-spy, cprofile, memray, torch, perf; or none.",
        default="resources",
        metavar="NAMES",
    ),
    Option(
        name="env",
        help="Variables for the command alone, one NAME=VALUE a line.",
        metavar="NAME=VALUE",
        many=True,
    ),
    Option(
        name="image",
        help="Image, with its digest, of the container that the job runs in.",
    ),
    Option(
        name="runner-class",
        help="Name of the kind of machine, in place of its CPU model, CPUs, memory, their limits and GPUs.",
        metavar="NAME",
    ),
    Option(
        name="mask",
        help="Values that nothing may keep, one a line; secrets of the workflow.",
        metavar="VALUE",
        many=True,
    ),
    Option(
        name="working-directory",
        help="Folder in which the command runs.",
        default=".",
        metavar="DIR",
    ),
    OUT,
    Option(
        name="matrix",
        help="The job's leg of its matrix, as JSON; the action knows it, a reusable workflow does not.",
        metavar="JSON",
    ),
    ARTIFACT_NAME,
    Option(
        name="continue-on-failure",
        help="Let the step succeed though the command failed; the outputs say how it ended.",
        default="false",
        flag=True,
    ),
    Option(
        name="require-env",
        help="What must be set for the figures to count: NAME, NAME=VALUE, or !NAME for unset; one a line.",
        metavar="NAME[=VALUE]",
        many=True,
    ),
    Option(
        name="require-flag",
        help="What the command must say for the figures to count, as --gridsize 3; one a line.",
        metavar="WORDS",
        many=True,
    ),
    Option(
        name="require-clean-tree",
        help="Only figures of unchanged files count: tracked files must be as in the commit.",
        default="false",
        flag=True,
    ),
    Option(
        name="isolate",
        help="auto runs failed tests again, alone and after others, and says what they depend on; or off.",
        default="off",
        metavar="auto|off",
    ),
    Option(
        name="isolate-budget",
        help="Seconds for that, after the command has ended.",
        default="120",
        metavar="SECONDS",
    ),
    Option(
        name="history",
        help="Where earlier runs are kept: a folder, branch:NAME or branch:NAME@REMOTE; by them confirm knows what is suspected.",
        metavar="URI",
    ),
    Option(
        name="history-token",
        help="Token to read the history and the base with, where the checkout keeps none.",
        metavar="TOKEN",
    ),
    Option(
        name="confirm",
        help="Measure suspects again, with and without the change in turn: auto (of pull requests, with history), always or never.",
        default="auto",
        metavar="auto|always|never",
    ),
    Option(
        name="confirm-budget",
        help="Seconds for that, after the command has ended.",
        default="120",
        metavar="SECONDS",
    ),
    Option(
        name="confirm-build",
        help="What builds the code without the change, written as in bash; $TELLTALE_SITE is where to install it.",
        metavar="COMMAND",
    ),
)

HISTORY_STEPS: Mapping[str, Verb] = {
    "list": Verb(
        help="List the series: how many records of which days, and what they weigh.",
        half="bot",
        module="history_list",
        options=(HISTORY, TOKEN, JSON),
    ),
    "show": Verb(
        help="Show one record, or the last runs of a series.",
        half="bot",
        module="history_show",
        arguments="SERIES|ID|PATH",
        options=(
            HISTORY,
            TOKEN,
            Option(name="limit", help="Runs of a series to show.", default="20", metavar="COUNT"),
            JSON,
        ),
    ),
    "verify": Verb(
        help="Read everything and name what is damaged, misplaced or double; exit status 1 then.",
        half="bot",
        module="history_verify",
        options=(HISTORY, TOKEN, JSON),
    ),
    "export": Verb(
        help="Write the history as a dataset that databases read.",
        half="bot",
        module="history_export",
        options=(
            HISTORY,
            TOKEN,
            Option(
                name="format",
                help="parquet, csv or jsonl.",
                default="parquet",
                metavar="FORMAT",
                extras=(("parquet", "parquet"),),
            ),
            Option(
                name="out",
                help="Folder that receives the dataset, in place of an earlier one.",
                default="telltale-history",
                metavar="DIR",
            ),
            Option(
                name="series",
                help="Only this series, by title, job, name or folder; all by default.",
                metavar="SERIES",
                many=True,
            ),
        ),
    ),
}

VERBS: Mapping[str, Verb] = {
    "profile-tests": Verb(
        help="Run a test command under measurement and keep an evidence bundle.",
        half="runner",
        module="profile_tests",
        options=PROFILE_TESTS,
        wraps=True,
    ),
    "record": Verb(
        help="Add bundles, or records that were kept, to the history.",
        half="bot",
        module="record",
        arguments="BUNDLE...",
        options=(HISTORY, TOKEN),
    ),
    "compare": Verb(
        help="Compare bundles with their history.",
        half="bot",
        module="compare",
        arguments="BUNDLE...",
        options=(
            HISTORY,
            OUT,
            Option(
                name="record",
                help="Add the runs to the history after comparing them.",
                default="false",
                flag=True,
            ),
            CONFIG,
            # The action's step of this verb never fails a job: `report` is where a gate belongs.
            replace(FAIL_ON, input=False),
            TOKEN,
        ),
    ),
    "report": Verb(
        help="Fold the bundles of a run into one comment, keep the history, file issues.",
        half="bot",
        module="report",
        arguments="[BUNDLE...]",
        options=(
            HISTORY,
            Option(
                name="out",
                help="Folder that receives the report.",
                default="telltale-report",
                metavar="DIR",
            ),
            TOKEN,
            Option(
                name="login",
                help="Login that the token writes under; needed for the token of your own GitHub App.",
            ),
            Option(
                name="comment",
                help="Comment on the pull request.",
                default="true",
                flag=True,
            ),
            Option(
                name="issues",
                help="File an issue for a flaky failure that recurred.",
                default="true",
                flag=True,
            ),
            CONFIG,
            FAIL_ON,
            Option(
                name="dry-run",
                help="Talk to nobody; write what would be posted.",
                default="false",
                flag=True,
                input=False,
            ),
        ),
    ),
    "signatures": Verb(
        help="Name the failures on standard input: JSON lines in, JSON lines out.",
        half="runner",
        module="signatures",
    ),
    "flakes": Verb(
        help="List flaky tests.",
        half="bot",
        module="flakes",
        options=(
            HISTORY,
            TOKEN,
            JSON,
        ),
    ),
    "drift": Verb(
        help="List changes of level on the default branch.",
        half="bot",
        module="drift",
        options=(
            HISTORY,
            TOKEN,
            JSON,
        ),
    ),
    "scaffold": Verb(
        help="Write a folder that reproduces a failure.",
        half="bot",
        module="scaffold",
        arguments="BUNDLE",
        options=(NODEID, OUT),
    ),
    "reproduce": Verb(
        help="Run a scaffold and say whether, or how often, it fails.",
        half="bot",
        module="reproduce",
        arguments="SCAFFOLD",
        options=(
            Option(name="budget", help="Seconds to spend.", default="300", metavar="SECONDS"),
            Option(
                name="rate",
                help="Measure how often it fails instead of stopping at the first failure.",
                default="false",
                flag=True,
            ),
            SOURCE,
        ),
    ),
    "isolate": Verb(
        help="Run a failed test alone and after others, and say what it depends on.",
        half="runner",
        module="isolate",
        arguments="BUNDLE NODEID",
        options=(
            Option(name="budget", help="Seconds to spend.", default="120", metavar="SECONDS"),
            SOURCE,
            JSON,
        ),
    ),
    "history": Verb(
        help="Look into the history and look after it.",
        half="bot",
        module="",
        steps=HISTORY_STEPS,
    ),
    "validate": Verb(
        help="Check that bundles are complete and well formed.",
        half="runner",
        module="validate",
        arguments="BUNDLE...",
    ),
}


def main(argv: Sequence[str] | None = None) -> int:
    """
    Run one verb and return its exit status.

    A `TelltaleError` is one line on stderr; anything else is a bug of ours.
    """
    # Progress must appear as it happens in a job's log, whatever PYTHON* variables say.
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)
    environ = dict(os.environ)
    try:
        invocation = parse(sys.argv[1:] if argv is None else argv, environ)
        module = importlib.import_module(f"telltale.verbs.{calls()[invocation.verb].module}")
        status: int = module.run(invocation)
    except TelltaleError as error:
        print(gha.error_line(str(error), environ), file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        # `telltale flakes | head`: the reader has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:  # noqa: BLE001  # a bug of ours: its trace, one line, and 70
        sys.excepthook(type(error), error, error.__traceback__)
        message = f"Telltale itself failed ({type(error).__name__}); please report the trace above"
        print(gha.error_line(message, environ), file=sys.stderr)
        return TelltaleError.exit_code
    return status


def calls() -> dict[str, Verb]:
    """Return what can be called, as it is typed: `record`, `history list`."""
    found = {}
    for name, verb in VERBS.items():
        steps = {f"{name} {step}": each for step, each in verb.steps.items()}
        found.update(steps or {name: verb})
    return found


def extras(invocation: Invocation) -> tuple[str, ...]:
    """Return the lists of `bot/extras/` whose packages this call needs, sorted."""
    options = calls()[invocation.verb].options
    return tuple(
        sorted(
            {
                extra
                for option in options
                for start, extra in option.extras
                if invocation.text(option.name).startswith(start)
            }
        )
    )


def parse(argv: Sequence[str], environ: Mapping[str, str]) -> Invocation:
    """Turn arguments and variables into an `Invocation`; argparse exits with 2 on a mistake."""
    before, command = _split(argv)
    args = vars(_parser(environ, before[:1]).parse_args(before))
    name = " ".join(filter(None, (args["verb"], args.get("step"))))
    verb = calls()[name]
    if command and not verb.wraps:
        raise UsageError(f"{name} runs no command: remove `-- {command[0]} ...`")
    values: dict[str, str | tuple[str, ...]] = {}
    for option in verb.options:
        value = args[option.name.replace("-", "_")]
        values[option.name] = tuple(value) if option.many else value
    return Invocation(
        verb=name,
        values=values,
        arguments=tuple(args.get("arguments") or ()),
        command=command,
        environ=environ,
    )


def _split(argv: Sequence[str]) -> tuple[list[str], tuple[str, ...]]:
    # By hand: argparse would give `--` and what follows to the options it knows.
    if "--" not in argv:
        return list(argv), ()
    at = list(argv).index("--")
    return list(argv[:at]), tuple(argv[at + 1 :])


def _parser(environ: Mapping[str, str], called: Sequence[str]) -> argparse.ArgumentParser:
    """Return the parser of the verb that is called, else of all, without options, which take time."""
    parser = argparse.ArgumentParser(
        prog="telltale",
        description="Evidence of every run, verdicts one can defend, failures that reproduce.",
        allow_abbrev=False,
        formatter_class=_Formatter,
    )
    parser.add_argument("--version", action="version", version=f"telltale {__version__}")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    known = [name for name in called if name in VERBS]
    for name in known or VERBS:
        _add_verb(verbs, name, VERBS[name], environ if known else None)
    return parser


def _add_verb(
    among: Any, name: str, verb: Verb, environ: Mapping[str, str] | None, before: str = ""
) -> None:
    """Add a verb, or a step of one; without its options and steps when there is no environment."""
    usage = f"telltale {before}{name} "
    usage += "STEP" if verb.steps else "[options]"
    usage += f" {verb.arguments}" if verb.arguments else ""
    usage += " -- COMMAND..." if verb.wraps else ""
    sub = among.add_parser(
        name,
        help=verb.help,
        description=verb.help,
        usage=usage,
        allow_abbrev=False,
        formatter_class=_Formatter,
    )
    if environ is None:
        return
    if verb.steps:
        steps = sub.add_subparsers(dest="step", required=True, metavar="STEP")
        for step, each in verb.steps.items():
            _add_verb(steps, step, each, environ, before=f"{name} ")
    for option in verb.options:
        _add(sub, option, environ)
    if verb.arguments:
        sub.add_argument(
            "arguments",
            nargs="*" if verb.arguments.startswith("[") else "+",
            metavar=verb.arguments.strip("[]."),
        )


def _add(parser: argparse.ArgumentParser, option: Option, environ: Mapping[str, str]) -> None:
    # An input left empty arrives as an empty string: it means "not given".
    given = environ.get(option.env, "")
    text = f"{option.help} [{option.env}]".replace("%", "%%")
    if option.flag:
        # Two flags instead of an optional value, which would swallow the argument after it.
        flags = parser.add_mutually_exclusive_group()
        dest, default = option.name.replace("-", "_"), given or option.default
        flags.add_argument(
            f"--{option.name}",
            dest=dest,
            action="store_const",
            const="true",
            default=default,
            help=text,
        )
        flags.add_argument(
            f"--no-{option.name}",
            dest=dest,
            action="store_const",
            const="false",
            help=argparse.SUPPRESS,
        )
    elif option.many:
        parser.add_argument(
            f"--{option.name}",
            action=_Append,
            default=tuple(filter(None, given.splitlines())),
            metavar=option.metavar,
            help=text,
        )
    else:
        parser.add_argument(
            f"--{option.name}",
            default=given or option.default,
            metavar=option.metavar,
            help=f"{text} (default: {option.default})" if option.default else text,
        )


class _Formatter(argparse.HelpFormatter):
    """The usual one, which would import shutil to ask for the width once for each option."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=_width() - 2)


def _width() -> int:
    """Return the width of the terminal, as `shutil.get_terminal_size`."""
    with contextlib.suppress(ValueError, KeyError):
        if (columns := int(os.environ["COLUMNS"])) > 0:
            return columns
    with contextlib.suppress(OSError):
        return os.get_terminal_size(1).columns or 80
    return 80


class _Append(argparse.Action):
    """Like `append`, but the first flag replaces what the variable held."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,  # noqa: ARG002
        namespace: argparse.Namespace,
        values: str | Sequence[object] | None,
        option_string: str | None = None,  # noqa: ARG002
    ) -> None:
        """Add one value."""
        seen = getattr(namespace, self.dest)
        before = seen if isinstance(seen, list) else []
        setattr(namespace, self.dest, [*before, str(values)])
