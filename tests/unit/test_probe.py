"""The probe in real pytests: what it writes, and that nothing else changes."""

from __future__ import annotations

import json
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from telltale.capture import events, junit, probing, rebuilt, reports
from telltale.capture.redact import Redactor
from telltale.model import TestOutcome
from tests.support import PYTHON
from tests.unit.pytests import CURRENT, VERSIONS, Project, Ran, environ

MATRIX = [(CURRENT, "0"), *((version, "2") for version in VERSIONS)]

KINDS = """
import unittest
import pytest

def test_passes(): pass
def test_fails():
    print("printed")
    assert 1 == 2
@pytest.mark.skip(reason="not here")
def test_skipped(): pass
def test_skips(): pytest.skip("not now")
@pytest.mark.xfail(reason="known")
def test_fails_as_expected(): assert 0
@pytest.mark.xfail
def test_passes_unexpectedly(): pass
@pytest.mark.xfail(strict=True)
def test_passes_strictly(): pass
@pytest.fixture
def broken(): raise ValueError("no")
def test_set_up_fails(broken): pass
@pytest.fixture
def late():
    yield
    raise ValueError("later")
def test_tear_down_fails(late): pass
def test_both_fail(late): assert 3 == 4
@pytest.mark.parametrize("value", ["a\\nb", "\\udcff", "[x::y]", "\\x1b"])
def test_names(value): pass
class TestClass:
    @pytest.fixture(scope="class")
    def shared(self): yield 1
    def test_a(self, shared): pass
    def test_b(self, shared): pass
class TestOld(unittest.TestCase):
    def test_one(self): pass
    def test_bad(self): self.fail("bad")
    @unittest.skip("old")
    def test_skipped(self): pass
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    folder = tmp_path / "project"
    folder.mkdir()
    return Project(folder)


def wait_for(holds: Callable[[], bool], limit_s: float = 60) -> None:
    """Return when a file that another process writes says so; fails after the limit."""
    end = time.monotonic() + limit_s
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


# What it writes


@pytest.mark.parametrize(("version", "workers"), MATRIX)
def test_outcomes_are_those_of_pytests_own_report(
    version: str, workers: str, project: Project
) -> None:
    project.write(test_kinds=KINDS, test_missing="import nowhere", test_none=SKIPPED_FILE)
    (project.folder / "conftest.py").write_text("import pytest\n", "ascii")

    ran = project.pytest(
        f"-n{workers}", "--continue-on-collection-errors", "--junitxml=junit.xml", version=version
    )

    assert ran.status == 1, ran.out
    found = reports.collect(
        project.folder,
        "junit.xml",
        {},
        bundle=ran.folder,
        without=ran.folder,
        roots=(project.folder,),
        redactor=Redactor({}),
    )
    told = probing.tell(ran.folder, found, {}, ("pytest",))
    assert told.findings == ()
    assert told.results == ran.events.results
    theirs = {
        (result.outcome, result.message, result.text, names)
        for result, names in zip(found.results or (), found.names, strict=True)
        # Where workers take turns, a failed tear-down is a case of its own.
        if workers == "0" or not (names[1] == "test_both_fail" and "teardown" in result.message)
    }
    ours = {
        (result.outcome, result.message, result.text, rebuilt.address(result.nodeid))
        for result in told.results
    }
    assert {each[:1] + each[3:] for each in ours} == {each[:1] + each[3:] for each in theirs}
    # Texts are what failures get their names from.
    long = {each for each in ours if each[0].bad and each[2].count("\n") > 1}
    assert {each for each in long if each[3][1] != "test_both_fail"} <= theirs
    assert len(long) >= 6
    workers_seen = {result.worker for result in told.results if result.worker}
    assert workers_seen == ({"main"} if workers == "0" else {"gw0", "gw1"})
    assert sum(len(nodeids) for nodeids in ran.events.order.values()) == 19


SKIPPED_FILE = "import pytest\npytest.skip('no GPU', allow_module_level=True)"


def test_figures_of_each_phase(project: Project) -> None:
    # A process begins with the peak of the one that started it.
    size = 256 * 1024 * 1024 + resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    project.write(
        test_a="""
        import os, subprocess, sys, time
        def test_burns():
            end = time.process_time() + 0.2
            while time.process_time() < end: pass
        def test_child():
            subprocess.run([sys.executable, "-c", "import time\\n"
                "while time.process_time() < 0.2: pass"])
        def test_needs_memory():
            x = bytearray(SIZE)
            for i in range(0, len(x), 4096): x[i] = 1
        def test_idle(): time.sleep(0.2)
        """.replace("\n        ", "\n").replace("SIZE", str(size))
    )
    ran = project.pytest()
    burns, child, memory, idle = ran.events.results
    assert burns.cpu_s is not None
    assert burns.cpu_s >= 0.2
    assert child.cpu_s is not None
    assert child.cpu_s >= 0.2
    assert memory.rss_peak_change_bytes is not None
    assert memory.rss_peak_change_bytes > 100 * 1024 * 1024
    assert idle.duration_s >= 0.2
    assert idle.cpu_s is not None
    assert idle.cpu_s < 0.2
    assert [line["n"] for line in ran.lines("start")] == [0, 1, 2, 3]


def test_a_failure_carries_its_text_without_secrets_and_bounded(project: Project) -> None:
    project.write(
        test_a='import os\ndef test_a():\n    print(os.environ["DEPLOY_TOKEN"])\n'
        '    assert os.environ["DEPLOY_TOKEN"] == "x"\n'
        'def test_b():\n    assert 0, "y" * 1_000_000\n'
    )
    ran = project.pytest(extra={"DEPLOY_TOKEN": "hush-hush-hush"})
    first, second = ran.events.results
    raw = (ran.folder / "artifacts/tests.jsonl").read_text("ascii")
    assert "hush-hush-hush" not in raw
    assert "[redacted]" in first.text
    assert "[redacted]" in first.output
    assert "Captured stdout call" in first.output
    assert 60_000 < len(second.text) <= 64 * 1024
    assert second.text.endswith("AssertionError")


def test_a_test_has_no_end_of_its_own_in_a_fork(project: Project) -> None:
    project.write(
        test_a="""
        import os
        def test_forks():
            pid = os.fork()
            if not pid:
                raise SystemExit(3)
            os.waitpid(pid, 0)
        def test_after(): pass
        """.replace("\n        ", "\n")
    )
    ran = project.pytest()
    assert ran.outcomes == {"test_a.py::test_forks": "passed", "test_a.py::test_after": "passed"}
    assert len(ran.lines("teardown", "passed", "finish")) == 3


def test_what_a_test_left_changed(project: Project) -> None:
    project.write(test_a="import os\ndef test_a(): os.chdir('/')\ndef test_b(): pass\n")
    ran = project.pytest()
    state = ran.events.states[0]
    assert state.nodeid == "test_a.py::test_a"
    assert [change["after"] for change in state.changes] == ["/"]


def test_the_session_says_what_it_is(project: Project) -> None:
    project.write(test_a="import random\ndef test_a(): pass\n")
    (project.folder / "pytest.ini").write_text("[pytest]\naddopts = -W error\n", "ascii")
    ran = project.pytest("test_a.py", extra={"PYTHONHASHSEED": "7"})
    (session,) = ran.events.sessions
    assert session.args[-1] == "test_a.py"
    assert (session.rootdir, session.cwd) == (str(project.folder), str(project.folder))
    assert session.python == ".".join(map(str, sys.version_info[:3]))
    assert session.executable == sys.executable
    assert session.pytest == pytest.__version__
    assert session.seeds["PYTHONHASHSEED"] == "7"
    assert any(name.startswith("pytest-xdist-") for name in session.plugins)
    (collected,) = ran.lines("collected")
    assert len(collected["seeds"]["random"]) == 8
    (finish,) = ran.events.finishes
    assert (finish.exit_status, finish.collected, finish.seen, finish.stopped) == (0, 1, 1, False)


# Nothing else changes

LOOK = """
import json, os, sys
try:
    from importlib import metadata
    found = sorted(each.metadata["Name"] for each in metadata.distributions())
