"""Checks, statuses, workflow runs, jobs and artifacts as GitHub shows them."""

from __future__ import annotations

from datetime import timedelta

from tests.fake_github.state import Artifact, CheckRun, Commit, Job, Repo, Run, Status
from tests.fake_github.view.base import node_id, when
from tests.fake_github.view.conversation import ConversationView
from tests.fake_github.web import Json

ARTIFACT_DAYS = 90


class ActionsView(ConversationView):
    def check_run(self, repo: Repo, check: CheckRun) -> Json:
        url = f"{self.repo_url(repo)}/check-runs/{check.id}"
        html = f"{self.html}/{repo.full_name}/runs/{check.id}"
        return {
            "id": check.id,
            "node_id": node_id("CR", check.id),
            "name": check.name,
            "head_sha": check.head_sha,
            "external_id": check.external_id or "",
            "url": url,
            "html_url": html,
            "details_url": check.details_url or html,
            "status": check.status,
            "conclusion": check.conclusion,
            "started_at": when(check.started_at),
            "completed_at": when(check.completed_at),
            "output": {
                "title": check.title,
                "summary": check.summary,
                "text": check.text,
                "annotations_count": len(check.annotations),
                "annotations_url": f"{url}/annotations",
            },
            "check_suite": {"id": int(check.head_sha[:8], 16)},
            "app": self.app(),
            "pull_requests": [
                self.pull_minimal(repo, issue)
                for issue in repo.pulls.values()
                if issue.state == "open"
                and issue.pull
                and issue.pull.head_repo == repo.full_name
                and issue.pull.head_sha == check.head_sha
            ],
        }

    def annotation(self, repo: Repo, check: CheckRun, annotation: Json) -> Json:
        where = f"{self.html}/{repo.full_name}/blob/{check.head_sha}/{annotation['path']}"
        optional = ("start_column", "end_column", "title", "raw_details")
        return {**dict.fromkeys(optional), **annotation, "blob_href": where}

    def status(self, repo: Repo, status: Status) -> Json:
        return {
            "id": status.id,
            "node_id": node_id("SC", status.id),
            "url": f"{self.repo_url(repo)}/statuses/{status.sha}",
            "avatar_url": self.user(status.creator)["avatar_url"],
            "state": status.state,
            "description": status.description,
            "target_url": status.target_url,
            "context": status.context,
            "created_at": when(status.created_at),
            "updated_at": when(status.created_at),
            "creator": self.user(status.creator),
        }

    def run(self, repo: Repo, run: Run, *, with_pulls: bool = True) -> Json:
        api = self.repo_url(repo)
        url = f"{api}/actions/runs/{run.id}"
        suite = int(run.head_sha[:8], 16)
        head_repo = self.github.repos[run.head_repo]
        before = run.run_attempt - 1
        commit = head_repo.commits.get(run.head_sha) or repo.commits.get(run.head_sha)
        return {
            "id": run.id,
            "name": run.name,
            "node_id": node_id("WFR", run.id),
            "head_branch": run.head_branch,
            "head_sha": run.head_sha,
            "path": run.path,
            "display_title": commit.message.partition("\n")[0] if commit else run.name,
            "run_number": run.run_number,
            "run_attempt": run.run_attempt,
            "event": run.event,
            "status": run.status,
            "conclusion": run.conclusion,
            "workflow_id": run.workflow_id,
            "check_suite_id": suite,
            "check_suite_node_id": node_id("CS", suite),
            "url": url,
            "html_url": f"{self.html}/{repo.full_name}/actions/runs/{run.id}",
            "pull_requests": self.run_pulls(repo, run) if with_pulls else [],
            "created_at": when(run.created_at),
            "updated_at": when(run.updated_at),
            "run_started_at": when(run.run_started_at),
            "actor": self.user(run.actor),
            "triggering_actor": self.user(run.actor),
            "referenced_workflows": [],
            "jobs_url": f"{url}/jobs",
            "logs_url": f"{url}/logs",
            "check_suite_url": f"{api}/check-suites/{suite}",
            "artifacts_url": f"{url}/artifacts",
            "cancel_url": f"{url}/cancel",
            "rerun_url": f"{url}/rerun",
            "previous_attempt_url": f"{url}/attempts/{before}" if before else None,
            "workflow_url": f"{api}/actions/workflows/{run.workflow_id}",
            "head_commit": self.head_commit(commit) if commit else None,
            "repository": self.repo_short(repo),
            "head_repository": self.repo_short(head_repo),
        }

    def run_pulls(self, repo: Repo, run: Run) -> list[Json]:
        """The run's open pull requests; GitHub leaves out those of forks."""
        return [
            self.pull_minimal(repo, issue)
            for issue in repo.pulls.values()
            if issue.state == "open"
            and issue.pull
            and issue.pull.head_repo == run.head_repo == repo.full_name
            and issue.pull.head_ref == run.head_branch
        ]

    def head_commit(self, commit: Commit) -> Json:
        person = {"name": commit.author, "email": commit.email}
        return {
            "id": commit.sha,
            "tree_id": commit.tree_sha,
            "message": commit.message,
            "timestamp": when(commit.date),
            "author": person,
            "committer": person,
        }

    def job(self, repo: Repo, run: Run, job: Job) -> Json:
        api = self.repo_url(repo)
        return {
            "id": job.id,
            "run_id": run.id,
            "workflow_name": run.name,
            "head_branch": run.head_branch,
            "run_url": f"{api}/actions/runs/{run.id}",
            "run_attempt": job.run_attempt,
            "node_id": node_id("J", job.id),
            "head_sha": run.head_sha,
            "url": f"{api}/actions/jobs/{job.id}",
            "html_url": f"{self.html}/{repo.full_name}/actions/runs/{run.id}/job/{job.id}",
            "status": job.status,
            "conclusion": job.conclusion,
            "created_at": when(job.started_at),
            "started_at": when(job.started_at),
            "completed_at": when(job.completed_at),
            "name": job.name,
            "steps": job.steps,
            "check_run_url": f"{api}/check-runs/{job.id}",
            "labels": job.labels,
            "runner_id": 1 if job.runner_name else None,
            "runner_name": job.runner_name,
            "runner_group_id": 1 if job.runner_name else None,
            "runner_group_name": "Default" if job.runner_name else None,
        }

    def artifact(self, repo: Repo, artifact: Artifact) -> Json:
        url = f"{self.repo_url(repo)}/actions/artifacts/{artifact.id}"
        run = repo.runs[artifact.run_id]
        return {
            "id": artifact.id,
            "node_id": node_id("AR", artifact.id),
            "name": artifact.name,
            "size_in_bytes": artifact.size,
            "url": url,
            "archive_download_url": f"{url}/zip",
            "expired": artifact.expired,
            "digest": artifact.digest,
            "created_at": when(artifact.created_at),
            "updated_at": when(artifact.created_at),
            "expires_at": when(artifact.created_at + timedelta(days=ARTIFACT_DAYS)),
            "workflow_run": {
                "id": run.id,
                "repository_id": repo.id,
                "head_repository_id": self.github.repos[run.head_repo].id,
                "head_branch": run.head_branch,
                "head_sha": run.head_sha,
            },
        }
