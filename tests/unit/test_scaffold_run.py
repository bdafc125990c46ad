"""
Scaffolds run for real, on failures whose mechanisms are certain.

None of these tests rests on luck: what fails needs an order, a second
execution, a hash seed or company, and always fails given that.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from telltale.model import FailureKind
from telltale.scaffold import Request, write
from tests.support import alive
from tests.unit.scaffold_cases import project, request, run_scaffold

SOUND = "def test_it():\n    assert True\n"
NEVER = "E   AssertionError: this is never said\n\ntests/test_it.py:2: AssertionError"


def said(exception: str, statement: str, *, function: str = "test_it") -> str:
    """Return what pytest prints of an exception raised by a statement."""
    return f"tests/test_it.py:3: in {function}\n    {statement}\nE   {exception}\n"


def results(folder: Path) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads((folder / "reproduce.json").read_text())["results"]
    return found


def made(tmp_path: Path, test: str, what: Request, **more: str) -> tuple[Path, Path]:
    """Return a scaffold and a checkout whose `tests/test_it.py` is given; both in odd folders."""
    files = {"tests/test_it.py": textwrap.dedent(test), **more}
    source = project(tmp_path / "my code; $x & y", files)
    return write(what, tmp_path / "scaffolds of ours"), source


def test_a_polluter_is_found_by_the_recorded_order(tmp_path: Path) -> None:
    folder, source = made(
        tmp_path,
        """
        import os

        def test_polluter():
            os.environ["SHOP_MODE"] = "fast"

        def test_between():
            pass

        def test_it():
            assert "SHOP_MODE" not in os.environ, "left over"
        """,
        request(
            "tests/test_it.py::test_it",
            said(
                "AssertionError: left over",
                'assert "SHOP_MODE" not in os.environ, "left over"',
            ),
            before=("tests/test_it.py::test_polluter", "tests/test_gone.py::test_x"),
        ),
    )

    status, output = run_scaffold(folder, source, "--amplifiers", "fresh,order", "--budget", "60")

    assert status == 1, output
    (result,) = results(folder)
    assert result["exit_status"] == 1
    assert result["amplifier"] == "order"
    assert "reproduced with the same signature" in output
    log = (folder / str(result["log"])).read_text()
    assert "# same after" in log
    readme = (folder / "README.md").read_text()
    assert re.search(
        r"^\| 20\S+Z \| 1 \| ` reproduced with .* \| `logs/run_\d+\.log` \|$", readme, re.MULTILINE
    )


SECOND_RUN = """
SEEN = []

def test_it():
    SEEN.append(1)
    if len(SEEN) > 1:
        raise ValueError(f"registered {len(SEEN)} times")
