from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telltale import bundle, scaffold
from telltale.errors import ScaffoldError
from telltale.flaky import naming
from telltale.model import (
    BundleKind,
    Command,
    Evidence,
    Failure,
    Outcome,
    Source,
    TestOutcome,
    TestResult,
)
from telltale.scaffold import Request, failure_name, write
from telltale.scaffold.writer import shell_word
from tests.unit import flaky_history
from tests.unit.scaffold_cases import (
    GOLDEN,
    GOLDEN_FILES,
    RACE,
    failure,
    golden,
    golden_request,
    request,
)

SHELLCHECK = Path(sys.executable).with_name("shellcheck")
HOSTILE = (
    "$(touch /tmp/owned) `id` \"'; exit 0 #\\ \x1b[31m\r| <!-- /telltale:results --> \U0001f600"
)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return golden(tmp_path_factory.mktemp("golden"))


@pytest.mark.parametrize("name", GOLDEN_FILES)
def test_text_is_the_golden_one(name: str, written: dict[str, str]) -> None:
    expected = (GOLDEN / name).read_text(encoding="utf-8")

    assert written[name] == expected, (
        "look at the difference; if it is meant: PYTHONPATH=bot python -m tests.unit.scaffold_cases"
    )


def test_the_folder_is_what_the_design_says(tmp_path: Path) -> None:
    folder = write(golden_request(), tmp_path)

    assert folder.name == "read-28a7bf"
    assert {path.name for path in folder.iterdir()} == {
        "README.md",
        "logs",
        "reproduce.json",
        "run_test.sh",
        "tests",
    }
    assert (folder / "tests/test_read_28a7bf_stress.py").is_file()
    assert (folder / "run_test.sh").stat().st_mode & 0o111 == 0o111
    assert (folder / "tests/telltale_stress/naming.py").read_bytes() == Path(
        naming.__file__
    ).read_bytes()


