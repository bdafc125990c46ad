"""`telltale profile-tests` from the outside: status, output, bundle, outputs of the step."""

from __future__ import annotations

import json
import os
import re
import resource
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from telltale import bundle, cli
from telltale.model import Evidence, FailureKind, Outcome, TestCounts, TestOutcome
from tests.support import (
    PYTHON,
    ROOT,
    alive,
    assert_valid_bundle,
    assert_valid_manifest,
    wait_until_gone,
)

DIALECTS = ROOT / "tests/data/junit-dialects"
JOB = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_REPOSITORY": "octo/shop",
    "GITHUB_RUN_ID": "101",
    "GITHUB_RUN_ATTEMPT": "2",
    "GITHUB_JOB": "unit",
    "GITHUB_EVENT_NAME": "pull_request",
    "GITHUB_EVENT_PATH": "/nowhere/event.json",
    "GITHUB_WORKFLOW": "Tests",
    "RUNNER_NAME": "gpu-1",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Profiled:
    """One call of the verb and what it left."""

    status: int
    out: str
    err: str
    folder: Path
    outputs: dict[str, str]
    step_summary: str

    @property
    def evidence(self) -> Evidence:
        return bundle.read_manifest(self.folder)

    def text(self, name: str) -> str:
        return (self.folder / name).read_text(encoding="utf-8")


Profile = Callable[..., Profiled]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with a space in its name."""
    folder = tmp_path / "my project"
    folder.mkdir()
    return folder


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A PATH with a shell and little else: no Python that would have to be asked."""
    folder = tmp_path / "tools"
    folder.mkdir()
    for name in ("sh", "bash", "cat", "cp", "env", "ln", "mkdir", "rm", "sleep", "true"):
        (folder / name).symlink_to(shutil.which(name) or name)
    return folder


