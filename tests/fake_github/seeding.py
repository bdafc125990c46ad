"""What a test says happened on GitHub before, or beside, the program under test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.fake_github import gitdata
from tests.fake_github.state import (
    Artifact,
    Comment,
    Commit,
    Issue,
    Job,
    Label,
    Pull,
    Repo,
    Run,
    format_time,
)
from tests.fake_github.world import World


class Seeding(World):
    """Seeding methods. `repo` is a full name; the main repository when not given.

    Times are aware datetimes or ISO 8601; now when not given. Every method can be called from
    a seed file too, as `{"do": "<method>", ...keyword arguments}`.
    """

    def use_git(self, path: str | Path, repo: str | None = None) -> Repo:
        """Read commits and refs live from a real bare repository, instead of the made-up ones."""
        there = self.find_repo(repo)
        there.git_dir = Path(path)
        there.commits.clear()
        there.refs.clear()
        self.sync(there)
        return there

    def push(
        self,
        *,
        sha: str | None = None,
        files: Mapping[str, str | bytes | None] | None = None,
        branch: str | None = None,
        message: str = "A commit",
        parents: Sequence[str] | None = None,
        author: str = "octocat",
        at: datetime | str | None = None,
        repo: str | None = None,
    ) -> Commit:
        """A commit on a branch (made from the default one if new); a file of None is deleted.

        Pull requests from that branch move along, as on GitHub.
        """
        there = self.find_repo(repo)
        branch = branch or there.default_branch
        tip = there.refs.get(f"refs/heads/{branch}") or there.refs.get(
            f"refs/heads/{there.default_branch}"
        )
        if parents is None:
            parents = (tip,) if tip else ()
        tree = dict(there.commits[parents[0]].tree) if parents else {}
        for path, content in (files or {}).items():
            if content is None:
                del tree[path]
            else:
                tree[path] = gitdata.make_blob(content)
        commit = gitdata.make_commit(
            sha=sha,
            message=message,
            parents=tuple(parents),
            tree=tree,
            author=author,
            date=self.moment(at),
        )
        there.commits[commit.sha] = commit
        there.refs[f"refs/heads/{branch}"] = commit.sha
        self.branch_moved(there, branch, commit.sha)
        self.changed()
        return commit

    def open_pull(
        self,
        number: int | None = None,
        head: str = "feature",
        base: str | None = None,
        *,
        fork: str | None = None,
        sha: str | None = None,
        title: str | None = None,
        body: str | None = None,
        user: str | None = None,
        draft: bool = False,
        at: datetime | str | None = None,
        repo: str | None = None,
    ) -> Issue:
        """A pull request from branch `head`, of the fork by that full name if given.

        A fork that is not there is made, and so is a branch, with one commit (`sha`, if given)
        on top of the base.
        """
        there = self.find_repo(repo)
        self.sync(there)
        base = base or there.default_branch
        if fork is not None and fork not in self.repos:
            self.add_repo(
                fork,
                private=there.private,
                default_branch=there.default_branch,
                fork_of=there.full_name,
            )
        source = there if fork is None else self.repos[fork]
        base_sha = there.refs[f"refs/heads/{base}"]
        user = user or (fork.split("/")[0] if fork else "octocat")
        if f"refs/heads/{head}" not in source.refs:
            self.push(
                sha=sha, branch=head, message=title or f"Work on {head}", parents=(base_sha,),
                files={f"{head}.txt": f"{head}\n"}, author=user, repo=source.full_name, at=at,
            )  # fmt: skip
        head_sha = source.refs[f"refs/heads/{head}"]
        there.commits.update(source.commits)
        now = self.moment(at)
        issue = Issue(
            id=self.new_id(),
            number=number or self.next_number(there),
            title=title or f"Work on {head}",
            body=body,
            user=user,
            created_at=now,
            updated_at=now,
            pull=Pull(
                head_repo=source.full_name,
                head_ref=head,
                head_sha=head_sha,
                base_ref=base,
                base_sha=base_sha,
                merge_commit_sha=None,
                draft=draft,
            ),
        )
        self.test_merge(there, issue)
        there.issues[issue.number] = issue
        self.changed()
        return issue

    def merge_pull(self, number: int, *, by: str = "octocat", repo: str | None = None) -> Issue:
        """Merge a pull request with a merge commit."""
        there = self.find_repo(repo)
        issue = there.issues[number]
        assert issue.pull is not None, f"#{number} is no pull request"
        pull = issue.pull
        base_sha = there.refs[f"refs/heads/{pull.base_ref}"]
        commit = gitdata.make_commit(
            sha=None,
            message=f"Merge pull request #{number} from {pull.head_ref}",
            parents=(base_sha, pull.head_sha),
            tree=gitdata.merged_tree(there, base_sha, pull.head_sha),
            author=by,
            date=self.clock.now(),
        )
        there.commits[commit.sha] = commit
        there.refs[f"refs/heads/{pull.base_ref}"] = pull.merge_commit_sha = commit.sha
        pull.merged_at, pull.merged_by = self.clock.now(), by
        return self.close_issue(number, by=by, reason=None, repo=repo)

    def delete_fork(self, full_name: str) -> None:
        """Delete a fork; its pull requests stay, without a head repository."""
        del self.repos[full_name]
        for there in self.repos.values():
            for issue in there.pulls.values():
                if issue.pull and issue.pull.head_repo == full_name:
                    issue.pull.head_repo = None
        self.changed()

    def open_issue(
        self,
        number: int | None = None,
        *,
        title: str = "An issue",
        body: str | None = None,
        user: str = "octocat",
        labels: Sequence[str] = (),
        at: datetime | str | None = None,
        repo: str | None = None,
    ) -> Issue:
        there, now = self.find_repo(repo), self.moment(at)
        issue = Issue(
            id=self.new_id(),
            number=number or self.next_number(there),
            title=title,
            body=body,
            user=user,
            labels=self.ensure_labels(there, list(labels)),
            created_at=now,
            updated_at=now,
        )
        there.issues[issue.number] = issue
        self.changed()
        return issue

    def close_issue(
        self,
        number: int,
        *,
        by: str = "octocat",
        reason: str | None = "completed",
        at: datetime | str | None = None,
        repo: str | None = None,
    ) -> Issue:
        """Close an issue, or a pull request without merging it."""
        issue = self.find_repo(repo).issues[number]
        issue.state, issue.state_reason, issue.closed_by = "closed", reason, by
        issue.closed_at = issue.updated_at = self.moment(at)
        self.changed()
        return issue

    def lock_issue(
        self, number: int, *, reason: str | None = None, repo: str | None = None
    ) -> Issue:
        """Lock the conversation of an issue or pull request."""
        issue = self.find_repo(repo).issues[number]
        issue.locked, issue.lock_reason = True, reason
        self.changed()
        return issue

    def add_comment(
        self,
        number: int,
        body: str,
        *,
        user: str = "octocat",
        at: datetime | str | None = None,
        repo: str | None = None,
    ) -> Comment:
        """A comment on an issue or pull request."""
        there, now = self.find_repo(repo), self.moment(at)
        comment = Comment(
            id=self.new_id(), issue=number, body=body, user=user, created_at=now, updated_at=now
        )
        there.comments[comment.id] = comment
        there.issues[number].updated_at = now
        self.changed()
        return comment

    def add_label(
        self,
        name: str,
        *,
        color: str = "ededed",
        description: str | None = None,
        repo: str | None = None,
    ) -> Label:
        label = Label(id=self.new_id(), name=name, color=color, description=description)
        self.find_repo(repo).labels[name.lower()] = label
        self.changed()
        return label

    def add_collaborator(self, login: str, role: str = "write", *, repo: str | None = None) -> None:
        """Give somebody a role: admin, maintain, write, triage or read."""
        self.find_repo(repo).collaborators[login] = role
        self.changed()

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
            assert issue.pull is not None, f"#{pull} is no pull request"
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
