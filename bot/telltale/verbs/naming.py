"""
What a run and its artifact are called, so that the legs of a matrix stay apart.

All legs of a job have one job name and, unless the workflow makes it from the
matrix, one `--name`; their figures are no baseline for each other.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from telltale import bundle
from telltale.errors import UsageError
from telltale.gha import Context
from telltale.patterns import pattern

_LONGEST_VALUE = 40
_LONGEST_LEG = 80
_REFUSED = pattern(r"[\":<>|*?\r\n\\/]+")
"""Characters that actions/upload-artifact refuses in a name."""


def read_leg(text: str) -> Mapping[str, Any]:
    """Return the leg of a matrix that the JSON names, empty for none; `UsageError` for anything else."""
    try:
        # Without a matrix the expression toJSON(matrix) is `null`.
        leg = json.loads(text or "null")
    except (ValueError, RecursionError):
        leg = text
    if leg is not None and not isinstance(leg, dict):
        raise UsageError(
            f"--matrix: expected a JSON object, as toJSON(matrix) is one, got {text[:60]!r}"
        )
    return leg or {}


def series_name(name: str, matrix: Mapping[str, Any]) -> str:
    """
    Return the name of the series: with the values of the matrix, unless the name holds one.

    `unit` becomes `unit (3.11, linux)`, as GitHub names jobs; `py3.11` is the
    workflow's own way to tell its legs apart and stays. Values that are no
    short text become a hash of the whole leg.
    """
    values = [_shown(value) for value in matrix.values()]
    if not values or any(_holds(name, value) for value in values if value):
        return name
    short = [value for value in values if value and len(value) <= _LONGEST_VALUE]
    leg = ", ".join(short)
    if len(short) < len(values) or len(leg) > _LONGEST_LEG:
        leg = ", ".join(filter(None, (leg[:_LONGEST_LEG], _digest(name, matrix))))
    return f"{name} ({leg})"


def artifact_name(given: str, *, context: Context, name: str, matrix: Mapping[str, Any]) -> str:
    """
    Return the name under which the bundle is uploaded, as GitHub takes it.

    `given` when there is one; else unique by job, name, leg and attempt, and
    the same in each attempt but for its number. Either begins so that the
    report knows it for evidence.
    """
    if given:
        return bundle.ARTIFACT_PREFIX + _REFUSED.sub(
            "-", given.removeprefix(bundle.ARTIFACT_PREFIX)
        )
    named = "-".join(filter(None, (context.job, series_name(name, matrix))))
    safe = bundle.path_safe(named)
    if safe != named or matrix:
        # `py 3.12` and `py/3.12` are two names, and a name need not hold all that tells legs
        # apart; so must their artifacts be two.
        safe = f"{safe}-{_digest(named, matrix)}"
    return f"{bundle.ARTIFACT_PREFIX}{safe}-{context.run_attempt}"


def _shown(value: object) -> str:
    """Return a scalar as an expression prints it, empty for lists and objects."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, str | int | float) else ""


def _holds(name: str, value: str) -> bool:
    """Whether the value stands in the name by itself: `3` is not in `py3.11`."""
    before, after = (
        r"(?<![0-9.])" if value[0].isdigit() else r"(?<![^\W\d_])",
        r"(?!\.?[0-9])" if value[-1].isdigit() else r"(?![^\W\d_])",
    )
    return re.search(before + re.escape(value) + after, name) is not None


def _digest(named: str, matrix: Mapping[str, Any]) -> str:
    text = f"{named}\n{json.dumps(matrix, sort_keys=True)}" if matrix else named
    return hashlib.sha256(text.encode()).hexdigest()[:6]
