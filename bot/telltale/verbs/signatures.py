"""`telltale signatures`: name the failures on standard input."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from typing import Any

from telltale.errors import UsageError
from telltale.flaky.signature import name_failure
from telltale.options import Invocation

SHAPE = '{"id": "1", "test": "tests/test_a.py::test_b", "text": "..."}'


def run(invocation: Invocation) -> int:  # noqa: ARG001
    """Answer each line as it comes: `{id, test, text}` in, `{id, signature, kind, template}` out."""
    for answer in answers(sys.stdin.buffer):
        print(json.dumps(answer, ensure_ascii=False))
    return 0


def answers(lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """Yield one answer for each line that is not blank; `UsageError` names the line that is bad."""
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        asked = _asked(number, line)
        named = name_failure(test=asked["test"], text=asked["text"])
        yield {
            "id": asked["id"],
            "signature": named.signature,
            "kind": named.kind.value,
            "template": named.template,
        }


def _asked(number: int, line: bytes) -> dict[str, Any]:
    try:
        asked = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"line {number} is not JSON ({error}): expected {SHAPE}") from None
    if not isinstance(asked, dict):
        raise UsageError(f"line {number} is not a JSON object: expected {SHAPE}")
    for key, kinds in (("id", (str, int)), ("test", (str,)), ("text", (str,))):
        if not isinstance(asked.get(key), kinds):
            raise UsageError(f"line {number} has no text under {key!r}: expected {SHAPE}")
    return asked