@pytest.fixture
def profile(
    tmp_path: Path,
    project: Path,
    tools: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Profile:
    """Call the verb in the project as a job of GitHub Actions; the bundle must be a good one."""
    monkeypatch.chdir(project)
    for name in [*os.environ]:
        monkeypatch.delenv(name)
    for name, value in {"PATH": str(tools), "HOME": "/home/alice", **JOB}.items():
        monkeypatch.setenv(name, value)
    for name in ("OUTPUT", "STEP_SUMMARY"):
        monkeypatch.setenv(f"GITHUB_{name}", str(tmp_path / name))
    monkeypatch.setattr(signal, "SIG_IGN", object())  # whatever started pytest

    def call(*argv: str, whole: bool = True, **variables: str) -> Profiled:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        status = cli.main(["profile-tests", *argv])
        out, err = capfd.readouterr()
        outputs = read_outputs(tmp_path / "OUTPUT")
        folder = Path(outputs.get("bundle", "/nowhere"))
        if whole:
            assert_valid_bundle(folder)
        summary = tmp_path / "STEP_SUMMARY"
        return Profiled(
            status=status,
            out=out,
            err=err,
            folder=folder,
            outputs=outputs,
            step_summary=summary.read_text("utf-8") if summary.exists() else "",
        )

    return call


def read_outputs(path: Path) -> dict[str, str]:
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    return dict(re.findall(r"^([\w-]+)<<(?:\S+)\n(.*)\n\S+$", text, re.MULTILINE))


# A run and its bundle


def test_a_run_that_passes(profile: Profile, project: Path) -> None:
    done = profile("--name", "unit tests", "--", "sh", "-c", "echo out; echo err >&2")

    assert done.status == 0
    assert done.out == "out\n"
    assert re.fullmatch(
        rf"err\ntelltale: passed in 0\.\d+ s; bundle: {re.escape(str(done.folder))}\n", done.err
    )
    assert done.folder.parent == project / "telltale-evidence/unit-tests"
    assert re.fullmatch(r"\d{8}T\d{6}Z", done.folder.name)
    evidence = done.evidence
    assert (evidence.outcome, evidence.exit_code) == (Outcome.PASSED, 0)
    assert evidence.name == "unit tests"
    assert evidence.command.argv == ("sh", "-c", "echo out; echo err >&2")
    assert evidence.started_at.replace("-", "").replace(":", "") == done.folder.name
    assert evidence.github is not None
    assert (evidence.github.run_id, evidence.github.run_attempt) == (101, 2)
    assert evidence.tests is None
    assert len(evidence.findings) == 1, "no JUnit file was written"


def test_every_figure_of_the_manifest_agrees_with_the_files(profile: Profile) -> None:
    done = profile("--", "sh", "-c", "exit 3")

    resources = done.evidence.resources
    times = done.text("artifacts/time.txt")
    assert done.text("artifacts/exit_code.txt") == "3\n"
    assert f"User time (seconds): {resources.user_s:.2f}\n" in times
    assert f"System time (seconds): {resources.system_s:.2f}\n" in times
    assert "Exit status: 3\n" in times
    assert done.evidence.elapsed_s == resources.wall_s
    assert done.outputs["elapsed"] == f"{done.evidence.elapsed_s:.3f}"
    assert (done.outputs["exit-code"], done.outputs["outcome"]) == ("3", "failed")
    host = json.loads(done.text("env/host.json"))
    assert host["fingerprint"] == done.evidence.host.fingerprint
    assert host["after"] is not None
    assert done.step_summary == done.text("analysis/summary.md")


def test_two_runs_in_one_second_have_two_bundles(profile: Profile) -> None:
    folders = {profile("--", "true").folder for _ in range(3)}

    assert len(folders) == 3


def test_text_is_run_as_a_step_of_github_would(profile: Profile) -> None:
    done = profile("--command", "false | cat\necho not reached")

    assert (done.status, done.out) == (1, "")
    assert done.evidence.command.argv[-2:] == ("-c", "false | cat\necho not reached")


def test_the_command_runs_in_the_working_directory(profile: Profile, project: Path) -> None:
    (project / "sub folder").mkdir()

    done = profile(
        "--working-directory", "sub folder", "--out", "out here", "--", "sh", "-c", "pwd"
    )

    assert done.out == f"{project}/sub folder\n"
    assert done.folder.parent == project / "out here/tests"


def test_nothing_of_ours_reaches_the_command(profile: Profile) -> None:
    done = profile(
        *("--no-probe", "--env", "OURS=1", "--env", "HF_TOKEN=secret", "--", "env"),
        TELLTALE_NAME="unit",
        GITHUB_SHA="0" * 40,
        OTHER="x",
    )

    found = dict(line.split("=", 1) for line in done.out.splitlines())
    assert not [name for name in found if name.startswith("TELLTALE") or name == "PYTHONPATH"]
    assert (found["OURS"], found["HF_TOKEN"], found["OTHER"]) == ("1", "secret", "x")
    assert set(JOB) < set(found)
    assert done.evidence.name == "unit"
    assert done.evidence.command.env == {"OURS": "1", "HF_TOKEN": "[redacted]"}


def test_secrets_and_private_names_are_not_in_the_bundle(profile: Profile) -> None:
    done = profile(
        *("--", "sh", "-c", "exit 1", "--token=hush-hush-hush", "/home/alice/x"),
        DEPLOY_TOKEN="hush-hush-hush",
        DATABASE_URL="postgres://me:hush@db/x",
    )

    texts = [path.read_text("utf-8") for path in done.folder.rglob("*") if path.is_file()]
    assert not [text for text in texts if "hush" in text or "/home/alice" in text]
    assert done.evidence.command.argv[-2:] == ("--token=[redacted]", "~/x")


@pytest.mark.parametrize(
    ("argv", "status"), [(("no-such-program",), 127), (("/",), 126)], ids=["missing", "folder"]
)
def test_a_command_that_cannot_be_started_leaves_a_bundle(
    argv: tuple[str, ...], status: int, profile: Profile
) -> None:
    done = profile("--", *argv)

    assert done.status == status
    evidence = done.evidence
    assert (evidence.outcome, evidence.exit_code) == (Outcome.ERROR, status)
    assert evidence.failures[0].message.startswith("the command could not be started: ")
    assert len(evidence.findings) == 1


# Reports


def test_failures_of_a_report_are_named(profile: Profile, project: Path) -> None:
    (project / "tests/unit").mkdir(parents=True)
    (project / "tests/unit/test_a.py").touch()

    done = profile("--", "sh", "-c", f"cp '{DIALECTS}/pytest-xunit1.xml' junit.xml; exit 1")

    assert done.status == 1
    evidence = done.evidence
    assert evidence.tests == TestCounts(total=5, passed=1, failed=2, skipped=2)
    assert [failure.nodeid for failure in evidence.failures] == [
        "tests/unit/test_a.py::TestX::test_p[2]",
        "tests/unit/test_a.py::test_td",
    ]
    assert evidence.failures[0].kind is FailureKind.ASSERTION
    assert evidence.failures[0].signature != evidence.failures[1].signature
    (finding,) = evidence.findings
    assert "pytest ran without Telltale's probe" in finding
    assert done.outputs["failed-tests"] == "2"
    kept = done.text("artifacts/junit.xml")
    assert 'hostname="[host]"' in kept
    assert 'hostname="box"' not in kept
    assert [test.outcome for test in bundle.read_tests(done.folder)].count(TestOutcome.FAILED) == 2
    assert "5 tests" in done.err


@pytest.mark.parametrize(
    ("dialect", "said"),
    [
        ("pytest-xunit1", "exited with 0, and its test report has 2 failed tests"),
        ("pytest-interrupted", "exited with 0, and its test report has a test that was interr"),
        ("gotestsum", "exited with 0, and its test report has 1 failed test:"),
    ],
)
def test_a_status_that_hides_failures_is_an_error_and_stays(
    dialect: str, said: str, profile: Profile
) -> None:
    done = profile("--", "sh", "-c", f"cp '{DIALECTS}/{dialect}.xml' junit.xml; exit 0")

    assert (done.status, done.evidence.outcome) == (0, Outcome.PASSED)
    assert said in done.evidence.disagreements[0]
    assert f"::error::the command {said}" in done.err
    first = done.text("analysis/summary.md").splitlines()[0]
    assert first == "# tests: passed, BUT THE EVIDENCE DISAGREES"


def test_a_command_cannot_spoil_the_upload_of_its_bundle(profile: Profile) -> None:
    spoil = 'cd telltale-evidence/tests/*/logs; ln -s /etc/passwd link; echo x >"a:b"'
    done = profile("--", "bash", "-c", spoil)

    assert {"link", "a:b"} & {path.name for path in done.folder.rglob("*")} == set()
    assert (done.folder / "logs/a_b").exists()
    assert sum("'logs/" in finding for finding in done.evidence.findings) == 2


# Guards


GIT = shutil.which("git") or "git"


def in_git(project: Path, *files: str) -> None:
    """Make the project a repository with these files committed."""
    for name in files:
        (project / name).write_text("as committed\n", "ascii")
    git = ("git", "-c", "user.name=a", "-c", "user.email=a@example.com")
    for arguments in (("init", "-q"), ("add", "--all"), ("commit", "-qm", "Begin")):
        subprocess.run((*git, *arguments), cwd=project, check=True)


def test_a_missing_guard_makes_the_run_invalid_and_nothing_else(profile: Profile) -> None:
    done = profile(
        *("--require-env", "NO_COMPILE=1", "--require-env", "!JOBS"),
        *("--require-flag", "--gridsize 3"),
        *("--", "sh", "-c", 'grep -o INVALID "$GITHUB_OUTPUT"; exit 3'),
        JOBS="4",
    )

    reasons = (
        "NO_COMPILE is not set, and --require-env wants NO_COMPILE=1",
        "JOBS is set, and --require-env wants it unset",
        "the command does not say --gridsize 3, which --require-flag wants",
    )
    assert (done.status, done.evidence.outcome) == (3, Outcome.FAILED)
    assert done.evidence.invalid == reasons
    # Said before the command starts, so that somebody can cancel it.
    lines = [f"::warning::INVALID: this run will be no measurement: {each}" for each in reasons]
    assert done.err.splitlines()[:3] == lines
    assert "telltale: failed (INVALID: no measurement) in" in done.err
    summary = done.text("analysis/summary.md")
    assert summary.startswith("# tests: failed, INVALID, no measurement\n")
    assert all(each in summary for each in reasons)


def test_guards_that_hold_leave_no_trace(profile: Profile) -> None:
    done = profile(
        *("--env", "NO_COMPILE=1", "--require-env", "NO_COMPILE=1"),
        *("--require-env", "PYTEST_ADDOPTS", "--require-flag", "--gridsize 3"),
        *("--", "true"),
        PYTEST_ADDOPTS="--gridsize=3",
    )

    assert done.evidence.invalid == ()
    assert "INVALID" not in done.err + done.text("analysis/summary.md")


def test_the_manifest_says_that_a_run_is_invalid_from_the_start(
    profile: Profile, project: Path
) -> None:
    copy = "cp telltale-evidence/tests/*/evidence.json copy.json"
    profile("--require-env", "NO_COMPILE", "--", "sh", "-c", copy)

    early = json.loads((project / "copy.json").read_text("utf-8"))
    assert early["outcome"] == "running"
    assert early["invalid"] == ["NO_COMPILE is not set, and --require-env wants it set"]


def test_a_changed_tree_is_invalid_where_that_matters(
    profile: Profile, project: Path, tools: Path
) -> None:
    (tools / "git").symlink_to(GIT)
    in_git(project, "a.py", "b.py")
    clean = profile("--require-clean-tree", "--", "sh", "-c", "echo more >>a.py")
    dirty = profile("--require-clean-tree", "--", "true")
    free = profile("--", "true")

    assert clean.evidence.invalid == ()
    assert "the command changed tracked files: a.py" in clean.evidence.findings
    assert dirty.evidence.invalid == ("--require-clean-tree: not as in the commit: a.py",)
    assert free.evidence.invalid == ()


def test_a_tree_that_nobody_knows_is_not_clean(profile: Profile) -> None:
    done = profile("--require-clean-tree", "--", "true")

    assert done.evidence.invalid == (
        "--require-clean-tree: git does not say whether tracked files are unchanged",
    )


def test_a_guard_that_makes_no_sense_is_a_mistake(profile: Profile, project: Path) -> None:
    done = profile("--require-env", "A B", "--", "mkdir", "ran", whole=False)

    assert done.status == 2
    assert not (project / "ran").exists()


def test_a_failure_that_no_report_tells_of_is_the_runs_own(profile: Profile, project: Path) -> None:
    (project / "passes.xml").write_text("<testsuite><testcase name='a'/></testsuite>", "ascii")

    done = profile("--junit", "r*.xml", "--", "sh", "-c", "echo boom; cp passes.xml r.xml; exit 4")

    assert done.evidence.findings == (
        "the command exited with 4 although no test of the report failed",
    )
    (failure,) = done.evidence.failures
    assert failure.nodeid == ""
    assert failure.message == "the command exited with 4 and named no failed test"
    assert failure.text == "boom"


def test_an_old_report_is_not_this_runs(profile: Profile, project: Path) -> None:
    shutil.copyfile(DIALECTS / "gtest.xml", project / "junit.xml")

    done = profile("--", "true")

    assert done.evidence.tests is None
    assert done.evidence.findings[0].startswith("junit.xml matches --junit but is older")
    assert done.outputs["failed-tests"] == ""


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        ("ulimit -c 0; kill -SEGV $$", FailureKind.CRASH_SIGNAL),
        ("sleep 1000", FailureKind.HANG_OR_DEVICE_TIMEOUT),
    ],
    ids=["crash", "hang"],
)
def test_a_run_that_died_is_a_failure_of_its_own(
    script: str, kind: FailureKind, profile: Profile
) -> None:
    done = profile("--timeout", "1", "--", "sh", "-c", f"echo last words; {script}")

    (failure,) = done.evidence.failures
    assert (failure.nodeid, failure.kind) == ("", kind)
    assert "last words" in failure.text
    assert (done.folder / "artifacts/stacks.txt").exists() == (script == "sleep 1000")


