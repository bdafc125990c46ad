"""
A pytest plugin: chosen tests, in a chosen order, once; or a server that forks for each choice.

The order is set after every other plugin had its say, so whatever shuffles
tests keeps its other effects (seeds) and loses this one. What happens is
written line by line: a process that dies has said what it was doing.
"""

from __future__ import annotations

import gc
import json
import os
import runpy
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import pytest

ITEMS = runpy.run_path(str(Path(__file__).with_name("items.py")))


def run(plan: dict[str, Any]) -> int:
    """Run pytest and return its exit status."""
    return int(pytest.main(plan["arguments"], plugins=[Chosen(plan)]))


class Chosen:
    """Arranges the tests, runs them or serves them, and writes down what happens."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self.plan = plan
        self.reports = plan["reports"]
        self.by_name: dict[Any, Any] = {}
        self.chosen: Any = None
        self.last = -1
        """Number of the test that all is about: the last one."""
        self.number = -1

    @pytest.hookimpl(tryfirst=True)
    def pytest_configure(self, config: Any) -> None:
        """Switch off what would hide the failure or the test."""
        ITEMS["neutralise"](config)

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[Any]) -> Any:
        """Choose and order the tests after every other plugin did."""
        yield
        self.by_name = {ITEMS["name"](item): item for item in items}
        if self.plan["serve"] is None and self.plan["tests"] is not None:
            self.chosen, missing = self.arrange(self.plan["tests"])
            items[:] = self.chosen
            self.write(event="collected", found=bool(items), missing=missing)
        elif self.plan["serve"] is None:
            # As the command line has it: only watched.
            self.last = len(items) - 1
            self.write(event="collected", found=bool(items), missing=[])

    def pytest_collectreport(self, report: Any) -> None:
        """Write down what cannot be collected."""
        if report.failed:
            self.write(event="uncollected", nodeid=report.nodeid, text=ITEMS["text"](report))

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: Any) -> Any:
        """Serve, when that is the plan; else see that no plugin had the last word after us."""
        if self.plan["serve"] is None:
            if self.chosen is not None:
                session.items[:] = self.chosen
            return None
        Server(self, session).run(*self.plan["serve"])
        return True

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Write down which test begins."""
        self.number += 1
        self.write(event="start", nodeid=nodeid, last=self.number == self.last)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """Write down which test ended."""
        self.write(event="finish", nodeid=nodeid, last=self.number == self.last)

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Write down how a phase of the last test ended; of the others only failures."""
        last = self.number == self.last
        if last or not report.passed:
            self.write(
                event="report",
                nodeid=report.nodeid,
                last=last,
                when=report.when,
                outcome="xfailed" if hasattr(report, "wasxfail") else report.outcome,
                text="" if report.passed or not last else ITEMS["text"](report),
            )

    def arrange(self, wanted: list[Any]) -> tuple[list[Any], list[str]]:
        """Return the items to run, empty when the last one is not there, and names that are not."""
        chosen: list[Any] = []
        missing: list[str] = []
        used: set[int] = set()
        for names in wanted:
            item = self.by_name.get(tuple(names))
            if item is None:
                missing.append("::".join(names))
                continue
            chosen.append(ITEMS["clone"](item) if id(item) in used else item)
            used.add(id(item))
        if not wanted or tuple(wanted[-1]) not in self.by_name:
            chosen = []
        self.last = len(chosen) - 1
        return chosen, missing

    def write(self, **event: Any) -> None:
        """Append a line, at once and whole."""
        # Opened each time: tests close descriptors that are not theirs.
        with open(self.reports, "a", encoding="utf-8", errors="backslashreplace") as file:  # noqa: PTH123
            file.write(json.dumps(event) + "\n")


class Server:
    """
    Forks a process for each request, after everything was imported and collected once.

    Only while this process has a single thread: a fork copies no other, and
    the locks they hold stay locked for ever.
    """

    def __init__(self, chosen: Chosen, session: Any) -> None:
        self.chosen = chosen
        self.session = session

    def run(self, requests: int, answers: int) -> None:
        """Read requests (paths of JSON files, one a line) until their end; answer each."""
        threads = max(threading.active_count(), _tasks())
        with os.fdopen(answers, "w", buffering=1) as answer, os.fdopen(requests) as lines:
            answer.write(json.dumps({"threads": threads, "tests": len(self.chosen.by_name)}) + "\n")
            if threads > 1:
                return
            # What is there by now lives on: a collection in a child must not copy all of it.
            gc.collect()
            gc.freeze()
            for line in lines:
                with open(line.strip(), encoding="utf-8") as file:  # noqa: PTH123
                    request = json.load(file)
                sys.stdout.flush()
                sys.stderr.flush()
                pid = os.fork()
                if pid == 0:
                    self.child(request, (requests, answers))
                answer.write(json.dumps({"pid": pid}) + "\n")
                _, status = os.waitpid(pid, 0)
                # As Popen says it: negative for a signal.
                ended = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
                answer.write(json.dumps({"status": ended}) + "\n")

    def child(self, request: dict[str, Any], descriptors: tuple[int, ...]) -> None:
        """Run the tests of a request; never returns."""
        status = 3
        try:
            os.setsid()
            nowhere = os.open(os.devnull, os.O_RDONLY)
            for descriptor in descriptors:
                os.dup2(nowhere, descriptor)
            os.environ["TMPDIR"] = tempfile.tempdir = request["temporary"]
            chosen, session = self.chosen, self.session
            chosen.reports, chosen.number = request["reports"], -1
            items, missing = chosen.arrange(request["tests"])
            chosen.write(event="collected", found=bool(items), missing=missing)
            session.items, session.testscollected = items, len(items)
            for item, following in zip(items, [*items[1:], None]):  # noqa: B905  # Python 3.10
                session.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
                if session.shouldfail or session.shouldstop:
                    break
            status = 0
        finally:
            # Past everything that would end the server's session a second time.
            os._exit(status)


def _tasks() -> int:
    try:
        return len(os.listdir("/proc/self/task"))  # noqa: PTH208
    except OSError:
        return 2  # nobody can tell: no fork
