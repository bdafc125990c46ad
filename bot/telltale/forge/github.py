"""The forge on GitHub's REST API: which route answers which verb, and which permission it takes."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypeVar
from urllib.parse import quote

from telltale.errors import ForgeError
from telltale.forge import answers, download, faults
from telltale.forge.faults import Fault, FaultSort, Purpose
from telltale.forge.interface import (
    Artifact,
    Comment,
    Issue,
    IssueState,
    PullRequest,
    WorkflowRun,
)
from telltale.forge.wire import Answer, Patience, Request, Wire

Made = TypeVar("Made")

ACTIONS_BOT = "github-actions[bot]"
"""Under this login everything is written with a workflow's own token."""


class GitHubForge:
    """
    One repository on GitHub, through one token; see `interface.Forge`.

    `login` is the name that the token writes under. It should be given for the
    token of a GitHub App other than Actions (`my-app[bot]`): GitHub does not
    tell such a token its name, which we learn only from what it has written.
    `UsageError` when an argument makes no sense.
    """

    def __init__(
        self,
        token: str,
        repository: str,
        api_url: str = "https://api.github.com",
        *,
        login: str = "",
        patience: Patience = Patience(),  # noqa: B008 - frozen
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._wire = Wire(token, repository, api_url, patience=patience, sleep=sleep)
        self._login = login

    @property
    def repository(self) -> str:
        """`owner/name`."""
        return self._wire.repository

    def own_login(self) -> str:
        """Return the login under which the token writes; asked once, corrected by what it wrote."""
        if not self._login:
            purpose = Purpose(what="ask who the token belongs to", needs="metadata: read")
            result = self._wire.ask(Request(method="GET", path="/user", purpose=purpose))
            if isinstance(result, Answer):
                self._login = _read(purpose, lambda data: str(data["login"]), result.data)
            elif result.status == 403:
                # Tokens of installations, a workflow's own among them, have no user.
                self._login = ACTIONS_BOT
            else:
                raise faults.error_of(result, purpose)
        return self._login

    def pull_request(self, number: int) -> PullRequest:
        """Return the pull request as it is now."""
        purpose = Purpose(what=f"read pull request #{number}", needs="pull-requests: read")
        return self._get(f"/pulls/{number}", purpose, answers.pull_request)

    def pulls_of(
        self, *, head_owner: str, head_branch: str, head_sha: str
    ) -> tuple[PullRequest, ...]:
        """
        Return the pull requests that a commit is the head of, the open ones first.

        Asked by branch, because a fork's run names no pull request, and often
        GitHub does not know a fork's commits; closed ones too, because a pull
        request may be merged before it is reported on.
        """
        purpose = Purpose(what=f"find the pull request of {head_sha}", needs="pull-requests: read")
        branch = f"{head_owner}:{head_branch}"
        there = self._list("/pulls", purpose, answers.pull_request, head=branch, state="all")
        found = [pull for pull in there if pull.head_sha == head_sha]
        found = found or [
            pull
            for pull in self._pulls_with(head_sha, purpose)
            if pull.head_branch == head_branch
            and pull.head_repository.partition("/")[0].casefold() == head_owner.casefold()
        ]
        found = found or [pull for pull in there if pull.state == "open"]
        return tuple(sorted(found, key=lambda pull: (pull.state != "open", pull.number)))

    def _pulls_with(self, sha: str, purpose: Purpose) -> list[PullRequest]:
        path = f"/commits/{quote(sha, safe='')}/pulls"
        request = Request(method="GET", path=path, purpose=purpose, parameters={"per_page": 100})
        result = self._wire.ask(request)
        if isinstance(result, Answer):
            return _read(purpose, lambda data: [answers.pull_request(p) for p in data], result.data)
        if result.status in {404, 422}:
            # A commit that this repository does not know: a fork's, or one pushed over.
            return []
        raise faults.error_of(result, purpose)

    def merge_base(self, base: str, head: str) -> str:
        """Return the SHA of the commit at which two commits or branches parted."""
        purpose = Purpose(what=f"compare {base} with {head}", needs="contents: read")
        path = f"/compare/{quote(base, safe='')}...{quote(head, safe='')}"
        # One commit a page: only the merge base is wanted, not all that follows it.
        return self._get(
            path, purpose, lambda data: str(data["merge_base_commit"]["sha"]), per_page=1
        )

    def commits(self, start: str, *, most: int) -> tuple[str, ...]:
        """Return the SHAs of a commit and of what is before it, newest first, at most so many."""
        purpose = Purpose(what=f"list the commits before {start}", needs="contents: read")
        request = Request(method="GET", path="/commits", purpose=purpose, parameters={"sha": start})
        found: list[str] = []
        for answer in self._wire.pages(request):
            found += _read(
                purpose, lambda data: [str(commit["sha"]) for commit in data], answer.data
            )
            if len(found) >= most:
                break
        return tuple(found[:most])

    def file(self, path: str) -> str | None:
        """Return the text of a file of the default branch, None when there is none."""
        purpose = Purpose(what=f"read {path}", needs="contents: read")
        request = Request(method="GET", path=f"/contents/{quote(path)}", purpose=purpose)
        result = self._wire.ask(request)
        if isinstance(result, Answer):
            return _read(purpose, answers.file, result.data)
        if result.status == 404:
            return None
        raise faults.error_of(result, purpose)

    def comments(self, number: int) -> tuple[Comment, ...]:
        """Return all comments of an issue or pull request, oldest first."""
        purpose = Purpose(what=f"read the comments of #{number}", needs="pull-requests: read")
        found = self._list(f"/issues/{number}/comments", purpose, answers.comment)
        return tuple(sorted(found, key=lambda comment: comment.id))

    def create_comment(self, number: int, body: str, *, marker: str) -> Comment:
        """Comment on an issue or pull request; `marker` tells whether a lost answer was a yes."""
        purpose = Purpose(what=f"comment on #{number}", needs="pull-requests: write")
        path = f"/issues/{number}/comments"
        request = Request(method="POST", path=path, purpose=purpose, body={"body": body})

        def find() -> Comment | None:
            ours = (c for c in self.comments(number) if c.author == self.own_login())
            return next((comment for comment in ours if marker in comment.body), None)

        made = self._wire.create(request, find)
        if isinstance(made, Answer):
            made = _read(purpose, answers.comment, made.data)
        self._login = made.author
        return made

    def edit_comment(self, comment_id: int, body: str) -> Comment | None:
        """Replace a comment's body; None when the comment is gone."""
        purpose = Purpose(what="edit our comment", needs="pull-requests: write")
        path = f"/issues/comments/{comment_id}"
        result = self._wire.ask(
            Request(method="PATCH", path=path, purpose=purpose, body={"body": body})
        )
        if isinstance(result, Answer):
            return _read(purpose, answers.comment, result.data)
        if result.status == 404:
            return None
        raise faults.error_of(result, purpose)

    def delete_comment(self, comment_id: int) -> None:
        """Delete a comment; one that is gone already is no error."""
        purpose = Purpose(what="delete our second comment", needs="pull-requests: write")
        path = f"/issues/comments/{comment_id}"
        request = Request(method="DELETE", path=path, purpose=purpose, answered=False)
        result = self._wire.ask(request)
        if isinstance(result, Fault) and result.status != 404:
            raise faults.error_of(result, purpose)

    def issues_with_label(
        self, label: str, *, state: Literal["open", "closed", "all"] = "all"
    ) -> tuple[Issue, ...]:
        """Return all issues that carry the label, by number."""
        purpose = Purpose(what=f"list the issues labelled {label}", needs="issues: read")

        def issue(data: answers.Json) -> Issue | None:
            # GitHub lists pull requests among the issues; they have this one key more.
            return None if "pull_request" in data else answers.issue(data)

        found = self._list("/issues", purpose, issue, labels=label, state=state)
        return tuple(sorted(filter(None, found), key=lambda issue: issue.number))

    def create_issue(self, *, title: str, body: str, labels: tuple[str, ...], marker: str) -> Issue:
        """Open an issue; `marker` tells whether a lost answer was a yes."""
        purpose = Purpose(what="open an issue", needs="issues: write")
        fields = {"title": title, "body": body, "labels": list(labels)}
        request = Request(method="POST", path="/issues", purpose=purpose, body=fields)

        def find() -> Issue | None:
            ours = (i for i in self.issues_with_label(labels[0]) if i.author == self.own_login())
            return next((issue for issue in ours if marker in issue.body), None)

        made = self._wire.create(request, find)
        if isinstance(made, Answer):
            made = _read(purpose, answers.issue, made.data)
        self._login = made.author
        return made

    def edit_issue(
        self,
        number: int,
        *,
        title: str | None = None,
        body: str | None = None,
        state: IssueState | None = None,
        reason: Literal["completed", "not_planned", "duplicate", "reopened"] | None = None,
    ) -> Issue:
        """Change what is given; `reason` says why the state changed."""
        purpose = Purpose(what=f"edit issue #{number}", needs="issues: write")
        fields = {"title": title, "body": body, "state": state, "state_reason": reason}
        given = {name: value for name, value in fields.items() if value is not None}
        answer = self._wire.send(
            Request(method="PATCH", path=f"/issues/{number}", purpose=purpose, body=given)
        )
        return _read(purpose, answers.issue, answer.data)

    def ensure_label(self, name: str, *, color: str, description: str) -> None:
        """Make sure that a label exists; one that exists keeps its looks."""
        purpose = Purpose(what=f"look for the label {name}", needs="issues: read")
        path = f"/labels/{quote(name, safe='')}"
        result = self._wire.ask(Request(method="GET", path=path, purpose=purpose))
        if isinstance(result, Fault) and result.status == 404:
            purpose = Purpose(what=f"make the label {name}", needs="issues: write")
            fields = {"name": name, "color": color, "description": description}
            request = Request(method="POST", path="/labels", purpose=purpose, body=fields)
            # There cannot be two labels of one name: sending again does no harm.
            result = self._wire.ask(request, repeat=True)
            if isinstance(result, Fault) and "already_exists" in result.message:
                return
        if isinstance(result, Fault):
            raise faults.error_of(result, purpose)

    def workflow_run(self, run_id: int) -> WorkflowRun:
        """Return the facts of a workflow run."""
        purpose = Purpose(what=f"read workflow run {run_id}", needs="actions: read")
        return self._get(f"/actions/runs/{run_id}", purpose, answers.workflow_run)

    def artifacts(self, run_id: int) -> tuple[Artifact, ...]:
        """Return the artifacts of a workflow run, of all its attempts, oldest first."""
        purpose = Purpose(what=f"list the artifacts of run {run_id}", needs="actions: read")
        path = f"/actions/runs/{run_id}/artifacts"
        found = self._list(path, purpose, answers.artifact, key="artifacts")
        return tuple(sorted(found, key=lambda artifact: artifact.id))

    def download_artifact(self, artifact: Artifact, to: Path, *, limit_bytes: int) -> Path:
        """Write an artifact's zip file to `to`, at most `limit_bytes` of it."""
        purpose = Purpose(what=f"download the artifact {artifact.name!r}", needs="actions: read")
        path = f"/actions/artifacts/{artifact.id}/zip"
        if artifact.expired:
            raise ForgeError(f"GitHub: cannot {purpose.what}: it has expired; run the tests again")
        part = to.with_name(f"{to.name}.part")
        request = Request(method="GET", path=path, purpose=purpose, answered=False)
        try:
            attempt = 0
            while (fault := self._stream(request, part, artifact, limit_bytes)) is not None:
                attempt += 1
                if fault.sort is FaultSort.REFUSED or attempt == self._wire.patience.attempts:
                    raise faults.error_of(fault, purpose)
                self._wire.pause(attempt - 1)
            return part.replace(to)
        finally:
            part.unlink(missing_ok=True)

    def _stream(
        self, request: Request, to: Path, artifact: Artifact, limit_bytes: int
    ) -> Fault | None:
        # An address lasts a minute: each attempt asks for a new one.
        address = self._wire.send(request).headers.get("location", "")
        allowed = ("https://", "http://") if self._wire.plain_http else ("https://",)
        if not address.startswith(allowed):
            message = "GitHub named no safe address to download from"
            return Fault(sort=FaultSort.REFUSED, status=0, message=message)
        return download.stream(
            address,
            to,
            limit_bytes=limit_bytes,
            digest=artifact.digest,
            timeout_s=self._wire.patience.timeout_s,
        )

    def _get(
        self, path: str, purpose: Purpose, parse: Callable[[Any], Made], **parameters: Any
    ) -> Made:
        request = Request(method="GET", path=path, purpose=purpose, parameters=parameters)
        return _read(purpose, parse, self._wire.send(request).data)

    def _list(
        self,
        path: str,
        purpose: Purpose,
        parse: Callable[[Any], Made],
        *,
        key: str = "",
        **parameters: Any,
    ) -> list[Made]:
        """Return the items of all pages; `key` is where an answer holds its list."""

        def items(data: Any) -> list[Made]:
            return [parse(item) for item in (data[key] if key else data)]

        request = Request(method="GET", path=path, purpose=purpose, parameters=parameters)
        found: list[Made] = []
        for answer in self._wire.pages(request):
            found += _read(purpose, items, answer.data)
        return found


def _read(purpose: Purpose, parse: Callable[[Any], Made], data: Any) -> Made:
    try:
        return parse(data)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ForgeError(
            f"GitHub: cannot {purpose.what}: the answer is not understood "
            f"({type(error).__name__}: {str(error)[:100]}); is GITHUB_API_URL right?"
        ) from error