def test_where_it_hung_is_kept(profile: Profile, tools: Path) -> None:
    spy = tools / "py-spy"
    spy.write_text('#!/bin/sh\necho "frames of $3"\n', "ascii")
    spy.chmod(0o755)
    hang = "import time; time.sleep(1000)"

    done = profile("--timeout", "1", "--", sys.executable, "-ISc", hang)

    assert done.status == 124
    stacks = done.text("artifacts/stacks.txt")
    found = re.search(r"^pid (\d+)  parent \d+  .*state S", stacks, re.MULTILINE)
    assert found
    assert f"  command: {sys.executable} -ISc {hang}" in stacks.replace("~", "/home/alice")
    assert f"  thread {found[1]}  " in stacks
    assert f"  frames of {found[1]}" in stacks


# Misuse


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        pytest.param((), "give either --command", id="nothing"),
        pytest.param(("--command", " "), "give either --command", id="blank"),
        pytest.param(("--command", "true", "--", "true"), "not both", id="both"),
        pytest.param(
            ("--working-directory", "no", "--", "true"), "there is no folder no", id="no-folder"
        ),
        pytest.param(("--timeout", "soon", "--", "true"), "--timeout: expected", id="timeout"),
        pytest.param(("--env", "1=2", "--", "true"), "--env: expected NAME=VALUE", id="env"),
    ],
)
def test_misuse_is_one_line_and_status_2(
    argv: tuple[str, ...], message: str, profile: Profile, project: Path
) -> None:
    done = profile(*argv, whole=False)

    assert done.status == 2
    assert message in done.err
    assert done.err.count("\n") == 1
    assert not (project / "telltale-evidence").exists()


