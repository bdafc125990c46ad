"""Options as data: a flag, a variable and an input are one thing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from telltale.cli import calls, extras, main, parse
from telltale.errors import UsageError
from telltale.options import Invocation

ROOT = Path(__file__).parents[2]
RUN = [sys.executable, "-IS", str(ROOT / "bot/run.py")]


def given(value: str, name: str = "x") -> Invocation:
    return Invocation(verb="verb", values={name: value})


class TestParse:
    def test_a_flag_beats_the_variable_and_the_variable_beats_the_default(self) -> None:
        environ = {"TELLTALE_NAME": "from-variable", "TELLTALE_TIMEOUT": "600"}
        invocation = parse(["profile-tests", "--name", "from-flag"], environ)
        assert invocation.text("name") == "from-flag"
        assert invocation.seconds("timeout") == 600
        assert invocation.text("working-directory") == "."

    def test_an_empty_variable_means_not_given(self) -> None:
        assert parse(["profile-tests"], {"TELLTALE_NAME": ""}).text("name") == "tests"

    def test_the_command_after_two_dashes_is_kept_byte_for_byte(self) -> None:
        invocation = parse(["profile-tests", "--", "a", "--name", "b c", "--", ""], {})
        assert invocation.command == ("a", "--name", "b c", "--", "")
        assert invocation.text("name") == "tests"

    def test_a_command_for_a_verb_that_runs_none_is_a_mistake(self) -> None:
        with pytest.raises(UsageError, match=r"record runs no command: remove `-- ls"):
            parse(["record", "bundle", "--", "ls"], {})

    def test_values_given_several_times_replace_the_variables_lines(self) -> None:
        environ = {"TELLTALE_ENV": "A=1\nB=2"}
        assert parse(["profile-tests"], environ).pairs("env") == {"A": "1", "B": "2"}
        argv = ["profile-tests", "--env", "C=3", "--env", "D=x=y"]
        assert parse(argv, environ).pairs("env") == {"C": "3", "D": "x=y"}

    @pytest.mark.parametrize(
        ("argv", "variable", "expected"),
        [
            pytest.param(["--record", "bundle"], "", True, id="flag-does-not-swallow-the-argument"),
            pytest.param(["bundle"], "true", True, id="variable"),
            pytest.param(["--no-record", "bundle"], "true", False, id="flag-against-variable"),
            pytest.param(["bundle"], "", False, id="default"),
        ],
    )
    def test_flags(self, argv: list[str], variable: str, expected: bool) -> None:
        invocation = parse(["compare", *argv], {"TELLTALE_RECORD": variable})
        assert invocation.flag("record") is expected
        assert invocation.arguments == ("bundle",)

    @pytest.mark.parametrize("verb", calls())
    def test_every_verb_explains_itself(
        self, verb: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with pytest.raises(SystemExit) as exit_:
            parse([*verb.split(), "--help"], {})
        assert exit_.value.code == 0
        printed = capsys.readouterr().out
        for option in calls()[verb].options:
            assert f"--{option.name}" in printed
            assert option.env in printed.replace("\n", "")

    @pytest.mark.parametrize(
        ("argv", "needed"),
        [
            pytest.param(["record", "b", "--history", "s3://b/p"], ("s3",), id="object-store"),
            pytest.param(["record", "b", "--history", "s3"], (), id="folder"),
            pytest.param(["record", "b"], (), id="branch"),
        ],
    )
    def test_what_a_call_needs_beside_the_bots_packages(
        self, argv: list[str], needed: tuple[str, ...]
    ) -> None:
        assert extras(parse(argv, {})) == needed

    def test_every_extra_has_its_lock_file(self) -> None:
        named = {
            extra for verb in calls().values() for each in verb.options for _, extra in each.extras
        }
        assert named
        for name in named:
            assert (ROOT / f"bot/extras/{name}.txt").is_file()

    def test_a_verb_with_steps_needs_one_and_names_them(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert parse(["history", "list", "--json"], {}).verb == "history list"
        with pytest.raises(SystemExit) as exit_:
            parse(["history", "lst"], {})
        assert exit_.value.code == 2
        assert "list" in capsys.readouterr().err


class TestValues:
    @pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "ten", "10s"])
    def test_a_duration_is_positive_and_finite(self, text: str) -> None:
        with pytest.raises(UsageError, match="--x: expected a positive number of seconds"):
            given(text).seconds("x")

    @pytest.mark.parametrize("text", ["0", "-1", "1.5", "many", ""])
    def test_a_count_is_at_least_one(self, text: str) -> None:
        with pytest.raises(UsageError, match="--x: expected a whole number of at least 1"):
            given(text).count("x")

    def test_a_flag_is_true_or_false(self) -> None:
        with pytest.raises(UsageError, match="--x: expected true or false, got 'maybe'"):
            given("maybe").flag("x")

    @pytest.mark.parametrize("text", ["A", "=1", "A B=1", "1A=2"])
    def test_a_pair_names_a_variable(self, text: str) -> None:
        with pytest.raises(UsageError, match="--x: expected NAME=VALUE"):
            given(text).pairs("x")

    def test_a_missing_path_says_what_to_type(self) -> None:
        with pytest.raises(UsageError, match="--x is missing: give a folder, as in --x out"):
            given("").path("x")


class TestMain:
    def test_a_mistake_is_one_line_and_status_2(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["validate", "bundle", "--", "x"]) == 2
        printed = capsys.readouterr().err
        assert "validate runs no command" in printed
        assert "Traceback" not in printed

    def test_the_runner_half_starts_without_site_packages(self) -> None:
        done = subprocess.run([*RUN, "--version"], capture_output=True, text=True, check=True)
        assert done.stdout.startswith("telltale ")

    def test_a_reader_that_has_seen_enough_is_no_error(self, tmp_path: Path) -> None:
        lines = tmp_path / "failures.jsonl"
        lines.write_text('{"id": "1", "test": "t", "text": "E   ValueError: x"}\n' * 20_000)
        read, write = os.pipe()
        os.close(read)
        with lines.open("rb") as stdin:
            done = subprocess.run(
                [*RUN, "signatures"], stdin=stdin, stdout=write, stderr=subprocess.PIPE, check=False
            )
        os.close(write)
        assert b"Traceback" not in done.stderr
