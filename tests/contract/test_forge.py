"""
Every verb of the forge against the strict fake GitHub: as GitHub describes it, and when it fails.

The fixture `github` fails a test whose requests are not what GitHub's OpenAPI
description says.
"""

from __future__ import annotations

import hashlib
import json
import socket
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from telltale.errors import ForgeDeniedError, ForgeError, UsageError
from telltale.forge import Artifact, Forge, GitHubForge, faults
from telltale.forge.faults import FaultSort
from tests.fake_github import PERSONAL_TOKEN, READ_TOKEN, WRITE_TOKEN, FakeGitHub
from tests.forges import HURRIED, connect

BOT = "github-actions[bot]"
MARKER = "<!-- telltale:test -->"
BODY = f"{MARKER}\nThe report."
LABEL = "telltale:flaky"


@dataclass(frozen=True, kw_only=True)
class World:
    """A pull request, a run with an artifact, an issue and a comment of ours."""

    github: FakeGitHub
    pull: int
    head_sha: str
    base_sha: str
    run: int
    artifact: int
    zip_path: Path
    comment: int
    issue: int


@pytest.fixture
def world(github: FakeGitHub, tmp_path: Path) -> World:
    pull = github.open_pull(5, "feature", fork="stranger/demo")
    run = github.add_run(70, pull=5, attempt=3, conclusion="failure")
    zip_path = tmp_path / "stored.zip"
    with zipfile.ZipFile(zip_path, "w") as archive:
        archive.writestr("tests/evidence.json", "{}" + " " * 5000)
    artifact = github.add_artifact(run, "telltale-evidence-test", zip_path)
    github.add_label(LABEL)
    comment = github.add_comment(5, BODY, user=BOT)
    issue = github.open_issue(8, title="Flaky", body=BODY, user=BOT, labels=[LABEL])
    assert pull.pull is not None
    return World(
        github=github,
        pull=5,
        head_sha=pull.pull.head_sha,
        base_sha=pull.pull.base_sha,
        run=70,
        artifact=artifact.id,
        zip_path=zip_path,
        comment=comment.id,
        issue=issue.number,
    )


def listed(forge: Forge, world: World) -> Artifact:
    (artifact,) = forge.artifacts(world.run)
    return artifact


# What each verb answers when nothing goes wrong.


def test_pull_request(world: World) -> None:
    pull = connect(world.github).pull_request(5)
    assert (pull.number, pull.state, pull.locked, pull.author) == (5, "open", False, "stranger")
    assert (pull.head_repository, pull.head_branch) == ("stranger/demo", "feature")
    assert (pull.head_sha, pull.base_sha) == (world.head_sha, world.base_sha)
    assert (pull.base_repository, pull.base_branch) == ("octo/demo", "main")
    assert pull.fork


def test_pull_request_whose_fork_is_gone(world: World) -> None:
    world.github.delete_fork("stranger/demo")
    pull = connect(world.github).pull_request(5)
    assert pull.head_repository == ""
    assert pull.fork


def test_pull_request_of_the_repository_itself_is_no_fork(github: FakeGitHub) -> None:
    github.open_pull(1, "feature")
    assert not connect(github).pull_request(1).fork


def test_pulls_of_a_head(world: World) -> None:
    world.github.open_pull(6, "feature", fork="other/demo")
    forge = connect(world.github)
    of = forge.pulls_of(head_owner="stranger", head_branch="feature", head_sha=world.head_sha)
    assert [pull.number for pull in of] == [5]


def test_pulls_of_a_head_that_was_merged_before_the_report(world: World) -> None:
    world.github.merge_pull(5)
    forge = connect(world.github)
    of = forge.pulls_of(head_owner="stranger", head_branch="feature", head_sha=world.head_sha)
    assert [(pull.number, pull.state) for pull in of] == [(5, "closed")]


