"""`telltale isolate` on a project whose tests trip over each other in every way that is told apart."""

from __future__ import annotations

import dataclasses
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path

import pytest

from telltale import bundle, cli
from telltale.capture import events
from telltale.capture.isolate import Case, isolate, read_case
from telltale.capture.isolate.reading import Result, read
from telltale.capture.isolate.tries import Tries
from telltale.errors import IsolateError
from telltale.model import (
    BundleKind,
    Command,
    Evidence,
    Failure,
    FailureKind,
    Isolation,
    IsolationVerdict,
    Outcome,
    TestOutcome,
    TestResult,
)
from tests.support import ROOT, alive, assert_valid_bundle
from tests.unit.pytests import site

PROJECT = ROOT / "tests/data/isolate"
LOAD = ROOT / "tests/data/isolate_load"
SOURCES, IMPORTER, VICTIMS = (
    f"tests/test_{name}.py" for name in ("a_sources", "b_importer", "c_victims")
)
BUDGET_S = 300.0
ENVIRON = {
    "PATH": os.environ["PATH"],
    # What else is installed beside pytest takes longer to import than the tests take to run.
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    shutil.copytree(PROJECT, folder, ignore=shutil.ignore_patterns("__pycache__", "executions"))
    return folder


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of a run of the whole project, in the order of its files."""
    folder = tmp_path_factory.mktemp("recorded") / "project"
    shutil.copytree(PROJECT, folder, ignore=shutil.ignore_patterns("__pycache__", "executions"))
    return profile(folder)


def profile(project: Path, *options: str, pytest: Sequence[str] = (), env: str = "") -> Path:
    """Run the project's tests under `profile-tests`; return the bundle."""
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(ENVIRON, PYTHONPATH=env) if env else os.environ.update(ENVIRON)
    try:
        status = cli.main(
            [
                *("profile-tests", "--working-directory", str(project)),
                *("--out", str(project.parent / "evidence"), *options, "--"),
                *(sys.executable, "-m", "pytest", "-q", "--junitxml=junit.xml"),
                *("--deselect", f"{VICTIMS}::test_hangs_after_the_variable", *pytest),
            ]
        )
    finally:
        os.environ.clear()
        os.environ.update(before)
    assert status == 1
    (folder,) = bundle.find([project.parent / "evidence"])
    return folder


def case(recorded: Path, project: Path, name: str) -> Case:
    return read_case(recorded, f"{VICTIMS}::{name}", cwd=project, environ=ENVIRON)


def run(found: Case, budget_s: float = BUDGET_S, most: int = 20) -> Isolation:
    steps: list[str] = []
    result = isolate(found, budget_s=budget_s, say=steps.append, most=most)
    assert steps
    return result


@pytest.mark.parametrize(
    ("victim", "polluters"),
    [
        ("test_wants_its_folder", [f"{SOURCES}::test_changes_the_folder"]),
        ("test_wants_fewer_steps", [f"{SOURCES}::test_first_step", f"{SOURCES}::test_second_step"]),
        ("test_wants_nothing_loaded", [IMPORTER]),
    ],
)
def test_the_polluters_of_a_victim_are_named(
    recorded: Path, project: Path, victim: str, polluters: list[str]
) -> None:
    found = run(case(recorded, project, victim))
    assert found.verdict is IsolationVerdict.ORDER_DEPENDENT, found.sentence
    assert list(found.polluters) == polluters
    assert (found.together.failures, found.together.runs) == (5, 5)
    assert found.alone.failures == 0
    assert found.alone.runs >= 5
    assert all(each in found.sentence for each in polluters)
    assert shlex.split(found.command)[0] == sys.executable
    assert "-p no:randomly" in found.command


def test_what_a_brittle_test_needs_is_named_though_it_passed_in_the_run(
    recorded: Path, project: Path
) -> None:
    found = run(case(recorded, project, "test_needs_the_registry"))
    assert found.verdict is IsolationVerdict.BRITTLE, found.sentence
    assert found.needs == (f"{SOURCES}::test_registers",)
    assert found.polluters == ()
    assert found.alone.failures == found.alone.runs == 5
    assert found.together.failures == 0


def test_a_real_failure_is_deterministic(recorded: Path, project: Path) -> None:
    found = run(case(recorded, project, "test_wrong"))
    # In the recorded order it fails with another value, and with the same signature.
    assert found.verdict is IsolationVerdict.DETERMINISTIC, found.sentence
    assert found.alone.failures == found.alone.runs == 5
    assert "5 of 5 runs (95 % interval 48-100 %)" in found.sentence


def test_a_flaky_test_is_not_called_order_dependent(recorded: Path, project: Path) -> None:
    # It fails on its first execution of every three: alone at first, then not in order.
    found = run(case(recorded, project, "test_every_third_time"), most=9)
    assert found.verdict is IsolationVerdict.FLAKY, found.sentence
    assert found.alone.runs == 9
    assert found.alone.failures in {3, 4}
    assert found.alone.low < 1 / 3 < found.alone.high


def test_a_flaky_test_that_passes_alone_at_first_is_found_out(
    recorded: Path, project: Path
) -> None:
    # Alone it passes twice; in order it fails, by luck and not by order.
    (project / "executions").write_text("2", encoding="utf-8")
    found = run(case(recorded, project, "test_every_third_time"), most=10)
    assert found.verdict is IsolationVerdict.FLAKY, found.sentence
    assert found.polluters == ()


def test_a_test_that_fails_the_second_time_pollutes_itself(recorded: Path, project: Path) -> None:
    unknown = dataclasses.replace(case(recorded, project, "test_only_once"), before=())
    with Tries(unknown, budget_s=BUDGET_S, asked=lambda: False, hang_s=30) as tries:
        ran = tries.fresh((unknown.nodeid, unknown.nodeid), [VICTIMS])
    failure = read(ran, unknown.nodeid, None).failure
    assert failure is not None
    found = run(dataclasses.replace(unknown, failure=failure))
    assert found.verdict is IsolationVerdict.ORDER_DEPENDENT, found.sentence
    assert found.polluters == (unknown.nodeid,)
    assert "a second time in one process" in found.sentence


def test_a_failure_with_another_signature_is_another_failure(recorded: Path, project: Path) -> None:
    known = case(recorded, project, "test_wrong")
    other = Failure(
        nodeid=known.nodeid,
        kind=FailureKind.EXCEPTION,
        signature="v1:0123456789abcdef",
        message="",
        text="",
    )
    found = run(dataclasses.replace(known, failure=other))
    assert found.verdict is IsolationVerdict.UNDECIDED
    assert "alone it fails in another way" in found.sentence
    assert "QUIETER" in found.sentence


def test_a_hang_is_that_tests_hang_and_nothing_of_it_is_left(recorded: Path, project: Path) -> None:
    victim = project / VICTIMS
    text = victim.read_text(encoding="utf-8")
    started = project / "started"
    sleeper = "import subprocess; subprocess.Popen(['sleep', '600'], start_new_session=True)"
    note = f"(HERE / 'started').write_text(str(os.getpid())); {sleeper}; time.sleep(600)"
    victim.write_text(text.replace("time.sleep(600)", note), encoding="utf-8")
    known = dataclasses.replace(
        case(recorded, project, "test_sound"), nodeid=f"{VICTIMS}::test_hangs_after_the_variable"
    )
    tests = (f"{SOURCES}::test_sets_a_variable", known.nodeid)
    for way in ("fresh", "forked"):
        with Tries(known, budget_s=BUDGET_S, asked=lambda: False, hang_s=2) as tries:
            if way == "fresh":
                ran = tries.fresh(tests, [SOURCES, VICTIMS])
            else:
                assert tries.open_server([SOURCES, VICTIMS])
                forked = tries.forked(tests)
                assert forked is not None
                ran = forked
                # The server outlives what it forked.
                again = tries.forked((f"{SOURCES}::test_harmless_first", tests[0]))
                assert again is not None
                assert read(again, tests[0], None).result is Result.PASSED
        shown = read(ran, known.nodeid, None)
        assert ran.killed
        assert shown.failure is not None
        assert shown.failure.kind is FailureKind.HANG_OR_DEVICE_TIMEOUT
        assert not shown.busy
        assert not alive(int(started.read_text(encoding="utf-8")))
        assert not list(sleepers(project))
        started.unlink()


def test_a_slow_test_that_is_stopped_while_it_works_is_not_called_a_hang(
    recorded: Path, project: Path
) -> None:
    victim = project / VICTIMS
    text = victim.read_text(encoding="utf-8")
    endless = "    while True:\n        pass"
    victim.write_text(text.replace("    assert True", endless), encoding="utf-8")
    known = case(recorded, project, "test_sound")
    timed_out = Failure(
        nodeid=known.nodeid,
        kind=FailureKind.TEST_TIMEOUT,
        signature="v1:0123456789abcdef",
        message="",
        text="",
    )
    slow = dataclasses.replace(known, failure=timed_out, duration_s={known.nodeid: 905.0})
    found = run(slow, budget_s=16)
    assert found.verdict is IsolationVerdict.UNDECIDED, found.sentence
    assert "still busy after 2 s, and took 905 s in the run: give --budget 7240" in found.sentence


def test_a_test_that_fails_only_beside_another_workers_is_load_dependent(tmp_path: Path) -> None:
    project = tmp_path / "project"
    shutil.copytree(LOAD, project, ignore=shutil.ignore_patterns("__pycache__"))
    packages = str(site("8.4"))
    folder = profile(project, pytest=("-p", "xdist", "-n2", "--dist=loadfile"), env=packages)
    told = events.read(folder)
    assert {each for each in told.order if told.order[each]} == {"gw0", "gw1"}
    nodeid = "test_victim.py::test_wants_the_till"
    found = run(read_case(folder, nodeid, cwd=project, environ={**ENVIRON, "PYTHONPATH": packages}))
    assert found.verdict is IsolationVerdict.LOAD_DEPENDENT, found.sentence
    assert "beside it (5 of 5 runs failed)" in found.sentence
    assert "order (0 of 5 runs failed) nor alone (0 of 5 runs failed)" in found.sentence


def sleepers(project: Path) -> Iterator[int]:
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            line, cwd = (entry / "cmdline").read_bytes(), (entry / "cwd").readlink()
        except OSError:
            continue
        if line.startswith(b"sleep\0") and cwd == project:
            yield int(entry.name)


def test_the_budget_ends_it_with_what_is_known(recorded: Path, project: Path) -> None:
    found = run(case(recorded, project, "test_wants_no_variable"), budget_s=0.001)
    assert found.verdict is IsolationVerdict.UNDECIDED
    assert "the budget is used up" in found.sentence
    assert found.polluters == ()


def test_asking_it_to_stop_ends_it(recorded: Path, project: Path) -> None:
    asked: list[str] = []
    known = case(recorded, project, "test_wants_no_variable")
    found = isolate(known, budget_s=BUDGET_S, asked=lambda: len(asked) > 1, say=asked.append)
    assert found.verdict is IsolationVerdict.UNDECIDED
    assert "it was interrupted" in found.sentence


def test_a_crash_is_named_by_its_signal(recorded: Path, project: Path) -> None:
    victim = project / VICTIMS
    text = victim.read_text(encoding="utf-8")
    victim.write_text(text.replace("    assert True", "    os.kill(os.getpid(), 11)"), "utf-8")
    known = case(recorded, project, "test_sound")
    with Tries(known, budget_s=BUDGET_S, asked=lambda: False, hang_s=30) as tries:
        shown = read(tries.fresh((known.nodeid,), [VICTIMS]), known.nodeid, None)
    assert shown.failure is not None
    assert shown.failure.kind is FailureKind.CRASH_SIGNAL
    assert "signal 11" in shown.said


def test_a_server_with_threads_forks_nothing(recorded: Path, project: Path) -> None:
    (project / "conftest.py").write_text(
        "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n",
        encoding="utf-8",
    )
    known = case(recorded, project, "test_sound")
    with Tries(known, budget_s=BUDGET_S, asked=lambda: False, hang_s=30) as tries:
        assert not tries.open_server([VICTIMS])
        assert tries.forked((known.nodeid,)) is None


def test_no_plugin_shuffles_the_chosen_order(recorded: Path, project: Path) -> None:
    # It has the same priority as our own hook: which of them is last is a matter of registration.
    (project / "conftest.py").write_text(
        "import pytest\n"
        "@pytest.hookimpl(hookwrapper=True, tryfirst=True)\n"
        "def pytest_collection_modifyitems(items):\n"
        "    yield\n"
        "    items.reverse()\n",
        encoding="utf-8",
    )
    known = case(recorded, project, "test_wants_no_variable")
    tests = (f"{SOURCES}::test_sets_a_variable", known.nodeid)
    with Tries(known, budget_s=BUDGET_S, asked=lambda: False, hang_s=30) as tries:
        ran = tries.fresh(tests, [SOURCES, VICTIMS])
    assert [e["nodeid"] for e in ran.events if e["event"] == "start"] == list(tests)
    assert read(ran, known.nodeid, None).result is Result.SAME


def test_a_test_that_is_gone_is_undecided(recorded: Path, project: Path) -> None:
    victim = project / VICTIMS
    text = victim.read_text(encoding="utf-8")
    victim.write_text(text.replace("def test_wrong", "def test_right"), encoding="utf-8")
    found = run(case(recorded, project, "test_wrong"))
    assert found.verdict is IsolationVerdict.UNDECIDED
    assert "pytest does not collect it any more" in found.sentence
    victim.write_text("import nothing_of_that_name\n", encoding="utf-8")
    found = run(case(recorded, project, "test_wrong"))
    assert f"{VICTIMS} cannot be collected: ModuleNotFoundError" in found.sentence


# The verb


def test_the_verb_says_steps_sentence_and_command(
    recorded: Path,
    project: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    isolate_verb(monkeypatch)
    nodeid = f"{VICTIMS}::test_every_third_time"
    arguments = ["isolate", "--source", str(project), str(recorded), nodeid]
    assert cli.main([*arguments, "--budget", "0.001"]) == 0
    out, err = capfd.readouterr()
    assert out.startswith(f"{nodeid}: undecided: the budget is used up")
    assert "s] alone\n" in err
    assert cli.main([*arguments, "--budget", "0.001", "--json"]) == 0
    document = json.loads(capfd.readouterr().out)
    assert document["verdict"] == "undecided"
    assert document["nodeid"] == nodeid
    # A terminal's output is kept by CI as well.
    monkeypatch.setenv("A_SECRET", "budget is used")
    for flags in ([], ["--json"]):
        assert cli.main([*arguments, "--budget", "0.001", *flags]) == 0
        assert "undecided: the [redacted] up" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("nodeid", "said"),
    [
        (f"{VICTIMS}::test_soun", f"did not run; like it are {VICTIMS}::test_sound"),
        ("x::y", f"did not run; these failed: {VICTIMS}::test_wants_no_variable"),
    ],
)
def test_a_test_that_did_not_run_is_said_with_those_like_it(
    recorded: Path, project: Path, nodeid: str, said: str
) -> None:
    with pytest.raises(IsolateError, match="did not run") as error:
        read_case(recorded, nodeid, cwd=project, environ=ENVIRON)
    assert said in str(error.value)


def written(folder: Path, *argv: str, tests: tuple[TestResult, ...] = ()) -> Path:
    """Write a bundle of a run that never was."""
    made = bundle.claim(folder, "tests", datetime(2026, 11, 22, tzinfo=timezone.utc))
    evidence = Evidence(
        kind=BundleKind.TESTS,
        name="tests",
        outcome=Outcome.FAILED,
        command=Command(argv=argv, cwd="."),
        started_at="2026-11-22T00:00:00Z",
    )
    bundle.write_tests(made, tests, source="junit")
    bundle.write_manifest(made, evidence)
    return made


ONE = TestResult(nodeid="tests/test_x.py::test_y", outcome=TestOutcome.PASSED, duration_s=0.1)


def test_what_cannot_be_isolated_is_said(tmp_path: Path, project: Path) -> None:
    def said(folder: Path) -> str:
        with pytest.raises(IsolateError) as error:
            read_case(folder, ONE.nodeid, cwd=project, environ=ENVIRON)
        return str(error.value)

    assert "names no test" in said(written(tmp_path / "a", "pytest"))
    assert "does not run pytest" in said(written(tmp_path / "b", "make", "test", tests=(ONE,)))
    gone = said(written(tmp_path / "c", "pytest", tests=(ONE,)))
    assert "does not hold tests/test_x.py" in gone
    assert "--source DIR" in gone


def probed(
    folder: Path, *lines: Mapping[str, object], argv: tuple[str, ...] = ("./check",)
) -> Path:
    """Write a bundle with lines of the probe, and the test's file beside it."""
    artifacts = folder / "tests" / "20261122T000000Z" / "artifacts"
    made = written(folder, *argv, tests=(ONE,))
    assert made.name == artifacts.parent.name
    about = {"pid": 7, "worker": "main", "at": 1.0, "n": 0, "attempt": 1}
    total = (made / bundle.TESTS).read_text(encoding="ascii")
    text = "".join(json.dumps({**about, **line}) + "\n" for line in lines)
    (made / bundle.TESTS).write_text(text + total, encoding="ascii")
    (folder / "tests/test_x.py").write_text("", encoding="utf-8")
    return made


SESSION = {"phase": "session", "timeout": {"effective_s": 60.0}, "executable": sys.executable}
START = {"phase": "start", "nodeid": ONE.nodeid}


@pytest.mark.parametrize(
    ("marked", "argv", "limit_s"),
    [
        ({"timeout": {"effective_s": 6.0}}, ("./check",), 6.0),
        ({"timeout": {"effective_s": 6.0}}, ("pytest", "--timeout=30"), 6.0),
        ({"timeout": {"effective_s": 0.0}}, ("pytest", "--timeout=30"), None),
        ({}, ("pytest", "--timeout=30"), 30.0),
        ({}, ("./check",), 60.0),
    ],
)
def test_the_tests_own_limit_beats_options(
    tmp_path: Path, marked: Mapping[str, object], argv: tuple[str, ...], limit_s: float | None
) -> None:
    made = probed(tmp_path, SESSION, {**START, **marked}, argv=argv)
    assert read_case(made, ONE.nodeid, cwd=tmp_path, environ=ENVIRON).limit_s == limit_s


def test_the_python_that_ran_the_test_is_used_where_the_command_names_none(tmp_path: Path) -> None:
    (tmp_path / "python3").symlink_to("/bin/false")
    environ = {**ENVIRON, "PATH": str(tmp_path)}
    made = probed(tmp_path / "a", SESSION, START)
    assert read_case(made, ONE.nodeid, cwd=tmp_path / "a", environ=environ).python == (
        sys.executable,
    )
    # tox: a session for each of its environments.
    elsewhere = {**SESSION, "executable": "/bin/sh", "pid": 8}
    lines = ({**START, "nodeid": "a.py::b"}, elsewhere, {**START, "pid": 8})
    made = probed(tmp_path / "b", SESSION, *lines)
    found = read_case(made, ONE.nodeid, cwd=tmp_path / "b", environ=environ)
    assert found.python == ("/bin/sh",)
    made = probed(tmp_path / "d", {**SESSION, "executable": "~/bin/python"}, START)
    (tmp_path / "home/bin").mkdir(parents=True)
    (tmp_path / "home/bin/python").symlink_to("/bin/sh")
    at_home = {**environ, "HOME": str(tmp_path / "home")}
    found = read_case(made, ONE.nodeid, cwd=tmp_path / "d", environ=at_home)
    assert found.python == (str(tmp_path / "home/bin/python"),)
    # On another machine.
    made = probed(tmp_path / "c", {**SESSION, "executable": "/nowhere/python"}, START)
    found = read_case(made, ONE.nodeid, cwd=tmp_path / "c", environ=environ)
    assert found.python == (str(tmp_path / "python3"),)


def test_what_nobody_is_named_for_is_nobodys_leak(tmp_path: Path) -> None:
    left = [{"what": "umask", "before": "0o22", "after": "0o77"}]
    states = ({"phase": "state", "nodeid": name, "changes": left} for name in ("", ONE.nodeid))
    made = probed(tmp_path, SESSION, START, *states)
    found = read_case(made, ONE.nodeid, cwd=tmp_path, environ=ENVIRON)
    assert found.leaked == {ONE.nodeid: ("umask: 0o22 -> 0o77",)}


def isolate_verb(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [*os.environ]:
        monkeypatch.delenv(name)
    for name, value in ENVIRON.items():
        monkeypatch.setenv(name, value)


# After a run


def test_failed_tests_are_run_again_after_the_run(
    project: Path, capfd: pytest.CaptureFixture[str], keep_only: Callable[..., None]
) -> None:
    keep_only("test_wants_no_variable", "test_sound")
    folder = profile(project, "--isolate", "auto", "--isolate-budget", "120")
    evidence = assert_valid_bundle(folder)
    (found,) = evidence.isolation
    assert found.verdict is IsolationVerdict.ORDER_DEPENDENT, found.sentence
    assert found.polluters == (f"{SOURCES}::test_sets_a_variable",)
    assert (found.together.failures, found.together.runs) == (5, 5)
    document = json.loads((folder / "artifacts/isolation.json").read_text(encoding="utf-8"))
    assert [each["nodeid"] for each in document] == [found.nodeid]
    assert "order-dependent: it fails after" in (folder / "analysis/summary.md").read_text("ascii")
    assert f"{found.nodeid}: {found.sentence}" in capfd.readouterr().err


def test_a_budget_that_is_too_small_is_a_finding(
    project: Path, keep_only: Callable[..., None]
) -> None:
    keep_only("test_wants_no_variable")
    folder = profile(project, "--isolate", "auto", "--isolate-budget", "1")
    evidence = assert_valid_bundle(folder)
    assert evidence.isolation == ()
    assert any("was not run again: the budget was used up" in each for each in evidence.findings)


TWICE = """
import os, subprocess, time
from pathlib import Path

def test_hangs_the_second_time():
    if not Path("ran").exists():
        Path("ran").touch()
        assert False, "the first time"
    sleeper = subprocess.Popen(["sleep", "1000"], start_new_session=True)
    with open("pids", "w") as pids:
        pids.write(f"{os.getpid()} {sleeper.pid}")
    time.sleep(1000)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_job_that_is_cancelled_meanwhile_has_its_bundle_and_its_status(
    tmp_path: Path, number: signal.Signals
) -> None:
    (tmp_path / "test_it.py").write_text(TWICE, encoding="utf-8")
    os.mkfifo(tmp_path / "pids")
    start = [sys.executable, "-IS", str(ROOT / "bot/run.py"), "profile-tests", "--out", "out"]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    with subprocess.Popen(
        [*start, "--isolate", "auto", "--", *command],
        cwd=tmp_path,
        env=ENVIRON,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # A shell that runs pytest in the background lets it ignore SIGINT.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
    ) as process:
        pids = (tmp_path / "pids").read_text("ascii").split()
        process.send_signal(number)
        # The command had ended before.
        assert process.wait() == 1
    (folder,) = bundle.find([tmp_path / "out"])
    evidence = assert_valid_bundle(folder)
    assert evidence.outcome is Outcome.FAILED
    (found,) = evidence.isolation
    assert found.sentence == "undecided: it was interrupted"
    assert len(pids) == 2
    assert not [pid for pid in pids if alive(int(pid))]
    assert not list(sleepers(tmp_path))


def test_a_run_without_pytest_randomly_gets_a_command_without_its_options(
    recorded: Path, project: Path
) -> None:
    known = case(recorded, project, "test_wants_no_variable")
    options = (*known.pytest.options, "-p", "no:randomly")
    pytest_command = dataclasses.replace(known.pytest, options=options)
    few = dataclasses.replace(
        known,
        pytest=pytest_command,
        before=(f"{SOURCES}::test_sets_a_variable",),
        others=(),
    )
    found = run(few)
    assert found.verdict is IsolationVerdict.ORDER_DEPENDENT, found.sentence
    assert found.command.count("no:randomly") == 1
    assert "dont-reorganize" not in found.command


def test_what_it_pointed_to_is_said_first_when_it_ends_early(recorded: Path, project: Path) -> None:
    steps: list[str] = []
    found = isolate(
        case(recorded, project, "test_wants_no_variable"),
        budget_s=BUDGET_S,
        asked=lambda: bool(steps) and steps[-1].startswith("confirming"),
        say=steps.append,
    )
    assert found.verdict is IsolationVerdict.UNDECIDED
    assert found.polluters == ()
    assert found.sentence == (
        f"undecided: likely order-dependent on {SOURCES}::test_sets_a_variable, to which a search"
        " narrowed it; alone 0 of 2 runs failed; not confirmed: it was interrupted"
    )


@pytest.fixture
def keep_only(project: Path) -> Callable[..., None]:
    """Return what leaves only some of the victims in the project."""

    def keep(*names: str) -> None:
        path = project / VICTIMS
        head, *tests = path.read_text(encoding="utf-8").split("\n\n\n")
        kept = [each for each in tests if each[4:].partition("(")[0] in names]
        path.write_text("\n\n\n".join([head, *kept]) + "\n", encoding="utf-8")

    return keep
