"""`profile-tests --confirm`: real runs of a small project in a real repository, without any package of ours."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from telltale import bundle
from telltale.errors import UsageError
from telltale.history import open_history
from telltale.history.record import make_record
from telltale.model import Confirmation, Evidence, Outcome, Resources, TestOutcome, Verdict
from telltale.options import Invocation
from telltale.records import Origin
from telltale.verbs import paired
from tests.support import assert_valid_bundle

ROOT = Path(__file__).parents[2]
SLOWER, STEADY, NEW = (f"tests/test_it.py::test_{name}" for name in ("slower", "steady", "new"))

PACKAGE = """
import time

def work(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass

def step():
    work({work_s})
"""
TESTS = """
import time
import pkg

def test_slower():
    time.sleep(0.05)
    pkg.step()

def test_steady():
    time.sleep(0.05)
"""
NEW_TEST = """
def test_new():
    time.sleep(0.05)
"""
ENVIRON = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "a",
    "GIT_AUTHOR_EMAIL": "a@example.org",
    "GIT_COMMITTER_NAME": "a",
    "GIT_COMMITTER_EMAIL": "a@example.org",
}


@dataclass(frozen=True, kw_only=True)
class Project:
    """A checkout on a branch that made `step` slower and added a test, and its history."""

    folder: Path
    history: Path

    def profile(
        self, *options: str, environ: Mapping[str, str] | None = None, imports: str = ""
    ) -> tuple[Evidence, str]:
        """Run the tests under `profile-tests`; return the manifest and what was said."""
        paths = f"PYTHONPATH={imports or self.folder / 'src'}"
        out = self.folder.parent / "evidence"
        shutil.rmtree(out, ignore_errors=True)
        done = subprocess.run(
            [*start(self, out), *options, *command(paths)],
            cwd=self.folder,
            env={**ENVIRON, "TMPDIR": str(self.temporary), **(environ or {})},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        (found,) = bundle.find([out])
        assert left(self) == []
        assert git(self.folder, "status", "--porcelain") == ""
        assert len(git(self.folder, "worktree", "list").splitlines()) == 1
        return assert_valid_bundle(found), done.stderr

    @property
    def bundle(self) -> Path:
        (found,) = bundle.find([self.folder.parent / "evidence"])
        return found

    @property
    def temporary(self) -> Path:
        folder = self.folder.parent / "tmp"
        folder.mkdir(exist_ok=True)
        return folder


def left(project: Project) -> list[Path]:
    """Return what runs left beside their shelf of bytecode."""
    return [each for each in project.temporary.iterdir() if each.name != f"telltale-{os.getuid()}"]


def start(project: Project, out: Path) -> list[str]:
    program = [sys.executable, "-IS", str(ROOT / "bot/run.py"), "profile-tests", "--out", str(out)]
    return [*program, "--history", str(project.history), "--confirm-budget", "600"]


def command(paths: str) -> list[str]:
    pytest = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    return ["--env", paths, "--", *pytest]


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, env=ENVIRON, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The project, with a history in which every test took no time."""
    top = tmp_path_factory.mktemp("confirm")
    project = Project(folder=top / "project", history=top / "history")
    files = {
        ".gitignore": "__pycache__/\n",
        "src/pkg/__init__.py": PACKAGE.format(work_s=0.0),
        "tests/test_it.py": TESTS,
    }
    for name, text in files.items():
        path = project.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    git(project.folder, "init", "-q", "-b", "main")
    git(project.folder, "add", "-A")
    git(project.folder, "commit", "-qm", "base")
    git(project.folder, "checkout", "-q", "-b", "topic")
    (project.folder / "src/pkg/__init__.py").write_text(PACKAGE.format(work_s=0.08), "utf-8")
    (project.folder / "tests/test_it.py").write_text(TESTS + NEW_TEST, encoding="utf-8")
    git(project.folder, "commit", "-qam", "slower")
    project.profile("--confirm", "never")
    record = make_record(project.bundle, Origin())
    quick = tuple(replace(each, duration_s=0.001, cpu_s=None) for each in record.tests)
    # Of the whole run nothing is known: it is no suspect.
    record = replace(record, tests=quick, resources=Resources())
    runs = [
        replace(record, id=f"{n:032x}", started_at=f"2026-01-0{n}T00:00:00Z") for n in range(1, 7)
    ]
    open_history(str(project.history), cwd=top).add(runs)
    return project


@pytest.fixture
def project(made: Project, tmp_path: Path) -> Project:
    folder = tmp_path / "project"
    shutil.copytree(made.folder, folder)
    return Project(folder=folder, history=made.history)


def by_name(evidence: Evidence, metric: str = "cpu_s") -> dict[str, Confirmation]:
    return {each.nodeid: each for each in evidence.confirmations if each.metric == metric}


def test_of_three_suspects_the_one_that_became_slower_is_confirmed(made: Project) -> None:
    evidence, said = made.profile()

    found = by_name(evidence)
    assert (found[SLOWER].verdict, found[SLOWER].wins) == (Verdict.REGRESSION, 25)
    assert found[STEADY].verdict is Verdict.UNCHANGED, found[STEADY].reason
    assert (found[NEW].verdict, found[NEW].reason) == (
        Verdict.UNDECIDED,
        "it is not in the base: new in head",
    )
    assert {each.nodeid for each in by_name(evidence, "duration_s").values()} == set(found)
    assert f"confirm: 3 suspects; the base is {git(made.folder, 'rev-parse', 'main')[:12]}" in said
    document = json.loads((made.bundle / "analysis/confirmation.json").read_text("utf-8"))
    assert document["base"] == git(made.folder, "rev-parse", "main")
    assert [each["nodeid"] for each in document["confirmations"]] == [
        each.nodeid for each in evidence.confirmations
    ]
    summary = (made.bundle / "analysis/summary.md").read_text("ascii")
    assert "- 3 suspects: 1 confirmed slower, 1 not, 1 undecided" in summary
    record = make_record(made.bundle, Origin())
    assert record.confirmations == evidence.confirmations


def copied(project: Project, folder: Path) -> str:
    """Install the code under test as `pip install .` does; return the folder to import it from."""
    shutil.copytree(project.folder / "src/pkg", folder / "pkg")
    return str(folder)


def test_an_installed_copy_that_both_import_is_no_measurement(
    project: Project, tmp_path: Path
) -> None:
    leads = copied(project, tmp_path / "lib/site-packages")

    evidence, _ = project.profile(imports=leads)

    assert evidence.confirmations == ()
    (found,) = [each for each in evidence.findings if "not confirmed" in each]
    assert "both ran the same code: the package is installed from" in found
    assert "site-packages/pkg; set confirm-build" in found


def test_what_is_built_for_the_base_is_what_the_base_imports(
    project: Project, tmp_path: Path
) -> None:
    leads = copied(project, tmp_path / "lib/site-packages")
    build = 'echo built; cp -R src/pkg "$TELLTALE_SITE"'

    evidence, _ = project.profile("--confirm-build", build, imports=leads)

    assert by_name(evidence)[SLOWER].verdict is Verdict.REGRESSION
    assert (project.bundle / "logs/confirm-build.log").read_text("utf-8") == "built\n"


def test_a_build_that_fails_is_said(project: Project) -> None:
    evidence, _ = project.profile("--confirm-build", "echo no compiler >&2; false")

    assert evidence.confirmations == ()
    assert any(
        "--confirm-build ended with status 1; its output is in logs/confirm-build.log" in each
        for each in evidence.findings
    )
    assert (project.bundle / "logs/confirm-build.log").read_text("utf-8") == "no compiler\n"


def test_code_that_is_installed_for_editing_is_taken_from_the_base_all_the_same(
    project: Project, tmp_path: Path
) -> None:
    # As an editable install: the environment itself leads to the checkout.
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(
        f"import sys\nsys.path.append({str(project.folder / 'src')!r})\n", encoding="utf-8"
    )

    evidence, _ = project.profile(imports=str(site))

    assert by_name(evidence)[SLOWER].verdict is Verdict.REGRESSION, evidence.findings


def once(project: Project, place: Path, then: str) -> None:
    """Let the steady test do something from its second execution on."""
    first = f"    if not os.path.exists({str(place)!r}): return open({str(place)!r}, 'w').close()\n"
    text = TESTS + first + f"    {then}\n" + NEW_TEST
    (project.folder / "tests/test_it.py").write_text(f"import os\n{text}", encoding="utf-8")
    git(project.folder, "commit", "-qam", "another time")


def test_a_suspect_that_fails_when_it_is_run_again_is_undecided(
    project: Project, tmp_path: Path
) -> None:
    once(project, tmp_path / "ran", "assert False, 'the second time'")

    evidence, _ = project.profile("--confirm-budget", "600")

    found = by_name(evidence)
    assert found[STEADY].verdict is Verdict.UNDECIDED
    assert found[STEADY].reason.startswith("it failed when it was run again in head: ")
    assert found[SLOWER].verdict is Verdict.REGRESSION


def test_a_budget_that_is_too_small_leaves_suspects_out(project: Project) -> None:
    evidence, _ = project.profile("--confirm-budget", "0.2")

    assert evidence.confirmations == ()
    assert any("3 suspects not measured again: --confirm-budget" in e for e in evidence.findings)


@pytest.mark.parametrize(
    ("how", "event", "expected"),
    [("auto", "push", False), ("auto", "pull_request", True), ("always", "push", True)],
)
def test_by_itself_only_changes_are_measured_again(
    project: Project, tmp_path: Path, how: str, event: str, expected: bool
) -> None:
    payload = tmp_path / "event.json"
    payload.write_text(json.dumps({"pull_request": {}}), encoding="utf-8")
    job = {"GITHUB_ACTIONS": "true", "GITHUB_RUN_ID": "1", "GITHUB_EVENT_PATH": str(payload)}

    environ = {**job, "GITHUB_EVENT_NAME": event}
    evidence, said = project.profile("--confirm", how, environ=environ)

    # Neither event says enough to find anything: whoever looks at all says so.
    looked = "confirm:" in said or any("not confirmed: " in each for each in evidence.findings)
    assert looked is expected


def test_a_history_that_cannot_be_read_is_a_finding(project: Project, tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    evidence, _ = project.profile("--history", str(tmp_path / "file"))

    assert any("suspects were not confirmed:" in each for each in evidence.findings)


def test_a_job_that_is_cancelled_meanwhile_has_its_bundle_and_leaves_nothing(
    project: Project, tmp_path: Path
) -> None:
    again = tmp_path / "again"
    os.mkfifo(again)
    once(project, tmp_path / "ran", f"open({str(again)!r}, 'w').close(); time.sleep(1000)")
    out = project.folder.parent / "evidence"
    with subprocess.Popen(
        [*start(project, out), *command(f"PYTHONPATH={project.folder / 'src'}")],
        cwd=project.folder,
        env={**ENVIRON, "TMPDIR": str(project.temporary)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        again.read_bytes()
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 0

    evidence = assert_valid_bundle(project.bundle)
    assert evidence.outcome is Outcome.PASSED
    assert left(project) == []


def suspected_as_a_whole(project: Project) -> Project:
    """Return the project with more work in every run, and a history that suspects no single test."""
    package = PACKAGE.format(work_s=0.6)
    (project.folder / "src/pkg/__init__.py").write_text(package, encoding="utf-8")
    git(project.folder, "commit", "-qam", "much slower")
    here = replace(project, history=project.folder.parent / "history")
    before = open_history(str(project.history), cwd=project.folder)
    runs = [
        replace(
            run,
            resources=Resources(user_s=0.01, system_s=0.0),
            tests=tuple(replace(each, outcome=TestOutcome.FAILED) for each in run.tests),
        )
        for run in before.load(before.series()[0])
    ]
    open_history(str(here.history), cwd=project.folder).add(runs)
    return here


def test_the_cpu_time_of_a_short_run_is_measured_again_as_a_whole(project: Project) -> None:
    evidence, said = suspected_as_a_whole(project).profile()

    (found,) = evidence.confirmations
    assert (found.nodeid, found.metric, found.verdict) == ("", "cpu_s", Verdict.REGRESSION)
    # pytest itself, beside the work.
    assert min(found.base) > 0.05
    assert min(found.head) > 0.6
    assert "confirm: the whole run: cpu_s regression: " in said


def test_a_run_that_is_too_long_for_the_budget_is_said(project: Project) -> None:
    evidence, _ = suspected_as_a_whole(project).profile("--confirm-budget", "2")

    assert evidence.confirmations == ()
    assert any("twelve runs of" in each and "do not fit" in each for each in evidence.findings)


def invocation(**values: str) -> Invocation:
    known = {"confirm": "auto", "confirm-budget": "120", "history": "", "confirm-build": ""}
    named = {name.replace("_", "-"): value for name, value in values.items()}
    return Invocation(
        verb="profile-tests", values={**known, **named}, arguments=(), command=(), environ={}
    )


def test_the_option_says_when() -> None:
    assert paired.wanted(invocation()) is None
    assert paired.wanted(invocation(confirm="never", history="h")) is None
    assert paired.wanted(invocation(history="h")) == paired.Wanted(always=False, budget_s=120.0)
    assert paired.wanted(invocation(history="h", confirm="always", confirm_budget="5")) == (
        paired.Wanted(always=True, budget_s=5.0)
    )
    with pytest.raises(UsageError, match="expected auto, always or never, got 'yes'"):
        paired.wanted(invocation(confirm="yes"))
    with pytest.raises(UsageError, match="name them with --history URI"):
        paired.wanted(invocation(confirm="always"))
