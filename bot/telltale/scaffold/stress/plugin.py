"""
A pytest plugin: chosen tests, in a chosen order, as often as asked.

The original test runs with its own fixtures, conftest and rootdir. What
happens is written line by line, so that a process that dies has said what
it was doing.
"""

from __future__ import annotations

import copy
import json
import os
import random
import time
from pathlib import Path
from typing import Any

import pytest

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


def run(plan: dict[str, Any]) -> int:
    """Run pytest and return its exit status."""
    return int(pytest.main(plan["arguments"], plugins=[Stress(plan)]))


class Stress:
    """Arranges the tests and writes down what happens."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self.plan = plan
        self.file = Path(plan["reports"]).open("a", encoding="utf-8")  # noqa: SIM115
        self.session: Any = None
        self.target = ""

    @pytest.hookimpl(tryfirst=True)
    def pytest_configure(self, config: Any) -> None:
        """Switch off what the scaffold decides itself."""
        for name, value in NEUTRAL.items():
            if hasattr(config.option, name):
                setattr(config.option, name, value)

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(self, session: Any, items: list[Any]) -> Any:
        """Choose and order the tests after every other plugin did."""
        yield
        self.session = session
        target, items[:], missing = arrange(items, self.plan)
        self.target = target.nodeid if target is not None else ""
        self._write(event="collected", found=target is not None, missing=missing)

    def pytest_collectreport(self, report: Any) -> None:
        """Write down what cannot be collected."""
        if report.failed:
            self._write(event="uncollected", nodeid=report.nodeid, text=_text(report))

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Write down which test begins."""
        self._write(event="start", nodeid=nodeid, target=nodeid == self.target)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """Write down which test ended."""
        self._write(event="finish", nodeid=nodeid, target=nodeid == self.target)

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Write down how a phase ended, and stop when it is the failure of the target."""
        target = report.nodeid == self.target
        self._write(
            event="report",
            nodeid=report.nodeid,
            target=target,
            when=report.when,
            outcome=report.outcome,
            text="" if report.passed else _text(report),
        )
        if target and report.failed and self.session is not None:
            self.session.shouldstop = "the test failed"

    def _write(self, **event: Any) -> None:
        self.file.write(json.dumps({"at": time.monotonic(), **event}) + "\n")
        self.file.flush()


def arrange(items: list[Any], plan: dict[str, Any]) -> tuple[Any, list[Any], int]:
    """Return the target (None when it is not there), the items to run, and how many were missed."""
    by_name = {_name(item): item for item in items}
    target = by_name.get(tuple(plan["target"]))
    if target is None:
        return None, [], 0
    again = [target] + [_clone(target) for _ in range(plan["copies"] - 1)]
    if plan["shuffle"] is not None:
        mixed = list(items)
        random.Random(plan["shuffle"]).shuffle(mixed)  # noqa: S311
        if mixed[0] is target:
            mixed.append(mixed.pop(0))
        return target, mixed[: mixed.index(target)] + again, 0
    before = [by_name.get(tuple(name)) for name in plan["before"]]
    found = [item for item in before if item is not None and item is not target]
    return target, found + again, len(before) - len(found)


def _name(item: Any) -> tuple[str, str]:
    path = getattr(item, "path", None) or item.fspath
    return os.path.realpath(str(path)), item.nodeid.partition("::")[2]


def _clone(item: Any) -> Any:
    # A second item of the same test: its fixtures are set up anew, as for any other test.
    clone = copy.copy(item)
    clone.user_properties = []
    clone._report_sections = []  # noqa: SLF001
    # Bound to the first item's instance of the test class, which a second test never is.
    bound = getattr(vars(item).get("_obj"), "__self__", None)
    if getattr(item, "cls", None) is not None and isinstance(bound, item.cls):
        vars(clone).pop("_obj")
        vars(clone).pop("_instance", None)
    if hasattr(clone, "_initrequest"):
        clone._initrequest()  # noqa: SLF001
    return clone


def _text(report: Any) -> str:
    if isinstance(report.longrepr, tuple):
        return str(report.longrepr[2])[:TEXT_LIMIT]
    return str(report.longreprtext)[:TEXT_LIMIT]
