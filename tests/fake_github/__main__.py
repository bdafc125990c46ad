"""The fake GitHub as a process: `python -m tests.fake_github --help`."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from pathlib import Path

from tests.fake_github.control import seed
from tests.fake_github.github import FakeGitHub, contract


def main() -> int:
    """Serve until a signal to end comes; 0 when nothing broke GitHub's description, else 1."""
    parser = argparse.ArgumentParser(prog="python -m tests.fake_github")
    parser.add_argument("--repository", default="octo/demo", help="the main repository")
    parser.add_argument("--port-file", type=Path, required=True, help="gets the port, once serving")
    parser.add_argument("--state", type=Path, help="gets the state as JSON after every change")
    parser.add_argument("--artifacts", type=Path, help="folder of act's artifact server, read live")
    parser.add_argument("--seed", type=Path, help="JSON list of steps, see control.py")
    options = parser.parse_args()
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    github = FakeGitHub(options.repository, artifacts=options.artifacts, state_file=options.state)
    try:
        if options.seed:
            seed(github, json.loads(options.seed.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{options.seed}: {error}\n")
        return 2
    try:
        contract()
    except OSError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    with github:
        part = options.port_file.with_name(f".{options.port_file.name}.part")
        part.write_text(github.url.rpartition(":")[2], encoding="ascii")
        part.replace(options.port_file)
        sys.stdout.write(f"serving on {github.url}\n")
        sys.stdout.flush()
        ended.wait()
    for violation in github.violations:
        sys.stderr.write(f"{violation}\n")
    return 1 if github.violations else 0


if __name__ == "__main__":
    sys.exit(main())
