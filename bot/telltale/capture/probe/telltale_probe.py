"""
Write down what pytest runs, as it happens.

PYTEST_DONT_REWRITE: pytest need not look for assertions in here.
Telltale's plugin: one file of the standard library, Python 3.7 and later,
pytest 6.2 and later. It is loaded from outside, by a folder in PYTHONPATH
that has an entry point, and takes that and its own variable away again
before any test is imported: what tests start sees neither. It appends one
line to `tests.jsonl` when a test begins, changes a word of it when the next
phase does, and appends another when the test has ended; each is one write(2),
so it survives SIGKILL of the process that wrote it.

Nothing in here may change how the tests run or end: whatever goes wrong
ends the recording, never the run.

The lines: docs/evidence-bundle.md. Their reader: telltale/capture/events.py.
"""

from __future__ import annotations

# A folder for sys.path, not a package; Python 3.7 has no pathlib worth its start-up time here.
# ruff: noqa: INP001, PTH100, PTH109, PTH118, PTH120, PTH123, UP031, ARG002, BLE001, S110, S112
import contextlib
import faulthandler
import json
import os
import re
import resource
import signal
import sys
import time
import zlib
from fcntl import F_DUPFD_CLOEXEC, fcntl
from json.encoder import encode_basestring_ascii as _quoted
from typing import TYPE_CHECKING, Any

import pytest

try:
    import telltale_leaks  # type: ignore[import-not-found,unused-ignore]
except Exception:
    telltale_leaks = None

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

VARIABLE = "TELLTALE_PROBE_SETTINGS"
"""JSON: `folder` that takes the files, `was`: variables as they were, `test`, `leaks`."""
SHELF = "TELLTALE_PROBE_SHELF"
"""The folder of `telltale_load.py` for a worker of xdist."""
TEXT = 64 * 1024
"""Characters of one failure."""
TEXTS = 32 * 1024 * 1024
"""Characters of all failures of one process; beyond it each keeps 1,000."""
OUTPUT = 16 * 1024
"""Characters of what one failed test printed."""
_HERE = os.path.dirname(os.path.abspath(__file__))
_HIGH = 100
"""Descriptors below are what programs count on getting, or close by the number."""
_QUICK_S = 0.01
"""A phase that passed faster waits for the end of its test to be told."""
_BEGIN = '{"phase": "start", "in": '
_START = len(_BEGIN)
_MARKS = {name: ('"%s",' % name).ljust(12).encode() for name in ("setup", "call", "teardown")}
"""Of one length, so that one takes the place of the other: JSON minds no spaces there."""
_ELSEWHERE = 0x7E117A1E
_MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024
_SECRET = re.compile(
    r"TOKEN|SECRET|PASS|PWD|API_?KEY|ACCESS_?KEY|_KEY$|CRED|AUTH|COOKIE|DSN$|PRIVATE|WEBHOOK|_PAT$",
    re.IGNORECASE,
)
_PATHS = frozenset({"PWD", "OLDPWD", "SSH_AUTH_SOCK", "XAUTHORITY"})


# pytest itself makes room for a file's imports; what they open and start is theirs to keep.
_IMPORTING = ("sys.", "open ", "thread ", "child process ", "temporary file ")


class _Place:
    """What the runner half gave us; taken out of the environment for as long as tests run."""

    def __init__(self, given: str) -> None:
        settings = json.loads(given)
        self.folder = str(settings["folder"])
        self.leaks = bool(settings.get("leaks", False))
        self._shelf = str(settings.get("shelf") or "")
        self._given = given
        self._test = str(settings.get("test", ""))
        self._ours: dict[str, str] = {}
        """Variables that name us, by name."""
        self._honest: dict[str, str | None] = {}
        """What they were before Telltale; None: not set."""
        for name, was in dict(settings.get("was") or {}).items():
            now = os.environ.get(name)
            if now is not None:
                self._ours[name] = now
                self._honest[name] = _without_us(name, now, was)

    @property
    def nested(self) -> bool:
        """Whether this is a pytest below a test: not ours to tell of."""
        return os.environ.get("PYTEST_CURRENT_TEST", "") not in {"", self._test}

    def hide(self) -> None:
        """Put the environment back to what it was before Telltale."""
        os.environ.pop(VARIABLE, None)
        for name, ours in self._ours.items():
            if os.environ.get(name) == ours:
                _put(name, self._honest[name])

    def show(self) -> None:
        """Undo `hide`: a program may call pytest.main() again, or start another pytest."""
        os.environ[VARIABLE] = self._given
        for name, honest in self._honest.items():
            if os.environ.get(name) == honest:
                _put(name, self._ours[name])
        if _HERE not in sys.path:
            sys.path.append(_HERE)

    def for_workers(self) -> dict[str, str]:
        """Return what a worker of xdist needs before it is told anything: it takes them away again."""
        options = self._ours.get("PYTEST_ADDOPTS")
        if options is not None:  # plugins are not found by themselves
            return {"PYTEST_ADDOPTS": options, VARIABLE: self._given}
        return {SHELF: self._shelf} if self._shelf else {}


