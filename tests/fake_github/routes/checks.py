"""Check runs and commit statuses."""

from __future__ import annotations

from tests.fake_github.routing import REPO, Call, route
from tests.fake_github.state import CheckRun, Status, parse_time
from tests.fake_github.web import ApiError, Json, Response, invalid, not_found, page

CHECK = f"{REPO}/check-runs/{{check_run_id}}"
MAX_STATUSES = 1000
"""Statuses of one context on one commit."""
MAX_DESCRIPTION = 140


def find_check(call: Call) -> CheckRun:
    check = call.repo.check_runs.get(call.number("check_run_id"))
    if check is None:
        raise not_found()
    return check


def change(call: Call, check: CheckRun, fields: Json) -> None:
    """Put what a request says into a check run; a conclusion completes it."""
    now = call.world.clock.now()
    for name in ("name", "details_url", "external_id", "status", "conclusion"):
        setattr(check, name, fields.get(name, getattr(check, name)))
    for name in ("started_at", "completed_at"):
        if name in fields:
            setattr(check, name, parse_time(fields[name]))
    if check.conclusion is not None:
        check.status = "completed"
        check.completed_at = check.completed_at or now
    elif check.status == "completed":
        raise ApiError(422, 'Invalid request.\n\n"conclusion" wasn\'t supplied.')
    output = fields.get("output") or {}
    for name in ("title", "summary", "text"):
        setattr(check, name, output.get(name, getattr(check, name)))
    # Annotations add up over requests; everything else is replaced.
    check.annotations += output.get("annotations") or []


@route("POST", f"{REPO}/check-runs", "checks:write")
def create_check(call: Call) -> Response:
    fields = call.request.json
    commit = call.world.resolve(call.repo, str(fields["head_sha"]))
    if call.token is not None and not call.token.installation:
        raise ApiError(403, "You must authenticate via a GitHub App.")
    if commit is None or commit.sha != fields["head_sha"]:
        raise ApiError(422, f"No commit found for SHA: {fields['head_sha']}")
    check = CheckRun(
        id=call.world.new_id(),
        name=str(fields["name"]),
        head_sha=commit.sha,
        status="queued",
        conclusion=None,
        started_at=call.world.clock.now(),
        completed_at=None,
    )
    change(call, check, fields)
    call.repo.check_runs[check.id] = check
    return Response(status=201, body=call.view.check_run(call.repo, check))


@route("PATCH", CHECK, "checks:write")
def update_check(call: Call) -> Response:
    check = find_check(call)
    change(call, check, call.request.json)
    return Response(body=call.view.check_run(call.repo, check))


@route("GET", CHECK, "checks:read")
def get_check(call: Call) -> Response:
    return Response(body=call.view.check_run(call.repo, find_check(call)))


@route("GET", f"{CHECK}/annotations", "checks:read")
def list_annotations(call: Call) -> Response:
    check = find_check(call)
    shown, headers = page(call.request, check.annotations)
    body = [call.view.annotation(call.repo, check, annotation) for annotation in shown]
    return Response(body=body, headers=headers)


@route("GET", f"{REPO}/commits/{{ref}}/check-runs", "checks:read")
def list_checks(call: Call) -> Response:
    query, sha = call.request.query, call.commit(call.request.params["ref"]).sha
    found = [
        check
        for check in call.repo.check_runs.values()
        if check.head_sha == sha
        and query.get("check_name", check.name) == check.name
        and query.get("status", check.status) == check.status
    ]
    if query.get("filter", "latest") == "latest":
        found = list({check.name: check for check in found}.values())
    shown, headers = page(call.request, found)
    body = [call.view.check_run(call.repo, check) for check in shown]
    return Response(body={"total_count": len(found), "check_runs": body}, headers=headers)


@route("POST", f"{REPO}/statuses/{{sha}}", "statuses:write")
def create_status(call: Call) -> Response:
    fields, sha = call.request.json, call.request.params["sha"]
    commit = call.world.resolve(call.repo, sha)
    if commit is None or commit.sha != sha:
        raise ApiError(422, f"No commit found for SHA: {sha}")
    description, context = fields.get("description"), str(fields.get("context", "default"))
    if description is not None and len(description) > MAX_DESCRIPTION:
        message = f"description is too long (maximum is {MAX_DESCRIPTION} characters)"
        raise invalid("Status", "description", "custom", message)
    before = [s for s in call.repo.statuses if (s.sha, s.context) == (sha, context)]
    if len(before) >= MAX_STATUSES:
        message = "This SHA and context has reached the maximum number of statuses."
        raise ApiError(422, "Validation Failed", [message])
    status = Status(
        id=call.world.new_id(),
        sha=sha,
        state=str(fields["state"]),
        context=context,
        description=description,
        target_url=fields.get("target_url"),
        creator=call.login,
        created_at=call.world.clock.now(),
    )
    call.repo.statuses.append(status)
    body = call.view.status(call.repo, status)
    return Response(status=201, body=body, headers={"Location": body["url"]})


def _of_commit(call: Call) -> tuple[str, list[Status]]:
    """The commit and its statuses, newest first."""
    sha = call.commit(call.request.params["ref"]).sha
    return sha, [status for status in call.repo.statuses if status.sha == sha][::-1]


@route("GET", f"{REPO}/commits/{{ref}}/statuses", "statuses:read")
def list_statuses(call: Call) -> Response:
    shown, headers = page(call.request, _of_commit(call)[1])
    return Response(body=[call.view.status(call.repo, s) for s in shown], headers=headers)


@route("GET", f"{REPO}/commits/{{ref}}/status", "statuses:read")
def get_combined_status(call: Call) -> Response:
    sha, statuses = _of_commit(call)
    latest = list({status.context: status for status in statuses[::-1]}.values())
    states = {status.state for status in latest}
    if states & {"error", "failure"}:
        state = "failure"
    else:
        state = "pending" if "pending" in states or not states else "success"
    url = f"{call.view.repo_url(call.repo)}/commits/{sha}"
    shown, headers = page(call.request, latest)
    body = {
        "state": state,
        "statuses": [call.view.status(call.repo, status) for status in shown],
        "sha": sha,
        "total_count": len(latest),
        "repository": call.view.repo_short(call.repo),
        "commit_url": url,
        "url": f"{url}/status",
    }
    return Response(body=body, headers=headers)
