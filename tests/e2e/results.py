"""What act says of a run, read from its JSON log."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(slots=True, kw_only=True)
class Step:
    name: str
    result: str = ""
    """success, failure or skipped"""
    outputs: dict[str, str] = field(default_factory=dict)
    summary: str = ""
    annotations: list[tuple[str, str]] = field(default_factory=list)
    """(error, warning or notice; its message)"""
    log: str = ""


@dataclass(slots=True, kw_only=True)
class Job:
    name: str
    """As act writes it: WORKFLOW/JOB, a called workflow's jobs CALLER/WORKFLOW/JOB."""
    result: str = ""
    """success or failure"""

    @property
    def title(self) -> str:
        """The name as GitHub shows it: JOB, or CALLER / JOB."""
        *caller, _, job = self.name.split("/")
        return " / ".join([*caller, job])

    steps: dict[str, Step] = field(default_factory=dict)
    """
    By id (their index when they have none); a composite's inner steps as OUTER/INNER.

    act gives an outer step all outputs of its inner ones, declared or not.
    """

    @property
    def summary(self) -> str:
        """The job summary: what the steps wrote, one after the other."""
        # A composite step repeats what its inner steps wrote when they passed, and only then.
        outer = {key.rpartition("/")[0] for key in self.steps}
        return "".join(step.summary for key, step in self.steps.items() if key not in outer)

    @property
    def log(self) -> str:
        return "".join(step.log for step in self.steps.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One attempt of one workflow run, as it ended."""

    run_id: int
    attempt: int
    exit_code: int
    jobs: dict[str, Job]
    log: str
    """Everything act printed, for people."""
    artifact_store: Path

    @property
    def results(self) -> dict[str, str]:
        """Each job's result by the last part of its name."""
        return {name.rpartition("/")[2]: job.result for name, job in self.jobs.items()}

    @property
    def conclusion(self) -> str:
        """What GitHub would show: success unless a job failed."""
        return "failure" if "failure" in self.results.values() else "success"

    def job(self, name: str) -> Job:
        """Find the job of that id or name; the caller's part may be left out."""
        found = [job for key, job in self.jobs.items() if f"/{key}".endswith(f"/{name}")]
        if len(found) != 1:
            msg = f"no single job {name!r} among {sorted(self.jobs)}\n{self.log}"
            raise LookupError(msg)
        return found[0]

    @property
    def artifacts(self) -> dict[str, Path]:
        """Zip files of the run's artifacts by name."""
        zips = (self.artifact_store / str(self.run_id)).glob("*/*.zip")
        return {path.parent.name: path for path in sorted(zips)}

    def artifact(self, name: str) -> dict[str, bytes]:
        """Files in an artifact by path."""
        with zipfile.ZipFile(self.artifacts[name]) as archive:
            return {path: archive.read(path) for path in archive.namelist()}


def read_jobs(lines: Iterable[str]) -> dict[str, Job]:
    """
    Read jobs, by name, from the lines that `act --json` wrote.

    Skipped jobs are not there, and neither are the callers of reusable
    workflows: act gives results to the jobs that ran steps, and to nothing else.
    """
    jobs: dict[str, Job] = {}
    for line in lines:
        event = json.loads(line)
        if "job" not in event:
            continue
        name = event["job"].strip()
        job = jobs.setdefault(name, Job(name=name))
        job.result = event.get("jobResult", job.result)
        # stepid (no capital) marks act's own "Set up job"; pre and post steps are not the steps.
        if event.get("stage") == "Main" and "stepID" in event:
            key = "/".join(event["stepID"])
            _note(job.steps.setdefault(key, Step(name=event["step"])), event)
    return {name: job for name, job in jobs.items() if job.result}


def _note(step: Step, event: dict[str, Any]) -> None:
    if event.get("raw_output"):
        step.log += event["msg"]
    elif "stepResult" in event:
        step.result = event["stepResult"]
    elif event.get("command") == "set-output":
        step.outputs[event["name"]] = event["arg"]
    elif event.get("command") in {"error", "warning", "notice"}:
        step.annotations.append((event["command"], event["arg"]))
    elif event.get("command") == "summary":
        step.summary += event["content"]


def readable(lines: Iterable[str]) -> str:
    """Turn the log into text: one line each, with the job it belongs to."""
    events = [json.loads(line) for line in lines]
    return "".join(f"[{event.get('job', 'act')}] {event['msg'].rstrip()}\n" for event in events)
