"""The harness itself, on a throwaway action: what the other end-to-end tests take for granted."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import events
from tests.e2e.act import Runner
from tests.e2e.git_server import git_server
from tests.e2e.github import scratch_github
from tests.e2e.repository import Repository
from tests.e2e.results import Run

pytestmark = pytest.mark.e2e

UPLOAD = "actions/upload-artifact@043fb46d1a93c77aae656e7c1c64a875d1fc6a0a"
CHECKOUT = "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1"

TOKEN = "not-a-secret-" + "0" * 9
READ_TOKEN = "not-a-secret-" + "1" * 9

ACTION = f"""
name: Throwaway
description: Write what the run was given to an artifact, a summary and an output.
inputs:
  status:
    description: Exit status.
    default: "0"
outputs:
  seen:
    description: Name of the event.
    value: ${{{{ steps.look.outputs.seen }}}}
runs:
  using: composite
  steps:
    - id: look
      run: python3 "${{GITHUB_ACTION_PATH}}/../../look.py"
      shell: bash
      env:
        TOKEN: ${{{{ github.token }}}}
        STATUS: ${{{{ inputs.status }}}}
    - uses: {UPLOAD} # v7.0.1
      if: ${{{{ !cancelled() }}}}
      with:
        name: seen-${{{{ github.event_name }}}}-${{{{ github.job }}}}
        path: ${{{{ runner.temp }}}}/seen
"""

LOOK = """
import json, os, pathlib, subprocess, sys

env = os.environ
log = subprocess.run(["git", "log", "--format=%H %D"], capture_output=True, text=True).stdout
config = pathlib.Path(".git/config")
seen = {
    "api": env["GITHUB_API_URL"],
    "attempt": env["GITHUB_RUN_ATTEMPT"],
    "event": json.loads(pathlib.Path(env["GITHUB_EVENT_PATH"]).read_text()),
    "files": sorted(os.listdir()),
    "history": log.splitlines(),
    "credentials": config.exists() and "extraheader" in config.read_text(),
    "ref": env["GITHUB_REF"],
    "refs": [env["GITHUB_BASE_REF"], env["GITHUB_HEAD_REF"]],
    "repository": env["GITHUB_REPOSITORY"],
    "run": env["GITHUB_RUN_ID"],
    "server": env["GITHUB_SERVER_URL"],
    "sha": env["GITHUB_SHA"],
    "token": env["TOKEN"] and len(env["TOKEN"]),
    "tool_cache": env["RUNNER_TOOL_CACHE"],
}
folder = pathlib.Path(env["RUNNER_TEMP"], "seen")
folder.mkdir()
(folder / "seen.json").write_text(json.dumps(seen))
(folder / ".hidden").write_text("not uploaded unless asked for")
with open(env["GITHUB_STEP_SUMMARY"], "a") as summary:
    print("# Seen", env["GITHUB_EVENT_NAME"], file=summary)
with open(env["GITHUB_OUTPUT"], "a") as output:
    print("seen=" + env["GITHUB_EVENT_NAME"], file=output)
sys.exit(int(env["STATUS"]))
"""

CALLED = """
name: Called
on:
  workflow_call:
    inputs:
      status: { type: string, default: "0" }
    outputs:
      seen: { value: "${{ jobs.inner.outputs.seen }}" }
jobs:
  inner:
    runs-on: ubuntu-latest
    outputs:
      seen: ${{ steps.look.outputs.seen }}
    steps:
      - id: look
        uses: octo/telltale/actions/throwaway@v1
        with:
          status: ${{ inputs.status }}
"""

WORKFLOW = f"""
name: Test
on: [push, pull_request, workflow_run]
jobs:
  direct:
    runs-on: ubuntu-latest
    steps:
      - uses: {CHECKOUT} # v7.0.0
        with:
          persist-credentials: false
      - id: look
        uses: octo/telltale/actions/throwaway@v1
        with:
          status: "3"
  called:
    uses: octo/telltale/.github/workflows/called.yml@v1
  never:
    needs: direct
    runs-on: ubuntu-latest
    steps:
      - run: exit 1
  always:
    needs: [direct, called]
    if: always()
    runs-on: [self-hosted]
    steps:
      - uses: {CHECKOUT} # v7.0.0
        with:
          fetch-depth: 0
      - id: look
        uses: octo/telltale/actions/throwaway@v1
      - run: git push --quiet origin HEAD:refs/heads/from-${{{{ needs.called.outputs.seen }}}}
