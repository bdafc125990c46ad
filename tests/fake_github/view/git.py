"""Commits, refs and files as GitHub shows them."""

from __future__ import annotations

import base64

from tests.fake_github import gitdata
from tests.fake_github.state import Blob, Commit, Repo
from tests.fake_github.view.base import BaseView, node_id, when
from tests.fake_github.web import Json


class GitView(BaseView):
    def commit(self, repo: Repo, commit: Commit) -> Json:
        """As a list shows it."""
        url = f"{self.repo_url(repo)}/commits/{commit.sha}"
        person = {"name": commit.author, "email": commit.email, "date": when(commit.date)}
        return {
            "sha": commit.sha,
            "node_id": node_id("C", int(commit.sha[:12], 16)),
            "url": url,
            "html_url": f"{self.html}/{repo.full_name}/commit/{commit.sha}",
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
            "author": self.account(commit),
            "committer": self.account(commit),
            "parents": [self.parent(repo, sha) for sha in commit.parents],
        }

    def account(self, commit: Commit) -> Json | None:
        """Who has the commit's address; GitHub knows only its own."""
        local, _, host = commit.email.partition("@")
        known = host == "users.noreply.github.com"
        return self.user(local.rpartition("+")[2]) if known else None

    def parent(self, repo: Repo, sha: str) -> Json:
        return {
            "sha": sha,
            "url": f"{self.repo_url(repo)}/commits/{sha}",
            "html_url": f"{self.html}/{repo.full_name}/commit/{sha}",
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
        html = f"{self.html}/{repo.full_name}"
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
        html = f"{self.html}/{repo.full_name}/{name}/{ref}/{path}"
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
