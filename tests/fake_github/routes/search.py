"""Search for issues and pull requests, in an index that lags."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field

from tests.fake_github import access
from tests.fake_github.index import Entry
from tests.fake_github.routing import Call, route
from tests.fake_github.web import ApiError, Json, Response, page

MAX_QUERY = 256
MAX_RESULTS = 1000
KINDS = {"issue": "issue", "pr": "pr", "pull-request": "pr"}
STATES = {"open", "closed"}
QUALIFIERS = {"repo", "is", "type", "state", "label", "author", "in", "head", "no"}


@dataclass
class Query:
    """A search, taken apart."""

    qualifiers: dict[str, list[str]] = field(default_factory=dict)
    phrases: list[str] = field(default_factory=list)

    def get(self, name: str) -> list[str]:
        return self.qualifiers.get(name, [])

    @property
    def kind(self) -> str | None:
        asked = [KINDS[value] for value in self.get("is") + self.get("type") if value in KINDS]
        return asked[0] if asked else None

    @property
    def state(self) -> str | None:
        asked = [value for value in self.get("is") + self.get("state") if value in STATES]
        return asked[0] if asked else None


def parse(text: str) -> Query:
    """Qualifiers as `name:value` or `name:"value"`; the rest are words and "phrases"."""
    query = Query()
    try:
        parts = shlex.split(text)
    except ValueError as error:  # an open quote
        raise _unprocessable(f"The search cannot be read: {error}") from None
    for part in parts:
        name, colon, value = part.partition(":")
        if name == "is" and value not in {*KINDS, *STATES}:
            raise NotImplementedError(f"the fake GitHub's search does not know is:{value}")
        if colon and name in QUALIFIERS:
            query.qualifiers.setdefault(name, []).append(value)
        elif colon and re.fullmatch(r"-?[a-z-]+", name):
            raise NotImplementedError(f"the fake GitHub's search does not know {name}:")
        else:
            query.phrases.append(part)
    return query


@route("GET", "/search/issues")
def search_issues(call: Call) -> Response:
    text = call.request.query.get("q", "")
    if not text.strip():
        raise ApiError(
            422, "Validation Failed", [{"resource": "Search", "field": "q", "code": "missing"}]
        )
    if len(text) > MAX_QUERY:
        raise _unprocessable(f"The search is longer than {MAX_QUERY} characters.")
    query = parse(text)
    if query.kind is None:
        raise _unprocessable("Query must include 'is:issue' or 'is:pull-request'")
    for name in query.get("repo"):
        repo = call.world.repos.get(name)
        if repo is None or not access.repository_visible(call.token, repo):
            raise _unprocessable(
                "The listed users and repositories cannot be searched either because the "
                "resources do not exist or you do not have permission to view them."
            )
    entries = call.world.search_index.visible(call.world.request_count, call.world.clock.now())
    found = [entry for entry in entries if _matches(call, query, entry)]
    moment = "updated_at" if call.request.query.get("sort") == "updated" else "created_at"
    found.sort(
        key=lambda entry: (getattr(entry.issue, moment), entry.issue.number),
        reverse=call.request.query.get("order", "desc") == "desc",
    )
    shown, headers = page(call.request, found[:MAX_RESULTS])
    items = []
    for entry in shown:
        item = call.view.issue(call.world.repos[entry.repo], entry.issue)
        # The search never shows an empty body as null.
        items.append({**item, "body": item["body"] or "", "score": 1.0})
    body: Json = {"total_count": len(found), "incomplete_results": False}
    body |= {"items": items, "search_type": "lexical"}
    return Response(body=body, headers=headers)


def _unprocessable(message: str) -> ApiError:
    error = {"message": message, "resource": "Search", "field": "q", "code": "invalid"}
    return ApiError(422, "Validation Failed", [error])


def _matches(call: Call, query: Query, entry: Entry) -> bool:
    issue, repo = entry.issue, call.world.repos.get(entry.repo)
    if repo is None or not access.repository_visible(call.token, repo):
        return False
    labels = {name.lower() for name in issue.labels}
    wanted = {name.lower() for name in query.get("label")}
    return (
        (query.kind == "pr") == (issue.pull is not None)
        and query.state in {None, issue.state}
        and (not query.get("repo") or entry.repo in query.get("repo"))
        and (not query.get("author") or _author(issue.user) in map(_author, query.get("author")))
        and wanted <= labels
        and (not query.get("head") or (issue.pull and issue.pull.head_ref) in query.get("head"))
        and (not query.get("no") or "label" not in query.get("no") or not labels)
        and all(
            _has_sha(entry, phrase) or _says(entry, phrase, query.get("in"))
            for phrase in query.phrases
        )
    )


def _author(login: str) -> str:
    """Bots are searched for as `app/name`."""
    return login.removeprefix("app/").removesuffix("[bot]").lower()


def _has_sha(entry: Entry, sha: str) -> bool:
    """A bare SHA, or 7 digits of one or more, finds the pull requests with it as head."""
    pull = entry.issue.pull
    return pull is not None and len(sha) >= 7 and pull.head_sha.startswith(sha.lower())


def _says(entry: Entry, phrase: str, places: list[str]) -> bool:
    """Whether a phrase is there, word by word; punctuation does not count, case neither."""
    texts = {"title": [entry.issue.title], "body": [entry.issue.body or ""]}
    texts["comments"] = list(entry.comments)
    wanted = _words(phrase)
    asked = [place for value in places for place in value.split(",")] or list(texts)
    return any(
        f" {wanted} " in f" {_words(text)} " for place in asked for text in texts.get(place, [])
    )


def _words(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))
