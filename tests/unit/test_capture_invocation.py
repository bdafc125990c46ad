from __future__ import annotations

import shlex

import pytest

from telltale.capture.invocation import PytestCommand, find_pytest

NODEIDS = ("tests/unit/test_a.py::test_b", "tests/unit/test_a.py::test_c")
BASH = ("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c")


def found(*argv: str) -> PytestCommand:
    command = find_pytest(argv, NODEIDS)
    assert command is not None
    return command


@pytest.mark.parametrize(
    ("argv", "options", "dropped"),
    [
        pytest.param("pytest -q tests", "-q", "", id="plain"),
        pytest.param("pytest -vv -s -rA", "-vv -s -rA", "", id="output-is-kept"),
        pytest.param("pytest -n4 --dist loadfile", "", "-n4|--dist loadfile", id="xdist"),
        pytest.param("pytest -n auto -x tests/unit", "", "-n auto|-x", id="xdist-and-stop"),
        pytest.param("pytest -m 'not slow' -k foo", "-m 'not slow'", "-k foo", id="selection"),
        pytest.param(
            "pytest --junitxml=a.xml --cov --cov-report xml tests",
            "",
            "--junitxml=a.xml|--cov|--cov-report xml",
            id="reports",
        ),
        pytest.param(
            "pytest -p no:randomly -o log_cli=true -W error -c cfg.ini --rootdir=..",
            "-p no:randomly -o log_cli=true -W error -c cfg.ini --rootdir=..",
            "",
            id="configuration-is-kept",
        ),
        pytest.param("pytest -o junit_family=xunit1", "", "-o junit_family=xunit1", id="junit-ini"),
        pytest.param(
            "pytest --timeout 30 --timeout-method=thread",
            "--timeout 30 --timeout-method=thread",
            "",
            id="timeouts-are-kept",
        ),
        pytest.param(
            "pytest --device cuda tests/unit", "--device cuda", "", id="an-option-of-their-own"
        ),
        pytest.param("pytest --fast tests/unit", "--fast", "", id="a-flag-of-their-own"),
        pytest.param("pytest --fast -q", "--fast -q", "", id="a-flag-before-a-flag"),
        pytest.param("pytest --reruns 2 --count=5", "", "--reruns 2|--count=5", id="repetition"),
        pytest.param(
            "pytest --deselect a.py::b --lf", "", "--deselect a.py::b|--lf", id="last-failed"
        ),
        pytest.param("pytest -- tests", "", "", id="end-of-options"),
        pytest.param("pytest -k", "", "-k", id="value-missing"),
    ],
)
def test_options_that_decide_how_a_test_runs_are_kept(
    argv: str, options: str, dropped: str
) -> None:
    command = found(*shlex.split(argv))

    assert list(command.options) == shlex.split(options)
    assert "|".join(command.dropped) == dropped


@pytest.mark.parametrize(
    ("argv", "python_options", "cwd_on_path"),
    [
        pytest.param("pytest -q", "", False, id="pytest"),
        pytest.param("/opt/venv/bin/py.test -q", "", False, id="py.test"),
        pytest.param("python -m pytest -q", "", True, id="python-m"),
        pytest.param(
            "/usr/bin/python3.11 -X dev -W error -bb -m pytest -q",
            "-X dev -W error -bb",
            True,
            id="interpreter-options",
        ),
        pytest.param("uv run --frozen pytest -q", "", False, id="uv"),
        pytest.param("poetry run python -m pytest -q", "", True, id="poetry"),
        pytest.param("coverage run --branch -m pytest -q", "", True, id="coverage"),
        pytest.param("python -m coverage run -m pytest -q", "", True, id="python-coverage"),
    ],
)
def test_pytest_is_found_however_it_was_started(
    argv: str, python_options: str, cwd_on_path: bool
) -> None:
    command = found(*argv.split())

    assert list(command.python_options) == python_options.split()
    assert command.cwd_on_path is cwd_on_path
    assert command.options == ("-q",)


@pytest.mark.parametrize(
    "argv",
    [
        pytest.param(("make", "test"), id="make"),
        pytest.param(("tox", "-e", "py"), id="tox"),
        pytest.param(("python", "run_tests.py"), id="a-script"),
        pytest.param(("python", "-m", "unittest"), id="unittest"),
        pytest.param(("python", "-c", "import pytest"), id="code"),
        pytest.param(("uv", "run"), id="nothing"),
        pytest.param((), id="empty"),
        pytest.param((*BASH, "./build.sh && make check"), id="a-script-without-pytest"),
        pytest.param((*BASH, "echo 'open"), id="an-open-quote"),
    ],
)
def test_other_commands_are_not_taken_for_pytest(argv: tuple[str, ...]) -> None:
    assert find_pytest(argv, NODEIDS) is None


def test_a_script_tells_folder_variables_and_other_steps() -> None:
    command = found(
        *BASH,
        "set -x\ncd packages/core\nexport A=1 B='two words'\nmake fixtures && C=3 python -m pytest"
        " \\\n  -q --seed $SEED tests | tee log.txt",
    )

    assert command.cwd == "packages/core"
    assert command.env == {"A": "1", "B": "two words", "C": "3"}
    assert command.options == ("-q",)
    assert command.dropped == ("--seed '$SEED'",)
    assert command.steps == ("set -x", "make fixtures", "tee log.txt")


def test_what_a_script_computes_is_not_copied() -> None:
    command = found("bash", "-ec", "export A=$(date)\nB=`id` pytest -q")

    assert command.env == {}


def test_the_limit_of_a_test_is_known() -> None:
    assert found("pytest", "--timeout=2.5").timeout_s == 2.5
    assert found("pytest", "--timeout", "never").timeout_s is None


def test_named_folders_stay_inside_the_checkout() -> None:
    assert found("pytest", "tests/unit/", "../x", "/etc", "tests/a.py", ".").folders == (
        "tests/unit",
    )


def test_what_chooses_the_environment_is_kept() -> None:
    assert found("uv", "run", "--frozen", "pytest", "-q").runner == ("uv", "run", "--frozen")
    assert found("python", "-m", "pytest").runner == ()
    assert found(*BASH, "cd a && poetry run pytest").runner == ("poetry", "run")
