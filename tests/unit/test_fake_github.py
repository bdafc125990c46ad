"""The fake GitHub is as strict as the real one: what it refuses, limits, delays and breaks."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import requests
from github import Auth, Github, GithubException

from tests.fake_github import PERSONAL_TOKEN, READ_TOKEN, WRITE_TOKEN, FakeGitHub

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[2]
REPO = "/repos/octo/demo"
ANNOTATION = {
    "path": "a.py",
    "start_line": 1,
    "end_line": 1,
    "annotation_level": "warning",
    "message": "m",
}


class Client:
    """A plain HTTP client of one fake."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.session = requests.Session()

    def __call__(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = WRITE_TOKEN,
        headers: Mapping[str, str] | None = None,
        **options: Any,
    ) -> requests.Response:
        sent = dict(headers or {})
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        address = path if path.startswith("http") else self.url + path
        return self.session.request(method, address, json=body, headers=sent, **options)


@pytest.fixture
def call(github: FakeGitHub) -> Iterator[Client]:
    client = Client(github.url)
    yield client
    client.session.close()


@pytest.fixture
def pygithub(github: FakeGitHub) -> Iterator[Github]:
    client = Github(
        auth=Auth.Token(WRITE_TOKEN),
        base_url=github.url,
        seconds_between_requests=0,
        seconds_between_writes=0,
        retry=None,
    )
    yield client
    client.close()


def zipped(path: Path, **files: str) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path


class TestPaging:
    def test_a_page_holds_30_and_links_to_the_others(
        self, github: FakeGitHub, call: Client
    ) -> None:
        for _ in range(65):
            github.open_issue()
        first = call("GET", f"{REPO}/issues?state=all")
        assert [issue["number"] for issue in first.json()] == list(range(65, 35, -1))
        assert first.links.keys() == {"next", "last"}
        second = call("GET", first.links["next"]["url"])
        assert second.links.keys() == {"prev", "next", "last", "first"}
        last = call("GET", first.links["last"]["url"])
        assert [issue["number"] for issue in last.json()] == [5, 4, 3, 2, 1]
        assert last.links.keys() == {"prev", "first"}

    def test_a_page_is_never_longer_than_100(self, github: FakeGitHub, call: Client) -> None:
        for _ in range(101):
            github.open_issue()
        assert len(call("GET", f"{REPO}/issues?per_page=1000").json()) == 100

    def test_a_page_after_the_last_is_empty(self, github: FakeGitHub, call: Client) -> None:
        github.open_issue()
        assert call("GET", f"{REPO}/issues?page=7").json() == []

    def test_one_page_has_no_links(self, github: FakeGitHub, call: Client) -> None:
        github.open_issue()
        assert "Link" not in call("GET", f"{REPO}/issues").headers

    def test_pygithub_walks_all_pages(self, github: FakeGitHub, pygithub: Github) -> None:
        github.open_pull(7)
        for number in range(70):
            github.add_comment(7, f"comment {number}")
        comments = pygithub.get_repo("octo/demo").get_issue(7).get_comments()
        assert [comment.body for comment in comments] == [f"comment {n}" for n in range(70)]


class TestLimits:
    def test_a_comment_has_at_most_65536_characters(self, github: FakeGitHub, call: Client) -> None:
        github.open_issue(1)
        path = f"{REPO}/issues/1/comments"
        assert call("POST", path, {"body": "é" * 65536}).status_code == 201
        refused = call("POST", path, {"body": "é" * 65537})
        assert refused.status_code == 422
        assert refused.json() == {
            "message": "Validation Failed",
            "errors": [
                {
                    "resource": "IssueComment",
                    "code": "unprocessable",
                    "field": "data",
                    "message": "Body is too long (maximum is 65536 characters)",
                }
            ],
            "documentation_url": "https://docs.github.com/rest/issues/comments#create-an-issue-comment",
            "status": "422",
        }
        assert len(github.repo.comments) == 1

    @pytest.mark.parametrize(
        ("fields", "field", "message"),
        [
            (
                {"title": "t", "body": "b" * 65537},
                "body",
                "body is too long (maximum is 65536 characters)",
            ),
            ({"title": "t" * 257}, "title", "title is too long (maximum is 256 characters)"),
        ],
    )
    def test_an_issue_has_limits_too(
        self, github: FakeGitHub, call: Client, fields: Any, field: str, message: str
    ) -> None:
        refused = call("POST", f"{REPO}/issues", fields)
        assert refused.status_code == 422
        error = {"resource": "Issue", "code": "custom", "field": field, "message": message}
        assert refused.json()["errors"] == [error]
        assert not github.repo.issues

    def test_annotations_come_50_at_a_time_and_add_up(
        self, github: FakeGitHub, call: Client
    ) -> None:
        sha = github.push().sha
        output = {"title": "t", "summary": "s", "annotations": [ANNOTATION] * 50}
        made = call("POST", f"{REPO}/check-runs", {"name": "n", "head_sha": sha, "output": output})
        assert made.status_code == 201
        again = call("PATCH", f"{REPO}/check-runs/{made.json()['id']}", {"output": output})
        assert again.json()["output"]["annotations_count"] == 100

    def test_the_hourly_limit_counts_down_and_ends_in_403(
        self, github: FakeGitHub, call: Client
    ) -> None:
        github.limits.installation = 2
        assert call("GET", REPO).headers["X-RateLimit-Remaining"] == "1"
        assert call("GET", REPO).headers["X-RateLimit-Remaining"] == "0"
        refused = call("GET", REPO)
        assert refused.status_code == 403
        assert refused.headers["X-RateLimit-Remaining"] == "0"
        assert int(refused.headers["X-RateLimit-Reset"]) > github.clock.now().timestamp()
        assert call("GET", "/rate_limit").json()["rate"]["remaining"] == 0
        assert call("GET", REPO, token=PERSONAL_TOKEN).status_code == 200

    def test_the_limit_starts_anew_after_an_hour(self, github: FakeGitHub, call: Client) -> None:
        github.exhaust()
        assert call("GET", REPO).status_code == 403
        github.clock.advance(3601)
        assert call("GET", REPO).status_code == 200

    def test_too_much_content_in_a_minute_strikes_the_secondary_limit(
        self, github: FakeGitHub, call: Client
    ) -> None:
        github.clock.set("2026-03-01T12:00:00Z")
        github.open_issue(1)
        for _ in range(80):
            assert call("POST", f"{REPO}/issues/1/comments", {"body": "x"}).status_code == 201
        refused = call("POST", f"{REPO}/issues/1/comments", {"body": "x"})
        assert refused.status_code == 403
        assert refused.headers["Retry-After"] == "60"
        assert "secondary rate limit" in refused.json()["message"]
        github.clock.advance(61)
        assert call("POST", f"{REPO}/issues/1/comments", {"body": "x"}).status_code == 201


