"""
speedscope's file format: read what a sampling profiler wrote, join several, fold them into stacks.

Source: https://www.speedscope.app/file-format-schema.json, the `sampled`
kind of profile alone.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from telltale.patterns import pattern

SCHEMA = "https://www.speedscope.app/file-format-schema.json"
MAX_BYTES = 96 * 1024 * 1024
"""Of one recording: more is not read, since Python's lists need some times as much."""

_COMMAND_LINE = pattern(r"^(process \d+):\".*", re.DOTALL)
_RAW_COMMAND_LINE = pattern(rb'"process (\d+):\\"(?:[^"\\]|\\.)*"')

Stacks = Counter[tuple[str, ...]]
"""How often each stack was seen, outermost frame first."""


class _Whole(dict[str, int]):
    """Every number once: a recording names the same few frames millions of times."""

    def __missing__(self, text: str) -> int:
        return self.setdefault(text, int(text))


def read(path: Path) -> dict[str, Any]:
    """Return a recording; `ValueError` or `OSError` says why it cannot be read."""
    if (size := path.stat().st_size) > MAX_BYTES:
        raise ValueError(f"it has {size} bytes, of which at most {MAX_BYTES} are read")
    document = json.loads(path.read_bytes(), parse_int=_Whole().__getitem__)
    if not isinstance(document, dict) or not isinstance(document.get("profiles"), list):
        raise TypeError("it is no speedscope file")
    return document


def without_command_lines(path: Path) -> None:
    """Take the command lines out of a recording that nobody has the time to read; raises `OSError`."""
    if path.stat().st_size <= MAX_BYTES:
        path.write_bytes(_RAW_COMMAND_LINE.sub(rb'"process \1"', path.read_bytes()))


def join(
    recordings: Sequence[Mapping[str, Any]], name: str, redact: Callable[[str], str]
) -> dict[str, Any]:
    """Return one file with the profiles of all recordings, its names and paths redacted."""
    frames: list[dict[str, Any]] = []
    profiles: list[dict[str, Any]] = []
    for recording in recordings:
        offset = len(frames)
        frames += [_redacted(frame, redact) for frame in recording["shared"]["frames"]]
        for profile in recording["profiles"]:
            samples = profile["samples"]
            if offset:
                samples = [[frame + offset for frame in sample] for sample in samples]
            profiles.append({**profile, "name": redact(profile["name"]), "samples": samples})
    return {
        "$schema": SCHEMA,
        "name": name,
        "exporter": recordings[0].get("exporter", "") if recordings else "",
        "activeProfileIndex": 0,
        "shared": {"frames": frames},
        "profiles": profiles,
    }


def fold(document: Mapping[str, Any]) -> Stacks:
    """Return the stacks of all profiles; each begins with its profile's name, lines are left out."""
    names = [_function(frame) for frame in document["shared"]["frames"]]
    stacks: Stacks = Counter()
    for profile in document["profiles"]:
        for sample in profile["samples"]:
            stack = (profile["name"], *(names[frame] for frame in sample))
            stacks[stack] += 1
    return stacks


def hottest(stacks: Stacks, limit: int) -> list[tuple[str, int]]:
    """Return the innermost frames that were seen most often, and how often."""
    own: Counter[str] = Counter()
    for stack, count in stacks.items():
        own[stack[-1]] += count
    return own.most_common(limit)


def _redacted(frame: Mapping[str, Any], redact: Callable[[str], str]) -> dict[str, Any]:
    found = dict(_texts(frame, redact))
    # py-spy puts whole command lines among the frames.
    return {**found, "name": _COMMAND_LINE.sub(r"\1", found["name"])}


def _texts(frame: Mapping[str, Any], redact: Callable[[str], str]) -> Iterator[tuple[str, Any]]:
    for key, value in frame.items():
        if value is not None:  # the schema knows no null
            yield key, redact(value) if isinstance(value, str) else value


def _function(frame: Mapping[str, Any]) -> str:
    name, file = str(frame["name"]), str(frame.get("file") or "")
    return f"{name} ({'/'.join(file.split('/')[-2:])})" if file else name
