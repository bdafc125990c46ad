"""What came out: counted, worded, and written into `reproduce.json` and README.md."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any, NamedTuple

REPRODUCED, NOT_REPRODUCED, COULD_NOT_RUN, OTHERWISE = 1, 0, 2, 3
"""Exit statuses of the scaffold."""
BEGIN, END = "<!-- telltale:results -->", "<!-- /telltale:results -->"
CONFIDENCE = 0.95
_Z = 1.959964
"""Standard normal quantile of a two-sided interval at 95 %."""


class Result(NamedTuple):
    """One run of the scaffold."""

    status: int
    said: str
    """In one sentence."""
    started_at: str
    seconds: float
    amplifier: str = ""
    """The one that reproduced it."""
    plan: str = ""
    """What it did in that try."""
    log: str = ""
    """Of that try, relative to the scaffold."""
    first_hit_s: float = 0.0
    tries: int = 0
    same: int = 0
    other: int = 0
    executions: int = 0
    rate_tries: int = 0
    """Tries of the amplifier that reproduced it, after its first hit, when asked for a rate."""
    rate_same: int = 0
    commit: str = ""
    python: str = ""
    amplifiers: tuple[dict[str, Any], ...] = ()
    """What each did: name, tries, same, other, executions, seconds."""


def wilson(hits: int, tries: int) -> tuple[float, float]:
    """Return the 95 % interval of a rate; Wilson, as on Wikipedia's page on binomial proportions."""
    if not tries:
        return 0.0, 1.0
    rate, z2 = hits / tries, _Z * _Z
    middle = (rate + z2 / (2 * tries)) / (1 + z2 / tries)
    half = _Z * math.sqrt(rate * (1 - rate) / tries + z2 / (4 * tries * tries)) / (1 + z2 / tries)
    low = 0.0 if not hits else max(0.0, middle - half)
    high = 1.0 if hits == tries else min(1.0, middle + half)
    return low, high


def upper_bound(tries: int) -> float:
    """Return the largest rate at which `tries` passes in a row still happen one time in twenty."""
    return 1.0 - (1.0 - CONFIDENCE) ** (1.0 / tries) if tries else 1.0


def percent(rate: float) -> str:
    """Return the rate as people write it."""
    return f"{100 * rate:.2g} %" if rate < 0.0995 else f"{100 * rate:.0f} %"


def count(number: int, one: str, many: str) -> str:
    """Return a number of things: `1 try`, `2 tries`."""
    return f"{number} {one if number == 1 else many}"


def rate_in_words(hits: int, tries: int) -> str:
    """Say how often it fails, with the interval."""
    low, high = wilson(hits, tries)
    interval = f"95 % interval {percent(low)} to {percent(high)}"
    always = "every time: " if hits == tries and tries >= 5 else ""
    of = count(tries, "try", "tries")
    return f"{always}{hits} of {of}, {percent(hits / tries)}, {interval}"


def record(folder: Path, spec: dict[str, Any], result: Result) -> None:
    """Add the result to `reproduce.json` and README.md. Raises `OSError`."""
    entry = result._asdict()
    entry["exit_status"] = entry.pop("status")
    if result.rate_tries:
        low, high = wilson(result.rate_same, result.rate_tries)
        entry["rate"] = {
            "same": result.rate_same,
            "tries": result.rate_tries,
            "low": low,
            "high": high,
            "confidence": CONFIDENCE,
        }
    spec.setdefault("results", []).append(entry)
    _replace(folder / "reproduce.json", json.dumps(spec, indent=2, ensure_ascii=False) + "\n")
    readme = folder / "README.md"
    text = readme.read_text(encoding="utf-8") if readme.exists() else ""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if begin and end:
        _replace(readme, f"{before}{BEGIN}\n\n{_table(spec['results'])}\n{END}{after}")


def _table(results: list[dict[str, Any]]) -> str:
    lines = [
        "| When | Exit status | Result | Tries | With the signature | Otherwise | First after | Log |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for one in results[-20:]:
        first = f"{one['first_hit_s']:.1f} s" if one["same"] else ""
        said = _cell(one["said"])
        log = f"`{one['log']}`" if one["log"] else ""
        lines.append(
            f"| {one['started_at']} | {one['exit_status']} | {said} | {one['tries']}"
            f" | {one['same']} | {one['other']} | {first} | {log} |"
        )
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    # A failure's words are anybody's: inside a code span they are no Markdown, and no row's end.
    plain = "".join(char if char.isprintable() else " " for char in text)
    fence = "`" * (1 + max((len(run) for run in _runs_of_backticks(plain)), default=0))
    return f"{fence} {plain[:300]} {fence}".replace("|", "\\|")


def _runs_of_backticks(text: str) -> list[str]:
    return [run for run in "".join(char if char == "`" else " " for char in text).split() if run]


def _replace(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.write_text(text, encoding="utf-8", errors="backslashreplace")
    temporary.replace(path)
