"""What is an object store's own: conditions, lost answers, and every way to be refused."""

from __future__ import annotations

import os
import re
import socket
import sys
import threading
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from telltale.errors import HistoryError, SetupError, UsageError
from telltale.history import layout, open_history
from telltale.history.interface import History
from tests.object_store import BUCKET, KEY, SECRET, Answer, Environ, ObjectStore, refusal
from tests.unit.history_records import UNIT, main_run

Ask = Callable[[], Answer]
UNKNOWN_HEADER = (
    b"<Error><Code>InvalidArgument</Code><ArgumentName>If-None-Match</ArgumentName></Error>"
)


@pytest.fixture
def uri() -> str:
    return f"s3://{BUCKET}/{uuid.uuid4().hex}"


def opened(uri: str) -> History:
    return open_history(uri, cwd=Path.cwd(), environ=os.environ)


def conditional(environ: Environ) -> bool:
    return "HTTP_IF_NONE_MATCH" in environ


class TestConditions:
    @pytest.mark.usefixtures("s3")
    def test_many_writers_of_one_record_write_it_once(self, uri: str) -> None:
        records = [main_run(number) for number in range(3)]
        barrier = threading.Barrier(6)

        def write() -> Sequence[str]:
            history = opened(uri)
            barrier.wait()
            return history.add(records)

        with ThreadPoolExecutor(6) as pool:
            writers = [pool.submit(write) for _ in range(6)]
        written = [path for writer in writers for path in writer.result()]

        assert sorted(written) == sorted(layout.path_of(record) for record in records)
        assert len(opened(uri).load(UNIT)) == 3

    def test_a_write_whose_answer_was_lost_counts_as_written(
        self, s3: ObjectStore, uri: str
    ) -> None:
        lost: list[str] = []

        def lose(environ: Environ, ask: Ask) -> Answer:
            answer = ask()
            if conditional(environ) and ".json.gz" in environ["PATH_INFO"] and not lost:
                lost.append(answer[0])
                return refusal("500 Internal Server Error", "InternalError")
            return answer

        s3.fault = lose
        assert opened(uri).add([main_run(1)]) == (layout.path_of(main_run(1)),)
        assert lost == ["200 OK"]

    def test_a_conflict_is_tried_again(self, s3: ObjectStore, uri: str) -> None:
        conflicts: list[str] = []

        def conflict(environ: Environ, ask: Ask) -> Answer:
            if conditional(environ) and len(conflicts) < 3:
                conflicts.append(environ["PATH_INFO"])
                return refusal("409 Conflict", "ConditionalRequestConflict")
            return ask()

        s3.fault = conflict
        assert opened(uri).add([main_run(1)]) == (layout.path_of(main_run(1)),)
        assert len(conflicts) == 3

    @pytest.mark.parametrize(
        "answer",
        [
            pytest.param(refusal("501 Not Implemented", "NotImplemented"), id="not-implemented"),
            pytest.param(
                ("400 Bad Request", [], UNKNOWN_HEADER),
                id="invalid-argument",
            ),
        ],
    )
    def test_a_server_that_refuses_conditions(
        self, s3: ObjectStore, uri: str, answer: Answer
    ) -> None:
        s3.fault = lambda environ, ask: answer if conditional(environ) else ask()
        assert opened(uri).add([main_run(1)]) == (layout.path_of(main_run(1)),)
        assert opened(uri).add([main_run(1)]) == ()
        assert opened(uri).load(UNIT) == (main_run(1),)

    def test_a_server_that_passes_over_conditions(self, s3: ObjectStore, uri: str) -> None:
        def ignore(environ: Environ, ask: Ask) -> Answer:
            environ.pop("HTTP_IF_NONE_MATCH", None)
            return ask()

        s3.fault = ignore
        assert opened(uri).add([main_run(1)]) == (layout.path_of(main_run(1)),)
        s3.requests.clear()
        assert opened(uri).add([main_run(1)]) == ()
        assert {method for method, _ in s3.requests} == {"HEAD"}


