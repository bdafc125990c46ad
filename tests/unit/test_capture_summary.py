"""The summary for people."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telltale.capture import shell, summary
from telltale.model import (
    BundleKind,
    Command,
    Evidence,
    Failure,
    FailureKind,
    Host,
    Leak,
    Outcome,
    Resources,
    RunningTest,
    Source,
    TestCounts,
    TestOutcome,
    TestResult,
)
from tests.unit import gfm

MIB = 1024 * 1024
GOLDEN = Path(__file__).parents[1] / "data/golden/capture/summary.md"


def a_run(**changes: object) -> Evidence:
    fields: dict[str, object] = {
        "kind": BundleKind.TESTS,
        "name": "unit <py3.12> | caf\u00e9",
        "outcome": Outcome.TIMED_OUT,
        "command": Command(argv=shell.argv("pytest -q\necho ```done```"), cwd=".", timeout_s=905),
        "running": (
            RunningTest(
                nodeid="tests/test_a.py::test_c[`|]", worker="gw1", phase="call", for_s=844.15
            ),
        ),
        "invalid": ("NO_COMPILE is not set, and --require-env wants NO_COMPILE=1",),
        "disagreements": ("the command exited with 0, and pytest with 1",),
        "started_at": "2026-11-22T12:00:00Z",
        "exit_code": 2,
        "elapsed_s": 905.02,
        "resources": Resources(
            wall_s=905.02,
            user_s=3100.5,
            system_s=0.25,
            cpu_percent=342.6,
            max_rss_bytes=210 * MIB + 512 * 1024,
            tree_peak_rss_bytes=3 * 1024 * MIB,
        ),
        "host": Host(fingerprint="5eed5eed5eed5eed", parts={"cpu": "EPYC_7763", "python": "3.11"}),
        "source": Source(sha="0123456789abcdef0123456789abcdef01234567", dirty=True),
        "tests": TestCounts(total=3, passed=1, failed=1, interrupted=1),
        "failures": (
            Failure(
                nodeid="tests/test_a.py::test_b[`x`|y]",
                kind=FailureKind.ASSERTION,
                signature="v1:0123456789abcdef",
                message="assert 1 == 2",
                text="\n".join(f"line {n}" for n in range(45)) + "\nE   assert 'caf\u00e9' ```",
            ),
            Failure(
                nodeid="",
                kind=FailureKind.HANG_OR_DEVICE_TIMEOUT,
                signature="v1:fedcba9876543210",
                message="the command was killed at its time limit",
                text="",
            ),
        ),
        "leaks": (
            Leak(nodeid="t.py::test_c[`|]", what="working directory", before="/a|b", after="/*"),
        ),
        "findings": ("Telltale killed the command at its limit of 905 s", "a *b* <c>\nd"),
    }
    return Evidence(**{**fields, **changes})  # type: ignore[arg-type]


TESTS = (
    TestResult(nodeid="tests/test_a.py::test_a", outcome=TestOutcome.PASSED, duration_s=0.0),
    TestResult(
        nodeid="tests/test_a.py::test_b[`x`|y]", outcome=TestOutcome.FAILED, duration_s=12.34
    ),
    TestResult(nodeid="", outcome=TestOutcome.INTERRUPTED, duration_s=844.15),
    TestResult(
        nodeid="tests/test_a.py::test_d",
        outcome=TestOutcome.PASSED,
        duration_s=1.5,
        walls_s=(0.25, 1.0, 0.25),
        cpu_s=3.0,
        rss_peak_change_bytes=5 * MIB,
        worker="gw0",
    ),
)


@given(st.text(alphabet="aB1_*`[]<>|#~ ", min_size=1, max_size=30))
@settings(deadline=None)
def test_findings_are_shown_as_they_are(text: str) -> None:
    markdown = summary.render(a_run(findings=(f"a {text} b",), failures=(), leaks=()), ())

    page = gfm.look(gfm.render(markdown))
    assert f"a {' '.join(text.split())} b".replace("  ", " ") in page.prose


def test_names_in_findings_read_well_unrendered() -> None:
    markdown = summary.render(a_run(findings=("tests/test_a_b.py::test_c left X_Y",)), ())

    assert "- tests/test_a_b.py::test_c left X_Y\n" in markdown


def test_the_summary_as_a_whole() -> None:
    """To write it anew: `python -m pytest tests/unit/test_capture_summary.py` shows the text."""
    assert summary.render(a_run(), TESTS) == GOLDEN.read_text(encoding="ascii")


def test_a_run_without_anything_to_tell_is_short() -> None:
    text = summary.render(
        Evidence(
            kind=BundleKind.TESTS,
            name="unit",
            outcome=Outcome.PASSED,
            command=Command(argv=("make", "a b"), cwd="."),
            started_at="2026-11-22T12:00:00Z",
            exit_code=0,
            elapsed_s=0.0123,
        ),
        (),
    )

    assert text == (
        "# unit: passed\n\n```text\nmake 'a b'\n```\n\n## Figures\n\n| Figure | Value |\n| --- | ---: |\n"
        "| Exit code | 0 |\n| Wall time | 0.012 s |\n\n## Where it ran\n\n"
        "- Started: 2026-11-22T12:00:00Z\n"
    )


texts = st.text(max_size=60)


@settings(deadline=None)
@given(texts, texts, texts, st.lists(texts, max_size=3))
def test_no_text_breaks_out_of_its_place(
    nodeid: str, message: str, text: str, findings: list[str]
) -> None:
    failure = Failure(
        nodeid=nodeid,
        kind=FailureKind.UNKNOWN,
        signature="v1:0123456789abcdef",
        message=message,
        text=text,
    )
    tests = (TestResult(nodeid=nodeid, outcome=TestOutcome.PASSED, duration_s=1.0),)

    leak = Leak(nodeid=nodeid or "t", what=message, before=text, after=text)
    run = a_run(failures=(failure,), findings=tuple(findings), leaks=(leak,))

    found = summary.render(run, tests)

    assert found.isascii()
    outside = re.sub(r"^(`{3,})text\n.*?\n\1$", "", found, flags=re.MULTILINE | re.DOTALL)
    assert [line for line in outside.splitlines() if line.startswith("#")][1:] == [
        "## Running when it ended",
        "## Figures",
        *(["## Findings"] if findings else []),
        "## Failures (1)",
        *[line for line in outside.splitlines() if line.startswith("### ")],
        "## State left changed (1)",
        "## Slowest tests",
        "## Where it ran",
    ]
    assert len(re.findall(r"^### ", outside, re.MULTILINE)) == 1
    assert "<" not in re.sub(r"\\<|(`+).*?\1", "", outside)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.000 s"),
        (0.9994, "0.999 s"),
        (1, "1.0 s"),
        (99.94, "99.9 s"),
        (100, "1 min 40 s"),
        (905, "15 min 05 s"),
        (3600, "1 h 00 min"),
        (90061, "25 h 01 min"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert summary.duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (5 * MIB, "5.0 MiB"), (1 << 42, "4.0 TiB")],
)
def test_sizes(count: int, text: str) -> None:
    assert summary.size(count) == text