def _without_us(name: str, now: str, was: str | None) -> str | None:
    if name == "PYTHONPATH":
        left = os.pathsep.join(each for each in now.split(os.pathsep) if each != _HERE)
    else:
        left = now.replace("-p telltale_probe", "").strip()
    # Set to nothing is not the same as not set.
    return left or (was if was == "" else None)


def _put(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value


def _secrets(environ: Mapping[str, str]) -> re.Pattern[str] | None:
    values = {
        value
        for name, value in environ.items()
        if len(value) >= 8 and name not in _PATHS and _SECRET.search(name) and not value.isspace()
    }
    if not values:
        return None
    return re.compile("|".join(map(re.escape, sorted(values, key=len, reverse=True))))


def _take() -> _Place | None:
    given = os.environ.get(VARIABLE)
    if not given:
        return None
    try:
        place = _Place(given)
    except Exception:
        os.environ.pop(VARIABLE, None)
        return None
    place.hide()
    return None if place.nested else place


# At import: conftest files may clear the environment before pytest calls us.
_place = _take()
sys.path[:] = [each for each in sys.path if each != _HERE]
_hidden_values = _secrets(os.environ)
_active = 0
"""The process whose session is recorded: a pytest in it, or in a fork of it, is part of its tests."""


class _Log:
    """The file, appended to by several processes; never somebody else's descriptor."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._fd = -1
        self._at = 0
        """Where our last line ended."""
        self._mark_fd = -1
        self._mark_at = -1
        """Where the word is that `mark` changes; -1: nowhere."""
        self._torn = False
        self._misses = 0
        # Bound here: tests replace functions of os and time.
        self._write, self._write_at, self._seek = os.write, os.pwrite, os.lseek
        # Asking for the pid at every line costs more than this does at every fork.
        os.register_at_fork(after_in_child=self._close)

    def _close(self) -> None:
        """Write nothing in a forked child: it is part of a test."""
        self._misses = sys.maxsize

    def start(self, line: str) -> bool:
        """Append the line that a test begins with; `mark` may change its phase."""
        done = self.write(line)
        self._mark_at = self._at - len(line) + _START if done and not self._torn else -1
        return done

    def mark(self, phase: str) -> None:
        """Write into the start line which phase the test is in; nothing is raised."""
        if self._mark_at < 0 or self._misses > 100:
            return
        word = _MARKS[phase]
        try:
            # No other file stands at such a place: see `write`.
            if self._seek(self._mark_fd, 0, 1) != _ELSEWHERE:
                self._open_mark()
            self._write_at(self._mark_fd, word, self._mark_at)
        except (OSError, OverflowError):
            try:
                self._open_mark()
                self._write_at(self._mark_fd, word, self._mark_at)
            except (OSError, OverflowError):
                self._misses += 1

    def _open_mark(self) -> None:
        # Without O_APPEND: with it Linux appends, wherever pwrite(2) is told to write (its BUGS).
        self._mark_fd = _open_high(self._path, os.O_WRONLY)
        self._seek(self._mark_fd, _ELSEWHERE, 0)

    def write(self, line: str) -> bool:
        """Append a line; nothing in a forked child, and nothing is raised."""
        if self._misses > 100:
            return False
        data = line.encode("ascii", "backslashreplace")
        if self._torn:
            data = b"\n" + data
        try:
            # Whoever else has this number now stands somewhere else in his file. fstat(2) would
            # tell more, and make the file system note the time of the next write on its own.
            if self._seek(self._fd, 0, 1) != self._at:
                self._open()
            written = self._write(self._fd, data)
            self._at = self._seek(self._fd, 0, 1)
        except (OSError, OverflowError):
            # A test closed it, and perhaps opened something else in its place.
            try:
                self._open()
                written = self._write(self._fd, data)
                self._at = self._seek(self._fd, 0, 1)
            except (OSError, OverflowError):
                self._misses += 1
                return False
        self._torn = written != len(data)
        return True

    def _open(self) -> None:
        self._fd = _open_high(self._path)


def _open_high(path: str, flags: int = os.O_WRONLY | os.O_APPEND | os.O_CREAT) -> int:
    """Open, for appending, at a high number; return the descriptor."""
    fd = os.open(path, flags | os.O_CLOEXEC, 0o644)
    try:
        try:
            return fcntl(fd, F_DUPFD_CLOEXEC, _HIGH)
        except OSError:  # RLIMIT_NOFILE is lower
            return os.dup(fd)
    finally:
        os.close(fd)


class _Base:
    """What every process of a session writes: its beginning, its warnings, its end."""

    def __init__(self, config: Any, place: Mapping[str, Any], worker: str) -> None:
        self.config = config
        self.folder: str = place["folder"]
        self.worker = worker
        self.pid = os.getpid()
        self.log = _Log(os.path.join(self.folder, "tests.jsonl"))
        self.session: Any = None
        self.seen = 0
        self.collected: int | None = None
        self.room = TEXTS
        self.broken = False
        # By a clock that tests do not set, stop or pretend.
        self._clock = time.monotonic
        self._epoch = time.time() - time.monotonic()

    def now(self) -> float:
        return self._epoch + self._clock()

    def line(self, phase: str, **values: Any) -> None:
        values = {
            "phase": phase,
            **values,
            "worker": self.worker,
            "pid": self.pid,
            "at": round(self.now(), 6),
        }
        self.log.write(json.dumps(values, default=str) + "\n")

    def fail(self, where: str, error: BaseException) -> None:
        """End the recording: the tests go on."""
        if self.broken:
            return
        self.broken = True
        with contextlib.suppress(Exception):
            self.line(
                "warning",
                text="the probe broke in %s (%s: %s): what follows is not recorded"
                % (where, type(error).__name__, str(error)[:300]),
            )

    def clip(self, text: str, limit: int) -> str:
        """Return the text without secrets, bounded, the middle left out."""
        if len(text) > 16 * limit:
            text = text[: 4 * limit] + text[-12 * limit :]
        if _hidden_values is not None:
            text = _hidden_values.sub("[redacted]", text)
        if self.room <= 0:
            limit = 1000
        if len(text) > limit:
            note = "\n[... %d characters left out ...]\n" % (len(text) - limit)
            head = (limit - len(note)) // 4
            text = text[:head] + note + text[len(text) - (limit - len(note) - head) :]
        self.room -= len(text)
        return text

    def begin(self, session: Any) -> None:
        config = self.config
        self.session = session
        self.line(
            "session",
            ppid=os.getppid(),
            python="%d.%d.%d" % sys.version_info[:3],
            executable=sys.executable or "",
            pytest=str(pytest.__version__),
            xdist=self.worker != "main" or config.pluginmanager.hasplugin("dsession"),
            args=[
                self.clip(str(each), 2000) for each in list(config.invocation_params.args)[:1000]
            ],
            rootdir=str(config.rootpath),
            cwd=os.getcwd(),
            plugins=_plugins(config) if self.worker == "main" else [],
            stacks=self.arm(),
            seeds=_seeds(config),
            timeout=_Limits(config).document,
        )

    def arm(self) -> bool:
        """Let SIGUSR1 append every thread's stack, unless somebody has a use for it."""
        try:
            if signal.getsignal(signal.SIGUSR1) is not signal.SIG_DFL or _caught(signal.SIGUSR1):
                return False
            fd = _open_high(os.path.join(self.folder, "stacks.txt"))
            faulthandler.register(signal.SIGUSR1, file=fd, all_threads=True, chain=False)
        except Exception:
            return False
        return True

    def end(self) -> None:
        session = self.session
        if session is None:
            return
        self.line(
            "finish",
            exit_status=int(session.exitstatus),
            collected=self.collected,
            seen=self.seen,
            stopped=bool(session.shouldstop or session.shouldfail),
        )


class _Controller(_Base):
    """The process that hands tests to xdist's workers: they write, it tells who died."""

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_setupnodes(self, config: Any, specs: Any) -> None:
        try:
            # What xdist gives its workers as sys.path: without us by now.
            frozen = getattr(sys.modules.get("xdist.plugin"), "_sys_path", None)
            if not isinstance(frozen, list):
                return
            if _HERE not in frozen:
                frozen.append(_HERE)
            for spec in specs:
                if _place is not None and spec.popen:
                    spec.env.update(_place.for_workers())
        except Exception as error:
            self.fail("pytest_xdist_setupnodes", error)

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        try:
            node.workerinput["telltale_probe"] = {
                "folder": self.folder,
                "leaks": self.leaks,
            }
        except Exception as error:
            self.fail("pytest_configure_node", error)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: Any, ids: Any) -> None:
        self.collected = max(self.collected or 0, len(ids))

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.when == "teardown":
            self.seen += 1
        elif report.when == "???" and not self.broken:
            try:
                self.seen += 1
                self.crashed(report)
            except Exception as error:
                self.fail("pytest_runtest_logreport", error)

    leaks = False

    def crashed(self, report: Any) -> None:
        node = getattr(report, "node", None)
        worker = getattr(getattr(node, "gateway", None), "id", self.worker)
        text = self.clip(str(report.longrepr), TEXT)
        values = {
            "phase": "crash",
            "nodeid": report.nodeid,
            "outcome": "failed",
            "message": _first_line(text),
            "text": text,
            "worker": worker,
            "pid": self.pid,
            "at": round(self.now(), 6),
        }
        self.log.write(json.dumps(values) + "\n")


