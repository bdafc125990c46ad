"""
Run workflows with act in host mode: the runner of the end-to-end tests.

What act 0.2.89 does that the tests rely on, each measured:

- `--local-repository owner/name@ref=FOLDER` serves actions, composite actions used inside them
  and remote reusable workflows (`uses: owner/name/.github/workflows/x.yml@ref`) from a folder.
  Mounted actions are copied whole, so `$GITHUB_ACTION_PATH/../..` is the root of the repository.
- Each job has a workspace of its own. With `--no-skip-checkout` it is empty until actions/checkout
  (here: tests/e2e/checkout) fills it; otherwise act would copy its working folder into it.
- github.repository comes from the URL of `origin`, which must lie on `--github-instance`;
  github.server_url and github.api_url are what GITHUB_SERVER_URL and GITHUB_API_URL say. The
  artifact client refuses servers other than github.com, *.ghe.com and *.localhost.
- github.sha is the payload's `after` for push, HEAD of the working folder otherwise; github.ref
  comes from the payload (refs/pull/N/merge for pull_request).
- The environment of act is the environment of the steps, under what the job sets.
- runner.tool_cache lies beside the workspaces and is shared by all runs of one cache folder;
  runner.temp is one per job.
- A space in the cache folder breaks every step, so scratch folders have none.
- `secrets.GITHUB_TOKEN` is empty in a called workflow without `secrets: inherit` (on GitHub it
  never is); `github.token` is there.
- When a job of a called workflow fails, act starts no further stage of the caller: a job with
  `needs` on the call does not run, `if: always()` or not (on GitHub it does). Failing tests with a
  report after them are therefore run as steps, or in two workflows.
- Permissions are ignored: what a token may do is the fake GitHub's work.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.e2e import stand_ins
from tests.e2e.events import Event
from tests.e2e.repository import Repository
from tests.e2e.results import Run, read_jobs, readable

ACT = Path(sys.executable).with_name("act")
TIMEOUT_S = 120

NOT_OF_A_RUNNER = ("GITHUB_", "RUNNER_", "ACTIONS_", "TELLTALE_", "PYTEST_", "PYTHON", "GIT_")
"""Variables of the process that runs these tests must not reach the jobs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Runner:
    """A self-hosted runner with an artifact service, serving one scratch GitHub."""

    scratch: Path
    cache: Path
    """Where jobs have their workspaces, and the tool cache that all of them share."""
    server_url: str
    """Where SERVER_URL/OWNER/NAME can be fetched from and pushed to."""
    api_url: str
    token: str
    telltale: Path
    """What octo/telltale@v1 holds."""
    stand_ins: Mapping[str, Path]
    """Folders by the name of the foreign action that they stand in for, at every ref."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables of the runner machine, for every step."""

    @property
    def artifact_store(self) -> Path:
        return self.scratch / "artifacts"

    def run(
        self,
        repository: Repository,
        event: Event,
        *,
        workflow: str,
        run_id: int,
        attempt: int = 1,
        secrets: Mapping[str, str] | None = None,
    ) -> Run:
        """
        Run `workflow` (a file in .github/workflows) of the event's commit to its end.

        A failing job is a result, not an error; a workflow that act cannot
        read, or one that runs no job, raises RuntimeError with act's words.
        """
        folder = self.scratch / f"run-{run_id}-{attempt}-{event.name}"
        folder.mkdir(parents=True)
        # act's service panics when a run that has no artifact yet is asked for its artifacts.
        (self.artifact_store / str(run_id)).mkdir(parents=True, exist_ok=True)
        clone = repository.clone_at(
            event.sha, folder / "clone", f"{self.server_url}/{repository.slug}"
        )
        payload = folder / "event.json"
        payload.write_text(self._sent(event), encoding="utf-8")
        command = [
            *(str(ACT), event.name, "--json", "--eventpath", str(payload)),
            *("--workflows", f".github/workflows/{workflow}", "--actor", event.actor),
            *self._of_every_run(),
            *_each("--local-repository", self._mounts(clone)),
            *_each("--secret", {"GITHUB_TOKEN": self.token} | dict(secrets or {})),
            *_each("--env", self._variables(run_id, attempt)),
        ]
        exit_code, out, err = _finish(
            command, clone, machine_environment() | {"XDG_CACHE_HOME": str(folder / "cache")}
        )
        (folder / "act.jsonl").write_text(out, encoding="utf-8")
        lines = out.splitlines()
        jobs = read_jobs(lines)
        if not jobs:
            msg = f"act ran no job of {workflow} for {event.name}:\n{readable(lines)}{err}"
            raise RuntimeError(msg)
        return Run(
            run_id=run_id,
            attempt=attempt,
            exit_code=exit_code,
            jobs=jobs,
            log=readable(lines) + err,
            artifact_store=self.artifact_store,
        )

    def _sent(self, event: Event) -> str:
        """Turn the payload into what this GitHub would send: with its own addresses."""
        text = json.dumps(event.payload).replace("https://api.github.com/", f"{self.api_url}/")
        return text.replace("https://github.com/", f"{self.server_url}/")

    def _of_every_run(self) -> list[str]:
        labels = ("ubuntu-latest", "self-hosted")
        return [
            *_each("--platform", dict.fromkeys(labels, "-self-hosted")),
            *("--action-cache-path", str(self.cache)),
            *("--artifact-server-path", str(self.artifact_store)),
            *("--artifact-server-addr", "127.0.0.1"),
            *("--artifact-server-port", str(_free_port())),
            *("--github-instance", self.server_url.partition("://")[2]),
            *("--defaultbranch", "main", "--no-skip-checkout", "--no-cache-server"),
            # act reads .env and its like from its working folder, which is somebody's repository.
            *("--env-file", os.devnull, "--secret-file", os.devnull),
            *("--var-file", os.devnull, "--input-file", os.devnull),
        ]

    def _mounts(self, clone: Path) -> dict[str, str]:
        """Folders by owner/name@ref; of the foreign actions, at the refs that are pinned."""
        pins = stand_ins.pins([self.telltale, clone / ".github"])
        foreign = {
            f"{action}@{ref}": str(self.stand_ins[action])
            for action, ref in pins
            if action in self.stand_ins
        }
        return {"octo/telltale@v1": str(self.telltale), **foreign}

    def _variables(self, run_id: int, attempt: int) -> dict[str, str]:
        return {
            "GITHUB_SERVER_URL": self.server_url,
            "GITHUB_API_URL": self.api_url,
            "GITHUB_RUN_ID": str(run_id),
            "GITHUB_RUN_ATTEMPT": str(attempt),
            # act keeps files of its own in XDG_CACHE_HOME; the jobs keep the machine's.
            "XDG_CACHE_HOME": os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache"),
            **self.environment,
        }


def machine_environment() -> dict[str, str]:
    """Return the variables of the runner machine, those of these tests taken out."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(NOT_OF_A_RUNNER)}
    return kept | {
        # Its Python is the one that runs the tests: it has pytest, as a user's would.
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}",
        "GIT_CONFIG_GLOBAL": os.devnull,  # a new machine's git: no name, no e-mail address
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",  # act gives steps a terminal; GitHub's have none
    }


def _each(flag: str, values: Mapping[str, str]) -> list[str]:
    return [word for key, value in values.items() for word in (flag, f"{key}={value}")]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _finish(command: list[str], folder: Path, environment: dict[str, str]) -> tuple[int, str, str]:
    """Run act; kill it and its steps when it hangs."""
    with subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        start_new_session=True,
    ) as process:
        try:
            out, err = process.communicate(timeout=TIMEOUT_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            out, err = process.communicate()
            msg = f"act was not done after {TIMEOUT_S} s:\n{readable(out.splitlines())}{err}"
            raise RuntimeError(msg) from None
    return process.returncode, out, err