class TestTokens:
    def test_an_unknown_token_is_401(self, call: Client) -> None:
        refused = call("GET", REPO, token="guessed")
        assert (refused.status_code, refused.json()["message"]) == (401, "Bad credentials")

    def test_anybody_may_read_what_is_public_and_nobody_write(
        self, github: FakeGitHub, call: Client
    ) -> None:
        assert call("GET", f"{REPO}/issues", token=None).status_code == 200
        refused = call("POST", f"{REPO}/issues", {"title": "t"}, token=None)
        assert refused.status_code == 401
        assert not github.repo.issues

    def test_what_is_private_does_not_exist_for_others(
        self, github: FakeGitHub, call: Client
    ) -> None:
        github.repo.private = True
        github.add_token("elsewhere", permissions={}, repositories=("octo/other",))
        for token in (None, "elsewhere", PERSONAL_TOKEN):
            assert call("GET", REPO, token=token).status_code == 404
        github.add_collaborator("octocat", "read")
        assert call("GET", REPO, token=PERSONAL_TOKEN).status_code == 200

    def test_a_workflow_has_no_user(self, call: Client) -> None:
        refused = call("GET", "/user")
        assert refused.status_code == 403
        assert refused.json()["message"] == "Resource not accessible by integration"
        assert call("GET", "/user", token=PERSONAL_TOKEN).json()["login"] == "octocat"

    def test_who_wrote_a_comment_comes_from_the_token(
        self, github: FakeGitHub, call: Client
    ) -> None:
        github.open_issue(1)
        for token, login, kind in (
            (WRITE_TOKEN, "github-actions[bot]", "Bot"),
            (PERSONAL_TOKEN, "octocat", "User"),
        ):
            made = call("POST", f"{REPO}/issues/1/comments", {"body": "x"}, token=token)
            assert (made.json()["user"]["login"], made.json()["user"]["type"]) == (login, kind)

    WRITES = (
        ("POST", "/issues", {"title": "t"}, "issues"),
        ("PATCH", "/issues/1", {"title": "t"}, "issues"),
        ("POST", "/issues/1/comments", {"body": "b"}, "issues"),
        ("POST", "/issues/2/comments", {"body": "b"}, "pull_requests"),
        ("POST", "/issues/2/labels", {"labels": ["l"]}, "pull_requests"),
        ("POST", "/labels", {"name": "n"}, "issues"),
        ("POST", "/check-runs", {"name": "n", "head_sha": "{sha}"}, "checks"),
        ("POST", "/statuses/{sha}", {"state": "success"}, "statuses"),
        ("POST", "/git/refs", {"ref": "refs/heads/x", "sha": "{sha}"}, "contents"),
    )

    @pytest.mark.parametrize(("method", "path", "body", "scope"), WRITES)
    def test_a_write_needs_its_permission(
        self, github: FakeGitHub, call: Client, method: str, path: str, body: Any, scope: str
    ) -> None:
        sha = github.push().sha
        github.open_issue(1)
        github.open_pull(2)
        scopes = github.tokens[WRITE_TOKEN].permissions or {}
        # The second half of a pair `issues or pull_requests` would do for making a label.
        others = scopes.keys() - {scope} - ({"pull_requests"} if path == "/labels" else set())
        github.add_token("lacking", permissions=dict.fromkeys(others, "write") | {scope: "read"})
        github.add_token("least", permissions={scope: "write"})
        address = REPO + path.replace("{sha}", sha)
        fields = json.loads(json.dumps(body).replace("{sha}", sha))
        before = github.state()["repos"]

        refused = call(method, address, fields, token="lacking")
        assert refused.status_code == 403
        assert refused.json()["message"] == "Resource not accessible by integration"
        assert f"{scope}=write" in refused.headers["X-Accepted-GitHub-Permissions"]
        assert github.state()["repos"] == before
        assert call(method, address, fields, token=READ_TOKEN).status_code == 403
        assert call(method, address, fields, token="least").status_code in {200, 201}

    READS = (
        ("/issues", "issues"),
        ("/pulls", "pull_requests"),
        ("/commits/main", "contents"),
        ("/contents/README.md", "contents"),
        ("/commits/main/check-runs", "checks"),
        ("/commits/main/status", "statuses"),
        ("/actions/runs", "actions"),
    )

    @pytest.mark.parametrize(("path", "scope"), READS)
    def test_reading_what_is_private_needs_its_permission(
        self, github: FakeGitHub, call: Client, path: str, scope: str
    ) -> None:
        github.add_token("none", permissions={})
        github.add_token("least", permissions={scope: "read"})
        assert call("GET", REPO + path, token="none").status_code == 200
        github.repo.private = True
        assert call("GET", REPO + path, token="none").status_code == 403
        assert call("GET", REPO + path, token="least").status_code == 200

    def test_a_locked_conversation_locks_bots_out(self, github: FakeGitHub, call: Client) -> None:
        github.open_issue(1)
        github.lock_issue(1)
        refused = call("POST", f"{REPO}/issues/1/comments", {"body": "x"})
        assert refused.status_code == 403
        assert refused.json()["message"] == "Unable to create comment because issue is locked."
        github.add_collaborator("octocat", "write")
        allowed = call("POST", f"{REPO}/issues/1/comments", {"body": "x"}, token=PERSONAL_TOKEN)
        assert allowed.status_code == 201

    def test_issues_can_be_disabled(self, github: FakeGitHub, call: Client) -> None:
        github.repo.has_issues = False
        github.open_pull(2)
        assert call("POST", f"{REPO}/issues", {"title": "t"}).status_code == 410
        assert call("POST", f"{REPO}/issues/2/comments", {"body": "x"}).status_code == 201

    def test_an_archived_repository_is_read_only(self, github: FakeGitHub, call: Client) -> None:
        github.repo.archived = True
        assert call("POST", f"{REPO}/issues", {"title": "t"}).status_code == 403
        assert call("GET", f"{REPO}/issues").status_code == 200