@pytest.mark.parametrize("out", ["file/out", "/proc/telltale"])
def test_where_no_bundle_can_be_written_the_command_is_not_run(
    out: str, profile: Profile, project: Path
) -> None:
    (project / "file").touch()

    done = profile("--out", out, "--", "mkdir", "ran", whole=False)

    assert done.status == 2
    assert "--out: cannot make the bundle's folder" in done.err
    assert not (project / "ran").exists()


# Trouble beside the command


def test_a_bundle_that_vanishes_does_not_change_the_status(profile: Profile, project: Path) -> None:
    done = profile("--", "sh", "-c", "rm -rf telltale-evidence; exit 5", whole=False)

    assert done.status == 5
    assert "may be incomplete" in done.err
    assert "Traceback" not in done.err
    assert not (project / "telltale-evidence").exists()


def test_outputs_that_cannot_be_written_do_not_change_the_status(
    profile: Profile, project: Path
) -> None:
    done = profile("--", "sh", "-c", "exit 5", whole=False, GITHUB_OUTPUT="/nowhere/x")

    assert done.status == 5
    (folder,) = bundle.find([project / "telltale-evidence"])
    assert "the step's outputs could not be recorded" in assert_valid_bundle(folder).findings[0]


def test_a_python_that_fails_is_a_finding(profile: Profile, tools: Path) -> None:
    (tools / "python3").write_text("#!/bin/sh\nexit 1\n", "ascii")
    (tools / "python3").chmod(0o755)

    done = profile("--", "true")

    assert done.status == 0
    assert done.evidence.findings[0].startswith("the command's Python could not be recorded: ")