class _Recorder(_Base):
    """The process that runs tests."""

    def __init__(self, config: Any, place: Mapping[str, Any], worker: str) -> None:
        super().__init__(config, place, worker)
        self.nodeid = ""
        self.name = '""'
        self.n = -1
        self.attempt = 1
        self.entered = False
        """The set-up of this attempt has begun."""
        self.logged = False
        """A phase of this attempt was reported."""
        self.last = False
        self.limits: dict[int, str] = {}
        self.cpu = 0.0
        self.quick: list[float] = []
        """Seconds of the first phases of this attempt, which passed and are not told yet."""
        self.own: float | None = None
        """CPU time of the process itself when the last phase ended, in seconds."""
        self.rss = 0
        self.watch: Any = None
        self.imported = ""
        """The file that is being imported."""
        self.leaks = bool(place.get("leaks")) and telltale_leaks is not None
        self.usage = resource.getrusage
        self.who = ', "worker": %s, "pid": %d, "at": %%.6f}\n' % (_quoted(worker), self.pid)
        self.start_format = (
            _BEGIN + _MARKS["setup"].decode() + '"nodeid": %s, "n": %d, "attempt": %d%s' + self.who
        )
        self.whole_format = (
            '{"phase": "passed", "nodeid": %s, "walls_s": [%.6f, %.6f, %.6f], "cpu_s": %.6f,'
            ' "rss_peak_change_bytes": %d, "n": %d, "attempt": %d' + self.who
        )
        self.passed_format = (
            '{"phase": "%s", "nodeid": %s, "outcome": "passed", "wall_s": %.6f, "cpu_s": %.6f,'
            ' "rss_peak_change_bytes": %d, "n": %d, "attempt": %d' + self.who
        )

    @pytest.hookimpl(tryfirst=True)
    def pytest_collectstart(self, collector: Any) -> None:
        if not self.leaks or self.broken or not isinstance(collector, pytest.Module):
            return
        try:
            if self.watch is None:
                self.watch = telltale_leaks.Watch(own=(self.folder,))
            self.watch.changes()
            self.imported = collector.nodeid
        except Exception as error:
            self.fail("pytest_collectstart", error)

    def pytest_collectreport(self, report: Any) -> None:
        if self.broken:
            return
        try:
            if self.imported and report.nodeid == self.imported:
                self.imported = ""
                self.changed(report.nodeid, self.watch.changes(), _IMPORTING)
            if report.outcome != "passed":
                self.uncollected(report)
        except Exception as error:
            self.fail("pytest_collectreport", error)

    def pytest_collection_finish(self, session: Any) -> None:
        if self.broken:
            return
        try:
            self.collected = len(session.items)
            self.line("collected", count=self.collected, seeds=_states())
            limits = _Limits(self.config)
            self.limits = limits.of(session.items)
            for text in limits.warnings():
                self.line("warning", text=text)
        except Exception as error:
            self.fail("pytest_collection_finish", error)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: Any, nextitem: Any) -> None:
        if self.broken:
            return
        try:
            if self.leaks and self.n < 0:
                self.watch = self.watch or telltale_leaks.Watch(own=(self.folder,))
                self.watch.changes(True)
            if self.quick:
                self.told()
            self.nodeid = nodeid = item.nodeid
            self.name = _quoted(nodeid)
            self.n += 1
            self.attempt = 1
            self.last = nextitem is None
            self.entered = self.logged = False
            self.start(self.limits.get(id(item), "") if self.limits else "")
        except Exception as error:
            self.fail("pytest_runtest_protocol", error)

    def start(self, limit: str) -> None:
        own, children = self.usage(0), self.usage(-1)
        self.cpu = own[0] + own[1] + children[0] + children[1]
        self.rss = own[2]
        self.log.start(
            self.start_format
            % (self.name, self.n, self.attempt, limit, self._epoch + self._clock())
        )

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: Any) -> None:
        if self.entered and item.nodeid == self.nodeid and not self.broken:
            # Set up a second time without having been started again: somebody retries it.
            try:
                if self.quick:
                    self.told()
                self.attempt += 1
                self.logged = False
                self.start("")
            except Exception as error:
                self.fail("pytest_runtest_setup", error)
        self.entered = True

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_call(self, item: Any) -> None:
        if not self.logged and not self.broken and item.nodeid == self.nodeid:
            # Whoever retries tests reports when all phases are over; a death must find them told.
            try:
                self.passed("setup", 0.0)
                self.entered = True
                if not self.config.pluginmanager.hasplugin("telltale_unlogged"):
                    self.config.pluginmanager.register(_Unlogged(self), "telltale_unlogged")
            except Exception as error:
                self.fail("pytest_runtest_call", error)

    def passed(self, when: str, wall: float) -> None:
        own, children = self.usage(0), self.usage(-1)
        self.own = own[0] + own[1]
        cpu = self.own + children[0] + children[1]
        self.log.write(
            self.passed_format
            % (
                when,
                self.name,
                wall,
                cpu - self.cpu,
                (own[2] - self.rss) * _MAXRSS_UNIT,
                self.n,
                self.attempt,
                self._epoch + self._clock(),
            )
        )
        self.cpu, self.rss = cpu, own[2]

    def pytest_runtest_logreport(self, report: Any) -> None:
        if self.broken:
            return
        try:
            self.logged = True
            when = report.when
            plain = report.outcome == "passed" and report.nodeid == self.nodeid
            if plain and not hasattr(report, "wasxfail") and not hasattr(report, "context"):
                self.plain(when, report.duration)
            else:
                self.other(report)
            if when == "teardown":
                self.seen += 1
                if self.watch is not None:
                    changes = self.watch.changes(self.last, self.own)
                    if changes:
                        self.changed(self.nodeid, changes)
        except Exception as error:
            self.fail("pytest_runtest_logreport", error)

    def plain(self, when: str, wall: float) -> None:
        """Tell that a phase passed: at once when it took its time, else with the others."""
        quick = self.quick
        if when == "teardown":
            if len(quick) == 2:
                self.whole(wall)
                return
        elif wall < _QUICK_S and len(quick) == (when == "call"):
            quick.append(wall)
            self.log.mark("teardown" if when == "call" else "call")
            return
        if quick:
            self.told()
        self.passed(when, wall)

    def whole(self, wall: float) -> None:
        """Write one line for a test of which every phase passed."""
        own, children = self.usage(0), self.usage(-1)
        self.own = own[0] + own[1]
        cpu = self.own + children[0] + children[1]
        setup, call = self.quick
        self.quick.clear()
        self.log.write(
            self.whole_format
            % (
                self.name,
                setup,
                call,
                wall,
                cpu - self.cpu,
                (own[2] - self.rss) * _MAXRSS_UNIT,
                self.n,
                self.attempt,
                self._epoch + self._clock(),
            )
        )
        self.cpu, self.rss = cpu, own[2]

    def told(self) -> None:
        """Write the phases that waited, without figures of their own: the next line has them."""
        for when, wall in zip(("setup", "call"), self.quick):  # noqa: B905  # Python 3.7
            self.line(
                when,
                nodeid=self.nodeid,
                outcome="passed",
                wall_s=round(wall, 6),
                n=self.n,
                attempt=self.attempt,
            )
        self.quick.clear()

    def other(self, report: Any) -> None:
        """Write what is more than `passed`."""
        subtest = getattr(report, "context", None)
        if subtest is not None and report.outcome != "failed":
            return
        if self.quick:
            self.told()
        phase = "crash" if report.when == "???" else report.when
        own, children = self.usage(0), self.usage(-1)
        cpu = own[0] + own[1] + children[0] + children[1]
        values = {
            "nodeid": report.nodeid,
            "outcome": report.outcome,
            "wall_s": round(report.duration, 6),
            "cpu_s": round(max(0.0, cpu - self.cpu), 6),
            "rss_peak_change_bytes": max(0, own[2] - self.rss) * _MAXRSS_UNIT,
            "n": self.n,
            "attempt": self.attempt,
            **_words(report),
        }
        for key, limit in (("message", 1000), ("text", TEXT), ("output", OUTPUT)):
            if key in values:
                values[key] = self.clip(values[key], limit)
        if subtest is not None:
            values["subtest"] = self.clip(_subtest(subtest), 1000)
        self.line(phase, **values)
        # Putting a failure into words is no part of the next phase.
        own, children = self.usage(0), self.usage(-1)
        self.own = own[0] + own[1]
        self.cpu, self.rss = self.own + children[0] + children[1], own[2]

    def changed(self, nodeid: str, changes: Any, without: tuple[str, ...] = ()) -> None:
        """Tell what a test left changed, or a file by being imported."""
        told = [
            {"what": what, "before": before, "after": after}
            for what, before, after in changes[:100]
            if not (without and what.startswith(without))
        ]
        if told:
            self.line("state", nodeid=nodeid, n=max(0, self.n), changes=told)

    def end(self) -> None:
        if self.quick:
            self.told()
        # What fixtures put back after the last test; nobody is named for what is new now, and
        # the folder is where pytest itself goes back to.
        if self.watch is not None and not self.broken:
            self.changed("", self.watch.changes(True), ("working directory",))
        super().end()

    def uncollected(self, report: Any) -> None:
        values = _words(report)
        text = self.clip(values.get("text", ""), TEXT)
        message = self.clip(values.get("message", ""), 1000)
        self.line(
            "collect", nodeid=report.nodeid, outcome=report.outcome, message=message, text=text
        )


