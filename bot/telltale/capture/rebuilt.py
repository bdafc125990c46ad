"""Put a JUnit file together from the probe's record, in pytest's own form."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path

from telltale import bundle
from telltale.model import TestOutcome, TestResult

_IN_TEXT = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"})
_IN_VALUE = {**_IN_TEXT, **str.maketrans({'"': "&quot;", "\n": "&#10;", "\t": "&#9;"})}
_NO_ESCAPE = frozenset('&<>"')
_NO_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")
"""Few, as ranges: the same said by what XML allows takes milliseconds of each start to compile."""


def write(path: Path, results: Sequence[TestResult], started_at: float) -> None:
    """
    Write one test suite with all tests; `started_at` in seconds since 1970. Raises `OSError`.

    A test that was running when the run ended is an error whose type is `interrupted`.
    """
    counts = bundle.count(results)
    stamp = datetime.fromtimestamp(started_at, timezone.utc).isoformat(timespec="seconds")
    seconds = sum(result.duration_s for result in results)
    lines = [
        '<?xml version="1.0" encoding="utf-8"?>',
        (
            f'<testsuites name="pytest tests"><testsuite name="pytest"'
            f' errors="{counts.errors + counts.interrupted}" failures="{counts.failed}"'
            f' skipped="{counts.skipped}" tests="{counts.total}" time="{seconds:.3f}"'
            f' timestamp="{stamp}">'
        ),
        *map(_case, results),
        "</testsuite></testsuites>\n",
    ]
    bundle.write_atomically(path, "\n".join(lines))


def _case(result: TestResult) -> str:
    classname, name = address(result.nodeid)
    if result.outcome is TestOutcome.PASSED and not result.output:
        time = f'time="{result.duration_s:.3f}"'
        return f"<testcase classname={_value(classname)} name={_value(name)} {time} />"
    head = (
        f"<testcase classname={_value(classname)} name={_value(name)}"
        f' time="{result.duration_s:.3f}"'
    )
    body = _body(result)
    if result.output:
        body += f"<system-out>{_text(result.output)}</system-out>"
    return f"{head}>{body}</testcase>" if body else f"{head} />"


def _body(result: TestResult) -> str:
    message, text = _value(result.message), _text(result.text)
    if result.outcome is TestOutcome.FAILED:
        return f"<failure message={message}>{text}</failure>"
    if result.outcome is TestOutcome.ERROR:
        return f"<error message={message}>{text}</error>"
    if result.outcome is TestOutcome.SKIPPED:
        return f"<skipped message={message} />"
    if result.outcome is TestOutcome.INTERRUPTED:
        said = "the run ended while this test was running"
        return f'<error type="interrupted" message="{said}">{text or said}</error>'
    return ""


def address(nodeid: str) -> tuple[str, str]:
    """Return the `classname` and `name` that pytest's JUnit file has for a nodeid."""
    path, bracket, parameters = nodeid.partition("[")
    file, *names = path.split("::")
    names.insert(0, file.replace("/", ".").removesuffix(".py"))
    names[-1] += bracket + parameters
    return legible(".".join(names[:-1])), legible(names[-1])


def legible(text: str) -> str:
    """Return the text with what XML cannot hold as pytest writes it, as in `#x1B`."""
    if text.isascii() and text.isprintable():
        return text
    return _NO_XML.sub(lambda found: f"#x{ord(found[0]):0{2 if ord(found[0]) < 256 else 4}X}", text)


def _text(text: str) -> str:
    return legible(text).translate(_IN_TEXT)


def _value(text: str) -> str:
    if text.isprintable() and text.isascii() and _NO_ESCAPE.isdisjoint(text):
        return f'"{text}"'
    return f'"{legible(text).translate(_IN_VALUE)}"'