def test_packages_that_the_command_installs_are_listed(
    profile: Profile, tools: Path, project: Path
) -> None:
    (tools / "python3").symlink_to(sys.executable)
    (project / "site").mkdir()
    install = "mkdir site/thing-1.0.dist-info; cp METADATA site/thing-1.0.dist-info/"
    (project / "METADATA").write_text("Metadata-Version: 2.1\nName: thing\nVersion: 1.0\n", "ascii")

    done = profile("--", "sh", "-c", install, PYTHONPATH=str(project / "site"))

    assert "thing==1.0\n" in done.text("env/packages.txt")
    assert any("changed the installed packages" in each for each in done.evidence.findings)


def test_torchs_report_comes_after_the_bundle_is_complete(
    profile: Profile, tools: Path, project: Path
) -> None:
    (tools / "python3").symlink_to(sys.executable)
    package = project / "site/torch/utils"
    package.mkdir(parents=True)
    for folder in (package, package.parent):
        (folder / "__init__.py").touch()
    (package / "collect_env.py").write_text(
        "import glob, json\n"
        "(manifest,) = glob.glob('telltale-evidence/*/*/evidence.json')\n"
        "print('the run had', json.load(open(manifest))['outcome'])\n",
        encoding="ascii",
    )

    done = profile("--", "true", PYTHONPATH=str(project / "site"))

    assert done.text("env/torch_env.txt") == "the run had passed\n"