class TestMany:
    def test_a_list_of_several_pages(self, s3: ObjectStore, uri: str) -> None:
        opened(uri).add([main_run(number) for number in range(7)])

        def short_pages(environ: Environ, ask: Ask) -> Answer:
            environ["QUERY_STRING"] = environ["QUERY_STRING"].replace("max-keys=1000", "max-keys=2")
            return ask()

        s3.fault = short_pages
        s3.requests.clear()
        assert len(opened(uri).load(UNIT)) == 7
        assert s3.requests.count(("GET", f"/{BUCKET}")) == 4

    def test_records_are_read_at_once(self, s3: ObjectStore, uri: str) -> None:
        opened(uri).add([main_run(number) for number in range(8)])
        together = threading.Barrier(8)

        def meet(environ: Environ, ask: Ask) -> Answer:
            if ".json.gz" in environ["PATH_INFO"]:
                together.wait(timeout=30)  # broken, and an error, when they come one by one
            return ask()

        s3.fault = meet
        assert len(opened(uri).load(UNIT)) == 8

    def test_what_was_written_before_an_error_stays_and_the_rest_can_follow(
        self, s3: ObjectStore, uri: str
    ) -> None:
        records = [main_run(1), main_run(2)]
        refused = layout.path_of(main_run(2))

        def full(environ: Environ, ask: Ask) -> Answer:
            if environ["REQUEST_METHOD"] == "PUT" and environ["PATH_INFO"].endswith(refused):
                return refusal("507 Insufficient Storage", "QuotaExceeded")
            return ask()

        s3.fault = full
        with pytest.raises(
            HistoryError,
            match=r"answered 507 \(QuotaExceeded\) to PutObject: .*2 of 3 files were written",
        ):
            opened(uri).add(records)
        assert opened(uri).load(UNIT) == (main_run(1),)

        s3.fault = None
        assert opened(uri).add(records) == (refused,)

    def test_an_answer_that_breaks_off_is_asked_for_again(self, s3: ObjectStore, uri: str) -> None:
        opened(uri).add([main_run(1)])
        broken: list[int] = []

        def break_off(environ: Environ, ask: Ask) -> Answer:
            status, headers, body = ask()
            if ".json.gz" in environ["PATH_INFO"] and len(broken) < 2:
                broken.append(len(body))
                return status, headers, body[:10]
            return status, headers, body

        s3.fault = break_off
        assert opened(uri).load(UNIT) == (main_run(1),)
        assert len(broken) == 2

    def test_it_is_not_asked_for_for_ever(self, s3: ObjectStore, uri: str) -> None:
        opened(uri).add([main_run(1)])

        def break_off(environ: Environ, ask: Ask) -> Answer:
            status, headers, body = ask()
            return status, headers, body[:10] if ".json.gz" in environ["PATH_INFO"] else body

        s3.fault = break_off
        with pytest.raises(HistoryError, match="cannot be reached at 127"):
            opened(uri).load(UNIT)


