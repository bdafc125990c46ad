"""Every request and every answer, held against GitHub's published OpenAPI description.

The description is the file of the npm package `@octokit/openapi`, cut down to the routes of
the fake (which makes loading it cheap) and made stricter: a request body may not have fields
that GitHub does not know, so that a misspelt one is caught.

Where the description is wrong about the real GitHub, it is corrected here, in `_correct`, each
time with the reason. Nothing else is let through.
"""

from __future__ import annotations

import copy
import functools
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from openapi_core import Config, OpenAPI
from openapi_core.datatypes import RequestParameters
from openapi_core.validation.schemas.exceptions import InvalidSchemaValue
from werkzeug.datastructures import Headers, ImmutableMultiDict

from tests.fake_github.web import Json, Request, Response

DESCRIPTION = (
    Path(__file__).parents[1] / "npm/node_modules/@octokit/openapi/generated/api.github.com.json"
)
CONFIG = Config(spec_validator_cls=None)  # type: ignore[arg-type] # as its documentation says
HOST = "https://api.github.com"
UNDOCUMENTED = {
    **dict.fromkeys(("400", "401", "403", "404", "406", "409", "410", "429"), "basic-error"),
    **dict.fromkeys(("500", "502", "503"), "basic-error"),
    "422": "validation-error",
}
"""Statuses that GitHub answers on any route, though most descriptions leave them out."""


class Contract:
    """Checks requests and answers of the given routes.

    `patterns` are paths as the description spells them, as `/repos/{owner}/{repo}`. Raises
    FileNotFoundError with what to type when the npm package is not installed, and KeyError
    for a pattern that GitHub does not have.
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        description = _prune(_load(), sorted(set(patterns)))
        _forbid_unknown_fields(description)
        _correct(description)
        self._paths = description["paths"]
        self._openapi = OpenAPI.from_dict(description, config=CONFIG)

    def documentation_url(self, method: str, pattern: str) -> str:
        """Where GitHub explains an operation; it says so in every error."""
        return str(self._paths[pattern][method.lower()]["externalDocs"]["url"])

    def request_problems(self, request: Request, pattern: str) -> list[str]:
        """What is wrong with a request, one sentence each; GitHub's wording where known."""
        problems = []
        for error in self._openapi.iter_request_errors(_Asked(request, pattern)):
            problems += _sentences(error)
        known = self._query_parameters(request.method, pattern)
        problems += [f"unknown query parameter {name!r}" for name in request.query.keys() - known]
        return problems

    def response_problems(self, request: Request, pattern: str, response: Response) -> list[str]:
        """What is wrong with an answer: always a mistake of the fake's own."""
        if response.status == 304:
            return []
        problems = []
        for error in self._openapi.iter_response_errors(
            _Asked(request, pattern), _Answered(response)
        ):
            problems += _sentences(error)
        return problems

    def _query_parameters(self, method: str, pattern: str) -> set[str]:
        operation = self._openapi.spec / "paths" / pattern / method.lower()
        if "parameters" not in operation:
            return set()
        return {
            (parameter / "name").read_str()
            for parameter in operation / "parameters"
            if (parameter / "in").read_str() == "query"
        }


class _Asked:
    """A request as openapi-core wants to see it."""

    host_url = HOST

    def __init__(self, request: Request, pattern: str) -> None:
        self.path = self.path_pattern = pattern
        self.method = request.method.lower()
        self.body = request.body or None
        self.content_type = "application/json"
        self.parameters = RequestParameters(
            path=request.params,
            query=ImmutableMultiDict(request.query),
            header=Headers(list(request.headers.items())),
        )


class _Answered:
    """A response as openapi-core wants to see it."""

    def __init__(self, response: Response) -> None:
        self.status_code = response.status
        self.headers = Headers(list(response.headers.items()))
        self.content_type = response.content_type
        self.data = response.data


def _sentences(error: Exception) -> list[str]:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, InvalidSchemaValue):
            return [_sentence(problem) for problem in cause.schema_errors]
        cause = cause.__cause__
    return [str(error)]


