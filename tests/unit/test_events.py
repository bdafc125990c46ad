"""What the probe's lines tell, whole or damaged, and how they fold into results."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from telltale.capture import events
from telltale.model import TestOutcome

AT = 1_790_000_000.0


class Log:
    """Lines as the probe writes them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "artifacts").mkdir()
        self.path = folder / "artifacts/tests.jsonl"
        self.path.touch()
        self._n: dict[int, int] = {}
        self._at = AT

    def raw(self, data: bytes) -> Log:
        with self.path.open("ab") as file:
            file.write(data)
        return self

    def line(self, phase: str, *, pid: int = 10, worker: str = "main", **values: Any) -> Log:
        self._at += 1
        line = {"phase": phase, "pid": pid, "worker": worker, "at": self._at, **values}
        return self.raw(json.dumps(line).encode() + b"\n")

    def start(
        self, nodeid: str, *, pid: int = 10, attempt: int = 1, phase: object = None, **values: Any
    ) -> Log:
        self._n[pid] = self._n.get(pid, -1) + (attempt == 1)
        values |= {"n": self._n[pid], "attempt": attempt}
        values |= {} if phase is None else {"in": phase}
        return self.line("start", pid=pid, nodeid=nodeid, **values)

    def end(self, phase: str, nodeid: str, outcome: str = "passed", **values: Any) -> Log:
        figures = {"wall_s": 0.5, "cpu_s": 0.25, "rss_peak_change_bytes": 4096}
        return self.line(phase, nodeid=nodeid, outcome=outcome, **{**figures, **values})

    def test(self, nodeid: str, **values: Any) -> Log:
        self.start(nodeid, **values)
        for phase in ("setup", "call", "teardown"):
            self.end(phase, nodeid, **values)
        return self

    def read(self) -> events.Events:
        return events.read(self.folder)


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path)


def outcomes(found: events.Events) -> dict[str, str]:
    return {each.nodeid: each.outcome.value for each in found.results}


def test_no_file_and_an_empty_one_tell_nothing(tmp_path: Path, log: Log) -> None:
    assert log.read() == events.Events()
    log.path.unlink()
    assert events.read(tmp_path) == events.Events()


def test_a_named_pipe_in_its_place_holds_nobody(log: Log) -> None:
    log.path.unlink()
    os.mkfifo(log.path)
    assert log.read() == events.Events()


def test_a_whole_session(log: Log) -> None:
    log.line(
        "session",
        ppid=9,
        python="3.11.7",
        executable="/shop/.venv/bin/python",
        pytest="9.0.0",
        xdist=False,
        args=["-q"],
        rootdir="/shop",
        cwd="/shop",
        plugins=["randomly-1"],
        stacks=True,
        seeds={"PYTHONHASHSEED": "0"},
        timeout={"effective_s": 60.0, "from": "ini"},
    )
    log.line("collected", count=2).test("a.py::x").test("a.py::y")
    log.line("state", nodeid="a.py::x", changes=[{"what": "cwd", "before": "/", "after": "/x"}])
    log.line("warning", text="slow").line("warning", text="slow")
    log.line("finish", exit_status=0, collected=2, seen=2)

    found = log.read()

    (session,) = found.sessions
    assert (session.pid, session.ppid, session.args, session.rootdir) == (10, 9, ("-q",), "/shop")
    assert (session.python, session.executable) == ("3.11.7", "/shop/.venv/bin/python")
    assert session.seeds == {"PYTHONHASHSEED": "0"}
    assert session.timeout["effective_s"] == 60.0
    assert found.order == {"main": ("a.py::x", "a.py::y")}
    assert found.armed == (10,)
    assert found.running == ()
    assert found.warnings == ("slow",)
    assert found.states[0].changes[0]["after"] == "/x"
    assert (found.finishes[0].seen, found.collected) == (2, {10: 2})
    first = found.results[0]
    assert (first.outcome, first.duration_s, first.cpu_s) == (TestOutcome.PASSED, 1.5, 0.75)
    assert (first.rss_peak_change_bytes, first.worker, first.attempts) == (3 * 4096, "main", 1)
    assert found.damaged == 0


