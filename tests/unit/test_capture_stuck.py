"""The stacks of a test that was ended, and the name that its hang gets from them."""

from __future__ import annotations

from pathlib import Path

import pytest

from telltale.capture import failures, stuck
from telltale.capture.command import Ended
from telltale.model import Failure, FailureKind, Outcome, Resources, TestOutcome, TestResult

OWN = """\
# 2026-11-25T03:44:33Z, 7.4 s after the start: for 5 s there was no output and 0.00 s of CPU time.
# 1 process:

pid 7  parent 6  python  state S  cpu 0.28 s  rss 36536320 bytes  files 14

# Python frames of pid 7 by its own faulthandler:
Thread 0x00007f83f5d746c0 (most recent call first):
  File "/usr/lib/python3.11/threading.py", line 629 in wait
  File "/home/me/shop/shop/poll.py", line 4 in poll

Thread 0x00007f83f5d746c1 (most recent call first):
  File "/venv/lib/python3.11/site-packages/execnet/gateway_base.py", line 411 in read
  File "/usr/lib/python3.11/threading.py", line 1002 in _bootstrap

Current thread 0x00007f83f7dcab80 (most recent call first):
  File "/usr/lib/python3.11/threading.py", line 629 in wait
  File "/home/me/shop/shop/device.py", line {line} in {function}
  File "/home/me/shop/tests/test_device.py", line 8 in test_device
  File "/venv/lib/python3.11/site-packages/_pytest/python.py", line 187 in pytest_pyfunc_call
  File "/venv/lib/python3.11/site-packages/pluggy/_manager.py", line 183 in _hookexec
  File "<frozen runpy>", line 198 in _run_module_as_main

# Python frames of pid 8 by its own faulthandler:
Current thread 0x00007f83f7dcab80 (most recent call first):
  File "/home/me/shop/other.py", line 1 in other
"""
SPY = """\
# Python frames of pid 7 by py-spy:
  Process 7: python -m pytest -q
  Python v3.11.7 (/usr/bin/python3.11)

  Thread 26164 (idle): "device-poller"
      Event.wait (/usr/lib/python3.11/threading.py:629)
      poll (/home/me/shop/shop/poll.py:4)
  Thread 7 (idle): "MainThread"
      Event.wait (/usr/lib/python3.11/threading.py:629)
      {function} (/home/me/shop/shop/device.py:{line})
      test_device (/home/me/shop/tests/test_device.py:8)
      pytest_pyfunc_call (/venv/lib/python3.11/site-packages/_pytest/python.py:187)
"""
SHOWN = """\
Current thread 0x00007f83f7dcab80 (most recent call first):
  File "/usr/lib/python3.11/threading.py", line 629 in wait
  File "/home/me/shop/shop/device.py", line 12 in wait_for_device
  File "/home/me/shop/tests/test_device.py", line 8 in test_device
  [... 3 frames of the test runner left out ...]

Thread 0x00007f83f5d746c0 (most recent call first):
  File "/usr/lib/python3.11/threading.py", line 629 in wait
  File "/home/me/shop/shop/poll.py", line 4 in poll

Thread 0x00007f83f5d746c1 (most recent call first):
  File "/usr/lib/python3.11/threading.py", line 1002 in _bootstrap
  [... 1 frame of the test runner left out ...]"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("artifacts", "logs"):
        (tmp_path / name).mkdir()
    (tmp_path / "logs/output.log").write_text("....\n", "ascii")
    return tmp_path


def stacks(folder: Path, text: str, *, line: int = 12, function: str = "wait_for_device") -> None:
    path = folder / "artifacts/stacks.txt"
    path.write_text(text.format(line=line, function=function), "ascii")


def the_failure(
    folder: Path, pid: int = 7, test: str = "tests/test_device.py::test_device"
) -> Failure:
    ended = Ended(
        outcome=Outcome.TIMED_OUT,
        exit_code=2,
        signal=None,
        status=124,
        elapsed_s=7.4,
        resources=Resources(),
        findings=(),
    )
    result = TestResult(nodeid=test, outcome=TestOutcome.INTERRUPTED, duration_s=7.0)
    log = folder / "logs/output.log"
    [found] = failures.name_all([result], ended, log, stuck.stacks_of(folder, pid))
    return found


def test_the_thread_of_the_test_comes_first_without_its_harness(folder: Path) -> None:
    stacks(folder, OWN)

    assert stuck.stacks_of(folder, 7) == SHOWN


def test_its_own_word_is_taken_before_py_spys(folder: Path) -> None:
    stacks(folder, SPY + "\n" + OWN)

    assert stuck.stacks_of(folder, 7) == SHOWN


def test_the_thread_that_took_the_signal_is_not_the_tests(folder: Path) -> None:
    text = OWN.replace("Current thread", "THREAD").replace("Thread", "Current thread")
    stacks(folder, text.replace("THREAD", "Thread"))

    assert stuck.stacks_of(folder, 7) == SHOWN


def test_without_a_test_runner_it_is_the_main_thread_that_is_dumped_last(folder: Path) -> None:
    stacks(folder, "\n".join(line for line in OWN.splitlines() if "_pytest" not in line))

    shown = SHOWN.replace("3 frames of the test runner", "2 frames of the test runner")
    assert stuck.stacks_of(folder, 7) == shown


def test_the_newest_look_counts(folder: Path) -> None:
    stacks(folder, OWN.replace("wait_for_device", "early") + "\n" + OWN)

    assert stuck.stacks_of(folder, 7) == SHOWN


@pytest.mark.parametrize("pid", [6, 70])
def test_nobody_told(folder: Path, pid: int) -> None:
    stacks(folder, OWN)

    assert stuck.stacks_of(folder, pid) == ""


def test_there_is_no_file(folder: Path) -> None:
    assert stuck.stacks_of(folder, 7) == ""


def test_a_hang_is_named_by_the_frame_that_waited(folder: Path) -> None:
    stacks(folder, OWN)
    named = the_failure(folder)
    stacks(folder, OWN, line=99)
    moved = the_failure(folder, test="tests/test_device.py::test_device[2]")
    stacks(folder, SPY)
    by_spy = the_failure(folder)
    stacks(folder, OWN, function="flush")
    elsewhere = the_failure(folder)

    assert named.kind is FailureKind.HANG_OR_DEVICE_TIMEOUT
    assert named.text == f"The end of the log:\n....\n\n{SHOWN}"
    assert named.signature == moved.signature == by_spy.signature
    assert elsewhere.signature != named.signature
