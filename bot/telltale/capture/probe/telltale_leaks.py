"""
What a test left changed in the process that ran it: state leaks.

One file of the standard library, Python 3.7 and later, loaded into the
user's process beside the probe. It only looks. It imports nothing that may
not be loaded already, calls no code of the user's (of an object it knows its
address and the name of its type), keeps none of the user's objects alive,
writes no value that may be a secret, prints nothing and never raises.

What is cheap is looked at after every test. What is not is looked at when a
cheap hint changed, or when the process used so much CPU time since the last
look that another one costs at most `SHARE` of it; a change found after several
tests says within how many it was made.

What is watched, what it costs and what is not watched: docs/state-leaks.md.
"""

from __future__ import annotations

# A folder for sys.path, not a package; what it looks at is private to the standard library.
# ruff: noqa: INP001, SLF001
# Python 3.7 has no zip(strict=...), and text of foreign bytes is easier to read with %.
# ruff: noqa: B905, UP031, ARG002
import builtins
import gc
import os
import re
import sys
import threading
import time
import types
import warnings
from fcntl import F_DUPFD_CLOEXEC, fcntl
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    Change = tuple[str, str, str]
    Getter = tuple[str, Callable[[], Any]]

SHARE = 0.002
"""Of the CPU time of the tests, what each of the dearer looks may cost."""
TOGETHER = 0.01
"""The same of all of them, with what it takes to go through them."""
MOST = 50
"""Changes of one kind that are told of one test."""
TEXT = 200
"""Characters of a name or a value."""

ABSENT = "absent"

_SECRET = re.compile(
    r"TOKEN|SECRET|PASS|PWD|KEY|CRED|AUTH|COOKIE|SESSION|DSN|PRIVATE|WEBHOOK|CONN|(^|_)PAT$"
    r"|SIGN|CERT|ACCOUNT|LOGIN|USER",
    re.IGNORECASE,
)
# Words, numbers, paths and lists of them; nothing with user names, queries or long codes in it.
_HARMLESS = re.compile(r"[\w .,:;+/-]{0,60}\Z", re.ASCII)
_CODE = re.compile(
    r"(?=[A-Za-z_+-]*\d)(?=[\d_+-]*[A-Za-z])[\w+-]{16,}|[0-9a-fA-F]{16,}|[A-Za-z]{24,}"
)

_FUNCTIONS = (types.FunctionType, types.BuiltinFunctionType)
_PLAIN = (int, float, bool, str, bytes, type(None))
_BUILTIN = types.BuiltinFunctionType

# Bound now: a test may leave any of them replaced.
_clock = time.process_time
_getcwd = os.getcwd
_stat = os.stat
_fstat = os.fstat
_listdir = os.listdir
_readlink = os.readlink
_umask = os.umask
_recursion_limit = sys.getrecursionlimit
_gc_on = gc.isenabled
_get_trace, _get_profile = sys.gettrace, sys.getprofile
_open, _read, _close = os.open, os.read, os.close
_modules = sys.modules
_threads: dict[int, threading.Thread] = vars(threading)["_active"]
_Environ = type(os.environ)
_type_name = type.__dict__["__qualname__"].__get__
_type_module = type.__dict__["__module__"].__get__


class Watch:
    """
    Pictures of the process's state, compared from one test to the next.

    `own` are beginnings of paths whose open files are ours, `share` as
    `SHARE`. Made in the thread that runs the tests. Nothing here raises.
    """

    def __init__(self, own: tuple[str, ...] = (), share: float = SHARE) -> None:
        self._share = share
        self._turn = 0
        self._due = 0.0
        self._always: list[_Sensor] = []
        self._later: list[_Sensor] = []
        for make in _SENSORS:
            try:
                sensor = make(own) if make is _Files else make()
                sensor.begin()
            except Exception:  # noqa: BLE001, S112  # what this system does not have is not watched
                continue
            (self._always if sensor.always else self._later).append(sensor)
        hinted = [sensor for sensor in self._later if sensor.exact]
        self._cost = sum(sensor.cost for sensor in self._later)
        self._hinters = [sensor.hint for sensor in hinted]
        self._hints = [sensor.hinted for sensor in hinted]
        try:
            self._glance: _Glance | None = _Glance(self._always)
        except KeyError:  # what this system does not have
            self._glance = None
        self._seen: Any = None
        """The glance that was taken before the last pictures."""

    def changes(self, thorough: bool = False, now: float | None = None) -> list[Change]:
        """
        Return what changed since the last call, as (what, before, after), and start again.

        All three are texts; a change that is taken back later comes again
        with the texts the other way round. `thorough` looks at everything,
        whatever it costs: for the last test and for pictures that are few.
        `now` is the CPU time of the process in seconds, when the caller has it.
        """
        found: list[Change] = []
        self._turn += 1
        try:
            self._first(found)
            if now is None:
                now = _clock()
            hints = [hint() for hint in self._hinters]
            late = thorough or now >= self._due
            if late or hints != self._hints:
                due = [
                    sensor
                    for sensor in self._later
                    if thorough or (late and now >= sensor.due) or sensor.hint() != sensor.hinted
                ]
                self._look(due, found)
                self._hints = hints
            if late:
                self._wait(now)
        except Exception:  # noqa: BLE001, S110  # the tests come first
            pass
        return found

    def _first(self, found: list[Change]) -> None:
        """Look at what is looked at after every test."""
        glance, seen = self._glance, None
        try:
            if glance is not None:
                seen = glance.take()
        except Exception:  # noqa: BLE001, S110  # one of them, then: each by itself
            pass
        if seen is None or seen != self._seen:
            whole = self._look(self._always, found)
            # Taken before the pictures: what another thread does meanwhile differs again.
            self._seen = seen if whole else None
            if glance is not None:
                glance.hold()

    def _wait(self, began: float) -> None:
        """Set when all are due again, after a look at those that were due."""
        ended = _clock()
        # As with each of them: one interruption must not end the watching.
        self._cost = min(ended - began, 2 * self._cost)
        soonest = min(sensor.due for sensor in self._later)
        self._due = max(soonest, ended + self._cost * SHARE / (TOGETHER * self._share))

    def _look(self, sensors: list[_Sensor], found: list[Change]) -> bool:
        """Return whether all of them could be looked at."""
        whole = True
        for sensor in sensors:
            try:
                found += sensor.look(self._turn, self._share)
            except Exception:  # noqa: BLE001, PERF203  # half-made modules, races: not now
                whole = False
        return whole


