"""`telltale history export`: the history as a dataset for a database."""

from __future__ import annotations

from telltale import gha
from telltale.errors import UsageError
from telltale.history.catalog import shelves
from telltale.history.export import check_ours, export
from telltale.history.finding import find_series
from telltale.history.sinks import FORMATS
from telltale.options import Invocation
from telltale.report.figures import count
from telltale.verbs.bundles import store_of, warn


def run(invocation: Invocation) -> int:
    """Write all series, or those that are named, in place of what was exported there before."""
    format_, out = invocation.text("format"), invocation.path("out")
    if format_ not in FORMATS:
        raise UsageError(f"--format: expected {', '.join(FORMATS)}, got {format_!r}")
    check_ours(out)  # before anything is downloaded
    store = store_of(invocation, gha.context(invocation.environ))
    found = shelves(store)
    wanted = {find_series(name, found).slug for name in invocation.lines("series")}
    chosen = [shelf for shelf in found if shelf.slug in wanted or not wanted]
    exported = export(store, chosen, out, format_)
    warn(exported.problems, invocation)
    print(
        f"exported {count(exported.rows['runs'], 'run')} with"
        f" {count(exported.rows['results'], 'result')} of {store.where} to {out}"
    )
    return 0
