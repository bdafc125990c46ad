"""What the process that runs the tests tells of the state that each test left changed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "bot/telltale/capture/probe"

# Every case runs in one process of its own, one after the other: do, look, undo, look. What is
# expected of the first look is (what, before, after); of the second the same the other way round.
CASES: dict[str, tuple[str, list[tuple[str, str, str]], str]] = {
    "working directory": (
        "os.chdir('/')",
        [("working directory", "*", "/")],
        "os.chdir(here)",
    ),
    "deleted working directory": (
        "d = tempfile.mkdtemp(); os.chdir(d); os.rmdir(d)",
        [("working directory", "*", "a deleted folder")],
        "os.chdir(here)",
    ),
    "environment": (
        "os.environ['OMP_NUM_THREADS'] = '1'",
        [("environment variable OMP_NUM_THREADS", "unset", "1")],
        "del os.environ['OMP_NUM_THREADS']",
    ),
    "secret by name": (
        "os.environ['MY_TOKEN'] = 'abc'",
        [("environment variable MY_TOKEN", "unset", "a value not shown")],
        "del os.environ['MY_TOKEN']",
    ),
    "environment replaced": (
        "saved = os.environ; os.environ = dict(saved)",
        [("os.environ", "as it was", "replaced")],
        "os.environ = saved",
    ),
    "sys.path": (
        "sys.path.append('/added')",
        [("sys.path entry /added", "absent", "present")],
        "sys.path.remove('/added')",
    ),
    "order of sys.path": (
        "sys.path.reverse()",
        [("sys.path order", "order", "order (2)")],
        "sys.path.reverse()",
    ),
    "module replaced": (
        "saved = sys.modules['json']; sys.modules['json'] = types.ModuleType('json')",
        [("sys.modules entry json", "module", "module (2)")],
        "sys.modules['json'] = saved",
    ),
    "module removed": (
        "sys.modules.pop('colorsys')",
        [("sys.modules entry colorsys", "module", "absent")],
        "",
    ),
    "module forbidden": (
        "saved = sys.modules['types']; sys.modules['types'] = None",
        [("sys.modules entry types", "module", "none")],
        "sys.modules['types'] = saved",
    ),
    "import hook": (
        "class Hook: pass\nhook = Hook(); sys.meta_path.insert(0, hook)",
        [("sys.meta_path: a __main__.Hook", "absent", "present")],
        "sys.meta_path.remove(hook)",
    ),
    "umask": ("saved = os.umask(0o027)", [("umask", "*", "027")], "os.umask(saved)"),
    "locale": (
        "saved = locale.setlocale(locale.LC_CTYPE); locale.setlocale(locale.LC_CTYPE, 'C')",
        [("locale", "*", "C")],
        "locale.setlocale(locale.LC_CTYPE, saved)",
    ),
    "signal handler": (
        "def handle(*_): pass\nsaved = signal.signal(signal.SIGALRM, handle)",
        [("handler of SIGALRM", "default", "function __main__.handle")],
        "signal.signal(signal.SIGALRM, saved)",
    ),
    "warnings filter": (
        "warnings.simplefilter('error', FutureWarning)",
        [("warnings filter: error FutureWarning", "absent", "present")],
        "warnings.filters.pop(0)",
    ),
    "root level": (
        "logging.root.setLevel(5)",
        [("logging level", "30", "5")],
        "logging.root.setLevel(30)",
    ),
    "logging disabled": (
        "logging.disable(40)",
        [("logging disabled below", "0", "40")],
        "logging.disable(0)",
    ),
    "root handler": (
        "handler = logging.NullHandler(); logging.root.addHandler(handler)",
        [("handler of the root logger: a logging.NullHandler", "absent", "present")],
        "logging.root.removeHandler(handler)",
    ),
    "loggers disabled": (
        "logging.getLogger('known').disabled = True",
        [("disabled of logger known", "0", "1")],
        "logging.getLogger('known').disabled = False",
    ),
    "decimal context": (
        "decimal.getcontext().prec = 5",
        [("decimal precision", "28", "5")],
        "decimal.getcontext().prec = 28",
    ),
    "recursion limit": (
        "saved = sys.getrecursionlimit(); sys.setrecursionlimit(12345)",
        [("recursion limit", "*", "12345")],
        "sys.setrecursionlimit(saved)",
    ),
    "switch interval": (
        "sys.setswitchinterval(0.5)",
        [("switch interval", "0.005", "0.5")],
        "sys.setswitchinterval(0.005)",
    ),
    "trace function": (
        "def trace(*_): pass\nsys.settrace(trace)",
        [("trace function", "none", "function __main__.trace")],
        "sys.settrace(None)",
    ),
    "garbage collector": ("gc.disable()", [("garbage collector", "on", "off")], "gc.enable()"),
    "stdout": (
        "saved = sys.stdout; sys.stdout = io.StringIO()",
        [("sys.stdout", "a _io.TextIOWrapper", "a _io.StringIO")],
        "sys.stdout = saved",
    ),
    "faulthandler": (
        "faulthandler.enable()",
        [("faulthandler", "off", "on")],
        "faulthandler.disable()",
    ),
    "event loop": (
        "loop = asyncio.new_event_loop(); asyncio.set_event_loop(loop)",
        [
            ("asyncio event loop", "none", "set and open"),
            ("open eventpoll (file descriptor *)", "absent", "open"),
            ("open socket (file descriptor *)", "absent", "open"),
            ("open socket (file descriptor *)", "absent", "open"),
        ],
        "loop.close(); asyncio.set_event_loop(None)",
    ),
    "socket timeout": (
        "socket.setdefaulttimeout(3)",
        [("default socket timeout", "none", "3.0")],
        "socket.setdefaulttimeout(None)",
    ),
    "time zone": (
        "os.environ['TZ'] = 'XYZ3'; time.tzset()",
        [("environment variable TZ", "UTC", "XYZ3"), ("time zone", "UTC UTC", "XYZ XYZ")],
        "os.environ['TZ'] = 'UTC'; time.tzset()",
    ),
    "builtin replaced": (
        "saved = builtins.open; builtins.open = len",
        [("builtins.open", "*", "function builtins.len")],
        "builtins.open = saved",
    ),
    "builtin added": (
        "builtins.extra = 1",
        [("builtins.extra", "absent", "1")],
        "del builtins.extra",
    ),
    "clock patched": (
        "saved = time.time; time.time = lambda: 0",
        [("time.time", "function time.time", "function __main__.<lambda>")],
        "time.time = saved",
    ),
    "thread": (
        (
            "end = threading.Event(); thread = threading.Thread(target=end.wait, name='worker', daemon=True);"
            "thread.start()"
        ),
        [("thread worker", "absent", "alive, daemon")],
        "end.set(); thread.join()",
    ),
    "child process": (
        "child = subprocess.Popen(['sleep', '1000'])",
        [("child process * (pid *)", "absent", "alive")],
        "child.kill(); child.wait()",
    ),
    "open file": (
        "file = open('/dev/full')",
        [("open file /dev/full", "absent", "open")],
        "file.close()",
    ),
    "temporary file": (
        "made = tempfile.mkdtemp(suffix='-left')",
        [("temporary file */tmp*-left", "absent", "present")],
        "os.rmdir(made)",
    ),
    "limit": (
        (
            "saved = resource.getrlimit(resource.RLIMIT_NOFILE)\n"
            "resource.setrlimit(resource.RLIMIT_NOFILE, (99, saved[1]))"
        ),
        [("limit NOFILE", "*", "99 *")],
        "resource.setrlimit(resource.RLIMIT_NOFILE, saved)",
    ),
    "what is no leak": (
        (
            "import wave; random.random(); logging.getLogger('new')\n"
            "os.environ['PYTEST_CURRENT_TEST'] = 'x'\n"
            "sys.modules['json'] = sys.modules.pop('json')\n"
            "file = open('/dev/null'); file.close()\n"
            "thread = threading.Thread(target=len, args=('',)); thread.start(); thread.join()"
        ),
        [],
        "del os.environ['PYTEST_CURRENT_TEST']",
    ),
}

SCRIPT = """
import asyncio, builtins, colorsys, decimal, faulthandler, gc, io, json, locale, logging, multiprocessing
import os, random, resource, signal, socket, subprocess, sys, tempfile, threading, time, types
import warnings
import telltale_leaks
logging.getLogger("known")
here = os.getcwd()
cases = json.load(sys.stdin)
answers = {}
watch = telltale_leaks.Watch()
first = watch.changes(thorough=True)
out = sys.stdout
for name, (do, undo) in cases.items():
    exec(do)
    left = watch.changes(thorough=True)
    exec(undo)
    answers[name] = [left, watch.changes(thorough=True)]
