"""
Is a failed test order-dependent, brittle, flaky or plainly broken: run it again and see.

The runs are the user's own pytest in processes of their own; nothing is
installed, and nothing that they start survives.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from telltale.capture.isolate.case import Case, place, read_case
from telltale.capture.isolate.search import MOST, Blocked, Search
from telltale.capture.isolate.tries import Tries
from telltale.capture.isolate.verdict import conclude, redacted, undecided
from telltale.model import FailureKind, Isolation

__all__ = ["Case", "isolate", "place", "read_case", "redacted"]

_HANGS = frozenset({FailureKind.TEST_TIMEOUT, FailureKind.HANG_OR_DEVICE_TIMEOUT})
_PATIENCE_S = 30.0
"""For a test that did not hang in the run."""


def isolate(
    case: Case,
    *,
    budget_s: float,
    asked: Callable[[], bool] = lambda: False,
    say: Callable[[str], None] = lambda _: None,
    most: int = MOST,
) -> Isolation:
    """
    Run the test again, alone and with others, and return what that shows.

    Ends within `budget_s` and a moment for killing, or when `asked` says so,
    with what is known by then. A test that cannot be run is undecided. `most`
    runs are made to count a rate.
    """
    began = time.monotonic()
    hang_s = _hang_s(case, budget_s)
    with Tries(case, budget_s=budget_s, asked=asked, hang_s=hang_s) as tries:
        try:
            found = Search(case, tries, say, most=most).run()
        except Blocked as blocked:
            return undecided(
                case, str(blocked), budget_s=budget_s, elapsed_s=time.monotonic() - began
            )
    return conclude(case, found, budget_s=budget_s, elapsed_s=time.monotonic() - began)


def _hang_s(case: Case, budget_s: float) -> float:
    """Return after which time the test hangs: its own limit first, so that it can tell where."""
    own = case.limit_s + 5.0 if case.limit_s else 0.0
    if case.failure is None or case.failure.kind not in _HANGS:
        patience = max(_PATIENCE_S, 10 * case.duration_s.get(case.nodeid, 0.0))
        return min(patience, own) if own else patience
    if own and own <= budget_s / 4:
        return own
    # It took its whole limit in the run: an eighth of the budget leaves room for other tries.
    return max(2.0, budget_s / 8)
