"""
What must hold for a run's figures to be a measurement.

A guard that is missing does not keep the command from running, for what it
shows is evidence all the same; it keeps its figures from being compared.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import PurePath

from telltale.capture import shell
from telltale.errors import UsageError
from telltale.patterns import pattern
from telltale.values import dataclass

_NAME = pattern(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_SHELLS = frozenset({"sh", "bash", "dash", "zsh", "ksh"})
_SHOWN = 5
_LONGEST = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class RequiredVariable:
    """One `--require-env`."""

    name: str
    value: str | None = None
    """None: any will do."""
    unset: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Guards:
    """What a run requires."""

    variables: tuple[RequiredVariable, ...] = ()
    flags: tuple[str, ...] = ()
    clean_tree: bool = False


def read(variables: Sequence[str], flags: Sequence[str], *, clean_tree: bool) -> Guards:
    """Return the guards that the options name; `UsageError` says which one makes no sense."""
    for flag in flags:
        if not _split(flag):
            raise UsageError(f"--require-flag: expected words of the command, got {flag!r}")
    return Guards(
        variables=tuple(_variable(text.strip()) for text in variables if text.strip()),
        flags=tuple(flag.strip() for flag in flags),
        clean_tree=clean_tree,
    )


def missing(
    guards: Guards,
    *,
    argv: Sequence[str],
    environ: Mapping[str, str],
    redact: Callable[[str, str], str],
    changed: Callable[[], Sequence[str] | None],
) -> Iterator[str]:
    """
    Yield a sentence for each guard that does not hold.

    `environ` is the command's; `redact(name, value)` returns what may be shown
    of a value; `changed()` the tracked files that differ from the commit, None
    when nobody knows, and is asked only when that is required.
    """
    for variable in guards.variables:
        yield from _wrong(variable, environ, redact)
    said = [*_words_of(argv), [*_normal(_split(environ.get("PYTEST_ADDOPTS", "")))]]
    for flag in guards.flags:
        wanted = [*_normal(_split(flag))]
        if not any(_contains(words, wanted) for words in said):
            yield f"the command does not say {flag}, which --require-flag wants"
    if guards.clean_tree:
        files = changed()
        if files is None:
            yield "--require-clean-tree: git does not say whether tracked files are unchanged"
        elif files:
            yield f"--require-clean-tree: not as in the commit: {listed(files)}"


def listed(files: Sequence[str]) -> str:
    """Return the first files of several by name, and how many there are."""
    names = ", ".join(files[:_SHOWN])
    more = len(files) - _SHOWN
    return f"{names} and {more} more" if more > 0 else names


def _variable(text: str) -> RequiredVariable:
    name, equals, value = text.partition("=")
    unset = name.startswith("!")
    name = name.removeprefix("!").strip()
    if not _NAME.match(name) or (unset and equals):
        # Not the whole text: its value may be a secret.
        raise UsageError(
            f"--require-env: expected NAME, NAME=VALUE or !NAME, got {text.partition('=')[0]!r}"
            f"{' with a value' if equals else ''}"
        )
    return RequiredVariable(name=name, value=value if equals else None, unset=unset)


def _wrong(
    variable: RequiredVariable, environ: Mapping[str, str], redact: Callable[[str, str], str]
) -> Iterator[str]:
    name, wanted, found = variable.name, variable.value, environ.get(variable.name)
    if variable.unset:
        if found is not None:
            yield f"{name} is set, and --require-env wants it unset"
        return
    as_wanted = "it set" if wanted is None else f"{name}={redact(name, wanted)}"
    if found is None:
        yield f"{name} is not set, and --require-env wants {as_wanted}"
    elif wanted is not None and found != wanted:
        yield f"{name} is {redact(name, found)[:_LONGEST]!r}, and --require-env wants {as_wanted}"


def _words_of(argv: Sequence[str]) -> Iterator[list[str]]:
    """Yield the words of the command, and those of a script in it that a shell is given."""
    yield [*_normal(argv)]
    text = shell.text(argv)
    if not text and PurePath(argv[0]).name in _SHELLS:
        at = next((at for at, word in enumerate(argv) if re.fullmatch(r"-[a-z]*c", word)), None)
        text = argv[at + 1] if at is not None and at + 1 < len(argv) else ""
    yield [*_normal(_split(text))]


def _split(text: str) -> list[str]:
    """Return the words of a shell's text; operators are words of their own."""
    words = shlex.shlex(text, posix=True, punctuation_chars=True)
    words.whitespace_split = True
    words.commenters = ""
    try:
        return [*words]
    except ValueError:  # a quotation that does not end
        return text.split()


def _normal(words: Sequence[str]) -> Iterator[str]:
    # `--gridsize=3` and `--gridsize 3` say the same.
    for word in words:
        name, equals, value = word.partition("=")
        if equals and name.startswith("--"):
            yield name
            yield value
        else:
            yield word


def _contains(words: Sequence[str], wanted: Sequence[str]) -> bool:
    length = len(wanted)
    return any(words[at : at + length] == wanted for at in range(len(words) - length + 1))
