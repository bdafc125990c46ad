"""The texts people see: pure functions, data in, text out."""

from telltale.report.comments import MARKER, State, comment, state_of, summary
from telltale.report.data import IssueData, Job, Rate, ReportData
from telltale.report.exports import to_json
from telltale.report.issues import issue_body, issue_title, merge_issue_body, signature_of
from telltale.report.pages import page

__all__ = [
    "MARKER",
    "IssueData",
    "Job",
    "Rate",
    "ReportData",
    "State",
    "comment",
    "issue_body",
    "issue_title",
    "merge_issue_body",
    "page",
    "signature_of",
    "state_of",
    "summary",
    "to_json",
]
