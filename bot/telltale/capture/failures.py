"""What failed, by name; and whether exit status and report tell the same story."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from telltale.bundle import FAILURES_LIMIT, TEXT_LIMIT, clip
from telltale.capture.command import Ended
from telltale.capture.events import Events
from telltale.capture.output import last_bytes
from telltale.capture.words import many
from telltale.model import Failure, FailureKind, Outcome, TestOutcome, TestResult

AT_ITS_LIMIT = "the command was killed at its time limit"
"""As `flaky.naming` knows it, which is not imported before there is something to name."""
_LOG_LINES = 100
_LOG_BESIDE_STACKS = 2000
"""Characters of the log's end, where stacks say more."""


def name_all(
    results: Sequence[TestResult], ended: Ended, log: Path, stuck: str = ""
) -> tuple[Failure, ...]:
    """
    Return every failure of the run with its signature, at most 500.

    When the run itself failed beside or without its tests (a crash, the time
    limit, a failure that no report tells of), one more is made of the end of
    the log: with the interrupted test's nodeid when that is known, else "".
    `stuck` are the stacks of the test that was running: a hang is named by
    the frame that waited.
    """
    bad = [result for result in results if result.outcome.bad]
    failures = [_name(result) for result in bad[: FAILURES_LIMIT - 1]]
    if _run_failed(ended, bool(bad)):
        failures.append(_name_run(results, ended, log, stuck))
    return tuple(failures)


_PYTEST_SAID = {
    1: "tests failed",
    2: "it was interrupted, or collecting failed",
    3: "an internal error",
    4: "it was called wrongly",
}
"""pytest's exit statuses that mean that something went wrong. Source: `pytest.ExitCode`."""


def disagreements(
    results: Sequence[TestResult] | None, ended: Ended, said: Events | None = None
) -> Iterator[str]:
    """
    Yield a sentence for each contradiction of exit status, report and pytest's own word.

    `said` is what the probe wrote inside pytest. A command that fails after
    its tests passed contradicts nothing: it may do more than run them.
    """
    if ended.outcome is not Outcome.PASSED:
        return
    said = said or Events()
    yield from _pytest_disagrees(said)
    if results is None:
        return
    bad = sum(result.outcome.bad for result in results)
    if bad:
        yield (
            f"the command exited with 0, and its test report has {many(bad, 'failed test')}:"
            " was the status lost, in a pipe or by `|| true`?"
        )
    # What was running inside a pytest that the probe saw is told of already.
    if not said.sessions and any(result.outcome is TestOutcome.INTERRUPTED for result in results):
        yield "the command exited with 0, and its test report has a test that was interrupted"


def _pytest_disagrees(said: Events) -> Iterator[str]:
    ends = [each for each in said.finishes if each.worker == "main"]
    for status in dict.fromkeys(each.exit_status for each in ends):
        if status in _PYTEST_SAID:
            yield (
                f"the command exited with 0, and pytest with {status} ({_PYTEST_SAID[status]}):"
                " was the status lost, in a pipe or by `|| true`?"
            )
    ended = {each.pid for each in ends}
    begun = [each for each in said.sessions if each.worker == "main" and each.pid not in ended]
    # What cannot be read may have been the end.
    if begun and not said.damaged:
        where = ", in ".join(each.nodeid for each in said.running if each.pid == begun[0].pid)
        yield (
            f"the command exited with 0, and pytest never came to its end{', in ' * bool(where)}"
            f"{where}: did something call os._exit, or kill it?"
        )


def remarks(results: Sequence[TestResult] | None, ended: Ended) -> Iterator[str]:
    """Yield what a reader of exit status and report must know beside what they say."""
    if results is None:
        return
    bad = sum(result.outcome.bad for result in results)
    if ended.outcome is Outcome.FAILED and not bad:
        yield f"the command exited with {ended.exit_code} although no test of the report failed"
    if bad > FAILURES_LIMIT - 1:
        yield f"{bad} tests failed; the first {FAILURES_LIMIT - 1} are in the manifest, all in artifacts/tests.jsonl"


def _name(result: TestResult) -> Failure:
    kind, signature = _named(result.nodeid, result.text or result.message)
    return Failure(
        nodeid=result.nodeid,
        kind=kind,
        signature=signature,
        message=result.message,
        text=clip(result.text, TEXT_LIMIT),
    )


def _named(test: str, text: str) -> tuple[FailureKind, str]:
    # Imported here: its patterns take 6 ms of every start, and most runs have no failure.
    from telltale.flaky.signature import name_failure  # noqa: PLC0415

    named = name_failure(test=test, text=text)
    return named.kind, named.signature


def _run_failed(ended: Ended, named: bool) -> bool:
    if ended.outcome in {Outcome.CRASHED, Outcome.TIMED_OUT}:
        return True
    return ended.outcome in {Outcome.FAILED, Outcome.ERROR} and not named


def _name_run(results: Sequence[TestResult], ended: Ended, log: Path, stuck: str) -> Failure:
    nodeid = next((each.nodeid for each in results if each.outcome is TestOutcome.INTERRUPTED), "")
    tail = last_bytes(log, TEXT_LIMIT).decode("utf-8", "replace")
    text = "\n".join(tail.splitlines()[-_LOG_LINES:])
    if stuck:
        # The end of a text is what is kept of a long one, and the stacks are what matters.
        text = f"The end of the log:\n{clip(text, _LOG_BESIDE_STACKS)}\n\n{stuck}"
    what = _what(ended)
    # A hang is the same one whichever limit found it.
    named_by = AT_ITS_LIMIT if ended.outcome is Outcome.TIMED_OUT else what
    kind, signature = _named(nodeid, f"{named_by}\n{text}")
    return Failure(
        nodeid=nodeid,
        kind=_kind(ended, kind),
        signature=signature,
        message=what,
        text=clip(text, TEXT_LIMIT),
    )


def _what(ended: Ended) -> str:
    if ended.outcome is Outcome.TIMED_OUT:
        return "the command was killed because it had gone silent" if ended.silent else AT_ITS_LIMIT
    if ended.outcome is Outcome.CRASHED:
        return f"the command was ended by signal {ended.signal}"
    if ended.outcome is Outcome.ERROR:
        return ended.findings[0] if ended.findings else "the command could not be started"
    return f"the command exited with {ended.exit_code} and named no failed test"


def _kind(ended: Ended, guess: FailureKind) -> FailureKind:
    # How it ended is known; the log's end can only be guessed from.
    if ended.outcome is Outcome.TIMED_OUT:
        return FailureKind.HANG_OR_DEVICE_TIMEOUT
    if ended.outcome is Outcome.CRASHED:
        return FailureKind.OOM if ended.out_of_memory else FailureKind.CRASH_SIGNAL
    return guess
