"""Tests as pytest holds them: their names, second executions, and what must not meddle."""

from __future__ import annotations

import copy
import os
from typing import Any

TEXT_LIMIT = 200_000
NEUTRAL: dict[str, Any] = {
    "numprocesses": None,
    "dist": "no",
    "tx": [],
    "xmlpath": None,
    "maxfail": 0,
    "stepwise": False,
    "stepwise_skip": False,
    "reruns": 0,
    "pastebin": None,
}
"""What a project's own configuration may ask for, and what would hide the failure or the test."""


def neutralise(config: Any) -> None:
    """Switch off what distributes, repeats, stops or reports the tests."""
    for name, value in NEUTRAL.items():
        if hasattr(config.option, name):
            setattr(config.option, name, value)


def name(item: Any) -> tuple[str, str]:
    """Return the test's file and what follows it in the nodeid: the same from every rootdir."""
    path = getattr(item, "path", None) or item.fspath
    return os.path.realpath(str(path)), item.nodeid.partition("::")[2]


def clone(item: Any) -> Any:
    """Return a second item of the same test: its fixtures are set up anew, as for any other test."""
    twin = copy.copy(item)
    twin.user_properties = []
    twin._report_sections = []  # noqa: SLF001
    # Bound to the first item's instance of the test class, which a second test never is.
    bound = getattr(vars(item).get("_obj"), "__self__", None)
    if getattr(item, "cls", None) is not None and isinstance(bound, item.cls):
        vars(twin).pop("_obj")
        vars(twin).pop("_instance", None)
    if hasattr(twin, "_initrequest"):
        twin._initrequest()  # noqa: SLF001
    return twin


def text(report: Any) -> str:
    """Return the failure's text as pytest prints it."""
    if isinstance(report.longrepr, tuple):
        return str(report.longrepr[2])[:TEXT_LIMIT]
    return str(report.longreprtext)[:TEXT_LIMIT]
