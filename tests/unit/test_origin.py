"""Whose run it is, event by event; and what a bundle may not claim about it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from telltale.errors import ForgeDeniedError, UsageError
from telltale.gha import Context
from telltale.model import BundleKind, Command, Evidence, GithubRun, Outcome, Source
from telltale.records import Origin
from telltale.verbs.origin import contradictions, resolve
from tests.fake_github import FakeGitHub
from tests.fake_github.state import Issue, Run
from tests.forges import connect

HEAD, MERGE, TIP = "a" * 40, "b" * 40, "c" * 40
REPOSITORY = {"full_name": "octo/demo", "default_branch": "main"}


def run_of(event_name: str, **fields: Any) -> Context:
    """A job of run 7, attempt 2, with the event that GitHub would write."""
    event = {"repository": REPOSITORY, **fields.pop("event", {})}
    context = Context(
        repository="octo/demo",
        sha=TIP,
        ref="refs/heads/main",
        event_name=event_name,
        event=event,
        run_id=7,
        run_attempt=2,
    )
    return replace(context, **fields)


def pull(*, head_repository: str | None = "octo/demo") -> dict[str, Any]:
    """The `pull_request` of an event; None for a fork that was deleted."""
    repository = {"full_name": head_repository} if head_repository else None
    return {
        "pull_request": {
            "number": 5,
            "head": {"sha": HEAD, "ref": "feature", "repo": repository},
            "base": {"sha": TIP, "ref": "main"},
        }
    }


def triggered_by(run: Run, *, head_commit: str = "", gone: bool = False) -> dict[str, Any]:
    """The `workflow_run` event of a run in the fake GitHub."""
    return {
        "workflow_run": {
            "id": run.id,
            "run_attempt": run.run_attempt,
            "event": run.event,
            "head_sha": run.head_sha,
            "head_branch": run.head_branch,
            "head_repository": None if gone else {"full_name": run.head_repo},
            "head_commit": {"id": head_commit or run.head_sha},
            "html_url": f"https://github.com/octo/demo/actions/runs/{run.id}",
            "pull_requests": [],
        }
    }


def head_of(issue: Issue) -> str:
    assert issue.pull is not None
    return issue.pull.head_sha


@pytest.mark.parametrize("event", ["push", "workflow_dispatch", "schedule"])
def test_the_default_branch(event: str) -> None:
    assert resolve(run_of(event)) == Origin(
        repository="octo/demo",
        sha=TIP,
        branch="main",
        event=event,
        run_id=7,
        run_attempt=2,
        default_branch=True,
        url="https://github.com/octo/demo/actions/runs/7/attempts/2",
    )


@pytest.mark.parametrize(
    ("ref", "branch"),
    [
        ("refs/heads/feature", "feature"),
        ("refs/heads/main/2", "main/2"),
        ("refs/tags/main", "refs/tags/main"),
        ("main", "main"),
    ],
)
def test_other_branches_and_tags(ref: str, branch: str) -> None:
    origin = resolve(run_of("push", ref=ref))
    assert (origin.branch, origin.default_branch) == (branch, False)


def test_other_events_of_the_default_branch_are_no_baseline() -> None:
    assert not resolve(run_of("release")).default_branch


def test_a_schedule_that_names_no_repository() -> None:
    assert resolve(run_of("schedule", event={"repository": None})).default_branch
    assert not resolve(run_of("push", event={"repository": None})).default_branch


def test_a_pull_request_is_its_head_not_its_test_merge() -> None:
    context = run_of("pull_request", sha=MERGE, ref="refs/pull/5/merge", event=pull())
    origin = resolve(context)
    assert (origin.sha, origin.merge_sha) == (HEAD, MERGE)
    assert (origin.pull_request, origin.branch) == (5, "feature")
    assert not origin.fork
    assert not origin.default_branch


@pytest.mark.parametrize("head", ["stranger/demo", None])
def test_a_pull_request_of_a_fork(head: str | None) -> None:
    origin = resolve(run_of("pull_request", sha=MERGE, event=pull(head_repository=head)))
    assert origin.fork
    assert not origin.trusted


def test_pull_request_target_runs_on_the_base() -> None:
    origin = resolve(run_of("pull_request_target", event=pull(head_repository="stranger/demo")))
    assert (origin.sha, origin.merge_sha, origin.pull_request) == (HEAD, "", 5)
    assert origin.fork
    assert not origin.default_branch


def test_a_merge_group() -> None:
    group = {"head_sha": HEAD, "head_ref": "refs/heads/gh-readonly-queue/main/pr-5-abc"}
    origin = resolve(run_of("merge_group", event={"merge_group": group}))
    assert (origin.sha, origin.branch) == (HEAD, "gh-readonly-queue/main/pr-5-abc")
    assert origin.pull_request is None
    assert not origin.default_branch


def test_a_terminal() -> None:
    assert resolve(Context(), sha=HEAD) == Origin(sha=HEAD)


def test_the_run_that_triggered_this_one(github: FakeGitHub) -> None:
    github.open_pull(3, "feature")
    run = github.add_run(11, pull=3, attempt=4)
    origin = resolve(run_of("workflow_run", event=triggered_by(run)), connect(github))
    assert origin == Origin(
        repository="octo/demo",
        sha=run.head_sha,
        branch="feature",
        event="pull_request",
        run_id=11,
        run_attempt=4,
        pull_request=3,
        url="https://github.com/octo/demo/actions/runs/11/attempts/4",
    )


def test_the_run_of_a_fork(github: FakeGitHub) -> None:
    # On the fork's own branch "main": no claim to the default branch.
    github.open_pull(3, "main", fork="stranger/demo")
    github.open_pull(4, "main", fork="other/demo")
    github.push(branch="main", files={"x": "y"}, repo="stranger/demo")
    run = github.add_run(pull=3)
    origin = resolve(run_of("workflow_run", event=triggered_by(run)), connect(github))
    assert (origin.pull_request, origin.fork, origin.trusted) == (3, True, False)


def test_the_run_of_a_fork_that_was_pushed_to_since(github: FakeGitHub) -> None:
    github.open_pull(3, "feature", fork="stranger/demo")
    run = github.add_run(pull=3)
    github.push(branch="feature", files={"x": "y"}, repo="stranger/demo")
    origin = resolve(run_of("workflow_run", event=triggered_by(run)), connect(github))
    assert (origin.pull_request, origin.sha) == (3, run.head_sha)


def test_the_run_of_a_fork_that_is_gone(github: FakeGitHub) -> None:
    github.open_pull(3, "feature", fork="stranger/demo")
    run = github.add_run(pull=3)
    github.delete_fork("stranger/demo")
    event = triggered_by(run, gone=True)
    origin = resolve(run_of("workflow_run", event=event), connect(github))
    assert (origin.pull_request, origin.fork) == (None, True)
    assert github.requests == [], "whose branch it was, nobody knows any more"


def test_of_two_pull_requests_of_one_head_the_one_to_the_default_branch(
    github: FakeGitHub,
) -> None:
    github.push(branch="stable", files={"x": "y"})
    github.open_pull(3, "feature", base="stable")
    github.open_pull(4, "feature")
    run = github.add_run(pull=4)
    origin = resolve(run_of("workflow_run", event=triggered_by(run)), connect(github))
    assert origin.pull_request == 4


def test_a_triggering_run_on_pull_request_target_names_its_head_elsewhere(
    github: FakeGitHub,
) -> None:
    issue = github.open_pull(3, "feature", fork="stranger/demo")
    run = github.add_run(
        pull=3, event="pull_request_target", sha=github.repo.refs["refs/heads/main"]
    )
    event = triggered_by(run, head_commit=head_of(issue))
    origin = resolve(run_of("workflow_run", event=event), connect(github))
    assert (origin.pull_request, origin.sha) == (3, head_of(issue))


def test_a_triggering_push_asks_nobody(github: FakeGitHub) -> None:
    run = github.add_run()
    origin = resolve(run_of("workflow_run", event=triggered_by(run)), connect(github))
    assert (origin.branch, origin.default_branch, origin.pull_request) == ("main", True, None)
    assert github.requests == []


def test_a_triggering_push_to_another_branch(github: FakeGitHub) -> None:
    github.push(branch="feature", files={"x": "y"})
    event = triggered_by(github.add_run(branch="feature"))
    assert not resolve(run_of("workflow_run", event=event)).default_branch


def test_no_event_makes_a_fork_stand_for_the_default_branch(github: FakeGitHub) -> None:
    event = triggered_by(github.add_run())
    event["workflow_run"]["head_repository"] = {"full_name": "stranger/demo"}
    origin = resolve(run_of("workflow_run", event=event))
    assert (origin.fork, origin.default_branch) == (True, False)


def test_without_a_forge_the_pull_request_is_unknown(github: FakeGitHub) -> None:
    github.open_pull(3, "feature")
    origin = resolve(run_of("workflow_run", event=triggered_by(github.add_run(pull=3))))
    assert origin.pull_request is None


def test_a_token_that_may_not_look_is_an_error(github: FakeGitHub) -> None:
    github.repo.private = True
    github.add_token("blind", permissions={"contents": "read"})
    github.open_pull(3, "feature")
    context = run_of("workflow_run", event=triggered_by(github.add_run(pull=3)))
    with pytest.raises(ForgeDeniedError, match="pull-requests: read"):
        resolve(context, connect(github, "blind"))


@pytest.mark.parametrize(
    ("event_name", "event", "says"),
    [
        ("pull_request", {}, r"pull_request\.head"),
        ("pull_request", {"pull_request": {"head": {"ref": "x"}}}, r"pull_request\.head\.sha"),
        ("pull_request", {"pull_request": "5"}, r"pull_request\.head"),
        ("workflow_run", {"workflow_run": {"event": "push"}}, r"workflow_run\.head_sha"),
        (
            "workflow_run",
            {"workflow_run": {"event": "push", "head_sha": HEAD, "id": "9", "run_attempt": 1}},
            r"workflow_run\.id",
        ),
        ("merge_group", {"merge_group": {"head_sha": ""}}, r"merge_group\.head_sha"),
    ],
)
def test_an_event_that_lacks_what_it_promises(
    event_name: str, event: dict[str, Any], says: str
) -> None:
    with pytest.raises(UsageError, match=says):
        resolve(run_of(event_name, event=event))


PUSHED = Origin(repository="octo/demo", sha=TIP, event="push", run_id=7, run_attempt=2)
PULLED = replace(PUSHED, sha=HEAD, merge_sha=MERGE, event="pull_request", pull_request=5)
FROM_FORK = replace(PULLED, merge_sha="", fork=True)


def bundle(
    *,
    repository: str = "octo/demo",
    sha: str = TIP,
    run_id: int = 7,
    attempt: int = 2,
    event: str = "push",
) -> Evidence:
    """The manifest of an honest bundle of `PUSHED`, but for what is given."""
    return Evidence(
        kind=BundleKind.TESTS,
        name="unit",
        outcome=Outcome.PASSED,
        command=Command(argv=("pytest",), cwd="."),
        started_at="2026-01-01T00:00:00Z",
        source=Source(repository=repository, sha=sha),
        github=GithubRun(run_id=run_id, run_attempt=attempt, job="test", event=event),
    )


@pytest.mark.parametrize(
    ("evidence", "origin"),
    [
        (bundle(), PUSHED),
        (bundle(attempt=1), PUSHED),
        (bundle(repository="Octo/Demo"), PUSHED),
        (bundle(repository="", sha=""), PUSHED),
        (replace(bundle(), github=None), PUSHED),
        (bundle(sha=HEAD, event="pull_request"), PULLED),
        (bundle(sha=MERGE, event="pull_request"), PULLED),
        (bundle(sha="d" * 40, event="pull_request"), FROM_FORK),
        (bundle(repository="x/y", sha=HEAD, run_id=1), Origin(sha=TIP)),
    ],
)
def test_honest_claims(evidence: Evidence, origin: Origin) -> None:
    assert contradictions(evidence, origin) == ()


@pytest.mark.parametrize(
    ("evidence", "origin", "says"),
    [
        (bundle(run_id=5), PUSHED, "claims run 5, but run 7 uploaded it: the claim is ignored"),
        (bundle(attempt=3), PUSHED, "claims attempt 3, but there were 2: the claim is ignored"),
        (
            bundle(event="schedule"),
            PUSHED,
            "claims the event schedule, but it was push: the claim is ignored",
        ),
        (
            bundle(repository="evil/demo"),
            PUSHED,
            "claims the repository evil/demo, but it is octo/demo: the claim is ignored",
        ),
        (
            bundle(sha=HEAD),
            PUSHED,
            f"claims the commit {HEAD}, but it is {TIP}: the claim is ignored",
        ),
        (
            bundle(sha=TIP, event="pull_request"),
            PULLED,
            f"claims the commit {TIP}, but it is {HEAD}: the claim is ignored",
        ),
    ],
)
def test_false_claims(evidence: Evidence, origin: Origin, says: str) -> None:
    assert contradictions(evidence, origin) == (says,)


@given(st.text(), st.text(), st.text(), st.integers(), st.integers())
@example("x" * 5000, "y" * 5000, "z" * 5000, 7, 1)
@example("a\n::error::b", "c\x1b[31m", "d\u202e", 7, 1)
def test_no_claim_gets_more_than_a_bounded_printable_line(
    repository: str, sha: str, event: str, run_id: int, attempt: int
) -> None:
    evidence = bundle(repository=repository, sha=sha, event=event, run_id=run_id, attempt=attempt)
    for text in contradictions(evidence, PUSHED):
        assert text.isprintable()
        assert len(text) < 300