def test_limits_are_those_of_marked_tests(log: Log) -> None:
    log.line("session").test("a.py::x").test("a.py::y", timeout={"effective_s": 6.0})
    log.test("a.py::z", timeout={"effective_s": 0}).test("a.py::odd", timeout=["no", -1])
    log.start("a.py::none", timeout={"effective_s": -1})
    found = log.read()
    assert found.limits_s == {"a.py::y": 6.0, "a.py::z": 0.0}
    assert found.damaged == 0


@pytest.mark.parametrize(
    ("ends", "phase", "outcome"),
    [
        ([], "setup", "interrupted"),
        (["setup passed"], "call", "interrupted"),
        (["setup passed", "call passed"], "teardown", "interrupted"),
        (["setup passed", "call failed"], "teardown", "failed"),
        (["setup failed"], "teardown", "error"),
    ],
)
def test_the_test_that_was_running(log: Log, ends: list[str], phase: str, outcome: str) -> None:
    log.line("session").test("a.py::x").start("a.py::y")
    for end in ends:
        log.end(end.split()[0], "a.py::y", end.split()[1])

    found = log.read()

    (running,) = found.running
    assert (running.nodeid, running.phase, running.finished_at) == ("a.py::y", phase, None)
    assert running.since == AT + 6
    assert outcomes(found) == {"a.py::x": "passed", "a.py::y": outcome}


def test_one_running_on_each_worker(log: Log) -> None:
    for pid, worker in ((11, "gw0"), (12, "gw1")):
        log.line("session", pid=pid, worker=worker, xdist=True)
        log.start(f"a.py::{worker}", pid=pid, worker=worker)
    assert {each.worker: each.nodeid for each in log.read().running} == {
        "gw0": "a.py::gw0",
        "gw1": "a.py::gw1",
    }


def test_an_interrupted_session_that_ended_in_order_had_one_running(log: Log) -> None:
    log.line("session").start("a.py::x").line("finish", exit_status=2, collected=1, seen=0)
    (running,) = log.read().running
    assert running.finished_at == AT + 3


def test_after_a_normal_end_nothing_was_running(log: Log) -> None:
    # A conftest that runs the tests itself: they start and nobody says how they end.
    log.line("session").start("a.py::x").start("a.py::y")
    log.line("finish", exit_status=0, collected=2, seen=0)
    found = log.read()
    assert found.running == ()
    assert found.results == ()


@pytest.mark.parametrize(
    ("ends", "outcome"),
    [
        ("setup:passed call:passed teardown:passed", "passed"),
        ("setup:passed call:failed teardown:passed", "failed"),
        ("setup:passed call:skipped teardown:passed", "skipped"),
        ("setup:skipped teardown:passed", "skipped"),
        ("setup:failed teardown:passed", "error"),
        ("setup:passed call:passed teardown:failed", "error"),
        ("setup:passed call:failed teardown:failed", "failed"),
        ("setup:passed teardown:passed", "passed"),
        ("setup:skipped teardown:failed", "error"),
    ],
)
def test_outcomes_are_those_of_pytest(log: Log, ends: str, outcome: str) -> None:
    log.line("session").start("a.py::x")
    for end in ends.split():
        log.end(end.split(":")[0], "a.py::x", end.split(":")[1])
    assert outcomes(log.read()) == {"a.py::x": outcome}


def test_texts_of_call_and_tear_down_are_both_kept(log: Log) -> None:
    log.line("session").start("a.py::x").end("setup", "a.py::x")
    log.end("call", "a.py::x", "failed", message="assert 0", text="call", output="printed")
    log.end("teardown", "a.py::x", "failed", message="later", text="teardown")
    (result,) = log.read().results
    assert (result.message, result.text) == ("assert 0", "call\n\nteardown")
    assert result.output == "printed"


def test_the_last_attempt_counts(log: Log) -> None:
    log.line("session").start("a.py::x").end("setup", "a.py::x")
    log.end("call", "a.py::x", "rerun", message="assert 0", text="first").end("teardown", "a.py::x")
    log.start("a.py::x", attempt=2)
    for phase in ("setup", "call", "teardown"):
        log.end(phase, "a.py::x", attempt=2)
    found = log.read()
    (result,) = found.results
    assert (result.outcome, result.attempts, result.text) == (TestOutcome.PASSED, 2, "")
    assert result.duration_s == 1.5
    assert found.order == {"main": ("a.py::x",)}


