"""The name of a failure, in Telltale's own nouns; `naming.py` does the work."""

from __future__ import annotations

from telltale.flaky import naming
from telltale.model import FailureKind
from telltale.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """What a failure is called."""

    signature: str
    """`v1:` and 16 hex digits; failures with one root cause share it."""
    kind: FailureKind
    template: str
    """What happened and where, with volatile values renamed: for people."""


def name_failure(*, test: str, text: str) -> Named:
    """
    Name the failure of `test` (a nodeid, or empty) from its text.

    Any text gets a name: one that says nothing is named after its test.
    """
    name = naming.name(test=test, text=text)
    return Named(signature=name.signature, kind=FailureKind(name.kind), template=name.template)