"""
SECOND = request(
    "tests/test_it.py::test_it",
    said("ValueError: registered 2 times", 'raise ValueError(f"registered {len(SEEN)} times")'),
)


def test_a_second_execution_in_one_process(tmp_path: Path) -> None:
    folder, source = made(tmp_path, SECOND_RUN, SECOND)

    status, output = run_scaffold(folder, source)

    assert status == 1, output
    assert results(folder)[0]["amplifier"] == "repeat"


def test_a_rate_is_measured_after_the_first_failure(tmp_path: Path) -> None:
    folder, source = made(tmp_path, SECOND_RUN, SECOND)

    status, output = run_scaffold(
        folder, source, "--rate", "--iterations", "5", "--amplifiers", "repeat"
    )

    assert status == 1
    assert "then it failed in every time: 5 of 5 tries, 100 %" in output
    (result,) = results(folder)
    assert result["rate"] == {
        "same": 5,
        "tries": 5,
        "low": pytest.approx(0.5655, abs=1e-4),
        "high": 1.0,
        "confidence": 0.95,
    }
    assert result["tries"] == 6


def test_logs_and_results_of_earlier_runs_stay(tmp_path: Path) -> None:
    folder, source = made(tmp_path, SOUND, request("tests/test_it.py::test_it", NEVER))

    for _ in range(2):
        status, _ = run_scaffold(folder, source, "--iterations", "1", "--amplifiers", "fresh")
        assert status == 0

    assert sorted(path.name for path in (folder / "logs").glob("run_*")) == [
        "run_1.log",
        "run_2.log",
    ]
    assert len(results(folder)) == 2


def test_a_hash_seed(tmp_path: Path) -> None:
    folder, source = made(
        tmp_path,
        """
        import os

        def test_it():
            assert os.environ["PYTHONHASHSEED"] != "3", "the third seed"
        """,
        request(
            "tests/test_it.py::test_it",
            said(
                "AssertionError: the third seed",
                'assert os.environ["PYTHONHASHSEED"] != "3", "the third seed"',
            ),
        ),
    )

    status, _ = run_scaffold(folder, source, "--amplifiers", "fresh")

    assert status == 1
    assert results(folder)[0]["plan"] == "alone in a fresh process, hash seed 3"


def test_copies_side_by_side_share_temporary_files(tmp_path: Path) -> None:
    folder, source = made(
        tmp_path,
        """
        import os, tempfile

        def test_it():
            os.mkdir(os.path.join(tempfile.gettempdir(), "shop.lock"))
        """,
        request(
            "tests/test_it.py::test_it",
            said(
                "FileExistsError: [Errno 17] File exists: '/tmp/tmp8ab01c2d/shop.lock'",
                'os.mkdir(os.path.join(tempfile.gettempdir(), "shop.lock"))',
            ),
        ),
    )

    status, output = run_scaffold(
        folder, source, "--amplifiers", "fresh,parallel", "--workers", "2"
    )

    assert status == 1, output
    assert results(folder)[0]["amplifier"] == "parallel"


def test_a_hang_shows_itself_by_silence_and_its_stuck_frame(tmp_path: Path) -> None:
    folder, source = made(
        tmp_path,
        """
        import queue

        def test_it():
            queue.Queue().get()
        """,
        request(
            "tests/test_it.py::test_it",
            "tests/test_it.py:5: in test_it\n    queue.Queue().get()\n"
            "/usr/lib/python3.11/threading.py:327: in wait\n    waiter.acquire()\n"
            "E   Failed: Timeout (>5.0s) from pytest-timeout.\n",
        ),
    )

    status, output = run_scaffold(folder, source, "--silence", "2", "--budget", "60")

    assert status == 1, output
    assert "Timeout at queue.Queue().get()" in output


def test_a_crash(tmp_path: Path) -> None:
    folder, source = made(
        tmp_path,
        """
        import os

        def crash():
            os.abort()

        def test_it():
            crash()
        """,
        request(
            "tests/test_it.py::test_it",
            "Fatal Python error: Aborted\n\nCurrent thread 0x01 (most recent call first):\n"
            '  File "/w/tests/test_it.py", line 5 in crash\n'
            '  File "/w/tests/test_it.py", line 8 in test_it\n',
        ),
    )

    status, output = run_scaffold(folder, source)

    assert status == 1, output
    assert "SIGABRT in crash" in output


COLLECTION = "E   ImportError: cannot import name 'gone' from 'shop' (/w/shop.py)\n"


def test_a_file_that_cannot_be_collected(tmp_path: Path) -> None:
    what = request("tests/test_it.py", "ERROR collecting tests/test_it.py\n" + COLLECTION)
    folder, source = made(tmp_path, "from shop import gone\n", what, **{"shop.py": ""})

    status, output = run_scaffold(folder, source)

    assert what.failure.kind is FailureKind.COLLECTION_ERROR
    assert status == 1, output


def test_a_command_that_is_no_pytest(tmp_path: Path) -> None:
    # Fails each second time: it keeps a file in the checkout.
    program = """
    import pathlib

    seen = pathlib.Path("seen")
    if seen.exists():
        seen.unlink()
        raise OSError(98, "Address already in use")
    seen.touch()
    """
    text = (
        "the command exited with 1 and named no failed test\nTraceback (most recent call last):\n"
        '  File "/w/app/serve.py", line 7, in <module>\n'
        '    raise OSError(98, "Address already in use")\n'
        "OSError: [Errno 98] Address already in use\n"
    )
    folder, source = made(
        tmp_path,
        SOUND,
        request("", text, argv=("python", "serve.py"), cwd="app"),
        **{"app/serve.py": textwrap.dedent(program)},
    )

    status, output = run_scaffold(folder, source)

    assert status == 1, output
    assert results(folder)[0]["tries"] == 2


def test_a_sound_test_is_not_reproduced(tmp_path: Path) -> None:
    folder, source = made(tmp_path, SOUND, request("tests/test_it.py::test_it", NEVER))

    status, output = run_scaffold(folder, source, "--iterations", "6", "--workers", "2")

    assert status == 0, output
    assert "not reproduced in" in output
    assert "at 95 % confidence under" in output


def test_silence_before_the_tests_begin_is_no_hang(tmp_path: Path) -> None:
    folder, source = made(tmp_path, SOUND, request("tests/test_it.py::test_it", NEVER))

    # Starting pytest alone takes longer than that.
    status, output = run_scaffold(folder, source, "--iterations", "1", "--silence", "0.05")

    assert status == 0, output


def test_another_failure_is_not_a_reproduction(tmp_path: Path) -> None:
    folder, source = made(tmp_path, SECOND_RUN, request("tests/test_it.py::test_it", NEVER))

    status, output = run_scaffold(folder, source, "--iterations", "2", "--amplifiers", "repeat")

    assert status == 3, output
    assert "never with this signature: ValueError: registered <n> times" in output


@pytest.mark.parametrize(
    ("test", "what", "message"),
    [
        pytest.param(
            SOUND,
            request("tests/test_moved.py::test_it", NEVER),
            "does not hold tests/test_moved.py",
            id="no-such-file",
        ),
        pytest.param(
            SOUND,
            request("tests/test_it.py::test_renamed", NEVER),
            "pytest does not collect the test here",
            id="no-such-test",
        ),
        pytest.param(
            "import nowhere\n" + SOUND,
            request("tests/test_it.py::test_it", NEVER),
            "cannot be collected: ModuleNotFoundError: No module named 'nowhere'",
            id="a-package-is-missing",
        ),
        pytest.param(
            "import pytest\n\n@pytest.mark.skip('needs two GPUs')\n" + SOUND,
            request("tests/test_it.py::test_it", NEVER),
            "the test is skipped here: Skipped: needs two GPUs",
            id="skipped",
        ),
        pytest.param(
            SOUND,
            request("tests/test_it.py::test_it", NEVER, argv=("pytest", "--no-such-option")),
            "unrecognized arguments: --no-such-option",
            id="an-option-of-a-plugin-that-is-missing",
        ),
        pytest.param(
            SOUND,
            request("tests/test_it.py::test_it", NEVER, cwd="gone"),
            "has no folder 'gone'",
            id="no-such-folder",
        ),
        pytest.param(
            SOUND,
            request("", "exit status 1", argv=("./no-such-program",)),
            "the command cannot be started",
            id="no-such-program",
        ),
    ],
)
def test_what_cannot_run_says_why(test: str, what: Request, message: str, tmp_path: Path) -> None:
    folder, source = made(tmp_path, test, what)

    status, output = run_scaffold(folder, source)

    assert status == 2, output
    assert message in output
    assert results(folder)[-1]["exit_status"] == 2


@pytest.mark.parametrize(
    ("args", "message"),
    [
        pytest.param(("--venv", "/nowhere"), "--venv /nowhere: there is no bin/python", id="venv"),
        pytest.param(("--source", "/nowhere"), "there is no such folder", id="source"),
        pytest.param(("--source",), "--source needs a folder", id="no-value"),
        pytest.param(("--budget", "soon"), "invalid _positive value: 'soon'", id="budget"),
        pytest.param(("--amplifiers", "magic"), "there is no amplifier 'magic'", id="amplifier"),
        pytest.param(
            ("--without", "fresh,repeat,shuffle,parallel"), "no amplifier is left", id="none"
        ),
    ],
)
def test_a_mistake_on_the_command_line(args: tuple[str, ...], message: str, tmp_path: Path) -> None:
    folder, source = made(tmp_path, SOUND, request("tests/test_it.py::test_it", NEVER))

    status, output = run_scaffold(folder, source, *args)

    assert status == 2, output
    assert message in output


def test_another_commit_is_said(tmp_path: Path) -> None:
    folder, source = made(tmp_path, SOUND, request("tests/test_it.py::test_it", NEVER))
    document = json.loads((folder / "reproduce.json").read_text())
    document["source"]["sha"] = "1" * 40
    (folder / "reproduce.json").write_text(json.dumps(document))
    (source / "tests/test_it.py").write_text(SOUND + "\n")

    _, output = run_scaffold(folder, source, "--iterations", "1")

    assert re.search(
        r"warning: this checkout is at [0-9a-f]{12}, the failure was at 111111111111", output
    )
    assert "has changed files" in output


def test_the_budget_holds_against_a_test_that_ignores_signals(tmp_path: Path) -> None:
    folder, source = made(
        tmp_path,
        """
        import os, pathlib, signal, subprocess, sys, time

        def ignore():
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR2):
                signal.signal(number, signal.SIG_IGN)

        def test_it():
            ignore()
            code = "import time; time.sleep(600)"
            # In a session of its own, with an output of its own, and deaf as well.
            stray = subprocess.Popen(
                [sys.executable, "-c", code], start_new_session=True, preexec_fn=ignore
            )
            pathlib.Path("stray").write_text(str(stray.pid))
            while True:
                time.sleep(600)
        """,
        request("tests/test_it.py::test_it", NEVER),
    )

    # A busy machine may not get as far as the test within a small budget.
    for budget_s in (8, 60):
        began = time.monotonic()
        status, output = run_scaffold(
            folder, source, "--budget", str(budget_s), "--amplifiers", "fresh"
        )
        assert time.monotonic() - began < budget_s + 25
        if (source / "stray").exists():
            break

    assert status == 2, output
    assert "the budget ended before a single try did" in output
    assert not alive(int((source / "stray").read_text()))


def test_recorded_variables_reach_the_test(tmp_path: Path) -> None:
    value = "a 'quoted' $HOME `id`\nsecond line \u00e9"
    folder, source = made(
        tmp_path,
        f"""
        import os

        def test_it():
            ours = {{name for name in os.environ if name.startswith("TELLTALE_")}}
            assert ours == {{"TELLTALE_TRY"}}
            assert os.environ["GREETING"] != {value!r}, "as recorded"
        """,
        request(
            "tests/test_it.py::test_it",
            said(
                "AssertionError: as recorded",
                f'assert os.environ["GREETING"] != {value!r}, "as recorded"',
            ),
            env={"GREETING": value},
        ),
    )

    status, output = run_scaffold(folder, source, env={"TELLTALE_ITERATIONS": "1"})

    assert status == 1, output


@pytest.mark.parametrize("addopts", ["-x --junitxml=report.xml", "--sw -q"])
def test_a_projects_own_configuration_does_not_fight(addopts: str, tmp_path: Path) -> None:
    ini = f"[pytest]\naddopts = {addopts}\n"
    folder, source = made(
        tmp_path,
        "def test_other():\n    assert 0\n" + SECOND_RUN,
        request(
            "tests/test_it.py::test_it",
            SECOND.failure.text,
            before=("tests/test_it.py::test_other",),
        ),
        **{"pytest.ini": ini},
    )

    # The test before it fails, and the options would end the run there.
    status, output = run_scaffold(folder, source, "--iterations", "1", "--amplifiers", "order")

    assert status == 0, output
    assert "not reproduced in 1 try with 1 execution: at 95 % confidence under 95 % of" in output
    assert not (source / "report.xml").exists()


OWN_INSTANCE = """
import unittest

