"""From the command line to the exit status."""

from __future__ import annotations

import os
import platform
import signal
import sys
import time
import traceback
from pathlib import Path

from . import results, spec
from .amplifiers import AMPLIFIERS
from .knobs import Knobs, parse
from .reading import Namer
from .results import COULD_NOT_RUN, NOT_REPRODUCED, OTHERWISE, REPRODUCED, Result
from .search import Search
from .spec import CannotRunError

EXIT_BASE = 10
"""Added to the status for `run_test.sh`: a traceback exits with 1, which must not say reproduced."""


def run(folder: Path, name: Namer, argv: list[str] | None = None) -> tuple[int, str]:
    """
    Try to reproduce the failure of the scaffold in `folder`.

    Returns the exit status of the scaffold and what came out in one
    sentence; writes both into the scaffold, with a log of every try.
    """
    started_at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    began = time.monotonic()
    signal.signal(signal.SIGTERM, _interrupt)
    search: Search | None = None
    document = None
    try:
        document = spec.load(folder)
        known = [one for one in document["amplifiers"] if one in AMPLIFIERS]
        knobs = parse(sys.argv[1:] if argv is None else argv, dict(os.environ), known)
        search = _prepare(folder, document, knobs, name)
        search.run()
        outcome = _outcome(search)
    except CannotRunError as error:
        outcome = Result(COULD_NOT_RUN, f"could not run: {error}", "", 0.0)
    except KeyboardInterrupt:
        outcome = Result(COULD_NOT_RUN, "interrupted before it could tell", "", 0.0)
    except OSError as error:
        outcome = Result(COULD_NOT_RUN, f"could not run: {error}", "", 0.0)
    outcome = outcome._replace(started_at=started_at, seconds=round(time.monotonic() - began, 1))
    outcome = outcome._replace(python=platform.python_version())
    if search is not None:
        outcome = _with_counts(outcome, search)
    if document is not None:
        try:
            results.record(folder, document, outcome)
        except OSError as error:
            print(f"the result could not be written: {error}", file=sys.stderr)  # noqa: T201
    print(f"\n{outcome.said}", flush=True)  # noqa: T201
    return outcome.status, outcome.said


def script(folder: Path, name: Namer) -> int:
    """Run as a script; return `EXIT_BASE` and the status."""
    try:
        return EXIT_BASE + run(folder, name)[0]
    except Exception:  # noqa: BLE001  # whatever broke in here is no reproduction
        traceback.print_exc()
        return EXIT_BASE + COULD_NOT_RUN


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _prepare(folder: Path, document: dict, knobs: Knobs, name: Namer) -> Search:  # type: ignore[type-arg]
    code = spec.find_code(document, knobs.source)
    (folder / "logs").mkdir(exist_ok=True)
    for warning in code.warnings:
        print(f"warning: {warning}", flush=True)  # noqa: T201
    print(f"test:   {code.nodeid or ' '.join(document['argv'])}")  # noqa: T201
    print(f"source: {code.root} at {code.sha[:12] or 'an unknown commit'}")  # noqa: T201
    print(f"wanted: {document['signature']} {document['template']}\n", flush=True)  # noqa: T201
    return Search(folder=folder, spec=document, code=code, knobs=knobs, name=name)


def _outcome(search: Search) -> Result:
    tries = search.total("tries")
    if search.hit:
        hit = search.hit
        said = (
            f"reproduced with the same signature after {hit.after_s:.1f} s"
            f" by {hit.amplifier} ({hit.plan.what}): {hit.said}"
        )
        if search.rate["tries"]:
            rate = results.rate_in_words(search.rate["same"], search.rate["tries"])
            said += f"; then it failed in {rate}"
        return Result(
            REPRODUCED,
            said,
            "",
            0.0,
            amplifier=hit.amplifier,
            plan=hit.plan.what,
            log=hit.log.relative_to(search.folder).as_posix(),
            first_hit_s=round(hit.after_s, 1),
        )
    if search.total("other"):
        of = results.count(tries, "try", "tries")
        said = f"failed in {search.total('other')} of {of}, never with this signature"
        return Result(OTHERWISE, f"{said}: {search.other}", "", 0.0)
    if not tries:
        raise CannotRunError("the budget ended before a single try did: give more with --budget")
    bound = results.percent(results.upper_bound(tries))
    done = results.count(tries, "try", "tries")
    executions = results.count(search.total("executions"), "execution", "executions")
    said = f"not reproduced in {done} with {executions}: at 95 % confidence under {bound} of such tries fail"
    return Result(NOT_REPRODUCED, said, "", 0.0)


def _with_counts(outcome: Result, search: Search) -> Result:
    return outcome._replace(
        tries=search.total("tries"),
        same=search.total("same"),
        other=search.total("other"),
        executions=search.total("executions"),
        rate_tries=search.rate["tries"],
        rate_same=search.rate["same"],
        commit=search.code.sha,
        amplifiers=tuple(
            {
                "name": name,
                "tries": count["tries"],
                "same": count["same"],
                "other": count["other"],
                "executions": count["executions"],
                "seconds": count["seconds"] / 1000,
            }
            for name, count in search.counts.items()
        ),
    )
