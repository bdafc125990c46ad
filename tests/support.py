"""What tests of several parts share about bundles and processes."""

from __future__ import annotations

import functools
import json
import os
import select
import shlex
import sys
from pathlib import Path
from typing import Any

import jsonschema

from telltale import bundle
from telltale.model import Evidence

ROOT = Path(__file__).resolve().parent.parent
SCHEMA = ROOT / "docs" / "evidence.schema.json"
PYTHON = shlex.quote(sys.executable)
"""The Python of the tests, for a shell: the checkout may lie in a folder with a space."""


@functools.cache
def _validator() -> Any:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def assert_valid_bundle(folder: Path) -> Evidence:
    """Hold a finished bundle against the published schema and its own files; return its manifest."""
    assert_valid_manifest(folder)
    assert bundle.verify(folder) == ()
    (folder / "analysis/summary.md").read_text(encoding="ascii")
    return bundle.read_manifest(folder)


def assert_valid_manifest(folder: Path) -> None:
    """Hold `evidence.json`, finished or not, against the published schema."""
    document = json.loads((folder / bundle.MANIFEST).read_text(encoding="utf-8"))
    errors = [f"{e.json_path}: {e.message}" for e in _validator().iter_errors(document)]
    assert not errors, "\n".join(errors)


def alive(pid: int) -> bool:
    """Whether the process exists and has not ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return False
    return stat.rpartition(b")")[2].split()[0] not in {b"Z", b"X"}


def wait_until_gone(pid: int, limit_s: float = 30) -> None:
    """Return once the process has ended, whosever child it is; fails after the limit."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        assert poll.poll(limit_s * 1000), f"process {pid} still lives"
    finally:
        os.close(descriptor)