def _sentence(problem: Any) -> str:
    """A schema error in GitHub's words where they are known."""
    where = "/".join(["", *map(str, problem.absolute_path)])
    if problem.validator == "maxItems":
        limit, count = problem.validator_value, len(problem.instance)
        return f"No more than {limit} items are allowed; {count} were supplied."
    if problem.validator == "maxLength":
        limit, count = problem.validator_value, len(problem.instance)
        return f"Only {limit} characters are allowed; {count} were supplied."
    if problem.validator == "required":
        return f'"{str(problem.message).split(chr(39))[1]}" wasn\'t supplied.'
    if problem.validator == "type":
        value = json.dumps(problem.instance)[:100]
        kind = problem.validator_value
        article = "an" if kind[0] in "aio" else "a"
        return f"For 'properties{where}', {value} is not {article} {kind}."
    # The value comes first and may be long; what is wrong with it comes last.
    said = str(problem.message)
    return f"{where or '/'}: {said if len(said) < 400 else f'{said[:100]} ... {said[-300:]}'}"


@functools.cache
def _load() -> Json:
    try:
        return dict(json.loads(DESCRIPTION.read_bytes()))
    except FileNotFoundError:
        raise FileNotFoundError(
            f"{DESCRIPTION} is missing; type: npm ci --ignore-scripts --prefix tests/npm"
        ) from None


def _prune(description: Json, patterns: list[str]) -> Json:
    """The description with these paths alone, and what they refer to."""
    paths = {pattern: description["paths"][pattern] for pattern in patterns}
    components: dict[str, Json] = {"schemas": {}}
    wanted = [*_references(paths), "#/components/schemas/basic-error"]
    wanted += ["#/components/schemas/validation-error"]
    while wanted:
        _, _, kind, name = wanted.pop().split("/")
        if name not in components.setdefault(kind, {}):
            components[kind][name] = description["components"][kind][name]
            wanted += _references(components[kind][name])
    head = {key: description[key] for key in ("openapi", "info", "servers")}
    return copy.deepcopy({**head, "paths": paths, "components": components})


def _references(value: Any) -> list[str]:
    return [node["$ref"] for node in _nodes(value) if isinstance(node.get("$ref"), str)]


def _nodes(value: Any) -> Iterable[Json]:
    """Every object in a JSON value, outermost first."""
    if isinstance(value, dict):
        yield value
    for item in value.values() if isinstance(value, dict) else value:
        if isinstance(item, (dict, list)):
            yield from _nodes(item)


def _operations(description: Json) -> Iterable[Json]:
    for item in description["paths"].values():
        yield from (operation for operation in item.values() if "responses" in operation)


def _forbid_unknown_fields(description: Json) -> None:
    for operation in _operations(description):
        for node in _nodes(operation.get("requestBody", {})):
            if node.get("type") == "object" and isinstance(node.get("properties"), dict):
                node.setdefault("additionalProperties", False)


def _correct(description: Json) -> None:
    """Where the description and the real GitHub differ, GitHub is right."""
    schemas = description["components"]["schemas"]
    error = "#/components/schemas/{}"
    for operation in _operations(description):
        # Any route can answer these; the description names them for some.
        for status, schema in UNDOCUMENTED.items():
            content = {"application/json": {"schema": {"$ref": error.format(schema)}}}
            operation["responses"].setdefault(status, {"description": "", "content": content})
    for name in ("pull-request", "pull-request-simple"):
        if name in schemas:
            # The head's repository is null once the fork is deleted.
            head = schemas[name]["properties"]["head"]["properties"]
            head["repo"] = {"nullable": True, "oneOf": [head["repo"]]}
    labels = description["paths"].get("/repos/{owner}/{repo}/issues/{issue_number}/labels", {})
    if "post" in labels:
        # A bare list of names is documented in the text, and what PyGithub sends.
        body = labels["post"]["requestBody"]["content"]["application/json"]["schema"]
        body["oneOf"].append({"type": "array", "minItems": 1, "items": {"type": "string"}})
    # Some routes answer plain sentences in the list of errors (schema validation-error-simple).
    errors = schemas["validation-error"]["properties"]["errors"]
    errors["items"] = {"oneOf": [errors["items"], {"type": "string"}]}
    for node in _nodes(description):
        # `nullable` alone does not let null through an enumeration or a choice of schemas.
        if node.get("nullable") and isinstance(node.get("enum"), list):
            node["enum"] = [*node["enum"], None]
        if node.get("nullable") and isinstance(node.get("oneOf"), list):
            node["oneOf"] = [*node["oneOf"], {"type": "object", "nullable": True, "enum": [None]}]
        # A folder's contents are told apart by a field that a list cannot have.
        if "array" in node.get("discriminator", {}).get("mapping", {}):
            del node["discriminator"]