class TestPlain:
    def test_it(self):
        assert not hasattr(self, "seen")
        self.seen = True

class TestCase(unittest.TestCase):
    def test_it(self):
        self.assertFalse(hasattr(self, "seen"))
        self.seen = True
"""


@pytest.mark.parametrize("name", ["TestPlain", "TestCase"])
def test_each_execution_has_its_own_instance(name: str, tmp_path: Path) -> None:
    what = request(f"tests/test_it.py::{name}::test_it", NEVER)
    folder, source = made(tmp_path, OWN_INSTANCE, what)

    status, output = run_scaffold(folder, source, "--iterations", "2", "--amplifiers", "repeat")

    assert status == 0, output
    assert results(folder)[0]["executions"] in range(4, 13)


@pytest.mark.parametrize(
    ("nodeid", "cwd"),
    [
        pytest.param("core/tests/test_it.py::test_it", "core", id="of-a-folder-above"),
        pytest.param("tests/test_it.py::test_it", "core", id="of-the-working-folder"),
        pytest.param("tests.test_it::test_it", "core", id="as-junit-names-it"),
    ],
)
def test_a_nodeid_is_found_from_where_it_was_named(nodeid: str, cwd: str, tmp_path: Path) -> None:
    folder = write(request(nodeid, SECOND.failure.text, cwd=cwd), tmp_path)
    source = project(tmp_path / "source", {"core/tests/test_it.py": SECOND_RUN})

    status, output = run_scaffold(folder, source, "--amplifiers", "repeat")

    assert status == 1, output


def test_the_rate_of_a_hash_seed_is_taken_over_other_seeds(tmp_path: Path) -> None:
    folder, source = made(
        tmp_path,
        """
        import os

        def test_it():
            assert os.environ["PYTHONHASHSEED"] not in "13", "an odd seed"
        """,
        request(
            "tests/test_it.py::test_it",
            said(
                "AssertionError: an odd seed",
                'assert os.environ["PYTHONHASHSEED"] not in "13", "an odd seed"',
            ),
        ),
    )

    status, output = run_scaffold(
        folder, source, "--rate", "--iterations", "3", "--amplifiers", "fresh"
    )

    assert status == 1
    assert "then it failed in 1 of 3 tries" in output


def test_another_exit_status_is_another_failure(tmp_path: Path) -> None:
    what = request("", "error: no room", argv=("sh", "-c", "echo error: no room; exit 4"))
    folder, source = made(tmp_path, SOUND, what)

    status, output = run_scaffold(folder, source, "--iterations", "1")

    assert status == 3, output
    assert "exit status 4 instead of 1" in output


def test_pytest_runs_it_too(tmp_path: Path) -> None:
    folder, source = made(tmp_path, SECOND_RUN, SECOND)
    (stress,) = (folder / "tests").glob("test_*.py")

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", stress],
        cwd=source,
        env={**os.environ, "TELLTALE_AMPLIFIERS": "repeat"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1, done.stdout
    assert "reproduced with the same signature" in done.stdout


def test_it_needs_nothing_of_telltale(tmp_path: Path) -> None:
    folder, source = made(tmp_path, SECOND_RUN, SECOND)

    text = "".join(path.read_text() for path in (folder / "tests").rglob("*.py"))
    status, _ = run_scaffold(folder, source, env={"PYTHONPATH": ""})

    assert status == 1
    assert not re.search(r"^\s*(?:from|import) telltale(?:\.| )", text, re.MULTILINE)
