"""
GitHub Actions: what it tells us (event, context) and what we tell it (outputs, summary, log).

Source: GitHub's "Workflow commands" and "Contexts" references. Everything
here works outside Actions too, where it does nothing or prints plainly.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from telltale.errors import UsageError
from telltale.values import dataclass, field

SUMMARY_LIMIT = 1024 * 1024
"""Bytes of a step's summary; GitHub drops the whole summary when it is larger."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What the runner's variables and the event file say; empty outside Actions."""

    repository: str = ""
    sha: str = ""
    ref: str = ""
    event_name: str = ""
    event: Mapping[str, Any] = field(default_factory=dict)
    run_id: int | None = None
    run_attempt: int = 1
    job: str = ""
    workflow: str = ""
    runner: str = ""
    workspace: str = ""
    api_url: str = "https://api.github.com"
    server_url: str = "https://github.com"

    @property
    def inside(self) -> bool:
        """Whether a job of GitHub Actions is running us."""
        return self.run_id is not None

    @property
    def run_url(self) -> str:
        """The page of this run attempt, empty outside Actions."""
        if self.run_id is None:
            return ""
        return (
            f"{self.server_url}/{self.repository}/actions/runs/{self.run_id}"
            f"/attempts/{self.run_attempt}"
        )


def context(environ: Mapping[str, str]) -> Context:
    """
    Read the context from the runner's variables.

    Raises `UsageError` when the event file is named but cannot be read.
    """
    inside = environ.get("GITHUB_ACTIONS") == "true"
    run_id = environ.get("GITHUB_RUN_ID", "")
    attempt = environ.get("GITHUB_RUN_ATTEMPT", "")
    return Context(
        repository=environ.get("GITHUB_REPOSITORY", ""),
        sha=environ.get("GITHUB_SHA", ""),
        ref=environ.get("GITHUB_REF", ""),
        event_name=environ.get("GITHUB_EVENT_NAME", ""),
        event=_event(environ.get("GITHUB_EVENT_PATH", "")) if inside else {},
        run_id=int(run_id) if inside and run_id.isdecimal() else None,
        run_attempt=int(attempt) if attempt.isdecimal() else 1,
        job=environ.get("GITHUB_JOB", ""),
        workflow=environ.get("GITHUB_WORKFLOW", ""),
        runner=environ.get("RUNNER_NAME", ""),
        workspace=environ.get("GITHUB_WORKSPACE", ""),
        api_url=environ.get("GITHUB_API_URL") or "https://api.github.com",
        server_url=environ.get("GITHUB_SERVER_URL") or "https://github.com",
    )


def _event(path: str) -> Mapping[str, Any]:
    if not path:
        return {}
    try:
        event = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"GITHUB_EVENT_PATH: cannot read the event in {path}: {error}") from error
    if not isinstance(event, dict):
        raise UsageError(f"GITHUB_EVENT_PATH: {path} does not hold a JSON object")
    return event


def set_outputs(environ: Mapping[str, str], **values: str) -> None:
    """
    Set outputs of the step.

    The delimiter is random, so that no value, whoever wrote it, can end its
    own block and set another output.
    """
    path = environ.get("GITHUB_OUTPUT")
    if not path:
        return
    with Path(path).open("a", encoding="utf-8") as file:
        for name, value in values.items():
            delimiter = f"telltale-{os.urandom(16).hex()}"
            file.write(f"{name.replace('_', '-')}<<{delimiter}\n{value}\n{delimiter}\n")


def add_summary(environ: Mapping[str, str], markdown: str) -> None:
    """Append to the step's summary; what does not fit is cut at a line and said."""
    path = environ.get("GITHUB_STEP_SUMMARY")
    if not path:
        return
    target = Path(path)
    room = SUMMARY_LIMIT - (target.stat().st_size if target.exists() else 0)
    with target.open("a", encoding="utf-8") as file:
        file.write(_fit(markdown, room))


def _fit(markdown: str, room: int) -> str:
    if len(markdown.encode()) + 1 <= room:
        return markdown.rstrip("\n") + "\n"
    note = "\n\n_The rest did not fit into the summary; the artifact holds all of it._\n"
    kept = markdown.encode()[: max(0, room - len(note.encode()))].decode(errors="ignore")
    return kept.rpartition("\n")[0] + note if room > len(note.encode()) else ""


def error_line(message: str, environ: Mapping[str, str]) -> str:
    """Return the message as the log shows an error: an annotation in Actions, a plain line elsewhere."""
    return _line("error", message, environ)


def warning_line(message: str, environ: Mapping[str, str]) -> str:
    """Return the message as the log shows a warning."""
    return _line("warning", message, environ)


def _line(level: str, message: str, environ: Mapping[str, str]) -> str:
    if environ.get("GITHUB_ACTIONS") != "true":
        return f"telltale: {level}: {message}"
    escaped = message.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return f"::{level}::{escaped}"


def glob_literal(path: str) -> str:
    """Return the path as an action's `path` input takes it: there `*`, `?` and `[` are wild."""
    return re.sub(r"([*?\[])", r"[\1]", path)


@contextlib.contextmanager
def group(title: str, environ: Mapping[str, str]) -> Iterator[None]:
    """Fold what is printed inside under a title in the job's log; print it plainly elsewhere."""
    if environ.get("GITHUB_ACTIONS") != "true":
        yield
        return
    sys.stdout.write(f"::group::{title}\n")
    try:
        yield
    finally:
        sys.stdout.write("::endgroup::\n")


@contextlib.contextmanager
def commands_stopped(environ: Mapping[str, str]) -> Iterator[None]:
    """
    Keep the runner from obeying workflow commands that a streamed text contains.

    Source: "Stopping and starting workflow commands"; the token is random.
    """
    if environ.get("GITHUB_ACTIONS") != "true":
        yield
        return
    token = os.urandom(16).hex()
    sys.stdout.write(f"::stop-commands::{token}\n")
    sys.stdout.flush()
    try:
        yield
    finally:
        sys.stdout.write(f"\n::{token}::\n")
        sys.stdout.flush()
