"""Control from another process, under `/_fake/`: see the state, seed, make things go wrong.

GET  /_fake/state        everything, as JSON
GET  /_fake/violations   list of sentences
POST /_fake/seed         list of steps, each {"do": METHOD, ...arguments}; answers a list
POST /_fake/faults       {"method": ..., "route": ..., ...}, as `faults.Fault`
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.fake_github.state import as_json
from tests.fake_github.web import Json, Request, Response

if TYPE_CHECKING:
    from tests.fake_github.github import FakeGitHub

STEPS = (
    "add_artifact",
    "add_collaborator",
    "add_comment",
    "add_job",
    "add_label",
    "add_repo",
    "add_run",
    "add_token",
    "close_issue",
    "delete_fork",
    "exhaust",
    "expire_artifact",
    "fail",
    "lock_issue",
    "merge_pull",
    "open_issue",
    "open_pull",
    "push",
    "search_lag",
    "secondary_limit",
    "use_git",
)
"""The seeding methods that a step may name."""


def seed(github: FakeGitHub, steps: list[Json]) -> list[Any]:
    """Do what a seed says. Raises ValueError, with the step's number, for one that makes no sense."""
    done = []
    for number, step in enumerate(steps, 1):
        arguments = dict(step)
        name = arguments.pop("do", None)
        if name not in STEPS:
            raise ValueError(f"step {number}: do is {name!r}, but there are {', '.join(STEPS)}")
        try:
            with github.lock:
                done.append(as_json(getattr(github, name)(**arguments)))
        except (TypeError, KeyError, ValueError, OSError) as error:
            raise ValueError(f"step {number}, {name}: {type(error).__name__}: {error}") from error
    return done


def control(github: FakeGitHub, request: Request) -> Response:
    """Answer a request under `/_fake/`."""
    where = (request.method, request.path.removeprefix("/_fake/"))
    try:
        if where == ("GET", "state"):
            return Response(body=github.state())
        if where == ("GET", "violations"):
            return Response(body=list(github.violations))
        if where == ("POST", "seed"):
            return Response(body=seed(github, json.loads(request.body)))
        if where == ("POST", "faults"):
            return Response(body=seed(github, [{"do": "fail", **request.json}])[0])
    except ValueError as error:
        return Response(status=400, body={"message": str(error)})
    return Response(
        status=404, body={"message": "no such control: read tests/fake_github/control.py"}
    )
