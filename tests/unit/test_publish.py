"""One comment per pull request, one issue per signature, whoever else is at it at the moment."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from telltale.errors import ForgeDeniedError, ForgeError
from telltale.forge import Forge, GitHubForge
from telltale.model import FailureKind
from telltale.report.comments import MARKER
from telltale.report.issues import BEGIN, END
from telltale.verbs.publish import (
    FLAKY_LABEL,
    CommentResult,
    IssuePlan,
    known_issues,
    publish_comment,
    publish_issues,
)
from tests.fake_github import PERSONAL_TOKEN, READ_TOKEN, FakeGitHub
from tests.fake_github.state import Comment, Issue
from tests.forges import connect

BOT = "github-actions[bot]"
SIGNATURE = "v1:0123456789abcdef"
OTHER = "v1:fedcba9876543210"


@pytest.fixture
def head(github: FakeGitHub) -> str:
    """The head of pull request 5."""
    return head_of(github.open_pull(5, "feature"))


def head_of(issue: Issue) -> str:
    assert issue.pull is not None
    return issue.pull.head_sha


def report(text: str, *, head: str = "a" * 40, run: int = 7, attempt: int = 1) -> str:
    """The body of a comment, as `telltale.report` begins it."""
    state = f'{{"head": "{head}", "run": {run}, "attempt": {attempt}}}'
    return f"{MARKER}\n<!-- telltale:state {state} -->\n{text}\n"


def publish(github: FakeGitHub, head: str, text: str, **state: int) -> CommentResult:
    return publish_comment(connect(github), 5, head, report(text, head=head, **state), MARKER)


def ours(github: FakeGitHub) -> list[Comment]:
    return [c for c in github.repo.comments_on(5) if c.user == BOT]


def paths(github: FakeGitHub, *, since: int = 0) -> list[str]:
    return [f"{e.method} {e.path.split('?')[0]}" for e in github.requests[since:]]


# The comment.


def test_first_report_makes_the_comment(github: FakeGitHub, head: str) -> None:
    result = publish(github, head, "one failure")
    (comment,) = ours(github)
    assert comment.body == report("one failure", head=head)
    assert result == CommentResult(
        action="created",
        url=f"https://github.com/octo/demo/pull/5#issuecomment-{comment.id}",
    )


def test_second_report_edits_it_in_place(github: FakeGitHub, head: str) -> None:
    publish(github, head, "one failure")
    result = publish(github, head, "two failures", run=8)
    (comment,) = ours(github)
    assert "two failures" in comment.body
    assert result.action == "edited"
    assert result.url.endswith(str(comment.id))


def test_same_report_writes_nothing(github: FakeGitHub, head: str) -> None:
    publish(github, head, "one failure")
    (comment,) = ours(github)
    comment.body = comment.body.replace("\n", "\r\n").rstrip()  # as GitHub may give it back
    before = len(github.requests)
    assert publish(github, head, "one failure").action == "unchanged"
    assert all(path.startswith("GET") for path in paths(github, since=before))


def test_steady_state_takes_four_requests(github: FakeGitHub, head: str) -> None:
    publish(github, head, "one failure")
    before = len(github.requests)
    publish(github, head, "two failures", run=8)
    assert len(github.requests) - before == 4, "who we are, comments, pull request, edit"


def test_comment_is_found_on_a_late_page(github: FakeGitHub, head: str) -> None:
    for number in range(230):
        github.add_comment(5, f"comment {number}")
    github.add_comment(5, report("old", head=head), user=BOT)
    assert publish(github, head, "new").action == "edited"
    assert len(ours(github)) == 1


@pytest.mark.parametrize(
    ("user", "body"),
    [
        ("mallory", report("forged")),
        ("other-app[bot]", report("forged")),
        (BOT, f"A quotation:\n{MARKER}\nof another action's comment"),
        (BOT, "another action's comment"),
    ],
)
def test_comments_of_others_are_never_touched(
    github: FakeGitHub, head: str, user: str, body: str
) -> None:
    theirs = github.add_comment(5, body, user=user)
    assert publish(github, head, "ours").action == "created"
    assert github.repo.comments[theirs.id].body == body
    assert len(github.repo.comments_on(5)) == 2


def test_of_several_of_ours_the_oldest_stays(github: FakeGitHub, head: str) -> None:
    first = github.add_comment(5, report("a"), user=BOT)
    github.add_comment(5, report("b"), user=BOT)
    theirs = github.add_comment(5, report("c"), user="mallory")
    github.add_comment(5, report("d"), user=BOT)
    assert publish(github, head, "new").action == "edited"
    assert [c.id for c in ours(github)] == [first.id]
    assert theirs.id in github.repo.comments


def test_report_of_an_older_head_is_not_posted(github: FakeGitHub, head: str) -> None:
    newer = github.push(branch="feature", files={"x": "y"}).sha
    publish(github, newer, "newer")
    result = publish(github, head, "older")
    assert result.action == "skipped"
    assert head[:9] in result.note
    assert newer[:9] in result.note
    assert "newer" in ours(github)[0].body


def test_report_of_an_older_head_does_not_begin_a_comment(github: FakeGitHub, head: str) -> None:
    github.push(branch="feature", files={"x": "y"})
    assert publish(github, head, "older").action == "skipped"
    assert ours(github) == []


def test_report_of_an_older_attempt_is_not_posted(github: FakeGitHub, head: str) -> None:
    publish(github, head, "second attempt", attempt=2)
    result = publish(github, head, "first attempt", attempt=1)
    assert (result.action, "attempt 2" in result.note) == ("skipped", True)
    assert "second attempt" in ours(github)[0].body
    assert publish(github, head, "another run", run=8, attempt=1).action == "edited"


def test_locked_conversation(github: FakeGitHub, head: str) -> None:
    github.lock_issue(5)
    result = publish(github, head, "report")
    assert (result.action, "locked" in result.note) == ("skipped", True)
    assert "\n" not in result.note


def test_conversation_that_is_locked_at_the_last_moment(github: FakeGitHub, head: str) -> None:
    message = "Unable to create comment because issue is locked."
    github.fail("POST", "/comments$", status=403, message=message)
    result = publish(github, head, "report")
    assert (result.action, "unlock it" in result.note) == ("failed", True)


def test_closed_pull_request_gets_no_new_comment(github: FakeGitHub, head: str) -> None:
    github.close_issue(5)
    result = publish(github, head, "report")
    assert (result.action, result.note) == ("skipped", "#5 is closed: no comment was begun")
    assert ours(github) == []


def test_closed_pull_request_keeps_its_comment_true(github: FakeGitHub, head: str) -> None:
    publish(github, head, "pending")
    github.merge_pull(5)
    assert publish(github, head, "final").action == "edited"


def test_read_only_token_is_a_note_with_the_lines_to_paste(github: FakeGitHub, head: str) -> None:
    result = publish_comment(connect(github, READ_TOKEN), 5, head, report("x"), MARKER)
    assert result.action == "failed"
    assert "permissions:\n  pull-requests: write" in result.note
    assert ours(github) == []


def test_pull_request_that_is_not_there(github: FakeGitHub, head: str) -> None:
    result = publish_comment(connect(github), 77, head, report("x"), MARKER)
    assert (result.action, "404" in result.note) == ("failed", True)


def test_github_that_is_down_is_a_note(github: FakeGitHub, head: str) -> None:
    github.fail("POST", "/comments$", status=503, times=99)
    result = publish(github, head, "report")
    assert (result.action, "503" in result.note) == ("failed", True)
    github.faults.clear()
    assert publish(github, head, "report").action == "created", "the next report catches up"


def test_comment_that_somebody_deletes_meanwhile_is_made_anew(
    github: FakeGitHub, head: str
) -> None:
    publish(github, head, "old")
    github.fail("PATCH", "/issues/comments/", status=404, message="Not Found")
    (comment,) = ours(github)
    forge = connect(github)
    forge.delete_comment(comment.id)
    github.add_comment(5, report("seen, then gone"), user=BOT)
    assert publish(github, head, "new").action == "edited"
    github.fail("PATCH", "/issues/comments/", status=404, message="Not Found", times=99)
    result = publish(github, head, "newer")
    assert (result.action, "deleted meanwhile" in result.note) == ("failed", True)


def test_comment_of_another_report_is_not_taken_for_ours_when_the_answer_is_lost(
    github: FakeGitHub, head: str
) -> None:
    def another_report(_: float) -> None:
        github.add_comment(5, report("another", head=head, run=8), user=BOT)

    github.fail("POST", "/comments$", reset="before")
    forge = connect(github, sleep=another_report)
    publish_comment(forge, 5, head, report("ours", head=head), MARKER)
    assert [c.body for c in ours(github)] == [report("ours", head=head)]


def test_later_comment_of_a_killed_report_is_deleted(github: FakeGitHub, head: str) -> None:
    def another_report(_: float) -> None:
        github.add_comment(5, report("another", head=head, run=8), user=BOT)

    github.secondary_limit("GET", "/issues/5/comments$", nth=2, retry_after=1)
    forge = connect(github, sleep=another_report)
    result = publish_comment(forge, 5, head, report("ours", head=head), MARKER)
    assert result.action == "created"
    assert [c.body for c in ours(github)] == [report("ours", head=head)]


def test_head_that_moves_while_we_look_is_noticed(github: FakeGitHub, head: str) -> None:
    def newer_report(_: float) -> None:
        newer = github.push(branch="feature", files={"x": "y"}).sha
        github.add_comment(5, report("newer", head=newer), user=BOT)

    github.secondary_limit("GET", "/issues/5/comments$", retry_after=1)
    forge = connect(github, sleep=newer_report)
    assert publish_comment(forge, 5, head, report("older"), MARKER).action == "skipped"
    assert ["newer" in c.body for c in ours(github)] == [True]


def test_a_personal_token_has_its_own_comment(github: FakeGitHub, head: str) -> None:
    publish(github, head, "bot")
    forge = connect(github, PERSONAL_TOKEN)
    assert publish_comment(forge, 5, head, report("person"), MARKER).action == "created"
    assert [c.user for c in github.repo.comments_on(5)] == [BOT, "octocat"]


def test_an_app_that_we_took_for_actions_finds_its_comment_by_writing(
    github: FakeGitHub, head: str
) -> None:
    github.add_token("app", login="my-app[bot]", permissions={"pull_requests": "write"})
    old = github.add_comment(5, report("old"), user="my-app[bot]")
    result = publish_comment(connect(github, "app"), 5, head, report("new"), MARKER)
    assert [(c.id, c.body) for c in github.repo.comments_on(5)] == [(old.id, report("new"))]
    assert result.url.endswith(str(old.id))


def test_body_without_the_marker_is_a_mistake_of_ours(github: FakeGitHub, head: str) -> None:
    with pytest.raises(ValueError, match="marker"):
        publish_comment(connect(github), 5, head, "no marker", MARKER)


COMMENT_CALLS = (
    ("GET", "/user$"),
    ("GET", "/issues/5/comments$"),
    ("GET", "/pulls/5$"),
    ("POST", "/issues/5/comments$"),
)
FAULTS: tuple[dict[str, Any], ...] = (
    {"status": 500},
    {"reset": "before"},
    {"reset": "after"},
    {"truncate": 20},
    {"status": 429, "message": "slow down", "headers": {"Retry-After": "1"}},
)


@pytest.mark.parametrize("fault", FAULTS, ids=str)
@pytest.mark.parametrize(("method", "route"), COMMENT_CALLS)
@pytest.mark.parametrize("nth", [1, 2])
def test_one_comment_whatever_goes_wrong(
    github: FakeGitHub, head: str, method: str, route: str, nth: int, fault: dict[str, Any]
) -> None:
    github.fail(method, route, nth=nth, **fault)
    assert publish(github, head, "one").action == "created"
    assert publish(github, head, "two", run=8).action == "edited"
    assert [c.body for c in ours(github)] == [report("two", head=head, run=8)]


# The issues.


def plan(
    signature: str = SIGNATURE, text: str = "Seen twice.", kind: FailureKind = FailureKind.ASSERTION
) -> IssuePlan:
    body = f"{BEGIN}\n<!-- telltale:signature {signature} -->\n{text}\n{END}\n"
    return IssuePlan(signature=signature, kind=kind, title="Flaky test", body=body)


def filed(github: FakeGitHub) -> list[Issue]:
    return [issue for issue in github.repo.issues.values() if issue.pull is None]


def test_issue_is_filed_with_its_labels(github: FakeGitHub) -> None:
    (ref,) = publish_issues(connect(github), [plan()])
    (issue,) = filed(github)
    assert (ref.number, ref.signature, ref.state) == (issue.number, SIGNATURE, "open")
    assert ref.url == f"https://github.com/octo/demo/issues/{issue.number}"
    assert (issue.title, issue.body) == ("Flaky test", plan().body)
    assert issue.labels == [FLAKY_LABEL, "flaky", "assertion"]
    assert [github.repo.labels[name].color for name in issue.labels] == [
        "8250df",
        "d4a72c",
        "eaeef2",
    ]
    assert github.repo.comments == {}


def test_nothing_to_file_asks_nobody(github: FakeGitHub) -> None:
    assert publish_issues(connect(github), []) == ()
    assert github.requests == []


def test_issue_is_edited_in_place_and_peoples_text_stays(github: FakeGitHub) -> None:
    publish_issues(connect(github), [plan()])
    (issue,) = filed(github)
    issue.title = "A better title"
    issue.labels = [FLAKY_LABEL, github.add_label("area: io").name]
    issue.body = f"Our notes.\n\n{issue.body}\nMore notes.\n"
    publish_issues(connect(github), [plan(text="Seen three times.")])
    (issue,) = filed(github)
    assert (issue.title, issue.labels) == ("A better title", [FLAKY_LABEL, "area: io"])
    assert issue.body is not None
    assert issue.body.startswith("Our notes.\n\n")
    assert "Seen three times." in issue.body
    assert "Seen twice." not in issue.body
    assert issue.body.endswith("More notes.\n")
    assert github.repo.comments == {}


def test_issue_with_nothing_new_is_not_written(github: FakeGitHub) -> None:
    publish_issues(connect(github), [plan()])
    before = len(github.requests)
    publish_issues(connect(github), [plan()])
    assert paths(github, since=before) == ["GET /user", "GET /repos/octo/demo/issues"]


def test_two_signatures_are_two_issues_in_the_order_of_the_plans(github: FakeGitHub) -> None:
    publish_issues(connect(github), [plan(OTHER)])
    refs = publish_issues(connect(github), [plan(SIGNATURE), plan(OTHER)])
    assert [(ref.signature, ref.number) for ref in refs] == [(SIGNATURE, 2), (OTHER, 1)]
    assert len(filed(github)) == 2


def test_closed_issue_is_left_alone_and_said(github: FakeGitHub) -> None:
    publish_issues(connect(github), [plan()])
    github.close_issue(1)
    (ref,) = publish_issues(connect(github), [plan(text="Seen again.")])
    assert (ref.number, ref.state) == (1, "closed")
    (issue,) = filed(github)
    assert (issue.state, issue.body) == ("closed", plan().body)


@pytest.mark.parametrize(
    ("user", "labels", "signature"),
    [
        ("mallory", [FLAKY_LABEL], SIGNATURE),
        (BOT, ["other"], SIGNATURE),
        (BOT, [FLAKY_LABEL], OTHER),
    ],
)
def test_issues_that_are_not_ours(
    github: FakeGitHub, user: str, labels: list[str], signature: str
) -> None:
    theirs = github.open_issue(1, body=plan(signature).body, user=user, labels=labels)
    (ref,) = publish_issues(connect(github), [plan(text="Ours.")])
    assert ref.number == 2
    assert theirs.body == plan(signature).body


def test_pull_request_with_our_label_is_no_issue(github: FakeGitHub) -> None:
    github.open_pull(1, "feature", body=plan().body, user=BOT)
    github.repo.issues[1].labels.append(github.add_label(FLAKY_LABEL).name)
    (ref,) = publish_issues(connect(github), [plan()])
    assert ref.number == 2


def test_of_several_open_ones_the_first_stays(github: FakeGitHub) -> None:
    for number in (3, 4, 6):
        github.open_issue(number, body=plan().body, user=BOT, labels=[FLAKY_LABEL])
    (ref,) = publish_issues(connect(github), [plan(text="New.")])
    assert ref.number == 3
    assert [(i.number, i.state, i.state_reason) for i in filed(github)] == [
        (3, "open", None),
        (4, "closed", "duplicate"),
        (6, "closed", "duplicate"),
    ]
    assert github.repo.comments == {}


def test_of_several_closed_ones_the_first_is_named(github: FakeGitHub) -> None:
    for number in (3, 4):
        github.open_issue(number, body=plan().body, user=BOT, labels=[FLAKY_LABEL])
        github.close_issue(number)
    (ref,) = publish_issues(connect(github), [plan()])
    assert (ref.number, ref.state) == (3, "closed")


def test_known_issues_are_those_that_publishing_would_keep(github: FakeGitHub) -> None:
    for number, signature in [
        (2, SIGNATURE),
        (3, SIGNATURE),
        (4, SIGNATURE),
        (5, OTHER),
        (6, OTHER),
    ]:
        github.open_issue(number, body=plan(signature).body, user=BOT, labels=[FLAKY_LABEL])
    github.open_issue(7, body="no signature", user=BOT, labels=[FLAKY_LABEL])
    for number in (2, 5, 6):
        github.close_issue(number)
    known = known_issues(connect(github))
    assert {s: (ref.number, ref.state) for s, ref in known.items()} == {
        SIGNATURE: (3, "open"),
        OTHER: (5, "closed"),
    }
    kept = publish_issues(connect(github), [plan(SIGNATURE), plan(OTHER)])
    assert {ref.signature: ref for ref in kept} == known


def test_issue_is_found_though_the_search_lags(github: FakeGitHub) -> None:
    github.search_lag(requests=10_000)
    publish_issues(connect(github), [plan()])
    publish_issues(connect(github), [plan()])
    assert len(filed(github)) == 1
    assert not any("/search/" in path for path in paths(github))


def test_issue_that_is_filed_between_our_two_looks(github: FakeGitHub) -> None:
    def another_report(_: float) -> None:
        github.open_issue(3, body=plan().body, user=BOT, labels=[FLAKY_LABEL])

    github.secondary_limit("GET", "/issues$", nth=2, retry_after=1)
    (ref,) = publish_issues(connect(github, sleep=another_report), [plan(text="New.")])
    assert ref.number == 3
    assert len(filed(github)) == 1


def test_issue_that_is_filed_after_our_last_look(github: FakeGitHub) -> None:
    def another_report(_: float) -> None:
        github.open_issue(3, body=plan().body, user=BOT, labels=[FLAKY_LABEL])

    github.secondary_limit("POST", "/issues$", retry_after=1)
    (ref,) = publish_issues(connect(github, sleep=another_report), [plan()])
    assert ref.number == 3
    assert [(i.number, i.state) for i in filed(github)] == [(3, "open"), (4, "closed")]


def test_labels_that_github_drops(github: FakeGitHub, monkeypatch: pytest.MonkeyPatch) -> None:
    # As for the token of somebody who may open issues, but not label them.
    monkeypatch.setattr(github, "ensure_labels", lambda _repo, _names: [])
    with pytest.raises(ForgeError, match="needs write access"):
        publish_issues(connect(github), [plan()])
    (issue,) = filed(github)
    assert (issue.state, issue.state_reason) == ("closed", "not_planned")


def test_an_app_that_we_took_for_actions_finds_its_issue_by_writing(github: FakeGitHub) -> None:
    github.add_token("app", login="my-app[bot]", permissions={"issues": "write"})
    github.open_issue(3, body=plan().body, user="my-app[bot]", labels=[FLAKY_LABEL])
    (ref,) = publish_issues(connect(github, "app"), [plan()])
    assert ref.number == 3
    assert [(i.number, i.state) for i in filed(github)] == [(3, "open"), (4, "closed")]


def test_read_only_token_may_not_file(github: FakeGitHub) -> None:
    with pytest.raises(ForgeDeniedError, match="issues: write"):
        publish_issues(connect(github, READ_TOKEN), [plan()])
    assert filed(github) == []


def test_body_without_its_signature_is_a_mistake_of_ours(github: FakeGitHub) -> None:
    wrong = IssuePlan(
        signature=OTHER, kind=FailureKind.OOM, title="Flaky", body=plan(SIGNATURE).body
    )
    with pytest.raises(ValueError, match="signature"):
        publish_issues(connect(github), [wrong])


@pytest.mark.parametrize("fault", FAULTS, ids=str)
@pytest.mark.parametrize(
    ("method", "route"),
    [
        ("GET", "/user$"),
        ("GET", "/issues$"),
        ("GET", "/labels/"),
        ("POST", "/labels$"),
        ("POST", "/issues$"),
        ("PATCH", "/issues/1$"),
    ],
)
def test_one_issue_whatever_goes_wrong(
    github: FakeGitHub, method: str, route: str, fault: dict[str, Any]
) -> None:
    hit = github.fail(method, route, **fault)
    publish_issues(connect(github), [plan()])
    (ref,) = publish_issues(connect(github), [plan(text="Seen three times.")])
    assert hit.hits == 1
    (issue,) = filed(github)
    assert (ref.number, issue.state, issue.body) == (1, "open", plan(text="Seen three times.").body)


# Two at the same moment.


class Turns:
    """Lets publishers make their calls in a given order, then freely; their calls are real."""

    def __init__(self, order: Sequence[int], publishers: int) -> None:
        self.publishers = publishers
        self._order = list(order)
        self._running = set(range(publishers))
        self._moved = threading.Condition()

    def forge(self, forge: GitHubForge, me: int, *, dies_at: int | None = None) -> Forge:
        """Return the forge for one publisher, who is killed at its call number `dies_at`."""
        return cast("Forge", _InTurn(forge, self, me, dies_at))

    def take(self, me: int, call: Callable[[], Any]) -> Any:
        with self._moved:
            self._moved.wait_for(lambda: self._next() in {me, None}, timeout=20)
            try:
                return call()
            finally:
                if self._order:
                    self._order.pop(0)
                self._moved.notify_all()

    def leave(self, me: int) -> None:
        with self._moved:
            self._running.discard(me)
            self._moved.notify_all()

    def _next(self) -> int | None:
        while self._order and self._order[0] not in self._running:
            self._order.pop(0)
        return self._order[0] if self._order else None


class _InTurn:
    def __init__(self, forge: GitHubForge, turns: Turns, me: int, dies_at: int | None) -> None:
        self._forge, self._turns, self._me, self._dies_at = forge, turns, me, dies_at
        self._calls = 0

    def __getattr__(self, name: str) -> Any:
        verb = getattr(self._forge, name)

        def in_turn(*args: Any, **kwargs: Any) -> Any:
            self._calls += 1
            if self._calls == self._dies_at:
                raise Killed
            return self._turns.take(self._me, lambda: verb(*args, **kwargs))

        return in_turn


class Killed(Exception):  # noqa: N818 - not an error of anything
    """The runner went away."""


def at_once(turns: Turns, publish: Callable[[int], Any]) -> list[Any]:
    """Run all publishers side by side; return what they returned, None for a killed one."""

    def run(me: int) -> Any:
        try:
            return publish(me)
        except Killed:
            return None
        finally:
            turns.leave(me)

    with ThreadPoolExecutor(turns.publishers) as pool:
        return list(pool.map(run, range(turns.publishers)))


orders = st.lists(st.integers(0, 1), max_size=16)
SHARED = settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture
def fresh(npm_packages: Path) -> Callable[[], AbstractContextManager[FakeGitHub]]:
    """Make a GitHub of its own for each example: too many writes a minute are refused."""
    assert npm_packages.is_dir()
    return FakeGitHub


Fresh = Callable[[], AbstractContextManager[FakeGitHub]]


@SHARED
@given(order=orders)
@example(order=[0, 0, 0, 1, 1, 1, 0, 1, 0, 1, 0, 1])
@example(order=[0, 0, 0, 1, 1, 1, 0, 1, 1, 1, 1, 0])
@example(order=[0, 0, 0, 1, 1, 1, 1, 1, 1, 0, 0, 0])
def test_two_reports_at_once_leave_one_comment(fresh: Fresh, order: list[int]) -> None:
    with fresh() as github:
        head = head_of(github.open_pull(5, "feature"))
        turns = Turns(order, 2)
        texts = [report(f"report {me}", head=head, run=me) for me in range(2)]

        def post(me: int) -> CommentResult:
            return publish_comment(turns.forge(connect(github), me), 5, head, texts[me], MARKER)

        results = at_once(turns, post)
        (comment,) = github.repo.comments_on(5)
        assert comment.body in texts
        assert {result.action for result in results} <= {"created", "edited"}
        assert {result.url.rpartition("-")[2] for result in results} == {str(comment.id)}
        assert github.violations == []


@SHARED
@given(order=orders, dies_at=st.tuples(*[st.none() | st.integers(1, 6)] * 2))
@example(order=[0, 0, 0, 1, 1, 1, 0, 1], dies_at=(5, 5))
def test_reports_that_are_killed_are_put_right_by_the_next(
    fresh: Fresh, order: list[int], dies_at: tuple[int | None, int | None]
) -> None:
    with fresh() as github:
        head = head_of(github.open_pull(5, "feature"))
        turns = Turns(order, 2)

        def post(me: int) -> CommentResult:
            forge = turns.forge(connect(github), me, dies_at=dies_at[me])
            return publish_comment(forge, 5, head, report(f"{me}", head=head, run=me), MARKER)

        at_once(turns, post)
        publish(github, head, "the last", run=9)
        assert [c.body for c in ours(github)] == [report("the last", head=head, run=9)]


@SHARED
@given(order=orders)
@example(order=[0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 0, 1, 0, 1])
def test_two_reports_at_once_leave_one_open_issue(fresh: Fresh, order: list[int]) -> None:
    with fresh() as github:
        turns = Turns(order, 2)

        def post(me: int) -> int:
            (ref,) = publish_issues(turns.forge(connect(github), me), [plan()])
            return ref.number

        numbers = at_once(turns, post)
        assert [(i.number, i.state, i.state_reason) for i in filed(github)] in (
            [(1, "open", None)],
            [(1, "open", None), (2, "closed", "duplicate")],
        )
        assert numbers == [1, 1]
        assert github.repo.comments == {}
        assert github.violations == []


@SHARED
@given(order=orders, dies_at=st.tuples(*[st.none() | st.integers(1, 9)] * 2))
def test_filing_that_is_killed_is_put_right_by_the_next(
    fresh: Fresh, order: list[int], dies_at: tuple[int | None, int | None]
) -> None:
    with fresh() as github:
        turns = Turns(order, 2)

        def post(me: int) -> Any:
            return publish_issues(turns.forge(connect(github), me, dies_at=dies_at[me]), [plan()])

        at_once(turns, post)
        publish_issues(connect(github), [plan()])
        assert [issue.state for issue in filed(github)].count("open") == 1


@pytest.mark.parametrize("publishers", [2, 5])
def test_many_reports_at_once_and_nobody_waits(
    github: FakeGitHub, head: str, publishers: int
) -> None:
    texts = [report(f"{me}", head=head, run=me) for me in range(publishers)]
    start = threading.Barrier(publishers)

    def post(me: int) -> tuple[CommentResult, int]:
        forge = connect(github)
        start.wait()
        result = publish_comment(forge, 5, head, texts[me], MARKER)
        (ref,) = publish_issues(forge, [plan()])
        return result, ref.number

    done = at_once(Turns([], publishers), post)
    (comment,) = ours(github)
    assert comment.body in texts
    opened = [issue.number for issue in filed(github) if issue.state == "open"]
    assert len(opened) == 1
    assert {result.action for result, _ in done} <= {"created", "edited"}
    assert {number for _, number in done} == set(opened)
