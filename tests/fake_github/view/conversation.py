"""Issues, pull requests, their comments and labels as GitHub shows them."""

from __future__ import annotations

from tests.fake_github import gitdata
from tests.fake_github.state import Comment, Issue, Label, Pull, Repo
from tests.fake_github.view.base import node_id, when
from tests.fake_github.view.git import GitView
from tests.fake_github.web import Json

REACTIONS = ("+1", "-1", "laugh", "confused", "heart", "hooray", "eyes", "rocket")


class ConversationView(GitView):
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
            "html_url": f"{self.html}/{repo.full_name}/{kind}/{issue.number}",
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
            html = f"{self.html}/{repo.full_name}/pull/{issue.number}"
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
            "html_url": f"{self.html}/{repo.full_name}/{kind}/{anchor}",
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
        html = f"{self.html}/{repo.full_name}/pull/{number}"
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
