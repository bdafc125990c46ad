"""
The issue about one flaky failure: a claim with evidence, in a section that the bot owns.

People may write above and below the section; `merge_issue_body` keeps what
they wrote.
"""

from __future__ import annotations

import functools
import math
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from telltale.model import FailureKind
from telltale.records import Flake, Occurrence
from telltale.report import escape, templating, words
from telltale.report.data import IssueData, Rate

BEGIN = "<!-- telltale:begin -->"
END = "<!-- telltale:end -->"

TITLE_LIMIT = 200
"""Code points; GitHub takes 256."""

EXCERPT_LINES = 120
RUNS_SHOWN = 15

PROOF = 0.99
"""How sure the green runs that close an issue make us: 1-(1-p)^n."""

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{6,16}")
_SIGNATURE = re.compile(r"<!-- telltale:signature (v[0-9]+:[0-9a-f]{16}) -->")

NEXT_STEPS: Mapping[FailureKind, str] = {
    FailureKind.ASSERTION: "Find what the asserted value depends on besides the code: time,"
    " order of tests, random numbers, another process.",
    FailureKind.EXCEPTION: "Follow the traceback to the first line of the repository and find"
    " what differs between the runs: order of tests, timing, left-over state.",
    FailureKind.TEST_TIMEOUT: "Look at the stack of the stuck test before raising its limit:"
    " a wait without a limit, a lock, a sleep that counts on a fast machine.",
    FailureKind.HANG_OR_DEVICE_TIMEOUT: "Look at the stacks of every thread in the evidence"
    " bundle, then at the device and its driver.",
    FailureKind.CRASH_SIGNAL: "Run the scaffold with core dumps on; look at native code and"
    " at threads that outlive their test.",
    FailureKind.OOM: "Compare the peak memory of passing and failing runs; look for what"
    " earlier tests leave in memory.",
    FailureKind.NAN_OR_DIVERGENCE: "Fix every seed and run again; then look at the order of"
    " reductions and at values that were never set.",
    FailureKind.NONDETERMINISTIC_VALUE: "Fix the seed, the hash seed and the number of threads"
    " one at a time, and see which one makes it stop.",
    FailureKind.COLLECTION_ERROR: "Import the test module alone; look for work at import that"
    " depends on the machine.",
    FailureKind.INFRA_NETWORK: "Check the runner and the service first; then decide whether"
    " this test should need the network at all.",
    FailureKind.INFRA_DISK: "Check the runner's disk first; then what the tests leave there.",
    FailureKind.INFRA_OTHER: "Check the runner first: the test may be innocent.",
    FailureKind.RESOURCE_LIMIT: "Compare the runner's limits with what the passing runs used.",
    FailureKind.UNKNOWN: "Read the log in the evidence bundle: the failure's text alone does"
    " not tell what happened.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where it failed: one host fingerprint."""

    fingerprint: str
    failed: int
    passed_beside: int
    commits: int
    first: str
    last: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueView:
    """What the template draws from."""

    data: IssueData
    flake: Flake
    places: tuple[Place, ...]
    latest: tuple[Occurrence, ...]
    """Failures, newest first."""
    excerpt: str
    rate: float
    proof_runs: int
    """Passes in a row that make it 99 % sure that it no longer fails at `rate`."""
    next_step: str


def issue_title(flake: Flake) -> str:
    """Return the title: what kind, which test, what happened."""
    kind = words.KINDS[flake.failure.kind]
    # An address is another one in each run, and this title outlives them all.
    message = _ADDRESS.sub("0x…", flake.failure.message)
    what = f": {message}" if message else ""
    test = flake.nodeid or "the run itself"
    return escape.one_line(f"Flaky {kind} in {escape.one_line(test, 110)}{what}", TITLE_LIMIT)


def issue_body(data: IssueData) -> str:
    """
    Return the section that the bot owns, from its first hidden marker to its last.

    It stays below 65,000 bytes whatever the failure says.
    """
    section = str(_parts().body(make_issue_view(data))).strip("\n")
    signature = _safe_signature(data.flake.signature)
    return f"{BEGIN}\n<!-- telltale:signature {signature} -->\n{section}\n{END}\n"


def merge_issue_body(old: str, new: str) -> str:
    """
    Return `old` with its section replaced by the one in `new`; all other text stays.

    A body whose markers were removed keeps everything below the new section.
    `new` is what `issue_body` returned.
    """
    old = old.replace("\r\n", "\n")
    begin = old.find(BEGIN)
    end = old.find(END, begin)
    if begin < 0 or end < 0:
        return f"{new}\n{old}" if old.strip() else new
    rest = old[end + len(END) :]
    return old[:begin] + new.rstrip("\n") + (rest or "\n")


def signature_of(body: str) -> str:
    """Return the signature that an issue's body is about; empty when it is not ours."""
    found = _SIGNATURE.search(body)
    return found[1] if found else ""


def make_issue_view(data: IssueData) -> IssueView:
    """Count and order what the issue says."""
    flake = data.flake
    rate = _rate(flake, data.rate)
    text = data.log_excerpt or flake.failure.text or flake.failure.message
    return IssueView(
        data=data,
        flake=flake,
        places=_places(flake),
        latest=tuple(reversed(flake.failed))[:RUNS_SHOWN],
        excerpt=escape.excerpt(text, lines=EXCERPT_LINES),
        rate=rate,
        proof_runs=_runs_to_prove(rate),
        next_step=NEXT_STEPS[flake.failure.kind],
    )


def _rate(flake: Flake, measured: Rate | None) -> float:
    if measured and measured.reproduced:
        return measured.reproduced / measured.tries
    return len(flake.failed) / max(flake.runs, len(flake.failed), 1)


def _runs_to_prove(rate: float) -> int:
    if rate <= 0:
        return 0
    if rate >= PROOF:
        return 1
    return math.ceil(math.log(1 - PROOF) / math.log(1 - rate))


def _places(flake: Flake) -> tuple[Place, ...]:
    failed: dict[str, list[Occurrence]] = defaultdict(list)
    for one in flake.failed:
        failed[one.fingerprint].append(one)
    places = [_place(fingerprint, ones, flake) for fingerprint, ones in failed.items()]
    return tuple(sorted(places, key=lambda place: (-place.failed, place.fingerprint)))


def _place(fingerprint: str, failed: Sequence[Occurrence], flake: Flake) -> Place:
    when = sorted(one.started_at for one in failed)
    return Place(
        fingerprint=fingerprint,
        failed=len(failed),
        passed_beside=sum(one.fingerprint == fingerprint for one in flake.passed_beside),
        commits=len({one.sha for one in failed}),
        first=when[0],
        last=when[-1],
    )


def _safe_signature(signature: str) -> str:
    return signature if re.fullmatch(r"v[0-9]+:[0-9a-f]{16}", signature) else "unknown"


@functools.cache
def _parts() -> Any:
    return templating.markdown_environment().get_template("issue.md.j2").module
