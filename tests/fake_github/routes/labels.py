"""Labels of the repository, and of its issues and pull requests."""

from __future__ import annotations

import json
import re

from tests.fake_github.routes.issues import names
from tests.fake_github.routing import REPO, Call, route
from tests.fake_github.state import Label
from tests.fake_github.web import Response, invalid, not_found, page

OF_ISSUE = f"{REPO}/issues/{{issue_number}}/labels"
WRITE = ("issues:write", "pull_requests:write")
MAX_NAME = 50
MAX_DESCRIPTION = 100


@route("GET", f"{REPO}/labels", "issues:read", "pull_requests:read")
def list_labels(call: Call) -> Response:
    shown, headers = page(call.request, sorted(call.repo.labels.values(), key=lambda x: x.name))
    return Response(body=[call.view.label(call.repo, label) for label in shown], headers=headers)


@route("POST", f"{REPO}/labels", *WRITE)
def create_label(call: Call) -> Response:
    fields = call.request.json
    name, color = str(fields["name"]), str(fields.get("color", "ededed"))
    if name.lower() in call.repo.labels:
        raise invalid("Label", "name", "already_exists")
    if not name.strip():
        raise invalid("Label", "name", "missing_field")
    if len(name) > MAX_NAME:
        message = f"name is too long (maximum is {MAX_NAME} characters)"
        raise invalid("Label", "name", "custom", message)
    if not re.fullmatch(r"[0-9a-fA-F]{6}", color):  # without the leading #
        raise invalid("Label", "color", "invalid")
    description = fields.get("description")
    if description is not None and len(description) > MAX_DESCRIPTION:
        message = f"description is too long (maximum is {MAX_DESCRIPTION} characters)"
        raise invalid("Label", "description", "custom", message)
    label = Label(id=call.world.new_id(), name=name, color=color, description=description)
    call.repo.labels[name.lower()] = label
    body = call.view.label(call.repo, label)
    return Response(status=201, body=body, headers={"Location": body["url"]})


@route("GET", f"{REPO}/labels/{{name}}", "issues:read", "pull_requests:read")
def get_label(call: Call) -> Response:
    label = call.repo.labels.get(call.request.params["name"].lower())
    if label is None:
        raise not_found()
    return Response(body=call.view.label(call.repo, label))


@route("GET", OF_ISSUE, "issues:read", "pull_requests:read")
def list_labels_of_issue(call: Call) -> Response:
    shown, headers = page(call.request, call.view.labels(call.repo, call.issue()))
    return Response(body=shown, headers=headers)


@route("POST", OF_ISSUE, *WRITE)
def add_labels(call: Call) -> Response:
    issue = call.issue()
    call.may_write_to(issue)
    sent = json.loads(call.request.body or b"[]")
    asked = names(sent["labels"] if isinstance(sent, dict) else sent)
    issue.labels = call.world.ensure_labels(call.repo, [*issue.labels, *asked])
    issue.updated_at = call.world.clock.now()
    return Response(body=call.view.labels(call.repo, issue))


@route("DELETE", f"{OF_ISSUE}/{{name}}", *WRITE)
def remove_label(call: Call) -> Response:
    issue = call.issue()
    call.may_write_to(issue)
    name = call.request.params["name"].lower()
    if name not in {label.lower() for label in issue.labels}:
        raise not_found()
    issue.labels = [label for label in issue.labels if label.lower() != name]
    issue.updated_at = call.world.clock.now()
    return Response(body=call.view.labels(call.repo, issue))