class _Glance:
    """
    What is looked at after every test, without pictures and in one function.

    Little of the watch is in the processor's caches after a test, and each
    function of Python that is called has to be fetched again. Two equal
    glances mean equal pictures; unequal ones mean a look.
    """

    def __init__(self, sensors: list[_Sensor]) -> None:
        """Take the parts of the sensors; raises `KeyError` when one of them does not work here."""
        found: dict[Any, Any] = {type(sensor): sensor for sensor in sensors}
        self._environment = found[_Environment]
        self._core, self._signals = found[_Core].take, found[_Signals].take
        self._pairs = found[_Objects]._pairs
        self._torch, self._numpy = found[_Torch].take, found[_Numpy].take
        self._decimal = found[_Decimal].take
        self._entries: list[str] = []

    def hold(self) -> None:
        """Keep the texts in `sys.path`, which are compared by their address."""
        path = sys.path
        if type(path) is list:
            self._entries = [entry for entry in path if type(entry) is str]

    def take(self) -> Any:
        """Return what is equal as long as nothing changed; None: look."""
        environment, path = self._environment, sys.path
        if os.environ is not environment._environ or environment._data != environment.picture:
            return None
        return (
            _getcwd(),
            list(map(id, path)) if type(path) is list else None,
            self._core(),
            [id(space.get(name)) for space, name in self._pairs],
            id(_get_trace()),
            id(_get_profile()),
            self._signals(),
            self._torch() if "torch" in _modules else None,
            self._numpy() if "numpy" in _modules else None,
            self._decimal() if "_decimal" in _modules else None,
        )


# Texts


def _text(value: Any) -> str:
    """Return a name or value as a short text of one line."""
    if type(value) is bytes:
        value = value.decode("utf-8", "backslashreplace")
    if type(value) is not str:
        value = repr(value) if type(value) in _PLAIN else "a " + _class(type(value))
    text: str = value.encode("ascii", "backslashreplace").decode("ascii")
    text = "".join(c if " " <= c <= "~" else "\\x%02x" % ord(c) for c in text)
    return text if len(text) <= TEXT else text[: TEXT - 3] + "..."


def _text_of(value: Any) -> str:
    name: str = value if type(value) is str else "?"
    return name


def _class(kind: type) -> str:
    module, name = _type_module(kind), _type_name(kind)
    if type(module) is not str or module == "builtins":
        return _text_of(name)
    return _text_of(module) + "." + _text_of(name)


def _label(value: Any) -> str:
    """Return what can be said of an object without calling any of its code."""
    kind = type(value)
    if kind is types.MethodType:
        return "method " + _label(value.__func__).rpartition(" ")[2]
    if kind in _FUNCTIONS:
        module, name = value.__module__, value.__qualname__
        return "function " + _text(_text_of(module) + "." + _text_of(name))
    if kind is type:
        return "class " + _text(_class(value))
    if kind is types.ModuleType:
        return "module"
    return _text(value)


class _Names:
    """Texts that are equal exactly when the values were, without the values in them."""

    def __init__(self) -> None:
        self._seen: dict[Any, list[Any]] = {}

    def name(self, what: Any, key: Any, text: str) -> str:
        """Return the text, numbered when `what` had it for another key already."""
        keys = self._seen.setdefault((what, text), [])
        if key not in keys:
            if len(keys) >= 200:
                return text + " (another)"
            keys.append(key)
        at = keys.index(key)
        return text if at == 0 else "%s (%d)" % (text, at + 1)


# Sensors: each takes one picture; `compare` returns the changes between two


class _Sensor:
    """One kind of state; the picture is made of numbers and texts only."""

    always = True
    """Looked at after every test; otherwise when the hint changed or enough time has passed."""
    exact = False
    """Whether the hint is looked at after every test, so that this test made the change."""

    def begin(self) -> None:
        self.names = _Names()
        self.turn = 0
        started = _clock()
        self.hinted = self.hint()
        self.picture = self.take()
        ended = _clock()
        self.cost = ended - started
        self.due = ended

    def hint(self) -> Any:
        return None

    def take(self) -> Any:
        raise NotImplementedError

    def compare(self, before: Any, after: Any) -> list[Change]:
        raise NotImplementedError

    def look(self, turn: int, share: float) -> list[Change]:
        """Take a picture and return the changes since the last one."""
        started = _clock()
        hint = self.hint()
        hinted, self.hinted = hint != self.hinted, hint
        picture = self.take()
        ended = _clock()
        # A look that was interrupted must not end the watching.
        self.cost = min(ended - started, 2 * self.cost)
        self.due = ended + self.cost / share
        late, self.turn = turn - self.turn, turn
        if picture == self.picture:
            return []
        before, self.picture = self.picture, picture
        told = self.compare(before, picture)[:MOST]
        if late > 1 and not self.always and not (hinted and self.exact):
            told = [("%s [within %d tests]" % (w, late), b, a) for w, b, a in told]
        return told


