"""
Failures, projects and runs for the tests of scaffolds.

`PYTHONPATH=bot python -m tests.unit.scaffold_cases` writes the golden files anew.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from telltale.flaky.signature import name_failure
from telltale.model import Command, Failure, Host, Source
from telltale.scaffold import Request, write

GOLDEN = Path(__file__).resolve().parent.parent / "data" / "golden" / "scaffold"
GOLDEN_FILES = ("README.md", "run_test.sh", "reproduce.json", "logs/original.txt")

RACE = """\
    def test_read(cache):
>       cache.read()

tests/test_cache.py:12:
_ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _

    def read(self):
>           raise RuntimeError(f"changed while it was read, at {id(self):#x}")
E           RuntimeError: changed while it was read, at 0x7f37d042b780

src/shop/cache.py:31: RuntimeError
"""


def failure(nodeid: str, text: str, message: str = "") -> Failure:
    """Return the failure with the name that the history gives it."""
    named = name_failure(test=nodeid, text=text)
    said = [line for line in text.splitlines() if line.startswith("E ")]
    return Failure(
        nodeid=nodeid,
        kind=named.kind,
        signature=named.signature,
        message=message or (said[0][1:].strip() if said else text.splitlines()[0]),
        text=text,
    )


def golden_request() -> Request:
    """Return a failure with everything that a scaffold can know."""
    return Request(
        failure=failure("tests/test_cache.py::TestCache::test_read[four workers]", RACE),
        command=Command(
            argv=(
                *("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c"),
                (
                    "make fixtures\nexport SHOP_MODE=fast\n"
                    "python -X dev -m pytest -q -n 4 -m 'not slow' --timeout=20"
                    " --junitxml=junit.xml tests"
                ),
            ),
            cwd=".",
            env={
                "OMP_NUM_THREADS": "4",
                "GREETING": "it's $(date) & `id`",
                "API_TOKEN": "[redacted]",
                "PATH": "/opt/bin",
            },
            timeout_s=600.0,
        ),
        source=Source(
            repository="octo/shop",
            sha="1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d",
            ref="refs/heads/main",
            dirty=False,
        ),
        before=(("tests/test_basket.py::test_add", 0.12), ("tests/test_cache.py::test_new", 0.01)),
        duration_s=0.25,
        exit_code=1,
        host=Host(fingerprint="00ff", parts={"cpu": "AMD EPYC", "cpus": "2", "python": "3.11"}),
        environ={"CI": "true", "PYTHONPATH": "/home/runner/work/shop/src", "TERM": "dumb"},
        packages=("numpy==2.1.0", "pytest==9.0.1"),
        job="unit tests",
        date="2026-11-22T10:15:16Z",
        frequency="3 of 41 executions",
        url="https://github.com/octo/shop/actions/runs/7",
        log="1 failed, 40 passed in 2.75s\n",
    )


def golden(out: Path) -> dict[str, str]:
    """Write the golden scaffold and return the files that tests compare."""
    folder = write(golden_request(), out)
    return {name: (folder / name).read_text(encoding="utf-8") for name in GOLDEN_FILES}


def project(folder: Path, files: Mapping[str, str]) -> Path:
    """Make a checkout with the files in one commit, and return its root."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    who = ("-c", "user.name=Ann", "-c", "user.email=ann@example.org")
    for command in (("init", "-q"), ("add", "-A"), (*who, "commit", "-q", "-m", "all")):
        subprocess.run(["git", *command], cwd=folder, check=True)
    return folder


def request(
    nodeid: str,
    text: str,
    *,
    argv: tuple[str, ...] = ("python", "-m", "pytest", "-q"),
    before: tuple[str, ...] = (),
    env: Mapping[str, str] | None = None,
    cwd: str = ".",
    exit_code: int | None = 1,
    timeout_s: float | None = None,
) -> Request:
    """Return a failure of a fast test in a checkout of unknown commit."""
    return Request(
        failure=failure(nodeid, text),
        command=Command(argv=argv, cwd=cwd, env=env or {}, timeout_s=timeout_s),
        source=Source(),
        before=tuple((name, 0.001) for name in before),
        duration_s=0.001,
        exit_code=exit_code,
    )


def run_scaffold(
    folder: Path, source: Path, *args: str, env: Mapping[str, str] | None = None
) -> tuple[int, str]:
    """Run `run_test.sh` with this interpreter's environment; return its status and output."""
    python = Path(sys.executable)
    done = subprocess.run(
        [folder / "run_test.sh", "--source", source, *args],
        cwd="/",
        env={
            **os.environ,
            # A test that does not go as it should must not take five minutes.
            "TELLTALE_BUDGET": "100",
            "PATH": f"{python.parent}:{os.environ['PATH']}",
            "VIRTUAL_ENV": str(python.parent.parent),
            **(env or {}),
        },
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as scratch:
        for name, text in golden(Path(scratch)).items():
            target = GOLDEN / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
