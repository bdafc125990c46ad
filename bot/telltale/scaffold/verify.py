"""Run a scaffold and read what came out."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from telltale.errors import ScaffoldError

RUNNER = "run_test.sh"
SLACK_S = 30.0
"""Beyond the budget, before the scaffold itself is given up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What one run of a scaffold showed."""

    exit_status: int
    """1 reproduced with the same signature, 0 not, 2 could not run, 3 failed in another way."""
    said: str
    """The same in one sentence, with the numbers."""
    signature: str
    tries: int = 0
    same: int = 0
    """Tries that failed with the signature."""
    other: int = 0
    """Tries that failed otherwise."""
    amplifier: str = ""
    """The one that reproduced it."""
    first_hit_s: float | None = None
    rate_tries: int = 0
    """Tries after the first failure, counted for the rate; 0 when none was asked for."""
    rate_same: int = 0
    log: Path | None = None
    """Of the try that reproduced it."""

    @property
    def reproduced(self) -> bool:
        """Whether the failure came again with the same signature."""
        return self.exit_status == 1


def reproduce(
    folder: Path,
    *,
    source: Path,
    budget_s: float,
    rate: bool = False,
    environ: Mapping[str, str] | None = None,
) -> Result:
    """
    Run the scaffold's own script against the checkout `source` and return what it wrote.

    What it prints goes to our output as it comes. `environ` is its whole
    environment, ours when None. Raises `ScaffoldError` when `folder` is no
    scaffold, or when the script broke before it wrote a result.
    """
    script = folder / RUNNER
    if not script.is_file():
        raise ScaffoldError(f"{folder} is no scaffold: there is no {RUNNER} in it")
    before = len(_document(folder)["results"])
    command = ["bash", str(script.resolve()), "--source", str(source), "--budget", f"{budget_s:g}"]
    try:
        status = subprocess.run(
            [*command, *(["--rate"] if rate else [])],
            stdin=subprocess.DEVNULL,
            env=dict(environ) if environ is not None else None,
            timeout=budget_s + SLACK_S,
            check=False,
        ).returncode
    except subprocess.TimeoutExpired:
        raise ScaffoldError(f"{script} did not end within {budget_s + SLACK_S:g} s") from None
    except OSError as error:
        raise ScaffoldError(f"{script} cannot be started: {error}") from error
    sys.stdout.flush()
    results = _document(folder)["results"]
    if len(results) == before:
        raise ScaffoldError(f"{script} ended with status {status} and wrote no result: see above")
    return _result(folder, status, results[-1])


def _document(folder: Path) -> dict[str, list[dict[str, object]]]:
    path = folder / "reproduce.json"
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ScaffoldError(f"{path} cannot be read: {error}") from error
    if not isinstance(document, dict) or not isinstance(document.get("results"), list):
        raise ScaffoldError(f"{path} is no scaffold's: it holds no list of results")
    return document


def _result(folder: Path, status: int, found: Mapping[str, object]) -> Result:
    def number(key: str) -> int:
        value = found.get(key)
        return value if isinstance(value, int) else 0

    first = found.get("first_hit_s")
    log = str(found.get("log") or "")
    return Result(
        exit_status=status,
        said=str(found.get("said", "")),
        signature=str(_document(folder).get("signature", "")),
        tries=number("tries"),
        same=number("same"),
        other=number("other"),
        amplifier=str(found.get("amplifier", "")),
        first_hit_s=float(first) if status == 1 and isinstance(first, int | float) else None,
        rate_tries=number("rate_tries"),
        rate_same=number("rate_same"),
        log=folder / log if log else None,
    )
