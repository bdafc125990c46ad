"""
An S3 server of the tests' own: moto's, on a free port, with faults on demand.

Faults happen between the client and moto, so that the client meets them as it
would meet a server's: a status, a connection that ends, a header passed over.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import boto3
from botocore.config import Config
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

BUCKET = "evidence"
KEY = "AKIATESTTESTTESTTEST"
SECRET = "aSecretThatNoMessageMayHold"  # noqa: S105 - of the tests' server

Environ = dict[str, Any]
Answer = tuple[str, list[tuple[str, str]], bytes]
"""Status, headers, body."""
Fault = Callable[[Environ, Callable[[], Answer]], Answer]
"""From a request, and how to ask moto, to the answer that the client gets."""


@dataclass(kw_only=True)
class ObjectStore:
    """A running server; `client` looks at it from outside of the program under test."""

    url: str
    client: Any
    requests: list[tuple[str, str]] = field(default_factory=list)
    """Method and path of each request, in the order in which they came."""
    fault: Fault | None = None
    """Asked at every request; it may change what moto sees of it."""

    def environ(self) -> dict[str, str]:
        """The variables with which a program finds this server."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": "eu-central-1",
            # No program of the tests may find a role or a profile of the machine that runs them.
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        }

    def objects(self, prefix: str) -> dict[str, tuple[bytes, Mapping[str, str]]]:
        """Every object below a prefix, by the rest of its key, with its metadata."""
        found = {}
        pages = self.client.get_paginator("list_objects_v2").paginate(
            Bucket=BUCKET, Prefix=f"{prefix}/"
        )
        for page in pages:
            for item in page.get("Contents", ()):
                got = self.client.get_object(Bucket=BUCKET, Key=item["Key"])
                found[item["Key"].removeprefix(f"{prefix}/")] = (
                    got["Body"].read(),
                    got["Metadata"],
                )
        return found


@contextmanager
def object_store() -> Iterator[ObjectStore]:
    """Serve S3 on a free port of this machine until the end of the block."""
    moto = DomainDispatcherApplication(create_backend_app)
    # moto looks and then writes: a server that promises conditions does both as one.
    one_at_a_time = threading.Lock()
    store: ObjectStore

    def serve(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        store.requests.append((environ["REQUEST_METHOD"], environ["PATH_INFO"]))
        length = int(environ.get("CONTENT_LENGTH") or 0)
        environ["wsgi.input"] = io.BytesIO(environ["wsgi.input"].read(length))

        def ask() -> Answer:
            said: list[Any] = []
            with one_at_a_time:
                body = b"".join(moto(environ, lambda *head: said.extend(head)))
            return said[0], said[1], body

        status, headers, body = store.fault(environ, ask) if store.fault else ask()
        start_response(status, headers)
        return [body]

    server = make_server("127.0.0.1", 0, serve, threaded=True, request_handler=_Quiet)
    url = f"http://127.0.0.1:{server.server_port}"
    client = boto3.client(
        "s3",
        endpoint_url=url,
        aws_access_key_id=KEY,
        aws_secret_access_key=SECRET,
        region_name="eu-central-1",
        config=Config(retries={"total_max_attempts": 1}),
    )
    store = ObjectStore(url=url, client=client)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        client.create_bucket(
            Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
        )
        yield store
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        client.close()


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Say nothing."""


def refusal(status: str, code: str = "") -> Answer:
    """Return an error as S3 words it; the message repeats what a careless server might."""
    body = f"<Error><Code>{code}</Code><Message>{SECRET} {KEY}</Message></Error>" if code else ""
    headers = [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))]
    return status, headers, body.encode()