def test_a_failed_subtest_fails_its_test(log: Log) -> None:
    log.line("session").start("a.py::x").end("setup", "a.py::x")
    log.end("call", "a.py::x", "failed", subtest="i=1", message="assert 0")
    assert log.read().running[0].phase == "call", "the call itself has not ended"
    log.end("call", "a.py::x").end("teardown", "a.py::x")
    assert outcomes(log.read()) == {"a.py::x": "failed"}


def test_a_crashed_worker_leaves_an_error_and_nothing_running(log: Log) -> None:
    log.line("session", pid=11, worker="gw0").start("a.py::x", pid=11, worker="gw0")
    log.line(
        "crash", worker="gw0", nodeid="a.py::x", outcome="failed", message="worker 'gw0' crashed"
    )
    found = log.read()
    assert found.running == ()
    assert outcomes(found) == {"a.py::x": "error"}
    assert found.results[0].message == "worker 'gw0' crashed"


def test_a_worker_that_died_before_its_first_line(log: Log) -> None:
    log.line("crash", worker="gw0", nodeid="a.py::x", outcome="failed", message="crashed")
    found = log.read()
    assert outcomes(found) == {"a.py::x": "error"}
    assert found.order == {}


def test_a_file_that_cannot_be_collected_is_told_once_for_all_workers(log: Log) -> None:
    for worker in ("gw0", "gw1"):
        log.line("collect", worker=worker, nodeid="b.py", outcome="failed", message="E", text="T")
    log.line("collect", nodeid="c.py", outcome="skipped", message="needs a GPU")
    assert outcomes(log.read()) == {"b.py": "error", "c.py": "skipped"}


def test_two_runs_of_pytest_in_one_command_have_two_orders(log: Log) -> None:
    log.line("session").test("a.py::x").line("finish", exit_status=0)
    log.line("session", pid=20).test("a.py::x", pid=20).line("finish", pid=20, exit_status=0)
    found = log.read()
    assert found.order == {"main": ("a.py::x",), "main@20": ("a.py::x",)}
    assert [each.nodeid for each in found.results] == ["a.py::x", "a.py::x"]


def test_two_sessions_of_one_process(log: Log) -> None:
    log.line("session").start("a.py::x").line("session").test("a.py::y")
    log.line("finish", exit_status=0)
    found = log.read()
    assert found.running == ()
    assert outcomes(found) == {"a.py::y": "passed"}


# Damage


def test_a_last_line_without_its_end_is_no_damage(log: Log) -> None:
    log.line("session").test("a.py::x").raw(b'{"phase": "start", "nod')
    found = log.read()
    assert found.damaged == 0
    assert len(found.results) == 1


def test_a_line_behind_a_broken_one_is_found(log: Log) -> None:
    log.line("session", pid=11, worker="gw0").raw(b'{"phase": "start", "nodeid": "a.py')
    log.test("a.py::x")
    found = log.read()
    assert outcomes(found) == {"a.py::x": "passed"}
    assert found.damaged == 0


@pytest.mark.parametrize(
    "raw",
    [
        b"\n",
        b"null\n",
        b"[1]\n",
        b"{}\n",
        b"\x00" * 4096 + b"\n",
        b'{"phase": 7}\n',
        b'{"phase": "start"}\n',
        b'{"phase": "start", "nodeid": "a", "pid": -1, "n": 0, "attempt": 1, "at": 1}\n',
        b'{"phase": "start", "nodeid": "a", "pid": 1, "n": 0, "attempt": 0, "at": 1}\n',
        b'{"phase": "start", "nodeid": "a", "pid": 1, "n": 0, "attempt": 1, "at": NaN}\n',
        b'{"phase": "start", "nodeid": "a", "pid": true, "n": 0, "attempt": 1, "at": 1}\n',
        b'{"phase": "call", "nodeid": "never started", "pid": 10, "outcome": "passed"}\n',
        b'{"phase": "call", "nodeid": "a.py::x", "pid": 10, "outcome": "great"}\n',
        b'{"phase": "session"}\n',
        b'{"phase": "collected", "pid": 10}\n',
        b'{"phase": "finish", "pid": 10, "at": 1, "exit_status": "0"}\n',
        b'{"phase": "state", "pid": 10, "changes": {}}\n',
        b'{"phase": "warning"}\n',
        b"[" * 100_000 + b"\n",
        b'{"phase": "start", "nodeid": "' + b"a" * (1024 * 1024) + b'"}\n',
    ],
    ids=lambda raw: repr(raw[:40]),
)
def test_what_is_no_line_is_counted_and_located(log: Log, raw: bytes) -> None:
    log.line("session").test("a.py::x")
    before = log.path.stat().st_size
    log.raw(raw).test("a.py::y")
    found = log.read()
    assert outcomes(found) == {"a.py::x": "passed", "a.py::y": "passed"}
    assert found.damaged >= 1
    assert found.damage[0][0] == before
    assert sum(length for _, length in found.damage) == len(raw)


