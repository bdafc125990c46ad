"""
Profilers that run inside pytest, in the user's Python.

`plugin/telltale_profile.py` does the recording there; this is the runner's
side of it. pytest finds it as it finds the probe: through PYTHONPATH and an
entry point.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from telltale.capture.profilers.interface import Place, Profiler

HERE = Path(__file__).resolve().parent / "plugin"
SETTINGS = "TELLTALE_PROFILE_SETTINGS"
TORCH_TESTS = "TELLTALE_TORCH_PROFILE"


class InsideProfiler(Profiler):
    """A profiler whose recording is made by the plugin in `plugin/`."""

    package: ClassVar[str] = ""
    """What the command's Python must have besides pytest; empty for the standard library."""

    def missing(self, place: Place) -> str:
        """Ask the command's Python for pytest and for the profiler's package."""
        python = place.python
        if python is None:
            return f"{self.name} runs inside pytest, and the command names no Python"
        for package in filter(None, ("pytest", self.package)):
            if python.packages is not None and not _has(python.packages, package):
                return (
                    f"{package} is not installed in the command's Python, {python.path}:"
                    f" pip install {package}, in the job's own setup"
                )
        return ""

    def recorded(self, place: Place, suffix: str) -> list[Path]:
        """Return the recordings of all processes, the largest first."""
        found = place.folder.glob(f"{self.name}-*{suffix}")
        return sorted(found, key=lambda path: (-path.stat().st_size, path.name))

    def why_nothing(self, place: Place) -> str:
        """Return what the plugin says of why there is no recording, in one line."""
        reasons = []
        for path in sorted(place.folder.glob(f"{self.name}-*.failed")):
            reasons += path.read_text(encoding="utf-8", errors="replace").splitlines()
            path.unlink()
        return "; ".join(dict.fromkeys(reasons))[:300]


NO_SESSION = (
    "no pytest session wrote one: it was killed first, or did not load Telltale's plugin"
    " (tox, sudo, a container, python -I, PYTEST_DISABLE_PLUGIN_AUTOLOAD)"
)


def environ(
    child: Mapping[str, str], by: Sequence[str], folder: Path, *, was: str | None
) -> dict[str, str]:
    """
    Return the command's environment with the plugin in it, for the profilers named `by`.

    `was` is PYTHONPATH before Telltale: None when it was not set.
    """
    before = child.get("PYTHONPATH", "")
    settings = {
        "folder": str(folder),
        "by": list(by),
        "was": was,
        "test": child.get("PYTEST_CURRENT_TEST", ""),
        "torch_tests": child.get(TORCH_TESTS, ""),
    }
    return {
        **child,
        "PYTHONPATH": f"{before}{os.pathsep}{HERE}" if before else str(HERE),
        SETTINGS: json.dumps(settings),
    }


def ask(place: Place, *args: str, seconds: float) -> str:
    """
    Run the command's Python and return what it prints.

    Raises `OSError` or `subprocess.SubprocessError`, also when it takes longer.
    """
    assert place.python is not None  # noqa: S101  # else it is `missing`
    answer = subprocess.run(
        [place.python.path, *args],
        env=dict(place.environ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=seconds,
        check=True,
    )
    return answer.stdout.decode("utf-8", "replace")


def _has(packages: Mapping[str, str], name: str) -> bool:
    return any(each.lower() == name for each in packages)
