"""Of all that tests changed, what is a leak, which is the worst, and how it is said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from telltale.capture import events, leaks
from telltale.capture.events import Events, State
from telltale.model import Leak


def state(nodeid: str, *changes: tuple[str, str, str], worker: str = "main") -> State:
    return State(
        nodeid=nodeid,
        worker=worker,
        changes=tuple({"what": w, "before": b, "after": a} for w, b, a in changes),
    )


def leak(nodeid: str, what: str, before: str, after: str) -> Leak:
    return Leak(nodeid=nodeid, what=what, before=before, after=after)


def test_what_nobody_puts_back_is_a_leak() -> None:
    told = leaks.fold([state("a", ("working directory", "/x", "/y"))])

    assert told == (leak("a", "working directory", "/x", "/y"),)


def test_what_a_later_test_puts_back_is_none() -> None:
    # A fixture of the module: set up in the first test that asks for it, torn down in the last.
    told = leaks.fold([state("a", ("locale", "C", "de_DE")), state("z", ("locale", "de_DE", "C"))])

    assert told == ()


def test_what_is_put_back_half_way_leaves_the_first_change() -> None:
    told = leaks.fold(
        [
            state("a", ("umask", "022", "077")),
            state("b", ("umask", "077", "000")),
            state("c", ("umask", "000", "077")),
        ]
    )

    assert told == (leak("a", "umask", "022", "077"),)


def test_going_back_to_the_first_state_takes_all_changes_back() -> None:
    told = leaks.fold(
        [
            state("a", ("umask", "022", "077")),
            state("b", ("umask", "077", "000")),
            state("c", ("umask", "000", "022")),
        ]
    )

    assert told == ()


def test_one_worker_does_not_put_back_for_another() -> None:
    told = leaks.fold(
        [
            state("a", ("umask", "022", "077"), worker="gw0"),
            state("b", ("umask", "077", "022"), worker="gw1"),
        ]
    )

    assert [each.nodeid for each in told] == ["a", "b"]


def test_a_file_that_every_worker_imports_is_told_once() -> None:
    change = ("torch default dtype", "torch.float32", "torch.float64")
    told = leaks.fold([state("t.py", change, worker="gw0"), state("t.py", change, worker="gw1")])

    assert told == (leak("t.py", *change),)


def test_a_change_seen_late_is_put_back_all_the_same() -> None:
    told = leaks.fold(
        [
            state("a", ("sys.modules entry x [within 9 tests]", "module", "module (2)")),
            state("b", ("sys.modules entry x", "module (2)", "module")),
        ]
    )

    assert told == ()


def test_the_end_of_the_session_puts_back_and_leaves_nothing() -> None:
    told = leaks.fold(
        [
            state("a", ("thread t", "absent", "alive")),
            state("", ("thread t", "alive", "absent"), ("sys.stdout", "a X", "a Y")),
        ]
    )

    assert told == ()


def test_dangerous_ones_come_first() -> None:
    told = leaks.fold(
        [
            state("a", ("open socket (file descriptor 9)", "absent", "open")),
            state("b", ("environment variable HOME", "/a", "/b")),
            state("c", ("environment variable OMP_NUM_THREADS", "unset", "1")),
            state("d", ("something of later", "x", "y")),
        ]
    )

    assert [each.nodeid for each in told] == ["c", "b", "a", "d"]


@pytest.mark.parametrize(
    ("what", "dangerous"),
    [
        ("working directory", True),
        ("torch threads", True),
        ("torch default dtype [within 3 tests]", True),
        ("numpy errors divide", True),
        ("environment variable MKL_NUM_THREADS", True),
        ("environment variable CUDA_VISIBLE_DEVICES [within 2 tests]", True),
        ("environment variable NUM_THREADS_FILE", False),
        ("environment variable HOME", False),
        ("environment variable KMP_INIT_AT_FORK", False),
        ("thread worker", False),
        ("numpy print option precision", False),
    ],
)
def test_what_is_dangerous(what: str, dangerous: bool) -> None:
    assert leaks.dangerous(what) is dangerous


def test_a_finding_names_the_test_and_what_ran_after_it() -> None:
    order = Events(order={"main": ("t.py::a", "t.py::b", "t.py::c")})
    found = [
        leak("t.py::a", "torch threads", "16", "1"),
        leak("t.py::a", "environment variable OMP_NUM_THREADS", "unset", "1"),
        leak("t.py::b", "thread worker", "absent", "alive"),
    ]

    assert leaks.findings(found, order) == (
        (
            "t.py::a left changed: torch threads (16 to 1), environment variable OMP_NUM_THREADS"
            " (unset to 1); 2 tests ran after it in the same process: what fails or is slow there may"
            " pass alone"
        ),
    )


def test_the_last_test_harms_nobody() -> None:
    order = Events(order={"main": ("t.py::a", "t.py::b")})

    assert leaks.findings([leak("t.py::b", "working directory", "/a", "/b")], order) == ()


def test_a_file_is_before_all_tests() -> None:
    order = Events(order={"main": ("t.py::a",)})
    (sentence,) = leaks.findings([leak("t.py", "working directory", "/a", "/b")], order)

    assert "; tests ran after it" in sentence


def test_findings_are_few() -> None:
    found = [leak(f"t{n}", "working directory", "/a", "/b") for n in range(9)]
    sentences = leaks.findings(found, Events())

    assert len(sentences) == 6
    assert sentences[-1].startswith("4 other tests left such things changed")


def test_a_finding_is_short() -> None:
    found = [leak("t", f"environment variable X{n}_NUM_THREADS", "1", "2") for n in range(9)]
    (sentence,) = leaks.findings(found, Events())

    assert ", 5 more; tests ran" in sentence


def test_lines_that_are_none_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "artifacts").mkdir()
    good = {"what": "umask", "before": "022", "after": "077"}
    lines: list[dict[str, Any]] = [
        {"phase": "state", "nodeid": "a", "worker": "main", "changes": [good, {"what": 3}, {}]},
        {"phase": "state", "nodeid": "b", "worker": "main", "changes": [{**good, "before": None}]},
        {"phase": "state", "nodeid": "c", "worker": "main", "changes": "all"},
        {"phase": "state", "nodeid": "d", "worker": "main", "changes": [{**good, "after": "022"}]},
    ]
    text = "".join(json.dumps({**line, "pid": 1, "at": 1.0}) + "\n" for line in lines)
    (tmp_path / "artifacts/tests.jsonl").write_text(text, encoding="utf-8")

    assert leaks.tell(events.read(tmp_path)) == ((leak("a", "umask", "022", "077"),), ())


def test_no_lines_are_no_leaks(tmp_path: Path) -> None:
    assert leaks.tell(events.read(tmp_path)) == ((), ())
