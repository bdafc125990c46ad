"""The state as GitHub shows it: one method per kind of object, complete as documented."""

from __future__ import annotations

import base64
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from tests.fake_github import gitdata
from tests.fake_github.state import (
    Artifact,
    Blob,
    CheckRun,
    Comment,
    Commit,
    Issue,
    Job,
    Label,
    Pull,
    Repo,
    Run,
    Status,
    format_time,
)
from tests.fake_github.web import Json

if TYPE_CHECKING:
    from tests.fake_github.world import World

HTML = "https://github.com"
ARTIFACT_DAYS = 90
USER_LINKS = {
    "followers_url": "/followers",
    "following_url": "/following{/other_user}",
    "gists_url": "/gists{/gist_id}",
    "starred_url": "/starred{/owner}{/repo}",
    "subscriptions_url": "/subscriptions",
    "organizations_url": "/orgs",
    "repos_url": "/repos",
    "events_url": "/events{/privacy}",
    "received_events_url": "/received_events",
}
REPO_LINKS = {
    "archive_url": "/{archive_format}{/ref}",
    "assignees_url": "/assignees{/user}",
    "blobs_url": "/git/blobs{/sha}",
    "branches_url": "/branches{/branch}",
    "collaborators_url": "/collaborators{/collaborator}",
    "comments_url": "/comments{/number}",
    "commits_url": "/commits{/sha}",
    "compare_url": "/compare/{base}...{head}",
    "contents_url": "/contents/{+path}",
    "contributors_url": "/contributors",
    "deployments_url": "/deployments",
    "downloads_url": "/downloads",
    "events_url": "/events",
    "forks_url": "/forks",
    "git_commits_url": "/git/commits{/sha}",
    "git_refs_url": "/git/refs{/sha}",
    "git_tags_url": "/git/tags{/sha}",
    "hooks_url": "/hooks",
    "issue_comment_url": "/issues/comments{/number}",
    "issue_events_url": "/issues/events{/number}",
    "issues_url": "/issues{/number}",
    "keys_url": "/keys{/key_id}",
    "labels_url": "/labels{/name}",
    "languages_url": "/languages",
    "merges_url": "/merges",
    "milestones_url": "/milestones{/number}",
    "notifications_url": "/notifications{?since,all,participating}",
    "pulls_url": "/pulls{/number}",
    "releases_url": "/releases{/id}",
    "stargazers_url": "/stargazers",
    "statuses_url": "/statuses/{sha}",
    "subscribers_url": "/subscribers",
    "subscription_url": "/subscription",
    "tags_url": "/tags",
    "teams_url": "/teams",
    "trees_url": "/git/trees{/sha}",
}
REACTIONS = ("+1", "-1", "laugh", "confused", "heart", "hooray", "eyes", "rocket")
ACTIONS_APP_ID = 15368


def when(moment: datetime | None) -> str | None:
    """A moment as GitHub writes it, if there is one."""
    return None if moment is None else format_time(moment)


def node_id(kind: str, number: int) -> str:
    return base64.b64encode(f"{kind}{number}".encode()).decode()