"""

TALK = f"""
name: Talk
on: [push, pull_request]
permissions: {{}}
jobs:
  upload:
    runs-on: ubuntu-latest
    permissions: {{contents: read}}
    steps:
      - uses: {CHECKOUT} # v7.0.0
      - uses: {UPLOAD} # v7.0.1
        with:
          name: readme-${{{{ github.run_attempt }}}}
          path: README.md
  talk:
    needs: upload
    runs-on: ubuntu-latest
    permissions: {{actions: read, pull-requests: write}}
    steps:
      - uses: octo/telltale/actions/talk@v1
"""

TALK_ACTION = """
name: Talk
description: Comment the names of the run's artifacts on pull request 7.
runs:
  using: composite
  steps:
    - run: python3 "${GITHUB_ACTION_PATH}/../../talk.py"
      shell: bash
      env:
        TOKEN: ${{ github.token }}
"""

TALK_SCRIPT = """
import json, os, urllib.request

env = os.environ
repository = f"{env['GITHUB_API_URL']}/repos/{env['GITHUB_REPOSITORY']}"

def call(path, body=None):
    request = urllib.request.Request(
        repository + path,
        json.dumps(body).encode() if body else None,
        {"Authorization": f"Bearer {env['TOKEN']}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as response:
        return json.load(response)

artifacts = call(f"/actions/runs/{env['GITHUB_RUN_ID']}/artifacts")["artifacts"]
comment = call("/issues/7/comments", {"body": " ".join(each["name"] for each in artifacts)})
print(comment["html_url"])
"""

UPLOADS = f"""
name: Uploads
on: push
jobs:
  uploads:
    runs-on: ubuntu-latest
    steps:
      - run: mkdir -p out/deep && touch out/.dot && echo 1 > out/deep/a.txt && echo 2 > out/b.log
      - id: folder
        uses: {UPLOAD} # v7.0.1
        with:
          name: folder
          path: out
          include-hidden-files: true
      - uses: {UPLOAD} # v7.0.1
        with:
          name: one-file
          path: out/deep/a.txt
      - uses: {UPLOAD} # v7.0.1
        with:
          name: patterns
          path: |
            out/**/*.txt
            out/*.log
            !out/b.log
      - uses: {UPLOAD} # v7.0.1
        with:
          name: nothing
          path: nowhere
          if-no-files-found: ignore
      - id: replaced
        uses: {UPLOAD} # v7.0.1
        with:
          name: one-file
          path: out/b.log
          overwrite: true
      - id: missing
        continue-on-error: true
        uses: {UPLOAD} # v7.0.1
        with:
          name: missing
          path: nowhere
          if-no-files-found: error
      - id: taken
        continue-on-error: true
        uses: {UPLOAD} # v7.0.1
        with:
          name: folder
          path: out/b.log
"""


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """Make an outside repository whose workflows use octo/telltale@v1."""
    repository = Repository.create(tmp_path_factory.mktemp("github"), "acme/widgets")
    workflows = {"test.yml": WORKFLOW, "uploads.yml": UPLOADS, "talk.yml": TALK}
    files = {f".github/workflows/{name}": text for name, text in workflows.items()}
    repository.commit({"README.md": "Widgets\n"}, "Begin")
    repository.commit(files, "Add workflows")
    return repository


@pytest.fixture
def repository(origin: Repository, tmp_path: Path) -> Repository:
    """Make a copy that a test may change."""
    return origin.copy(tmp_path / "github")


@pytest.fixture
def runner(tmp_path: Path, foreign_actions: Mapping[str, Path]) -> Iterator[Runner]:
    telltale = tmp_path / "telltale"
    files = {
        "actions/throwaway/action.yml": ACTION,
        "actions/talk/action.yml": TALK_ACTION,
        "talk.py": TALK_SCRIPT,
        ".github/workflows/called.yml": CALLED,
        "look.py": LOOK,
    }
    for path, text in files.items():
        (telltale / path).parent.mkdir(parents=True, exist_ok=True)
        (telltale / path).write_text(text, encoding="utf-8")
    access = {TOKEN: "write", READ_TOKEN: "read"}
    with git_server(tmp_path / "github", lambda token: access.get(token, "none")) as server_url:
        yield Runner(
            scratch=tmp_path / "runner",
            cache=tmp_path / "act",
            server_url=server_url,
            api_url="http://127.0.0.1:9/api",
            token=TOKEN,
            telltale=telltale,
            stand_ins=foreign_actions,
        )


def seen(run: Run, job: str) -> dict[str, Any]:
    """Read what the throwaway action wrote in that job."""
    [name] = [name for name in run.artifacts if name.endswith(f"-{job}")]
    files = run.artifact(name)
    assert list(files) == ["seen.json"]
    found: dict[str, Any] = json.loads(files["seen.json"])
    return found


def test_a_push_runs_actions_and_called_workflows_of_another_repository(
    repository: Repository, runner: Runner
) -> None:
    run = runner.run(repository, events.push(repository), workflow="test.yml", run_id=41, attempt=2)

    assert run.results == {"direct": "failure", "inner": "success", "always": "success"}, run.log
    assert run.conclusion == "failure"
    assert run.exit_code == 1
    assert run.job("direct").summary == "# Seen push\n"
    assert run.job("direct").steps["look"].result == "failure"
    assert run.job("always").steps["look"].outputs["seen"] == "push"
    assert sorted(run.artifacts) == ["seen-push-always", "seen-push-direct", "seen-push-inner"]

    direct, inner, always = (seen(run, job) for job in ("direct", "inner", "always"))
    tip = repository.tip("main")
    assert direct["event"]["after"] == tip
    assert direct["event"]["repository"]["full_name"] == "acme/widgets"
    assert direct["event"]["repository"]["html_url"] == f"{runner.server_url}/acme/widgets"
    expected = {
        "api": "http://127.0.0.1:9/api",
        "attempt": "2",
        "credentials": False,
        "files": [".git", ".github", "README.md"],
        "history": [f"{tip} grafted, HEAD -> main"],
        "ref": "refs/heads/main",
        "repository": "acme/widgets",
        "run": "41",
        "server": runner.server_url,
        "sha": tip,
        "token": len(TOKEN),
        "tool_cache": str(runner.cache / "tool_cache"),
    }
    assert {key: direct[key] for key in expected} == expected
    # No checkout, no files; the token is there all the same.
    assert (inner["files"], inner["token"]) == ([], len(TOKEN))
    assert len(always["history"]) == 2
    assert always["credentials"]
    assert repository.tip("from-push") == tip


def test_a_pull_request_from_a_fork_is_tested_merged(
    repository: Repository, runner: Runner
) -> None:
    fork = repository.fork("contributor")
    head = fork.commit({"new.txt": "new\n"}, "Add a file", branch="topic")
    base = repository.commit({"later.txt": "later\n"}, "Go on")
    pull = events.PullRequest(number=7, base=repository, head=fork, branch="topic")

    event = events.pull_request(pull, "opened")
    run = runner.run(repository, event, workflow="test.yml", run_id=42)

    direct = seen(run, "direct")
    assert direct["ref"] == "refs/pull/7/merge"
    assert direct["refs"] == ["main", "topic"]
    assert direct["sha"] == repository.tip("refs/pull/7/merge")
    assert {"new.txt", "later.txt"} <= set(direct["files"])
    told = direct["event"]["pull_request"]
    assert (told["number"], told["head"]["sha"], told["base"]["sha"]) == (7, head, base)
    assert told["head"]["repo"]["full_name"] == "contributor/widgets"
    assert told["head"]["label"] == "contributor:topic"
    assert told["base"]["repo"]["full_name"] == "acme/widgets"


def test_a_finished_run_of_a_fork_names_no_pull_request(
    repository: Repository, runner: Runner
) -> None:
    fork = repository.fork("contributor")
    head = fork.commit({"new.txt": "new\n"}, "Add a file", branch="topic")
    pull = events.PullRequest(number=7, base=repository, head=fork, branch="topic")
    cause = events.pull_request(pull, "opened")
    event = events.workflow_run(
        repository,
        run_id=42,
        attempt=3,
        workflow="test.yml",
        conclusion="failure",
        cause=cause,
        pull=pull,
    )

    run = runner.run(repository, event, workflow="test.yml", run_id=43)

    told = seen(run, "direct")["event"]["workflow_run"]
    assert (told["id"], told["run_attempt"], told["conclusion"]) == (42, 3, "failure")
    assert (told["event"], told["head_sha"], told["head_branch"]) == ("pull_request", head, "topic")
    assert told["head_repository"]["full_name"] == "contributor/widgets"
    assert told["pull_requests"] == []
    # The workflow itself is the default branch's: nothing of the fork is checked out.
    assert seen(run, "direct")["sha"] == repository.tip("main")


def test_uploads_are_kept_as_github_keeps_them(repository: Repository, runner: Runner) -> None:
    run = runner.run(repository, events.push(repository), workflow="uploads.yml", run_id=44)

    assert run.conclusion == "success", run.log
    files = {name: sorted(run.artifact(name)) for name in run.artifacts}
    assert files == {
        "folder": [".dot", "b.log", "deep/a.txt"],
        "one-file": ["b.log"],
        "patterns": ["deep/a.txt"],
    }
    steps = run.job("uploads").steps
    folder = steps["folder"].outputs
    digest = hashlib.sha256(run.artifacts["folder"].read_bytes()).hexdigest()
    assert folder["artifact-digest"] == digest
    assert folder["artifact-url"].endswith(
        f"/acme/widgets/actions/runs/44/artifacts/{folder['artifact-id']}"
    )
    errors = {key: step.annotations for key, step in steps.items() if step.annotations}
    conflict = "Conflict: an artifact with this name already exists on the workflow run (folder)"
    assert errors == {
        "missing": [("error", "No files were found with the provided path: nowhere.")],
        "taken": [("error", f"Failed to CreateArtifact: Failed request: (409) {conflict}")],
    }


def test_a_push_needs_a_token_that_may_write(repository: Repository, runner: Runner) -> None:
    reader = dataclasses.replace(runner, token=READ_TOKEN)

    run = reader.run(repository, events.push(repository), workflow="test.yml", run_id=45)

    assert "Write access to repository not granted" in run.job("always").log
    assert repository.branches() == ["main"]


def test_a_job_talks_to_the_api_as_far_as_its_workflow_is_permitted(
    repository: Repository, runner: Runner
) -> None:
    with scratch_github(repository, runner) as github:
        pull = github.open_pull_request(7, {"new.txt": "new\n"})
        run = github.test(pull, "talk.yml")
        again = github.rerun(run)

        assert (run.conclusion, again.conclusion) == ("success", "success"), again.log
        comments = github.fake.repo.comments_on(7)
        assert [comment.body for comment in comments] == ["readme-1", "readme-2 readme-1"]
        assert comments[0].user == "github-actions[bot]"
        assert github.runner.server_url in run.job("talk").log
        known = github.fake.repo.runs[run.run_id]
        assert (known.run_attempt, known.conclusion, known.head_sha) == (
            2,
            "success",
            pull.head_sha,
        )
        assert [(job.name, job.run_attempt) for job in known.jobs] == [
            *[("upload", 1), ("talk", 1)],
            *[("upload", 2), ("talk", 2)],
        ]


def test_a_run_of_a_fork_may_only_read(repository: Repository, runner: Runner) -> None:
    with scratch_github(repository, runner) as github:
        fork = repository.fork("contributor")
        pull = github.open_pull_request(7, {"new.txt": "new\n"}, fork=fork)
        run = github.test(pull, "talk.yml")

        assert run.results == {"upload": "success", "talk": "failure"}
        assert "HTTP Error 403" in run.job("talk").log
        assert github.fake.repo.comments_on(7) == []