def test_pulls_of_puts_open_ones_first(world: World) -> None:
    world.github.close_issue(5)
    world.github.open_pull(6, "feature", fork="stranger/demo")
    forge = connect(world.github)
    of = forge.pulls_of(head_owner="stranger", head_branch="feature", head_sha=world.head_sha)
    assert [pull.number for pull in of] == [6, 5]


def test_pulls_of_a_head_that_was_pushed_over(world: World) -> None:
    world.github.push(branch="feature", files={"x": "y"}, repo="stranger/demo")
    forge = connect(world.github)
    of = forge.pulls_of(head_owner="stranger", head_branch="feature", head_sha=world.head_sha)
    assert [pull.number for pull in of] == [5]
    assert of[0].head_sha != world.head_sha


def test_pulls_of_a_branch_that_was_renamed_by_closing(github: FakeGitHub) -> None:
    # Closed with another head: not the one that this commit belongs to.
    github.open_pull(1, "feature", fork="stranger/demo")
    github.close_issue(1)
    of = connect(github).pulls_of(head_owner="stranger", head_branch="feature", head_sha="f" * 40)
    assert of == ()


def test_merge_base(world: World) -> None:
    world.github.push(files={"later": "x"})
    forge = connect(world.github)
    assert forge.merge_base("main", world.head_sha) == world.base_sha
    assert forge.merge_base("main", "stranger:feature") == world.base_sha


def test_merge_base_of_a_branch_with_a_slash(github: FakeGitHub) -> None:
    base = github.repo.refs["refs/heads/main"]
    github.push(branch="feature/x", files={"x": "y"})
    assert connect(github).merge_base("main", "feature/x") == base


def test_own_login(world: World) -> None:
    forge = connect(world.github)
    assert (forge.own_login(), forge.own_login()) == (BOT, BOT)
    assert len(world.github.requests) == 1, "asked once"
    assert connect(world.github, PERSONAL_TOKEN).own_login() == "octocat"


def test_own_login_of_another_app_is_told_us(world: World) -> None:
    assert connect(world.github, login="telltale-app[bot]").own_login() == "telltale-app[bot]"
    assert world.github.requests == []


def test_comments_of_all_pages(world: World) -> None:
    for number in range(249):
        world.github.add_comment(5, f"comment {number}")
    found = connect(world.github).comments(5)
    assert [comment.body for comment in found[:2]] == [BODY, "comment 0"]
    assert len(found) == 250
    assert [comment.id for comment in found] == sorted(comment.id for comment in found)
    assert [exchange.path for exchange in world.github.requests] == [
        "/repos/octo/demo/issues/5/comments?per_page=100",
        "/repos/octo/demo/issues/5/comments?page=2&per_page=100",
        "/repos/octo/demo/issues/5/comments?page=3&per_page=100",
    ]


def test_exactly_one_full_page_is_one_request(world: World) -> None:
    for number in range(99):
        world.github.add_comment(5, f"comment {number}")
    assert len(connect(world.github).comments(5)) == 100
    assert len(world.github.requests) == 1


def test_comment_is_made_edited_and_deleted(world: World) -> None:
    forge = connect(world.github)
    made = forge.create_comment(5, "new", marker="new")
    assert (made.author, made.body) == (BOT, "new")
    edited = forge.edit_comment(made.id, "newer")
    assert edited is not None
    assert world.github.repo.comments[made.id].body == "newer"
    forge.delete_comment(made.id)
    assert made.id not in world.github.repo.comments


def test_comment_that_is_gone(world: World) -> None:
    forge = connect(world.github)
    assert forge.edit_comment(999_999, "x") is None
    forge.delete_comment(999_999)


def test_marker_of_somebody_else_is_not_taken_for_a_lost_answer(world: World) -> None:
    github = world.github
    github.add_comment(5, "forged <!-- once -->", user="mallory")
    github.open_issue(9, body="forged <!-- once -->", user="mallory", labels=[LABEL])
    github.fail("POST", "/issues/5/comments$", reset="before")
    github.fail("POST", "/issues$", reset="before")
    forge = connect(github)
    marker = "<!-- once -->"
    assert forge.create_comment(5, marker, marker=marker).author == BOT
    made = forge.create_issue(title="t", body=marker, labels=(LABEL,), marker=marker)
    assert made.author == BOT