class _Directory(_Sensor):
    def take(self) -> Any:
        try:
            return _getcwd()
        except OSError:
            return "a deleted folder"

    def compare(self, before: Any, after: Any) -> list[Change]:
        return [("working directory", _text(before), _text(after))]


class _Environment(_Sensor):
    """Variables; values that may be secrets are numbered."""

    def begin(self) -> None:
        self._environ = os.environ
        self._data: dict[bytes, bytes] = vars(os.environ)["_data"]
        self.picture = None
        _Sensor.begin(self)

    def take(self) -> Any:
        environ = os.environ
        if environ is not self._environ:
            return None
        data = self._data
        known = self.picture
        if data == known:
            return known
        # pytest names the phase in a variable of its own.
        return {name: data[name] for name in data if name not in _OURS}

    def compare(self, before: Any, after: Any) -> list[Change]:
        if before is None or after is None:
            words = ["as it was" if side is not None else "replaced" for side in (before, after)]
            return [("os.environ", words[0], words[1])]
        found = []
        for name in sorted(set(before) | set(after), key=repr):
            old, new = before.get(name), after.get(name)
            if old != new:
                what = "environment variable " + _text(name)
                found.append((what, self._value(name, old), self._value(name, new)))
        return found

    def _value(self, name: bytes, value: bytes | None) -> str:
        if value is None:
            return "unset"
        text = _text(value)
        if _SECRET.search(_text(name)) or not _HARMLESS.match(text) or _CODE.search(text):
            return self.names.name(name, hash(value), "a value not shown")
        return text or "empty"


_OURS = (b"PYTEST_CURRENT_TEST",)


class _Path(_Sensor):
    """`sys.path`, by entry, and its order."""

    def take(self) -> Any:
        path = sys.path
        if type(path) is not list:
            return None
        return [entry if type(entry) is str else id(entry) for entry in path]

    def compare(self, before: Any, after: Any) -> list[Change]:
        if before is None or after is None:
            words = ["as it was" if side is not None else "no list" for side in (before, after)]
            return [("sys.path", words[0], words[1])]
        found = [
            ("sys.path entry " + self._entry(entry), ABSENT, "present")
            for entry in dict.fromkeys(after)
            if entry not in before
        ]
        found += [
            ("sys.path entry " + self._entry(entry), "present", ABSENT)
            for entry in dict.fromkeys(before)
            if entry not in after
        ]
        if not found:
            old, new = (self.names.name("", tuple(side), "order") for side in (before, after))
            found.append(("sys.path order", old, new))
        return found

    def _entry(self, entry: Any) -> str:
        return _text(entry) if type(entry) is str else "an object"


class _Core(_Sensor):
    """Plain values that many tests change."""

    def begin(self) -> None:
        self._mask = _first_umask()
        self._root = _root() or {}
        self._manager = _manager() or {}
        module = _modules["_locale"]
        self._locale, self._all = module.setlocale, module.LC_ALL
        _Sensor.begin(self)

    def take(self) -> Any:
        # Setting what it was already changes nothing for other threads: there is a moment with
        # another mask only after a test changed it, and that moment has the earlier mask.
        mask = _umask(self._mask)
        if mask != self._mask:
            _umask(mask)
            self._mask = mask
        level, disabled = self._root.get("level"), self._manager.get("_disable")
        return (
            mask,
            _recursion_limit(),
            _gc_on(),
            level if type(level) is int else None,
            disabled if type(disabled) is int else None,
            self._locale(self._all, None),
        )

    def compare(self, before: Any, after: Any) -> list[Change]:
        return [
            (what, _value_text(what, old), _value_text(what, new))
            for what, old, new in zip(_CORE, before, after)
            if old != new
        ]


_CORE = (
    *("umask", "recursion limit", "garbage collector"),
    *("logging level", "logging disabled below", "locale"),
)


class _Values(_Sensor):
    """Other settings of the interpreter."""

    always = False

    def begin(self) -> None:
        self._getters = [(what, get) for what, get in self._list() if _works(get)]
        self._calls = [get for _, get in self._getters]
        _Sensor.begin(self)

    def take(self) -> Any:
        return [get() for get in self._calls]

    def compare(self, before: Any, after: Any) -> list[Change]:
        return [
            (what, _value_text(what, old), _value_text(what, new))
            for (what, _), old, new in zip(self._getters, before, after)
            # None: the module that has the setting was not loaded.
            if old != new and (old is not None or what not in _LOADED)
        ]

    def _list(self) -> Iterator[Getter]:
        yield "switch interval", sys.getswitchinterval
        yield "garbage collector thresholds", gc.get_threshold
        yield "garbage collector debug flags", gc.get_debug
        yield "time zone", _time_zone
        handler = _modules.get("faulthandler")
        if handler is not None:
            yield "faulthandler", handler.is_enabled
        yield "default socket timeout", _socket_timeout
        yield "multiprocessing start method", _start_method
        yield "asyncio event loop", _event_loop


