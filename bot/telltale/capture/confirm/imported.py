"""Which code did a run import: the one in its own folder, the other one, or an installed copy."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePath

LIMIT = 16 * 1024 * 1024
_INSTALLED = frozenset({"site-packages", "dist-packages"})


def read(path: Path) -> Mapping[str, str]:
    """Return the modules of a run with their files; none when the run did not say."""
    try:
        if path.stat().st_size > LIMIT:
            return {}
        found = json.loads(path.read_text(encoding="utf-8", errors="replace"))
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {name: file for name, file in found.items() if isinstance(file, str)}


def inside(modules: Mapping[str, str], folder: Path) -> dict[str, Path]:
    """Return the modules whose files lie in the folder and are not installed there."""
    files = {name: Path(file) for name, file in modules.items()}
    return {name: file for name, file in files.items() if _is_below(file, folder)}


def roots(modules: Mapping[str, Path]) -> tuple[Path, ...]:
    """Return the folders from which the modules were imported, each once."""
    return tuple(dict.fromkeys(_roots(modules)))


def installed(modules: Mapping[str, str], packages: frozenset[str], *own: Path) -> str:
    """Return the file of a package of the project that came from elsewhere, empty when none did."""
    for name, file in sorted(modules.items()):
        if name in packages and not any(_is_below(Path(file), each) for each in own):
            return file
    return ""


def _is_below(file: PurePath, folder: Path) -> bool:
    try:
        inner = file.relative_to(folder)
    except ValueError:
        return False
    return not _INSTALLED & set(inner.parts)


def _roots(modules: Mapping[str, Path]) -> Iterator[Path]:
    for name, file in modules.items():
        parts = name.split(".")
        path = file.parent if file.name.startswith("__init__.") else file
        names = [each.partition(".")[0] for each in path.parts[-len(parts) :]]
        if names == parts:
            yield path.parents[len(parts) - 1]