def test_every_beginning_of_a_file_can_be_read(log: Log) -> None:
    log.line("session", stacks=True).test("a.py::x").start("a.py::y").end("setup", "a.py::y")
    whole = log.path.read_bytes()
    for length in range(0, len(whole), 7):
        log.path.write_bytes(whole[:length])
        assert log.read().damaged == 0


def test_unknown_phases_are_passed_over(log: Log) -> None:
    log.line("session").line("total", nodeid="a.py::x", outcome="passed").line("from the future")
    assert log.read().damaged == 0


def test_lone_surrogates_become_escapes(log: Log) -> None:
    log.line("session").test("a.py::x[\udcff]")
    (result,) = log.read().results
    assert result.nodeid == "a.py::x[\\udcff]"


def test_reading_does_not_keep_endless_texts(log: Log) -> None:
    text = "x" * 900_000
    log.line("session")
    for number in range(80):
        log.start(f"a.py::{number}").end("call", f"a.py::{number}", "failed", text=text)
    found = log.read()
    assert len(found.results) == 80
    assert sum(len(each.text) for each in found.results) < 72_000_000
    assert all(len(each.text) >= 1000 for each in found.results)


def passed(log: Log, nodeid: str, **values: Any) -> Log:
    figures = {"walls_s": [0.25, 0.5, 0.125], "cpu_s": 0.25, "rss_peak_change_bytes": 4096}
    return log.line("passed", nodeid=nodeid, **{**figures, **values})


def test_a_test_that_passed_in_one_line(log: Log) -> None:
    log.line("session").start("a.py::x", phase="teardown")
    found = passed(log, "a.py::x").read()
    (result,) = found.results
    assert (result.outcome, result.duration_s, result.cpu_s) == (TestOutcome.PASSED, 0.875, 0.25)
    assert result.walls_s == (0.25, 0.5, 0.125)
    assert (result.rss_peak_change_bytes, result.worker, result.attempts) == (4096, "main", 1)
    assert found.running == ()


@pytest.mark.parametrize("phase", ["setup", "call", "teardown"])
def test_the_word_in_the_first_line_says_what_a_test_died_in(phase: str, log: Log) -> None:
    found = log.line("session").start("a.py::x", phase=phase).read()
    assert [each.phase for each in found.running] == [phase]
    assert outcomes(found) == {"a.py::x": "interrupted"}


def test_a_phase_that_failed_counts_for_more_than_the_word(log: Log) -> None:
    log.line("session").start("a.py::x", phase="call")
    log.end("setup", "a.py::x").end("call", "a.py::x", "failed").end("teardown", "a.py::x")
    assert outcomes(log.read()) == {"a.py::x": "failed"}


@pytest.mark.parametrize("walls_s", [None, 1, [], [1, 2], [1, 2, 3, 4], {"setup": 1}], ids=str)
def test_a_line_without_its_three_times_is_damage(walls_s: object, log: Log) -> None:
    log.line("session").start("a.py::x")
    found = passed(log, "a.py::x", walls_s=walls_s).read()
    assert found.damaged == 1
    assert outcomes(found) == {"a.py::x": "interrupted"}


def test_times_that_are_none_count_as_nothing(log: Log) -> None:
    log.line("session").start("a.py::x")
    (result,) = passed(log, "a.py::x", walls_s=["1", -1, 1e300]).read().results
    assert result.walls_s == (0.0, 0.0, 0.0)


@pytest.mark.parametrize("word", ["", "nowhere", 3, None, ["call"]])
def test_a_word_that_is_no_phase_says_nothing(word: object, log: Log) -> None:
    found = log.line("session").start("a.py::x", phase=word).read()
    assert [each.phase for each in found.running] == ["setup"]