_LOADED = ("multiprocessing start method",)


class _Kernel(_Values):
    """What the kernel keeps for the process."""

    def _list(self) -> Iterator[Getter]:
        yield "nice value", partial(os.getpriority, os.PRIO_PROCESS, 0)
        if hasattr(os, "sched_getaffinity"):
            yield "CPU affinity", partial(os.sched_getaffinity, 0)
        limits = _modules.get("resource")
        space = {} if limits is None else limits.__dict__
        for name in _LIMITS:
            if "RLIMIT_" + name in space:
                yield "limit " + name, partial(space["getrlimit"], space["RLIMIT_" + name])


_LIMITS = ("NOFILE", "AS", "DATA", "STACK", "CORE", "CPU", "FSIZE", "NPROC")


def _works(get: Callable[[], Any]) -> bool:
    try:
        get()
    except Exception:  # noqa: BLE001
        return False
    return True


def _value_text(what: str, value: Any) -> str:
    if what == "umask":
        return "%03o" % value
    if type(value) is bool:
        return "on" if value else "off"
    if value is None:
        return "none"
    if type(value) in (tuple, set, list):
        parts = sorted(value) if type(value) is set else value
        return _text(" ".join("unlimited" if part == -1 else _text(part) for part in parts))
    return _text(value)


