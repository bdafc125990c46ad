"""
Requests to GitHub's REST API: sent, paced, asked again when that is safe, paged.

PyGithub gives the connection, the authentication, the pace and the errors;
the routes are asked through its requester, because its objects fetch what is
missing by themselves: reading one absent field of a listed issue is one more
request. Here every request is written down.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeVar
from urllib.parse import urlsplit

import github

from telltale import __version__
from telltale.errors import ForgeError, UsageError
from telltale.forge import faults
from telltale.forge.faults import Fault, FaultSort, Purpose

Made = TypeVar("Made")

API_VERSION = "2022-11-28"
PAGE_SIZE = 100
PAGES = 100
"""Pages that a list may have before we stop believing it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long and how often GitHub is asked. Source: its "Best practices for using the REST API"."""

    attempts: int = 4
    """Of one request."""
    backoff_s: float = 1.0
    """Before the second attempt; doubled before each further one."""
    longest_wait_s: float = 90.0
    """The longest wait that a rate limit is granted; a longer one is an error."""
    timeout_s: int = 30
    """Without a byte from GitHub."""
    between_requests_s: float = 0.0
    between_writes_s: float = 1.0
    """GitHub asks for a second between two writes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request; doing it twice is doing it once, unless it is a POST."""

    method: Literal["GET", "POST", "PATCH", "DELETE"]
    path: str
    """Below the repository, as in `/issues`; `/user` is not below one."""
    purpose: Purpose
    parameters: Mapping[str, Any] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    answered: bool = True
    """Whether a success has a body; a deletion and a redirection have none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer of success."""

    headers: Mapping[str, str]
    """By lower-case name."""
    data: Any


class Wire:
    """The way to one repository through one token."""

    def __init__(
        self,
        token: str,
        repository: str,
        api_url: str,
        *,
        patience: Patience,
        sleep: Callable[[float], None],
    ) -> None:
        if not token or not token.isascii() or not token.isprintable() or " " in token:
            raise UsageError("the token is missing or not one: pass `token: ${{ github.token }}`")
        if not re.fullmatch(r"[\w.-]+/[\w.-]+", repository, re.ASCII):
            raise UsageError(f"expected a repository as owner/name, got {repository!r}")
        url = urlsplit(api_url)
        if url.scheme not in {"https", "http"} or not url.hostname:
            raise UsageError(f"GITHUB_API_URL: expected an address, got {api_url!r}")
        self.repository = repository
        self.patience = patience
        self.plain_http = url.scheme == "http"
        """Whether GitHub itself is asked without TLS, as on a test's own machine."""
        self._sleep = sleep
        self._requester = github.Github(
            auth=github.Auth.Token(token),
            base_url=api_url.rstrip("/"),
            timeout=patience.timeout_s,
            user_agent=f"telltale/{__version__}",
            # Asking again is decided here, where it is known what a request does.
            retry=None,
            seconds_between_requests=patience.between_requests_s,
            seconds_between_writes=patience.between_writes_s,
            api_version=API_VERSION,
        ).requester

    def ask(self, request: Request, *, repeat: bool | None = None) -> Answer | Fault:
        """
        Send a request until it is answered, patience ends, or sending it again might do harm.

        `repeat` says that a POST does no harm when it is done twice.
        """
        repeat = request.method != "POST" if repeat is None else repeat
        result = self._once(request)
        for attempt in range(self.patience.attempts - 1):
            if isinstance(result, Answer) or not self._wait(result, attempt, repeat=repeat):
                break
            result = self._once(request)
        return result

    def send(self, request: Request) -> Answer:
        """Return the answer; `ForgeError` or `ForgeDeniedError` when there is none."""
        result = self.ask(request)
        if isinstance(result, Fault):
            raise faults.error_of(result, request.purpose)
        return result

    def pages(self, request: Request) -> Iterator[Answer]:
        """Return the answers of all pages of a list."""
        for page in range(1, PAGES + 1):
            # The first page is asked for without a number, as people would.
            asked = {"per_page": PAGE_SIZE} | ({"page": page} if page > 1 else {})
            answer = self.send(replace(request, parameters={**request.parameters, **asked}))
            yield answer
            if 'rel="next"' not in answer.headers.get("link", ""):
                return
        raise ForgeError(f"GitHub: cannot {request.purpose.what}: more than {PAGES} pages")

    def create(self, request: Request, find: Callable[[], Made | None]) -> Answer | Made:
        """
        Send a POST that must have its effect once; return its answer or what `find` found.

        When nobody knows whether it had, `find` looks before it is sent again.
        """
        attempt = 0
        while True:
            result = self.ask(request)
            if isinstance(result, Answer):
                return result
            if result.sort is FaultSort.BROKEN:
                self.pause(attempt)
                found = find()
                if found is not None:
                    return found
            attempt += 1
            if result.sort is not FaultSort.BROKEN or attempt == self.patience.attempts:
                raise faults.error_of(result, request.purpose)

    def pause(self, attempt: int) -> None:
        """Wait before the attempt after this one; attempts count from 0."""
        self._sleep(self.patience.backoff_s * 2**attempt)

    def _wait(self, fault: Fault, attempt: int, *, repeat: bool) -> bool:
        """Wait until the request may be sent again; false when it may not."""
        if fault.sort is FaultSort.BUSY and fault.wait_s <= self.patience.longest_wait_s:
            self._sleep(fault.wait_s)
            return True
        if fault.sort is FaultSort.UNREACHED or (fault.sort is FaultSort.BROKEN and repeat):
            self.pause(attempt)
            return True
        return False

    def _once(self, request: Request) -> Answer | Fault:
        path = (
            request.path if request.path == "/user" else f"/repos/{self.repository}{request.path}"
        )
        try:
            headers, data = self._requester.requestJsonAndCheck(
                request.method, path, parameters=dict(request.parameters), input=request.body
            )
        except faults.CAUGHT as error:
            return faults.classify(error, now=time.time())
        if request.answered and not _is_json(data):
            return Fault(sort=FaultSort.BROKEN, status=0, message="the answer is not JSON")
        return Answer(headers=headers, data=data)


def _is_json(data: Any) -> bool:
    # PyGithub puts a text that is no JSON under `data`, and a GET's address beside it.
    return data is not None and not (
        isinstance(data, dict) and {"data"} <= data.keys() <= {"data", "url"}
    )
