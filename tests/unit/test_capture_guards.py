"""What must hold for a run's figures to be a measurement: read, checked, and told."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from telltale.capture import guards, shell
from telltale.capture.redact import Redactor
from telltale.errors import UsageError


def missing(
    *,
    variables: Sequence[str] = (),
    flags: Sequence[str] = (),
    clean_tree: bool = False,
    argv: Sequence[str] = ("pytest",),
    environ: dict[str, str] | None = None,
    changed: Sequence[str] | None = (),
) -> list[str]:
    environ = environ or {}
    return list(
        guards.missing(
            guards.read(variables, flags, clean_tree=clean_tree),
            argv=argv,
            environ=environ,
            redact=Redactor(environ).value,
            changed=lambda: changed,
        )
    )


@pytest.mark.parametrize(
    ("required", "environ", "said"),
    [
        ("NO_COMPILE", {"NO_COMPILE": "0"}, ""),
        ("NO_COMPILE", {"NO_COMPILE": ""}, ""),
        ("NO_COMPILE", {}, "NO_COMPILE is not set, and --require-env wants it set"),
        ("NO_COMPILE=1", {"NO_COMPILE": "1"}, ""),
        ("NO_COMPILE=1", {}, "NO_COMPILE is not set, and --require-env wants NO_COMPILE=1"),
        (
            "NO_COMPILE=1",
            {"NO_COMPILE": "0"},
            "NO_COMPILE is '0', and --require-env wants NO_COMPILE=1",
        ),
        ("DEVICES=", {"DEVICES": ""}, ""),
        ("DEVICES=", {"DEVICES": "0"}, "DEVICES is '0', and --require-env wants DEVICES="),
        ("A=b=c", {"A": "b=c"}, ""),
        ("!THREADS", {}, ""),
        ("!THREADS", {"THREADS": ""}, "THREADS is set, and --require-env wants it unset"),
        (" ! THREADS ", {"THREADS": "1"}, "THREADS is set, and --require-env wants it unset"),
    ],
)
def test_variables(required: str, environ: dict[str, str], said: str) -> None:
    assert missing(variables=[required], environ=environ) == [said][: bool(said)]


def test_values_of_secrets_are_not_told() -> None:
    found = missing(
        variables=["API_KEY=wanted-secret", "CI=ghp_0123456789012345678901234567890123456789"],
        environ={"API_KEY": "found-secret", "CI": "1"},
    )

    assert len(found) == 2
    assert not [word for word in ("wanted-secret", "found-secret", "ghp_") if word in str(found)]


@pytest.mark.parametrize("text", ["1A=b", "A B=c", "!A=b", "=", "!", "-x"])
def test_what_is_no_variable_is_a_mistake(text: str) -> None:
    with pytest.raises(UsageError, match="--require-env: expected NAME, NAME=VALUE or !NAME"):
        guards.read([text], (), clean_tree=False)


def test_the_mistake_does_not_tell_the_value() -> None:
    with pytest.raises(UsageError) as caught:
        guards.read(["MY KEY=hunter2-hunter2"], (), clean_tree=False)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "  ", '""'[:0]])
def test_an_empty_flag_is_a_mistake(text: str) -> None:
    with pytest.raises(UsageError, match="--require-flag"):
        guards.read((), [text], clean_tree=False)


GRID = ("--gridsize 3", "--gridsize=3")


@pytest.mark.parametrize("flag", GRID)
@pytest.mark.parametrize(
    "argv",
    [
        ("pytest", "--gridsize", "3"),
        ("pytest", "--gridsize=3", "-q"),
        shell.argv("A=1 pytest -q --gridsize 3"),
        shell.argv("pytest --gridsize=3&& echo done"),
        shell.argv("(cd x; pytest --gridsize 3)"),
        shell.argv("pytest '--gridsize' \"3\"; true"),
        ("bash", "-ec", "pytest --gridsize 3"),
    ],
)
def test_flags_that_are_said(argv: tuple[str, ...], flag: str) -> None:
    assert missing(flags=[flag], argv=argv) == []


@pytest.mark.parametrize(
    "argv",
    [
        ("pytest",),
        ("pytest", "--gridsize", "30"),
        ("pytest", "--gridsize", "-q", "3"),
        ("pytest", "--gridsize 3"),
        ("pytest", "--no-gridsize", "3"),
        shell.argv("pytest --gridsize 30"),
        shell.argv("pytest 'a --gridsize 3'"),
        ("bash", "-c"),
    ],
)
def test_flags_that_are_not_said(argv: tuple[str, ...]) -> None:
    assert missing(flags=["--gridsize 3"], argv=argv) == [
        "the command does not say --gridsize 3, which --require-flag wants"
    ]


def test_a_flag_may_come_by_pytest_addopts() -> None:
    assert missing(flags=["--gridsize 3"], environ={"PYTEST_ADDOPTS": "-q --gridsize=3"}) == []


def test_text_that_no_shell_can_read_is_taken_by_its_spaces() -> None:
    assert missing(flags=["--gridsize 3"], argv=shell.argv("pytest --gridsize 3 'oops")) == []


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ((), []),
        (("a.py",), ["--require-clean-tree: not as in the commit: a.py"]),
        (
            tuple("abcdefg"),
            ["--require-clean-tree: not as in the commit: a, b, c, d, e and 2 more"],
        ),
        (None, ["--require-clean-tree: git does not say whether tracked files are unchanged"]),
    ],
)
def test_the_tree(changed: tuple[str, ...] | None, said: list[str]) -> None:
    assert missing(clean_tree=True, changed=changed) == said
    assert missing(changed=changed) == []