except ImportError:
    found = []
def look(name):
    env = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}
    seen = {"environ": env, "path": sys.path, "packages": found}
    with open(name + ".json", "w") as file:
        json.dump(seen, file, sort_keys=True)
"""


@pytest.mark.parametrize(("version", "workers"), MATRIX)
def test_tests_see_nothing_of_it(version: str, workers: str, project: Project) -> None:
    project.write(
        look=LOOK,
        test_a="import look\ndef test_a(): look.look('test')\n",
        conftest="import look\nlook.look('conftest')\n",
    )
    seen = []
    for probe in (False, True):
        ran = project.pytest(
            *("-v", f"-n{workers}", "-W", "error", "-p", "no:faulthandler"),
            probe=probe,
            version=version,
            extra={"PYTEST_TIMEOUT": ""},
        )
        assert ran.status == 0, ran.out
        assert bool(ran.lines("start")) == probe
        texts = [(project.folder / f"{name}.json").read_text("ascii") for name in ("test",)]
        plugins = [line for line in ran.out.splitlines() if line.startswith("plugins")]
        conftest = json.loads((project.folder / "conftest.json").read_text("ascii"))
        seen.append((texts, plugins, conftest["environ"]))
    assert seen[0] == seen[1]


def test_variables_that_were_set_to_nothing_stay_so(project: Project) -> None:
    project.write(
        test_a="import os\ndef test_a():\n"
        "    assert os.environ['PYTHONPATH'] == os.environ['PYTEST_ADDOPTS'] == ''\n"
    )
    extra = {"PYTHONPATH": "", "PYTEST_ADDOPTS": "", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    ran = project.pytest(extra=extra)
    assert ran.outcomes == {"test_a.py::test_a": "passed"}


def test_no_bytecode_is_left_beside_it(project: Project) -> None:
    project.write(test_a="def test_a(): pass\n")
    project.pytest()
    project.pytest(extra={"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"})
    assert (probing.FOLDER / "__pycache__").is_file()
    assert not list(probing.FOLDER.rglob("*.pyc"))


@pytest.mark.parametrize(
    ("args", "extra", "python"),
    [
        (("-p", "no:telltale_probe"), {}, ()),
        ((), {}, ("-I",)),
        ((), {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}, ("-E",)),
    ],
    ids=["switched-off", "isolated", "no-autoload-and-no-variables"],
)
def test_where_it_is_not_loaded_pytest_runs_as_ever(
    args: tuple[str, ...], extra: dict[str, str], python: tuple[str, ...], project: Project
) -> None:
    project.write(test_a="def test_a(): pass\n")
    ran = project.pytest(*args, extra=extra, python=(sys.executable, *python))
    assert ran.status == 0, ran.out
    assert ran.events == events.Events()


def test_it_is_loaded_where_plugins_are_not(project: Project) -> None:
    project.write(test_a="def test_a(): pass\n")
    ran = project.pytest("-p", "xdist", "-n1", extra={"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"})
    assert ran.outcomes == {"test_a.py::test_a": "passed"}


def test_a_folder_that_is_gone_changes_nothing(project: Project) -> None:
    project.write(
        test_a="import os, shutil\ndef test_a(): shutil.rmtree(os.environ['BUNDLE'])\n"
        "def test_b(): pass\n"
    )
    folder = project.folder.with_name(f"{project.folder.name}-bundle-1")
    ran = project.pytest(extra={"BUNDLE": str(folder)})
    assert ran.status == 0, ran.out
    assert "2 passed" in ran.out


def test_a_full_disk_changes_nothing(project: Project) -> None:
    project.write(test_a="def test_a(): pass\n")
    folder = project.folder.with_name(f"{project.folder.name}-bundle-1")
    (folder / "artifacts").mkdir(parents=True)
    (folder / "artifacts/tests.jsonl").symlink_to("/dev/full")
    ran = project.pytest()
    assert ran.status == 0, ran.out
    assert "1 passed" in ran.out


def test_a_limit_on_the_size_of_files_changes_nothing(project: Project) -> None:
    project.write(
        test_a="import resource\ndef test_a():\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))\n"
        "def test_b():\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)\n"
        "def test_c(): pass\n"
    )
    ran = project.pytest()
    assert ran.status == 0, ran.out
    assert ran.outcomes["test_a.py::test_c"] == "passed"
    assert ran.events.damaged == 0


# pytest within pytest


def test_a_pytest_within_a_test_is_not_told_of(project: Project) -> None:
    project.write(
        conftest="pytest_plugins = ['pytester']\n",
        test_a="""
        import subprocess, sys, pytest
        INNER = "def test_inner(): pass"
        def test_in_process(pytester):
            pytester.makepyfile(INNER)
            pytester.runpytest_inprocess("-p", "no:cacheprovider").assert_outcomes(passed=1)
        def test_subprocess(pytester):
            pytester.makepyfile(INNER)
            pytester.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=1)
        def test_main(tmp_path, monkeypatch):
            (tmp_path / "test_inner.py").write_text(INNER)
            monkeypatch.chdir(tmp_path)
            assert pytest.main(["-p", "no:cacheprovider"]) == 0
        def test_workers(pytester):
            pytester.makepyfile(INNER)
            pytester.runpytest_subprocess("-n1", "-p", "no:cacheprovider").assert_outcomes(passed=1)
        """.replace("\n        ", "\n"),
    )
    ran = project.pytest()
    assert ran.status == 0, ran.out
    assert len(ran.events.sessions) == 1
    assert [each.nodeid for each in ran.events.results] == [
        f"test_a.py::test_{name}" for name in ("in_process", "subprocess", "main", "workers")
    ]


def test_a_pytest_below_one_that_is_switched_off_is_not_told_of(project: Project) -> None:
    project.write(
        test_a="import subprocess, sys\ndef test_a():\n"
        "    subprocess.check_call([sys.executable, '-m', 'pytest', 'test_b.py'])\n",
        test_b="def test_b(): pass\n",
    )
    ran = project.pytest("-p", "no:telltale_probe", "test_a.py")
    assert ran.status == 0, ran.out
    assert ran.events == events.Events()


def test_each_pytest_of_a_command_is_told_of(project: Project) -> None:
    project.write(test_a="def test_a(): pass\n", test_b="def test_b(): pass\n")
    pytest_ = f"{PYTHON} -m pytest -q -p no:cacheprovider"
    ran = project.run("sh", "-c", f"{pytest_} test_a.py && {pytest_} test_b.py")
    assert ran.status == 0, ran.out
    assert len(ran.events.sessions) == 2
    assert ran.outcomes == {"test_a.py::test_a": "passed", "test_b.py::test_b": "passed"}


def test_a_program_that_calls_pytest_twice(project: Project) -> None:
    project.write(
        test_a="def test_a(): pass\n",
        main="import pytest, subprocess, sys\n"
        "assert pytest.main(['-p', 'no:cacheprovider', 'test_a.py']) == 0\n"
        "assert pytest.main(['-p', 'no:cacheprovider', 'test_a.py']) == 0\n"
        "subprocess.check_call([sys.executable, '-m', 'pytest', 'test_a.py'])\n",
    )
    ran = project.run(sys.executable, "main.py")
    assert ran.status == 0, ran.out
    assert len(ran.events.sessions) == 3
    assert len(ran.events.results) == 3


# Traps


def test_a_conftest_that_clears_the_environment(project: Project) -> None:
    project.write(conftest="import os\nos.environ.clear()\n", test_a="def test_a(): pass\n")
    assert project.pytest().outcomes == {"test_a.py::test_a": "passed"}


def test_a_conftest_that_sets_its_own_path_keeps_it(project: Project) -> None:
    project.write(
        conftest="import os\nos.environ['PYTHONPATH'] = '/own'\n",
        test_a="import os\ndef test_a(): assert os.environ['PYTHONPATH'] == '/own'\n",
    )
    assert project.pytest().outcomes == {"test_a.py::test_a": "passed"}


def test_a_conftest_that_runs_tests_in_its_own_way_is_told(project: Project) -> None:
    project.write(
        conftest="def pytest_runtest_protocol(item, nextitem):\n    return True\n",
        test_a="def test_a(): pass\ndef test_b(): pass\n",
    )
    ran = project.pytest()
    told = probing.tell(ran.folder, None, {}, ("pytest",))
    assert told.results == ()
    assert told.running == ()
    assert any("collected 2 tests and the probe saw 0" in finding for finding in told.findings)


def test_a_descriptor_that_was_closed_is_opened_again_and_another_left_alone(
    project: Project,
) -> None:
    project.write(
        test_a="""
        import os
        def test_a():
            mine = [fd for fd in range(100, 300) if open_(fd)]
            os.closerange(100, 300)
            fds = [os.open("other", os.O_CREAT | os.O_WRONLY)]
            while fds[-1] < 300:
                fds.append(os.dup(fds[0]))
        def open_(fd):
            try:
                os.fstat(fd)
            except OSError:
                return False
            return True
        def test_b():
            os.closerange(100, 1000)
        def test_c(): pass
        """.replace("\n        ", "\n")
    )
    ran = project.pytest("-s")
    assert ran.outcomes == {f"test_a.py::test_{name}": "passed" for name in "abc"}
    assert (project.folder / "other").read_bytes() == b""


def test_functions_that_tests_replace_are_not_used(project: Project) -> None:
    project.write(
        test_a="""
        import os, time, json
        def test_a(monkeypatch, request):
            def no(*args, **kwargs): raise AssertionError
            for module, names in ((os, "write pwrite lseek getpid"), (time, "time monotonic")):
                for name in names.split():
                    monkeypatch.setattr(module, name, no)
        def test_b(): pass
        """.replace("\n        ", "\n")
    )
    ran = project.pytest()
    ended = [line["nodeid"] for line in ran.lines("teardown", "passed")]
    assert ended == ["test_a.py::test_a", "test_a.py::test_b"]
    assert [line["in"].strip() for line in ran.lines("start")] == ["teardown", "teardown"]


@pytest.mark.parametrize("module", ["signal.SIG_IGN", "lambda *_: None"])
def test_a_signal_that_the_project_uses_is_left_to_it(module: str, project: Project) -> None:
    project.write(
        conftest=f"import signal\nsignal.signal(signal.SIGUSR1, {module})\n",
        test_a="def test_a(): pass\n",
    )
    ran = project.pytest()
    assert ran.events.armed == ()
    assert not (ran.folder / "artifacts/stacks.txt").exists()


# Death


def start(
    project: Project, *args: str, version: str = CURRENT
) -> tuple[subprocess.Popen[bytes], Ran]:
    folder = project.bundle()
    argv = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *args)
    argv += ("-p", "no:randomly")
    process = subprocess.Popen(
        argv,
        cwd=project.folder,
        env=environ(folder, version=version),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return process, Ran(status=-1, out="", folder=folder)


HANGS = """
import pytest, time
def test_first(): pass
@pytest.fixture
def slow_start():
    time.sleep(1000)
