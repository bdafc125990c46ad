"""
`.github/telltale.yml`: what a project says about its own figures, read strictly.

A key that means nothing is an error, not a setting that silently does nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from telltale.compare.ceilings import OF_TESTS, WHOLE
from telltale.compare.settings import Better, Ceiling, NumberMeaning, Settings
from telltale.errors import ForgeError, UsageError
from telltale.forge import Forge

DEFAULT = ".github/telltale.yml"
MAX_BYTES = 64 * 1024


def load(path: str, forge: Forge | None = None) -> tuple[Settings, str]:
    """
    Return the settings in the file, none when it is the default one and not there; and a problem.

    With a forge, the file of the default branch is read, through the API: no
    pull request changes what it is judged by, and no checkout is needed. The
    problem says that this could not be done; a run is judged without settings
    then. `UsageError` names the file and the key that makes no sense.
    """
    try:
        text = forge.file(path) if forge is not None else _read(path)
    except ForgeError as error:
        return Settings(), f"{path} is not heeded: {error}"
    if text is None and path == DEFAULT:
        return Settings(), ""
    if text is None:
        raise UsageError(f"--config {path}: there is no such file; the default is {DEFAULT}")
    return parse(text, path), ""


def parse(text: str, where: str) -> Settings:
    """Return the settings that the YAML text holds; `UsageError` when it is not as documented."""
    if len(text) > MAX_BYTES:
        raise UsageError(f"{where}: more than {MAX_BYTES // 1024} KiB are no configuration")
    try:
        document = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        what = " ".join(str(error).split())[:200] or type(error).__name__
        raise UsageError(f"{where}: not YAML: {what}") from error
    top = _mapping(document if document is not None else {}, where, "", {"ceilings", "numbers"})
    return Settings(
        ceilings=tuple(
            _ceiling(entry, where, f"ceilings[{at}]")
            for at, entry in enumerate(_list(top.get("ceilings"), where, "ceilings"))
        ),
        numbers=tuple(
            _number(str(name), entry, where, f"numbers.{name}")
            for name, entry in _mapping(top.get("numbers") or {}, where, "numbers").items()
        ),
    )


def _read(path: str) -> str | None:
    try:
        return Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--config {path}: cannot be read: {error}") from error


def _ceiling(entry: Any, where: str, key: str) -> Ceiling:
    given = _mapping(entry, where, key, {"metric", "limit", "tests"})
    tests = _text(given.get("tests", ""), where, f"{key}.tests")
    known = sorted(OF_TESTS if tests else WHOLE)
    metric = given.get("metric")
    if metric not in known:
        of = "of tests" if tests else "of the whole run"
        raise _wrong(where, f"{key}.metric", f"one of {', '.join(known)} ({of})", metric)
    limit = _positive(given.get("limit"), where, f"{key}.limit")
    return Ceiling(metric=str(metric), limit=limit, tests=tests, origin=where)


def _positive(value: Any, where: str, key: str) -> float:
    usable = isinstance(value, int | float) and not isinstance(value, bool)
    if not usable or not math.isfinite(value) or value <= 0:
        raise _wrong(where, key, "a number above 0, of seconds, bytes or %", value)
    return float(value)


def _number(name: str, entry: Any, where: str, key: str) -> NumberMeaning:
    given = _mapping(entry, where, key, {"unit", "better"})
    better: Better
    if given.get("better") == "lower":
        better = "lower"
    elif given.get("better") == "higher":
        better = "higher"
    else:
        raise _wrong(where, f"{key}.better", "lower or higher", given.get("better"))
    unit = _text(given.get("unit", ""), where, f"{key}.unit")
    return NumberMeaning(name=name, unit=unit, better=better)


def _mapping(value: Any, where: str, key: str, known: set[str] | None = None) -> Mapping[Any, Any]:
    if not isinstance(value, Mapping):
        raise _wrong(where, key or "the file", "keys with values", value)
    unknown = [] if known is None else [str(name) for name in value if name not in known]
    if unknown:
        full = f"{key}.{unknown[0]}" if key else unknown[0]
        names = ", ".join(sorted(known or ()))
        raise UsageError(f"{where}: {full[:100]}: unknown key; known are {names}")
    return value


def _list(value: Any, where: str, key: str) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise _wrong(where, key, "a list", value)
    return value


def _text(value: Any, where: str, key: str) -> str:
    if not isinstance(value, str):
        raise _wrong(where, key, "a text", value)
    return value


def _wrong(where: str, key: str, expected: str, found: Any) -> UsageError:
    return UsageError(f"{where}: {key[:100]}: expected {expected}, got {str(found)[:60]!r}")