print(json.dumps([first, answers]), file=out)
"""


def run(script: str, text: str = "", python: str = sys.executable) -> str:
    done = subprocess.run(
        [python, "-c", script],
        input=text,
        env={"PYTHONPATH": str(FOLDER), "PATH": os.environ["PATH"], "TZ": "UTC"},
        stdout=subprocess.PIPE,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout


@pytest.fixture(scope="module")
def answers() -> dict[str, Any]:
    sent = json.dumps({name: [do, undo] for name, (do, _, undo) in CASES.items()})
    first, found = json.loads(run(SCRIPT, sent))
    assert first == []
    return dict(found)


def matches(found: list[list[str]], expected: list[tuple[str, str, str]]) -> bool:
    return len(found) == len(expected) and all(
        all(map(fnmatchcase, got, wanted))
        for got, wanted in zip(sorted(found), sorted(expected), strict=True)
    )


@pytest.mark.parametrize("name", CASES)
class TestWatch:
    def test_tells_what_was_left(self, answers: dict[str, Any], name: str) -> None:
        left, _ = answers[name]
        assert matches(left, CASES[name][1]), left

    def test_tells_that_it_was_taken_back(self, answers: dict[str, Any], name: str) -> None:
        left, back = answers[name]
        expected = [[what, after, before] for what, before, after in left]
        assert sorted(back) == sorted(expected if name not in ONE_WAY else [])


ONE_WAY = {"module removed"}
"""Importing a module again is importing a module."""


# What it must never do


def told(script: str) -> Any:
    """Run a script that prints JSON."""
    return json.loads(run("import json, sys, telltale_leaks\n" + textwrap.dedent(script)))


def test_a_module_that_only_calls_itself_torch_is_left_alone() -> None:
    found = told("""
        import types
        from unittest import mock
        asked = []
        class Lazy(types.ModuleType):
            def __getattribute__(self, name):
                asked.append(name)
                return super().__getattribute__(name)
        watch = telltale_leaks.Watch()
        for fake in (mock.MagicMock(), Lazy("torch"), types.ModuleType("torch"), None, 3):
            for name in ("torch", "torch._C", "numpy._core.umath", "numpy", "logging", "decimal"):
                sys.modules[name] = fake
            told = watch.changes(True)
            calls = fake.mock_calls if type(fake) is mock.MagicMock else []
            assert not calls, calls
        print(json.dumps([len(told) > 0, asked]))
    """)
    assert found == [True, []]


def test_torch_is_asked_through_its_own_functions() -> None:
    # What stands for torch has functions of C, as torch has; it is loaded by "a test".
    found = told("""
        import threading, types
        watch = telltale_leaks.Watch()
        torch, core = types.ModuleType("torch"), types.ModuleType("torch._C")
        torch.__version__ = "2.9"
        torch.get_num_threads = (16).conjugate
        core._get_cudnn_benchmark = (True).conjugate
        core._get_deterministic_algorithms = (0).conjugate
        torch._GLOBAL_DEVICE_CONTEXT = threading.local()
        sys.modules["torch"], sys.modules["torch._C"] = torch, core
        first = watch.changes()
        torch.get_num_threads = (1).conjugate
        sys.modules["torch"] = torch
        watch._always[[type(s).__name__ for s in watch._always].index("_Torch")]._module = None
        print(json.dumps([first, watch.changes()]))
    """)
    # The benchmark flag is off in every torch; how many threads it had is known of none.
    assert found == [
        [["torch cudnn.benchmark", "off", "1"]],
        [["torch threads", "16", "1"]],
    ]


def test_nothing_of_a_test_is_kept_alive() -> None:
    found = told("""
        import gc, logging, signal, types, weakref
        watch = telltale_leaks.Watch()
        class Thing(types.ModuleType):
            level = 0
            def __call__(self, *args): pass
        def leave():
            thing = Thing("thing")
            sys.modules["json.decoder"] = sys.modules["thing"] = thing
            signal.signal(signal.SIGALRM, thing)
            sys.meta_path.append(thing)
            logging.root.handlers.append(thing)
            sys.excepthook = thing
            sys.settrace(thing)
            return weakref.ref(thing)
        reference = leave()
        count = len(watch.changes(True))
        del sys.modules["json.decoder"], sys.modules["thing"]
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        sys.meta_path.pop(), logging.root.handlers.pop(), sys.settrace(None)
        sys.excepthook = sys.__excepthook__
        gc.collect()
        print(json.dumps([count, reference() is None]))
    """)
    assert found == [5, True]


def test_no_method_of_an_object_is_called() -> None:
    found = told("""
        import signal, time
        called = []
        class Meta(type):
            def __getattribute__(cls, name):
                called.append(name)
                return super().__getattribute__(name)
        class Loud(metaclass=Meta):
            def _say(self, *args): called.append("method"); return NotImplemented
            __eq__ = __ne__ = __hash__ = __bool__ = __repr__ = __str__ = __len__ = __call__ = _say
            def __getattribute__(self, name): called.append(name)
        loud = Loud()
        watch = telltale_leaks.Watch()
        called.clear()
        sys.path.append(loud), sys.meta_path.append(loud)
        sys.modules["loud"] = sys.modules["string"] = loud
        import builtins
        builtins.loud, time.sleep, sys.stdin = loud, loud, loud
        del called[:]
        found = [change[0] for change in watch.changes(True)]
        watch.changes(True)
        print(json.dumps([found, called]), file=sys.stdout)
    """)
    assert found == [
        [
            "sys.path entry an object",
            "sys.stdin",
            "time.sleep",
            "builtins.loud",
        ],
        [],
    ]


def test_the_value_of_a_variable_is_shown_only_when_it_is_harmless() -> None:
    found = told("""
        import os
        values = {
            "PLAIN": "1", "LIST": "a,b:c", "FILE": "/tmp/x.txt", "NOTHING": "",
            "URL": "postgres://u:p@h/db", "LONG": "x" * 61, "HEX": "0123456789abcdef0123",
            "MIXED": "ghp_16C7e42F292c6912E7710c838347Ae178B4a", "QUERY": "a?b=c",
            "WORDS": "correcthorsebatterystaple", "NPM_TOKEN": "a", "MyPassword": "b",
            "LINES": "a\\nb",
        }
        watch = telltale_leaks.Watch()
        os.environ.update(values)
        print(json.dumps({what.split()[-1]: after for what, _, after in watch.changes()}))
    """)
    shown = {name: value for name, value in found.items() if value != "a value not shown"}
    assert shown == {"PLAIN": "1", "LIST": "a,b:c", "FILE": "/tmp/x.txt", "NOTHING": "empty"}  # noqa: S108
    assert len(found) == 13


def test_what_is_dear_is_looked_at_when_it_is_worth_it() -> None:
    found = told("""
        import types
        watch = telltale_leaks.Watch(share=1e-12)
        watch.changes()
        watch.changes(True)
        sys.modules["json.decoder"] = types.ModuleType("string")
        quiet = [watch.changes() for _ in range(5)]
        print(json.dumps([quiet, watch.changes(True)]))
    """)
    assert found == [
        [[]] * 5,
        [["sys.modules entry json.decoder [within 6 tests]", "module", "module (2)"]],
    ]


def test_a_hint_is_followed_at_once() -> None:
    found = told("""
        import threading
        watch = telltale_leaks.Watch(share=1e-12)
        watch.changes(True)
        watch.changes()
        file = open("/dev/full")
        end = threading.Event()
        thread = threading.Thread(target=end.wait, name="w", daemon=True)
        thread.start()
        del sys.modules["json.decoder"]
        found = watch.changes()
        end.set(), thread.join()
        print(json.dumps(found))
    """)
    assert sorted(what for what, _, _ in found) == [
        "open file /dev/full",
        "sys.modules entry json.decoder",
        "thread w",
    ]


def test_our_own_files_are_no_leak_and_a_closed_folder_is_opened_again() -> None:
    found = told("""
        import os
        watch = telltale_leaks.Watch(own=("/dev/full",))
        file = open("/dev/full", "w")
        first = watch.changes(True)
        os.closerange(90, 200)
        second = watch.changes(True)
        other = open("/dev/zero")
        print(json.dumps([first, second, watch.changes()]))
    """)
    assert found == [[], [], [["open file /dev/zero", "absent", "open"]]]


def test_the_first_use_of_multiprocessing_and_the_clock_of_a_test_are_no_leaks() -> None:
    found = told("""
        import signal
        def handler(*_): pass
        handler.__module__ = "pytest_timeout"
        signal.signal(signal.SIGALRM, handler)
        watch = telltale_leaks.Watch()
        import multiprocessing
        multiprocessing.get_start_method()
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        print(json.dumps(watch.changes(True)))
    """)
    assert found == []
