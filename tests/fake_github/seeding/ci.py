"""Workflow runs, jobs and artifacts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.fake_github.seeding.code import Code
from tests.fake_github.state import Artifact, Job, Run, format_time


class Ci(Code):
    """What ran."""

    def add_run(
        self,
        run_id: int | None = None,
        *,
        sha: str | None = None,
        branch: str | None = None,
        pull: int | None = None,
        event: str | None = None,
        status: str = "completed",
        conclusion: str | None = "success",
        name: str = "CI",
        path: str = ".github/workflows/ci.yml",
        attempt: int = 1,
        actor: str | None = None,
        at: datetime | str | None = None,
        repo: str | None = None,
    ) -> Run:
        """A workflow run: of a pull request's head, or of a branch (the default one).

        The same `run_id` again is a re-run: a new attempt, with the jobs of the earlier ones kept.
        """
        there, now = self.find_repo(repo), self.moment(at)
        self.sync(there)
        branch = branch or there.default_branch
        head_repo = there.full_name
        if pull is not None:
            issue = there.issues[pull]
            if issue.pull is None:
                raise ValueError(f"#{pull} is no pull request")
            branch, head_repo = issue.pull.head_ref, issue.pull.head_repo or there.full_name
            sha, actor = sha or issue.pull.head_sha, actor or issue.user
        sha = sha or there.refs[f"refs/heads/{branch}"]
        run_id = run_id or self.new_id()
        before = there.runs.get(run_id)
        run = Run(
            id=run_id,
            name=name,
            path=path,
            workflow_id=sum(path.encode()),
            event=event or ("push" if pull is None else "pull_request"),
            status=status,
            conclusion=conclusion if status == "completed" else None,
            head_branch=branch,
            head_sha=sha,
            head_repo=head_repo,
            run_number=before.run_number if before else len(there.runs) + 1,
            run_attempt=max(attempt, before.run_attempt + 1) if before else attempt,
            actor=actor or "octocat",
            created_at=before.created_at if before else now,
            run_started_at=now,
            updated_at=now,
            jobs=before.jobs if before else [],
        )
        there.runs[run.id] = run
        self.changed()
        return run

    def add_job(
        self,
        run: Run | int,
        name: str = "test",
        *,
        attempt: int | None = None,
        status: str = "completed",
        conclusion: str | None = "success",
        labels: Sequence[str] = ("self-hosted",),
        runner_name: str | None = "runner-1",
        steps: Sequence[str] = ("Run tests",),
        at: datetime | str | None = None,
        repo: str | None = None,
    ) -> Job:
        """A job of a run's attempt (the latest one), whose last step decided its conclusion."""
        there, now = self.find_repo(repo), self.moment(at)
        found = there.runs[run if isinstance(run, int) else run.id]
        done = status == "completed"
        shown: list[dict[str, Any]] = [
            {
                "name": step,
                "number": number,
                "status": "completed" if done else "queued",
                "conclusion": (conclusion if number == len(steps) else "success") if done else None,
                "started_at": format_time(now) if done else None,
                "completed_at": format_time(now) if done else None,
            }
            for number, step in enumerate(steps, 1)
        ]
        job = Job(
            id=self.new_id(),
            run_id=found.id,
            run_attempt=attempt or found.run_attempt,
            name=name,
            status=status,
            conclusion=conclusion if done else None,
            started_at=now,
            completed_at=now if done else None,
            labels=list(labels),
            runner_name=runner_name,
            steps=shown,
        )
        found.jobs.append(job)
        self.changed()
        return job

    def add_artifact(
        self, run: Run | int, name: str, zip_path: str | Path, *, repo: str | None = None
    ) -> Artifact:
        """An artifact of a run, whose zip lies at `zip_path` (it is not copied)."""
        there = self.find_repo(repo)
        found = there.runs[run if isinstance(run, int) else run.id]
        artifact = self.put_artifact(there, found, name, Path(zip_path))
        self.changed()
        return artifact

    def expire_artifact(self, artifact_id: int, *, repo: str | None = None) -> Artifact:
        """An artifact past its retention: listed still, its zip gone."""
        artifact = self.find_repo(repo).artifacts[artifact_id]
        artifact.expired = True
        self.changed()
        return artifact