class TestFaults:
    def test_the_nth_request_gets_the_status(self, github: FakeGitHub, call: Client) -> None:
        github.open_issue(1)
        github.fail("POST", r"/issues/\d+/comments$", nth=2, times=2, status=502)
        path = f"{REPO}/issues/1/comments"
        seen = [call("POST", path, {"body": "x"}).status_code for _ in range(4)]
        assert seen == [201, 502, 502, 201]
        assert len(github.repo.comments) == 2

    @pytest.mark.parametrize(("moment", "comments"), [("before", 0), ("after", 1)])
    def test_a_reset_comes_before_or_after_the_effect(
        self, github: FakeGitHub, call: Client, moment: str, comments: int
    ) -> None:
        github.open_issue(1)
        github.fail("POST", "/comments", reset=moment)
        with pytest.raises(requests.ConnectionError):
            call("POST", f"{REPO}/issues/1/comments", {"body": "x"})
        assert len(github.repo.comments) == comments

    def test_a_truncated_answer_is_shorter_than_promised(
        self, github: FakeGitHub, call: Client
    ) -> None:
        github.fail("GET", "/issues", truncate=1)
        with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.ConnectionError)):
            call("GET", f"{REPO}/issues")

    def test_a_malformed_answer_is_no_json(self, github: FakeGitHub, call: Client) -> None:
        github.fail("GET", "/issues", malformed=True)
        answer = call("GET", f"{REPO}/issues")
        assert answer.status_code == 200
        with pytest.raises(requests.exceptions.JSONDecodeError):
            answer.json()

    def test_a_delay_outlasts_the_clients_patience(self, github: FakeGitHub, call: Client) -> None:
        github.fail("GET", "/issues", delay=60)
        with pytest.raises(requests.exceptions.ReadTimeout):
            call("GET", f"{REPO}/issues", timeout=0.1)

    def test_the_secondary_limit_on_demand(self, github: FakeGitHub, call: Client) -> None:
        github.secondary_limit("POST", "/issues$", retry_after=7, status=429)
        refused = call("POST", f"{REPO}/issues", {"title": "t"})
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, "7")

    def test_a_fault_that_does_nothing_is_refused(self, github: FakeGitHub) -> None:
        with pytest.raises(ValueError, match="needs one of"):
            github.fail("GET", "/issues")