def test_being_asked_to_stop_early_means_that_the_command_is_not_run(
    profile: Profile, tools: Path, project: Path
) -> None:
    # We are asked while we ask this Python for its packages.
    (tools / "python3").write_text("#!/bin/sh\nkill -TERM $PPID\nexit 1\n", "ascii")
    (tools / "python3").chmod(0o755)

    done = profile("--", "mkdir", "ran")

    assert (done.status, done.evidence.outcome) == (143, Outcome.INTERRUPTED)
    assert not (project / "ran").exists()
    assert "Telltale was asked to stop before the command was started" in done.evidence.findings


# Names of artifacts


@pytest.mark.parametrize(
    ("argv", "variables", "artifact"),
    [
        ((), {}, "unit-tests-2"),
        (("--name", "py3.12"), {"GITHUB_RUN_ATTEMPT": "3"}, "unit-py3.12-3"),
        (("--artifact-name", "mine"), {}, "mine"),
        (("--artifact-name", "my own: 1/2"), {}, "my own- 1-2"),
        (("--name", "a/b"), {}, "unit-a-b-b23588-2"),
        (("--name", "a b"), {}, "unit-a-b-b8d4c9-2"),
    ],
)
def test_artifacts_are_named_by_job_name_and_attempt(
    argv: tuple[str, ...], variables: dict[str, str], artifact: str, profile: Profile
) -> None:
    done = profile(*argv, "--", "true", **variables)

    assert done.outputs["artifact"] == bundle.ARTIFACT_PREFIX + artifact


def test_no_folder_and_no_artifact_is_called_like_a_secret(profile: Profile) -> None:
    done = profile(
        *("--name", "db s3cr3t-word", "--", "true"),
        DB_PASSWORD="s3cr3t-word",
        TELLTALE_MATRIX='{"key": "s3cr3t-word", "n": 3}',
    )
    given = profile("--artifact-name", "s3cr3t/word", "--", "true", A_KEY="s3cr3t/word")

    assert done.evidence.name == "db [redacted]"
    assert "s3cr3t-word" not in f"{done.folder}{done.outputs}{done.evidence}"
    (finding,) = (each for each in done.evidence.findings if "name of this run" in each)
    assert finding.endswith(f"kept as {done.evidence.name}")
    assert done.outputs["artifact"].startswith("telltale-evidence-unit-db-redacted-")
    assert given.outputs["artifact"] == "telltale-evidence-[redacted]"


LEG = '{"python": "3.11", "os": "linux"}'


@pytest.mark.parametrize(
    ("name", "matrix", "series"),
    [
        ("unit", "", "unit"),
        ("unit", "null", "unit"),
        ("unit", "{}", "unit"),
        ("unit", LEG, "unit (3.11, linux)"),
        ("", LEG, "tests (3.11, linux)"),
        # The workflow makes its own names: they are not touched, so their history goes on.
        ("py3.11", LEG, "py3.11"),
        ("unit on linux", LEG, "unit on linux"),
        # Not by accident, though.
        ("py3.11", '{"shard": 3}', "py3.11 (3)"),
        ("py3.11", '{"shard": 11}', "py3.11 (11)"),
        ("run-1", '{"shard": 1}', "run-1"),
        ("windows", '{"os": "win"}', "windows (win)"),
        ("unit", '{"gpu": false, "n": 2}', "unit (false, 2)"),
        ("unit", '{"python": "3.11", "args": ["-k", "a"]}', "unit (3.11, 437141)"),
        ("unit", '{"python": "3.11", "args": ["-k", "b"]}', "unit (3.11, b8458e)"),
    ],
)
def test_the_legs_of_a_matrix_are_series_of_their_own(
    name: str, matrix: str, series: str, profile: Profile
) -> None:
    done = profile("--name", name, "--", "true", TELLTALE_MATRIX=matrix)

    assert done.evidence.name == series


def test_the_legs_of_a_matrix_have_artifacts_of_their_own(profile: Profile) -> None:
    legs = ('{"python": "3.11", "os": "a"}', '{"python": "3.11", "os": "b"}')
    static = [profile("--", "true", TELLTALE_MATRIX=leg).outputs["artifact"] for leg in legs]
    made = [
        profile("--name", "py3.11", "--", "true", TELLTALE_MATRIX=leg).outputs["artifact"]
        for leg in legs
    ]

    assert len({*static, *made}) == 4
    assert static[0].startswith("telltale-evidence-unit-tests-3.11-a-")
    again = profile("--", "true", TELLTALE_MATRIX=legs[0], GITHUB_RUN_ATTEMPT="3")
    assert again.outputs["artifact"] == f"{static[0].removesuffix('2')}3"


