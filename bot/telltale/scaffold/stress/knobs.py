"""The knobs: on the command line, or as variables."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from typing import NamedTuple

BUDGET_S = 300.0
"""Five minutes: after that nobody waits for a reproduction."""


class Knobs(NamedTuple):
    """What the person who runs the scaffold asks for."""

    source: str
    budget_s: float
    iterations: int
    """Tries at most; 0 for as many as the budget allows."""
    workers: int
    seed: int
    amplifiers: tuple[str, ...]
    rate: bool
    timeout_s: float
    """Of one try; 0 for one that fits the test."""
    silence_s: float


def parse(argv: list[str], environ: dict[str, str], known: list[str]) -> Knobs:
    """Return the knobs; argparse exits with 2 on a mistake."""
    parser = argparse.ArgumentParser(
        prog="run_test.sh",
        description="Repeat the failed test until it fails again with the same signature.",
        epilog="Exit status: 1 reproduced with the same signature, 0 not reproduced, 2 could not"
        " run, 3 failed in another way only. Every option may be given as a variable, as in"
        " TELLTALE_BUDGET=60. run_test.sh itself takes --venv DIR (TELLTALE_VENV).",
        allow_abbrev=False,
    )

    def option(name: str, kind: Callable[[str], object], default: object, text: str) -> None:
        given = environ.get(_variable(name)) or default
        parser.add_argument(f"--{name}", type=kind, default=given, help=f"{text} [%(default)s]")

    option("source", str, ".", "checkout of the code under test")
    option("budget", _positive, BUDGET_S, "seconds to spend at most")
    option("iterations", _whole, 0, "tries at most, 0 for as many as the budget allows")
    option("workers", _whole, max(4, 2 * (os.cpu_count() or 1)), "copies that run side by side")
    option("seed", _whole, 1, "of random orders and hash seeds")
    option("amplifiers", str, ",".join(known), "those to use, separated by commas")
    option("without", str, "", "amplifiers to leave out")
    option("timeout", _number, 0.0, "seconds for one try, 0 for ten times what the test took")
    option("silence", _positive, 30.0, "seconds without a sign of life after which a try is killed")
    parser.add_argument(
        "--rate",
        action="store_true",
        default=environ.get(_variable("rate"), "").lower() in {"1", "true", "yes", "on"},
        help="do not stop at the first failure: measure how often it fails",
    )
    given = parser.parse_args(argv)
    without = _names(given.without)
    chosen = [name for name in _names(given.amplifiers) if name not in without]
    for name in [*chosen, *without]:
        if name not in known:
            parser.error(f"there is no amplifier {name!r} here: choose from {', '.join(known)}")
    if not chosen:
        parser.error("no amplifier is left: name one with --amplifiers")
    return Knobs(
        source=given.source,
        budget_s=given.budget,
        iterations=given.iterations,
        workers=max(2, given.workers),
        seed=given.seed,
        amplifiers=tuple(chosen),
        rate=given.rate,
        timeout_s=given.timeout,
        silence_s=given.silence,
    )


def _variable(name: str) -> str:
    return "TELLTALE_" + name.upper()


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _whole(text: str) -> int:
    value = int(text)
    if value < 0:
        raise ValueError(text)
    return value


def _number(text: str) -> float:
    value = float(text)
    if not 0 <= value < 1e9:
        raise ValueError(text)
    return value


def _positive(text: str) -> float:
    value = _number(text)
    if not value:
        raise ValueError(text)
    return value