class TestSearch:
    QUERY = "/search/issues?q=repo:octo/demo+is:issue+{}"

    def found(self, call: Client, words: str) -> list[int]:
        items = call("GET", self.QUERY.format(words)).json()["items"]
        return [item["number"] for item in items]

    def test_a_change_is_seen_some_requests_later(self, github: FakeGitHub, call: Client) -> None:
        github.search_lag(requests=3)
        call("POST", f"{REPO}/issues", {"title": "Flaky test"})
        assert [self.found(call, "flaky") for _ in range(4)] == [[], [], [], [1]]

    def test_a_change_is_seen_some_seconds_later(self, github: FakeGitHub, call: Client) -> None:
        github.clock.set("2026-03-01T12:00:00Z")
        github.search_lag(seconds=30)
        call("POST", f"{REPO}/issues", {"title": "Flaky test"})
        assert self.found(call, "flaky") == []
        github.clock.advance(30)
        assert self.found(call, "flaky") == [1]

    def test_the_index_shows_an_issue_as_it_was(self, github: FakeGitHub, call: Client) -> None:
        github.open_issue(1, title="Flaky test")
        assert self.found(call, "is:open") == [1]
        github.search_lag(requests=5)
        call("PATCH", f"{REPO}/issues/1", {"state": "closed"})
        assert self.found(call, "is:open") == [1]

    def test_words_labels_and_authors(self, github: FakeGitHub, call: Client) -> None:
        github.open_issue(1, body="<!-- telltale v1:00ff -->", labels=["flaky"])
        github.open_issue(2, body="v1:00aa", user="github-actions[bot]")
        github.open_pull(3, body="v1:00ff")
        assert self.found(call, "v1:00ff".replace(":", "%20")) == [1]
        assert self.found(call, '"telltale+v1"+in:body') == [1]
        assert self.found(call, "telltale+in:title") == []
        assert self.found(call, "label:flaky") == [1]
        assert self.found(call, "author:app/github-actions") == [2]

    @pytest.mark.parametrize(
        ("query", "reason"),
        [
            ("flaky", "Query must include 'is:issue' or 'is:pull-request'"),
            ("is:issue+" + "x" * 256, "longer than 256"),
            ("is:issue+repo:octo/none", "cannot be searched"),
        ],
    )
    def test_a_search_can_be_refused(self, call: Client, query: str, reason: str) -> None:
        refused = call("GET", f"/search/issues?q={query}")
        assert refused.status_code == 422
        assert reason in refused.json()["errors"][0]["message"]


class TestArtifacts:
    def test_the_zip_lies_behind_a_redirect_that_knows_no_tokens(
        self, github: FakeGitHub, call: Client, tmp_path: Path
    ) -> None:
        run = github.add_run(101)
        github.add_artifact(run, "evidence", zipped(tmp_path / "e.zip", a="1"))
        (listed,) = call("GET", f"{REPO}/actions/runs/101/artifacts").json()["artifacts"]
        redirect = call("GET", listed["archive_download_url"], allow_redirects=False)
        assert redirect.status_code == 302
        address = redirect.headers["Location"]
        assert not address.startswith(github.url)
        assert call("GET", address, token=None).content == (tmp_path / "e.zip").read_bytes()
        assert call("GET", address).status_code == 401  # a token is refused there
        (violation,) = github.take_violations()
        assert "Authorization" in violation
        github.clock.advance(61)
        assert call("GET", address, token=None).status_code == 403

    def test_downloading_needs_a_permission_even_where_all_is_public(
        self, github: FakeGitHub, call: Client, tmp_path: Path
    ) -> None:
        artifact = github.add_artifact(github.add_run(), "e", zipped(tmp_path / "e.zip"))
        path = f"{REPO}/actions/artifacts/{artifact.id}/zip"
        github.add_token("none", permissions={"contents": "write"})
        assert call("GET", path, token="none").status_code == 403
        assert call("GET", path, token=None).status_code == 401
        assert call("GET", path, token=READ_TOKEN).status_code == 200

    def test_an_expired_artifact_is_gone(
        self, github: FakeGitHub, call: Client, tmp_path: Path
    ) -> None:
        artifact = github.add_artifact(github.add_run(), "e", zipped(tmp_path / "e.zip"))
        github.expire_artifact(artifact.id)
        (listed,) = call("GET", f"{REPO}/actions/artifacts").json()["artifacts"]
        assert listed["expired"]
        assert call("GET", listed["archive_download_url"]).status_code == 410

    @pytest.mark.usefixtures("npm_packages")
    def test_the_folder_of_act_is_read_live(self, tmp_path: Path) -> None:
        with FakeGitHub(artifacts=tmp_path) as github:
            call = Client(github.url)
            github.add_run(101)
            path = f"{REPO}/actions/runs/101/artifacts"
            assert call("GET", path).json()["total_count"] == 0
            (tmp_path / "101/evidence").mkdir(parents=True)
            zipped(tmp_path / "101/evidence/evidence.zip", a="1")
            (first,) = call("GET", path).json()["artifacts"]
            assert first["name"] == "evidence"
            zipped(tmp_path / "101/evidence/evidence.zip", a="1", b="2")
            (second,) = call("GET", path).json()["artifacts"]
            assert second["id"] != first["id"]
            assert call("GET", f"{REPO}/actions/runs/102/artifacts").status_code == 404
            call.session.close()
            assert not github.violations

    def test_jobs_belong_to_attempts(self, github: FakeGitHub, call: Client) -> None:
        github.add_job(github.add_run(101, conclusion="failure"), conclusion="failure")
        github.add_job(github.add_run(101))
        run = f"{REPO}/actions/runs/101"
        assert call("GET", run).json()["run_attempt"] == 2

        def conclusions(path: str) -> list[str]:
            return [job["conclusion"] for job in call("GET", run + path).json()["jobs"]]

        assert conclusions("/jobs") == ["success"]
        assert conclusions("/jobs?filter=all") == ["failure", "success"]
        assert conclusions("/attempts/1/jobs") == ["failure"]
        assert call("GET", f"{run}/attempts/3/jobs").status_code == 404