def test_issues_with_label(world: World) -> None:
    github = world.github
    for number in range(20, 130):
        github.open_issue(number, user=BOT, labels=[LABEL])
    github.close_issue(21)
    github.open_issue(200, labels=["other"])
    github.open_pull(201, "more")
    github.repo.issues[201].labels.append(LABEL)
    forge = connect(github)
    numbers = [issue.number for issue in forge.issues_with_label(LABEL)]
    assert numbers == [8, *range(20, 130)]
    opened = forge.issues_with_label(LABEL, state="open")
    assert 21 not in [issue.number for issue in opened]
    first = opened[0]
    assert (first.title, first.body, first.labels, first.author) == ("Flaky", BODY, (LABEL,), BOT)


def test_issue_without_a_body(world: World) -> None:
    world.github.open_issue(9, body=None, labels=[LABEL])
    assert connect(world.github).issues_with_label(LABEL)[1].body == ""


def test_issue_is_made_and_edited(world: World) -> None:
    forge = connect(world.github)
    made = forge.create_issue(title="Title", body="Body", labels=(LABEL,), marker="Body")
    assert (made.state, made.labels, made.author) == ("open", (LABEL,), BOT)
    edited = forge.edit_issue(made.number, body="Body 2")
    assert (edited.title, edited.body, edited.state) == ("Title", "Body 2", "open")
    closed = forge.edit_issue(made.number, state="closed", reason="duplicate")
    assert closed.state == "closed"
    stored = world.github.repo.issues[made.number]
    assert (stored.state_reason, stored.body) == ("duplicate", "Body 2")


def test_ensure_label(world: World) -> None:
    forge = connect(world.github)
    forge.ensure_label("kind: oom?", color="aabbcc", description="Out of memory")
    forge.ensure_label("kind: oom?", color="000000", description="Something else")
    stored = world.github.repo.labels["kind: oom?"]
    assert (stored.color, stored.description) == ("aabbcc", "Out of memory")


def test_label_that_somebody_else_makes_at_the_same_moment(world: World) -> None:
    github = world.github
    github.add_label("flaky", color="123456")
    # As when the label came to be between our look and our making it.
    github.fail("GET", "/labels/flaky$", status=404, message="Not Found")
    connect(github).ensure_label("flaky", color="aabbcc", description="")
    assert github.repo.labels["flaky"].color == "123456"


def test_workflow_run(world: World) -> None:
    run = connect(world.github).workflow_run(70)
    assert (run.id, run.attempt, run.event) == (70, 3, "pull_request")
    assert (run.status, run.conclusion) == ("completed", "failure")
    assert (run.head_sha, run.head_branch) == (world.head_sha, "feature")
    assert run.head_repository == "stranger/demo"
    assert run.jobs_url.endswith("/repos/octo/demo/actions/runs/70/jobs")
    assert run.url == "https://github.com/octo/demo/actions/runs/70"


def test_workflow_run_in_progress_has_no_conclusion(github: FakeGitHub) -> None:
    run = github.add_run(status="in_progress")
    assert connect(github).workflow_run(run.id).conclusion == ""


def test_artifacts_of_all_pages(world: World) -> None:
    for number in range(120):
        world.github.add_artifact(70, f"extra-{number}", world.zip_path)
    found = connect(world.github).artifacts(70)
    assert len(found) == 121
    assert found[0] == Artifact(
        id=world.artifact,
        name="telltale-evidence-test",
        size_bytes=world.zip_path.stat().st_size,
        expired=False,
        digest="sha256:" + hashlib.sha256(world.zip_path.read_bytes()).hexdigest(),
        head_sha=world.head_sha,
    )


