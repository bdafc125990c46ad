"""What tests of every kind share."""

from __future__ import annotations

import fcntl
import filecmp
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.fake_github import FakeGitHub

if TYPE_CHECKING:
    from tests.object_store import ObjectStore

NPM = Path(__file__).parent / "npm"


@pytest.fixture(scope="session")
def npm_packages() -> Path:
    """The folder `tests/npm/node_modules`, installed from its lock file when it is not there."""
    modules, lock = NPM / "node_modules", NPM / "package-lock.json"
    stamp = modules / ".telltale-lock"  # the same one that scripts/test leaves
    name = hashlib.sha256(str(NPM).encode()).hexdigest()[:16]
    with (Path(tempfile.gettempdir()) / f"telltale-npm-{name}").open("w") as one_at_a_time:
        fcntl.flock(one_at_a_time, fcntl.LOCK_EX)
        if stamp.is_file() and filecmp.cmp(lock, stamp, shallow=False):
            return modules
        if shutil.which("npm") is None:
            pytest.fail("npm is missing: these tests need Node.js with npm; try scripts/test")
        command = ["npm", "ci", "--prefix", str(NPM), "--no-audit", "--no-fund"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.fail(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
        shutil.copyfile(lock, stamp)
    return modules


@pytest.fixture(scope="session")
def object_store_server() -> Iterator[ObjectStore]:
    """An S3 server with one bucket, for all tests of this process."""
    from tests.object_store import object_store  # noqa: PLC0415 - moto takes a second to import

    with object_store() as store:
        yield store


@pytest.fixture
def s3(object_store_server: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> Iterator[ObjectStore]:
    """The S3 server, which the test's variables name; every test takes a prefix of its own."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in object_store_server.environ().items():
        monkeypatch.setenv(name, value)
    object_store_server.requests.clear()
    yield object_store_server
    object_store_server.fault = None


@pytest.fixture
def github(npm_packages: Path) -> Iterator[FakeGitHub]:  # noqa: ARG001 - it reads them
    """A GitHub of this test's own; the test fails when anything broke GitHub's description."""
    with FakeGitHub() as fake:
        yield fake
        violations = fake.take_violations()
    assert not violations, "\n".join(violations)
