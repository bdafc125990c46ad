"""
What can go wrong between GitHub and us, sorted by what may be done about it.

Sources: GitHub's "Rate limits for the REST API" and "Best practices for using
the REST API" (which status and header means waiting, and for how long).
"""

from __future__ import annotations

import enum
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import requests
import urllib3
from github import GithubException
from github.Requester import Requester

from telltale.errors import ForgeDeniedError, ForgeError

RATE_LIMIT_WAIT_S = 60.0
"""How long to wait when GitHub limits us and does not say until when."""

CAUGHT = (GithubException, requests.RequestException, ValueError, AssertionError, RuntimeError)
"""
What PyGithub and requests raise while they talk: errors of GitHub, errors of
the connection, answers cut short (ValueError), and redirects to elsewhere,
which PyGithub refuses with an assertion or a RuntimeError.
"""


@enum.unique
class FaultSort(enum.Enum):
    """What may be done about a fault."""

    DENIED = "denied"
    """The token may not; asking again is useless."""
    REFUSED = "refused"
    """GitHub understood and said no."""
    BUSY = "busy"
    """A rate limit: nothing was done, ask again after a wait."""
    UNREACHED = "unreached"
    """The request never arrived: ask again."""
    BROKEN = "broken"
    """The request may or may not have been done: only what may be done twice can be asked again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Why a request did not get its answer."""

    sort: FaultSort
    status: int
    """Of HTTP; 0 without an answer."""
    message: str
    """One bounded line, without the token."""
    wait_s: float = 0.0
    """What GitHub asks for, when it is busy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Purpose:
    """What a request is for, in the words of an error message."""

    what: str
    """As in `comment on pull request 5`."""
    needs: str
    """The permission, as a workflow spells it: `pull-requests: write`."""


def classify(error: Exception, *, now: float) -> Fault:
    """Sort what PyGithub or requests raised; `now` is in seconds since the epoch."""
    if isinstance(error, GithubException):
        return from_status(error.status, error.headers or {}, _said(error.data), now=now)
    if isinstance(error, requests.ConnectTimeout) or _never_connected(error):
        return Fault(sort=FaultSort.UNREACHED, status=0, message="cannot connect")
    if isinstance(error, requests.Timeout):
        return Fault(sort=FaultSort.BROKEN, status=0, message="no answer in time")
    if isinstance(error, json.JSONDecodeError):
        return Fault(sort=FaultSort.BROKEN, status=0, message="the answer was cut short")
    if isinstance(error, requests.RequestException):
        # Only the name: the text may hold an address that is a key by itself.
        return Fault(
            sort=FaultSort.BROKEN, status=0, message=f"connection lost ({type(error).__name__})"
        )
    return Fault(sort=FaultSort.REFUSED, status=0, message=_line(str(error)))


def from_status(status: int, headers: Mapping[str, str], message: str, *, now: float) -> Fault:
    """Sort an answer that is not a success; header names are in lower case."""
    message = _line(message)
    limited = status in {403, 429} and (
        status == 429 or "retry-after" in headers or Requester.isRateLimitError(message)
    )
    if limited:
        wait = _wait(headers, now)
        return Fault(sort=FaultSort.BUSY, status=status, message=message, wait_s=wait)
    if status in {401, 403, 404}:
        return Fault(sort=FaultSort.DENIED, status=status, message=message)
    sort = FaultSort.BROKEN if status >= 500 else FaultSort.REFUSED
    return Fault(sort=sort, status=status, message=message)


def error_of(fault: Fault, purpose: Purpose) -> ForgeError:
    """Return the error for people: what happened, why, and what to type next."""
    said = f"{fault.status} {fault.message}".strip() if fault.status else fault.message
    failed = f"GitHub: cannot {purpose.what} ({said})"
    if fault.sort is FaultSort.DENIED:
        return ForgeDeniedError(f"{failed}: {_remedy(fault, purpose)}")
    if fault.sort is FaultSort.BUSY:
        return ForgeError(
            f"{failed}: the token's requests are limited for {fault.wait_s:.0f} s more; "
            "run the job again later"
        )
    if fault.sort in {FaultSort.BROKEN, FaultSort.UNREACHED}:
        return ForgeError(f"{failed}, although tried several times; run the job again later")
    return ForgeError(failed)


def _remedy(fault: Fault, purpose: Purpose) -> str:
    if fault.status == 401:
        return "the token is wrong or has expired; pass `token: ${{ github.token }}`"
    if "locked" in fault.message.lower():
        return "the conversation is locked; unlock it to get reports"
    reason = "it is not there, or the token lacks" if fault.status == 404 else "the token lacks"
    return (
        f"{reason} `{purpose.needs}`; add to the job:\n"
        f"permissions:\n  {purpose.needs}\n"
        "(a workflow on pull_request never gets it for a fork: "
        "report from a second workflow on workflow_run)"
    )


def _wait(headers: Mapping[str, str], now: float) -> float:
    after = headers.get("retry-after", "")
    if after.isdecimal():
        return float(after)
    reset = headers.get("x-ratelimit-reset", "")
    if headers.get("x-ratelimit-remaining") == "0" and reset.isdecimal():
        # One second more: the limit ends somewhere within that second.
        return max(0.0, float(reset) - now) + 1
    return RATE_LIMIT_WAIT_S


def _never_connected(error: Exception) -> bool:
    # requests wraps urllib3's reason twice: ConnectionError(MaxRetryError(reason=...)).
    if not isinstance(error, requests.ConnectionError) or not error.args:
        return False
    reason = getattr(error.args[0], "reason", None)
    return isinstance(reason, urllib3.exceptions.NewConnectionError)


def _said(data: Any) -> str:
    if not isinstance(data, Mapping):
        return ""
    details = data.get("errors")
    texts = [str(data.get("message") or "")]
    for detail in details if isinstance(details, list) else []:
        if isinstance(detail, Mapping):
            texts.append(" ".join(str(detail.get(k) or "") for k in ("field", "code", "message")))
        else:
            texts.append(str(detail))
    return "; ".join(filter(None, (" ".join(text.split()) for text in texts)))


def _line(text: str) -> str:
    line = " ".join(text.split())[:300]
    return "".join(character for character in line if character.isprintable())
