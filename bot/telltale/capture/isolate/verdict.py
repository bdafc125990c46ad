"""The verdict in words: one sentence with its numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from telltale.capture.isolate.case import Case
from telltale.capture.isolate.reading import Result
from telltale.capture.isolate.search import Findings, by_chance, rate
from telltale.capture.words import many
from telltale.model import Isolation, IsolationVerdict, Rate
from telltale.values import replace

_NAMED = 3
"""Polluters, and changes of theirs, in a sentence."""


def redacted(found: Isolation, hide: Callable[[str], str]) -> Isolation:
    """Return the findings with what is said of them redacted; tests keep their names."""
    return replace(
        found,
        sentence=hide(found.sentence),
        command=hide(found.command),
        leaked=tuple(map(hide, found.leaked)),
    )


def conclude(case: Case, found: Findings, *, budget_s: float, elapsed_s: float) -> Isolation:
    """Return what the findings amount to."""
    polluters = found.polluters if found.verdict is IsolationVerdict.ORDER_DEPENDENT else ()
    leaked = tuple(
        f"{each}: {change}" for each in polluters for change in case.leaked.get(each, ())
    )
    return Isolation(
        nodeid=case.nodeid,
        signature=case.failure.signature if case.failure else "",
        verdict=found.verdict,
        sentence=f"{found.verdict.value}: {_SENTENCES[found.verdict](found, leaked)}",
        polluters=polluters,
        needs=found.needs if found.verdict is IsolationVerdict.BRITTLE else (),
        leaked=leaked,
        alone=rate(found.alone),
        in_order=rate(found.in_order),
        together=rate(found.together),
        command=found.command,
        budget_s=budget_s,
        elapsed_s=round(elapsed_s, 3),
    )


def undecided(case: Case, why: str, *, budget_s: float, elapsed_s: float) -> Isolation:
    """Return that nothing could be found out, and why."""
    found = Findings(reason=why)
    return conclude(case, found, budget_s=budget_s, elapsed_s=elapsed_s)


def _order_dependent(found: Findings, leaked: tuple[str, ...]) -> str:
    alone = f"({_of(found.alone)})"
    if found.itself:
        return (
            f"it fails when it runs a second time in one process ({_of(found.together)})"
            f" and passes the first time {alone}: it leaves behind what it fails on"
        )
    what = (
        f"it fails after {_names(found.polluters)} ({_of(found.together)}) and passes alone {alone}"
    )
    if leaked:
        more = f" and {len(leaked) - _NAMED} more" if len(leaked) > _NAMED else ""
        what += f"; left changed by {'; '.join(leaked[:_NAMED])}{more}"
    return what


def _brittle(found: Findings, _leaked: tuple[str, ...]) -> str:
    return (
        f"it fails alone ({_of(found.alone)}) and passes after {_names(found.needs)}"
        f" ({_of(found.together)}), which sets up what it needs"
    )


def _flaky(found: Findings, _leaked: tuple[str, ...]) -> str:
    for counts, where in (
        (found.alone, "alone"),
        (found.together, "after the same tests"),
        (found.in_order, "in the recorded order"),
    ):
        if 0 < counts[Result.SAME] < sum(counts.values()):
            return f"it failed in {_runs(counts)} {where} ({_interval(rate(counts))})"
    return f"it failed in {_runs(found.alone)} alone"


def _deterministic(found: Findings, _leaked: tuple[str, ...]) -> str:
    order = f", and in the recorded order in {_runs(found.in_order)}" if found.in_order else ""
    return (
        f"it fails alone in {_runs(found.alone)}"
        f" ({_interval(rate(found.alone))}){order}: no other test has a part in it"
    )


def _load_dependent(found: Findings, _leaked: tuple[str, ...]) -> str:
    order = f" in its own worker's order ({_of(found.in_order)}) nor" if found.in_order else ""
    without = f"neither{order} alone" if order else "not alone"
    return (
        f"it fails while the other workers' tests run beside it ({_of(found.beside)}), and"
        f" {without} ({_of(found.alone)})"
    )


def _undecided(found: Findings, _leaked: tuple[str, ...]) -> str:
    reason = found.reason or "nothing was tried"
    if suspicion := _suspicion(found):
        return f"{suspicion}; not confirmed: {reason}"
    parts = [reason]
    if found.alone:
        parts.append(f"alone it failed in {_runs(found.alone)} ({_interval(rate(found.alone))})")
    if found.in_order:
        parts.append(f"in the recorded order in {_runs(found.in_order)}")
    if found.beside:
        parts.append(f"with the other workers beside it in {_runs(found.beside)}")
    if found.suspects:
        parts.append(f"narrowed to {many(len(found.suspects), 'candidate')}")
    if found.polluters or found.needs:
        parts.append(f"under suspicion: {_names(found.polluters or found.needs)}")
    if found.other:
        parts.append(f"it also failed otherwise: {found.other}")
    return "; ".join(parts)


def _suspicion(found: Findings) -> str:
    """Return what the search pointed to when the budget ended before it was confirmed."""
    few = found.suspects if len(found.suspects) <= _NAMED else ()
    names, failing = found.polluters or found.needs or few, found.aim is not Result.PASSED
    if not names or found.itself or _refuted(found, failing=failing):
        return ""
    kind = "order-dependent on" if failing else "brittle, needing"
    said = f"likely {kind} {_names(names)}"
    if not found.together:
        return f"{said}, to which a search narrowed it; alone {_of(found.alone)}"
    them = "it" if len(names) == 1 else "them"
    more, less = (found.together, found.alone) if failing else (found.alone, found.together)
    return (
        f"{said}: {_of(found.together)} after {them}, {_of(found.alone)} alone"
        f" ({100 * by_chance(more, less):.0f} % by chance)"
    )


def _refuted(found: Findings, *, failing: bool) -> bool:
    """Whether a run after the suspects, or alone, was not as the suspicion has it."""
    after, alone = found.together, found.alone
    right, wrong = (Result.SAME, Result.PASSED) if failing else (Result.PASSED, Result.SAME)
    return after[right] < sum(after.values()) or alone[wrong] < sum(alone.values())


_SENTENCES = {
    IsolationVerdict.ORDER_DEPENDENT: _order_dependent,
    IsolationVerdict.BRITTLE: _brittle,
    IsolationVerdict.FLAKY: _flaky,
    IsolationVerdict.DETERMINISTIC: _deterministic,
    IsolationVerdict.LOAD_DEPENDENT: _load_dependent,
    IsolationVerdict.UNDECIDED: _undecided,
}


def _names(names: tuple[str, ...]) -> str:
    said = [each if "::" in each else f"the import of {each}" for each in names[:_NAMED]]
    if len(names) > _NAMED:
        said.append(f"{len(names) - _NAMED} more")
    return " and ".join(said) if len(said) < 3 else f"{', '.join(said[:-1])} and {said[-1]}"


def _of(counts: Counter[Result]) -> str:
    return f"{counts[Result.SAME]} of {many(sum(counts.values()), 'run')} failed"


def _runs(counts: Counter[Result]) -> str:
    return f"{counts[Result.SAME]} of {many(sum(counts.values()), 'run')}"


def _interval(found: Rate) -> str:
    return f"95 % interval {100 * found.low:.0f}-{100 * found.high:.0f} %"
