"""What a try showed of the last test: failed in the same way, failed otherwise, passed, or nothing."""

from __future__ import annotations

import enum
from collections.abc import Sequence

from telltale.capture.isolate.tries import Ran
from telltale.flaky.signature import name_failure
from telltale.model import Failure, FailureKind
from telltale.values import dataclass

_HANGS = frozenset({FailureKind.TEST_TIMEOUT, FailureKind.HANG_OR_DEVICE_TIMEOUT})
_DEATHS = frozenset({FailureKind.CRASH_SIGNAL, FailureKind.OOM})
_LOG_LINES = 100


@enum.unique
class Result(str, enum.Enum):
    """What the last test of a try did."""

    SAME = "failed"
    """With the signature in question."""
    OTHER = "failed otherwise"
    PASSED = "passed"
    BLOCKED = "did not run"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What a try showed."""

    result: Result
    said: str = ""
    """The failure's first line, or what stood in the way."""
    failure: Failure | None = None
    seconds: float = 0.0
    busy: bool = False
    """It was stopped while it worked: nobody knows how it would have ended."""


def read(ran: Ran, nodeid: str, wanted: Failure | None) -> Shown:
    """Return what the try showed; any failure is the same one when none is wanted."""
    events = ran.events
    texts = [
        str(event.get("text", ""))
        for event in events
        # `rerun` is what pytest-rerunfailures makes of a failure that it repeats.
        if event.get("event") == "report"
        and event.get("last")
        and event.get("outcome") in {"failed", "rerun"}
    ]
    began = any(event.get("event") == "start" and event.get("last") for event in events)
    done = any(event.get("event") == "finish" and event.get("last") for event in events)
    if texts:
        return _failed([_named(nodeid, text) for text in texts], wanted, ran)
    if began and not done:
        return _failed([_died(nodeid, ran)], wanted, ran)
    if not began:
        return Shown(result=Result.BLOCKED, said=_obstacle(ran, nodeid), seconds=ran.seconds)
    skipped = [
        event
        for event in events
        if event.get("event") == "report"
        and event.get("last")
        and event.get("outcome") == "skipped"
    ]
    if skipped:
        return Shown(result=Result.BLOCKED, said="the test is skipped here", seconds=ran.seconds)
    return Shown(result=Result.PASSED, seconds=ran.seconds)


def _failed(found: Sequence[Failure], wanted: Failure | None, ran: Ran) -> Shown:
    same = next((each for each in found if wanted is None or _same(each, wanted)), None)
    shown = same or found[0]
    hung = ran.killed and shown.kind is FailureKind.HANG_OR_DEVICE_TIMEOUT and not shown.text
    return Shown(
        result=Result.SAME if same else Result.OTHER,
        said=shown.message,
        failure=shown,
        seconds=ran.seconds,
        busy=hung and not ran.idle,
    )


def _same(found: Failure, wanted: Failure) -> bool:
    if found.signature == wanted.signature:
        return True
    # A death is told by whoever saw it: the words differ, the kind does not.
    return any(found.kind in kinds and wanted.kind in kinds for kinds in (_HANGS, _DEATHS)) and (
        not found.text or found.kind in _DEATHS
    )


def _named(nodeid: str, text: str) -> Failure:
    named = name_failure(test=nodeid, text=text)
    return Failure(
        nodeid=nodeid,
        kind=named.kind,
        signature=named.signature,
        message=_line(text) or named.template,
        text=text,
    )


def _died(nodeid: str, ran: Ran) -> Failure:
    """Return the failure of a test that began and never ended: it hung or took its process along."""
    if ran.killed:
        what = "it was still running when its time was over"
        kind = FailureKind.HANG_OR_DEVICE_TIMEOUT
        return Failure(
            nodeid=nodeid,
            kind=kind,
            signature=name_failure(test=nodeid, text=what).signature,
            message=what,
            text="",
        )
    text = "\n".join(ran.log.splitlines()[-_LOG_LINES:])
    named = name_failure(test=nodeid, text=text)
    crashed = ran.status < 0
    return Failure(
        nodeid=nodeid,
        kind=FailureKind.CRASH_SIGNAL if crashed else named.kind,
        signature=named.signature,
        message=f"it ended its process, {_how(ran.status)}",
        text=text,
    )


def _how(status: int) -> str:
    return f"signal {-status}" if status < 0 else f"exit status {status}"


def _obstacle(ran: Ran, nodeid: str) -> str:
    file = nodeid.partition("::")[0]
    uncollected = [event for event in ran.events if event.get("event") == "uncollected"]
    for event in uncollected:
        if str(event.get("nodeid", "")).endswith(file.rpartition("/")[2]):
            return f"{file} cannot be collected: {_line(str(event.get('text', '')))}"
    collected = [event for event in ran.events if event.get("event") == "collected"]
    if collected and not collected[-1].get("found"):
        return "pytest does not collect it any more: was it renamed, or is this another commit?"
    if ran.killed:
        return "the tests before it took too long"
    said = [line.strip() for line in ran.log.splitlines() if line.strip()]
    errors = [line for line in said if "error" in line.lower()] or said[-1:]
    return f"pytest ended with status {ran.status} before it: {' '.join(errors[:2])[:300]}"


def _line(text: str) -> str:
    said = [line[2:].strip() for line in text.splitlines() if line.startswith("E ")]
    said = [line for line in said if line] or [line for line in text.splitlines() if line.strip()]
    return said[0].strip()[:300] if said else ""
