"""
State leaks: what tests left changed and nobody put back, the worst first.

The probe tells of every test what it changed. A fixture of a wider scope
changes something in the test that asks for it first and puts it back in the
last: that is no leak, so a change is dropped when a later test of the same
worker took it back. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from telltale.capture.events import Events, State
from telltale.capture.words import many
from telltale.model import Leak
from telltale.patterns import pattern

_NAMED = 5
"""Sentences; the manifest and the summary have the others."""
_PARTS = 4
"""Things in one sentence."""
_WITHIN = pattern(r" \[within \d+ tests\]\Z")
_THREADS = pattern(
    r"(?:\w+_NUM_THREADS|VECLIB_MAXIMUM_THREADS|GOMAXPROCS|PYTHON_CPU_COUNT|OMP_(?:DYNAMIC|PLACES)"
    r"|OMP_PROC_BIND|OMP_THREAD_LIMIT|KMP_(?:AFFINITY|BLOCKTIME)|CUDA_VISIBLE_DEVICES"
    r"|CUBLAS_WORKSPACE_CONFIG)\Z"
)
_VARIABLE = "environment variable "
_LIBRARY = ("torch ", "numpy errors ", "decimal ")
_ORDER = (
    *("umask", "locale", "time zone", "os.environ", _VARIABLE, "recursion limit", "limit "),
    *("CPU affinity", "nice value", "default socket timeout", "handler of SIG", "logging "),
    *("builtins.", "time.", "os.", "sys.", "disabled of logger ", "warnings filter"),
    *("garbage collector", "trace function", "profile function", "faulthandler"),
    *("asyncio ", "multiprocessing ", "numpy ", "level of logger ", "handler of the root logger"),
    *("child process ", "thread ", "open ", "temporary file "),
)


def tell(told: Events) -> tuple[tuple[Leak, ...], tuple[str, ...]]:
    """Return the leaks that the probe's lines tell of, and the findings about them."""
    leaks = fold(told.states)
    return leaks, findings(leaks, told)


def fold(states: Sequence[State]) -> tuple[Leak, ...]:
    """Return the changes that were never taken back, dangerous ones first, then in their order."""
    kept: dict[tuple[str, str], list[Leak]] = {}
    order: list[Leak] = []
    for state in states:
        for change in state.changes:
            leak = _leak(state.nodeid, change)
            if leak is None or leak.before == leak.after:
                continue
            still = kept.setdefault((state.worker, _WITHIN.sub("", leak.what)), [])
            back = [at for at, each in enumerate(still) if each.before == leak.after]
            if back:
                del still[back[-1] :]
            elif leak.nodeid:
                still.append(leak)
                order.append(leak)
    lasting = {id(leak) for still in kept.values() for leak in still}
    # Each of xdist's workers imports all files.
    once = dict.fromkeys(leak for leak in order if id(leak) in lasting)
    return tuple(sorted(once, key=_rank))


def findings(leaks: Sequence[Leak], events: Events) -> tuple[str, ...]:
    """
    Return a sentence for each test that left something dangerous changed for others.

    Dangerous is what changes results or speed without a trace: the working
    directory, numeric defaults, numbers of threads.
    """
    after = _followers(events)
    told: dict[str, list[Leak]] = {}
    for leak in leaks:
        # A file is not in the order: it was imported before all tests.
        if dangerous(leak.what) and after.get(leak.nodeid, 1):
            told.setdefault(leak.nodeid, []).append(leak)
    sentences = [_sentence(nodeid, found, after) for nodeid, found in told.items()]
    if len(sentences) > _NAMED:
        rest = many(len(sentences) - _NAMED, "other test")
        sentences[_NAMED:] = [f"{rest} left such things changed as well: see leaks"]
    return tuple(sentences)


def dangerous(what: str) -> bool:
    """Whether tests that run with this changed may give other results or take another time."""
    if what.startswith(_VARIABLE):
        return bool(_THREADS.match(_WITHIN.sub("", what)[len(_VARIABLE) :]))
    return what.startswith(("working directory", *_LIBRARY))


def _sentence(nodeid: str, found: Sequence[Leak], after: Mapping[str, int]) -> str:
    parts = [f"{leak.what} ({leak.before} to {leak.after})" for leak in found[:_PARTS]]
    if len(found) > _PARTS:
        parts.append(f"{len(found) - _PARTS} more")
    count = after.get(nodeid)
    which = f"{many(count, 'test')} ran after it" if count else "tests ran after it"
    return (
        f"{nodeid} left changed: {', '.join(parts)}; {which} in the same process:"
        " what fails or is slow there may pass alone"
    )


def _followers(events: Events) -> dict[str, int]:
    """Return how many tests of its worker ran after each test."""
    return {
        nodeid: len(nodeids) - 1 - at
        for nodeids in events.order.values()
        for at, nodeid in enumerate(nodeids)
    }


def _leak(nodeid: str, change: Mapping[str, object]) -> Leak | None:
    what, before, after = (change.get(key) for key in ("what", "before", "after"))
    if not (isinstance(what, str) and isinstance(before, str) and isinstance(after, str) and what):
        return None
    return Leak(nodeid=nodeid, what=what[:500], before=before[:500], after=after[:500])


def _rank(leak: Leak) -> int:
    if dangerous(leak.what):
        return -1
    places = (at for at, start in enumerate(_ORDER) if leak.what.startswith(start))
    return next(places, len(_ORDER))