class TestETags:
    def test_what_did_not_change_is_304_and_free(self, github: FakeGitHub, call: Client) -> None:
        github.open_issue(1)
        first = call("GET", f"{REPO}/issues/1")
        again = call("GET", f"{REPO}/issues/1", headers={"If-None-Match": first.headers["ETag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["X-RateLimit-Used"] == first.headers["X-RateLimit-Used"]
        call("PATCH", f"{REPO}/issues/1", {"title": "changed"})
        changed = call("GET", f"{REPO}/issues/1", headers={"If-None-Match": first.headers["ETag"]})
        assert changed.status_code == 200


class TestPullRequests:
    def test_the_filter_by_head_wants_an_owner(self, github: FakeGitHub, call: Client) -> None:
        github.open_pull(1, "feature")
        github.open_pull(2, "feature", fork="mallory/demo")

        def numbers(query: str) -> list[int]:
            return [pull["number"] for pull in call("GET", f"{REPO}/pulls?{query}").json()]

        assert numbers("head=octo:feature") == [1]
        assert numbers("head=mallory:feature") == [2]
        assert numbers("head=feature") == [2, 1]  # GitHub ignores it
        assert numbers("head=octo:feature&state=closed") == []

    def test_a_fork_is_not_found_by_its_commit_nor_named_by_its_run(
        self, github: FakeGitHub, call: Client
    ) -> None:
        for number, fork in ((1, None), (2, "mallory/demo")):
            pull = github.open_pull(number, f"feature-{number}", fork=fork).pull
            assert pull is not None
            github.add_run(100 + number, pull=number)
            commit = call("GET", f"{REPO}/commits/{pull.head_sha}/pulls").json()
            run = call("GET", f"{REPO}/actions/runs/{100 + number}").json()
            found = [1] if fork is None else []
            assert [found["number"] for found in commit] == found
            assert [found["number"] for found in run["pull_requests"]] == found
            assert run["head_repository"]["full_name"] == (fork or "octo/demo")

    def test_a_pull_request_moves_with_its_branch_and_keeps_its_merge_base(
        self, github: FakeGitHub, call: Client
    ) -> None:
        base = github.push(files={"a.py": "1"}).sha
        github.open_pull(1)
        head = github.push(branch="feature", files={"a.py": "2"}).sha
        main = github.push(files={"b.py": "1"}).sha
        pull = call("GET", f"{REPO}/pulls/1").json()
        assert (pull["head"]["sha"], pull["base"]["sha"]) == (head, base)
        compared = call("GET", f"{REPO}/compare/main...feature").json()
        assert compared["merge_base_commit"]["sha"] == base
        assert (compared["status"], compared["ahead_by"], compared["behind_by"]) == (
            "diverged",
            2,
            1,
        )
        merge = call("GET", f"{REPO}/commits/{pull['merge_commit_sha']}").json()
        assert [parent["sha"] for parent in merge["parents"]] == [base, head]
        assert main not in merge["parents"]

    def test_a_merged_one_is_found_by_its_commit(self, github: FakeGitHub, call: Client) -> None:
        pull = github.open_pull(1).pull
        assert pull is not None
        github.merge_pull(1)
        (found,) = call("GET", f"{REPO}/commits/{pull.head_sha}/pulls").json()
        assert (found["number"], found["state"]) == (1, "closed")
        assert call("GET", f"{REPO}/pulls/1").json()["merged"]

    def test_one_whose_commits_came_into_the_base_is_merged(
        self, github: FakeGitHub, call: Client
    ) -> None:
        pull = github.open_pull(1).pull
        assert pull is not None
        merge = github.push(parents=[github.repo.refs["refs/heads/main"], pull.head_sha]).sha
        shown = call("GET", f"{REPO}/pulls/1").json()
        assert (shown["state"], shown["merged"]) == ("closed", True)
        assert shown["merge_commit_sha"] == merge

    def test_a_deleted_fork_leaves_its_pull_request(self, github: FakeGitHub, call: Client) -> None:
        github.open_pull(1, fork="mallory/demo")
        github.delete_fork("mallory/demo")
        assert call("GET", f"{REPO}/pulls/1").json()["head"]["repo"] is None


class TestIssues:
    def test_pull_requests_are_issues_too(self, github: FakeGitHub, call: Client) -> None:
        github.open_issue(1)
        github.open_pull(2)
        listed = call("GET", f"{REPO}/issues").json()
        assert [("pull_request" in issue, issue["number"]) for issue in listed] == [
            (True, 2),
            (False, 1),
        ]

    def test_the_list_can_be_narrowed(self, github: FakeGitHub, call: Client) -> None:
        github.open_issue(1, labels=["flaky", "telltale"], at="2026-01-01T00:00:00Z")
        github.open_issue(2, labels=["Flaky"], user="mallory", at="2026-02-01T00:00:00Z")
        github.close_issue(2, at="2026-02-02T00:00:00Z")

        def numbers(query: str) -> list[int]:
            return [issue["number"] for issue in call("GET", f"{REPO}/issues?{query}").json()]

        assert numbers("labels=flaky&state=all") == [2, 1]
        assert numbers("labels=flaky,telltale&state=all") == [1]
        assert numbers("creator=mallory&state=closed") == [2]
        assert numbers("since=2026-02-01T00:00:00Z&state=all") == [2]
        assert numbers("state=all&direction=asc") == [1, 2]

    def test_closing_and_reopening_is_recorded(self, github: FakeGitHub, call: Client) -> None:
        github.open_issue(1)
        closed = call("PATCH", f"{REPO}/issues/1", {"state": "closed"}).json()
        assert closed["state_reason"] == "completed"
        assert closed["closed_by"]["login"] == "github-actions[bot]"
        reopened = call("PATCH", f"{REPO}/issues/1", {"state": "open"}).json()
        assert (reopened["state_reason"], reopened["closed_at"]) == ("reopened", None)


class TestAddresses:
    def test_the_api_is_named_as_the_client_reached_it_and_pages_as_told(
        self, github: FakeGitHub, call: Client
    ) -> None:
        github.open_issue(1)
        github.server_url = "https://github.example.org"
        issue = requests.get(
            f"{github.url.replace('127.0.0.1', 'localhost')}{REPO}/issues/1", timeout=10
        ).json()
        assert issue["url"].startswith("http://localhost:")
        assert issue["html_url"] == "https://github.example.org/octo/demo/issues/1"
        assert call("GET", f"{REPO}/issues/1").json()["url"].startswith(github.url)


class TestGit:
    @pytest.fixture
    def git(self, tmp_path: Path) -> Callable[..., str]:
        """Run git in a clone of a real bare repository, `tmp_path/bare`."""
        work = tmp_path / "work"
        who = ("-c", "user.name=Octo Cat", "-c", "user.email=octo@example.org")

        def run(*arguments: str) -> str:
            command = ["git", "-C", str(work), *who, *arguments]
            return subprocess.run(
                command, check=True, capture_output=True, text=True
            ).stdout.strip()

        for folder, options in (("bare", ["--bare"]), ("work", [])):
            command = ["git", "init", "--quiet", "--initial-branch=main", *options]
            subprocess.run([*command, str(tmp_path / folder)], check=True)
        (work / "src").mkdir()
        (work / "src/a.py").write_text("a = 1\n", encoding="utf-8")
        run("add", ".")
        run("commit", "-qm", "One\n\nBody")
        run("push", "-q", str(tmp_path / "bare"), "main")
        return run

    def test_a_real_repository_is_read_live(
        self, github: FakeGitHub, call: Client, git: Callable[..., str], tmp_path: Path
    ) -> None:
        github.use_git(tmp_path / "bare")
        first = git("rev-parse", "HEAD")
        commit = call("GET", f"{REPO}/commits/main").json()
        assert (commit["sha"], commit["commit"]["message"]) == (first, "One\n\nBody")
        assert commit["commit"]["author"]["name"] == "Octo Cat"
        git("switch", "-qc", "feature")
        git("commit", "-qm", "Two", "--allow-empty")
        git("push", "-q", str(tmp_path / "bare"), "feature")
        github.open_pull(1, "feature")
        git("commit", "-qm", "Three", "--allow-empty")
        git("push", "-q", str(tmp_path / "bare"), "feature")
        assert call("GET", f"{REPO}/pulls/1").json()["head"]["sha"] == git("rev-parse", "HEAD")
        shown = call("GET", f"{REPO}/contents/src/a.py?ref=feature")
        assert shown.json()["sha"] == git("rev-parse", "HEAD:src/a.py")
        tree = call("GET", f"{REPO}/git/trees/{git('rev-parse', 'HEAD^{tree}')}?recursive=1")
        assert [entry["path"] for entry in tree.json()["tree"]] == ["src", "src/a.py"]
        assert tree.json()["tree"][0]["sha"] == git("rev-parse", "HEAD:src")

    def test_a_ref_made_here_is_made_there(
        self, github: FakeGitHub, call: Client, git: Callable[..., str], tmp_path: Path
    ) -> None:
        github.use_git(tmp_path / "bare")
        sha = git("rev-parse", "HEAD")
        call("POST", f"{REPO}/git/refs", {"ref": "refs/heads/telltale/x", "sha": sha})
        assert git("ls-remote", str(tmp_path / "bare"), "refs/heads/telltale/x").startswith(sha)
        assert call("GET", f"{REPO}/git/ref/heads/telltale/x").json()["object"]["sha"] == sha
        assert call("DELETE", f"{REPO}/git/refs/heads/telltale/x").status_code == 204
        assert call("GET", f"{REPO}/git/ref/heads/telltale/x").status_code == 404

    def test_nothing_made_up_is_pushed_there(
        self, github: FakeGitHub, git: Callable[..., str], tmp_path: Path
    ) -> None:
        github.use_git(tmp_path / "bare")
        before = git("ls-remote", str(tmp_path / "bare"))
        with pytest.raises(ValueError, match="is a real repository: push to"):
            github.push()
        assert git("ls-remote", str(tmp_path / "bare")) == before

    def test_a_repository_without_commits_answers_409(
        self, github: FakeGitHub, call: Client, tmp_path: Path
    ) -> None:
        subprocess.run(["git", "init", "--quiet", "--bare", str(tmp_path / "empty")], check=True)
        github.use_git(tmp_path / "empty")
        for path in ("/commits", "/git/ref/heads/main"):
            refused = call("GET", REPO + path)
            assert (refused.status_code, refused.json()["message"]) == (
                409,
                "Git Repository is empty.",
            )

    def test_a_branch_moves_forward_unless_forced(self, github: FakeGitHub, call: Client) -> None:
        first = github.push().sha
        github.push()
        path = f"{REPO}/git/refs/heads/main"
        assert call("PATCH", path, {"sha": first}).status_code == 422
        assert call("PATCH", path, {"sha": first, "force": True}).status_code == 200
        made = call("POST", f"{REPO}/git/refs", {"ref": "refs/heads/main", "sha": first})
        assert (made.status_code, made.json()["message"]) == (422, "Reference already exists")


class TestViolations:
    BROKEN: tuple[tuple[str, str, Any, str], ...] = (
        ("POST", "/issues", {"body": "no title"}, '"title" wasn\'t supplied'),
        ("POST", "/issues", {"title": "t", "labels": "flaky"}, '"flaky" is not an array'),
        ("POST", "/issues", {"title": "t", "label": ["flaky"]}, "'label' was unexpected"),
        ("PATCH", "/issues/1", {"state": "done"}, "'done' is not one of"),
        ("POST", "/issues/1/labels", {"labels": "flaky"}, "'flaky'"),
        ("POST", "/issues/1/comments", None, "request body"),
        ("GET", "/pulls?stat=open", None, "unknown query parameter 'stat'"),
        ("GET", "/pulls?state=done", None, "'done' is not one of"),
        ("GET", "/issues?per_page=many", None, "per_page"),
        ("GET", "/unheard-of", None, "no such route"),
        ("POST", "/issues/1", {}, "no such route"),
        (
            "POST",
            "/check-runs",
            {
                "name": "n",
                "head_sha": "s",
                "output": {"title": "t", "summary": "s", "annotations": [ANNOTATION] * 51},
            },
            "No more than 50 items are allowed; 51 were supplied.",
        ),
        (
            "POST",
            "/check-runs",
            {"name": "n", "head_sha": "s", "output": {"title": "t", "summary": "s" * 65536}},
            "Only 65535 characters are allowed; 65536 were supplied.",
        ),
    )

    @pytest.mark.parametrize(("method", "path", "body", "reason"), BROKEN)
    def test_a_request_that_github_does_not_describe_is_caught(
        self, github: FakeGitHub, call: Client, method: str, path: str, body: Any, reason: str
    ) -> None:
        github.open_issue(1)
        before = github.state()["repos"]
        refused = call(method, REPO + path, body)
        assert refused.status_code == (404 if "no such route" in reason else 422)
        violations = github.take_violations()
        assert reason in "\n".join(violations)
        assert all(v.startswith(f"{method} {REPO}{path.partition('?')[0]}: ") for v in violations)
        assert github.state()["repos"] == before

    def test_an_answer_that_github_does_not_describe_is_caught(
        self, github: FakeGitHub, call: Client
    ) -> None:
        github.open_issue(1).title = None  # type: ignore[assignment]
        call("GET", f"{REPO}/issues/1")
        violations = "\n".join(github.take_violations())
        assert "the fake's answer 200: For 'properties/title', null is not a string" in violations

    def test_a_crash_of_the_fake_is_caught(self, github: FakeGitHub, call: Client) -> None:
        github.open_issue(1).labels.append("never made")
        assert call("GET", f"{REPO}/issues/1").status_code == 500
        (violation,) = github.take_violations()
        assert "the fake crashed" in violation

    def test_a_violation_fails_the_test_at_its_end(
        self, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PYTHONPATH", str(ROOT))
        pytester.makeconftest("from tests.conftest import *")
        pytester.makepyfile(
            """
            import requests

            def test_that_misspells(github):
                headers = {"Authorization": f"Bearer {github.token}"}
                address = f"{github.url}/repos/octo/demo/issues"
                requests.post(address, json={"titel": "t"}, headers=headers)
            """
        )
        result = pytester.runpytest_subprocess("-p", "no:cacheprovider", f"--rootdir={ROOT}")
        result.assert_outcomes(passed=1, errors=1)
        result.stdout.fnmatch_lines(["*'titel' was unexpected*"])


class TestPyGithub:
    def test_a_bots_day(self, github: FakeGitHub, pygithub: Github) -> None:
        github.open_pull(7)
        repo = pygithub.get_repo("octo/demo")
        pull = repo.get_pull(7)
        comment = pull.create_issue_comment("first")
        comment.edit("second")
        pull.add_to_labels("performance")
        issue = repo.create_issue("Flaky", body="body", labels=["flaky"])
        issue.edit(state="closed", state_reason="completed")
        check = repo.create_check_run("telltale", pull.head.sha, status="in_progress")
        check.edit(conclusion="success", output={"title": "t", "summary": "s"})
        repo.get_commit(pull.head.sha).create_status("success", context="telltale")
        assert [found.number for found in pygithub.search_issues("is:issue Flaky")] == [8]

        assert [comment.body for comment in github.repo.comments_on(7)] == ["second"]
        assert github.repo.issues[7].labels == ["performance"]
        assert github.repo.issues[8].state == "closed"
        assert [run.conclusion for run in github.repo.check_runs.values()] == ["success"]
        assert [status.state for status in github.repo.statuses] == ["success"]

    def test_errors_arrive_as_they_are(self, github: FakeGitHub, pygithub: Github) -> None:
        github.open_issue(1)
        with pytest.raises(GithubException) as caught:
            pygithub.get_repo("octo/demo").get_issue(1).create_comment("x" * 65537)
        assert caught.value.status == 422
        assert caught.value.data["errors"][0]["field"] == "data"


@pytest.mark.usefixtures("npm_packages")
class TestProcess:
    @pytest.fixture
    def start(
        self, tmp_path: Path
    ) -> Iterator[Callable[..., tuple[subprocess.Popen[str], Client]]]:
        """Start the fake as a process; wait for its port file."""
        started: list[tuple[subprocess.Popen[str], Client]] = []

        def run(*options: str) -> tuple[subprocess.Popen[str], Client]:
            port_file = tmp_path / "port"
            process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "tests.fake_github",
                    "--port-file",
                    str(port_file),
                    *options,
                ],
                cwd=ROOT,
                stderr=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            # It says so on stdout once it serves: no polling.
            assert process.stdout is not None
            assert process.stdout.readline().startswith("serving")
            client = Client(f"http://127.0.0.1:{port_file.read_text(encoding='ascii')}")
            started.append((process, client))
            return process, client

        yield run
        for process, client in started:
            client.session.close()
            process.kill()
            process.communicate()

    def test_seed_state_faults_and_end(
        self, start: Callable[..., tuple[subprocess.Popen[str], Client]], tmp_path: Path
    ) -> None:
        seed = [
            {"do": "push", "sha": "a" * 40, "files": {"a.py": "1"}},
            {"do": "open_pull", "number": 7, "fork": "mallory/demo"},
            {"do": "add_run", "run_id": 101, "pull": 7},
        ]
        (tmp_path / "seed.json").write_text(json.dumps(seed), encoding="utf-8")
        state = tmp_path / "state.json"
        process, call = start("--seed", str(tmp_path / "seed.json"), "--state", str(state))

        call("POST", f"{REPO}/issues/7/comments", {"body": "hello"})
        call("POST", "/_fake/faults", {"method": "GET", "route": "/issues$", "status": 503})
        assert call("GET", f"{REPO}/issues").status_code == 503
        (opened,) = call("POST", "/_fake/seed", [{"do": "open_issue", "number": 9}]).json()
        assert opened["number"] == 9
        nonsense = call("POST", "/_fake/seed", [{"do": "explode"}])
        assert nonsense.status_code == 400
        assert "do is 'explode'" in nonsense.json()["message"]

        written = json.loads(state.read_text(encoding="utf-8"))["repos"]["octo/demo"]
        assert [comment["body"] for comment in written["comments"].values()] == ["hello"]
        assert written["issues"].keys() == {"7", "9"}
        assert written["refs"]["refs/heads/main"] == "a" * 40
        assert call("GET", "/_fake/state").json()["repos"]["octo/demo"] == written
        process.terminate()
        assert process.wait(timeout=10) == 0

    def test_violations_are_its_exit_status(
        self, start: Callable[..., tuple[subprocess.Popen[str], Client]]
    ) -> None:
        process, call = start()
        call("POST", f"{REPO}/issues", {"titel": "t"})
        assert "titel" in "\n".join(call("GET", "/_fake/violations").json())
        process.terminate()
        assert process.wait(timeout=10) == 1
        assert process.stderr is not None
        assert "'titel' was unexpected" in process.stderr.read()

    def test_a_bad_seed_is_one_line(self, tmp_path: Path) -> None:
        (tmp_path / "seed.json").write_text('[{"do": "open_pull", "nr": 7}]', encoding="utf-8")
        options = ["--port-file", str(tmp_path / "port"), "--seed", str(tmp_path / "seed.json")]
        done = subprocess.run(
            [sys.executable, "-m", "tests.fake_github", *options],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 2
        assert "step 1, open_pull: TypeError" in done.stderr
        assert done.stderr.count("\n") == 1
