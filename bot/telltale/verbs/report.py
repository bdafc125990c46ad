"""Fold the evidence of a run into one comment, keep the history, file issues."""

from __future__ import annotations

import shlex
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from telltale import gha
from telltale.capture import shell
from telltale.compare.drift import new_drifts
from telltale.compare.settings import Settings
from telltale.errors import HistoryError, TelltaleError, UsageError
from telltale.forge import Forge, GitHubForge
from telltale.history.interface import History
from telltale.options import Invocation
from telltale.records import Comparison, Drift, Origin, Record, Series
from telltale.report.comments import MARKER
from telltale.report.data import Job, ReportData
from telltale.verbs import configuration, filing, gate, gather, report_folder, unrecorded
from telltale.verbs.assess import assess
from telltale.verbs.bundles import history_of
from telltale.verbs.filing import Filing
from telltale.verbs.gather import Found, Gathered
from telltale.verbs.lineage import Lineages
from telltale.verbs.origin import resolve
from telltale.verbs.publish import publish_comment

Histories = Mapping[Series, Sequence[Record]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What surrounds one report."""

    invocation: Invocation
    context: gha.Context
    forge: Forge | None
    """None at a terminal and in a dry run: then nobody is talked to."""
    origin: Origin
    settings: Settings
    problem: str = ""
    """Why the configuration is not heeded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """By what a run is judged beside its history."""

    lineages: Lineages
    settings: Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """The history as far as this report needs it, and what stood in the way."""

    history: History
    records: Histories
    problems: tuple[str, ...] = ()


def run(invocation: Invocation) -> int:
    """
    Report on the bundles given, or on the evidence of the workflow run that the event names.

    Exit status 0 whatever the tests did, 1 on a verdict among those of `--fail-on`; 70 when something of the report
    could not be done although it should have been. The report itself is
    written before anything is posted.
    """
    failing = gate.read(invocation)
    setting = _setting(invocation)
    out = report_folder.claim(invocation.path("out"))
    with tempfile.TemporaryDirectory(prefix="telltale-") as scratch:
        gathered = _gather(setting, Path(scratch))
        past = _past(setting, gathered)
        not_added = _record(setting, past, gathered, out)
        planned = _plan(setting, gathered, past, out)
        data = _data(setting, gathered, past, planned, not_added)
        _write(setting, out, data, planned)
        filed = filing.file(setting.forge, planned)
        data = replace(
            data,
            issues=filed.issues,
            problems=(*data.problems, *filed.problems[len(planned.problems) :]),
        )
        # Nothing was filed: what is written says all, and a large report takes seconds to word.
        if filed != planned:
            _write(setting, out, data, filed)
        status = _publish(setting, out, data, failed=bool(not_added or past.problems))
        shut = gate.reasons(failing, [job.comparison for job in data.jobs])
        return status or gate.pass_on(shut, invocation.environ)


def _setting(invocation: Invocation) -> Setting:
    context = gha.context(invocation.environ)
    forge = None
    if context.inside and not invocation.flag("dry-run"):
        token = invocation.text("token")
        if not token:
            raise UsageError("--token is missing: in a workflow, token: ${{ github.token }}")
        forge = GitHubForge(
            token, context.repository, context.api_url, login=invocation.text("login")
        )
    settings, problem = configuration.load(invocation.text("config"), forge)
    return Setting(
        invocation=invocation,
        context=context,
        forge=forge,
        origin=resolve(context, forge),
        settings=settings,
        problem=problem,
    )


def _gather(setting: Setting, scratch: Path) -> Gathered:
    paths = [Path(argument) for argument in setting.invocation.arguments]
    if paths:
        return gather.from_disk(paths, setting.origin)
    if setting.forge is None:
        raise UsageError("name the bundles to report on, as in report telltale-evidence/tests")
    return gather.from_artifacts(
        setting.forge, setting.origin, server_url=setting.context.server_url, scratch=scratch
    )


def _past(setting: Setting, gathered: Gathered) -> Past:
    history = history_of(setting.invocation, setting.context)
    heads = {found.record.series for found in gathered.bundles}
    try:
        records = {series: history.load(series) for series in sorted(heads)}
    except HistoryError as error:
        # Not the same as an empty history, and the comment must not look as if it were.
        return Past(
            history=history,
            records=dict.fromkeys(heads, ()),
            problems=(f"the history could not be read, so nothing is compared: {error}",),
        )
    return Past(history=history, records=records)


def _record(setting: Setting, past: Past, gathered: Gathered, out: Path) -> list[str]:
    """Add the run to the history at once: it counts whatever becomes of the report."""
    if setting.forge is None:
        return []
    records = [found.record for found in gathered.bundles]
    if past.problems:
        return [f"this run was not added to the history: {unrecorded.keep(records, out)}"]
    try:
        unrecorded.add_or_keep(past.history, records, out)
    except HistoryError as error:
        return [f"this run could not be added to the history: {error}"]
    return []


def _plan(setting: Setting, gathered: Gathered, past: Past, out: Path) -> Filing:
    if not setting.invocation.flag("issues"):
        return Filing()
    return filing.plan(
        [record for records in past.records.values() for record in records],
        [found.record for found in gathered.bundles],
        history=past.history,
        address=setting.invocation.text("history"),
        base_branch=_base_branch(setting.context),
        server_url=setting.context.server_url if setting.context.inside else "",
        forge=setting.forge,
        out=out,
    )


def _data(
    setting: Setting, gathered: Gathered, past: Past, planned: Filing, problems: Sequence[str]
) -> ReportData:
    context, origin = setting.context, setting.origin
    judge = Judge(
        lineages=Lineages(context, setting.forge, environ=setting.invocation.environ),
        settings=setting.settings,
    )
    return ReportData(
        repository=origin.repository,
        # At a terminal each bundle says which commit it ran; they are of one checkout as a rule.
        head_sha=origin.sha or next((one.record.origin.sha for one in gathered.bundles), ""),
        base_branch=_base_branch(context),
        pull_request=origin.pull_request,
        run_id=origin.run_id,
        run_attempt=origin.run_attempt,
        run_url=origin.url,
        server_url=context.server_url if context.inside else "",
        jobs=tuple(_job(found, past.records, judge) for found in _latest(gathered.bundles)),
        issues=planned.issues,
        drifts=_drifts(gathered, past),
        scaffolds=planned.commands,
        problems=(
            *gathered.problems,
            *filter(None, [setting.problem]),
            *past.problems,
            *past.history.problems,
            *problems,
            *planned.problems,
        ),
        history=past.history.where,
        report_artifact=report_folder.artifact_name(context) if context.inside else "",
        report_url=context.run_url,
    )


def _drifts(gathered: Gathered, past: Past) -> tuple[Drift, ...]:
    """Return what this run is the first to show; two legs may share a series and say the same."""
    found = [
        drift
        for one in gathered.bundles
        for drift in new_drifts(one.record, past.records[one.record.series])
    ]
    return tuple(dict.fromkeys(found))


def _latest(bundles: Sequence[Found]) -> list[Found]:
    """Return the bundles of each series' latest attempt; two legs may share a series."""
    attempts: dict[Series, int] = {}
    for found in bundles:
        series, attempt = found.record.series, found.record.origin.run_attempt
        attempts[series] = max(attempts.get(series, 0), attempt)
    return [
        found
        for found in bundles
        if found.record.origin.run_attempt == attempts[found.record.series]
    ]


def _job(found: Found, records: Histories, judge: Judge) -> Job:
    record = found.record
    comparison: Comparison = assess(
        record, records[record.series], judge.lineages.of(record.origin), judge.settings
    )
    return Job(
        comparison=comparison,
        artifact=found.artifact,
        artifact_url=found.artifact_url,
        # Nobody is asked to paste what a stranger's artifact says.
        reproduce="" if found.record.origin.fork else _command(found.record),
    )


def _command(record: Record) -> str:
    """Return the command as a person types it at the root of a checkout."""
    argv = record.command.argv
    text = shell.text(argv) or _join(argv)
    env = " ".join(f"{name}={shlex.quote(value)}" for name, value in record.command.env.items())
    text = f"{env} {text}" if env and "\n" not in text else text
    return text if record.command.cwd == "." else f"cd {shlex.quote(record.command.cwd)} && {text}"


def _join(argv: Sequence[str]) -> str:
    # The bundle says ~ for the home folder; quoted, no shell would expand it.
    return " ".join(
        f"~/{shlex.quote(word[2:])}" if word.startswith("~/") else shlex.quote(word)
        for word in argv
    )


def _base_branch(context: gha.Context) -> str:
    pull = context.event.get("pull_request")
    if isinstance(pull, Mapping) and isinstance(pull.get("base"), Mapping):
        return str(pull["base"].get("ref") or "")
    repository = context.event.get("repository")
    return str(repository.get("default_branch") or "") if isinstance(repository, Mapping) else ""


def _write(setting: Setting, out: Path, data: ReportData, planned: Filing) -> None:
    report_folder.write(out, data, planned)
    if setting.context.inside:
        gha.set_outputs(
            setting.invocation.environ,
            report=str(out),
            artifact=report_folder.artifact_name(setting.context),
        )


def _publish(setting: Setting, out: Path, data: ReportData, *, failed: bool) -> int:
    """Show the summary, post the comment, and say what could not be done."""
    invocation, environ = setting.invocation, setting.invocation.environ
    text = (out / report_folder.COMMENT).read_text(encoding="utf-8")
    gha.add_summary(environ, (out / report_folder.SUMMARY).read_text(encoding="utf-8"))
    print(f"report written to {out}")
    url = ""
    pull = data.pull_request
    if setting.forge is not None and pull is not None and invocation.flag("comment"):
        result = publish_comment(setting.forge, pull, data.head_sha, text, MARKER)
        url = result.url
        print(f"comment {result.action}{f': {url}' if url else ''}")
        if result.note:
            print(gha.warning_line(f"no comment: {result.note}", environ), file=sys.stderr)
        failed = failed or result.action == "failed"
    for problem in data.problems:
        with gha.commands_stopped(environ):
            print(f"problem: {problem}")
    gha.set_outputs(
        environ,
        comment_url=url,
        issue_numbers=",".join(str(issue.number) for issue in data.issues.values()),
    )
    # A stranger's pull request runs with a token that may only read: nothing is wrong then.
    return TelltaleError.exit_code if failed and not setting.origin.fork else 0
