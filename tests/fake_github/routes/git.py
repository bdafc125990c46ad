"""The git database: refs, commits, trees and blobs."""

from __future__ import annotations

import base64
import re

from tests.fake_github import gitdata
from tests.fake_github.routing import REPO, Call, route
from tests.fake_github.state import Blob
from tests.fake_github.web import ApiError, Json, Response, not_found, page

READ, WRITE = "contents:read", "contents:write"
REF = f"{REPO}/git/refs/{{ref}}"


@route("GET", f"{REPO}/git/ref/{{ref}}", READ)
def get_ref(call: Call) -> Response:
    call.not_empty()
    name = f"refs/{call.request.params['ref']}"
    if name not in call.repo.refs:
        raise not_found()
    return Response(body=call.view.ref(call.repo, name, call.repo.refs[name]))


@route("GET", f"{REPO}/git/matching-refs/{{ref}}", READ)
def list_matching_refs(call: Call) -> Response:
    call.not_empty()
    prefix = f"refs/{call.request.params['ref']}"
    found = sorted(item for item in call.repo.refs.items() if item[0].startswith(prefix))
    shown, headers = page(call.request, found)
    return Response(body=[call.view.ref(call.repo, *item) for item in shown], headers=headers)


@route("POST", f"{REPO}/git/refs", WRITE)
def create_ref(call: Call) -> Response:
    call.not_empty()
    name, sha = str(call.request.json["ref"]), str(call.request.json["sha"])
    if not re.fullmatch(r"refs/[^/]+/.+", name):
        raise ApiError(422, "Reference name must start with 'refs/' and contain at least one '/'.")
    if name in call.repo.refs:
        raise ApiError(422, "Reference already exists")
    _check_object(call, sha)
    gitdata.write_ref(call.repo, name, sha)
    body = call.view.ref(call.repo, name, sha)
    return Response(status=201, body=body, headers={"Location": body["url"]})


@route("PATCH", REF, WRITE)
def update_ref(call: Call) -> Response:
    name, sha = _existing(call), str(call.request.json["sha"])
    _check_object(call, sha)
    before = call.repo.refs[name]
    is_forward = before in {commit.sha for commit in gitdata.ancestors(call.repo, sha)}
    if not is_forward and not call.request.json.get("force"):
        raise ApiError(422, "Update is not a fast forward")
    gitdata.write_ref(call.repo, name, sha)
    if name.startswith("refs/heads/"):
        call.world.branch_moved(call.repo, name.removeprefix("refs/heads/"), sha)
    return Response(body=call.view.ref(call.repo, name, sha))


@route("DELETE", REF, WRITE)
def delete_ref(call: Call) -> Response:
    gitdata.write_ref(call.repo, _existing(call), None)
    return Response(status=204)


def _existing(call: Call) -> str:
    call.not_empty()
    name = f"refs/{call.request.params['ref']}"
    if name not in call.repo.refs:
        raise ApiError(422, "Reference does not exist")
    return name


def _check_object(call: Call, sha: str) -> None:
    if sha not in call.repo.commits:
        raise ApiError(422, "Object does not exist")


@route("GET", f"{REPO}/git/commits/{{commit_sha}}", READ)
def get_git_commit(call: Call) -> Response:
    call.not_empty()
    commit = call.repo.commits.get(call.request.params["commit_sha"])
    if commit is None:
        raise not_found()
    return Response(body=call.view.git_commit(call.repo, commit))


@route("GET", f"{REPO}/git/trees/{{tree_sha}}", READ)
def get_tree(call: Call) -> Response:
    """A tree by its SHA, or by that or a name of a commit, whole or one level of it."""
    call.not_empty()
    wanted = call.request.params["tree_sha"]
    commit = call.world.resolve(call.repo, wanted)
    tree = commit.tree if commit else _find_tree(call, wanted)
    entries: dict[str, Json] = {}
    for path, blob in tree.items():
        parts = path.split("/")
        for depth in range(1, len(parts)):
            inner = "/".join(parts[:depth])
            sha = gitdata.tree_sha(gitdata.folder(tree, inner))
            entries.setdefault(inner, _entry(call, inner, sha, None))
        entries[path] = _entry(call, path, blob.sha, blob)
    if "recursive" not in call.request.query:
        entries = {path: entry for path, entry in entries.items() if "/" not in path}
    root = gitdata.tree_sha(tree)
    body = {
        "sha": root,
        "url": f"{call.view.repo_url(call.repo)}/git/trees/{root}",
        "tree": [entries[path] for path in sorted(entries)],
        "truncated": False,
    }
    return Response(body=body)


def _find_tree(call: Call, sha: str) -> gitdata.Tree:
    for commit in call.repo.commits.values():
        if commit.tree_sha == sha:
            return commit.tree
    raise not_found()


def _entry(call: Call, path: str, sha: str, blob: Blob | None) -> Json:
    kind = "blob" if blob else "tree"
    entry: Json = {
        "path": path,
        "mode": blob.mode if blob else "040000",
        "type": kind,
        "sha": sha,
        "url": f"{call.view.repo_url(call.repo)}/git/{kind}s/{sha}",
    }
    return {**entry, "size": blob.size} if blob else entry


@route("GET", f"{REPO}/git/blobs/{{file_sha}}", READ)
def get_blob(call: Call) -> Response:
    call.not_empty()
    sha = call.request.params["file_sha"]
    for commit in call.repo.commits.values():
        for blob in commit.tree.values():
            if blob.sha == sha:
                url = f"{call.view.repo_url(call.repo)}/git/blobs/{sha}"
                content = base64.encodebytes(blob.read()).decode()
                return Response(
                    body={
                        "sha": sha,
                        "node_id": sha,
                        "size": blob.size,
                        "url": url,
                        "content": content,
                        "encoding": "base64",
                    }
                )
    raise not_found()
