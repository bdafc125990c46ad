"""Comments on issues and pull requests."""

from __future__ import annotations

from tests.fake_github import access
from tests.fake_github.routes.issues import MAX_BODY
from tests.fake_github.routing import REPO, Call, route
from tests.fake_github.state import Comment, parse_time
from tests.fake_github.web import Response, invalid, page

COMMENTS = f"{REPO}/issues/{{issue_number}}/comments"
COMMENT = f"{REPO}/issues/comments/{{comment_id}}"
READ = ("issues:read", "pull_requests:read")
WRITE = ("issues:write", "pull_requests:write")


def checked_body(call: Call) -> str:
    """The text of a comment. Raises when it is empty or too long."""
    body = str(call.request.json["body"])
    if not body.strip():
        raise invalid("IssueComment", "data", "unprocessable", "Body cannot be blank")
    if len(body) > MAX_BODY:
        message = f"Body is too long (maximum is {MAX_BODY} characters)"
        raise invalid("IssueComment", "data", "unprocessable", message)
    return body


def _since(call: Call, comments: list[Comment]) -> list[Comment]:
    if "since" not in call.request.query:
        return comments
    since = parse_time(call.request.query["since"])
    return [comment for comment in comments if comment.updated_at >= since]


@route("GET", COMMENTS, *READ)
def list_comments(call: Call) -> Response:
    number = call.issue().number
    where = f"/repositories/{call.repo.id}/issues/{number}/comments"
    comments = _since(call, call.repo.comments_on(number))
    shown, headers = page(call.request, comments, where)
    return Response(body=[call.view.comment(call.repo, c) for c in shown], headers=headers)


@route("GET", f"{REPO}/issues/comments", *READ)
def list_repository_comments(call: Call) -> Response:
    query = call.request.query
    comments = _since(call, list(call.repo.comments.values()))
    if "sort" in query:
        newest_first = query.get("direction", "desc") == "desc"
        moment = f"{query['sort']}_at"
        comments.sort(key=lambda comment: (getattr(comment, moment), comment.id))
        comments = comments[::-1] if newest_first else comments
    shown, headers = page(call.request, comments)
    return Response(body=[call.view.comment(call.repo, c) for c in shown], headers=headers)


@route("POST", COMMENTS, *WRITE)
def create_comment(call: Call) -> Response:
    issue = call.issue()
    call.may_write_to(issue)
    access.check_unlocked(call.token, call.repo, issue, "create")
    now = call.world.clock.now()
    comment = Comment(
        id=call.world.new_id(),
        issue=issue.number,
        body=checked_body(call),
        user=call.login,
        created_at=now,
        updated_at=now,
    )
    call.repo.comments[comment.id] = comment
    issue.updated_at = now
    body = call.view.comment(call.repo, comment)
    return Response(status=201, body=body, headers={"Location": body["url"]})


@route("GET", COMMENT, *READ)
def get_comment(call: Call) -> Response:
    return Response(body=call.view.comment(call.repo, call.comment()))


@route("PATCH", COMMENT, *WRITE)
def update_comment(call: Call) -> Response:
    comment = _writable(call, "update")
    comment.body = checked_body(call)
    comment.updated_at = call.world.clock.now()
    call.repo.issues[comment.issue].updated_at = comment.updated_at
    return Response(body=call.view.comment(call.repo, comment))


@route("DELETE", COMMENT, *WRITE)
def delete_comment(call: Call) -> Response:
    comment = _writable(call, "delete")
    del call.repo.comments[comment.id]
    return Response(status=204)


def _writable(call: Call, action: str) -> Comment:
    comment = call.comment()
    issue = call.repo.issues[comment.issue]
    call.may_write_to(issue)
    access.check_unlocked(call.token, call.repo, issue, action)
    access.check_author(call.token, call.repo, comment.user)
    return comment
