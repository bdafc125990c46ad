"""
The evidence bundle: claim its folder, write, read and verify its manifest.

Layout and guarantees: docs/evidence-bundle.md; the manifest's shape:
docs/evidence.schema.json. Whoever reads a bundle reads an artifact that
anybody may have written: everything is bounded and checked here, once.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timezone
from enum import Enum
from json.encoder import encode_basestring_ascii as _quoted
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from telltale import phases
from telltale.errors import BundleError, UsageError
from telltale.model import (
    BundleKind,
    Command,
    Confirmation,
    Evidence,
    Failure,
    FailureKind,
    GithubRun,
    Host,
    Isolation,
    IsolationVerdict,
    Leak,
    Outcome,
    Profile,
    Rate,
    Resources,
    RunningTest,
    Source,
    TestCounts,
    TestOutcome,
    TestResult,
    Verdict,
)
from telltale.patterns import pattern
from telltale.values import asdict

SCHEMA = "telltale.evidence/1"
MANIFEST = "evidence.json"
TESTS = "artifacts/tests.jsonl"
RUNNING = "running.lock"
"""Locked by the run that writes the bundle, for as long as it lives; gone when it is complete."""
NO_STATUS = "unknown"
"""What `artifacts/exit_code.txt` says when nobody saw the command end."""
ARTIFACT_PREFIX = "telltale-evidence-"
"""How the names of artifacts that hold a bundle begin; a report reads no others."""
FOLDERS = ("env", "logs", "artifacts", "analysis")

ALWAYS = (
    "env/env.txt",
    "env/packages.txt",
    "env/disk_usage.txt",
    "env/host.json",
    "artifacts/exit_code.txt",
    "analysis/summary.md",
)
"""Files of every finished bundle."""
STARTED = ("logs/output.log", "artifacts/samples.csv", "artifacts/time.txt")
"""Further files of a bundle whose command was started."""

MANIFEST_LIMIT = 16 * 1024 * 1024
TESTS_LIMIT = 256 * 1024 * 1024
LINE_LIMIT = 1024 * 1024
FAILURES_LIMIT = 500
TEXT_LIMIT = 16 * 1024
"""Characters of a failure's text in the manifest; `tests.jsonl` keeps more."""
FAILURES_BYTES = 8 * 1024 * 1024
"""Of all failures' texts in the manifest together; beyond it each keeps 500 characters."""
FINDINGS_LIMIT = 200
PROFILES_LIMIT = 100
LEAKS_LIMIT = 200
ISOLATION_LIMIT = 50
CONFIRMATIONS_LIMIT = 100
MEASUREMENTS_LIMIT = 100
"""Figures of one side of a confirmation."""
RUNNING_LIMIT = 1000
"""Tests that were running when a run ended: one a worker."""
HASH_LIMIT = 256 * 1024 * 1024
"""Larger files are listed without a hash: a cancelled job has seconds left, not minutes."""
DEPTH = 6

