"""However a run ends, its job says so and its evidence is uploaded: one workflow with an end a job."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.e2e.act import Runner
from tests.e2e.github import scratch_github
from tests.e2e.repository import Repository
from tests.e2e.results import Run

pytestmark = pytest.mark.e2e

WORKFLOW = """
name: ends
on: push
permissions: {}
jobs:
  legs:
    runs-on: [self-hosted]
    strategy: {fail-fast: false, matrix: {gpu: [false], python: ["3.11", "3.12"]}}
    steps:
      - id: telltale
        uses: octo/telltale/actions/profile-tests@v1
        with:
          command: |
            echo leg ${{ matrix.python }}
            python3 -c "b'x' * (100 << 20)"
            exit 3
          name: unit
          continue-on-failure: true
      - run: test "$CODE $OUTCOME" = "3 failed" && test "$PEAK" -gt 100000000
        env:
          CODE: ${{ steps.telltale.outputs.exit-code }}
          OUTCOME: ${{ steps.telltale.outputs.outcome }}
          PEAK: ${{ steps.telltale.outputs.peak-rss }}
  hangs:
    runs-on: [self-hosted]
    steps:
      - run: printf 'def test_hangs():\\n    __import__("time").sleep(1000)\\n' >test_it.py
      - id: telltale
        uses: octo/telltale/actions/profile-tests@v1
        with:
          command: exec python3 -m pytest
          timeout: 8
          require-env: NO_COMPILE=1
  nothing:
    runs-on: [self-hosted]
    steps:
      - run: |
          mkdir shims
          for name in python3 $(seq -f python3.%.0f 10 19); do
            printf '#!/bin/sh\\nexit 127\\n' >shims/$name
          done
          chmod +x shims/*
          echo "$PWD/shims" >>"$GITHUB_PATH"
      - id: telltale
        uses: octo/telltale/actions/profile-tests@v1
        with:
          command: "true"
"""


@pytest.fixture(scope="module")
def run(
    tmp_path_factory: pytest.TempPathFactory, telltale: Path, foreign_actions: Mapping[str, Path]
) -> Run:
    root = tmp_path_factory.mktemp("ends")
    repository = Repository.create(root / "github", "acme/widgets")
    repository.commit({"README.md": "Widgets\n"}, "Begin")
    runner = Runner(
        scratch=root / "runner",
        cache=root / "act",
        server_url="",
        api_url="",
        token="",
        telltale=telltale,
        stand_ins=foreign_actions,
    )
    with scratch_github(repository, runner) as github:
        return github.push({".github/workflows/ends.yml": WORKFLOW}, "Use Telltale", "ends.yml")


def bundle_of(run: Run, job: str) -> dict[str, bytes]:
    """Return the files of the only artifact of a job."""
    (name,) = [name for name in run.artifacts if name.startswith(f"telltale-evidence-{job}")]
    return run.artifact(name)


def test_legs_of_one_name_keep_an_artifact_each_and_go_on(run: Run) -> None:
    assert [run.results[f"legs-{leg}"] for leg in (1, 2)] == ["success", "success"], run.log
    names = [name for name in run.artifacts if name.startswith("telltale-evidence-legs-unit-")]
    found = {}
    for name in names:
        files = run.artifact(name)
        manifest = json.loads(files["evidence.json"])
        found[manifest["name"]] = files["logs/output.log"]
        assert manifest["exit_code"] == 3
    assert found == {"unit (false, 3.11)": b"leg 3.11\n", "unit (false, 3.12)": b"leg 3.12\n"}


def test_a_run_killed_at_its_limit_leaves_its_evidence(run: Run) -> None:
    assert run.results["hangs"] == "failure", run.log
    outputs = run.job("hangs").steps["telltale"].outputs
    assert outputs["outcome"] == "timed_out"
    files = bundle_of(run, "hangs-")
    manifest = json.loads(files["evidence.json"])
    assert manifest["outcome"] == "timed_out"
    assert manifest["invalid"] == ["NO_COMPILE is not set, and --require-env wants NO_COMPILE=1"]
    (running,) = manifest["running"]
    assert (running["nodeid"], running["phase"]) == ("test_it.py::test_hangs", "call")
    assert b"`test_it.py::test_hangs` | main | call |" in files["analysis/summary.md"]
    assert b"test_it.py" in files["artifacts/stacks.txt"]
    warned = [
        text
        for step in run.job("hangs").steps.values()
        for level, text in step.annotations
        if level == "warning"
    ]
    assert any(text.startswith("INVALID: ") for text in warned)


def test_without_python_the_job_says_what_to_do(run: Run) -> None:
    assert run.results["nothing"] == "failure", run.log
    said = [
        text
        for step in run.job("nothing").steps.values()
        for level, text in step.annotations
        if level == "error"
    ]
    assert any(text.startswith("Python 3.10 or newer is needed") for text in said), said
    assert not [name for name in run.artifacts if "nothing" in name]
