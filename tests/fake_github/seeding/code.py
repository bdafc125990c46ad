"""Commits, branches, forks and pull requests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from tests.fake_github import gitdata
from tests.fake_github.seeding.talk import Talk
from tests.fake_github.state import Commit, Issue, Pull, Repo


class Code(Talk):
    """What people pushed, and asked to be merged."""

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
        self._commit(there, branch, commit)
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
        source = there if fork is None else self._fork(there, fork)
        user = user or (source.owner if fork else "octocat")
        title = title or f"Work on {head}"
        base_sha = there.refs[f"refs/heads/{base}"]
        self.sync(source)
        if f"refs/heads/{head}" not in source.refs:
            self.push(
                sha=sha,
                branch=head,
                message=title,
                parents=(base_sha,),
                files={f"{head}.txt": f"{head}\n"},
                author=user,
                repo=source.full_name,
                at=at,
            )
        there.commits.update(source.commits)
        now = self.moment(at)
        issue = Issue(
            id=self.new_id(),
            number=number or self.next_number(there),
            title=title,
            body=body,
            user=user,
            created_at=now,
            updated_at=now,
            pull=Pull(
                head_repo=source.full_name,
                head_ref=head,
                head_sha=source.refs[f"refs/heads/{head}"],
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

    def _fork(self, of: Repo, full_name: str) -> Repo:
        if full_name in self.repos:
            return self.repos[full_name]
        return self.add_repo(
            full_name,
            private=of.private,
            default_branch=of.default_branch,
            fork_of=of.full_name,
        )

    def merge_pull(self, number: int, *, by: str = "octocat", repo: str | None = None) -> Issue:
        """Merge a pull request with a merge commit."""
        there = self.find_repo(repo)
        issue = there.issues[number]
        if issue.pull is None:
            raise ValueError(f"#{number} is no pull request")
        pull = issue.pull
        base_sha = there.refs[f"refs/heads/{pull.base_ref}"]
        tree = gitdata.merged_tree(there, base_sha, pull.head_sha)
        self._commit(
            there,
            pull.base_ref,
            gitdata.make_commit(
                sha=None,
                message=f"Merge pull request #{number} from {pull.head_ref}",
                parents=(base_sha, pull.head_sha),
                tree=tree,
                author=by,
                date=self.clock.now(),
            ),
        )
        return issue

    def _commit(self, repo: Repo, branch: str, commit: Commit) -> None:
        """Put a commit on a branch, with what follows from it."""
        if repo.git_dir is not None:
            raise ValueError(f"{repo.full_name} is a real repository: push to {repo.git_dir}")
        repo.commits[commit.sha] = commit
        repo.refs[f"refs/heads/{branch}"] = commit.sha
        self.branch_moved(repo, branch, commit.sha)
        self.changed()

    def delete_fork(self, full_name: str) -> None:
        """Delete a fork; its pull requests stay, without a head repository."""
        del self.repos[full_name]
        for there in self.repos.values():
            for issue in there.pulls.values():
                if issue.pull and issue.pull.head_repo == full_name:
                    issue.pull.head_repo = None
        self.changed()
