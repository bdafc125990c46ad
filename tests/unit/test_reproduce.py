from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from telltale import cli
from telltale.errors import ScaffoldError
from telltale.flaky.signature import name_failure
from telltale.history import open_history
from telltale.scaffold import reproduce, write
from telltale.scaffold.verify import Result
from tests.unit import flaky_history
from tests.unit.scaffold_cases import failure, project, request
from tests.unit.test_scaffold_write import RESULTS, T, make_bundle

AGAIN = """\
SEEN = []

def test_it():
    SEEN.append(1)
    assert len(SEEN) < 2, "again"
"""
TEXT = (
    'tests/test_it.py:5: in test_it\n    assert len(SEEN) < 2, "again"\nE   AssertionError: again\n'
)
NODEID = "tests/test_it.py::test_it"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return project(tmp_path / "source", {"tests/test_it.py": AGAIN})


@pytest.fixture(autouse=True)
def this_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    python = Path(sys.executable)
    monkeypatch.setenv("PATH", f"{python.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("VIRTUAL_ENV", str(python.parent.parent))


def scaffold_of(text: str, out: Path) -> Path:
    return write(request(NODEID, text), out)


def test_a_result_says_what_came_out(source: Path, tmp_path: Path) -> None:
    folder = scaffold_of(TEXT, tmp_path)

    result = reproduce(folder, source=source, budget_s=60)

    assert result.reproduced
    assert result.said.startswith("reproduced with the same signature after")
    assert (result.exit_status, result.same, result.amplifier) == (1, 1, "repeat")
    assert result.signature == name_failure(test=NODEID, text=TEXT).signature
    assert result.first_hit_s is not None
    assert result.log is not None
    assert result.log.is_file()


def test_a_rate_on_request(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELLTALE_ITERATIONS", "2")
    monkeypatch.setenv("TELLTALE_AMPLIFIERS", "repeat")
    folder = scaffold_of(TEXT, tmp_path)

    result = reproduce(folder, source=source, budget_s=60, rate=True)

    assert (result.rate_same, result.rate_tries) == (2, 2)


@pytest.mark.parametrize(
    ("text", "test", "status", "said"),
    [
        pytest.param(TEXT, AGAIN, 1, "reproduced with the same signature", id="reproduced"),
        pytest.param(
            TEXT.replace("again", "now"), AGAIN, 3, "never with this signature", id="otherwise"
        ),
        pytest.param(TEXT, "def test_it():\n    pass\n", 0, "not reproduced in", id="sound"),
        pytest.param(TEXT, "def test_other():\n    pass\n", 2, "could not run", id="gone"),
    ],
)
def test_the_verb_exits_as_the_scaffold_does(
    text: str,
    test: str,
    status: int,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    source = project(tmp_path / "source", {"tests/test_it.py": test})
    folder = scaffold_of(text, tmp_path)
    outputs, summary = tmp_path / "outputs", tmp_path / "summary"
    monkeypatch.setenv("GITHUB_OUTPUT", str(outputs))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    monkeypatch.setenv("TELLTALE_ITERATIONS", "4")

    assert cli.main(["reproduce", str(folder), "--source", str(source), "--budget", "60"]) == status

    assert said in capfd.readouterr().out
    assert said in summary.read_text()
    assert "exit-status<<" in outputs.read_text()
    assert (
        json.loads((folder / "reproduce.json").read_text())["results"][0]["exit_status"] == status
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["{tmp}"], "is no scaffold: there is no run_test.sh in it", id="no-scaffold"),
        pytest.param(["a", "b"], "reproduce takes one scaffold", id="two"),
        pytest.param(
            ["{tmp}", "--source", "/nowhere"], "--source: there is no folder", id="source"
        ),
        pytest.param(["{tmp}", "--budget", "-3"], "--budget: expected a positive", id="budget"),
    ],
)
def test_a_mistake_is_one_line(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["reproduce", *(one.format(tmp=tmp_path) for one in arguments)]) == 2

    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_a_script_that_breaks_is_no_result(tmp_path: Path, source: Path) -> None:
    folder = scaffold_of(TEXT, tmp_path)
    (folder / "run_test.sh").write_text("exit 1\n")

    with pytest.raises(ScaffoldError, match="ended with status 1 and wrote no result"):
        reproduce(folder, source=source, budget_s=10)


def test_damage_never_looks_like_a_reproduction(tmp_path: Path, source: Path) -> None:
    folder = scaffold_of(TEXT, tmp_path)
    (folder / "tests/telltale_stress/search.py").write_text("raise SystemError('broken')\n")

    with pytest.raises(ScaffoldError, match="ended with status 2 and wrote no result"):
        reproduce(folder, source=source, budget_s=10)


@pytest.mark.parametrize("text", ["", "[]", '{"results": 3}', "{"])
def test_a_damaged_scaffold_is_named(text: str, tmp_path: Path, source: Path) -> None:
    folder = scaffold_of(TEXT, tmp_path)
    (folder / "reproduce.json").write_text(text)

    with pytest.raises(ScaffoldError, match=r"reproduce\.json"):
        reproduce(folder, source=source, budget_s=10)


def test_the_scaffold_verb_writes_from_a_bundle(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = make_bundle(tmp_path / "b", *RESULTS, failures=(failure(T, RESULTS[2].text),))

    assert cli.main(["scaffold", str(bundle), "--out", str(tmp_path / "out")]) == 0

    output = capsys.readouterr().out
    (folder,) = (tmp_path / "out").iterdir()
    assert f"{T}: v1:" in output
    assert str(folder / "run_test.sh") in output


@pytest.mark.parametrize("count", [0, 2])
def test_the_scaffold_verb_wants_one_bundle(
    count: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "all").mkdir()
    for number in range(count):
        make_bundle(tmp_path / "all" / str(number), *RESULTS)

    assert cli.main(["scaffold", str(tmp_path / "all"), "--out", str(tmp_path / "out")]) == 2

    message = "no evidence bundle in" if not count else "2 bundles in"
    assert message in capsys.readouterr().err


def test_the_flakes_verb_prints_a_table_and_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = tmp_path / "history"
    bad = {T: RESULTS[2].text}
    open_history(str(where), cwd=tmp_path).add(
        [
            flaky_history.record("a", 1, fails=bad, run=1),
            flaky_history.record("a", 2, passes=(T,), run=2),
        ]
    )

    assert cli.main(["flakes", "--history", str(where)]) == 0
    table = capsys.readouterr().out
    assert cli.main(["flakes", "--history", str(where), "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)

    assert "failed 1 of 2 times in tests / unit, 2026-11-01 to 2026-11-01" in table
    assert "no issue yet: 1 failure in 1 run within 14 days" in table
    assert found["nodeid"] == T
    assert (found["failed"], found["executions"], found["recurred"]) == (1, 2, False)


def test_the_flakes_verb_says_that_there_are_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["flakes", "--history", str(tmp_path / "history")]) == 0

    assert "No test passed and failed on the same code" in capsys.readouterr().out


def test_a_result_counts_as_reproduced_by_its_status_alone() -> None:
    assert not Result(exit_status=3, said="", signature="").reproduced