class View:
    """Shows the state to a client that reached the fake under `base` (scheme and host)."""

    def __init__(self, github: World, base: str) -> None:
        self.github = github
        self.base = base

    def repo_url(self, repo: Repo) -> str:
        return f"{self.base}/repos/{repo.full_name}"

    def user(self, login: str) -> Json:
        user = self.github.user(login)
        url = f"{self.base}/users/{login}"
        app = login.removesuffix("[bot]")
        return {
            "login": login,
            "id": user.id,
            "node_id": node_id("U", user.id),
            "avatar_url": f"https://avatars.githubusercontent.com/u/{user.id}?v=4",
            "gravatar_id": "",
            "url": url,
            "html_url": f"{HTML}/apps/{app}" if user.type == "Bot" else f"{HTML}/{login}",
            **{name: url + suffix for name, suffix in USER_LINKS.items()},
            "type": user.type,
            "user_view_type": "public",
            "site_admin": False,
        }

    def app(self) -> Json:
        """The app behind every GITHUB_TOKEN."""
        return {
            "id": ACTIONS_APP_ID,
            "slug": "github-actions",
            "node_id": node_id("A", ACTIONS_APP_ID),
            "owner": {**self.user("github"), "type": "Organization"},
            "name": "GitHub Actions",
            "description": "Automate your workflow from idea to production",
            "external_url": "https://help.github.com/en/actions",
            "html_url": f"{HTML}/apps/github-actions",
            "created_at": "2018-07-30T09:30:17Z",
            "updated_at": "2019-12-10T19:04:12Z",
            "permissions": {"checks": "write", "contents": "write", "issues": "write"},
            "events": [],
        }

    def repo_short(self, repo: Repo) -> Json:
        """What the schemas call a minimal repository."""
        url = self.repo_url(repo)
        return {
            "id": repo.id,
            "node_id": node_id("R", repo.id),
            "name": repo.name,
            "full_name": repo.full_name,
            "private": repo.private,
            "owner": self.user(repo.owner),
            "html_url": f"{HTML}/{repo.full_name}",
            "description": None,
            "fork": repo.fork_of is not None,
            "url": url,
            **{name: url + suffix for name, suffix in REPO_LINKS.items()},
        }

    def repo(self, repo: Repo) -> Json:
        """As it is shown inside a pull request."""
        open_issues = sum(issue.state == "open" for issue in repo.issues.values())
        return {
            **self.repo_short(repo),
            "git_url": f"git://github.com/{repo.full_name}.git",
            "ssh_url": f"git@github.com:{repo.full_name}.git",
            "clone_url": f"{HTML}/{repo.full_name}.git",
            "svn_url": f"{HTML}/{repo.full_name}",
            "mirror_url": None,
            "homepage": None,
            "language": "Python",
            "license": None,
            "default_branch": repo.default_branch,
            "visibility": "private" if repo.private else "public",
            "topics": [],
            "size": 0,
            "is_template": False,
            "archived": repo.archived,
            "disabled": False,
            "allow_forking": True,
            "web_commit_signoff_required": False,
            "has_issues": repo.has_issues,
            **dict.fromkeys(
                ("has_projects", "has_wiki", "has_pages", "has_downloads", "has_discussions"), False
            ),
            **dict.fromkeys(("forks", "forks_count", "stargazers_count"), 0),
            **dict.fromkeys(("watchers", "watchers_count"), 0),
            "open_issues": open_issues,
            "open_issues_count": open_issues,
            "created_at": when(repo.created_at),
            "updated_at": when(repo.created_at),
            "pushed_at": when(repo.created_at),
        }

    def repo_full(self, repo: Repo) -> Json:
        shown = {**self.repo(repo), "subscribers_count": 0, "network_count": 0}
        if repo.fork_of is not None:
            parent = self.repo(self.github.repos[repo.fork_of])
            shown |= {"parent": parent, "source": parent}
        return shown

    def label(self, repo: Repo, label: Label) -> Json:
        return {
            "id": label.id,
            "node_id": node_id("LA", label.id),
            "url": f"{self.repo_url(repo)}/labels/{label.name}",
            "name": label.name,
            "color": label.color,
            "default": False,
            "description": label.description,
        }

    def labels(self, repo: Repo, issue: Issue) -> list[Json]:
        return [self.label(repo, repo.labels[name.lower()]) for name in issue.labels]

    def reactions(self, url: str) -> Json:
        return {"url": f"{url}/reactions", "total_count": 0, **dict.fromkeys(REACTIONS, 0)}

    def association(self, repo: Repo, login: str) -> str:
        if login == repo.owner:
            return "OWNER"
        return "COLLABORATOR" if login in repo.collaborators else "NONE"

    def issue(self, repo: Repo, issue: Issue) -> Json:
        url = f"{self.repo_url(repo)}/issues/{issue.number}"
        kind = "pull" if issue.pull else "issues"
        shown = {
            "id": issue.id,
            "node_id": node_id("I", issue.id),
            "url": url,
            "repository_url": self.repo_url(repo),
            "labels_url": f"{url}/labels{{/name}}",
            "comments_url": f"{url}/comments",
            "events_url": f"{url}/events",
            "timeline_url": f"{url}/timeline",
            "html_url": f"{HTML}/{repo.full_name}/{kind}/{issue.number}",
            "number": issue.number,
            "state": issue.state,
            "state_reason": issue.state_reason,
            "title": issue.title,
            "body": issue.body,
            "user": self.user(issue.user),
            "labels": self.labels(repo, issue),
            "assignee": self.user(issue.assignees[0]) if issue.assignees else None,
            "assignees": [self.user(login) for login in issue.assignees],
            "milestone": None,
            "locked": issue.locked,
            "active_lock_reason": issue.lock_reason,
            "comments": len(repo.comments_on(issue.number)),
            "created_at": when(issue.created_at),
            "updated_at": when(issue.updated_at),
            "closed_at": when(issue.closed_at),
            "closed_by": self.user(issue.closed_by) if issue.closed_by else None,
            "author_association": self.association(repo, issue.user),
            "performed_via_github_app": None,
            "reactions": self.reactions(url),
        }
        if issue.pull:
            pull_url = f"{self.repo_url(repo)}/pulls/{issue.number}"
            html = f"{HTML}/{repo.full_name}/pull/{issue.number}"
            shown["draft"] = issue.pull.draft
            shown["pull_request"] = {
                "url": pull_url,
                "html_url": html,
                "diff_url": f"{html}.diff",
                "patch_url": f"{html}.patch",
                "merged_at": when(issue.pull.merged_at),
            }
        return shown

    def comment(self, repo: Repo, comment: Comment) -> Json:
        issue = repo.issues[comment.issue]
        kind = "pull" if issue.pull else "issues"
        url = f"{self.repo_url(repo)}/issues/comments/{comment.id}"
        anchor = f"{comment.issue}#issuecomment-{comment.id}"
        return {
            "id": comment.id,
            "node_id": node_id("IC", comment.id),
            "url": url,
            "html_url": f"{HTML}/{repo.full_name}/{kind}/{anchor}",
            "issue_url": f"{self.repo_url(repo)}/issues/{comment.issue}",
            "user": self.user(comment.user),
            "body": comment.body,
            "created_at": when(comment.created_at),
            "updated_at": when(comment.updated_at),
            "author_association": self.association(repo, comment.user),
            "performed_via_github_app": None,
            "reactions": self.reactions(url),
        }

    def pull(self, repo: Repo, issue: Issue) -> Json:
        """As a list shows it."""
        assert issue.pull is not None
        pull, number = issue.pull, issue.number
        url = f"{self.repo_url(repo)}/pulls/{number}"
        issue_url = f"{self.repo_url(repo)}/issues/{number}"
        html = f"{HTML}/{repo.full_name}/pull/{number}"
        statuses = f"{self.repo_url(repo)}/statuses/{pull.head_sha}"
        links = {
            "self": url,
            "html": html,
            "issue": issue_url,
            "comments": f"{issue_url}/comments",
            "review_comments": f"{url}/comments",
            "review_comment": f"{self.repo_url(repo)}/pulls/comments{{/number}}",
            "commits": f"{url}/commits",
            "statuses": statuses,
        }
        return {
            "id": issue.id,
            "node_id": node_id("PR", issue.id),
            "number": number,
            "url": url,
            "html_url": html,
            "diff_url": f"{html}.diff",
            "patch_url": f"{html}.patch",
            "issue_url": issue_url,
            "commits_url": links["commits"],
            "review_comments_url": links["review_comments"],
            "review_comment_url": links["review_comment"],
            "comments_url": links["comments"],
            "statuses_url": statuses,
            "state": issue.state,
            "locked": issue.locked,
            "active_lock_reason": issue.lock_reason,
            "title": issue.title,
            "user": self.user(issue.user),
            "body": issue.body,
            "labels": self.labels(repo, issue),
            "milestone": None,
            "assignee": None,
            "assignees": [self.user(login) for login in issue.assignees],
            "requested_reviewers": [],
            "requested_teams": [],
            "created_at": when(issue.created_at),
            "updated_at": when(issue.updated_at),
            "closed_at": when(issue.closed_at),
            "merged_at": when(pull.merged_at),
            "merge_commit_sha": pull.merge_commit_sha,
            "draft": pull.draft,
            "auto_merge": None,
            "author_association": self.association(repo, issue.user),
            "head": self.side(issue, pull.head_repo, pull.head_ref, pull.head_sha),
            "base": self.side(issue, repo.full_name, pull.base_ref, pull.base_sha),
            "_links": {name: {"href": href} for name, href in links.items()},
        }

    def side(self, issue: Issue, full_name: str | None, ref: str, sha: str) -> Json:
        """Head or base of a pull request."""
        owner = full_name.split("/")[0] if full_name else issue.user
        return {
            "label": f"{owner}:{ref}",
            "ref": ref,
            "sha": sha,
            "user": self.user(owner),
            "repo": self.repo(self.github.repos[full_name]) if full_name else None,
        }

    def pull_full(self, repo: Repo, issue: Issue) -> Json:
        assert issue.pull is not None
        changes = self.pull_changes(repo, issue.pull)
        lines = [change.lines() for change in changes]
        is_open = issue.state == "open"
        return {
            **self.pull(repo, issue),
            "merged": issue.pull.merged_at is not None,
            "merged_by": self.user(issue.pull.merged_by) if issue.pull.merged_by else None,
            "mergeable": True if is_open else None,
            "rebaseable": True if is_open else None,
            "mergeable_state": "clean" if is_open else "unknown",
            "comments": len(repo.comments_on(issue.number)),
            "review_comments": 0,
            "maintainer_can_modify": False,
            "commits": len(gitdata.only_in(repo, issue.pull.head_sha, issue.pull.base_sha)),
            "additions": sum(added for added, _ in lines),
            "deletions": sum(removed for _, removed in lines),
            "changed_files": len(changes),
        }

    def pull_changes(self, repo: Repo, pull: Pull) -> list[gitdata.Change]:
        """The files of a pull request: the head against where it left the base."""
        common = gitdata.merge_base(repo, pull.base_sha, pull.head_sha)
        before = common.tree if common else {}
        return gitdata.changes(before, repo.commits[pull.head_sha].tree)

    def pull_minimal(self, repo: Repo, issue: Issue) -> Json:
        assert issue.pull is not None
        pull = issue.pull

        def side(full_name: str, ref: str, sha: str) -> Json:
            there = self.github.repos[full_name]
            where = {"id": there.id, "url": self.repo_url(there), "name": there.name}
            return {"ref": ref, "sha": sha, "repo": where}

        return {
            "id": issue.id,
            "number": issue.number,
            "url": f"{self.repo_url(repo)}/pulls/{issue.number}",
            "head": side(pull.head_repo or repo.full_name, pull.head_ref, pull.head_sha),
            "base": side(repo.full_name, pull.base_ref, pull.base_sha),
        }

    def commit(self, repo: Repo, commit: Commit) -> Json:
        """As a list shows it."""
        url = f"{self.repo_url(repo)}/commits/{commit.sha}"
        person = {"name": commit.author, "email": commit.email, "date": when(commit.date)}
        return {
            "sha": commit.sha,
            "node_id": node_id("C", int(commit.sha[:12], 16)),
            "url": url,
            "html_url": f"{HTML}/{repo.full_name}/commit/{commit.sha}",
            "comments_url": f"{url}/comments",
            "commit": {
                "author": person,
                "committer": person,
                "message": commit.message,
                "tree": {
                    "sha": commit.tree_sha,
                    "url": f"{self.repo_url(repo)}/git/trees/{commit.tree_sha}",
                },
                "url": f"{self.repo_url(repo)}/git/commits/{commit.sha}",
                "comment_count": 0,
                "verification": self.unverified(),
            },
            "author": self.user(commit.author),
            "committer": self.user(commit.author),
            "parents": [self.parent(repo, sha) for sha in commit.parents],
        }

    def parent(self, repo: Repo, sha: str) -> Json:
        return {
            "sha": sha,
            "url": f"{self.repo_url(repo)}/commits/{sha}",
            "html_url": f"{HTML}/{repo.full_name}/commit/{sha}",
        }

    def unverified(self) -> Json:
        return {
            "verified": False,
            "reason": "unsigned",
            "signature": None,
            "payload": None,
            "verified_at": None,
        }

    def commit_full(self, repo: Repo, commit: Commit) -> Json:
        parent = repo.commits.get(commit.parents[0]) if commit.parents else None
        files = gitdata.changes(parent.tree if parent else {}, commit.tree)
        shown = [self.diff_entry(repo, commit.sha, change) for change in files]
        added = sum(entry["additions"] for entry in shown)
        removed = sum(entry["deletions"] for entry in shown)
        stats = {"total": added + removed, "additions": added, "deletions": removed}
        return {**self.commit(repo, commit), "stats": stats, "files": shown}

    def diff_entry(self, repo: Repo, sha: str, change: gitdata.Change) -> Json:
        blob = change.after or change.before
        added, removed = change.lines()
        html = f"{HTML}/{repo.full_name}"
        return {
            "sha": blob.sha if blob else None,
            "filename": change.path,
            "status": change.status,
            "additions": added,
            "deletions": removed,
            "changes": added + removed,
            "blob_url": f"{html}/blob/{sha}/{change.path}",
            "raw_url": f"{html}/raw/{sha}/{change.path}",
            "contents_url": f"{self.repo_url(repo)}/contents/{change.path}?ref={sha}",
        }

    def git_commit(self, repo: Repo, commit: Commit) -> Json:
        """As the git database shows it."""
        shown = self.commit(repo, commit)
        return {
            "sha": commit.sha,
            "node_id": shown["node_id"],
            "url": shown["commit"]["url"],
            "html_url": shown["html_url"],
            "author": shown["commit"]["author"],
            "committer": shown["commit"]["committer"],
            "message": commit.message,
            "tree": shown["commit"]["tree"],
            "parents": shown["parents"],
            "verification": self.unverified(),
        }

    def ref(self, repo: Repo, name: str, sha: str) -> Json:
        return {
            "ref": name,
            "node_id": base64.b64encode(f"REF{repo.id}:{name}".encode()).decode(),
            "url": f"{self.repo_url(repo)}/git/{name}",
            "object": {
                "type": "commit",
                "sha": sha,
                "url": f"{self.repo_url(repo)}/git/commits/{sha}",
            },
        }

    def content(self, repo: Repo, path: str, ref: str, blob: Blob | None, sha: str) -> Json:
        """An entry of a folder: a file, or with no blob a folder of the given tree SHA."""
        kind, name = ("file", "blob") if blob else ("dir", "tree")
        url = f"{self.repo_url(repo)}/contents/{path}?ref={ref}"
        git = f"{self.repo_url(repo)}/git/{name}s/{sha}"
        html = f"{HTML}/{repo.full_name}/{name}/{ref}/{path}"
        raw = f"https://raw.githubusercontent.com/{repo.full_name}/{ref}/{path}"
        return {
            "type": kind,
            "size": blob.size if blob else 0,
            "name": path.rpartition("/")[2],
            "path": path,
            "sha": sha,
            "url": url,
            "git_url": git,
            "html_url": html,
            "download_url": raw if blob else None,
            "_links": {"self": url, "git": git, "html": html},
        }

    def check_run(self, repo: Repo, check: CheckRun) -> Json:
        url = f"{self.repo_url(repo)}/check-runs/{check.id}"
        html = f"{HTML}/{repo.full_name}/runs/{check.id}"
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
        where = f"{HTML}/{repo.full_name}/blob/{check.head_sha}/{annotation['path']}"
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
            "html_url": f"{HTML}/{repo.full_name}/actions/runs/{run.id}",
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
            "html_url": f"{HTML}/{repo.full_name}/actions/runs/{run.id}/job/{job.id}",
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