@pytest.mark.parametrize("matrix", ["no JSON", "3", "[1]", "[" * 100_000])
def test_what_is_no_leg_of_a_matrix_is_a_mistake(matrix: str, profile: Profile) -> None:
    done = profile("--matrix", matrix, "--", "true", whole=False)

    assert (done.status, done.folder) == (2, Path("/nowhere"))
    assert "--matrix: expected a JSON object" in done.err


# Going on after a failure


@pytest.mark.parametrize(
    ("command", "outcome", "code"),
    [
        ("exit 3", "failed", "3"),
        ("kill -9 $$", "crashed", "137"),
        ("sleep 1000", "timed_out", ""),
    ],
)
def test_a_failure_may_be_let_pass(command: str, outcome: str, code: str, profile: Profile) -> None:
    limit = ("--timeout", "0.5") if outcome == "timed_out" else ()
    done = profile("--continue-on-failure", *limit, "--", "sh", "-c", command)

    assert done.status == 0
    assert done.outputs["outcome"] == outcome
    assert done.outputs["exit-code"] == (code or done.outputs["exit-code"]) != "0"
    assert "::warning::the command" in done.err
    assert done.evidence.outcome.value == outcome


def test_a_command_that_cannot_be_started_is_never_let_pass(profile: Profile) -> None:
    assert profile("--continue-on-failure", "--", "no-such-command").status == 127


def test_a_mistake_is_never_let_pass(profile: Profile) -> None:
    done = profile("--continue-on-failure", "--timeout", "soon", "--", "true", whole=False)

    assert done.status == 2


def test_the_peak_of_memory_is_an_output(profile: Profile) -> None:
    # More than this process has itself: of less, the kernel's figure would be our own.
    size = (200 << 20) + resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    done = profile("--", sys.executable, "-c", f"b'x' * {size}")

    peak = int(done.outputs["peak-rss"])
    assert peak >= size
    used = done.evidence.resources
    assert peak == (used.tree_peak_rss_bytes or used.max_rss_bytes)  # a short run has no sample


# The program as a process of its own


