"""The fake GitHub: state, seeding, faults, and what it answers to a request."""

from __future__ import annotations

import functools
import hashlib
import json
import traceback
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.fake_github import access, routes
from tests.fake_github.contract import Contract
from tests.fake_github.faults import Fault
from tests.fake_github.limits import Bucket
from tests.fake_github.routing import ROUTES, Call, Route, Router
from tests.fake_github.seeding import Seeding
from tests.fake_github.server import Servers
from tests.fake_github.state import Repo, Token, as_json
from tests.fake_github.view import View
from tests.fake_github.web import ApiError, Request, Response, not_found
from tests.fake_github.world import WRITE_TOKEN

assert routes.__all__, "importing the routes fills the table"
DOCS = "https://docs.github.com/rest"
BAD_CREDENTIALS = ApiError(401, "Bad credentials", documentation_url=DOCS)


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """A request that came, for tests that count them."""

    method: str
    path: str
    """With the query."""
    login: str | None
    status: int
    """0: the connection was cut."""


@functools.cache
def contract() -> Contract:
    """The contract of all routes, loaded once per process."""
    return Contract(route.pattern for route in ROUTES)


class FakeGitHub(Seeding):
    """A GitHub on this machine, for one test.

    A context manager: serving begins when it is entered. `url` is the API's address
    (GITHUB_API_URL). Whatever breaks GitHub's description, in a request or in an answer, is a
    sentence in `violations`; a test that does so on purpose takes them away with
    `take_violations`. `state_file` is written anew after every change.
    """

    def __init__(
        self,
        repository: str = "octo/demo",
        *,
        artifacts: Path | None = None,
        state_file: Path | None = None,
    ) -> None:
        self.token = WRITE_TOKEN
        self.violations: list[str] = []
        self.requests: list[Exchange] = []
        self.faults: list[Fault] = []
        self._state_file = state_file
        self._router = Router()
        self._servers: Servers | None = None
        super().__init__(repository, artifacts)

    def __enter__(self) -> FakeGitHub:  # noqa: PYI034 - typing.Self is not in Python 3.10
        contract()  # its few tenths of a second are not the first request's
        self._servers = Servers(self)
        self.storage = self._servers.storage_url
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._servers is not None
        self._servers.close()

    @property
    def url(self) -> str:
        assert self._servers is not None, "enter the context first"
        return self._servers.api_url

    def fail(self, method: str, route: str, **how: Any) -> Fault:
        """Make a request go wrong; see `faults.Fault` for how."""
        fault = Fault(method=method, route=route, **how)
        self.faults.append(fault)
        return fault

    def secondary_limit(
        self, method: str, route: str, *, retry_after: int = 60, status: int = 403, **when: Any
    ) -> Fault:
        """Let GitHub's secondary rate limit strike; `when` is the fault's nth and times."""
        message = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
        headers = {"Retry-After": str(retry_after)}
        return self.fail(method, route, status=status, message=message, headers=headers, **when)

    def exhaust(self, token: str = WRITE_TOKEN, resource: str = "core") -> None:
        """Use up a token's hourly limit (`core`) or its searches (`search`)."""
        self.limits.exhaust(self.tokens[token], resource, self.clock.now())

    def search_lag(self, *, requests: int = 0, seconds: float = 0.0) -> None:
        """Let the search see changes from now on only after so many more requests and seconds."""
        self.search_index.lag_requests = requests
        self.search_index.lag_seconds = seconds

    def take_violations(self) -> list[str]:
        """The violations so far, which no longer fail the test."""
        taken, self.violations = self.violations, []
        return taken

    def state(self) -> dict[str, Any]:
        """Everything, as JSON values."""
        with self.lock:
            return {
                "repos": as_json(self.repos),
                "violations": list(self.violations),
                "requests": as_json(self.requests),
                "faults": as_json(self.faults),
            }

    def changed(self) -> None:
        super().changed()
        if self._state_file is not None:
            part = self._state_file.with_name(f".{self._state_file.name}.part")
            part.write_text(json.dumps(self.state(), indent=1), encoding="utf-8")
            part.replace(self._state_file)

    def respond(self, request: Request, encoded_path: str) -> Response:
        """Answer a request; never raises."""
        with self.lock:
            self.request_count += 1
            token: Token | None = None
            problems: list[str] = []
            bucket: Bucket | None = None
            found = self._router.find(request, self._plain(encoded_path))
            docs = contract().documentation_url(found.method, found.pattern) if found else DOCS
            try:
                token = self._authenticate(request)
                bucket = self._bucket(token, found)
                self._spend(request, token, found, bucket)
                response = self._dispatch(request, token, found, problems)
            except ApiError as error:
                response = error.response(docs)
            except Exception:  # noqa: BLE001 - a crash of the fake is a violation to report
                problems.append(f"the fake crashed:\n{traceback.format_exc()}")
                response = ApiError(500, "Server Error").response(docs)
            if found:
                problems += [
                    f"the fake's answer {response.status}: {problem}"
                    for problem in contract().response_problems(request, found.pattern, response)
                ]
            self._finish(request, token, response, bucket)
            login = token.login if token else None
            self._record(request, login, response.status, problems)
            return response

    def note(self, request: Request, status: int) -> None:
        """Record a request that came to nothing; status 0 when its connection was cut."""
        with self.lock:
            self.request_count += 1
            self._record(request, None, status, [])

    def _plain(self, encoded_path: str) -> str:
        """The path with `/repositories/ID`, as in GitHub's own links, turned into the names."""
        parts = encoded_path.split("/", 3)
        if parts[1:2] == ["repositories"]:
            for repo in self.repos.values():
                if str(repo.id) == parts[2]:
                    return "/".join(["", "repos", repo.full_name, *parts[3:]])
        return encoded_path

    def _authenticate(self, request: Request) -> Token | None:
        if not request.headers.get("user-agent"):
            raise ApiError(
                403,
                "Request forbidden by administrative rules. Please make sure your request has a "
                "User-Agent header",
            )
        if "authorization" not in request.headers:
            return None
        token = self.tokens.get(request.token or "")
        if token is None:
            raise BAD_CREDENTIALS
        return token

    def _bucket(self, token: Token | None, found: Route | None) -> Bucket:
        is_search = found is not None and found.pattern.startswith("/search/")
        return self.limits.bucket(token, "search" if is_search else "core", self.clock.now())

    def _spend(
        self, request: Request, token: Token | None, found: Route | None, bucket: Bucket
    ) -> None:
        if found is not None and found.pattern == "/rate_limit":
            return  # asking for the limits is free
        bucket.spend(token)
        if request.method != "GET":
            self.limits.spend_write(token, self.clock.now())

    def _dispatch(
        self, request: Request, token: Token | None, found: Route | None, problems: list[str]
    ) -> Response:
        if found is None:
            problems.append("the fake GitHub has no such route")
            raise not_found()
        _check_json(request)
        broken = contract().request_problems(request, found.pattern)
        problems += broken
        repo = self._repo(request)
        if repo is not None:
            access.check(token, repo, found.needs, request.method)
        if broken:
            raise ApiError(422, "Invalid request.\n\n" + "\n".join(broken))
        view = View(self, request.base_url)
        call = Call(request=request, world=self, view=view, token=token, maybe_repo=repo)
        response = found.handler(call)
        if request.method != "GET":
            self.changed()
        return response

    def _repo(self, request: Request) -> Repo | None:
        if "repo" not in request.params:
            return None
        wanted = f"{request.params['owner']}/{request.params['repo']}".lower()
        for name, repo in self.repos.items():
            if name.lower() == wanted:
                return repo
        raise not_found()

    def _finish(
        self, request: Request, token: Token | None, response: Response, bucket: Bucket | None
    ) -> None:
        """Put on the headers, and leave the body out when the client has it already."""
        headers = response.headers
        if request.method == "GET" and response.status == 200:
            headers["ETag"] = f'W/"{hashlib.sha256(response.data).hexdigest()}"'
            headers["Cache-Control"] = "private, max-age=60, s-maxage=60"
            if request.headers.get("if-none-match") == headers["ETag"]:
                response.status, response.body = 304, None
                if bucket is not None and token is not None:
                    bucket.used -= 1  # asking again for what did not change is free
        if bucket is not None:
            for name, value in bucket.as_json().items():
                headers[f"X-RateLimit-{name.capitalize()}"] = str(value)
            headers["X-RateLimit-Resource"] = bucket.resource
        headers["X-GitHub-Request-Id"] = f"FAKE:{self.request_count:04X}"
        headers["X-GitHub-Media-Type"] = "github.v3; format=json"

    def _record(
        self, request: Request, login: str | None, status: int, problems: list[str]
    ) -> None:
        self.violations += [f"{request.method} {request.path}: {problem}" for problem in problems]
        self.requests.append(
            Exchange(method=request.method, path=request.target, login=login, status=status)
        )
        if problems and self._state_file is not None:
            self.changed()


def _check_json(request: Request) -> None:
    """Raise 400 when a body is there and is not JSON."""
    try:
        json.loads(request.body or b"{}")
    except ValueError:
        raise ApiError(400, "Problems parsing JSON", documentation_url=DOCS) from None
