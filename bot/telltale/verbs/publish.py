"""
Post what a report says: one comment per pull request, one issue per signature.

Both are found again by a hidden marker and by their author, over all pages,
and edited in place. GitHub has no "create unless it is there", so after
creating we look again; of what two reports made at the same moment the oldest
stays, whoever looks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from telltale.errors import ForgeError
from telltale.forge import Comment, Forge, Issue, PullRequest
from telltale.model import FailureKind
from telltale.records import IssueRef
from telltale.report.comments import state_of
from telltale.report.issues import merge_issue_body, signature_of

FLAKY_LABEL = "telltale:flaky"
"""On every issue of ours; by it we find them again."""

ROUNDS = 3
"""How often a comment is tried when it vanishes while we edit it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommentResult:
    """What became of the comment."""

    action: Literal["created", "edited", "unchanged", "skipped", "failed"]
    """`skipped`: it should not be posted; `failed`: it could not."""
    url: str = ""
    """Of the comment, when there is one."""
    note: str = ""
    """Why it was skipped or failed, for people; else empty. May hold lines to paste."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuePlan:
    """An issue that should be there."""

    signature: str
    kind: FailureKind
    title: str
    body: str
    """As `telltale.report.issues.issue_body` makes it: it holds the signature."""


def publish_comment(
    forge: Forge, number: int, head_sha: str, body: str, marker: str
) -> CommentResult:
    """
    Make the one comment of ours on a pull request say `body`, which begins with `marker`.

    `head_sha` is what the report is about: one of an older head, or of an
    older attempt of the same run, is not posted. Never raises `ForgeError`.
    """
    if not body.startswith(marker):
        raise ValueError("a comment of ours begins with its marker")
    try:
        for _ in range(ROUNDS):
            result = _publish(forge, number, head_sha, body, marker)
            if result is not None:
                return result
    except ForgeError as error:
        return CommentResult(action="failed", note=str(error))
    return CommentResult(action="failed", note=f"our comment on #{number} was deleted meanwhile")


def publish_issues(
    forge: Forge, plans: Sequence[IssuePlan], *, label: str = FLAKY_LABEL
) -> tuple[IssueRef, ...]:
    """
    See to one issue per signature, and return them in the order of the plans.

    A closed one is left as it is: neither reopened nor filed again. Raises
    `ForgeError`; what was filed until then stays, and is found the next time.
    """
    if not plans:
        return ()
    ours = _our_issues(forge, label)
    return tuple(_file(forge, plan, ours, label) for plan in plans)


def known_issues(forge: Forge, *, label: str = FLAKY_LABEL) -> dict[str, IssueRef]:
    """Return our issues by signature, the one that `publish_issues` would keep of several."""
    found: dict[str, IssueRef] = {}
    # Closed ones first, so that an open one takes their place; the lowest number last.
    for issue in sorted(_our_issues(forge, label), key=lambda one: (one.state, -one.number)):
        signature = signature_of(issue.body)
        if signature:
            found[signature] = IssueRef(
                number=issue.number, url=issue.url, signature=signature, state=issue.state
            )
    return found


def _publish(
    forge: Forge, number: int, head_sha: str, body: str, marker: str
) -> CommentResult | None:
    """Return what became of the comment, None when it vanished in between."""
    ours = _our_comments(forge, number, marker)
    # Asked as late as possible: what is newer than us may be posted at any moment.
    pull = forge.pull_request(number)
    reason = _why_not(pull, head_sha, body, ours)
    if reason:
        return CommentResult(action="skipped", url=ours[0].url if ours else "", note=reason)
    if ours:
        return _settle(forge, ours, body, "edited")
    made = forge.create_comment(number, body, marker=marker)
    there = _our_comments(forge, number, marker)
    first = not there or there[0].id == made.id
    if first and _text(made.body) == _text(body):
        # Another report may have edited it already, and then had the last word.
        _delete(forge, there[1:])
        return CommentResult(action="created", url=made.url)
    return _settle(forge, there or [made], body, "created")


def _settle(
    forge: Forge, ours: Sequence[Comment], body: str, action: Literal["created", "edited"]
) -> CommentResult | None:
    """Keep the oldest comment and make it say `body`; None when it vanished."""
    oldest, *others = ours
    _delete(forge, others)
    if _text(oldest.body) == _text(body):
        return CommentResult(action="unchanged", url=oldest.url)
    edited = forge.edit_comment(oldest.id, body)
    return CommentResult(action=action, url=edited.url) if edited else None


def _why_not(pull: PullRequest, head_sha: str, body: str, ours: Sequence[Comment]) -> str:
    """Return why the comment must not be posted; empty when it may."""
    if pull.head_sha != head_sha:
        return (
            f"the report is about {head_sha[:9]}, but #{pull.number} is at "
            f"{pull.head_sha[:9]} by now: left to that commit's own report"
        )
    if pull.locked:
        return f"the conversation of #{pull.number} is locked: unlock it to get reports"
    if pull.state == "closed" and not ours:
        return f"#{pull.number} is closed: no comment was begun"
    new = state_of(body)
    old = state_of(ours[0].body) if ours else None
    same_run = new and old and (new.head, new.run_id) == (old.head, old.run_id)
    if new and old and same_run and new.attempt < old.attempt:
        return f"the comment is about attempt {old.attempt} of this run already"
    return ""


def _our_comments(forge: Forge, number: int, marker: str) -> list[Comment]:
    # By author too: anybody can write our marker, and ours cannot be told by its text.
    author = forge.own_login()
    return [
        comment
        for comment in forge.comments(number)
        if comment.author == author and comment.body.startswith(marker)
    ]


def _delete(forge: Forge, comments: Sequence[Comment]) -> None:
    for comment in comments:
        forge.delete_comment(comment.id)


def _text(body: str) -> str:
    # GitHub may give back other line ends than it was given.
    return body.replace("\r\n", "\n").strip()


def _our_issues(forge: Forge, label: str) -> list[Issue]:
    author = forge.own_login()
    return [issue for issue in forge.issues_with_label(label) if issue.author == author]


def _file(forge: Forge, plan: IssuePlan, ours: Sequence[Issue], label: str) -> IssueRef:
    if signature_of(plan.body) != plan.signature:
        raise ValueError("the body of an issue of ours holds its signature")
    issue = _keep_one(forge, ours, plan.signature)
    if issue is None:
        # Time has passed since the list was read, and another report may have filed it.
        issue = _keep_one(forge, _our_issues(forge, label), plan.signature)
    if issue is None:
        issue = _open(forge, plan, label)
    elif issue.state == "open":
        issue = _update(forge, issue, plan)
    return IssueRef(number=issue.number, url=issue.url, signature=plan.signature, state=issue.state)


def _open(forge: Forge, plan: IssuePlan, label: str) -> Issue:
    forge.ensure_label(label, color="8250df", description="Telltale keeps this issue up to date")
    forge.ensure_label("flaky", color="d4a72c", description="Passes and fails on the same code")
    forge.ensure_label(plan.kind.value, color="eaeef2", description="Kind of failure")
    made = forge.create_issue(
        title=plan.title,
        body=plan.body,
        labels=(label, "flaky", plan.kind.value),
        marker=f"<!-- telltale:signature {plan.signature} -->",
    )
    if label not in made.labels:
        # GitHub drops the labels of those who may not set them, without a word. Without
        # its label the issue would not be found again, and filed anew by every run.
        forge.edit_issue(made.number, state="closed", reason="not_planned")
        raise ForgeError(
            f"GitHub did not put the label {label} on {made.url}, which was closed again: "
            "the token's owner needs write access to the repository"
        )
    return _keep_one(forge, _our_issues(forge, label), plan.signature) or made


def _keep_one(forge: Forge, ours: Sequence[Issue], signature: str) -> Issue | None:
    """
    Return the issue about the signature, None when there is none.

    The open one with the lowest number stays; other open ones were made by
    two reports at one moment and are closed as its duplicates, without a
    comment. With none open it is the first of the closed ones.
    """
    same = [issue for issue in ours if signature_of(issue.body) == signature]
    opened = [issue for issue in same if issue.state == "open"]
    if not opened:
        return same[0] if same else None
    first, *others = opened
    for other in others:
        forge.edit_issue(other.number, state="closed", reason="duplicate")
    return first


def _update(forge: Forge, issue: Issue, plan: IssuePlan) -> Issue:
    # The title and the labels are people's once the issue is open; the body is shared.
    body = merge_issue_body(issue.body, plan.body)
    return issue if _text(body) == _text(issue.body) else forge.edit_issue(issue.number, body=body)
