"""
Find pytest in a recorded command, and keep what decides how a test runs.

Selection, reports, repetition and distribution are the scaffold's business;
everything else (configuration, plugins, markers, warnings, timeouts) is part
of the circumstances in which the test failed.
"""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence

from telltale.capture import shell
from telltale.patterns import pattern
from telltale.values import dataclass, field, replace

_PYTHON = pattern(r"^(?:python|pypy)[\d.]*(?:\.exe)?$")
_RUNNERS = (("uv", "run"), ("poetry", "run"), ("pdm", "run"), ("hatch", "run"), ("pipenv", "run"))
_PYTHON_VALUES = ("-X", "-W")
_PYTHON_FLAGS = pattern(r"^-(?:[bBdEIOPqsSuv]+|X.+|W.+)$")

_WITH_VALUE = frozenset(
    # As a text: a block of names is easier to check than forty lines.
    """
    -k -m -p -o -W -c -r -n --tb --rootdir --confcutdir --import-mode --override-ini --config-file
    --deselect --ignore --ignore-glob --maxfail --junitxml --junit-xml --junit-prefix --basetemp
    --durations --durations-min --lfnf --last-failed-no-failures --capture --color --show-capture
    --log-level --log-format --log-file --log-cli-level --log-file-level --verbosity --pdbcls
    --doctest-glob --pythonwarnings --cov --cov-report --cov-config --cov-fail-under --cov-context
    --numprocesses --dist --maxprocesses --max-worker-restart --tx --px --testrunuid
    --maxschedchunk --timeout --timeout-method --session-timeout --reruns --reruns-delay
    --only-rerun --rerun-except --count --repeat-scope --splits --group --store-durations
    --durations-path --splitting-algorithm --html --json-report-file --report-log --alluredir
    --random-order-bucket --random-order-seed --randomly-seed --flake-runs --flake-max-minutes
    --shard-id --num-shards --benchmark-json --benchmark-storage --asyncio-mode --pastebin
    --hypothesis-seed --hypothesis-profile --md-report-output --csv --log-date-format
    --log-cli-format --log-file-format --log-file-mode --log-auto-indent --code-highlight
    --xfail-tb --assert --ds --dc --durations-min
    """.split()  # noqa: SIM905
)
_DROPPED = frozenset(
    """
    -x -n -f -d -k --deselect --ignore --ignore-glob --maxfail --exitfirst --lf --last-failed --ff
    --failed-first --nf --new-first --sw --stepwise --sw-skip --stepwise-skip --lfnf --sw-reset
    --stepwise-reset --last-failed-no-failures --co --collect-only --collectonly --setup-only
    --setup-plan --setup-show --cache-show --cache-clear --pyargs --junitxml --junit-xml
    --junit-prefix --basetemp --durations --durations-min --pdb --pdbcls --trace --pastebin --debug
    --fixtures --markers --help -h --version -V --cov --cov-report --cov-config --cov-fail-under
    --cov-append --cov-branch --no-cov-on-fail --cov-context --cov-reset --numprocesses --dist
    --maxprocesses --max-worker-restart --tx --px --testrunuid --maxschedchunk --looponfail
    --rsyncdir --rsyncignore --forked --boxed --reruns --reruns-delay --only-rerun --rerun-except
    --count --repeat-scope --splits --group --store-durations --durations-path
    --splitting-algorithm --html --self-contained-html --json-report --json-report-file
    --report-log --alluredir --random-order --random-order-bucket --random-order-seed --flake-runs
    --flake-finder --flake-max-minutes --shard-id --num-shards --benchmark-json --csv
    --benchmark-storage --benchmark-autosave --md-report --md-report-output
    """.split()  # noqa: SIM905
)
"""Options that choose, report, repeat, distribute or stop: the scaffold does that itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PytestCommand:
    """How pytest was started, without what the scaffold decides."""

    runner: tuple[str, ...] = ()
    """What stood before the interpreter or pytest and chooses its environment, as `uv run`."""
    python_options: tuple[str, ...] = ()
    """Options of the interpreter."""
    options: tuple[str, ...] = ()
    """Options of pytest that are kept."""
    folders: tuple[str, ...] = ()
    """Folders that were named: a nodeid may be relative to one of them."""
    cwd_on_path: bool = True
    """`python -m pytest` puts the working directory on `sys.path`, `pytest` does not."""
    timeout_s: float | None = None
    """Of one test, as pytest-timeout was told."""
    dropped: tuple[str, ...] = ()
    """What was left out, for people."""
    cwd: str = "."
    """Where a script had gone before, relative to the command's folder."""
    env: Mapping[str, str] = field(default_factory=dict)
    """Variables that a script set for pytest alone."""
    steps: tuple[str, ...] = ()
    """Other commands of the script, which the scaffold does not repeat."""