def test_download(world: World, tmp_path: Path) -> None:
    forge = connect(world.github)
    to = tmp_path / "got" / "bundle.zip"
    to.parent.mkdir()
    assert forge.download_artifact(listed(forge, world), to, limit_bytes=10**6) == to
    assert to.read_bytes() == world.zip_path.read_bytes()
    assert list(to.parent.iterdir()) == [to]


def test_download_gives_nobody_our_keys(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The fake's storage notes a violation when any Authorization header comes.
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login a password b\n", encoding="utf-8")
    monkeypatch.setenv("HOME", str(tmp_path))
    forge = connect(world.github)
    forge.download_artifact(listed(forge, world), tmp_path / "x.zip", limit_bytes=10**6)


@pytest.mark.parametrize("limit", [0, 100, 5_000])
def test_download_is_bounded(world: World, tmp_path: Path, limit: int) -> None:
    forge = connect(world.github)
    to = tmp_path / "x.zip"
    # Whatever GitHub says about the size.
    artifact = replace(listed(forge, world), size_bytes=1)
    with pytest.raises(ForgeError, match=f"larger than {limit} bytes"):
        forge.download_artifact(artifact, to, limit_bytes=limit)
    assert not list(tmp_path.glob("x.zip*"))
    tries = [one for one in world.github.requests if one.path.endswith("/zip")]
    assert len(tries) == 1, "it does not get smaller"


def test_download_from_github_itself_never_leaves_tls(world: World, tmp_path: Path) -> None:
    forge = connect(world.github)
    artifact = listed(forge, world)
    forge._wire.plain_http = False  # as for https://api.github.com
    with pytest.raises(ForgeError, match="no safe address"):
        forge.download_artifact(artifact, tmp_path / "x.zip", limit_bytes=10**6)


def test_download_of_what_its_digest_does_not_say(world: World, tmp_path: Path) -> None:
    forge = connect(world.github)
    artifact = listed(forge, world)
    world.zip_path.write_bytes(b"PK something else")
    with pytest.raises(ForgeError, match="not what its digest says"):
        forge.download_artifact(artifact, tmp_path / "x.zip", limit_bytes=10**6)
    assert not list(tmp_path.glob("x.zip*"))


def test_download_of_what_has_expired(world: World, tmp_path: Path) -> None:
    forge = connect(world.github)
    before = listed(forge, world)
    world.github.expire_artifact(world.artifact)
    with pytest.raises(ForgeError, match="has expired; run the tests again"):
        forge.download_artifact(listed(forge, world), tmp_path / "x.zip", limit_bytes=10**6)
    with pytest.raises(ForgeError, match="410"):
        forge.download_artifact(before, tmp_path / "x.zip", limit_bytes=10**6)


STORAGE_FAULTS: tuple[dict[str, Any], ...] = (
    {"status": 500},
    {"status": 403},
    {"reset": "before"},
    {"truncate": 100},
)


@pytest.mark.parametrize("fault", STORAGE_FAULTS, ids=str)
def test_download_when_the_storage_fails(
    world: World, tmp_path: Path, fault: dict[str, Any]
) -> None:
    waits: list[float] = []
    forge = connect(world.github, sleep=waits.append)
    hit = world.github.fail("GET", r"\.zip$", times=2, **fault)
    old = replace(listed(forge, world), digest="")  # no digest comes to our help
    to = forge.download_artifact(old, tmp_path / "x.zip", limit_bytes=10**6)
    assert to.read_bytes() == world.zip_path.read_bytes()
    assert (hit.hits, waits) == (2, [7, 14])


@pytest.mark.parametrize("fault", STORAGE_FAULTS, ids=str)
def test_download_when_the_storage_keeps_failing(
    world: World, tmp_path: Path, fault: dict[str, Any]
) -> None:
    forge = connect(world.github)
    hit = world.github.fail("GET", r"\.zip$", times=99, **fault)
    with pytest.raises(ForgeError, match="telltale-evidence-test"):
        forge.download_artifact(listed(forge, world), tmp_path / "x.zip", limit_bytes=10**6)
    assert hit.hits == HURRIED.attempts
    assert not list(tmp_path.glob("x.zip*"))


# What each verb does when a request goes wrong: the same, later.


@dataclass(frozen=True, kw_only=True)
class Verb:
    """A call of a verb and the request that may go wrong."""

    name: str
    call: Callable[[Forge, World, Path], Any]
    method: str
    route: str
    makes: bool = False
    """It makes something, which must be there once."""
    needs: str

    def __str__(self) -> str:
        return self.name


def _download(forge: Forge, world: World, folder: Path) -> bytes:
    artifact = listed(forge, world)
    return forge.download_artifact(artifact, folder / "x.zip", limit_bytes=10**6).read_bytes()


def _delete(forge: Forge, world: World, _: Path) -> bool:
    forge.delete_comment(world.comment)
    return world.comment in world.github.repo.comments


def _label(forge: Forge, world: World, _: Path) -> list[str]:
    forge.ensure_label("flaky", color="aabbcc", description="Comes and goes")
    return [label.color for label in world.github.repo.labels.values() if label.name == "flaky"]


def _pulls_of(forge: Forge, world: World, _: Path) -> Any:
    return forge.pulls_of(head_owner="stranger", head_branch="feature", head_sha=world.head_sha)


def _comment(forge: Forge, world: World, _: Path) -> Any:
    made = forge.create_comment(5, "made <!-- once -->", marker="<!-- once -->")
    stored = [c for c in world.github.repo.comments_on(5) if "<!-- once -->" in c.body]
    assert [(comment.id, comment.body) for comment in stored] == [(made.id, made.body)]
    return made


def _issue(forge: Forge, world: World, _: Path) -> Any:
    marker = "<!-- once -->"
    made = forge.create_issue(title="t", body=marker, labels=(LABEL,), marker=marker)
    stored = [issue for issue in world.github.repo.issues.values() if issue.body == marker]
    assert [issue.number for issue in stored] == [made.number]
    return made


READS = (
    Verb(
        name="pull_request",
        call=lambda forge, _, __: forge.pull_request(5),
        method="GET",
        route="/pulls/5$",
        needs="pull-requests: read",
    ),
    Verb(
        name="pulls_of", call=_pulls_of, method="GET", route="/pulls$", needs="pull-requests: read"
    ),
    Verb(
        name="merge_base",
        call=lambda forge, world, _: forge.merge_base("main", world.head_sha),
        method="GET",
        route="/compare/",
        needs="contents: read",
    ),
    Verb(
        name="comments",
        call=lambda forge, _, __: forge.comments(5),
        method="GET",
        route="/issues/5/comments$",
        needs="pull-requests: read",
    ),
    Verb(
        name="issues_with_label",
        call=lambda forge, _, __: forge.issues_with_label(LABEL),
        method="GET",
        route="/issues$",
        needs="issues: read",
    ),
    Verb(
        name="workflow_run",
        call=lambda forge, _, __: forge.workflow_run(70),
        method="GET",
        route="/actions/runs/70$",
        needs="actions: read",
    ),
    Verb(
        name="artifacts",
        call=lambda forge, _, __: forge.artifacts(70),
        method="GET",
        route="/artifacts$",
        needs="actions: read",
    ),
    Verb(
        name="download_artifact",
        call=_download,
        method="GET",
        route=r"/artifacts/\d+/zip$",
        needs="actions: read",
    ),
)
WRITES = (
    Verb(
        name="create_comment",
        call=_comment,
        method="POST",
        route="/issues/5/comments$",
        makes=True,
        needs="pull-requests: write",
    ),
    Verb(
        name="edit_comment",
        call=lambda forge, world, _: forge.edit_comment(world.comment, "edited"),
        method="PATCH",
        route="/issues/comments/",
        needs="pull-requests: write",
    ),
    Verb(
        name="delete_comment",
        call=_delete,
        method="DELETE",
        route="/issues/comments/",
        needs="pull-requests: write",
    ),
    Verb(
        name="create_issue",
        call=_issue,
        method="POST",
        route="/issues$",
        makes=True,
        needs="issues: write",
    ),
    Verb(
        name="edit_issue",
        call=lambda forge, _, __: forge.edit_issue(8, body="edited", state="closed"),
        method="PATCH",
        route="/issues/8$",
        needs="issues: write",
    ),
    Verb(name="ensure_label", call=_label, method="POST", route="/labels$", needs="issues: write"),
)
LIMIT = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
FAULTS: tuple[dict[str, Any], ...] = (
    {"status": 500},
    {"status": 503},
    {"reset": "before"},
    {"reset": "after"},
    {"truncate": 0},
    {"truncate": 40},
    {"malformed": True},
    {"status": 429, "message": LIMIT, "headers": {"Retry-After": "0"}},
    {"status": 429, "message": LIMIT, "headers": {"Retry-After": "1"}},
    {"status": 403, "message": LIMIT, "headers": {"Retry-After": "1"}},
    {"status": 403, "message": LIMIT},
)


def _name(fault: dict[str, Any]) -> str:
    headers = fault.get("headers", {})
    shown = {**fault, **headers}
    return ",".join(f"{k}={v}" for k, v in shown.items() if k not in {"message", "headers"})


def _touches(verb: Verb, fault: dict[str, Any]) -> bool:
    """Whether the fault can hit: there is nothing to damage in an answer without a body."""
    bare = verb.method == "DELETE" or verb.name == "download_artifact"
    return not (bare and fault.keys() & {"truncate", "malformed"})


PAIRS = [
    pytest.param(verb, fault, id=f"{verb.name}-{_name(fault)}")
    for verb in (*READS, *WRITES)
    for fault in FAULTS
    if _touches(verb, fault)
]


@pytest.mark.parametrize(("verb", "fault"), PAIRS)
def test_one_fault_changes_nothing_but_the_time(
    world: World, tmp_path: Path, verb: Verb, fault: dict[str, Any]
) -> None:
    hit = world.github.fail(verb.method, verb.route, **fault)
    waits: list[float] = []
    forge = connect(world.github, sleep=waits.append)
    answer = verb.call(forge, world, tmp_path)
    assert hit.hits == 1
    if not verb.makes:  # what makes something has looked itself that it is there once
        assert answer == verb.call(forge, world, tmp_path)
    limited = "message" in fault
    after = fault["headers"]["Retry-After"] if "headers" in fault else "60"
    assert waits == [float(after) if limited else HURRIED.backoff_s]


@pytest.mark.parametrize("fault", [{"status": 500}, {"reset": "before"}], ids=_name)
@pytest.mark.parametrize("verb", [*READS, *WRITES], ids=str)
def test_a_lasting_fault_is_an_error_without_effect(
    world: World, tmp_path: Path, verb: Verb, fault: dict[str, Any]
) -> None:
    before = (dict(world.github.repo.comments), dict(world.github.repo.issues))
    hit = world.github.fail(verb.method, verb.route, times=99, **fault)
    waits: list[float] = []
    with pytest.raises(ForgeError, match="run the job again later") as error:
        verb.call(connect(world.github, sleep=waits.append), world, tmp_path)
    assert not isinstance(error.value, ForgeDeniedError)
    assert WRITE_TOKEN not in str(error.value)
    assert hit.hits == HURRIED.attempts
    assert waits[:3] == [7, 14, 28]
    assert (world.github.repo.comments, world.github.repo.issues) == before


@pytest.mark.parametrize("verb", [*READS, *WRITES], ids=str)
def test_a_limit_that_does_not_end_is_an_error(world: World, tmp_path: Path, verb: Verb) -> None:
    hit = world.github.secondary_limit(verb.method, verb.route, retry_after=3, times=99)
    waits: list[float] = []
    with pytest.raises(ForgeError, match="limited for 3 s more"):
        verb.call(connect(world.github, sleep=waits.append), world, tmp_path)
    assert (hit.hits, waits) == (HURRIED.attempts, [3, 3, 3])


def test_a_limit_longer_than_our_patience_is_not_waited_for(world: World) -> None:
    world.github.secondary_limit("GET", "/pulls/5$", retry_after=3600)
    waits: list[float] = []
    with pytest.raises(ForgeError, match="limited for 3600 s more"):
        connect(world.github, sleep=waits.append).pull_request(5)
    assert waits == []


def test_the_hourly_limit_is_waited_for_when_it_ends_soon(world: World) -> None:
    world.github.exhaust()
    waits: list[float] = []
    patient = replace(HURRIED, longest_wait_s=4000, attempts=2)
    with pytest.raises(ForgeError, match="API rate limit exceeded"):
        connect(world.github, sleep=waits.append, patience=patient).pull_request(5)
    (wait,) = waits
    assert 0 < wait <= 3601
    with pytest.raises(ForgeError, match="run the job again later"):
        connect(world.github, sleep=waits.append).pull_request(5)
    assert len(waits) == 1


@pytest.mark.parametrize(
    ("status", "headers", "message", "sort", "wait_s"),
    [
        (429, {}, "Too Many Requests", FaultSort.BUSY, 60),
        (429, {"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}, "", FaultSort.BUSY, 60),
        (403, {"retry-after": "5"}, "abuse detection", FaultSort.BUSY, 5),
        (
            403,
            {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1030"},
            "no",
            FaultSort.DENIED,
            0,
        ),
        (
            403,
            {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1030"},
            "API rate limit exceeded for installation ID 1.",
            FaultSort.BUSY,
            31,
        ),
        (
            429,
            {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "10"},
            "API rate limit exceeded",
            FaultSort.BUSY,
            1,
        ),
        (451, {}, "Repository access blocked", FaultSort.REFUSED, 0),
        (500, {"retry-after": "5"}, "", FaultSort.BROKEN, 0),
    ],
)
def test_what_may_be_done_about_a_status(
    status: int, headers: dict[str, str], message: str, sort: FaultSort, wait_s: float
) -> None:
    fault = faults.from_status(status, headers, message, now=1000)
    assert (fault.sort, fault.wait_s) == (sort, wait_s)


def test_an_answer_cut_at_a_length_that_it_announced_itself() -> None:
    # As a proxy does it; the fake promises the whole length.
    with pytest.raises(ValueError, match="Unterminated") as cut:
        json.loads('{"number": 5, "head')
    assert faults.classify(cut.value, now=0).sort is FaultSort.BROKEN


def test_messages_are_one_bounded_printable_line(world: World) -> None:
    world.github.fail("GET", "/pulls/5$", status=422, message="a\n::error::b\x1b[2J\u202e" * 99)
    with pytest.raises(ForgeError) as error:
        connect(world.github).pull_request(5)
    assert str(error.value).isprintable()
    assert len(str(error.value)) < 400


def test_a_github_that_hangs_is_given_up_on(world: World) -> None:
    world.github.fail("GET", "/pulls/5$", delay=60, times=2)
    hasty = replace(HURRIED, timeout_s=1, attempts=1)
    begun = time.monotonic()
    with pytest.raises(ForgeError, match="no answer in time"):
        connect(world.github, patience=hasty).pull_request(5)
    assert time.monotonic() - begun < 10


def test_a_github_that_is_not_there() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        waits: list[float] = []
        forge = GitHubForge(
            "secret-token",
            "octo/demo",
            f"http://127.0.0.1:{taken.getsockname()[1]}",
            patience=HURRIED,
            sleep=waits.append,
        )
        with pytest.raises(ForgeError, match="cannot connect") as error:
            forge.create_comment(5, "x", marker="x")
    assert waits == [7, 14, 28], "what never arrived is sent again"
    assert "secret-token" not in str(error.value)


# What each verb says when the token may not.


@pytest.mark.parametrize("verb", WRITES, ids=str)
def test_a_read_only_token_is_told_what_it_lacks(world: World, tmp_path: Path, verb: Verb) -> None:
    before = (dict(world.github.repo.comments), dict(world.github.repo.issues))
    with pytest.raises(ForgeDeniedError) as error:
        verb.call(connect(world.github, READ_TOKEN), world, tmp_path)
    message = str(error.value)
    assert f"permissions:\n  {verb.needs}\n" in message
    assert "Resource not accessible by integration" in message
    assert "workflow_run" in message
    assert READ_TOKEN not in message
    assert (world.github.repo.comments, world.github.repo.issues) == before


@pytest.mark.parametrize("verb", READS, ids=str)
def test_a_token_that_may_not_read(world: World, tmp_path: Path, verb: Verb) -> None:
    world.github.repo.private = True
    world.github.add_token("blind", permissions={})
    with pytest.raises(ForgeDeniedError) as error:
        verb.call(connect(world.github, "blind"), world, tmp_path)
    assert f"permissions:\n  {verb.needs}\n" in str(error.value)


def test_a_token_for_another_repository(world: World) -> None:
    world.github.repo.private = True
    world.github.add_token("other", permissions={"issues": "write"}, repositories=("x/y",))
    with pytest.raises(ForgeDeniedError, match="it is not there, or the token lacks"):
        connect(world.github, "other").pull_request(5)


def test_what_is_not_there(world: World) -> None:
    with pytest.raises(ForgeDeniedError, match=r"#999 .404 Not Found.: it is not there"):
        connect(world.github).pull_request(999)


def test_a_token_that_is_none(world: World) -> None:
    forge = connect(world.github, "ghs_forged")
    with pytest.raises(ForgeDeniedError, match="wrong or has expired") as error:
        forge.own_login()
    assert "ghs_forged" not in str(error.value)
    with pytest.raises(ForgeDeniedError, match="401 Bad credentials"):
        forge.comments(5)


def test_a_locked_conversation(world: World) -> None:
    world.github.lock_issue(5)
    with pytest.raises(ForgeDeniedError, match="unlock it") as error:
        connect(world.github).create_comment(5, BODY, marker=MARKER)
    assert "permissions:" not in str(error.value)


def test_a_repository_without_issues(world: World) -> None:
    world.github.repo.has_issues = False
    with pytest.raises(ForgeError, match="410 Issues are disabled"):
        connect(world.github).issues_with_label(LABEL)


def test_what_github_finds_wrong_is_said(world: World) -> None:
    forge = connect(world.github)
    with pytest.raises(ForgeError, match="Body is too long"):
        forge.create_comment(5, "x" * 65_537, marker="x")
    with pytest.raises(ForgeError, match="color invalid"):
        forge.ensure_label("x", color="red", description="")


def test_an_address_that_is_not_githubs(world: World) -> None:
    forge = GitHubForge(WRITE_TOKEN, "octo/demo", f"{world.github.url}/_fake/", patience=HURRIED)
    with pytest.raises(ForgeError):
        forge.pull_request(5)


def test_an_answer_with_something_missing(world: World) -> None:
    world.github.fail("GET", "/pulls/5$", status=200)
    with pytest.raises(ForgeError, match=r"not understood .KeyError: 'head'.; is GITHUB_API_URL"):
        connect(world.github).pull_request(5)


@pytest.mark.parametrize(
    ("token", "repository", "url"),
    [
        ("", "octo/demo", "https://api.github.com"),
        ("two words", "octo/demo", "https://api.github.com"),
        ("token\nX-Header:x", "octo/demo", "https://api.github.com"),
        ("tökén", "octo/demo", "https://api.github.com"),
        ("token", "demo", "https://api.github.com"),
        ("token", "octo/demo/../../user", "https://api.github.com"),
        ("token", "octo/demo", "ftp://api.github.com"),
        ("token", "octo/demo", "api.github.com"),
    ],
)
def test_arguments_that_make_no_sense(token: str, repository: str, url: str) -> None:
    with pytest.raises(UsageError) as error:
        GitHubForge(token, repository, url)
    assert not token or token not in str(error.value).replace("the token is", "")
