"""Repositories, commits, comparisons, contents and collaborators."""

from __future__ import annotations

import base64

from tests.fake_github import gitdata
from tests.fake_github.routing import REPO, Call, route
from tests.fake_github.state import Commit
from tests.fake_github.web import ApiError, Json, Response, not_found, page

MAX_FILE = 1024 * 1024
"""Bytes of a file whose content is shown; above it is left empty (encoding `none`)."""


@route("GET", REPO)
def get_repository(call: Call) -> Response:
    return Response(body=call.view.repo_full(call.repo))


@route("GET", f"{REPO}/commits", "contents:read")
def list_commits(call: Call) -> Response:
    start = call.commit(call.request.query.get("sha", call.repo.default_branch))
    commits = list(gitdata.ancestors(call.repo, start.sha))
    shown, headers = page(call.request, commits)
    return Response(body=[call.view.commit(call.repo, c) for c in shown], headers=headers)


@route("GET", f"{REPO}/commits/{{ref}}", "contents:read")
def get_commit(call: Call) -> Response:
    commit = call.commit(call.request.params["ref"])
    if "vnd.github.sha" in call.request.headers.get("accept", ""):
        kind = {"Content-Type": "application/vnd.github.sha; charset=utf-8"}
        return Response(body=commit.sha.encode(), headers=kind)
    return Response(body=call.view.commit_full(call.repo, commit))


@route("GET", f"{REPO}/compare/{{basehead}}", "contents:read")
def compare_commits(call: Call) -> Response:
    base_name, dots, head_name = call.request.params["basehead"].partition("...")
    base, head = _compared(call, base_name), _compared(call, head_name)
    if not dots or base is None or head is None:
        raise not_found()
    common = gitdata.merge_base(call.repo, base.sha, head.sha)
    if common is None:
        raise ApiError(404, "No common ancestor between " + call.request.params["basehead"])
    ahead = gitdata.only_in(call.repo, head.sha, base.sha)
    behind = gitdata.only_in(call.repo, base.sha, head.sha)
    if ahead and behind:
        status = "diverged"
    elif ahead or behind:
        status = "ahead" if ahead else "behind"
    else:
        status = "identical"
    html = f"{call.view.html}/{call.repo.full_name}/compare/{base_name}...{head_name}"
    shown, headers = page(call.request, ahead)
    files = gitdata.changes(common.tree, head.tree)
    body = {
        "url": f"{call.view.repo_url(call.repo)}/compare/{base_name}...{head_name}",
        "html_url": html,
        "permalink_url": html,
        "diff_url": f"{html}.diff",
        "patch_url": f"{html}.patch",
        "base_commit": call.view.commit(call.repo, base),
        "merge_base_commit": call.view.commit(call.repo, common),
        "status": status,
        "ahead_by": len(ahead),
        "behind_by": len(behind),
        "total_commits": len(ahead),
        "commits": [call.view.commit(call.repo, commit) for commit in shown],
        "files": [call.view.diff_entry(call.repo, head.sha, change) for change in files],
    }
    return Response(body=body, headers=headers)


def _compared(call: Call, name: str) -> Commit | None:
    """One side of a comparison: a ref here, or `owner:branch` of a fork."""
    owner, colon, branch = name.partition(":")
    if not colon:
        return call.world.resolve(call.repo, name)
    for repo in call.world.repos.values():
        family = {repo.full_name, repo.fork_of} & {call.repo.full_name, call.repo.fork_of} - {None}
        if repo.owner == owner and family:
            call.repo.commits.update(repo.commits)
            return call.world.resolve(repo, branch)
    return None


@route("GET", f"{REPO}/contents/{{path}}", "contents:read")
def get_content(call: Call) -> Response:
    path = call.request.params["path"].strip("/")
    ref = call.request.query.get("ref", call.repo.default_branch)
    commit = call.world.resolve(call.repo, ref)
    if commit is None:
        raise ApiError(404, f"No commit found for the ref {ref}")
    if path not in commit.tree:
        return Response(body=_folder(call, commit, path, ref))
    blob = commit.tree[path]
    raw = call.request.headers.get("accept", "")
    if "vnd.github.raw" in raw or "vnd.github.v3.raw" in raw:
        kind = {"Content-Type": "application/vnd.github.raw; charset=utf-8"}
        return Response(body=blob.read(), headers=kind)
    shown = call.view.content(call.repo, path, ref, blob, blob.sha)
    if blob.size > MAX_FILE:
        return Response(body={**shown, "encoding": "none", "content": ""})
    content = base64.encodebytes(blob.read()).decode()
    return Response(body={**shown, "encoding": "base64", "content": content})


def _folder(call: Call, commit: Commit, path: str, ref: str) -> list[Json]:
    inside = gitdata.folder(commit.tree, path)
    if not inside:
        raise not_found()
    entries = []
    for name in sorted({name.partition("/")[0] for name in inside}):
        full = f"{path}/{name}".lstrip("/")
        blob = inside.get(name)
        sha = blob.sha if blob else gitdata.tree_sha(gitdata.folder(inside, name))
        entries.append(call.view.content(call.repo, full, ref, blob, sha))
    return entries


@route("GET", f"{REPO}/collaborators/{{username}}/permission")
def get_permission(call: Call) -> Response:
    login = call.request.params["username"]
    role = call.repo.role(login)
    coarse = {"maintain": "write", "triage": "read"}.get(role, role)
    levels = ("pull", "triage", "push", "maintain", "admin")
    rank = ("read", "triage", "write", "maintain", "admin")
    granted = rank.index(role) if role in rank else -1
    user = {
        **call.view.user(login),
        "permissions": {name: place <= granted for place, name in enumerate(levels)},
        "role_name": role,
    }
    return Response(body={"permission": coarse, "role_name": role, "user": user})