class _Unlogged:
    """Tells phases of tests whose reports come late, from plugins that run a test again."""

    def __init__(self, recorder: _Recorder) -> None:
        self._recorder = recorder

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_makereport(self, item: Any, call: Any) -> None:
        recorder = self._recorder
        if recorder.logged or recorder.broken or item.nodeid != recorder.nodeid:
            return
        try:
            if call.when == "call" and call.excinfo is None:
                recorder.passed("call", 0.0)
        except Exception as error:
            recorder.fail("pytest_runtest_makereport", error)


def _words(report: Any) -> dict[str, str]:
    """Return message, text and output of a report, as pytest's JUnit file words them."""
    outcome, when = report.outcome, getattr(report, "when", "collect")
    expected = getattr(report, "wasxfail", None)
    longrepr = report.longrepr
    if outcome == "skipped":
        if expected is not None:
            return {"message": _after("reason: ", expected)}
        reason = longrepr[2] if isinstance(longrepr, tuple) else str(longrepr)
        return {"message": _after("Skipped: ", reason)}
    if outcome == "passed":
        return {"xfail": str(expected)} if expected is not None else {}
    text = str(longrepr)
    reason = getattr(getattr(longrepr, "reprcrash", None), "message", None) or text
    if when in {"setup", "teardown"}:
        reason = 'failed on %s with "%s"' % (when, reason)
    elif when == "collect":
        reason = "collection failure"
    words = {"message": _first_line(reason), "text": text}
    output = "\n".join(
        "%s\n%s" % ((" %s " % title).center(80, "-"), content[-OUTPUT:])
        for title, content in report.sections[-50:]
        if content
    )
    if output:
        words["output"] = output
    return words