def test_evidence_survives_a_project_that_ignores_logs(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    (tmp_path / ".gitignore").write_text("*.log\n")
    folder = write(golden_request(), tmp_path)
    (folder / "logs/run_1.log").write_text("")

    listed = subprocess.run(
        ["git", "ls-files", "--others", "--exclude-standard", "--", folder],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert "logs/run_1.log" in listed
    assert "logs/original.txt" in listed


def hostile_request() -> Request:
    base = golden_request()
    return replace(
        base,
        failure=failure(f"tests/test_a.py::test_b[{HOSTILE}]", f"E   ValueError: {HOSTILE}"),
        command=Command(argv=("pytest", HOSTILE), cwd=".", env={"A": HOSTILE, "B\nX=1": "2"}),
        before=((HOSTILE, 0.1),),
        job=HOSTILE,
        frequency="1 of 2 executions",
        url=HOSTILE,
        packages=(HOSTILE, "```"),
        log=HOSTILE,
        environ={"LANG": HOSTILE},
        source=Source(repository=HOSTILE, sha=HOSTILE),
    )


@pytest.mark.parametrize("made", [golden_request, hostile_request], ids=["golden", "hostile"])
def test_the_runner_is_clean(made: object, tmp_path: Path) -> None:
    folder = write(made(), tmp_path)  # type: ignore[operator]

    done = subprocess.run(
        [SHELLCHECK, folder / "run_test.sh"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stdout == ""


def test_a_strangers_words_are_neither_shell_nor_python_nor_markdown(tmp_path: Path) -> None:
    folder = write(hostile_request(), tmp_path)

    runner = (folder / "run_test.sh").read_text()
    (stress,) = (folder / "tests").glob("test_*.py")
    readme = (folder / "README.md").read_text()
    assert runner.isascii()
    assert [line for line in runner.splitlines() if "touch" in line and "=$'" not in line] == []
    assert "touch" not in stress.read_text()
    compile(stress.read_text(), "stress", "exec")
    assert json.loads((folder / "reproduce.json").read_text())["env"]["A"] == HOSTILE
    # Every word of theirs stands in a code span or a fence; the marker of the results is ours.
    fences_gone = re.sub(r"(?ms)^(`{3,})\w*\n.*?^\1$", "", readme)
    spans_gone = re.sub(r"(`+)(?!`).+?(?<!`)\1(?!`)", "", fences_gone)
    assert "touch" not in spans_gone
    assert spans_gone.count("<!-- /telltale:results -->") == 1


@settings(max_examples=40, deadline=None)
@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40))
def test_bash_reads_a_word_as_it_was(value: str) -> None:
    done = subprocess.run(
        ["bash", "-c", f"printf %s {shell_word(value)}"],
        env={"HOME": "/home/ann"},
        capture_output=True,
        check=True,
    )

    home = value == "~" or value.startswith("~/")
    assert done.stdout.decode() == ("/home/ann" + value[1:] if home else value)


def test_secrets_are_not_copied(tmp_path: Path) -> None:
    token = "ghp_" + "a1B2" * 9
    base = golden_request()
    folder = write(
        replace(
            base,
            failure=failure("tests/test_a.py::test_b", f"E   ValueError: denied for {token}"),
            command=Command(
                argv=("pytest", "--token", "hunter2hunter2", f"--url=https://ann:{token}@x.org"),
                cwd=".",
                env={"DB_PASSWORD": "hunter2hunter2", "HARMLESS": token},
            ),
            environ={"LC_ALL": token, "PYTHONAUTH": token},
            log=f"using {token}\n",
        ),
        tmp_path,
    )

    everything = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert token.encode() not in everything
    assert b"hunter2" not in everything


def test_writing_again_keeps_what_was_found_out(tmp_path: Path) -> None:
    folder = write(golden_request(), tmp_path)
    document = json.loads((folder / "reproduce.json").read_text())
    document["results"] = [{"said": "reproduced"}]
    (folder / "reproduce.json").write_text(json.dumps(document))
    (folder / "logs/run_1.log").write_text("kept")

    again = write(golden_request(), tmp_path)

    assert again == folder
    assert json.loads((folder / "reproduce.json").read_text())["results"] == document["results"]
    assert (folder / "logs/run_1.log").read_text() == "kept"


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    theirs = tmp_path / failure_name(golden_request())
    theirs.mkdir()
    (theirs / "notes.txt").write_text("mine")

    with pytest.raises(ScaffoldError, match="is there already and about something else"):
        write(golden_request(), tmp_path)

    assert [path.name for path in theirs.iterdir()] == ["notes.txt"]


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(ScaffoldError, match="name another folder with --out"):
        write(golden_request(), tmp_path / "file")


@pytest.mark.parametrize(
    ("nodeid", "text", "name"),
    [
        pytest.param("tests/a.py::TestB::test_c_d[1-2]", "E   X", r"c-d-[0-9a-f]{6}", id="test"),
        pytest.param("", "Segmentation fault", r"crash-signal-[0-9a-f]{6}", id="whole-run"),
        pytest.param("tests/é/../..", "E   X", r"failure-[0-9a-f]{6}", id="no-word"),
        pytest.param("a.py::test_" + "x" * 300, "E   X", r"x{50}-[0-9a-f]{6}", id="long"),
    ],
)
def test_the_name_is_one_safe_word(nodeid: str, text: str, name: str) -> None:
    assert re.fullmatch(name, failure_name(request(nodeid, text)))


# --- from a bundle, from a record --------------------------------------------------------------


def make_bundle(out: Path, *results: TestResult, failures: tuple[Failure, ...] = ()) -> Path:
    """Write a bundle whose run had these tests."""
    for name in ("artifacts", "env", "logs"):
        (out / name).mkdir(parents=True)
    bundle.write_tests(out, results, source="junit")
    (out / "env/env.txt").write_text("# a comment\nCI=true\nPATH=/opt/bin\n# OTHER\n")
    (out / "env/packages.txt").write_text("# Python 3.11\npytest==9.0.1\n")
    (out / "logs/output.log").write_text("the end\n")
    bundle.write_manifest(
        out,
        Evidence(
            kind=BundleKind.TESTS,
            name="tests",
            outcome=Outcome.FAILED,
            exit_code=1,
            command=Command(argv=("pytest", "-q"), cwd=".", env={"MODE": "fast"}),
            started_at="2026-11-22T10:15:16Z",
            source=Source(repository="octo/app", sha="1" * 40),
            failures=failures,
        ),
    )
    return out


T = "tests/test_cache.py::test_read"
RESULTS = (
    TestResult(nodeid="tests/test_a.py::test_a", outcome=TestOutcome.PASSED, duration_s=0.5),
    TestResult(nodeid="tests/test_a.py::test_s", outcome=TestOutcome.SKIPPED, duration_s=0.0),
    TestResult(nodeid=T, outcome=TestOutcome.FAILED, duration_s=0.25, text=RACE),
    TestResult(nodeid="tests/test_z.py::test_z", outcome=TestOutcome.PASSED, duration_s=0.5),
)


def test_a_request_holds_what_the_bundle_knows(tmp_path: Path) -> None:
    folder = make_bundle(tmp_path / "b", *RESULTS, failures=(failure(T, RACE),))

    made = scaffold.request_from_bundle(folder)

    assert made.failure == failure(T, RACE)
    assert made.before == (("tests/test_a.py::test_a", 0.5),)
    assert made.duration_s == 0.25
    assert made.environ == {"CI": "true", "PATH": "/opt/bin"}
    assert made.packages == ("pytest==9.0.1",)
    assert (made.log, made.date, made.job) == ("the end\n", "2026-11-22T10:15:16Z", "tests")


@pytest.mark.parametrize(
    ("failures", "nodeid", "message"),
    [
        pytest.param((), "", "nothing failed in this run", id="no-failure"),
        pytest.param(
            (failure(T, RACE),),
            "tests/test_z.py::test_z",
            f"did not fail in this run; these did: {T}",
            id="another-test",
        ),
    ],
)
def test_a_bundle_without_the_failure_is_an_error(
    failures: tuple[Failure, ...], nodeid: str, message: str, tmp_path: Path
) -> None:
    folder = make_bundle(tmp_path / "b", *RESULTS, failures=failures)

    with pytest.raises(ScaffoldError, match=re.escape(message)):
        scaffold.request_from_bundle(folder, nodeid)


def test_a_link_in_a_strangers_bundle_is_not_followed(tmp_path: Path) -> None:
    folder = make_bundle(tmp_path / "b", *RESULTS, failures=(failure(T, RACE),))
    secret = tmp_path / "secret"
    secret.write_text("secret")
    (folder / "logs/output.log").unlink()
    (folder / "logs/output.log").symlink_to(secret)

    assert scaffold.request_from_bundle(folder).log == ""


def test_a_request_holds_what_the_history_knows() -> None:
    record = flaky_history.record(
        "a", 3, fails={T: RACE}, passes=("tests/test_a.py::test_a",), run=7
    )
    record = replace(record, tests=tuple(reversed(record.tests)))

    made = scaffold.request_from_record(record, record.failures[0], frequency="1 of 9 executions")

    assert made.failure is record.failures[0]
    assert made.before == (("tests/test_a.py::test_a", 0.1),)
    assert made.source.sha == record.origin.sha
    assert made.frequency == "1 of 9 executions"
    assert made.url.endswith("/actions/runs/7")


def test_a_run_without_a_command_cannot_be_repeated(tmp_path: Path) -> None:
    with pytest.raises(ScaffoldError, match="does not say which command failed"):
        write(request(T, RACE, argv=()), tmp_path)