def _first_umask() -> int:
    """Return the umask without changing it, where the kernel tells it."""
    try:
        file = _open("/proc/self/status", os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
        try:
            found = re.search(rb"^Umask:\s*([0-7]+)", _read(file, 4096), re.MULTILINE)
        finally:
            _close(file)
        if found:
            return int(found.group(1), 8)
    except OSError:
        pass
    mask = _umask(0o077)
    _umask(mask)
    return mask


def _time_zone() -> Any:
    names = time.__dict__.get("tzname")
    if type(names) is not tuple:
        return None
    return tuple(name if type(name) is str else None for name in names)


def _socket_timeout() -> float | None:
    module = _modules.get("_socket")
    return module.getdefaulttimeout() if type(module) is types.ModuleType else None


def _root() -> Any:
    module = _modules.get("logging")
    root = module.__dict__.get("root") if type(module) is types.ModuleType else None
    return None if root is None else object.__getattribute__(root, "__dict__")


def _number(value: Any) -> int | None:
    return int(value) if type(value) in (int, bool) else None


def _manager() -> Any:
    root = _root()
    module = _modules.get("logging")
    if root is None:
        return None
    kind = module.__dict__.get("Logger")
    manager = type.__getattribute__(kind, "__dict__").get("manager") if type(kind) is type else None
    return None if manager is None else object.__getattribute__(manager, "__dict__")


def _start_method() -> str | None:
    module = _modules.get("multiprocessing.context")
    context = module.__dict__.get("_default_context") if type(module) is types.ModuleType else None
    if context is None:
        return None
    state = object.__getattribute__(context, "__dict__")
    # The first use settles the default: that is no change.
    chosen = state.get("_actual_context") or state.get("_default_context")
    return None if chosen is None else _class(type(chosen)).rpartition(".")[2]


def _event_loop() -> str:
    """Whether the thread has an event loop set; projects whose plugin leaves one are passed over."""
    module = _modules.get("asyncio.events")
    if type(module) is not types.ModuleType or "pytest_asyncio" in _modules:
        return "none"
    policy = module.__dict__.get("_event_loop_policy")
    if policy is None or not _class(type(policy)).startswith("asyncio."):
        return "none"
    local = object.__getattribute__(policy, "__dict__").get("_local")
    loop = None if local is None else local.__dict__.get("_loop")
    if loop is None:
        return "none"
    state = object.__getattribute__(loop, "__dict__").get("_closed")
    return "closed" if state is True else "set and open" if state is False else "set"


class _Objects(_Sensor):
    """Streams and what is often patched: which object is there, by address."""

    places: tuple[tuple[Any, str], ...] = (
        (sys, "stdin stdout stderr excepthook modules"),
        (time, "time sleep"),
    )
    traces: tuple[Callable[[], Any], ...] = (sys.gettrace, sys.getprofile)

    def begin(self) -> None:
        self._places = [
            ("%s.%s" % (module.__name__, name), module.__dict__, name)
            for module, names in self.places
            for name in names.split()
            if name in module.__dict__
        ]
        self._pairs = [(space, name) for _, space, name in self._places]
        _Sensor.begin(self)
        self._labels = [self._now(at) for at in range(len(self.picture))]

    def take(self) -> Any:
        found = [id(space.get(name)) for space, name in self._pairs]
        found += [id(get()) for get in self.traces]
        return found

    def compare(self, before: Any, after: Any) -> list[Change]:
        found = []
        for at in range(len(before)):
            if before[at] != after[at]:
                old, self._labels[at] = self._labels[at], self._now(at)
                found.append((self._what(at), old, self._labels[at]))
        return found

    def _what(self, at: int) -> str:
        extra = at - len(self._places)
        return ("trace function", "profile function")[extra] if extra >= 0 else self._places[at][0]

    def _now(self, at: int) -> str:
        extra = at - len(self._places)
        if extra >= 0:
            value = self.traces[extra]()
        else:
            _, space, name = self._places[at]
            value = space.get(name)
        return self.names.name(
            self._what(at), id(value), "none" if value is None else _label(value)
        )


class _OtherObjects(_Objects):
    """Hooks, and what is patched more rarely."""

    always = False
    places = (
        (sys, "displayhook unraisablehook breakpointhook"),
        (threading, "excepthook"),
        (time, "monotonic perf_counter"),
        (os, "getcwd open stat listdir getenv system kill"),
    )
    traces = ()


class _Lists(_Sensor):
    """Lists of objects: import hooks, warnings filters, handlers of the root logger."""

    always = False

    def begin(self) -> None:
        _Sensor.begin(self)
        self._labels = self._all()

    def take(self) -> Any:
        root = _root()
        handlers = root.get("handlers") if root is not None else None
        return (
            tuple(map(id, sys.meta_path)),
            tuple(map(id, sys.path_hooks)),
            tuple(map(id, self._filters())),
            tuple(map(id, handlers)) if type(handlers) is list else (),
            len(_modules),
        )

    def compare(self, before: Any, after: Any) -> list[Change]:
        labels, self._labels = self._labels, self._all()
        found = []
        for at in range(4):
            if before[at] == after[at]:
                continue
            imported = before[4] != after[4]
            if at < _HOOKS and imported and set(before[at]) <= set(after[at]):
                continue  # a module that was imported brought its import hook
            what = _LISTS[at]
            gone = [labels[key] for key in before[at] if key not in after[at] and key in labels]
            new = [self._labels[key] for key in after[at] if key not in before[at]]
            found += [("%s: %s" % (what, text), "present", ABSENT) for text in gone]
            found += [("%s: %s" % (what, text), ABSENT, "present") for text in new]
            if not gone and not new:
                old = self.names.name(what, before[at], "order")
                found.append((what, old, self.names.name(what, after[at], "order")))
        return found

    def _filters(self) -> Any:
        # pytest's own plugin makes the filters anew for each test, unless it is switched off.
        return () if "_pytest.warnings" in _modules else warnings.__dict__.get("filters", ())

    def _all(self) -> dict[int, str]:
        root = _root()
        found = {}
        for value in (*sys.meta_path, *sys.path_hooks, *((root or {}).get("handlers") or ())):
            found[id(value)] = _label(value)
        for entry in self._filters():
            found[id(entry)] = _filter_text(entry)
        return found


_HOOKS = 2
_LISTS = ("sys.meta_path", "sys.path_hooks", "warnings filter", "handler of the root logger")


def _filter_text(entry: Any) -> str:
    if type(entry) is not tuple or len(entry) != 5 or type(entry[0]) is not str:
        return "a filter"
    kind = entry[2]
    return "%s %s" % (_text(entry[0]), _text(_type_name(kind)) if isinstance(kind, type) else "")


class _Signals(_Sensor):
    """Handlers set from Python of the signals that programs take."""

    numbers: tuple[int, ...] = (1, 2, 3, 10, 12, 13, 14, 15, 17)

    def begin(self) -> None:
        module = _modules["_signal"]
        self._get = module.getsignal
        self._numbers = []
        for number in self.numbers:
            try:
                self._get(number)
            except (ValueError, OSError):
                continue
            self._numbers.append(number)
        _Sensor.begin(self)
        self._labels = [self._now(number) for number in self._numbers]

    def take(self) -> Any:
        return list(map(id, map(self._get, self._numbers)))

    def compare(self, before: Any, after: Any) -> list[Change]:
        found = []
        for at, number in enumerate(self._numbers):
            if before[at] != after[at]:
                old, new = self._labels[at], self._now(number)
                self._labels[at] = new
                # The clock of pytest-timeout is stopped early when a test fails.
                if "pytest_timeout." not in old + new:
                    found.append(("handler of " + _signal_name(number), old, new))
        return found

    def _now(self, number: int) -> str:
        handler = self._get(number)
        if type(handler) is int:
            return {0: "default", 1: "ignored"}.get(handler, "unknown")
        return self.names.name(number, id(handler), "none" if handler is None else _label(handler))


class _OtherSignals(_Signals):
    """The others that are no real-time ones."""

    always = False
    numbers = (4, 5, 6, 7, 8, 11, 16, 18, *range(20, 32))


def _signal_name(number: int) -> str:
    module = _modules.get("signal")
    if type(module) is types.ModuleType:
        for name, value in list(module.__dict__.items()):
            if name.startswith("SIG") and "_" not in name and value == number:
                return name
    return "signal %d" % number


class _Modules(_Sensor):
    """
    Entries of `sys.modules` that were replaced or removed; new ones are no leak.

    One that was taken out and put back is the same, though its place is another.
    """

    always = False
    exact = True

    def begin(self) -> None:
        self._odd: dict[str, str] = {}
        _Sensor.begin(self)
        for name in self.picture[0]:
            self._note(name)

    def hint(self) -> Any:
        # A module that was removed and imported again is the last one.
        last = next(reversed(_modules)) if sys.version_info >= (3, 8) and _modules else None
        return len(_modules), last if type(last) is str else None

    def take(self) -> Any:
        return list(_modules), list(map(id, _modules.values()))

    def compare(self, before: Any, after: Any) -> list[Change]:
        old, new = dict(zip(*before)), dict(zip(*after))
        found = []
        for name, key in old.items():
            if type(name) is str and new.get(name) != key:
                was = self._say(name, key)
                self._note(name)
                what = "sys.modules entry " + _text(name)
                found.append((what, was, self._say(name, new.get(name))))
        for name in new:
            if name not in old:
                self._note(name)
        return found

    def _note(self, name: str) -> None:
        """Remember what stands at the name if it is not simply a module."""
        value = _modules.get(name)
        text = "none" if value is None else _label(value)
        if text != "module":
            self._odd[name] = text
        else:
            self._odd.pop(name, None)

    def _say(self, name: str, key: int | None) -> str:
        if key is None:
            return ABSENT
        return self.names.name(name, key, self._odd.get(name, "module"))


class _Loggers(_Sensor):
    """Level, `disabled`, `propagate` and number of handlers of the loggers that have a name."""

    always = False

    def take(self) -> Any:
        manager = _manager()
        found = {}
        loggers = manager.get("loggerDict") if manager is not None else None
        for name, logger in list(loggers.items()) if type(loggers) is dict else ():
            state = object.__getattribute__(logger, "__dict__")
            if type(name) is str and "level" in state:
                handlers = state.get("handlers")
                found[name] = (
                    _number(state["level"]),
                    _number(state.get("disabled")),
                    _number(state.get("propagate")),
                    len(handlers) if type(handlers) is list else None,
                )
        return found

    def compare(self, before: Any, after: Any) -> list[Change]:
        found = []
        for name in before:
            if name not in after or before[name] == after[name]:
                continue
            for part, old, new in zip(_LOGGER, before[name], after[name]):
                if old != new:
                    found.append(("%s of logger %s" % (part, _text(name)), _text(old), _text(new)))
        return found


_LOGGER = ("level", "disabled", "propagate", "handlers")


class _Builtins(_Sensor):
    always = False

    def begin(self) -> None:
        self._space = builtins.__dict__
        _Sensor.begin(self)
        self._labels = {name: self._now(name) for name in self.picture[0]}

    def take(self) -> Any:
        return list(self._space), list(map(id, self._space.values()))

    def compare(self, before: Any, after: Any) -> list[Change]:
        old, new = dict(zip(*before)), dict(zip(*after))
        found = []
        for name in dict.fromkeys((*old, *new)):
            # The interactive prompt, and doctest with it, keep the last value in `_`.
            if old.get(name) == new.get(name) or name == "_" or type(name) is not str:
                continue
            label = self._labels.get(name, ABSENT)
            self._labels[name] = self._now(name) if name in new else ABSENT
            found.append(("builtins." + _text(name), label, self._labels[name]))
        return found

    def _now(self, name: str) -> str:
        value = self._space.get(name)
        return self.names.name(name, id(value), "none" if value is None else _label(value))


class _Growing(_Sensor):
    """Things that should be gone after a test: told when they are new, and when they go."""

    always = False
    there = "present"

    def begin(self) -> None:
        self._told: set[Any] = set()
        _Sensor.begin(self)

    def compare(self, before: Any, after: Any) -> list[Change]:
        found = []
        for key in before:
            if key not in after and key in self._told:
                self._told.discard(key)
                found.append((self.what(key, before[key]), self.state(before[key]), ABSENT))
        for key in after:
            if key not in before and self.matters(key, after[key]):
                self._told.add(key)
                found.append((self.what(key, after[key]), ABSENT, self.state(after[key])))
        return found

    def matters(self, key: Any, value: Any) -> bool:
        return True

    def what(self, key: Any, value: Any) -> str:
        raise NotImplementedError

    def state(self, value: Any) -> str:
        return self.there


class _Threads(_Growing):
    exact = True

    def hint(self) -> Any:
        return list(_threads)

    def take(self) -> Any:
        found = {}
        for ident, thread in list(_threads.items()):
            state = object.__getattribute__(thread, "__dict__")
            # Threads of C code that once called Python are in the list for ever.
            if type(thread) is not threading._DummyThread:
                name = state.get("_name")
                found[(ident, name if type(name) is str else "")] = bool(state.get("_daemonic"))
        return found

    def matters(self, key: Any, value: Any) -> bool:
        # The clock of this very test is stopped after it.
        return not key[1].startswith("pytest_timeout ")

    def what(self, key: Any, value: Any) -> str:
        return "thread " + _text(key[1])

    def state(self, value: Any) -> str:
        return "alive, daemon" if value else "alive"


class _Children(_Growing):
    """Child processes, zombies among them."""

    there = "alive"

    def begin(self) -> None:
        self._wait = os.waitid
        _Growing.begin(self)

    def _any(self) -> bool:
        try:
            self._wait(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return False
        return True

    def take(self) -> Any:
        if not self._any():
            return {}
        found = {}
        for task in _listdir("/proc/self/task"):
            for word in _slurp("/proc/self/task/%s/children" % task).split():
                pid = word.decode()
                line = _slurp("/proc/%s/cmdline" % pid)
                # These stay until the end by design.
                if not any(part in line for part in _HELPERS):
                    found[pid] = _slurp("/proc/%s/comm" % pid).strip().decode("utf-8", "replace")
        return found

    def what(self, key: Any, value: Any) -> str:
        return "child process %s (pid %s)" % (_text(value), key)


_HELPERS = (b"resource_tracker", b"semaphore_tracker", b"multiprocessing.forkserver")


def _slurp(path: str) -> bytes:
    try:
        file = _open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
    except OSError:
        return b""
    try:
        return _read(file, 65536)
    except OSError:
        return b""
    finally:
        _close(file)


class _Files(_Growing):
    """Open files, pipes and sockets by number and target."""

    exact = True
    there = "open"

    def __init__(self, own: tuple[str, ...] = ()) -> None:
        self._own = (*own, "/proc/%d/fd" % os.getpid())

    def begin(self) -> None:
        self._folder = -1
        self._inode = (0, 0)
        self._reopen()
        # Since Linux 6.2 the size of the folder is the number of open files.
        self._sized = _fstat(self._folder).st_size > 0
        _Growing.begin(self)

    def _reopen(self) -> None:
        # Above the numbers that programs count on getting.
        low = _open("/proc/self/fd", os.O_RDONLY | os.O_CLOEXEC)
        try:
            self._folder = fcntl(low, F_DUPFD_CLOEXEC, 100)
        finally:
            _close(low)
        status = _fstat(self._folder)
        self._inode = (status.st_dev, status.st_ino)

    def hint(self) -> Any:
        if not self._sized:
            return None
        try:
            status = _fstat(self._folder)
            if (status.st_dev, status.st_ino) == self._inode:
                return status.st_size
        except OSError:
            pass
        # A test closed it, and perhaps opened something else in its place.
        self._reopen()
        return _fstat(self._folder).st_size

    def take(self) -> Any:
        names = _listdir("/proc/self/fd")
        found = {}
        for name in names:
            try:
                target = _readlink("/proc/self/fd/" + name)
            except OSError:
                continue  # the listing's own file
            found[(name, target)] = target
        return found

    def matters(self, key: Any, value: Any) -> bool:
        return not value.startswith(self._own + _DEVICES)

    def what(self, key: Any, value: Any) -> str:
        kind = value.partition(":")[0]
        if kind in ("socket", "pipe", "anon_inode"):
            name = value.partition(":")[2].strip("[]") if kind == "anon_inode" else kind
            return "open %s (file descriptor %s)" % (_text(name), key[0])
        return "open file %s" % _text(value)


# Drivers of accelerators keep their devices open from their first use to the end, and
# multiprocessing the memory that it shares.
_DEVICES = ("/dev/nvidia", "/dev/kfd", "/dev/dri", "/dev/accel", "/proc/driver", "/dev/shm/pym-")  # noqa: S108


class _Temporary(_Growing):
    """
    What this process made in the folder for temporary files through `tempfile` and left there.

    Other processes use the folder too. Which names were ours is told by the
    generator that `tempfile` takes them from: a copy of it, run from its last
    state to the present one, gives the names again.
    """

    there = "present"

    def begin(self) -> None:
        module = _modules["tempfile"]
        self._source = module._get_candidate_names()
        self._state = self._source.rng.getstate()
        self._folder = module.gettempdir()
        self._changed = 0
        self._made: set[str] = set()
        _Growing.begin(self)

    def take(self) -> Any:
        changed = _stat(self._folder).st_mtime_ns
        if changed == self._changed:
            return self.picture
        self._changed = changed
        self._made.update(self._names())
        names = _listdir(self._folder) if self._made else ()
        # Eight letters taken by chance, between what the caller put before and after them.
        found = {name: self._folder for name in names if self._ours(name)}
        self._made = {made for made in self._made if any(made in name for name in found)}
        return found

    def _ours(self, name: str) -> bool:
        return any(made in name for made in self._made)

    def _names(self) -> Iterator[str]:
        state = self._source.rng.getstate()
        if state == self._state:
            return
        copy = type(self._source)()
        copy.rng.setstate(self._state)
        self._state = state
        for _ in range(MOST * 20):
            yield next(copy)
            if copy.rng.getstate() == state:
                return

    def what(self, key: Any, value: Any) -> str:
        return "temporary file " + _text("%s/%s" % (value, key))


class _Library(_Sensor):
    """Settings of a library that is loaded already; its defaults when it came with this test."""

    always = False
    defaults: Mapping[str, Any] = {}

    def take(self) -> Any:
        raise NotImplementedError

    def compare(self, before: Any, after: Any) -> list[Change]:
        return [
            (
                what,
                _value_text(what, before.get(what, self.defaults.get(what))),
                _value_text(what, after[what]),
            )
            for what in after
            if what in before or what in self.defaults
            if before.get(what, self.defaults.get(what)) != after[what]
        ]


class _Torch(_Library):
    """
    Through torch's own C functions only: none of them starts CUDA.

    A module that merely calls itself torch is left alone, and so is one that
    is still being imported.
    """

    always = True
    defaults: Mapping[str, Any] = {
        "torch default dtype": "torch.float32",
        "torch deterministic algorithms": False,
        "torch cudnn.benchmark": False,
        "torch cudnn.deterministic": False,
        "torch float32 matmul precision": "highest",
        "torch gradients enabled": True,
        "torch anomaly detection": False,
        "torch default device": "cpu",
    }

    def begin(self) -> None:
        self._module: Any = None
        self._calls: list[Getter] = []
        _Library.begin(self)

    def take(self) -> Any:
        module = _modules.get("torch")
        if module is not self._module:
            self._module, self._calls = module, list(_torch_calls(module))
            # The address would do, but a module that is gone may have been replaced at it.
        found = {}
        for what, call in self._calls:
            value = call()
            found[what] = value if type(value) in _PLAIN else _torch_text(value)
        if self._calls:
            found["torch default device"] = _torch_device(module)
        return found


def _space(name: str) -> Any:
    """Return the names of a loaded module that is what it says, None of any other."""
    module = _modules.get(name)
    return module.__dict__ if type(module) is types.ModuleType else None


def _torch_calls(module: Any) -> Iterator[Getter]:
    space = module.__dict__ if type(module) is types.ModuleType else None
    core = _space("torch._C")
    if space is None or core is None or "__version__" not in space:
        return
    for what, where, name in _TORCH:
        call = (core if where == "_C" else space).get(name)
        if type(call) is _BUILTIN and _works(call):
            yield what, call


_TORCH = (
    ("torch default dtype", "", "get_default_dtype"),
    ("torch threads", "", "get_num_threads"),
    ("torch interop threads", "", "get_num_interop_threads"),
    ("torch deterministic algorithms", "_C", "_get_deterministic_algorithms"),
    ("torch deterministic warn only", "_C", "_get_deterministic_algorithms_warn_only"),
    ("torch cudnn.benchmark", "_C", "_get_cudnn_benchmark"),
    ("torch cudnn.deterministic", "_C", "_get_cudnn_deterministic"),
    ("torch cudnn.enabled", "_C", "_get_cudnn_enabled"),
    ("torch cudnn.allow_tf32", "_C", "_get_cudnn_allow_tf32"),
    ("torch float32 matmul precision", "_C", "_get_float32_matmul_precision"),
    ("torch gradients enabled", "_C", "is_grad_enabled"),
    ("torch anomaly detection", "_C", "is_anomaly_enabled"),
)


def _torch_text(value: Any) -> str:
    kind = type(value)
    module = _type_module(kind)
    # The names of dtypes are written by C code.
    if type(module) is str and module == "torch":
        return _text(repr(value))
    return _label(value)


def _torch_device(module: Any) -> str:
    context = module.__dict__.get("_GLOBAL_DEVICE_CONTEXT")
    if type(context) is not threading.local:
        return "cpu"
    mode = context.__dict__.get("device_context")
    device = None if mode is None else object.__getattribute__(mode, "__dict__").get("device")
    if device is None or _class(type(device)) != "torch.device":
        return "cpu"
    return _text(str(device))


class _Numpy(_Library):
    """Error state of numpy 1.x and 2.x."""

    always = True

    defaults: Mapping[str, Any] = {
        "numpy errors divide": "warn",
        "numpy errors over": "warn",
        "numpy errors under": "ignore",
        "numpy errors invalid": "warn",
    }

    def take(self) -> Any:
        return dict(_numpy_errors())


class _NumpyPrinting(_Library):
    """Print options of numpy 1.x and 2.x."""

    def take(self) -> Any:
        return {"numpy print option " + name: value for name, value in _numpy_printing()}


def _numpy_errors() -> Iterator[tuple[str, str]]:
    space = _space("numpy._core._multiarray_umath") or {}
    call = space.get("_get_extobj_dict")
    if type(call) is _BUILTIN:
        for name, value in call().items():
            if type(value) is str:
                yield "numpy errors " + name, value
        return
    space = _space("numpy.core._multiarray_umath") or {}
    call = space.get("geterrobj")
    if type(call) is _BUILTIN:
        mask = call()[1]
        for shift, name in ((0, "divide"), (3, "over"), (6, "under"), (9, "invalid")):
            yield "numpy errors " + name, _NUMPY_WORDS.get((mask >> shift) & 7, "unknown")


_NUMPY_WORDS = {0: "ignore", 1: "warn", 2: "raise", 3: "call", 4: "print", 5: "log"}


def _numpy_printing() -> Iterator[tuple[str, Any]]:
    space = _space("numpy._core.printoptions")
    options = None
    if space is not None:
        variable = space.get("format_options")
        kind = type(variable)
        options = variable.get() if _class(kind).endswith("ContextVar") else None
    else:
        for name in ("numpy._core.arrayprint", "numpy.core.arrayprint"):
            options = options or (_space(name) or {}).get("_format_options")
    if type(options) is not dict:
        return
    for name, value in list(options.items()):
        if type(name) is str:
            yield name, value if type(value) in _PLAIN else "set"


class _Decimal(_Library):
    """The decimal context of the thread."""

    always = True
    defaults: Mapping[str, Any] = {"decimal precision": 28, "decimal rounding": "ROUND_HALF_EVEN"}

    def take(self) -> Any:
        module = _modules.get("_decimal")
        if type(module) is not types.ModuleType or "decimal" not in _modules:
            return {}
        space = module.__dict__
        get = space["getcontext"]
        if type(get) is not _BUILTIN:
            return {}
        context = get()
        if type(context) is not space["Context"]:
            return {"decimal context": _class(type(context))}
        return {"decimal precision": context.prec, "decimal rounding": context.rounding}


_SENSORS = (
    _Directory,
    _Environment,
    _Path,
    _Core,
    _Values,
    _Kernel,
    _Objects,
    _OtherObjects,
    _Lists,
    _Signals,
    _OtherSignals,
    _Torch,
    _Numpy,
    _NumpyPrinting,
    _Decimal,
    _Modules,
    _Loggers,
    _Builtins,
    _Threads,
    _Children,
    _Files,
    _Temporary,
)
