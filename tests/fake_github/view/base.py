"""People and repositories as GitHub shows them, and what every view builds on."""

from __future__ import annotations

import base64
from datetime import datetime
from typing import TYPE_CHECKING

from tests.fake_github.state import Repo, format_time
from tests.fake_github.web import Json

if TYPE_CHECKING:
    from tests.fake_github.world import World


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
ACTIONS_APP_ID = 15368


def when(moment: datetime | None) -> str | None:
    """A moment as GitHub writes it, if there is one."""
    return None if moment is None else format_time(moment)


def node_id(kind: str, number: int) -> str:
    return base64.b64encode(f"{kind}{number}".encode()).decode()


class BaseView:
    """Shows the state to a client that reached the fake under `base` (scheme and host)."""

    def __init__(self, github: World, base: str) -> None:
        self.github = github
        self.base = base
        self.html = github.server_url

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
            "html_url": f"{self.html}/apps/{app}" if user.type == "Bot" else f"{self.html}/{login}",
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
            "html_url": f"{self.html}/apps/github-actions",
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
            "html_url": f"{self.html}/{repo.full_name}",
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
            "clone_url": f"{self.html}/{repo.full_name}.git",
            "svn_url": f"{self.html}/{repo.full_name}",
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