def _after(prefix: str, text: str) -> str:
    return text[len(prefix) :] if text[: len(prefix)] == prefix else text


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "")[:1000]


def _subtest(context: Any) -> str:
    message = getattr(context, "msg", None)
    parts = [str(message)] if message is not None else []
    parts += ["%s=%r" % pair for pair in dict(getattr(context, "kwargs", None) or {}).items()]
    return ", ".join(parts)


def _plugins(config: Any) -> list[str]:
    found = config.pluginmanager.list_plugin_distinfo()
    names = {"%s-%s" % (dist.project_name, dist.version) for _, dist in found}
    return sorted(names)[:200]


def _caught(number: int) -> bool:
    """Whether the process has a handler, one of C code included."""
    try:
        with open("/proc/self/status", "rb") as file:
            for line in file:
                if (
                    line.startswith((b"SigCgt:", b"SigIgn:"))
                    and int(line[7:], 16) >> (number - 1) & 1
                ):
                    return True
    except OSError:
        pass
    return False


# Seeds


def _seeds(config: Any) -> dict[str, Any]:
    seeds: dict[str, Any] = {
        "PYTHONHASHSEED": os.environ.get("PYTHONHASHSEED") or None
        if sys.flags.hash_randomization
        else "0",
    }
    for name, key in (
        ("randomly", "randomly_seed"),
        ("random-order", "random_order_seed"),
        ("random-order-bucket", "random_order_bucket"),
    ):
        value = getattr(config.option, key, None)
        if value is not None:
            seeds[name] = value if isinstance(value, (int, str)) else str(value)
    return seeds


