"""
Profilers that run inside pytest: cProfile, memray and torch.profiler.

PYTEST_DONT_REWRITE: pytest need not look for assertions in here.
One file of the standard library, Python 3.7 and later, pytest 6.2 and later,
loaded from outside only when such a profiler was asked for: by a folder in
PYTHONPATH that has an entry point. It takes that and its variable away again
before any test is imported. It installs nothing, imports torch never, and
whatever goes wrong in here ends the profile, never a test; the reason is left
in a file beside the profiles.
"""

from __future__ import annotations

# A folder for sys.path, not a package; Python 3.7 has no pathlib worth its start-up time here.
# ruff: noqa: INP001, PTH100, PTH105, PTH108, PTH118, PTH119, PTH120, PTH123, PTH202, UP031, BLE001
import contextlib
import heapq
import json
import os
import re
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

VARIABLE = "TELLTALE_PROFILE_SETTINGS"
"""JSON: `folder`, `by`: names of profilers, `was`: PYTHONPATH as it was, `test`, `torch_tests`."""
FLUSH_S = 10.0
"""Seconds after which cProfile's figures are written again, at the end of a test."""
FLUSH_SHARE = 0.01
"""Of the time, at most, for writing them."""
SLOWEST = 5
"""Tests whose trace torch.profiler keeps."""
TRACES_BYTES = 256 * 1024 * 1024
"""Of all traces of one process; after that none is made."""
_HERE = os.path.dirname(os.path.abspath(__file__))


class _CProfile:
    """One file with the totals of all functions of the main thread, written now and then."""

    name = "cprofile"

    def __init__(self, path: str, _: Mapping[str, Any]) -> None:
        import cProfile  # noqa: PLC0415

        self.path = path + ".pstats"
        self._profile = cProfile.Profile()
        self._due = time.monotonic() + FLUSH_S
        self._profile.enable()

    def before(self, item: Any) -> None:
        """Nothing: it runs all the time."""

    def after(self, _: Any) -> None:
        """Write what there is, when it is time: a killed process leaves that."""
        began = time.monotonic()
        if began < self._due:
            return
        self._write()
        self._profile.enable()
        ended = time.monotonic()
        self._due = ended + max(FLUSH_S, (ended - began) / FLUSH_SHARE)

    def stop(self) -> None:
        self._write()

    def discard(self) -> None:
        self._profile.disable()
        _remove(self.path)

    def _write(self) -> None:
        temporary = self.path + ".tmp"
        self._profile.dump_stats(temporary)  # stops it too
        os.replace(temporary, self.path)


class _Memray:
    """One file with every allocation of the process, as it happens."""

    name = "memray"

    def __init__(self, path: str, _: Mapping[str, Any]) -> None:
        import memray  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415

        self.path = path + ".bin"
        self._tracker = memray.Tracker(self.path, native_traces=False, follow_fork=False)
        self._tracker.__enter__()

    def before(self, item: Any) -> None:
        """Nothing: it runs all the time."""

    def after(self, item: Any) -> None:
        """Nothing: it writes by itself."""

    def stop(self) -> None:
        self._tracker.__exit__(None, None, None)

    def discard(self) -> None:
        self.stop()
        _remove(self.path)


class _Torch:
    """
    A Chrome trace of each of the slowest tests that use torch.

    A trace of the whole session would take gigabytes. Tests are traced from
    when torch is loaded on, one by one; those of files that speak of a
    profiler are left alone, since there can be only one at a time.
    """

    name = "torch"

    def __init__(self, path: str, settings: Mapping[str, Any]) -> None:
        self._path = path
        self._wanted = [
            each for each in str(settings.get("torch_tests") or "").split(",") if each.strip()
        ]
        self._room = TRACES_BYTES
        self._kept: list[tuple[float, int, str]] = []
        self._number = 0
        self._profile: Any = None
        self._began = 0.0
        self._mentions: dict[str, bool] = {}

    def before(self, item: Any) -> None:
        torch = sys.modules.get("torch")
        profiler = getattr(torch, "profiler", None)
        self._profile = None
        if profiler is None or self._room <= 0 or not self._asked(item):
            return
        kinds = [profiler.ProfilerActivity.CPU]
        cuda = getattr(torch, "cuda", None)
        # Not is_available(), which would start the driver before the test does.
        if cuda is not None and cuda.is_initialized():
            kinds.append(profiler.ProfilerActivity.CUDA)
        profile = profiler.profile(activities=kinds)
        profile.__enter__()
        self._profile = profile
        self._began = time.perf_counter()

    def after(self, item: Any) -> None:
        profile, self._profile = self._profile, None
        if profile is None:
            return
        lasted = time.perf_counter() - self._began
        profile.__exit__(None, None, None)
        if len(self._kept) >= SLOWEST and not self._wanted and lasted <= self._kept[0][0]:
            return
        self._number += 1
        name = re.sub(r"[^A-Za-z0-9_.-]+", "-", item.nodeid.rpartition("/")[2])[-80:].strip("-.")
        path = "%s-%03d-%s.json" % (self._path, self._number, name)
        profile.export_chrome_trace(path)
        self._room -= os.path.getsize(path)
        heapq.heappush(self._kept, (lasted, self._number, path))
        if len(self._kept) > SLOWEST and not self._wanted:
            _, _, quickest = heapq.heappop(self._kept)
            self._room += os.path.getsize(quickest)
            _remove(quickest)

    def stop(self) -> None:
        profile, self._profile = self._profile, None
        if profile is not None:
            profile.__exit__(None, None, None)

    def discard(self) -> None:
        """Nothing was traced: no test ran here."""

    def _asked(self, item: Any) -> bool:
        if self._wanted:
            return any(each.strip() in item.nodeid for each in self._wanted)
        path = str(getattr(item, "fspath", ""))
        if path not in self._mentions:
            try:
                with open(path, encoding="utf-8", errors="replace") as file:
                    self._mentions[path] = "profiler" in file.read()
            except OSError:
                self._mentions[path] = False
        return not self._mentions[path]


