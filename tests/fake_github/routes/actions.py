"""Workflow runs, jobs and artifacts."""

from __future__ import annotations

from tests.fake_github import access
from tests.fake_github.routing import REPO, Call, route
from tests.fake_github.state import Artifact, Job, Run
from tests.fake_github.web import ApiError, Response, not_found, page

RUNS = f"{REPO}/actions/runs"
RUN = f"{RUNS}/{{run_id}}"
ARTIFACTS = f"{REPO}/actions/artifacts"
READ = "actions:read"


@route("GET", RUNS, READ)
def list_runs(call: Call) -> Response:
    return _runs(call, list(call.repo.runs.values()))


@route("GET", f"{REPO}/actions/workflows/{{workflow_id}}/runs", READ)
def list_runs_of_workflow(call: Call) -> Response:
    workflow = call.request.params["workflow_id"]
    runs = [
        run
        for run in call.repo.runs.values()
        if workflow in {str(run.workflow_id), run.path.rpartition("/")[2]}
    ]
    if not runs:
        raise not_found()
    return _runs(call, runs)


def _runs(call: Call, runs: list[Run]) -> Response:
    query = call.request.query
    found = [
        run
        for run in runs
        if query.get("event", run.event) == run.event
        and query.get("branch", run.head_branch) == run.head_branch
        and query.get("head_sha", run.head_sha) == run.head_sha
        and query.get("actor", run.actor) == run.actor
        and query.get("status", run.status) in {run.status, run.conclusion}
    ]
    found.sort(key=lambda run: (run.created_at, run.id), reverse=True)
    with_pulls = query.get("exclude_pull_requests", "false") != "true"
    shown, headers = page(call.request, found)
    body = [call.view.run(call.repo, run, with_pulls=with_pulls) for run in shown]
    return Response(body={"total_count": len(found), "workflow_runs": body}, headers=headers)


@route("GET", RUN, READ)
def get_run(call: Call) -> Response:
    with_pulls = call.request.query.get("exclude_pull_requests", "false") != "true"
    return Response(body=call.view.run(call.repo, call.run(), with_pulls=with_pulls))


@route("GET", f"{RUN}/jobs", READ)
def list_jobs(call: Call) -> Response:
    run = call.run()
    everything = call.request.query.get("filter", "latest") == "all"
    return _jobs(call, run, [j for j in run.jobs if everything or j.run_attempt == run.run_attempt])


@route("GET", f"{RUN}/attempts/{{attempt_number}}/jobs", READ)
def list_jobs_of_attempt(call: Call) -> Response:
    run, attempt = call.run(), call.number("attempt_number")
    if not 1 <= attempt <= run.run_attempt:
        raise not_found()
    return _jobs(call, run, [job for job in run.jobs if job.run_attempt == attempt])


def _jobs(call: Call, run: Run, jobs: list[Job]) -> Response:
    shown, headers = page(call.request, jobs)
    body = [call.view.job(call.repo, run, job) for job in shown]
    return Response(body={"total_count": len(jobs), "jobs": body}, headers=headers)


@route("GET", f"{REPO}/actions/jobs/{{job_id}}", READ)
def get_job(call: Call) -> Response:
    number = call.number("job_id")
    for run in call.repo.runs.values():
        for job in run.jobs:
            if job.id == number:
                return Response(body=call.view.job(call.repo, run, job))
    raise not_found()


@route("GET", f"{RUN}/artifacts", READ)
def list_artifacts_of_run(call: Call) -> Response:
    run = call.run()
    call.world.sync_artifacts(call.repo)
    oldest_first = call.request.query.get("direction", "desc") == "asc"
    found = [artifact for artifact in call.repo.artifacts.values() if artifact.run_id == run.id]
    return _artifacts(call, found if oldest_first else found[::-1])


@route("GET", ARTIFACTS, READ)
def list_artifacts(call: Call) -> Response:
    call.world.sync_artifacts(call.repo)
    return _artifacts(call, list(call.repo.artifacts.values())[::-1])


def _artifacts(call: Call, artifacts: list[Artifact]) -> Response:
    name = call.request.query.get("name")
    found = [artifact for artifact in artifacts if name in {None, artifact.name}]
    shown, headers = page(call.request, found)
    body = [call.view.artifact(call.repo, artifact) for artifact in shown]
    return Response(body={"total_count": len(found), "artifacts": body}, headers=headers)


def find_artifact(call: Call) -> Artifact:
    call.world.sync_artifacts(call.repo)
    artifact = call.repo.artifacts.get(call.number("artifact_id"))
    if artifact is None:
        raise not_found()
    return artifact


@route("GET", f"{ARTIFACTS}/{{artifact_id}}", READ)
def get_artifact(call: Call) -> Response:
    return Response(body=call.view.artifact(call.repo, find_artifact(call)))


@route("GET", f"{ARTIFACTS}/{{artifact_id}}/{{archive_format}}", READ)
def download_artifact(call: Call) -> Response:
    """A redirect to a storage on another host, which knows no tokens."""
    access.check_download(call.token, call.repo)
    artifact = find_artifact(call)
    if call.request.params["archive_format"] != "zip":
        raise not_found()
    if artifact.expired:
        raise ApiError(410, "Artifact has expired")
    return Response(status=302, headers={"Location": call.world.storage_url(artifact)})