@pytest.fixture
def start(project: Path, tools: Path, tmp_path: Path) -> Callable[..., subprocess.Popen[bytes]]:
    """Start the program as an action does; its command says its pid through `./pid`."""
    os.mkfifo(project / "pid")

    def call(*argv: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-IS", str(ROOT / "bot/run.py"), "profile-tests", *argv],
            cwd=project,
            env={
                "PATH": str(tools),
                "GITHUB_OUTPUT": str(tmp_path / "OUTPUT"),
                "GITHUB_ACTIONS": "true",
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # A shell that runs pytest in the background lets it ignore SIGINT.
            preexec_fn=_heed_interrupts,  # noqa: PLW1509  # no other thread is there
        )

    return call


def _heed_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_cancelled_job_leaves_a_bundle_that_says_so(
    number: signal.Signals,
    start: Callable[..., subprocess.Popen[bytes]],
    project: Path,
    tmp_path: Path,
) -> None:
    with start("--", "sh", "-c", "echo $$ >pid; exec sleep 1000") as process:
        pid = int((project / "pid").read_text("ascii"))
        process.send_signal(number)
        process.communicate()

    assert process.returncode == 128 + number
    evidence = assert_valid_bundle(Path(read_outputs(tmp_path / "OUTPUT")["bundle"]))
    assert evidence.outcome is Outcome.INTERRUPTED
    assert not alive(pid)


def test_killing_telltale_leaves_a_bundle_that_says_so_and_no_command(
    start: Callable[..., subprocess.Popen[bytes]],
    project: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with start("--", "sh", "-c", "echo working; echo $$ >pid; exec sleep 1000") as process:
        pid = int((project / "pid").read_text("ascii"))
        process.stdout.readline()  # type: ignore[union-attr]  # so it is in the log
        process.kill()
        process.communicate()

    wait_until_gone(pid)
    folder = Path(read_outputs(tmp_path / "OUTPUT")["bundle"])
    assert_valid_manifest(folder)
    assert bundle.read_manifest(folder).outcome is Outcome.RUNNING
    assert (folder / "logs/output.log").read_bytes() == b"working\n"
    assert (folder / "env/host.json").exists()
    assert cli.main(["validate", str(folder)]) == 1
    assert "never finished: Telltale itself was killed" in capsys.readouterr().out


def test_it_works_with_closed_streams(project: Path, tools: Path) -> None:
    telltale = f"{PYTHON} -IS {shlex.quote(str(ROOT))}/bot/run.py profile-tests --out out"

    done = subprocess.run(
        ["sh", "-c", f"{telltale} -- sh -c 'echo out; echo err >&2; exit 3' <&- >&- 2>&-"],
        cwd=project,
        env={"PATH": str(tools)},
        check=False,
    )

    assert done.returncode == 3
    (folder,) = bundle.find([project / "out"])
    assert_valid_bundle(folder)
    assert (folder / "logs/output.log").read_bytes() == b"out\nerr\n"


def test_a_full_stderr_does_not_change_the_status(project: Path, tools: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [
                *(sys.executable, "-IS", str(ROOT / "bot/run.py"), "profile-tests"),
                *("--", "sh", "-c", "exit 3"),
            ],
            cwd=project,
            env={"PATH": str(tools)},
            stdout=full,
            stderr=full,
            check=False,
        )

    assert done.returncode == 3


# Real pytest


def test_pytest_itself_passes_fails_and_hangs(
    profile: Profile, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    (project / "pytest.ini").touch()
    (project / "test_it.py").write_text(
        "import time\n\ndef test_passes(): pass\n\nclass TestIt:\n"
        "    def test_fails(self): assert 1 == 2\n\ndef test_hangs(): time.sleep(1000)\n",
        encoding="ascii",
    )
    pytest_ = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--junitxml=junit.xml")

    done = profile("--timeout", "6", "--", *pytest_)

    assert (done.status, done.evidence.exit_code) == (124, 2)
    assert done.evidence.tests == TestCounts(total=3, passed=1, failed=1, interrupted=1)
    assert [test.nodeid for test in bundle.read_tests(done.folder)] == [
        "test_it.py::test_passes",
        "test_it.py::TestIt::test_fails",
        "test_it.py::test_hangs",
    ]
    fails, hangs = done.evidence.failures
    assert (fails.nodeid, fails.kind) == ("test_it.py::TestIt::test_fails", FailureKind.ASSERTION)
    assert hangs.nodeid == "test_it.py::test_hangs"
    assert hangs.kind is FailureKind.HANG_OR_DEVICE_TIMEOUT
    assert "KeyboardInterrupt" in hangs.text
    assert done.evidence.host.parts["python"] == f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert "pytest==" in done.text("env/packages.txt")


# GPUs, by a stand-in for the vendor's program


def test_gpus_are_described_and_sampled(profile: Profile, tools: Path) -> None:
    smi = tools / "nvidia-smi"
    smi.write_text(
        '#!/bin/sh\ncase "$*" in\n'
        "*-lms*) printf 'timestamp, index\\nnow, 0\\n'; exec sleep 1000 ;;\n"
        "*compute-apps*) true ;;\n"
        "*) echo 'NVIDIA H100, 570.10, 0' ;;\nesac\n",
        "ascii",
    )
    smi.chmod(0o755)

    # The command waits for what is written beside it.
    done = profile(
        *("--image", "octo/ci@sha256:0a1b", "--", "sh", "-c"),
        "until [ -s telltale-evidence/tests/*/artifacts/gpu.csv ]; do sleep 0.01; done",
    )

    assert done.status == 0
    assert done.text("artifacts/gpu.csv") == "timestamp, index\nnow, 0\n"
    parts = done.evidence.host.parts
    assert (parts["gpus"], parts["image"]) == ("NVIDIA H100, 570.10", "octo/ci@sha256:0a1b")
    document = json.loads(done.text("env/host.json"))
    assert document["gpus"]["devices"][0]["name"] == "NVIDIA H100"
    assert document["machine"]["limits"]
    assert document["after"]["load_average"]
    host = done.evidence.host
    assert host.load_average == document["before"]["load_average"][0]
    assert host.online_cpus == os.cpu_count()
    assert done.evidence.findings[0].startswith("no JUnit file")
