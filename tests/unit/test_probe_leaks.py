"""What the process that runs the tests tells of the state that each test left changed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
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
