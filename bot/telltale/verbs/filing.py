"""Which flaky failures get an issue: choose, write the scaffold, word the issue, file it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from telltale import scaffold
from telltale.errors import ForgeError, HistoryError, ScaffoldError
from telltale.flaky.detect import find_flakes
from telltale.flaky.filing import to_file
from telltale.forge import Forge
from telltale.history.interface import FileContent, History
from telltale.records import Flake, IssueRef, Record
from telltale.report.data import IssueData
from telltale.report.issues import issue_body, issue_title
from telltale.verbs.publish import IssuePlan, known_issues, publish_issues

SCAFFOLDS = "scaffolds"
NEW_ISSUES = 1
"""At most so many new issues a report: whoever gets ten at once reads none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filing:
    """What is to be filed, or was."""

    plans: tuple[IssuePlan, ...] = ()
    issues: Mapping[str, IssueRef] = field(default_factory=dict)
    """Our issues by signature: before filing those that were there, afterwards all."""
    commands: Mapping[str, str] = field(default_factory=dict)
    """By signature, what to paste to run the scaffold."""
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Where things go while issues are prepared."""

    history: History
    address: str
    """The history's URI."""
    base_branch: str
    server_url: str
    keep: bool
    """Whether scaffolds are kept in the history; otherwise they lie in the report's folder."""
    out: Path
    records: Mapping[str, Record]


def plan(
    records: Sequence[Record],
    heads: Sequence[Record],
    *,
    history: History,
    address: str,
    base_branch: str,
    server_url: str,
    forge: Forge | None,
    out: Path,
) -> Filing:
    """
    Choose the flakes that deserve an issue and prepare each with its scaffold.

    New are at most `NEW_ISSUES` that recurred by the rule of
    `telltale.flaky.filing`; of those that have an issue, the ones that failed
    again in `heads` are brought up to date. Nothing is posted. A scaffold that cannot be made or kept
    is a problem, and its issue says nothing of it.
    """
    everything = {record.id: record for record in (*records, *heads)}
    flakes = find_flakes(tuple(everything.values()))
    try:
        known = known_issues(forge) if forge is not None and flakes else {}
    except ForgeError as error:
        return Filing(problems=(f"the issues could not be read: {error}",))
    failing = {failure.signature for head in heads for failure in head.failures}
    again = [flake for flake in flakes if flake.signature in known and flake.signature in failing]
    new = to_file([flake for flake in flakes if flake.signature not in known], limit=NEW_ISSUES)
    desk = Desk(
        history=history,
        address=address,
        base_branch=base_branch,
        server_url=server_url,
        keep=forge is not None,
        out=out,
        records=everything,
    )
    filing = Filing(issues=known)
    for flake in (*new, *_one_a_signature(again)):
        filing = _prepare(filing, flake, desk)
    return filing


def file(forge: Forge | None, filing: Filing) -> Filing:
    """Open or edit the issues and return the filing with all that exist now."""
    if forge is None:
        return filing
    try:
        filed = publish_issues(forge, filing.plans)
    except ForgeError as error:
        problem = f"the issues could not be filed: {error}"
        return replace(filing, problems=(*filing.problems, problem))
    return replace(filing, issues={**filing.issues, **{ref.signature: ref for ref in filed}})


def _one_a_signature(flakes: Sequence[Flake]) -> tuple[Flake, ...]:
    # The most frequent first: one cause over several tests is one issue.
    return tuple({flake.signature: flake for flake in reversed(flakes)}.values())


def _prepare(filing: Filing, flake: Flake, desk: Desk) -> Filing:
    data = IssueData(flake=flake, server_url=desk.server_url, base_branch=desk.base_branch)
    problems = list(filing.problems)
    commands = dict(filing.commands)
    record = _evidence(flake, desk)
    data = replace(data, repository=record.origin.repository) if record else data
    try:
        if record is not None:
            data = _with_scaffold(data, record, desk)
            commands[flake.signature] = data.scaffold_command
    except (ScaffoldError, HistoryError) as error:
        problems.append(f"no scaffold for {flake.signature}: {error}")
    made = IssuePlan(
        signature=flake.signature,
        kind=flake.failure.kind,
        title=issue_title(flake),
        body=issue_body(data),
    )
    return replace(filing, plans=(*filing.plans, made), commands=commands, problems=tuple(problems))


def _evidence(flake: Flake, desk: Desk) -> Record | None:
    """Return the newest failing run that is not a fork's: a scaffold runs what it says."""
    ours = [one.record_id for one in flake.failed if not one.fork]
    return desk.records.get(ours[-1]) if ours else None


def _with_scaffold(data: IssueData, record: Record, desk: Desk) -> IssueData:
    flake = data.flake
    often = f"{len(flake.failed)} of {flake.runs} executions"
    request = scaffold.request_from_record(record, flake.failure, frequency=often)
    folder = scaffold.write(request, desk.out / SCAFFOLDS)
    if not desk.keep:
        command = f"{folder.resolve()}/run_test.sh"
        return replace(data, scaffold_command=command, scaffold_where=str(folder))
    path = f"{SCAFFOLDS}/{folder.name}"
    where = desk.history.put_folder(path, _contents(folder))
    return replace(data, scaffold_command=_command(desk.address, path), scaffold_where=where)


def _command(address: str, path: str) -> str:
    """Return the one line that fetches a scaffold into a checkout and runs it there."""
    if not address.startswith("branch:"):
        return shlex.quote(f"{address.rstrip('/')}/{path}/run_test.sh")
    branch, _, remote = address.removeprefix("branch:").partition("@")
    fetch = shlex.join(["git", "fetch", "--quiet", remote or "origin", branch])
    return f"{fetch} && git archive FETCH_HEAD {path} | tar -x && {path}/run_test.sh"


def _contents(folder: Path) -> dict[str, FileContent]:
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return {
        path.relative_to(folder).as_posix(): FileContent(
            data=path.read_bytes(), executable=bool(path.stat().st_mode & 0o100)
        )
        for path in files
    }
