"""A record that could not be added is kept, and added later as the record that it was."""

from __future__ import annotations

import glob
import shlex
import shutil
from pathlib import Path

import pytest

from telltale import gha
from telltale.cli import main
from telltale.compare.settings import Settings
from telltale.errors import HistoryError
from telltale.forge import GitHubForge
from telltale.history import layout, open_history
from telltale.options import Invocation
from telltale.verbs import gather, report, unrecorded
from tests.unit.history_records import of_pull_request
from tests.unit.test_report_verb import write_bundle


@pytest.fixture
def blocked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a place for a history that nobody can make a folder at."""
    monkeypatch.chdir(tmp_path)
    for variable in ("GITHUB_ACTIONS", "GITHUB_REPOSITORY", "GITHUB_RUN_ID", "GITHUB_EVENT_PATH"):
        monkeypatch.delenv(variable, raising=False)
    (tmp_path / "file").write_text("")
    return tmp_path / "file" / "history"


def add_as_told(said: str) -> int:
    """Type what the message says, with a history that can be written."""
    command = said.partition("`")[2].partition("`")[0].replace("URI", "h")
    words = [
        path
        for word in shlex.split(command)[1:]
        for path in (sorted(glob.glob(word)) or [word])  # noqa: PTH207 - as the shell does
    ]
    return main(words)


def only(where: Path) -> list[str]:
    return [path.relative_to(where).as_posix() for path in where.rglob("*.json.gz")]


def test_a_report_keeps_what_it_cannot_add(blocked: Path, tmp_path: Path) -> None:
    origin = of_pull_request(7, fork=True)
    gathered = gather.from_disk([write_bundle(tmp_path / "out", 1)], origin)
    setting = report.Setting(
        invocation=Invocation(verb="report", values={}),
        context=gha.context({}),
        forge=GitHubForge("token", "octo/widgets", "http://127.0.0.1:9"),
        origin=origin,
        settings=Settings(),
    )
    history = open_history("h2", cwd=tmp_path)
    blocked_history = open_history(str(blocked), cwd=tmp_path)
    for number, past in enumerate(
        (
            report.Past(history=blocked_history, records={}),
            report.Past(history=history, records={}, problems=("it could not be read",)),
        )
    ):
        out = tmp_path / f"report {number}"
        (problem,) = report._record(setting, past, gathered, out)
        assert "to the history" in problem
        assert add_as_told(problem) == 0

    # Once, and with the origin that no terminal could know.
    (path,) = only(tmp_path / "h")
    record = gathered.bundles[0].record
    assert path == layout.path_of(record)
    assert open_history("h", cwd=tmp_path).load(record.series) == (record,)
    assert not (tmp_path / "h2").exists()


@pytest.mark.parametrize("verb", ["record", "compare"])
def test_a_verb_says_what_to_type(
    blocked: Path, tmp_path: Path, verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = write_bundle(tmp_path / "evidence", 1)
    more = ["--record", "--out", str(tmp_path / "out")] if verb == "compare" else []
    if verb == "compare":
        # It can be read, and a file stands where the folder of the year must be.
        assert main(["record", str(bundle), "--history", "h1"]) == 0
        (series,) = (tmp_path / "h1/records").iterdir()
        shutil.rmtree(series / "2026")
        (series / "2026").write_text("")
        blocked = tmp_path / "h1"
    assert main([verb, str(bundle), "--history", str(blocked), *more]) == 70
    said = capsys.readouterr().err.splitlines()[-1]
    assert "the history cannot be written" in said
    assert add_as_told(said) == 0
    assert len(only(tmp_path / "h")) == 1


def test_bundles_and_kept_records_together(blocked: Path, tmp_path: Path) -> None:
    del blocked
    first = gather.from_disk([write_bundle(tmp_path / "a", 1)], of_pull_request(7))
    unrecorded.keep([first.bundles[0].record], tmp_path)
    (kept,) = (tmp_path / unrecorded.FOLDER).iterdir()
    other = write_bundle(tmp_path / "b", 2)
    assert main(["record", str(kept), str(other), "--history", "h"]) == 0
    assert len(only(tmp_path / "h")) == 2


def test_what_is_no_record(
    blocked: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    del blocked
    (tmp_path / "x.json.gz").write_bytes(b"junk")
    assert main(["record", "x.json.gz", "--history", "h"]) == 70
    assert "x.json.gz: not a gzip file" in capsys.readouterr().err
    assert main(["record", "none.json.gz", "--history", "h"]) == 2
    assert "none.json.gz: cannot be read: No such file" in capsys.readouterr().err


def test_what_cannot_be_kept_either_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    history = open_history(str(tmp_path / "file" / "h"), cwd=tmp_path)
    record = gather.from_disk([write_bundle(tmp_path / "a", 1)], of_pull_request(7)).bundles[0]
    with pytest.raises(HistoryError, match=r"written.*could not be kept in .* either: Not a dir"):
        unrecorded.add_or_keep(history, [record.record], tmp_path / "file")