def _states() -> dict[str, Any]:
    """Return a short name for the state of each generator that is already loaded."""
    found: dict[str, Any] = {}
    for name, read in (("random", _random), ("numpy", _numpy), ("torch", _torch)):
        try:
            value = read()
        except Exception:
            continue
        if value is not None:
            found[name] = value
    return found


def _random() -> str | None:
    module: Any = sys.modules.get("random")
    return None if module is None else "%08x" % zlib.crc32(repr(module.getstate()).encode())


def _numpy() -> str | None:
    module: Any = sys.modules.get("numpy.random")
    if module is None:
        return None
    state = module.get_state()
    return "%08x" % zlib.crc32(state[1].tobytes() + repr(state[2:]).encode())


def _torch() -> int | None:
    module: Any = sys.modules.get("torch")
    return None if module is None else int(module.initial_seed())


# Time limits of pytest-timeout


class _Limits:
    """Which limit holds for which test: the marker's, else the option's, variable's, ini file's."""

    def __init__(self, config: Any) -> None:
        self.loaded = config.pluginmanager.hasplugin("timeout")
        self.seconds: float | None = None
        self.source = ""
        self.said = ""
        self.explicit = False
        self.method = ""
        self.func_only = False
        self._causes: dict[str, tuple[int, str]] = {}
        if self.loaded:
            self._session(config)

    @property
    def document(self) -> dict[str, Any]:
        """What holds for tests without a marker."""
        if not self.seconds:
            return {}
        return {
            "effective_s": self.seconds,
            "from": self.source,
            "method": self.method,
            "func_only": self.func_only,
            "defeated": self.defeated,
        }

    def _session(self, config: Any) -> None:
        option = getattr(config.option, "timeout", None)
        variable = os.environ.get("PYTEST_TIMEOUT")
        ini = config.getini("timeout")
        given = [
            (source, said, _float(value))
            for source, said, value in (
                ("option", "--timeout=%s", option),
                ("environment", "PYTEST_TIMEOUT=%s", variable),
                ("ini", "timeout = %s of the configuration", ini),
            )
            if value not in {None, ""}
        ]
        self.defeated = [said % _short(value) for _, said, value in given[1:]]
        if given:
            self.source, said, self.seconds = given[0]
            self.said = said % _short(self.seconds)
            self.explicit = self.source != "ini"
        # What the plugin itself worked out, where it says so.
        self.seconds = getattr(config, "_env_timeout", self.seconds)
        self.method = str(getattr(config, "_env_timeout_method", "") or "")
        self.func_only = bool(getattr(config, "_env_timeout_func_only", False))

    defeated: list[str] = []  # noqa: RUF012

    def of(self, items: Any) -> dict[int, str]:
        """Return what the start line of each marked test says."""
        found: dict[int, str] = {}
        known: dict[int, str] = {}
        for item in items:
            marker = item.get_closest_marker("timeout")
            if marker is None:
                continue
            said = known.get(id(marker))
            seconds, method, func_only = _marked(marker)
            self._judge(seconds, item.nodeid)
            if said is None:
                said = known[id(marker)] = self._fragment(seconds, method, func_only)
            if said:
                found[id(item)] = said
        return found

    def _fragment(self, seconds: float | None, method: str, func_only: bool | None) -> str:
        if not self.loaded:
            return ""
        beaten = [*([self.said] if self.said and seconds is not None else []), *self.defeated]
        document = {
            "effective_s": self.seconds if seconds is None else seconds,
            "from": self.source if seconds is None else "marker",
            "method": method or self.method,
            "func_only": self.func_only if func_only is None else func_only,
            "defeated": beaten,
        }
        return ', "timeout": ' + json.dumps(document)

    def _judge(self, seconds: float | None, nodeid: str) -> None:
        if seconds is None:
            return
        if not self.loaded:
            cause = "marked timeout(%s), but pytest-timeout is not loaded: no limit holds" % _short(
                seconds
            )
        elif self.explicit and (seconds < (self.seconds or 0) or (self.seconds == 0 and seconds)):
            cause = "@timeout(%s) beats %s: %s s hold" % (
                _short(seconds),
                self.said,
                _short(seconds),
            )
        else:
            return
        count, example = self._causes.get(cause, (0, nodeid))
        self._causes[cause] = count + 1, example

    def warnings(self) -> list[str]:
        """Return a sentence for each wanted limit that does not hold."""
        return [
            "%s%s: %s" % (example, " and %d more" % (count - 1) if count > 1 else "", cause)
            for cause, (count, example) in self._causes.items()
        ]