@pytest.fixture
def slow_end():
    yield
    time.sleep(1000)
def test_setup(slow_start): pass
def test_call(): time.sleep(1000)
def test_teardown(slow_end): pass
"""


@pytest.mark.parametrize("phase", ["setup", "call", "teardown"])
def test_the_phase_in_which_it_was_killed(phase: str, project: Project) -> None:
    project.write(test_a=HANGS)
    name = f"test_a.py::test_{phase}"
    process, ran = start(project, "test_a.py::test_first", name)
    with process:
        # The first test has phases too.
        wait_for(
            lambda: any((each.nodeid, each.phase) == (name, phase) for each in ran.events.running)
        )
        process.kill()

    told = probing.tell(ran.folder, None, {}, ("pytest",))

    (running,) = told.running
    assert (running.nodeid, running.worker, running.phase) == (name, "main", phase)
    assert running.for_s >= 0
    assert {each.nodeid: each.outcome.value for each in told.results or ()} == {
        "test_a.py::test_first": "passed",
        name: "interrupted",
    }
    assert "stacks.txt" not in [path.name for path in (ran.folder / "artifacts").iterdir()]
    cases = junit.read(ran.folder / "artifacts/junit.xml").cases
    assert [(case.name, case.outcome) for case in cases] == [
        ("test_first", TestOutcome.PASSED),
        (f"test_{phase}", TestOutcome.ERROR),
    ]


def test_how_long_a_slow_phase_took_is_told_before_its_test_ends(project: Project) -> None:
    project.write(
        test_a="""
        import pytest, time
        @pytest.fixture
        def slow(): time.sleep(0.05)
        def test_hangs(slow): time.sleep(1000)
        """.replace("\n        ", "\n")
    )
    process, ran = start(project)
    with process:
        wait_for(lambda: any(each.phase == "call" for each in ran.events.running))
        process.kill()

    (line,) = ran.lines("setup")
    assert line["wall_s"] >= 0.05
    assert line["cpu_s"] >= 0
    (result,) = ran.events.results
    assert result.walls_s is not None
    assert result.walls_s[0] == line["wall_s"]


def test_every_stack_is_written_on_a_signal(project: Project) -> None:
    project.write(test_a=HANGS)
    process, ran = start(project, "test_a.py::test_call")
    stacks = ran.folder / "artifacts/stacks.txt"
    with process:
        wait_for(lambda: any(each.phase == "call" for each in ran.events.running))
        assert ran.events.armed == (process.pid,)

        def written() -> bool:
            # Its set-up had ended; the test itself may not have begun at the first signal.
            process.send_signal(signal.SIGUSR1)
            return b"in test_call" in stacks.read_bytes()

        wait_for(written)
        assert process.poll() is None
        process.kill()


def test_a_session_that_was_interrupted_in_order(project: Project) -> None:
    project.write(test_a=HANGS)
    process, ran = start(project, "test_a.py::test_call")
    with process:
        wait_for(lambda: any(each.phase == "call" for each in ran.events.running))
        process.send_signal(signal.SIGINT)
    (finish,) = ran.events.finishes
    assert finish.exit_status == 2
    (running,) = ran.events.running
    assert (running.nodeid, running.finished_at) == ("test_a.py::test_call", finish.at)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_worker_that_dies_is_told_by_the_controller(version: str, project: Project) -> None:
    project.write(
        test_a="import os\ndef test_a(): pass\ndef test_dies(): os.kill(os.getpid(), 9)\n"
        "def test_b(): pass\n"
    )
    ran = project.pytest("-n1", "--junitxml=junit.xml", version=version)
    assert ran.outcomes == {
        "test_a.py::test_a": "passed",
        "test_a.py::test_dies": "error",
        "test_a.py::test_b": "passed",
    }
    died = ran.events.results[1]
    assert died.message == "worker 'gw0' crashed while running 'test_a.py::test_dies'"
    assert ran.events.running == ()
    assert set(ran.events.order) == {"gw0", "gw1"}


# Plugins that have their own way with tests


def test_retries_of_rerunfailures(project: Project) -> None:
    project.write(
        test_a="""
        import pytest, os
        TRIES = []
        def test_flaky():
            TRIES.append(1)
            assert len(TRIES) == 3
        def test_never(): assert 0
        def test_always(): pass
        """.replace("\n        ", "\n")
    )
    ran = project.pytest("--reruns=2", "-p", "no:flaky", "--junitxml=junit.xml", version="plugins")
    results = {each.nodeid.partition("::")[2]: each for each in ran.events.results}
    assert {name: (each.outcome.value, each.attempts) for name, each in results.items()} == {
        "test_flaky": ("passed", 3),
        "test_never": ("failed", 3),
        "test_always": ("passed", 1),
    }
    told = probing.tell(ran.folder, None, {}, ("pytest",))
    assert "1 test passed only when run again, as test_a.py::test_flaky" in told.findings


def test_what_ended_before_a_death_in_a_retried_test_is_kept(project: Project) -> None:
    project.write(test_a=HANGS)
    process, ran = start(project, "--reruns=1", "test_a.py::test_teardown", version="plugins")
    with process:
        wait_for(lambda: any(each.phase == "teardown" for each in ran.events.running))
        process.kill()
    (running,) = ran.events.running
    assert running.phase == "teardown"
    assert [line["phase"] for line in ran.lines("start", "teardown", "passed")] == ["start"]


def test_retries_of_flaky(project: Project) -> None:
    project.write(
        test_a="from flaky import flaky\nTRIES = []\n@flaky(max_runs=3)\ndef test_a():\n"
        "    TRIES.append(1)\n    assert len(TRIES) == 2\ndef test_b(): pass\n"
    )
    ran = project.pytest("-p", "no:rerunfailures", version="plugins")
    assert ran.status == 0, ran.out
    assert ran.outcomes == {"test_a.py::test_a": "passed", "test_a.py::test_b": "passed"}


def test_forked_tests(project: Project) -> None:
    project.write(
        test_a="import os\ndef test_a(): pass\ndef test_dies(): os.kill(os.getpid(), 9)\n"
        "def test_fails(): assert 0\n"
    )
    ran = project.pytest("--forked", version="6.2")
    assert {name.partition("::")[2]: each for name, each in ran.outcomes.items()} == {
        "test_a": "passed",
        "test_dies": "error",
        "test_fails": "failed",
    }


def test_failed_subtests(project: Project) -> None:
    project.write(
        test_a="def test_a(subtests):\n    for i in range(3):\n"
        "        with subtests.test(msg='part', i=i): assert i != 1\n"
        "def test_b(subtests):\n    with subtests.test('fine'): pass\n"
    )
    ran = project.pytest()
    assert ran.outcomes == {"test_a.py::test_a": "failed", "test_a.py::test_b": "passed"}
    (part,) = [line for line in ran.lines("call") if "subtest" in line]
    assert part["subtest"].startswith("part, i=")


@pytest.mark.parametrize("method", ["signal", "thread"])
def test_a_test_that_pytest_timeout_ends(method: str, project: Project) -> None:
    project.write(test_a="import time\ndef test_a(): pass\ndef test_b(): time.sleep(1000)\n")
    ran = project.pytest("--timeout=1", f"--timeout-method={method}", version="plugins")
    assert ran.status == 1, ran.out
    if method == "signal":
        assert ran.outcomes["test_a.py::test_b"] == "failed"
        return
    # It ends the whole process, by os._exit.
    assert ran.events.finishes == ()
    assert ran.events.running[0].nodeid == "test_a.py::test_b"
    assert ran.outcomes == {"test_a.py::test_a": "passed", "test_a.py::test_b": "interrupted"}


LIMITS = """
import pytest
@pytest.mark.timeout(905)
def test_long(): pass
@pytest.mark.timeout(905)
def test_long_too(): pass
@pytest.mark.timeout(1500, method="thread")
def test_longer(): pass
@pytest.mark.timeout(func_only=True)
def test_only(): pass
def test_plain(): pass
"""


def test_the_limit_that_holds_and_what_it_beats(project: Project) -> None:
    project.write(test_a=LIMITS)
    (project.folder / "pytest.ini").write_text("[pytest]\ntimeout = 60\n", "ascii")
    ran = project.pytest("--timeout=1200", "-n1", version="plugins")
    limits = {line["nodeid"][11:]: line.get("timeout", {}) for line in ran.lines("start")}
    beaten = ["--timeout=1200", "timeout = 60 of the configuration"]
    assert limits["test_long"] == {
        "effective_s": 905,
        "from": "marker",
        "method": "signal",
        "func_only": False,
        "defeated": beaten,
    }
    assert (limits["test_longer"]["effective_s"], limits["test_longer"]["method"]) == (
        1500,
        "thread",
    )
    assert limits["test_only"] == {
        "effective_s": 1200,
        "from": "option",
        "method": "signal",
        "func_only": True,
        "defeated": beaten[1:],
    }
    assert limits["test_plain"] == {}
    session = next(each for each in ran.events.sessions if each.worker == "main")
    assert session.timeout["effective_s"] == 1200
    assert session.timeout["defeated"] == beaten[1:]
    assert ran.events.warnings == (
        "test_a.py::test_long and 1 more: @timeout(905) beats --timeout=1200: 905 s hold",
    )


@pytest.mark.parametrize(
    ("ini", "args", "extra", "expected"),
    [
        ("timeout = 60", (), {}, (60, "ini")),
        ("timeout = 60", (), {"PYTEST_TIMEOUT": "30"}, (30, "environment")),
        ("timeout = 60", ("--timeout=5",), {"PYTEST_TIMEOUT": "30"}, (5, "option")),
        ("", (), {}, None),
    ],
)
def test_where_the_limit_comes_from(
    ini: str,
    args: tuple[str, ...],
    extra: dict[str, str],
    expected: tuple[float, str] | None,
    project: Project,
) -> None:
    project.write(test_a="def test_a(): pass\n")
    (project.folder / "pytest.ini").write_text(f"[pytest]\n{ini}\n", "ascii")
    ran = project.pytest(*args, extra=extra, version="plugins")
    limit = ran.events.sessions[0].timeout
    assert (limit["effective_s"], limit["from"]) == expected if expected else limit == {}


def test_a_marker_without_its_plugin_is_told(project: Project) -> None:
    project.write(test_a=LIMITS)
    ran = project.pytest()
    assert ran.events.warnings[0] == (
        "test_a.py::test_long and 1 more: marked timeout(905), but pytest-timeout is not loaded:"
        " no limit holds"
    )


def test_the_seed_of_a_random_order(project: Project) -> None:
    project.write(test_a="".join(f"def test_{name}(): pass\n" for name in "abcdefgh"))
    first = project.pytest("-p", "randomly", version="plugins")
    seed = first.events.sessions[0].seeds["randomly"]
    again = project.pytest("-p", "randomly", f"--randomly-seed={seed}", version="plugins")
    assert first.events.order == again.events.order
    assert len(first.events.order["main"]) == 8
