"""The whole state of the fake, and how its parts find each other."""

from __future__ import annotations

import hashlib
import itertools
import threading
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

from tests.fake_github import gitdata
from tests.fake_github.index import SearchIndex
from tests.fake_github.limits import Limits
from tests.fake_github.state import (
    ACTIONS_BOT,
    Artifact,
    Clock,
    Commit,
    Issue,
    Label,
    Permissions,
    Repo,
    Run,
    Token,
    User,
    parse_time,
)

ACTIONS_BOT_ID = 41898282
DOWNLOAD_TIME = timedelta(minutes=1)
WRITE_TOKEN = "workflow-write"  # noqa: S105 - a name, nothing secret
READ_TOKEN = "workflow-read"  # noqa: S105
PERSONAL_TOKEN = "personal"  # noqa: S105
SCOPES = ("actions", "checks", "contents", "issues", "pull_requests", "statuses")


@dataclass(frozen=True, kw_only=True)
class Download:
    artifact: Artifact
    until: datetime


class World:
    """Repositories, people, tokens, time and the search index.

    `repository` is the one that every seeding method means when it is not told otherwise; it
    starts with one commit on its default branch. `artifacts` is a folder in the layout of act's
    artifact server (`<run id>/<name>/<name>.zip`), read live.
    """

    def __init__(self, repository: str = "octo/demo", artifacts: Path | None = None) -> None:
        self.clock = Clock()
        self.lock = threading.RLock()
        self.repos: dict[str, Repo] = {}
        self.users: dict[str, User] = {}
        self.tokens: dict[str, Token] = {}
        self.search_index = SearchIndex()
        self.limits = Limits()
        self.artifacts = artifacts
        self.request_count = 0
        self.server_url = "https://github.com"
        """Where the pages for people are (GITHUB_SERVER_URL); nothing is served there."""
        self.storage = ""
        """Address of the storage that artifacts are downloaded from, once it is there."""
        self.downloads: dict[str, Download] = {}
        self._ids = itertools.count(1001)
        self.users[ACTIONS_BOT] = User(login=ACTIONS_BOT, id=ACTIONS_BOT_ID, type="Bot")
        self.repo = self.add_repo(repository)
        self.add_token(WRITE_TOKEN, permissions=dict.fromkeys(SCOPES, "write"))
        self.add_token(READ_TOKEN, permissions=dict.fromkeys(SCOPES, "read"))
        self.add_token(PERSONAL_TOKEN, login="octocat", installation=False)

    def add_repo(
        self,
        full_name: str,
        *,
        private: bool = False,
        default_branch: str = "main",
        fork_of: str | None = None,
    ) -> Repo:
        """A repository; one that is no fork starts with a commit."""
        owner, name = full_name.split("/")
        repo = Repo(
            id=self.new_id(),
            owner=owner,
            name=name,
            private=private,
            default_branch=default_branch,
            created_at=self.clock.now(),
            fork_of=fork_of,
        )
        if fork_of is not None:
            parent = self.repos[fork_of]
            repo.commits = dict(parent.commits)
            repo.refs = {n: s for n, s in parent.refs.items() if n.startswith("refs/heads/")}
        else:
            first = gitdata.make_commit(
                sha=None,
                message="First commit",
                parents=(),
                tree={"README.md": gitdata.make_blob(f"# {name}\n")},
                author=owner,
                date=datetime(2026, 1, 1, tzinfo=timezone.utc),
            )
            repo.commits[first.sha] = first
            repo.refs[f"refs/heads/{default_branch}"] = first.sha
        self.repos[full_name] = repo
        self.changed()
        return repo

    def add_token(
        self,
        token: str,
        *,
        login: str = ACTIONS_BOT,
        installation: bool = True,
        permissions: Permissions | None = None,
        repositories: tuple[str, ...] | None = None,
    ) -> Token:
        """A token: of a workflow unless told otherwise; see `state.Token`."""
        if installation and permissions is None:
            raise ValueError("a workflow's token needs permissions, {} for none at all")
        if permissions is not None and (unknown := permissions.keys() - set(SCOPES)):
            raise ValueError(f"unknown permissions {sorted(unknown)}; there are {SCOPES}")
        self.tokens[token] = Token(
            token=token,
            login=login,
            installation=installation,
            permissions=None if permissions is None else dict(permissions),
            repositories=None if repositories is None else tuple(repositories),
        )
        return self.tokens[token]

    def new_id(self) -> int:
        return next(self._ids)

    def user(self, login: str) -> User:
        """Everybody who is named exists."""
        kind = "Bot" if login.endswith("[bot]") else "User"
        if login not in self.users:
            self.users[login] = User(login=login, id=self.new_id(), type=kind)
        return self.users[login]

    def find_repo(self, full_name: str | None) -> Repo:
        """A repository for a seeding method; the main one when not named."""
        return self.repo if full_name is None else self.repos[full_name]

    def moment(self, at: datetime | str | None) -> datetime:
        """A time given to a seeding method; now when not given."""
        if at is None:
            return self.clock.now()
        return parse_time(at) if isinstance(at, str) else at

    def next_number(self, repo: Repo) -> int:
        return max(repo.issues, default=0) + 1

    def ensure_labels(self, repo: Repo, names: list[str]) -> list[str]:
        """The labels by these names as they are spelt there; missing ones are made."""
        for name in names:
            if name.lower() not in repo.labels:
                repo.labels[name.lower()] = Label(id=self.new_id(), name=name)
        return list(dict.fromkeys(repo.labels[name.lower()].name for name in names))

    def resolve(self, repo: Repo, ref: str) -> Commit | None:
        """A commit by SHA, unambiguous beginning of one, branch, tag or full ref."""
        self.sync(repo)
        for name in (ref, f"refs/{ref}", f"refs/heads/{ref}", f"refs/tags/{ref}"):
            if name in repo.refs:
                return repo.commits[repo.refs[name]]
        if ref == "HEAD":
            return repo.commits.get(repo.refs.get(f"refs/heads/{repo.default_branch}", ""))
        found = [sha for sha in repo.commits if sha.startswith(ref)] if len(ref) >= 4 else []
        return repo.commits[found[0]] if len(found) == 1 else None

    def sync(self, repo: Repo) -> None:
        """Read what was pushed to the real repository since, and move pull requests along."""
        if gitdata.sync(repo):
            main = f"refs/heads/{repo.default_branch}"
            # What was merged is closed first; a later push to its branch changes nothing then.
            for name, sha in sorted(repo.refs.items(), key=lambda item: item[0] != main):
                if name.startswith("refs/heads/"):
                    self.branch_moved(repo, name.removeprefix("refs/heads/"), sha)
            self.changed()

    def branch_moved(self, repo: Repo, branch: str, sha: str) -> None:
        """Let the pull requests follow a branch's new tip: those from it, and those into it."""
        for there in self.repos.values():
            for issue in there.pulls.values():
                pull = issue.pull
                if pull is None or issue.state != "open":
                    continue
                if (pull.head_repo, pull.head_ref) == (repo.full_name, branch):
                    self._head_moved(repo, there, issue, sha)
                if (there.full_name, pull.base_ref) == (repo.full_name, branch):
                    self._base_moved(there, issue, sha)

    def _head_moved(self, source: Repo, repo: Repo, issue: Issue, sha: str) -> None:
        assert issue.pull is not None
        if issue.pull.head_sha != sha:
            repo.commits.update(source.commits)
            issue.pull.head_sha = sha
            self.test_merge(repo, issue)
            issue.updated_at = self.clock.now()

    def _base_moved(self, repo: Repo, issue: Issue, sha: str) -> None:
        """A pull request whose commits are in its base is merged, however they came there."""
        pull = issue.pull
        assert pull is not None
        own = gitdata.only_in(repo, pull.head_sha, pull.base_sha)
        if own and pull.head_sha in {commit.sha for commit in gitdata.ancestors(repo, sha)}:
            pull.merge_commit_sha = sha
            pull.merged_by = issue.closed_by = issue.user
            pull.merged_at = issue.closed_at = issue.updated_at = self.clock.now()
            issue.state = "closed"

    def test_merge(self, repo: Repo, issue: Issue) -> None:
        """Renew `refs/pull/N/head` and `refs/pull/N/merge` of an open pull request."""
        assert issue.pull is not None
        pull, number = issue.pull, issue.number
        pull.base_sha = repo.refs[f"refs/heads/{pull.base_ref}"]
        repo.refs[f"refs/pull/{number}/head"] = pull.head_sha
        commit = gitdata.make_commit(
            sha=None,
            message=f"Merge {pull.head_sha} into {pull.base_sha}",
            parents=(pull.base_sha, pull.head_sha),
            tree=gitdata.merged_tree(repo, pull.base_sha, pull.head_sha),
            author=issue.user,
            date=self.clock.now(),
        )
        repo.commits[commit.sha] = commit
        repo.refs[f"refs/pull/{number}/merge"] = pull.merge_commit_sha = commit.sha

    def sync_artifacts(self, repo: Repo) -> None:
        """Read what was uploaded to the artifacts folder since, for the runs that are known."""
        if self.artifacts is None:
            return
        known = {artifact.path: artifact for artifact in repo.artifacts.values()}
        for run in repo.runs.values():
            for path in sorted((self.artifacts / str(run.id)).glob("*/*.zip")):
                if path.name != f"{path.parent.name}.zip":
                    continue
                before = known.get(path)
                if before is None or before.size != path.stat().st_size:
                    if before is not None:  # uploaded again under its name: another artifact
                        del repo.artifacts[before.id]
                    self.put_artifact(repo, run, path.parent.name, path)
                    self.changed()

    def put_artifact(self, repo: Repo, run: Run, name: str, path: Path) -> Artifact:
        """An artifact whose zip lies at `path`."""
        data = path.read_bytes()
        artifact = Artifact(
            id=self.new_id(),
            run_id=run.id,
            name=name,
            path=path,
            size=len(data),
            digest=f"sha256:{hashlib.sha256(data).hexdigest()}",
            created_at=self.clock.now(),
        )
        repo.artifacts[artifact.id] = artifact
        return artifact

    def storage_url(self, artifact: Artifact) -> str:
        """An address that gives an artifact's zip to anybody, for a minute."""
        ticket = f"{artifact.id}-{self.new_id()}"
        until = self.clock.now() + DOWNLOAD_TIME
        self.downloads[ticket] = Download(artifact=artifact, until=until)
        return f"{self.storage}/actions-results/{ticket}.zip"

    def changed(self) -> None:
        """To be called after every change: the search index takes note."""
        for repo in self.repos.values():
            self.search_index.update(repo, self.request_count, self.clock.now())
