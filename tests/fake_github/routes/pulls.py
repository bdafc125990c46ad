"""Pull requests."""

from __future__ import annotations

from tests.fake_github import gitdata
from tests.fake_github.routing import REPO, Call, route
from tests.fake_github.state import Issue
from tests.fake_github.web import ApiError, Response, not_found, page


def find_pull(call: Call) -> Issue:
    """The pull request of the path."""
    issue = call.repo.issues.get(call.number("pull_number"))
    if issue is None or issue.pull is None:
        raise not_found()
    call.world.sync(call.repo)
    return issue


@route("GET", f"{REPO}/pulls", "pull_requests:read")
def list_pulls(call: Call) -> Response:
    query = call.request.query
    call.world.sync(call.repo)
    head_owner, colon, head_ref = query.get("head", "").partition(":")
    pulls = []
    for issue in call.repo.pulls.values():
        assert issue.pull is not None
        owner = issue.pull.head_repo.split("/")[0] if issue.pull.head_repo else issue.user
        if query.get("state", "open") not in {issue.state, "all"}:
            continue
        if query.get("base") not in {None, issue.pull.base_ref}:
            continue
        # A head without an owner is no filter at all: GitHub then lists everything.
        if colon and (owner.lower(), issue.pull.head_ref) != (head_owner.lower(), head_ref):
            continue
        pulls.append(issue)
    moment = "updated_at" if query.get("sort") == "updated" else "created_at"
    newest_first = query.get("direction", "desc" if "sort" not in query else "asc") == "desc"
    pulls.sort(key=lambda issue: (getattr(issue, moment), issue.number), reverse=newest_first)
    shown, headers = page(call.request, pulls)
    return Response(body=[call.view.pull(call.repo, issue) for issue in shown], headers=headers)


@route("GET", f"{REPO}/pulls/{{pull_number}}", "pull_requests:read")
def get_pull(call: Call) -> Response:
    return Response(body=call.view.pull_full(call.repo, find_pull(call)))


@route("GET", f"{REPO}/pulls/{{pull_number}}/files", "pull_requests:read")
def list_files(call: Call) -> Response:
    issue = find_pull(call)
    assert issue.pull is not None
    shown, headers = page(call.request, call.view.pull_changes(call.repo, issue.pull))
    entries = [call.view.diff_entry(call.repo, issue.pull.head_sha, change) for change in shown]
    return Response(body=entries, headers=headers)


@route("GET", f"{REPO}/commits/{{commit_sha}}/pulls", "pull_requests:read", "contents:read")
def list_pulls_of_commit(call: Call) -> Response:
    """The pull requests with this commit; GitHub does not find those of forks this way."""
    commit = call.world.resolve(call.repo, call.request.params["commit_sha"])
    if commit is None:
        raise ApiError(422, f"No commit found for SHA: {call.request.params['commit_sha']}")
    main = call.repo.refs.get(f"refs/heads/{call.repo.default_branch}", "")
    in_main = commit.sha in {found.sha for found in gitdata.ancestors(call.repo, main)}
    pulls = []
    for issue in call.repo.pulls.values():
        assert issue.pull is not None
        if issue.pull.head_repo != call.repo.full_name:
            continue
        if in_main != (issue.pull.merged_at is not None):
            continue
        own = gitdata.only_in(call.repo, issue.pull.head_sha, issue.pull.base_sha)
        if commit.sha in {found.sha for found in own} | {issue.pull.merge_commit_sha} and (
            in_main or issue.state == "open"
        ):
            pulls.append(issue)
    shown, headers = page(call.request, pulls)
    return Response(body=[call.view.pull(call.repo, issue) for issue in shown], headers=headers)
