"""The foreign actions that workflows use, mounted in place of what act would download."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
NODE_MODULES = ROOT / "tests/npm/node_modules"

USES = re.compile(r"^\s*(?:-\s+)?uses:\s*(actions/[\w-]+)@(\S+)", re.MULTILINE)


def build(folder: Path) -> dict[str, Path]:
    """Put the stand-ins under `folder`; return the folder of each by the action's name."""
    actions = {"actions/checkout": "checkout", "actions/upload-artifact": "upload_artifact"}
    for source in actions.values():
        shutil.copytree(HERE / source, folder / source)
    _bundle(folder / "upload_artifact")
    return {name: folder / source for name, source in actions.items()}


def pins(folders: Iterable[Path]) -> Iterator[tuple[str, str]]:
    """Each (action, ref) of the `actions` organisation that the YAML files in `folders` use."""
    files = (file for folder in folders for file in folder.rglob("*.y*ml"))
    found = (USES.findall(file.read_text(encoding="utf-8")) for file in files if file.is_file())
    yield from sorted({pin for pins_of_file in found for pin in pins_of_file})


def telltale_as_downloaded(folder: Path) -> Path:
    """
    Copy what a commit of the working tree would hold to `folder`.

    The checkout itself cannot be mounted: act archives the whole folder for
    every step, virtual environment and node_modules included.
    """
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate"],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        check=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        source = ROOT / name
        if source.is_file():  # a deleted file is listed until it is committed
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    return folder


def _bundle(action: Path) -> None:
    """Make one file of index.mjs and its packages: act copies an action for every step."""
    esbuild = NODE_MODULES / ".bin/esbuild"
    if not esbuild.exists():
        msg = f"{esbuild} is missing: run `npm ci` in {NODE_MODULES.parent.relative_to(ROOT)}"
        raise FileNotFoundError(msg)
    subprocess.run(
        [
            *(str(esbuild), "index.mjs", "--outfile=index.js", "--log-level=warning"),
            *("--bundle", "--platform=node", "--target=node20", "--keep-names"),
        ],
        cwd=action,
        env=os.environ | {"NODE_PATH": str(NODE_MODULES)},
        check=True,
    )