def find_pytest(argv: Sequence[str], nodeids: Sequence[str]) -> PytestCommand | None:
    """
    Return how the command runs pytest; None when it does not, as far as one can see.

    `nodeids` are tests of the run: by them a path is told from an option's value.
    """
    script = shell.text(argv) or _script(argv)
    if not script:
        return _command(argv, nodeids)
    found: PytestCommand | None = None
    cwd, steps = ".", []
    exported: dict[str, str] = {}
    for words, text in _simple_commands(script):
        env, rest = _assignments(words[1:] if words[0] == "export" else words)
        command = _command(rest, nodeids) if found is None else None
        if command is not None:
            found = replace(command, cwd=cwd, env={**exported, **env})
        elif words[0] == "export" and not rest and found is None:
            exported.update(env)
        elif words[:1] == ["cd"] and len(words) == 2 and found is None and "$" not in words[1]:
            cwd = posixpath.normpath(posixpath.join(cwd, words[1]))
        else:
            steps.append(text)
    return replace(found, steps=tuple(steps)) if found else None


def _script(argv: Sequence[str]) -> str:
    """Return the text of `bash -c TEXT`, however its options are written."""
    if not argv or posixpath.basename(argv[0]) not in {"bash", "sh", "dash", "zsh"}:
        return ""
    for at, word in enumerate(argv[1:-1], start=1):
        if re.match(r"^-[a-z]*c$", word):
            return argv[at + 1]
    return ""


def _simple_commands(script: str) -> Iterator[tuple[list[str], str]]:
    """Yield the commands of a script: words, and the text for people."""
    for line in re.sub(r"\\\n", " ", script).splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars=";&|()<>")
        lexer.whitespace_split = True
        words: list[str] = []
        try:
            for token in [*lexer, ";"]:
                if token and set(token) <= set(";&|()<>"):
                    if words:
                        yield words, shlex.join(words)
                    words = []
                else:
                    words.append(token)
        except ValueError:
            yield [line], line


