"""Issues, among which pull requests are too."""

from __future__ import annotations

from typing import Any

from tests.fake_github.routing import REPO, Call, route
from tests.fake_github.state import Issue, parse_time
from tests.fake_github.web import ApiError, Json, Response, invalid, page

MAX_BODY = 65536
MAX_TITLE = 256
MAX_LABELS = 100
DEFAULT_REASON = {"closed": "completed", "open": "reopened"}


def check_text(resource: str, fields: Json) -> None:
    """Raise when a title or body is too long, or a title is empty."""
    if "title" in fields:
        title = str(fields["title"])
        if not title.strip():
            raise invalid(resource, "title", "missing_field")
        if len(title) > MAX_TITLE:
            message = f"title is too long (maximum is {MAX_TITLE} characters)"
            raise invalid(resource, "title", "custom", message)
    if len(fields.get("body") or "") > MAX_BODY:
        message = f"body is too long (maximum is {MAX_BODY} characters)"
        raise invalid(resource, "body", "custom", message)


def names(labels: list[Any]) -> list[str]:
    """Labels come as names or as objects with a name."""
    return [label if isinstance(label, str) else str(label["name"]) for label in labels]


def need_issues(call: Call) -> None:
    if not call.repo.has_issues:
        raise ApiError(410, "Issues are disabled for this repo")


@route("GET", f"{REPO}/issues", "issues:read")
def list_issues(call: Call) -> Response:
    need_issues(call)
    query = call.request.query
    wanted = {name.lower() for name in query.get("labels", "").split(",") if name}
    since = parse_time(query["since"]) if "since" in query else None
    found = [
        issue
        for issue in call.repo.issues.values()
        if query.get("state", "open") in {issue.state, "all"}
        and wanted <= {name.lower() for name in issue.labels}
        and query.get("creator", issue.user).lower() == issue.user.lower()
        and (since is None or issue.updated_at >= since)
        and _assigned(issue, query.get("assignee", "any"))
    ]
    sort = query.get("sort", "created")

    def key(issue: Issue) -> tuple[Any, int]:
        if sort == "comments":
            return len(call.repo.comments_on(issue.number)), issue.number
        return getattr(issue, f"{sort}_at"), issue.number

    found.sort(key=key, reverse=query.get("direction", "desc") == "desc")
    # GitHub's own links name the repository by its number.
    where = f"/repositories/{call.repo.id}/issues"
    shown, headers = page(call.request, found, where)
    return Response(body=[call.view.issue(call.repo, issue) for issue in shown], headers=headers)


def _assigned(issue: Issue, assignee: str) -> bool:
    if assignee in {"any", "*"}:
        return assignee == "any" or bool(issue.assignees)
    return not issue.assignees if assignee == "none" else assignee in issue.assignees


@route("POST", f"{REPO}/issues", "issues:write")
def create_issue(call: Call) -> Response:
    need_issues(call)
    fields = call.request.json
    check_text("Issue", fields)
    now = call.world.clock.now()
    issue = Issue(
        id=call.world.new_id(),
        number=call.world.next_number(call.repo),
        title=str(fields["title"]),
        body=fields.get("body"),
        user=call.login,
        labels=_labels(call, fields.get("labels") or []),
        assignees=_assignees(call, fields),
        created_at=now,
        updated_at=now,
    )
    call.repo.issues[issue.number] = issue
    body = call.view.issue(call.repo, issue)
    return Response(status=201, body=body, headers={"Location": body["url"]})


def _labels(call: Call, labels: list[Any]) -> list[str]:
    if len(labels) > MAX_LABELS:
        raise invalid("Issue", "labels", "custom", f"cannot have more than {MAX_LABELS} labels")
    return call.world.ensure_labels(call.repo, names(labels))


def _assignees(call: Call, fields: Json) -> list[str]:
    asked = [*(fields.get("assignees") or []), *filter(None, [fields.get("assignee")])]
    for login in asked:
        if call.repo.role(login) in {"none", "read"}:
            raise ApiError(
                422,
                "Validation Failed",
                [{"resource": "Issue", "field": "assignees", "code": "invalid", "value": login}],
            )
    return asked


@route("GET", f"{REPO}/issues/{{issue_number}}", "issues:read", "pull_requests:read")
def get_issue(call: Call) -> Response:
    return Response(body=call.view.issue(call.repo, call.issue()))


@route("PATCH", f"{REPO}/issues/{{issue_number}}", "issues:write", "pull_requests:write")
def update_issue(call: Call) -> Response:
    issue, fields = call.issue(), call.request.json
    call.may_write_to(issue)
    check_text("Issue", fields)
    now = call.world.clock.now()
    issue.title = str(fields.get("title", issue.title))
    issue.body = fields.get("body", issue.body)
    if "labels" in fields:
        issue.labels = _labels(call, fields["labels"] or [])
    if "assignees" in fields or "assignee" in fields:
        issue.assignees = _assignees(call, fields)
    state = fields.get("state", issue.state)
    if state != issue.state:
        issue.state_reason = fields.get("state_reason") or DEFAULT_REASON[state]
        issue.closed_at = now if state == "closed" else None
        issue.closed_by = call.login if state == "closed" else None
        issue.state = state
    issue.updated_at = now
    return Response(body=call.view.issue(call.repo, issue))


@route("PUT", f"{REPO}/issues/{{issue_number}}/lock", "issues:write", "pull_requests:write")
def lock_issue(call: Call) -> Response:
    issue = call.issue()
    call.may_write_to(issue)
    issue.locked, issue.lock_reason = True, call.request.json.get("lock_reason")
    return Response(status=204)


@route("DELETE", f"{REPO}/issues/{{issue_number}}/lock", "issues:write", "pull_requests:write")
def unlock_issue(call: Call) -> Response:
    issue = call.issue()
    call.may_write_to(issue)
    issue.locked, issue.lock_reason = False, None
    return Response(status=204)