class TestErrors:
    """One clear line each, never an empty history, and no credentials in it."""

    def said(self, uri: str) -> str:
        said = set()
        for do in (
            lambda: opened(uri).series(),
            lambda: opened(uri).load(UNIT),
            lambda: opened(uri).add([main_run(1)]),
            lambda: opened(uri).put_folder("scaffolds/a", {}),
        ):
            with pytest.raises(HistoryError) as caught:
                do()
            message = str(caught.value)
            assert SECRET not in message
            assert KEY not in message
            assert "\n" not in message
            said.add(message.partition(". 0 of ")[0])
        (message,) = said
        return message

    @pytest.mark.usefixtures("s3")
    def test_no_such_bucket(self) -> None:
        expected = r"s3://missing/h: there is no bucket missing at 127\.0\.0\.1:\d+: make it, or"
        assert re.match(expected, self.said("s3://missing/h"))

    @pytest.mark.usefixtures("s3")
    def test_nobody_listens(self, uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))  # bound and not listening: refused at once
            port = taken.getsockname()[1]
            monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://user:{SECRET}@127.0.0.1:{port}")
            monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
            said = self.said(uri)
        assert f"cannot be reached at 127.0.0.1:{port} (EndpointConnectionError): check" in said

    @pytest.mark.parametrize(
        "code",
        [
            "AccessDenied",
            "InvalidAccessKeyId",
            "SignatureDoesNotMatch",
            "ExpiredToken",
            f"{SECRET}!",
        ],
    )
    def test_denied(self, s3: ObjectStore, uri: str, code: str) -> None:
        s3.fault = lambda *_: refusal("403 Forbidden", code)
        assert "denies access" in self.said(uri)

    def test_in_another_region(self, s3: ObjectStore, uri: str) -> None:
        s3.fault = lambda environ, _: (
            refusal("404 Not Found")
            if environ["REQUEST_METHOD"] == "HEAD"
            else refusal("400 Bad Request", "AuthorizationHeaderMalformed")
        )
        assert "in another region (AuthorizationHeaderMalformed): set AWS_REGION" in self.said(uri)

    def test_a_server_in_trouble(
        self, s3: ObjectStore, uri: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
        s3.fault = lambda *_: refusal("503 Slow Down", "SlowDown")
        with pytest.raises(HistoryError, match=r"answered 503 \(SlowDown\) to ListObjectsV2: try"):
            opened(uri).series()

    def test_trouble_that_passes_is_no_error(self, s3: ObjectStore, uri: str) -> None:
        trouble: list[int] = []

        def pass_by(_: Environ, ask: Ask) -> Answer:
            if len(trouble) < 1:
                trouble.append(1)
                return refusal("503 Slow Down", "SlowDown")
            return ask()

        s3.fault = pass_by
        assert opened(uri).series() == ()
        assert trouble

    @pytest.mark.usefixtures("s3")
    def test_no_credentials(self, uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
        assert "no usable credentials (NoCredentialsError): set AWS_ACCESS_KEY_ID" in self.said(uri)

    @pytest.mark.usefixtures("s3")
    def test_a_profile_that_is_not_there(self, uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_PROFILE", "nobody")
        assert "no usable credentials (ProfileNotFound)" in self.said(uri)

    @pytest.mark.usefixtures("s3")
    def test_an_endpoint_that_is_none(self, uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"no-scheme:{SECRET}")
        assert "check the AWS_* variables" in self.said(uri)

    @pytest.mark.parametrize(
        "address",
        [
            "s3://",
            "s3:///prefix",
            f"s3://{KEY}:{SECRET}@bucket/prefix",
            "s3://bucket/a//b",
            "s3://bucket/a\nb",
            "s3://a?b",
        ],
    )
    def test_no_address(self, address: str) -> None:
        with pytest.raises(UsageError, match="expected s3://BUCKET/PREFIX") as caught:
            opened(address)
        assert SECRET not in str(caught.value)

    def test_without_boto3(self, uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delitem(sys.modules, "telltale.history.bucket", raising=False)
        monkeypatch.setitem(sys.modules, "boto3", None)
        with pytest.raises(SetupError, match=r"boto3 is missing in .*-r bot/extras/s3\.txt"):
            opened(uri)


def test_the_whole_bucket_is_a_history_too(s3: ObjectStore) -> None:
    s3.client.create_bucket(
        Bucket="whole", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
    )
    assert opened("s3://whole").add([main_run(1)])
    assert opened("s3://whole/").load(UNIT) == (main_run(1),)


def test_objects_that_consoles_make_for_folders_are_passed_over(s3: ObjectStore, uri: str) -> None:
    prefix = uri.removeprefix(f"s3://{BUCKET}/")
    for folder in ("records/", "records/x/"):
        s3.client.put_object(Bucket=BUCKET, Key=f"{prefix}/{folder}", Body=b"")
    assert opened(uri).series() == ()