_INSTANT = pattern(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z\Z")
_SIGNATURE = pattern(r"v1:[0-9a-f]{16}\Z")
_E = TypeVar("_E", bound=Enum)


def path_safe(name: str) -> str:
    """Return the name with everything but letters, digits, `.`, `_` and `-` as `-`: one path part."""
    safe = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip(".-")
    return safe[:100] or "unnamed"


def instant(moment: datetime) -> str:
    """Return the moment as the manifest writes it, as in `2026-11-22T10:15:16Z`."""
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def claim(out: Path, name: str, started: datetime) -> Path:
    """
    Make and return `out/NAME/STAMP`, which did not exist before.

    The second claim in one second gets `-2`, the third `-3`: making a folder
    is atomic, so two runs never share one. Raises `UsageError` when `out`
    cannot be written.
    """
    stamp = started.astimezone(timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    series = out / path_safe(name)
    try:
        series.mkdir(parents=True, exist_ok=True)
        for number in range(1, 10_000):
            folder = series / (stamp if number == 1 else f"{stamp}-{number}")
            try:
                folder.mkdir()
            except FileExistsError:
                continue
            for part in FOLDERS:
                (folder / part).mkdir()
            return folder
    except OSError as error:
        raise UsageError(
            f"--out: cannot make the bundle's folder in {out}: {error.strerror or error};"
            " give a folder that can be written"
        ) from error
    raise UsageError(f"--out: {series} holds 9,999 bundles of {stamp} already")


def write_manifest(folder: Path, evidence: Evidence) -> None:
    """
    Write `evidence.json`, replacing an earlier one atomically.

    A finished run's manifest also lists the other files of the bundle with
    size and SHA-256. At most 500 failures of 16 KiB of text each are kept
    here. Raises `OSError`.
    """
    document = _to_json(evidence)
    if evidence.outcome is not Outcome.RUNNING:
        document["files"] = list(_listing(folder))
    text = json.dumps(document, indent=2, allow_nan=False) + "\n"
    # A machine that a test takes down must not leave an empty manifest; all else can be done without.
    write_atomically(folder / MANIFEST, text, durably=True)


def write_atomically(path: Path, text: str, *, durably: bool = False) -> None:
    """
    Write the file so that a reader finds the old text or the new one, never a part.

    `durably`: also after the machine has lost its power. Raises `OSError`.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
            if durably:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def write_tests(
    folder: Path,
    results: Iterable[TestResult],
    *,
    source: str,
    damage: Sequence[tuple[int, int]] = (),
) -> None:
    """
    Add one line a test to `artifacts/tests.jsonl`, behind those of the probe. Raises `OSError`.

    `source` is where tests without a worker come from. `damage` names lines of
    the probe, by offset and length, that are left out, as is all but the
    first 128 MiB of them. After 128 MiB of failures a text keeps 500
    characters: what is written here can be read.
    """
    path = folder / TESTS
    temporary = path.with_name(f".{path.name}.tmp")
    with temporary.open("wb") as file:
        _keep_lines(path, file, damage)
        room = TESTS_LIMIT // 4
        for result in results:
            if _passed_plainly(result):
                file.write(_passed_line(result))
                continue
            text = _plain(result.text if room > 0 else clip(result.text, 500))
            line: dict[str, Any] = {"nodeid": _plain(result.nodeid), "phase": "total"}
            line |= {"outcome": result.outcome.value, "wall_s": round(result.duration_s, 6)}
            line |= {"message": _plain(result.message), "text": text}
            line |= _measured(result) if result.worker else {"source": source}
            room -= file.write(json.dumps(line, allow_nan=False).encode() + b"\n")
    temporary.replace(path)


def _passed_plainly(result: TestResult) -> bool:
    """Whether the probe saw it pass and there is nothing to put into words."""
    return (
        result.outcome is TestOutcome.PASSED
        and result.worker != ""
        and not (result.message or result.text)
        and result.cpu_s is not None
        and max(result.duration_s, result.cpu_s) < math.inf
        and result.nodeid.isprintable()
        and result.worker.isprintable()
    )


def _passed_line(result: TestResult) -> bytes:
    """Return the line of such a test: what json.dumps makes of it, in a fraction of the time."""
    grew = result.rss_peak_change_bytes
    return (
        f'{{"nodeid": {_quoted(result.nodeid)}, "phase": "total", "outcome": "passed",'
        f' "wall_s": {round(result.duration_s, 6)!r}, "message": "", "text": "", "source": "probe",'
        f' "worker": {_quoted(result.worker)}, "cpu_s": {round(result.cpu_s or 0.0, 6)!r},'
        f' "rss_peak_change_bytes": {"null" if grew is None else grew},'
        f' "attempts": {result.attempts}}}\n'
    ).encode()


def _measured(result: TestResult) -> dict[str, Any]:
    """Return what only the probe knows of a test."""
    return {
        "source": "probe",
        "worker": _plain(result.worker),
        "cpu_s": None if result.cpu_s is None else round(result.cpu_s, 6),
        "rss_peak_change_bytes": result.rss_peak_change_bytes,
        "attempts": result.attempts,
    }


def _keep_lines(path: Path, target: BinaryIO, damage: Sequence[tuple[int, int]]) -> None:
    """Copy the lines that the probe wrote, without damaged ones and without a last one's half."""
    try:
        size = min(path.stat().st_size, TESTS_LIMIT // 2)
        with path.open("rb") as file:
            at = 0
            for offset, length in (*damage, (size, 0)):
                _copy(file, target, min(offset, size) - at)
                at = offset + length
                file.seek(at)
                if at >= size:
                    break
    except FileNotFoundError:
        return
    _end_line(target)


def _copy(file: BinaryIO, target: BinaryIO, count: int) -> None:
    while count > 0 and (block := file.read(min(count, 1024 * 1024))):
        target.write(block)
        count -= len(block)


def _end_line(target: BinaryIO) -> None:
    """Take away what follows the last end of a line."""
    target.flush()
    end = target.tell()
    with open(target.name, "rb") as written:  # noqa: PTH123  # the name of a file that is open
        step = min(end, LINE_LIMIT + 1)
        written.seek(end - step)
        last = written.read(step).rfind(b"\n")
    target.seek(end - step + last + 1)
    target.truncate()


def read_manifest(folder: Path) -> Evidence:
    """Return the manifest of a bundle; `BundleError` names the file and the key that is wrong."""
    path = folder / MANIFEST
    return _evidence(_Fields(path, "", _load(path)))


def read_tests(folder: Path) -> tuple[TestResult, ...]:
    """
    Return the tests of `artifacts/tests.jsonl`, one each, in their order.

    Where Telltale was killed before it could write them, they are made of the
    probe's lines. Empty when the file is absent. Raises `BundleError`, with
    the line's number, for a line that is not a test; only a last line without
    its end (the writer was killed) is passed over.
    """
    path = folder / TESTS
    results: list[TestResult] = []
    fold = phases.Fold()
    damaged: tuple[int, bytes] | None = None
    try:
        with _open(path, TESTS_LIMIT) as file:
            for number, raw in enumerate(iter(lambda: file.readline(LINE_LIMIT + 1), b""), 1):
                if len(raw) > LINE_LIMIT:
                    raise BundleError(f"{path}: line {number} is longer than {LINE_LIMIT} bytes")
                if not raw.endswith(b"\n"):
                    break
                line = phases.parse(raw)
                if line is None:
                    damaged = damaged or (number, raw)
                elif line["phase"] == "total":
                    results.append(_test(_Fields(path, f"line {number}: ", line)))
                else:
                    fold.add(line)
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise BundleError(f"{path}: cannot be read: {error.strerror or error}") from error
    if damaged and (results or not fold.executions):
        _refuse_line(path, *damaged)
    return tuple(results) or fold.results()


def _refuse_line(path: Path, number: int, raw: bytes) -> None:
    """Raise `BundleError` with what is wrong with the line."""
    fields = _Fields(path, f"line {number}: ", _parse(raw, path, f"line {number}"))
    fields.text("phase")


def find(paths: Sequence[Path]) -> tuple[Path, ...]:
    """
    Return the bundles at the paths: each is a bundle or a folder that holds some.

    Looks six folders deep and through no symbolic link; sorted, each once.
    Raises `BundleError` when a path does not exist.
    """
    found: set[Path] = set()
    for path in paths:
        if path.is_file() and path.name == MANIFEST:
            found.add(path.parent)
        elif path.is_dir():
            found.update(_search(path, DEPTH))
        else:
            raise BundleError(f"{path}: there is no such folder; give an evidence bundle")
    return tuple(sorted(found))


def verify(folder: Path) -> tuple[str, ...]:
    """Return what is wrong with a bundle, one sentence each; empty when it is whole."""
    try:
        evidence = read_manifest(folder)
        tests = read_tests(folder)
    except BundleError as error:
        return (str(error),)
    if evidence.outcome is Outcome.RUNNING:
        return (f"{folder / MANIFEST}: never finished: Telltale itself was killed",)
    # Wall time is measured exactly when the command was started.
    required = ALWAYS + (() if evidence.resources.wall_s is None else STARTED)
    try:
        return (
            *(f"{folder / name}: missing" for name in required if not (folder / name).is_file()),
            *_changed(folder),
            *_disagreements(folder, evidence, tests),
        )
    except (BundleError, OSError) as error:
        return (str(error),)


def count(results: Iterable[TestResult]) -> TestCounts:
    """Count the tests by outcome."""
    outcomes = [result.outcome for result in results]
    return TestCounts(
        total=len(outcomes),
        passed=outcomes.count(TestOutcome.PASSED),
        failed=outcomes.count(TestOutcome.FAILED),
        errors=outcomes.count(TestOutcome.ERROR),
        skipped=outcomes.count(TestOutcome.SKIPPED),
        interrupted=outcomes.count(TestOutcome.INTERRUPTED),
    )


def clip(text: str, limit: int) -> str:
    """Return the text, its middle left out when it is longer than `limit` characters."""
    if len(text) <= limit:
        return text
    note = f"\n[... {len(text) - limit} characters left out ...]\n"
    # The end says what was wrong, the beginning where: the end gets more room.
    head = max(0, limit - len(note)) // 4
    tail = max(0, limit - len(note) - head)
    return (text[:head] + note + text[len(text) - tail :])[:limit]


# Writing


def _to_json(evidence: Evidence) -> dict[str, Any]:
    document: dict[str, Any] = {"schema": SCHEMA, **_value(asdict(evidence))}
    texts = _within(FAILURES_BYTES, (failure.text for failure in evidence.failures))
    document["failures"] = [
        {**failure, "text": text}
        for failure, text in zip(document["failures"][:FAILURES_LIMIT], texts, strict=False)
    ]
    more = len(evidence.findings) - FINDINGS_LIMIT
    if more > 0:
        document["findings"][FINDINGS_LIMIT:] = [f"left out: {more} more"]
    del document["leaks"][LEAKS_LIMIT:]
    del document["confirmations"][CONFIRMATIONS_LIMIT:]
    if evidence.github is None:
        del document["github"]
    return document


def _within(size: int, texts: Iterable[str]) -> Iterator[str]:
    """Yield the texts clipped, once `size` bytes of JSON are used to a few lines each."""
    for text in texts:
        kept = _plain(clip(text, TEXT_LIMIT if size > 0 else 500))
        size -= len(json.dumps(kept))
        yield kept


def _value(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, str):
        return _plain(value)
    if isinstance(value, Mapping):
        return {_plain(str(key)): _value(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_value(item) for item in value]
    return value


def _plain(text: str) -> str:
    # Arguments that are no UTF-8 arrive as lone surrogates, which JSON readers refuse.
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _listing(folder: Path) -> Iterator[dict[str, Any]]:
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink() or not path.is_file() or path.suffix == ".tmp":
            continue
        if name in {MANIFEST, RUNNING}:
            continue
        size = path.stat().st_size
        yield {
            "path": name,
            "size": size,
            "sha256": _sha256(path) if size <= HASH_LIMIT else None,
        }


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1024 * 1024):
            digest.update(block)
    return digest.hexdigest()


# Reading: nothing below trusts a byte of what it reads.


def _open(path: Path, limit: int) -> Any:
    # O_NONBLOCK: a named pipe in the place of a file must not hold the reader.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_size > limit:
        os.close(descriptor)
        what = "is no regular file" if not stat.S_ISREG(status.st_mode) else "is too large"
        raise BundleError(f"{path}: {what}; at most {limit} bytes are read")
    return os.fdopen(descriptor, "rb")


def _load(path: Path) -> Mapping[str, Any]:
    try:
        with _open(path, MANIFEST_LIMIT) as file:
            raw = file.read(MANIFEST_LIMIT + 1)
    except FileNotFoundError as error:
        raise BundleError(f"{path}: missing; {path.parent} is no evidence bundle") from error
    except OSError as error:
        raise BundleError(f"{path}: cannot be read: {error.strerror or error}") from error
    return _parse(raw, path, "the file")


def _parse(raw: bytes, path: Path, where: str) -> Mapping[str, Any]:
    try:
        document = json.loads(raw.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{path}: {where} is no JSON: {error}") from error
    if not isinstance(document, dict):
        raise BundleError(f"{path}: {where} is no JSON object")
    return document


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")


class _Fields:
    """A JSON object of the file, read key by key; a wrong one is named in full."""

    __slots__ = ("path", "prefix", "values")

    def __init__(self, path: Path, prefix: str, values: Mapping[str, Any]) -> None:
        self.path = path
        self.prefix = prefix
        self.values = values

    def wrong(self, key: str, expected: str) -> BundleError:
        found = json.dumps(self.values.get(key))
        found = found if len(found) <= 80 else f"{found[:80]}..."
        return BundleError(f"{self.path}: {self.prefix}{key}: expected {expected}, got {found}")

    def text(self, key: str, default: str | None = None) -> str:
        value = self.values.get(key, default)
        if not isinstance(value, str):
            raise self.wrong(key, "text")
        return value.encode("utf-8", "replace").decode("utf-8")

    def matching(self, key: str, pattern: re.Pattern[str], expected: str) -> str:
        value = self.text(key)
        if not pattern.match(value):
            raise self.wrong(key, expected)
        return value

    def choice(self, key: str, enum: type[_E]) -> _E:
        try:
            return enum(self.text(key))
        except ValueError:
            names = ", ".join(str(member.value) for member in enum)
            raise self.wrong(key, f"one of {names}") from None

    def integer(self, key: str) -> int | None:
        value = self.values.get(key)
        # JSON's true is an int to Python; more than 64 bits is nothing we ever wrote.
        if value is not None and (type(value) is not int or not 0 <= value < 1 << 63):
            raise self.wrong(key, "a whole number that is not negative")
        return value

    def whole(self, key: str) -> int:
        value = self.integer(key)
        if value is None:
            raise self.wrong(key, "a whole number that is not negative")
        return value

    def number(self, key: str) -> float | None:
        value = self.values.get(key)
        if value is None:
            return None
        if type(value) not in {int, float} or not math.isfinite(value) or not 0 <= value < 1e18:
            raise self.wrong(key, "a number that is not negative")
        return float(value)

    def boolean(self, key: str) -> bool | None:
        value = self.values.get(key)
        if value is not None and not isinstance(value, bool):
            raise self.wrong(key, "true, false or null")
        return value

    def object(self, key: str, *, optional: bool = False) -> _Fields | None:
        value = self.values.get(key)
        if value is None and optional:
            return None
        if not isinstance(value, dict):
            raise self.wrong(key, "an object")
        return _Fields(self.path, f"{self.prefix}{key}.", value)

    def inner(self, key: str) -> _Fields:
        found = self.object(key)
        assert found is not None  # noqa: S101  # `optional` is off
        return found

    def texts(self, key: str, limit: int = 1_000_000) -> tuple[str, ...]:
        value = self.values.get(key, [])
        if not isinstance(value, list) or len(value) > limit:
            raise self.wrong(key, f"a list of at most {limit} texts")
        inner = _Fields(self.path, f"{self.prefix}{key}.", {str(i): v for i, v in enumerate(value)})
        return tuple(inner.text(index) for index in inner.values)

    def numbers(self, key: str, limit: int) -> tuple[float, ...]:
        value = self.values.get(key, [])
        if not isinstance(value, list) or len(value) > limit:
            raise self.wrong(key, f"a list of at most {limit} numbers")
        inner = _Fields(self.path, f"{self.prefix}{key}.", {str(i): v for i, v in enumerate(value)})
        found = [inner.number(index) for index in inner.values]
        if None in found:
            raise self.wrong(key, "a list of numbers")
        return tuple(each for each in found if each is not None)

    def mapping(self, key: str) -> dict[str, str]:
        value = self.values.get(key, {})
        if not isinstance(value, dict) or len(value) > 10_000:
            raise self.wrong(key, "an object of at most 10000 texts")
        inner = _Fields(self.path, f"{self.prefix}{key}.", value)
        return {name.encode("utf-8", "replace").decode(): inner.text(name) for name in value}

    def objects(self, key: str, limit: int) -> Iterator[_Fields]:
        value = self.values.get(key, [])
        if not isinstance(value, list) or len(value) > limit:
            raise self.wrong(key, f"a list of at most {limit} objects")
        for index, item in enumerate(value):
            if not isinstance(item, dict):
                raise self.wrong(key, "a list of objects")
            yield _Fields(self.path, f"{self.prefix}{key}[{index}].", item)


def _evidence(fields: _Fields) -> Evidence:
    if fields.text("schema", "") != SCHEMA:
        raise fields.wrong("schema", SCHEMA)
    command = fields.inner("command")
    host = fields.inner("host")
    source = fields.inner("source")
    return Evidence(
        kind=fields.choice("kind", BundleKind),
        name=fields.text("name"),
        outcome=fields.choice("outcome", Outcome),
        command=Command(
            argv=command.texts("argv"),
            cwd=command.text("cwd"),
            env=command.mapping("env"),
            timeout_s=command.number("timeout_s"),
            hang_after_s=command.number("hang_after_s"),
        ),
        started_at=fields.matching("started_at", _INSTANT, "an instant as 2026-11-22T10:15:16Z"),
        exit_code=fields.integer("exit_code"),
        signal=fields.integer("signal"),
        elapsed_s=fields.number("elapsed_s"),
        resources=_resources(fields.inner("resources")),
        host=Host(
            fingerprint=host.text("fingerprint"),
            parts=host.mapping("parts"),
            packages=host.mapping("packages"),
            load_average=host.number("load_average"),
            online_cpus=host.integer("online_cpus"),
        ),
        source=Source(
            repository=source.text("repository", ""),
            sha=source.text("sha", ""),
            ref=source.text("ref", ""),
            dirty=source.boolean("dirty"),
        ),
        github=_github(fields.object("github", optional=True)),
        tests=_counts(fields.object("tests", optional=True)),
        failures=tuple(_failure(each) for each in fields.objects("failures", FAILURES_LIMIT)),
        profiles=tuple(_profile(each) for each in fields.objects("profiles", PROFILES_LIMIT)),
        running=tuple(_running(each) for each in fields.objects("running", RUNNING_LIMIT)),
        findings=fields.texts("findings", 1000),
        invalid=fields.texts("invalid", 1000),
        disagreements=fields.texts("disagreements", 1000),
        leaks=tuple(_leak(each) for each in fields.objects("leaks", LEAKS_LIMIT)),
        isolation=tuple(_isolation(each) for each in fields.objects("isolation", ISOLATION_LIMIT)),
        confirmations=tuple(
            _confirmation(each) for each in fields.objects("confirmations", CONFIRMATIONS_LIMIT)
        ),
        telltale=fields.text("telltale", ""),
    )


def _resources(fields: _Fields) -> Resources:
    return Resources(
        wall_s=fields.number("wall_s"),
        user_s=fields.number("user_s"),
        system_s=fields.number("system_s"),
        cpu_percent=fields.number("cpu_percent"),
        max_rss_bytes=fields.integer("max_rss_bytes"),
        tree_peak_rss_bytes=fields.integer("tree_peak_rss_bytes"),
        major_faults=fields.integer("major_faults"),
        minor_faults=fields.integer("minor_faults"),
        voluntary_switches=fields.integer("voluntary_switches"),
        involuntary_switches=fields.integer("involuntary_switches"),
        inputs=fields.integer("inputs"),
        outputs=fields.integer("outputs"),
    )


def _github(fields: _Fields | None) -> GithubRun | None:
    if fields is None:
        return None
    return GithubRun(
        run_id=fields.whole("run_id"),
        run_attempt=fields.whole("run_attempt"),
        job=fields.text("job"),
        event=fields.text("event"),
        workflow=fields.text("workflow", ""),
        runner=fields.text("runner", ""),
    )


def _counts(fields: _Fields | None) -> TestCounts | None:
    if fields is None:
        return None
    return TestCounts(
        total=fields.whole("total"),
        passed=fields.whole("passed"),
        failed=fields.whole("failed"),
        errors=fields.whole("errors"),
        skipped=fields.whole("skipped"),
        interrupted=fields.whole("interrupted"),
    )


def _failure(fields: _Fields) -> Failure:
    return Failure(
        nodeid=fields.text("nodeid"),
        kind=fields.choice("kind", FailureKind),
        signature=fields.matching("signature", _SIGNATURE, "v1: and 16 hex digits"),
        message=fields.text("message"),
        text=fields.text("text"),
    )


def _profile(fields: _Fields) -> Profile:
    return Profile(
        name=fields.text("name"),
        files=fields.texts("files", 1000),
        cost=fields.text("cost", ""),
        missing=fields.text("missing", ""),
        disturbs=bool(fields.boolean("disturbs")),
    )


def _leak(fields: _Fields) -> Leak:
    return Leak(
        nodeid=fields.text("nodeid"),
        what=fields.text("what"),
        before=fields.text("before"),
        after=fields.text("after"),
    )


def _isolation(fields: _Fields) -> Isolation:
    return Isolation(
        nodeid=fields.text("nodeid"),
        signature=fields.text("signature"),
        verdict=fields.choice("verdict", IsolationVerdict),
        sentence=fields.text("sentence"),
        polluters=fields.texts("polluters"),
        needs=fields.texts("needs"),
        leaked=fields.texts("leaked"),
        alone=_rate(fields.inner("alone")),
        in_order=_rate(fields.inner("in_order")),
        together=_rate(fields.inner("together")),
        command=fields.text("command"),
        budget_s=fields.number("budget_s") or 0.0,
        elapsed_s=fields.number("elapsed_s") or 0.0,
    )


def _confirmation(fields: _Fields) -> Confirmation:
    return Confirmation(
        nodeid=fields.text("nodeid"),
        metric=fields.text("metric"),
        unit=fields.text("unit"),
        base=fields.numbers("base", MEASUREMENTS_LIMIT),
        head=fields.numbers("head", MEASUREMENTS_LIMIT),
        wins=fields.whole("wins"),
        pairs=fields.whole("pairs"),
        verdict=fields.choice("verdict", Verdict),
        reason=fields.text("reason"),
    )


def _rate(fields: _Fields) -> Rate:
    return Rate(
        runs=fields.whole("runs"),
        failures=fields.whole("failures"),
        low=fields.number("low") or 0.0,
        high=fields.number("high") or 0.0,
    )


def _running(fields: _Fields) -> RunningTest:
    return RunningTest(
        nodeid=fields.text("nodeid"),
        worker=fields.text("worker"),
        phase=fields.text("phase"),
        for_s=fields.number("for_s") or 0.0,
    )


def _test(fields: _Fields) -> TestResult:
    return TestResult(
        nodeid=fields.text("nodeid"),
        outcome=fields.choice("outcome", TestOutcome),
        duration_s=fields.number("wall_s") or 0.0,
        message=fields.text("message", ""),
        text=fields.text("text", ""),
        cpu_s=fields.number("cpu_s"),
        rss_peak_change_bytes=fields.integer("rss_peak_change_bytes"),
        worker=fields.text("worker", ""),
        attempts=fields.integer("attempts") or 1,
    )


def _search(folder: Path, depth: int) -> Iterator[Path]:
    try:
        if (folder / MANIFEST).is_file():
            yield folder
            return
        if depth == 0:
            return
        inner = [Path(entry) for entry in os.scandir(folder) if entry.is_dir(follow_symlinks=False)]
    except OSError as error:
        raise BundleError(f"{folder}: cannot be read: {error.strerror or error}") from error
    for each in inner:
        yield from _search(each, depth - 1)


# Verifying


def _changed(folder: Path) -> Iterator[str]:
    path = folder / MANIFEST
    for entry in _Fields(path, "", _load(path)).objects("files", 10_000):
        name = entry.text("path")
        if name.startswith("/") or ".." in name.split("/"):
            yield f"{path}: files: {name!r} lies outside the bundle"
            continue
        try:
            yield from _compared(folder / name, entry.whole("size"), entry.values.get("sha256"))
        except (OSError, ValueError) as error:
            yield f"{folder / name}: cannot be read: {error}"


def _compared(target: Path, size: int, sha256: object) -> Iterator[str]:
    if target.is_symlink() or not target.is_file():
        # Those that a bundle must have are named as missing anyway.
        if not str(target).endswith(ALWAYS + STARTED):
            yield f"{target}: missing"
    elif target.stat().st_size != size:
        yield f"{target}: has {target.stat().st_size} bytes, the manifest says {size}"
    elif sha256 is not None and sha256 != _sha256(target):
        yield f"{target}: was changed after the run: its SHA-256 is another one"


def _disagreements(folder: Path, evidence: Evidence, tests: Sequence[TestResult]) -> Iterator[str]:
    if evidence.tests is not None and evidence.tests != count(tests):
        yield f"{folder / TESTS}: holds other tests than {MANIFEST} counts"
    status = folder / "artifacts/exit_code.txt"
    if status.is_file():
        with _open(status, 64 * 1024) as file:
            text = file.read(64).decode("ascii", "replace").strip()
        expected = NO_STATUS if evidence.exit_code is None else str(evidence.exit_code)
        if text != expected:
            yield f"{status}: says {text!r}, {MANIFEST} says {evidence.exit_code}"
    times = folder / "artifacts/time.txt"
    if times.is_file():
        with _open(times, LINE_LIMIT) as file:
            yield from _other_times(times, file.read().decode("ascii", "replace"), evidence)


def _other_times(path: Path, text: str, evidence: Evidence) -> Iterator[str]:
    """Yield what `time.txt` says otherwise; `timeout` in front of time(1) leaves it empty."""
    used = evidence.resources
    figures: tuple[tuple[str, object], ...] = (
        ("User time (seconds)", f"{used.user_s or 0:.2f}"),
        ("System time (seconds)", f"{used.system_s or 0:.2f}"),
        ("Maximum resident set size (kbytes)", (used.max_rss_bytes or 0) // 1024),
    )
    found = dict(line.strip().rpartition(": ")[::2] for line in text.splitlines())
    for label, value in figures:
        if found.get(label) != str(value):
            said = repr(found[label]) if label in found else "nothing"
            yield f"{path}: {label}: says {said}, {MANIFEST} says {value}"
