"""What is measured: Telltale and the others, as commands around the same pytest."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from tests.benchmarks.measure import Command
from tests.benchmarks.suites import ROOT, Suite

_QUIET = ("-m", "pytest", "-q", "-p", "no:cacheprovider")
_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "XDG_CACHE_HOME", "RUNNER_TOOL_CACHE")


def environ() -> dict[str, str]:
    """Return the variables of all measured commands: nothing that changes Python or pytest."""
    return {name: os.environ[name] for name in _KEPT if name in os.environ}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """Where the commands run, and with which Python."""

    folder: Path
    python: Path
    """Of an environment with pytest alone: its plugins would be loaded into every run."""
    plugins: Path | None
    """Folder with the packages of the other tools; without it they are not measured."""

    @property
    def output(self) -> Path:
        """Everything that the measured commands write."""
        return self.folder / "output"

    def clear(self) -> None:
        """Remove what a run has written, so that the next one finds the same."""
        shutil.rmtree(self.output, ignore_errors=True)
        self.output.mkdir()

    def bare(self, suite: Suite) -> Command:
        """Return pytest alone."""
        return self._command((str(self.python), *_QUIET, *suite.arguments))

    def telltale(self, suite: Suite) -> Command:
        """Return the same below `profile-tests` with every default."""
        run = (sys.executable, "-IS", str(ROOT / "bot/run.py"), "profile-tests")
        out = ("--out", str(self.output), "--", str(self.python), *_QUIET)
        return self._command((*run, *out, *suite.arguments))

    def others(self, suite: Suite) -> Iterator[tuple[str, Command]]:
        """Yield the others by name, the heavy one last."""
        bare = (str(self.python), *_QUIET)
        if time := shutil.which("time"):
            report = ("-v", "-o", str(self.output / "time.txt"))
            yield "GNU `time -v`", self._command((time, *report, *bare, *suite.arguments))
        junit = f"--junitxml={self.output / 'junit.xml'}"
        yield "`--junitxml`", self._command((*bare, junit, *suite.arguments))
        if self.plugins is not None:
            log = ("-p", "pytest_reportlog.plugin", f"--report-log={self.output / 'log.jsonl'}")
            yield "pytest-reportlog 1.0.0", self._plugin((*bare, *log, *suite.arguments))
            base = ("-p", "pytest_monitor.pytest_monitor", f"--db={self.output / 'monitor.db'}")
            monitor = self._plugin((*bare, *base, *suite.arguments))
            # At its end it asks a module of pytest 9 for what older ones had.
            yield "pytest-monitor 1.6.6", replace(monitor, may_fail=True)

    def _command(self, argv: tuple[str, ...]) -> Command:
        return Command(argv=argv, cwd=self.folder, env=environ())

    def _plugin(self, argv: tuple[str, ...]) -> Command:
        # By the path, not installed beside pytest, and loaded by name: only the one that is meant.
        more = {"PYTHONPATH": str(self.plugins), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        return Command(argv=argv, cwd=self.folder, env={**environ(), **more})
