"""The folder of a report: comment.md, summary.md, report.html, report.json, issues/, scaffolds/."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from telltale import gha
from telltale.bundle import path_safe
from telltale.errors import UsageError
from telltale.report import escape
from telltale.report.comments import comment, summary
from telltale.report.data import ReportData
from telltale.report.exports import SCHEMA, to_json
from telltale.report.pages import page
from telltale.verbs import unrecorded
from telltale.verbs.filing import Filing

COMMENT = "comment.md"
SUMMARY = "summary.md"
PAGE = "report.html"
DATA = "report.json"
ISSUES = "issues"
SCAFFOLDS = "scaffolds"


def claim(out: Path) -> Path:
    """
    Make the folder empty of an earlier report and return it.

    A workspace is used again by the next run, and its issues must not be
    mixed with ours. Only what an earlier report wrote is removed:
    `UsageError` when these names belong to something else.
    """
    ours = _is_ours(out / DATA)
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name in (COMMENT, SUMMARY, PAGE, ISSUES, SCAFFOLDS, unrecorded.FOLDER, DATA):
            path = out / name
            if not (path.exists() or path.is_symlink()):
                continue
            if not ours:
                raise UsageError(f"--out: {path} is not part of a report: name another folder")
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
    except OSError as error:
        raise UsageError(f"--out: cannot write {out}: {error.strerror or error}") from error
    return out


def artifact_name(context: gha.Context) -> str:
    """Return a name that no other report of this run attempt has."""
    return path_safe(f"telltale-report-{context.job or 'report'}-{context.run_attempt}")


def write(out: Path, data: ReportData, filing: Filing) -> None:
    """Write the report; a later call replaces what an earlier one wrote. Raises `OSError`."""
    # First, because it says that the folder is ours.
    text = json.dumps(to_json(data), indent=2, allow_nan=False)
    (out / DATA).write_text(text + "\n", encoding="utf-8")
    (out / COMMENT).write_text(comment(data), encoding="utf-8")
    (out / SUMMARY).write_text(summary(data), encoding="utf-8")
    (out / PAGE).write_text(page(data), encoding="utf-8")
    for plan in filing.plans:
        (out / ISSUES).mkdir(exist_ok=True)
        # On some file systems a colon cannot stand in a name.
        name = plan.signature.replace(":", "-")
        # A title is plain text on GitHub; in a file it would be Markdown of a stranger's.
        body = f"# {escape.prose(plan.title)}\n\n{plan.body}"
        (out / ISSUES / f"{name}.md").write_text(body, encoding="utf-8")


def _is_ours(path: Path) -> bool:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(document, dict) and document.get("schema") == SCHEMA
