"""
Who is this run: from the event and GitHub's API, never from the bundle.

Sources: GitHub's "Events that trigger workflows" (what GITHUB_SHA and
GITHUB_REF are on each event) and "Webhook events and payloads".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from telltale.errors import UsageError
from telltale.gha import Context
from telltale.model import Evidence
from telltale.records import Origin

if TYPE_CHECKING:
    # The runner half asks nobody, and has nothing installed to ask with.
    from telltale.forge import Forge, PullRequest

PULL_REQUEST_EVENTS = frozenset({"pull_request", "pull_request_target"})
BRANCH_EVENTS = frozenset({"push", "schedule", "workflow_dispatch"})
"""Events whose runs may stand for the default branch."""


def resolve(context: Context, forge: Forge | None = None, *, sha: str = "") -> Origin:
    """
    Return where the run under report came from.

    On `workflow_run` that is the run that triggered this one; its pull
    request is asked of the forge, and stays unknown without one. Outside
    Actions the origin is empty but for `sha`, which the caller knows from git.

    Raises `UsageError` when the event lacks what its kind promises, and what
    the forge raises.
    """
    if not context.inside:
        return Origin(repository=context.repository, sha=sha)
    if context.event_name == "workflow_run":
        return _of_workflow_run(context, forge)
    if context.event_name in PULL_REQUEST_EVENTS:
        return _of_pull_request(context)
    if context.event_name == "merge_group":
        return _of_merge_group(context)
    return _of_branch(context)


def contradictions(evidence: Evidence, origin: Origin) -> tuple[str, ...]:
    """
    Return what a bundle claims about its own run that is not so, one predicate each.

    Only what the origin knows is held against it: at a terminal nothing is,
    and the commit of a pull request's run only where its test merge is known.
    """
    if origin.run_id is None:
        return ()
    return tuple(
        f"claims {claim}: the claim is ignored"
        for claim in (*_wrong_run(evidence, origin), *_wrong_source(evidence, origin))
    )


def _of_branch(context: Context) -> Origin:
    """Push, schedule, dispatch, and every other event that runs on a branch or tag."""
    default = (
        context.event_name in BRANCH_EVENTS and context.ref == f"refs/heads/{_default(context)}"
    )
    return _own(
        context,
        sha=context.sha,
        branch=context.ref.removeprefix("refs/heads/"),
        default_branch=default,
    )


def _of_pull_request(context: Context) -> Origin:
    head = _mapping(context, "pull_request", "head")
    # GITHUB_SHA is the test merge here; on pull_request_target it is the base's tip.
    merge = context.sha if context.event_name == "pull_request" else ""
    return _own(
        context,
        sha=_text(context, "pull_request", "head", "sha"),
        merge_sha=merge,
        branch=_text(context, "pull_request", "head", "ref"),
        pull_request=_number(context, "pull_request", "number"),
        fork=not _same(_name_of(head.get("repo")), context.repository),
    )


def _of_merge_group(context: Context) -> Origin:
    return _own(
        context,
        sha=_text(context, "merge_group", "head_sha"),
        branch=_text(context, "merge_group", "head_ref").removeprefix("refs/heads/"),
    )


def _of_workflow_run(context: Context, forge: Forge | None) -> Origin:
    run = _mapping(context, "workflow_run")
    event = _text(context, "workflow_run", "event")
    branch = str(run.get("head_branch") or "")
    head_repository = _name_of(run.get("head_repository"))
    # No head repository: the fork was deleted in the meantime.
    fork = not _same(head_repository, context.repository)
    sha = _head_of_run(context, event)
    attempt = _number(context, "workflow_run", "run_attempt")
    page = str(run.get("html_url") or "")
    pull = None
    if event in PULL_REQUEST_EVENTS and forge is not None and head_repository:
        pull = _pull_of(forge, context, head_repository, branch, sha)
    return Origin(
        repository=context.repository,
        sha=sha,
        branch=branch,
        event=event,
        run_id=_number(context, "workflow_run", "id"),
        run_attempt=attempt,
        pull_request=pull.number if pull else None,
        fork=fork,
        default_branch=not fork and event in BRANCH_EVENTS and branch == _default(context),
        url=f"{page}/attempts/{attempt}" if page else "",
    )


def _head_of_run(context: Context, event: str) -> str:
    # For a run on pull_request_target, head_sha is the base's tip; its commit is the head.
    if event == "pull_request_target":
        return _text(context, "workflow_run", "head_commit", "id")
    return _text(context, "workflow_run", "head_sha")


def _pull_of(
    forge: Forge, context: Context, head_repository: str, branch: str, sha: str
) -> PullRequest | None:
    owner = head_repository.partition("/")[0]
    found = forge.pulls_of(head_owner=owner, head_branch=branch, head_sha=sha)
    # One commit can be the head of several; the run does not say for which one it ran.
    to_default = [pull for pull in found if pull.base_branch == _default(context)]
    return next(iter([*to_default, *found]), None)


def _own(context: Context, **fields: Any) -> Origin:
    return Origin(
        repository=context.repository,
        event=context.event_name,
        run_id=context.run_id,
        run_attempt=context.run_attempt,
        url=context.run_url,
        **fields,
    )


def _default(context: Context) -> str:
    repository = context.event.get("repository")
    name = repository.get("default_branch") if isinstance(repository, Mapping) else None
    if isinstance(name, str) and name:
        return name
    # Older GitHub Enterprise names no repository on a schedule, which is always of the default branch.
    return context.ref.removeprefix("refs/heads/") if context.event_name == "schedule" else ""


def _wrong_run(evidence: Evidence, origin: Origin) -> list[str]:
    claimed = evidence.github
    if claimed is None:
        return []
    wrong = []
    if claimed.run_id != origin.run_id:
        wrong.append(f"run {claimed.run_id}, but run {origin.run_id} uploaded it")
    elif claimed.run_attempt > origin.run_attempt:
        wrong.append(f"attempt {claimed.run_attempt}, but there were {origin.run_attempt}")
    if claimed.event != origin.event:
        wrong.append(f"the event {_shown(claimed.event)}, but it was {origin.event}")
    return wrong


def _wrong_source(evidence: Evidence, origin: Origin) -> list[str]:
    wrong = []
    repository, sha = evidence.source.repository, evidence.source.sha
    if repository and not _same(repository, origin.repository):
        wrong.append(f"the repository {_shown(repository)}, but it is {origin.repository}")
    # A pull request's run tests the merge with its base; without knowing that merge's
    # commit, no commit can be told from a false one.
    known = {origin.sha, origin.merge_sha} - {""}
    checkable = origin.event not in PULL_REQUEST_EVENTS or bool(origin.merge_sha)
    if sha and checkable and sha not in known:
        wrong.append(f"the commit {_shown(sha)}, but it is {origin.sha}")
    return wrong


def _shown(text: str) -> str:
    # A stranger's text in a message of ours: one bounded, printable line.
    return "".join(character if character.isprintable() else "?" for character in text[:80])


def _same(one: str, other: str) -> bool:
    return one.casefold() == other.casefold()


def _name_of(repository: Any) -> str:
    name = repository.get("full_name") if isinstance(repository, Mapping) else None
    return name if isinstance(name, str) else ""


def _text(context: Context, *keys: str) -> str:
    value = _mapping(context, *keys[:-1]).get(keys[-1])
    if not isinstance(value, str) or not value:
        raise _incomplete(context, keys)
    return value


def _number(context: Context, *keys: str) -> int:
    value = _mapping(context, *keys[:-1]).get(keys[-1])
    if not isinstance(value, int) or isinstance(value, bool):
        raise _incomplete(context, keys)
    return value


def _mapping(context: Context, *keys: str) -> Mapping[str, Any]:
    value: Any = context.event
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    if not isinstance(value, Mapping):
        raise _incomplete(context, keys)
    return value


def _incomplete(context: Context, keys: tuple[str, ...]) -> UsageError:
    return UsageError(
        f"GITHUB_EVENT_PATH: the event {context.event_name} has no usable {'.'.join(keys)}"
    )