_KINDS = {each.name: each for each in (_CProfile, _Memray, _Torch)}


def _remove(path: str) -> None:
    with contextlib.suppress(OSError):
        os.unlink(path)


class _Run:
    """The profilers of one process; whatever one of them raises ends it and is written down."""

    def __init__(self, settings: Mapping[str, Any], worker: str) -> None:
        self.settings = settings
        self._worker = worker
        self._pid = os.getpid()
        self._going: list[Any] = []
        for name in settings["by"]:
            if name in _KINDS:
                try:
                    self._going.append(_KINDS[name](self._path(name), settings))
                except Exception as error:
                    self._failed(name, error)

    def before(self, item: Any) -> None:
        self._each("before", item)

    def after(self, item: Any) -> None:
        self._each("after", item)

    def end(self, *, discard: bool = False) -> None:
        self._each("discard" if discard else "stop")
        self._going = []

    def _each(self, what: str, *args: Any) -> None:
        if os.getpid() != self._pid:
            return  # a test forked
        # The last one begun is the first one ended.
        for profiler in self._going[::-1]:
            try:
                getattr(profiler, what)(*args)
            except Exception as error:  # noqa: PERF203
                self._going.remove(profiler)
                self._failed(profiler.name, error)

    def _path(self, name: str) -> str:
        base = os.path.join(
            str(self.settings["folder"]), "%s-%s-%d" % (name, self._worker, self._pid)
        )
        path, number = base, 1
        # A program may call pytest.main() again.
        while any(each.startswith(os.path.basename(path) + ".") for each in self._there()):
            number += 1
            path = "%s-%d" % (base, number)
        return path

    def _there(self) -> list[str]:
        try:
            return os.listdir(str(self.settings["folder"]))  # noqa: PTH208
        except OSError:
            return []

    def _failed(self, name: str, error: BaseException) -> None:
        with (
            contextlib.suppress(Exception),
            open(
                os.path.join(str(self.settings["folder"]), "%s-%d.failed" % (name, self._pid)),
                "a",
                encoding="utf-8",
                errors="backslashreplace",
            ) as file,
        ):
            file.write("%s: %s\n" % (type(error).__name__, " ".join(str(error).split())[:300]))


def _take() -> dict[str, Any] | None:
    """Return what was asked for, and put the environment back to what it was before Telltale."""
    given = os.environ.pop(VARIABLE, None)
    if not given:
        return None
    try:
        settings: dict[str, Any] = json.loads(given)
        _hide(settings)
        if os.environ.get("PYTEST_CURRENT_TEST", "") not in {"", settings["test"]}:
            return None  # a pytest below a test is part of that test
    except Exception:
        return None
    return settings


def _hide(settings: Mapping[str, Any]) -> None:
    entries = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    left = os.pathsep.join(each for each in entries if each != _HERE)
    if left or settings["was"] == "":
        os.environ["PYTHONPATH"] = left
    else:
        os.environ.pop("PYTHONPATH", None)


def _show() -> None:
    """Undo `_take`: a program may call pytest.main() again, or start another pytest."""
    if _settings is None:
        return
    os.environ[VARIABLE] = json.dumps(_settings)
    entries = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    if _HERE not in entries:
        os.environ["PYTHONPATH"] = os.pathsep.join([each for each in entries if each] + [_HERE])
    if _HERE not in sys.path:
        sys.path.append(_HERE)


_settings = _take()
_run: _Run | None = None
_active = False
if _settings is not None:
    # At import: what conftest files load and do belongs to the picture.
    _run = _Run(_settings, "main")


class _Hooks:
    """Registered once a session."""

    def __init__(self, run: _Run) -> None:
        self._run = run

    def pytest_sessionstart(self, session: Any) -> None:
        if session.config.pluginmanager.hasplugin("dsession"):
            self._run.end(discard=True)  # tests run in workers

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        node.workerinput["telltale_profile"] = dict(self._run.settings)

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(self, item: Any) -> Iterator[None]:
        self._run.before(item)
        yield
        self._run.after(item)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        self._run.end()

    @pytest.hookimpl(hookwrapper=True)
    def pytest_unconfigure(self) -> Iterator[None]:
        global _run, _active
        yield
        self._run.end()
        _run, _active = None, False
        _show()


@pytest.hookimpl(trylast=True)
def pytest_configure(config: Any) -> None:
    """Begin, unless this is a pytest within a test."""
    with contextlib.suppress(Exception):
        _begin(config)


def _begin(config: Any) -> None:
    global _run, _active  # noqa: PLW0603
    # Not among the project's own plugins in pytest's first lines.
    known = getattr(config.pluginmanager, "_plugin_distinfo", None)
    if isinstance(known, list):
        known[:] = [each for each in known if each[0] is not sys.modules[__name__]]
    sys.path[:] = [each for each in sys.path if each != _HERE]
    if _active:
        return
    if _settings is not None:
        os.environ.pop(VARIABLE, None)
        _hide(_settings)
    given = getattr(config, "workerinput", None)
    if given is not None:
        settings = given.get("telltale_profile")
        worker = str(given["workerid"])
        _run = _Run(settings, worker) if settings else None
    elif _run is None and _settings is not None:
        _run = _Run(_settings, "main")  # pytest.main() once more
    if _run is not None:
        _active = True
        config.pluginmanager.register(_Hooks(_run), "telltale_profile_hooks")