def _assignments(words: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    env: dict[str, str] = {}
    rest = list(words)
    if rest[:1] == ["env"]:
        rest = rest[1:]
    while rest and re.match(r"^[A-Za-z_]\w*=", rest[0]):
        name, _, value = rest.pop(0).partition("=")
        # What the shell computed is not known.
        if not re.search(r"[$`]", value):
            env[name] = value
    return env, rest


def _command(argv: Sequence[str], nodeids: Sequence[str]) -> PytestCommand | None:
    words = _after_runner(argv)
    runner = tuple(argv[: len(argv) - len(words)])
    if not words:
        return None
    program = posixpath.basename(words[0].replace("\\", "/"))
    python_options: list[str] = []
    if _PYTHON.match(program):
        python_options, words = _after_python(words[1:])
    elif program == "coverage":
        words = _under_coverage(words)
    elif program not in {"pytest", "py.test", "pytest.exe"}:
        return None
    if not words:
        return None
    return replace(
        _options(words[1:], nodeids),
        runner=runner,
        python_options=tuple(python_options),
        cwd_on_path=program not in {"pytest", "py.test", "pytest.exe"},
    )


def _after_runner(argv: Sequence[str]) -> list[str]:
    words = list(argv)
    if tuple(words[:2]) in _RUNNERS:
        words = words[2:]
        while words and words[0].startswith("-"):
            words.pop(0)
    return words


def _after_python(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the interpreter's options and `pytest ...`, empty when it runs something else."""
    options: list[str] = []
    at = 0
    while at < len(words) and words[at] != "-m":
        if not _PYTHON_FLAGS.match(words[at]) and words[at] not in _PYTHON_VALUES:
            return [], []
        take = 2 if words[at] in _PYTHON_VALUES else 1
        options += words[at : at + take]
        at += take
    rest = list(words[at + 1 :])
    return options, rest if rest[:1] in (["pytest"], ["py.test"]) else _under_coverage(rest)


def _under_coverage(words: Sequence[str]) -> list[str]:
    """Return `pytest ...` of `coverage run -m pytest ...`; empty when it is something else."""
    if list(words[:2]) != ["coverage", "run"] or "-m" not in words:
        return []
    rest = list(words[words.index("-m") + 1 :])
    return rest if rest[:1] in (["pytest"], ["py.test"]) else []


def _options(words: Sequence[str], nodeids: Sequence[str]) -> PytestCommand:
    kept: list[str] = []
    dropped: list[str] = []
    folders: list[str] = []
    timeout: float | None = None
    at = 0
    while at < len(words):
        word = words[at]
        name, taken = _option(words, at, nodeids)
        group = list(words[at : at + taken])
        at += taken
        if not name:
            if word not in {"--", "."} and not word.endswith(".py") and "::" not in word:
                folders.append(word.rstrip("/"))
        elif name in _DROPPED or _writes_junit(name, group) or any("$" in one for one in group):
            dropped.append(shlex.join(group))
        else:
            kept += group
            if name == "--timeout":
                timeout = _seconds(group[-1].rpartition("=")[2])
    return PytestCommand(
        options=tuple(kept),
        folders=tuple(folder for folder in folders if _inside(folder)),
        timeout_s=timeout,
        dropped=tuple(dropped),
    )


def _option(words: Sequence[str], at: int, nodeids: Sequence[str]) -> tuple[str, int]:
    """Return the option's name, empty for a path, and how many words it takes."""
    word = words[at]
    following = words[at + 1] if at + 1 < len(words) else ""
    if re.match(r"^-[^0-9]", following):
        following = ""
    if not word.startswith("-") or word in {"-", "--"}:
        return "", 1
    if not word.startswith("--"):
        name = word[:2]
        # `-vv` is one option, `-n4` another with its value, `-lv` two flags.
        alone = name not in _WITH_VALUE and len(set(word[1:])) > 1
        return word if alone else name, 2 if word in _WITH_VALUE and following else 1
    name, equals, _ = word.partition("=")
    if equals or not following:
        return name, 1
    if name in _WITH_VALUE:
        return name, 2
    # An option we do not know: what follows is its value unless it looks like tests.
    unknown = name not in _DROPPED
    return name, 2 if unknown and not _is_path(following, nodeids) else 1


def _is_path(word: str, nodeids: Sequence[str]) -> bool:
    if "::" in word or word.endswith(".py") or word in {".", ".."}:
        return True
    folder = posixpath.normpath(word) + "/"
    return any(f"/{nodeid}".find(f"/{folder}") >= 0 for nodeid in nodeids)


def _writes_junit(name: str, group: Sequence[str]) -> bool:
    return name in {"-o", "--override-ini"} and "junit" in group[-1]


def _inside(folder: str) -> bool:
    return not folder.startswith(("/", "~")) and ".." not in folder.split("/")


def _seconds(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 < value < 1e6 else None