def _marked(marker: Any) -> tuple[float | None, str, bool | None]:
    args, kwargs = marker.args, marker.kwargs
    seconds = kwargs.get("timeout", args[0] if args else None)
    method = kwargs.get("method", args[1] if len(args) > 1 else None)
    func_only = kwargs.get("func_only")
    return _float(seconds), str(method or ""), None if func_only is None else bool(func_only)


def _float(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _short(value: float | None) -> str:
    return "%g" % value if value is not None else "?"


# Loading


class _Beginning:
    """Waits for the session: only then is it known whether this process runs tests."""

    def __init__(self, place: Mapping[str, Any], worker: str) -> None:
        self._place = place
        self._worker = worker
        self._recorder: _Base | None = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self, session: Any) -> None:
        try:
            config = session.config
            make: Callable[..., _Base] = _Recorder
            if self._worker == "main" and config.pluginmanager.hasplugin("dsession"):
                make = _Controller
            recorder = make(config, self._place, self._worker)
            if isinstance(recorder, _Controller):
                recorder.leaks = bool(self._place["leaks"])
            recorder.begin(session)
            config.pluginmanager.register(recorder, "telltale_recorder")
            self._recorder = recorder
        except Exception:
            self._recorder = None

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self) -> None:
        global _active  # noqa: PLW0603
        try:
            if os.getpid() != _active:
                return
            _active = 0
            if self._recorder is not None:
                self._recorder.end()
            if _place is not None:
                _place.show()
        except Exception:
            pass


@pytest.hookimpl(trylast=True)
def pytest_configure(config: Any) -> None:
    """Begin, unless this is a pytest within a test."""
    with contextlib.suppress(Exception):
        _begin(config)


def _begin(config: Any) -> None:
    global _active  # noqa: PLW0603
    # Not among the project's own plugins in pytest's first lines.
    known = getattr(config.pluginmanager, "_plugin_distinfo", None)
    if isinstance(known, list):
        known[:] = [each for each in known if each[0] is not sys.modules[__name__]]
    given = getattr(config, "workerinput", None)
    worker = "main" if given is None else str(given["workerid"])
    place: Mapping[str, Any] | None = None
    if given is not None:
        place = given.get("telltale_probe")
    elif _place is not None and not _place.nested:
        place = {"folder": _place.folder, "leaks": _place.leaks}
    if _active:
        return
    sys.path[:] = [each for each in sys.path if each != _HERE]
    if _place is not None:
        _place.hide()
    if place is not None:
        _active = os.getpid()
        config.pluginmanager.register(_Beginning(place, worker), "telltale_beginning")
