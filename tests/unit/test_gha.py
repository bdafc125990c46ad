"""What GitHub Actions tells us and what we tell it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telltale import gha
from telltale.errors import UsageError

INSIDE = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_REPOSITORY": "octo/shop",
    "GITHUB_RUN_ID": "101",
    "GITHUB_RUN_ATTEMPT": "2",
    "GITHUB_SERVER_URL": "https://github.example",
}


def outputs(text: str) -> dict[str, str]:
    """Read an outputs file as the runner does: `NAME<<DELIMITER`, lines, `DELIMITER`."""
    found: dict[str, str] = {}
    lines = iter(text.split("\n"))
    for line in lines:
        if not line:
            continue
        name, _, delimiter = line.partition("<<")
        value = []
        for inner in lines:
            if inner == delimiter:
                break
            value.append(inner)
        found[name] = "\n".join(value)
    return found


def test_outside_actions_nothing_is_believed() -> None:
    context = gha.context({"GITHUB_RUN_ID": "5", "GITHUB_EVENT_PATH": "/does/not/exist"})
    assert not context.inside
    assert context.run_url == ""
    assert context.event == {}


def test_inside_actions(tmp_path: Path) -> None:
    event = tmp_path / "event.json"
    event.write_text(json.dumps({"number": 7}))
    context = gha.context({**INSIDE, "GITHUB_EVENT_PATH": str(event)})
    assert (context.run_id, context.run_attempt) == (101, 2)
    assert context.event == {"number": 7}
    assert context.run_url == "https://github.example/octo/shop/actions/runs/101/attempts/2"


@pytest.mark.parametrize("text", ["", "{", "[]"])
def test_a_broken_event_is_a_clear_error(tmp_path: Path, text: str) -> None:
    event = tmp_path / "event.json"
    event.write_text(text)
    with pytest.raises(UsageError, match="GITHUB_EVENT_PATH"):
        gha.context({**INSIDE, "GITHUB_EVENT_PATH": str(event)})


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r")))
def test_no_value_can_set_another_output(
    tmp_path_factory: pytest.TempPathFactory, value: str
) -> None:
    path = tmp_path_factory.mktemp("outputs") / "out"
    gha.set_outputs({"GITHUB_OUTPUT": str(path)}, exit_code="0", message=value)
    assert outputs(path.read_text(encoding="utf-8")) == {"exit-code": "0", "message": value}


def test_outputs_and_summary_are_nothing_outside_actions() -> None:
    gha.set_outputs({}, a="b")
    gha.add_summary({}, "# x")


def test_a_summary_is_cut_at_a_line_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "summary"
    path.write_text("x" * 500_000)
    gha.add_summary({"GITHUB_STEP_SUMMARY": str(path)}, "a line of the summary\n" * 50_000)
    written = path.read_bytes()
    assert len(written) <= gha.SUMMARY_LIMIT
    assert written.endswith(b"the artifact holds all of it._\n")
    # Nothing more fits: a second one adds nothing and breaks nothing.
    gha.add_summary({"GITHUB_STEP_SUMMARY": str(path)}, "more" * 1_000)
    assert path.stat().st_size <= gha.SUMMARY_LIMIT


def test_an_error_is_an_annotation_that_cannot_start_another_command() -> None:
    line = gha.error_line("50 % of\n::set-output name=x::y", INSIDE)
    assert line == "::error::50 %25 of%0A::set-output name=x::y"
    assert gha.error_line("plain", {}) == "telltale: error: plain"


def test_a_group_is_folded_in_actions_alone(capsys: pytest.CaptureFixture[str]) -> None:
    with gha.group("title", INSIDE):
        print("inside")  # noqa: T201
    with gha.group("title", {}):
        print("outside")  # noqa: T201
    assert capsys.readouterr().out == "::group::title\ninside\n::endgroup::\noutside\n"


def test_streamed_text_cannot_command_the_runner(capsys: pytest.CaptureFixture[str]) -> None:
    with gha.commands_stopped(INSIDE):
        print("::warning::from a stranger")  # noqa: T201
    first, *_, last = capsys.readouterr().out.splitlines()
    assert first.startswith("::stop-commands::")
    assert last == f"::{first.removeprefix('::stop-commands::')}::"
