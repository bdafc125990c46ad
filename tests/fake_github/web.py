"""Requests, responses and errors between the HTTP server and the routes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlencode

Json = dict[str, Any]
Item = TypeVar("Item")

MAX_PER_PAGE = 100


@dataclass(kw_only=True)
class Request:
    """A request as it came, plus what routing found out."""

    method: str
    path: str
    """Decoded, without the query."""
    query: dict[str, str]
    headers: Mapping[str, str]
    """Lower-case names."""
    body: bytes
    base_url: str
    """Scheme and host that the client used, without a slash at the end."""
    params: dict[str, str] = field(default_factory=dict)
    """The path's parameters, once routed."""
    target: str = ""
    """The path and the query as they came."""

    @property
    def json(self) -> Json:
        """The body's object; an empty one when there is no body."""
        return dict(json.loads(self.body)) if self.body else {}

    @property
    def token(self) -> str | None:
        """What the Authorization header carries, as `Bearer X` or `token X`."""
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return token.strip() if scheme.lower() in {"bearer", "token"} else None

    def number(self, name: str, default: int) -> int:
        """A query parameter as a whole number; the default when it is not one."""
        text = self.query.get(name, "")
        return int(text) if text.isdecimal() else default


@dataclass(kw_only=True)
class Response:
    status: int = 200
    body: Any = None
    """JSON value, bytes for anything else, None for no body."""
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def data(self) -> bytes:
        if self.body is None:
            return b""
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()

    @property
    def content_type(self) -> str:
        if isinstance(self.body, bytes):
            return self.headers.get("Content-Type", "application/octet-stream")
        return "application/json; charset=utf-8"


class ApiError(Exception):
    """An answer other than success, with GitHub's own wording."""

    def __init__(
        self,
        status: int,
        message: str,
        errors: Sequence[Json | str] | None = None,
        *,
        documentation_url: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f"{status} {message}")
        self.status = status
        self.message = message
        self.errors = errors
        self.documentation_url = documentation_url
        self.headers = dict(headers or {})

    def response(self, documentation_url: str) -> Response:
        body: Json = {"message": self.message}
        if self.errors is not None:
            body["errors"] = list(self.errors)
        body["documentation_url"] = self.documentation_url or documentation_url
        body["status"] = str(self.status)
        return Response(status=self.status, body=body, headers=self.headers)


def not_found() -> ApiError:
    return ApiError(404, "Not Found")


def invalid(resource: str, field_name: str, code: str, message: str | None = None) -> ApiError:
    """422 with one error; `code` as GitHub documents: missing_field, invalid, custom, ..."""
    error: Json = {"resource": resource, "code": code, "field": field_name}
    if message is not None:
        error["message"] = message
    return ApiError(422, "Validation Failed", [error])


def split_target(target: str) -> tuple[str, dict[str, str]]:
    """A request line's target to its still encoded path and its query."""
    path, _, query = target.partition("?")
    return path, dict(parse_qsl(query, keep_blank_values=True))


def page(
    request: Request, items: Sequence[Item], path: str | None = None
) -> tuple[list[Item], dict[str, str]]:
    """The asked page of a list, and the headers (`Link`) that lead to its neighbours.

    `path` is the address for the links when GitHub would not use the one asked for.
    """
    size = max(1, min(request.number("per_page", 30), MAX_PER_PAGE))
    last = max(1, -(-len(items) // size))
    current = max(1, request.number("page", 1))
    links = []

    def link(number: int, rel: str) -> None:
        query = urlencode({**request.query, "page": str(number)})
        links.append(f'<{request.base_url}{path or request.path}?{query}>; rel="{rel}"')

    if 1 < current <= last:
        link(current - 1, "prev")
    if current < last:
        link(current + 1, "next")
        link(last, "last")
    if current > 1:
        link(1, "first")
    headers = {"Link": ", ".join(links)} if links else {}
    return list(items[(current - 1) * size : current * size]), headers
