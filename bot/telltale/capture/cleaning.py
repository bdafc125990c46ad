"""
Redact what others wrote into the bundle: the probe's lines, stacks, profiles, reports.

Logs are redacted while they stream; everything else is gone through once the
command has ended, before anything is read from it. A file in which nothing
is found stays as it is, byte for byte.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from telltale.bundle import MANIFEST
from telltale.capture.logs import Stream
from telltale.capture.redact import Redactor
from telltale.patterns import pattern
from telltale.values import fields_of, replace

_BLOCK = 256 * 1024
_OURS = frozenset(
    {MANIFEST, "logs/output.log", "logs/stdout.log", "logs/stderr.log", "artifacts/samples.csv"}
)
"""Redacted when they were written, or holding nothing but figures."""
_FOLDERS = frozenset({"env", "analysis"})
_IDENTITIES = frozenset(
    # As a text: these are words of contracts.
    """
    nodeid name names file files path classname id package signature sha ref repository fingerprint
    job workflow runner event worker phase started_at outcome kind host parts polluter victim
    """.split()  # noqa: SIM905
)
"""Keys of values by which things are found again: tokens go, paths and words stay."""

_KEYS = frozenset(
    """
    phase in pid worker at nodeid n attempt outcome wall_s walls_s cpu_s rss_peak_change_bytes message text output
    source attempts count argv cwd env findings
    """.split()  # noqa: SIM905
)
"""Names that need no look."""
_WORDS = frozenset(
    {"phase", "in", "outcome", "worker", "source", "from", "method", "python", "pytest"}
)
"""Keys of values that are words of ours; thousands of lines have them."""

_PLAIN_LINE = pattern(
    rb'\{"phase": "(?:start|passed)", (?:"in": "[a-z]+", *)?"nodeid": "([^"\\\n]*)", '
    rb'(?:"walls_s": \[[0-9., ]+\], "cpu_s": [0-9.]+, "rss_peak_change_bytes": [0-9]+, )?'
    rb'"n": [0-9]+, "attempt": [0-9]+, "worker": "(?:main|gw[0-9]+)", "pid": [0-9]+, "at": [0-9.]+\}'
)
"""Nearly every line of the probe: but for the nodeid, words of ours and figures."""

_T = TypeVar("_T")
Seen = dict[Path, tuple[int, int]]
"""Size and time of change, in ns, of files that were gone through."""


def sweep(folder: Path, redactor: Redactor, seen: Seen) -> Iterator[str]:
    """
    Redact the bundle's files where they need it; yield a sentence for each that cannot be.

    Such a file is removed: no evidence is worth a secret. Files that are not
    text are passed over. `seen` is brought up to date, so that a second call
    looks at what is new alone.
    """
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if name in _OURS or name.partition("/")[0] in _FOLDERS or path.suffix == ".tmp":
            continue
        try:
            if path.is_symlink() or not path.is_file():
                continue
            status = path.stat()
            if seen.get(path) == (status.st_size, status.st_mtime_ns):
                continue
            _clean_file(path, redactor)
            final = _clean_name(path, redactor)
            status = final.stat()
            seen[final] = (status.st_size, status.st_mtime_ns)
        except Exception as error:  # noqa: BLE001  # whatever it is: the file must not stay
            with contextlib.suppress(OSError):
                path.unlink()
            yield f"{redactor.text(name)} was removed: it could not be redacted: {error!r:.200}"


def rewrite(path: Path, write: Callable[[], None], seen: Seen) -> None:
    """
    Let `write` make a file of what was redacted: it need not be gone through again.

    Unless it is no longer as it was when it was gone through: a process that
    was left behind may have added to it.
    """
    clean = path in seen and seen[path] == _stamp(path)
    write()
    if clean:
        seen[path] = _stamp(path)


def _stamp(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except FileNotFoundError:
        return -1, 0
    return status.st_size, status.st_mtime_ns


def clean(value: _T, redactor: Redactor) -> _T:
    """Return the value (dataclass, mapping, sequence, text) with redacted texts."""
    return _cleaned(value, redactor, "")  # type: ignore[no-any-return]


def copy(source: BinaryIO, target: BinaryIO, redactor: Redactor) -> bool:
    """Copy a text redacted, and return whether that changed anything."""
    stream = Stream(redactor)
    changed = False
    pending = b""
    while block := source.read(_BLOCK):
        done = stream.feed(block)
        target.write(done)
        if not changed:
            pending += block
            changed = not pending.startswith(done)
            pending = pending[len(done) :]
    rest = stream.end()
    target.write(rest)
    return changed or rest != pending


def _clean_file(path: Path, redactor: Redactor) -> None:
    with path.open("rb") as source:
        if b"\0" in source.read(8192):
            return
        source.seek(0)
        redact = _copy_lines if path.suffix == ".jsonl" else copy
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        try:
            with temporary.open("wb") as target:
                os.fchmod(target.fileno(), path.stat().st_mode & 0o777)
                changed = redact(source, target, redactor)
            if changed:
                temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def _clean_name(path: Path, redactor: Redactor) -> Path:
    name = redactor.secrets(path.name)
    return path if name == path.name else path.rename(path.with_name(name))


def _copy_lines(source: BinaryIO, target: BinaryIO, redactor: Redactor) -> bool:
    """Copy JSON lines; one that needs it is read, redacted value by value, and written again."""
    changed = False
    rest = b""
    while block := source.read(_BLOCK):
        lines, newline, rest_of_block = (rest + block).rpartition(b"\n")
        changed |= _copy_some(lines + newline, target, redactor)
        rest = rest_of_block
    return _copy_some(rest, target, redactor) or changed


def _copy_some(lines: bytes, target: BinaryIO, redactor: Redactor) -> bool:
    doubtful = _PLAIN_LINE.sub(rb"\1", lines)
    if redactor.block(doubtful) == doubtful:
        target.write(lines)
        return False
    redacted = redactor.block(lines)
    if redacted == lines:
        target.write(lines)
        return False
    before, after = lines.splitlines(keepends=True), redacted.splitlines(keepends=True)
    if len(before) != len(after):  # a private key went over several
        after = [redactor.block(line) for line in before]
    target.writelines(
        line if line == found else _cleaned_line(line, redactor)
        for line, found in zip(before, after, strict=True)
    )
    return True


def _cleaned_line(line: bytes, redactor: Redactor) -> bytes:
    try:
        document = json.loads(line)
    except (ValueError, RecursionError):
        return redactor.block(line)
    return json.dumps(_cleaned(document, redactor, "")).encode() + b"\n"


def _cleaned_text(value: str, redactor: Redactor, key: str) -> str:
    if len(value) < 4 or (key in _WORDS and len(value) < 20):
        return value
    return redactor.secrets(value) if key in _IDENTITIES else redactor.text(value)


def _cleaned(value: Any, redactor: Redactor, key: str) -> Any:
    """Return the value redacted; `key` says what it is."""
    if isinstance(value, str) and not isinstance(value, Enum):
        return _cleaned_text(value, redactor, key)
    if fields := fields_of(value):
        cleaned = {name: _cleaned(item, redactor, name) for name, item in fields.items()}
        changed = {name: item for name, item in cleaned.items() if item is not fields[name]}
        return replace(value, **changed) if changed else value
    if isinstance(value, Mapping):
        return {
            (name if name in _KEYS else redactor.secrets(str(name))): _cleaned(
                redactor.value(str(name), item) if isinstance(item, str) and key == "env" else item,
                redactor,
                key if key in _IDENTITIES else str(name),
            )
            for name, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        items = [_cleaned(item, redactor, key) for item in value]
        return tuple(items) if isinstance(value, tuple) else items
    return value
