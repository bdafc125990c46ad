"""`telltale compare`: what changed, as Markdown for people and comparison.json for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from telltale import gha
from telltale.compare.document import to_document
from telltale.errors import UsageError
from telltale.gha import Context
from telltale.history.interface import History
from telltale.options import Invocation
from telltale.records import Comparison, Record
from telltale.report import ReportData, summary
from telltale.report.data import Job
from telltale.verbs import configuration, gate, unrecorded
from telltale.verbs.assess import assess
from telltale.verbs.bundles import history_of, read_bundles, warn
from telltale.verbs.lineage import Lineages, may_ask

FILE = "comparison.json"


def run(invocation: Invocation) -> int:
    """
    Read the bundles, compare them with the history, show it; then add them when asked to.

    Exit status 0 whatever the verdicts, 1 when one is among those of `--fail-on`.
    """
    failing = gate.read(invocation)
    context = gha.context(invocation.environ)
    records = read_bundles(invocation, context)
    history = history_of(invocation, context)
    forge = may_ask(invocation, context)
    settings, problem = configuration.load(invocation.text("config"), forge)
    lineages = Lineages(context, forge, environ=invocation.environ)
    comparisons = tuple(
        assess(record, history.load(record.series), lineages.of(record.origin), settings)
        for record in records
    )
    warn([*history.problems, *filter(None, [problem])], invocation)
    write(invocation.path("out"), comparisons)
    markdown = summary(_data(comparisons, history, context))
    print(markdown)
    gha.add_summary(invocation.environ, markdown)
    if invocation.flag("record"):
        _record(records, history, invocation.path("out"))
    return gate.pass_on(gate.reasons(failing, comparisons), invocation.environ)


def write(out: Path, comparisons: Sequence[Comparison]) -> Path:
    """Write `out/comparison.json` and return its path; `UsageError` when that cannot be."""
    path = out / FILE
    try:
        out.mkdir(parents=True, exist_ok=True)
        text = json.dumps(to_document(comparisons), indent=2, allow_nan=False)
        path.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"--out {out}: {path} cannot be written: {error.strerror}; give another folder"
        ) from error
    return path


def _data(comparisons: Sequence[Comparison], history: History, context: Context) -> ReportData:
    origin = comparisons[0].head.origin
    return ReportData(
        repository=context.repository,
        head_sha=origin.sha,
        pull_request=origin.pull_request,
        run_id=origin.run_id,
        run_attempt=origin.run_attempt,
        run_url=origin.url,
        server_url=context.server_url,
        jobs=tuple(Job(comparison=comparison) for comparison in comparisons),
        problems=history.problems,
        history=history.where,
    )


def _record(records: Sequence[Record], history: History, out: Path) -> None:
    written = unrecorded.add_or_keep(history, records, out)
    print(f"recorded {len(written)} of {len(records)} runs in {history.where}")
