"""
A pytest plugin: chosen tests, in a chosen order, as often as asked.

The original test runs with its own fixtures, conftest and rootdir. What
happens is written line by line, so that a process that dies has said what
it was doing.
"""

from __future__ import annotations

import json
import random
import runpy
import time
from pathlib import Path
from typing import Any

import pytest

ITEMS: dict[str, Any] = runpy.run_path(str(Path(__file__).with_name("items.py")))
"""Shared with `telltale isolate`; a file beside this one in every scaffold."""


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
        ITEMS["neutralise"](config)

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
            self._write(event="uncollected", nodeid=report.nodeid, text=ITEMS["text"](report))

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
            text="" if report.passed else ITEMS["text"](report),
        )
        if target and report.failed and self.session is not None:
            self.session.shouldstop = "the test failed"

    def _write(self, **event: Any) -> None:
        self.file.write(json.dumps({"at": time.monotonic(), **event}) + "\n")
        self.file.flush()


def arrange(items: list[Any], plan: dict[str, Any]) -> tuple[Any, list[Any], int]:
    """Return the target (None when it is not there), the items to run, and how many were missed."""
    by_name = {ITEMS["name"](item): item for item in items}
    target = by_name.get(tuple(plan["target"]))
    if target is None:
        return None, [], 0
    again = [target] + [ITEMS["clone"](target) for _ in range(plan["copies"] - 1)]
    if plan["shuffle"] is not None:
        mixed = list(items)
        random.Random(plan["shuffle"]).shuffle(mixed)  # noqa: S311
        if mixed[0] is target:
            mixed.append(mixed.pop(0))
        return target, mixed[: mixed.index(target)] + again, 0
    before = [by_name.get(tuple(name)) for name in plan["before"]]
    found = [item for item in before if item is not None and item is not target]
    return target, found + again, len(before) - len(found)
