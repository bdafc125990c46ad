"""What a scaffold knows about its failure, and where the code under test is."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

SCHEMA = "telltale.reproduce/1"


class CannotRunError(Exception):
    """The stress test cannot run here; the message says why and what to type."""


class Code(NamedTuple):
    """A checkout of the code under test."""

    root: Path
    cwd: Path
    """Where the command runs."""
    base: Path
    """What the files of nodeids are relative to."""
    nodeid: str
    """The test; empty when the whole command is repeated."""
    sha: str
    """Its commit, empty when unknown."""
    warnings: list[str]


def load(folder: Path) -> dict[str, Any]:
    """Return `reproduce.json` of the scaffold; `CannotRunError` when it is not one."""
    path = folder / "reproduce.json"
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CannotRunError(f"{path} cannot be read: {error}") from error
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise CannotRunError(f"{path} is not a scaffold of schema {SCHEMA}")
    return document


def find_code(spec: dict[str, Any], source: str) -> Code:
    """Return the checkout at `source`; `CannotRunError` when it does not hold the test."""
    root = Path(source).resolve()
    if not root.is_dir():
        raise CannotRunError(f"--source {source}: there is no such folder")
    cwd = root if Path(spec["cwd"]).is_absolute() else root / spec["cwd"]
    if not cwd.is_dir():
        raise CannotRunError(_elsewhere(spec, root, f"has no folder {spec['cwd']!r}"))
    sha, dirty = _commit(root)
    nodeid, base = _locate(spec, root, cwd)
    return Code(
        root=root,
        cwd=cwd,
        base=base,
        nodeid=nodeid,
        sha=sha,
        warnings=_differences(spec, root, sha=sha, dirty=dirty),
    )


def _locate(spec: dict[str, Any], root: Path, cwd: Path) -> tuple[str, Path]:
    nodeid = spec["nodeid"] if spec["pytest"] else ""
    if not nodeid:
        return "", cwd
    between = [folder for folder in cwd.parents if folder == root or root in folder.parents]
    bases = [cwd, *between, *(cwd / folder for folder in spec["pytest"]["folders"])]
    for candidate in [nodeid, *_from_junit(nodeid)]:
        for base in bases:
            if (base / candidate.split("::")[0]).is_file():
                return candidate, base
    raise CannotRunError(_elsewhere(spec, root, f"does not hold {nodeid.split('::')[0]}"))


def _from_junit(nodeid: str) -> list[str]:
    """Return what `package.test_module.Class::test` may be called by pytest."""
    where, _, test = nodeid.partition("::")
    parts = where.split(".")
    if where.endswith(".py") or not test:
        return []
    return [
        "::".join(["/".join(parts[:cut]) + ".py", *parts[cut:], test])
        for cut in range(len(parts), 0, -1)
    ]


def _elsewhere(spec: dict[str, Any], root: Path, what: str) -> str:
    code = " at ".join(filter(None, (spec["source"]["repository"], spec["source"]["sha"][:12])))
    return (
        f"{root} {what}: run this from a checkout of {code or 'the code under test'},"
        " or name one with --source DIR"
    )


def _commit(root: Path) -> tuple[str, bool]:
    def git(*args: str) -> str:
        command = ["git", "-C", str(root), *args]
        return subprocess.run(
            command, capture_output=True, text=True, timeout=30, check=False
        ).stdout.strip()

    try:
        sha = git("rev-parse", "HEAD")
        return sha, bool(sha and git("status", "--porcelain", "--untracked-files=no"))
    except (OSError, subprocess.SubprocessError):
        return "", False


def _differences(spec: dict[str, Any], root: Path, *, sha: str, dirty: bool) -> list[str]:
    wanted = spec["source"]["sha"]
    found: list[str] = []
    if wanted and not sha:
        found.append(f"cannot tell which commit {root} is; the failure was at {wanted[:12]}")
    elif wanted and sha != wanted:
        found.append(
            f"this checkout is at {sha[:12]}, the failure was at {wanted[:12]}:"
            f" git -C {root} checkout {wanted[:12]}"
        )
    if dirty:
        found.append(f"{root} has changed files that the failed run did not have")
    return found
