"""A scratch GitHub with one repository: its git, its API, its runner, and what happens on it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import yaml

from tests.e2e import events
from tests.e2e.act import Runner
from tests.e2e.events import Event, PullRequest
from tests.e2e.git_server import git_server
from tests.e2e.repository import Repository
from tests.e2e.results import Run
from tests.fake_github import FakeGitHub

WORKFLOWS = ".github/workflows"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Started:
    """Why a run was started; a re-run starts the same again."""

    event: Event
    workflow: str
    pull: PullRequest | None


@dataclass(slots=True, kw_only=True)
class ScratchGitHub:
    repository: Repository
    fake: FakeGitHub
    runner: Runner
    """Its token is replaced, for each run, by one with the permissions of the workflow."""
    ids: Iterator[int]
    """Numbers of runs to come."""
    _started: dict[int, _Started] = field(default_factory=dict)

    def push(self, files: Mapping[str, str], message: str, workflow: str) -> Run:
        """Commit to main and run `workflow` for it."""
        self.repository.commit(files, message)
        self._look()
        return self.start(events.push(self.repository), workflow)

    def open_pull_request(
        self, number: int, files: Mapping[str, str], *, fork: Repository | None = None
    ) -> PullRequest:
        """Commit to a new branch, of `fork` when given, and ask for it to be merged into main."""
        head = fork or self.repository
        branch = f"change-{number}"
        head.commit(files, f"Change {number}", branch=branch)
        if fork and fork.slug not in self.fake.repos:
            self.fake.add_repo(fork.slug, fork_of=self.repository.slug)
            self.fake.use_git(fork.bare, repo=fork.slug)
        self._look()
        self.fake.open_pull(number, branch, fork=fork.slug if fork else None)
        return PullRequest(number=number, base=self.repository, head=head, branch=branch)

    def push_to(self, pull: PullRequest, files: Mapping[str, str]) -> None:
        """Commit to the branch of a pull request."""
        pull.head.commit(files, f"More of change {pull.number}", branch=pull.branch)
        self._look()

    def test(self, pull: PullRequest, workflow: str) -> Run:
        """Run `workflow` of a pull request as it is now."""
        return self.start(events.pull_request(pull), workflow, pull=pull)

    def start(self, event: Event, workflow: str, *, pull: PullRequest | None = None) -> Run:
        """Run a workflow from its file in the commit of the event."""
        run_id = next(self.ids)
        self._started[run_id] = _Started(event=event, workflow=workflow, pull=pull)
        return self._attempt(run_id, 1)

    def rerun(self, run: Run) -> Run:
        """Run all jobs of a run again, as somebody who presses the button does."""
        return self._attempt(run.run_id, run.attempt + 1)

    def follow(self, run: Run, workflow: str) -> Run:
        """Run `workflow` because `run` was completed."""
        started = self._started[run.run_id]
        event = events.workflow_run(
            self.repository,
            run_id=run.run_id,
            attempt=run.attempt,
            workflow=started.workflow,
            conclusion=run.conclusion,
            cause=started.event,
            pull=started.pull,
        )
        return self.start(event, workflow)

    def _attempt(self, run_id: int, attempt: int) -> Run:
        started = self._started[run_id]
        event, pull = started.event, started.pull
        path = f"{WORKFLOWS}/{started.workflow}"
        self._look()
        known = self.fake.add_run(
            run_id,
            sha=event.sha if pull is None else None,
            pull=pull.number if pull else None,
            event=event.name,
            status="in_progress",
            name=started.workflow.partition(".")[0],
            path=path,
            attempt=attempt,
            actor=event.actor,
        )
        token = f"token-of-run-{run_id}-{attempt}"
        fork = pull is not None and pull.head is not pull.base
        text = self.repository.read(event.sha, path)
        self.fake.add_token(token, permissions=_permissions(text, read_only=fork))
        run = replace(self.runner, token=token).run(
            self.repository, event, workflow=started.workflow, run_id=run_id, attempt=attempt
        )
        with self.fake.lock:
            known.status, known.conclusion = "completed", run.conclusion
            for job in run.jobs.values():
                self.fake.add_job(run_id, job.title, conclusion=job.result)
        return run

    def _look(self) -> None:
        """Let the API see what was pushed."""
        with self.fake.lock:
            for repo in self.fake.repos.values():
                self.fake.sync(repo)


@contextmanager
def scratch_github(
    repository: Repository, runner: Runner, first_run: int = 1001
) -> Iterator[ScratchGitHub]:
    """
    Serve `repository` by git and API until the end of the block.

    `runner` gets the addresses. The block fails when a request or an answer
    broke GitHub's API description.
    """
    runner.artifact_store.mkdir(parents=True)
    fake = FakeGitHub(repository.slug, artifacts=runner.artifact_store)
    fake.use_git(repository.bare)

    def access(token: str) -> str:
        known = fake.tokens.get(token)
        return (known.permissions or {}).get("contents", "none") if known else "none"

    # The API names the pages of the same GitHub, as that of GitHub Enterprise does.
    with git_server(repository.root, access) as server_url:
        fake.server_url = server_url
        with fake:
            yield ScratchGitHub(
                repository=repository,
                fake=fake,
                runner=replace(runner, server_url=server_url, api_url=fake.url),
                ids=itertools.count(first_run),
            )
        assert not fake.violations, json.dumps(fake.violations, indent=1)


def _permissions(workflow: str, *, read_only: bool) -> dict[str, str]:
    """
    Read what a workflow's jobs may do together.

    GitHub gives each job a token of its own; act has one for the whole run.
    A run of a fork may not write, whatever the workflow says.
    """
    granted: dict[str, str] = {}
    content = yaml.safe_load(workflow)
    for job in content["jobs"].values():
        for scope, level in job.get("permissions", content.get("permissions", {})).items():
            name = scope.replace("-", "_")
            granted[name] = "write" if "write" in {level, granted.get(name)} else level
    return dict.fromkeys(granted, "read") if read_only else granted
