"""
A history in an object store: `s3://BUCKET/PREFIX`, by any server that speaks S3.

An object appears whole or not at all, and a reader sees it as soon as its
writer is told so. What an object store has not is a change of several objects
at once: `add` and `replace` say what that means.

Sources: Amazon S3's pages "How to prevent object overwrites with conditional
writes" and "PutObject" (errors 409 and 412), and boto3's "Configuration".
"""

from __future__ import annotations

import contextlib
import itertools
import re
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

import boto3
from boto3.compat import filter_python_deprecation_warnings
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from telltale.errors import HistoryError, UsageError
from telltale.history.bucket_faults import (
    BROKEN_READ,
    code_of,
    explain,
    lacks_conditions,
    status_of,
)
from telltale.history.interface import MAX_FILE_BYTES, FileContent

T = TypeVar("T")

AT_ONCE = 16
"""Requests in flight: records are small, so that their number is what takes time."""
_TRIES = 5
_CONNECT_S = 10
_READ_S = 60
_PAGE = 1000
_DELETED_A_REQUEST = 1000

_ADDRESS = re.compile(r"s3://([A-Za-z0-9._-]{3,255})(?:/(.*))?", re.DOTALL)


class BucketStore:
    """
    Objects below a prefix of a bucket, which must exist.

    Credentials, region and endpoint come from where every AWS program has
    them: variables (`AWS_ENDPOINT_URL`, `AWS_REGION`, ...), profiles, the
    machine's role.
    """

    def __init__(self, uri: str, *, environ: Mapping[str, str]) -> None:
        self._bucket, self._prefix = parse(uri)
        self._client = self._connect(environ)
        self._sizes: dict[str, int] = {}

    @property
    def where(self) -> str:
        """Where it is, for people."""
        return f"s3://{self._bucket}/{self._prefix}".rstrip("/")

    def paths(self, folder: str) -> tuple[str, ...]:
        """Return the paths of all objects below a folder, sorted."""
        prefix = self._key("")
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket,
            Prefix=self._key(f"{folder}/"),
            PaginationConfig={"PageSize": _PAGE},
        )
        found = {}
        for page in self._asking(lambda: list(pages)):
            for item in page.get("Contents", ()):
                # Consoles make objects such as `records/` to show a folder.
                if not item["Key"].endswith("/"):
                    found[item["Key"].removeprefix(prefix)] = item["Size"]
        self._sizes.update(found)
        return tuple(sorted(found))

    def sizes(self, paths: Sequence[str]) -> Mapping[str, int]:
        """Return the bytes of those that were listed before."""
        return {path: self._sizes[path] for path in paths if path in self._sizes}

    def read(self, paths: Sequence[str]) -> Mapping[str, bytes]:
        """Return the bytes of objects; those missing or too large are left out."""
        contents = self._each(self._read, paths)
        return {path: data for path, data in zip(paths, contents, strict=True) if data is not None}

    def add(self, files: Mapping[str, FileContent], *, why: str) -> tuple[str, ...]:  # noqa: ARG002
        """
        Create the objects that are not there; return their paths.

        What lies higher is written first, so that no record is there before
        its series is described. When this fails some objects may have been
        written, each of them whole: they stay, because another writer may
        have counted on them, and adding again adds the rest.
        """
        written: list[str] = []

        def create(path: str) -> None:
            if self._create(path, files[path]):
                written.append(path)

        try:
            for _, level in itertools.groupby(sorted(files, key=_depth), key=_depth):
                self._each(create, list(level))
        except HistoryError as error:
            some = f"{len(written)} of {len(files)} files were written"
            raise HistoryError(f"{error}. {some}; adding again adds the rest") from error
        return tuple(path for path in files if path in set(written))

    def replace(self, folder: str, files: Mapping[str, FileContent], *, why: str) -> str:  # noqa: ARG002
        """
        Make a folder hold exactly these objects; return its address.

        The new ones are written before the old ones go: until then a reader
        sees some of both.
        """
        old = set(self.paths(folder)) - {f"{folder}/{name}" for name in files}
        self._each(lambda name: self._put(f"{folder}/{name}", files[name]), list(files))
        self.delete(sorted(old))
        return f"{self.where}/{folder}"

    def delete(self, paths: Sequence[str]) -> None:
        """Remove objects; one that is not there is no error."""
        for start in range(0, len(paths), _DELETED_A_REQUEST):
            some = [{"Key": self._key(path)} for path in paths[start : start + _DELETED_A_REQUEST]]
            answer = self._asking(
                lambda keys: self._client.delete_objects(
                    Bucket=self._bucket, Delete={"Objects": keys, "Quiet": True}
                ),
                some,
            )
            for failed in answer.get("Errors", ()):
                refused = ClientError({"Error": {"Code": failed.get("Code", "")}}, "DeleteObjects")
                raise self._explained(refused)

    def _create(self, path: str, file: FileContent) -> bool:
        """Return whether the object was made by us: false when somebody else had made it."""
        # Asked first for the servers that pass over a condition instead of refusing it.
        if self._metadata(path) is not None:
            return False
        writer = secrets.token_hex(8)
        for attempt in range(_TRIES):
            made = self._try_to_create(path, file, writer)
            if made is not None:
                return made
            time.sleep(secrets.randbelow(100 * 2**attempt) / 1000)
        raise HistoryError(f"{self.where}: others kept writing {path}: try again later")

    def _try_to_create(self, path: str, file: FileContent, writer: str) -> bool | None:
        """Return whether it was made by us; None when another writer was at it: ask again."""
        try:
            self._put(path, file, writer=writer, IfNoneMatch="*")
        except ClientError as error:
            if status_of(error) == 412:
                # Ours, perhaps: boto3 asks again when an answer was lost.
                return (self._metadata(path) or {}).get("writer") == writer
            if lacks_conditions(error):
                # It was not there a moment ago, and who makes it now writes the same.
                self._asking(self._put, path, file)
                return True
            if code_of(error) == "ConditionalRequestConflict":
                return None
            raise self._explained(error) from error
        except BotoCoreError as error:
            raise self._explained(error) from error
        return True

    def _metadata(self, path: str) -> Mapping[str, str] | None:
        """Return what goes with an object, None when it is not there or may not be looked at."""
        try:
            answer = self._client.head_object(Bucket=self._bucket, Key=self._key(path))
        except ClientError as error:
            # Who may not list is denied what is not there. Then it is the write that counts.
            if status_of(error) in {403, 404}:
                return None
            raise self._explained(error) from error
        except BotoCoreError as error:
            raise self._explained(error) from error
        found: Mapping[str, str] = answer.get("Metadata", {})
        return found

    def _put(self, path: str, file: FileContent, *, writer: str = "", **condition: str) -> None:
        metadata = {"executable": "true"} if file.executable else {}
        self._client.put_object(
            Bucket=self._bucket,
            Key=self._key(path),
            Body=file.data,
            Metadata=metadata | ({"writer": writer} if writer else {}),
            **condition,
        )

    def _read(self, path: str) -> bytes | None:
        # boto3 asks again for an answer that does not come, not for one that breaks off.
        for _ in range(_TRIES - 1):
            with contextlib.suppress(*BROKEN_READ):
                return self._read_once(path)
        return self._read_once(path)

    def _read_once(self, path: str) -> bytes | None:
        try:
            answer = self._client.get_object(Bucket=self._bucket, Key=self._key(path))
        except ClientError as error:
            if code_of(error) == "NoSuchKey":
                return None
            raise
        # As itself, the body would enter as urllib3's, whose errors are others.
        with contextlib.closing(answer["Body"]) as body:
            if answer.get("ContentLength", 0) > MAX_FILE_BYTES:
                return None
            data: bytes = body.read()
            return data

    def _each(self, work: Callable[[str], T], paths: Sequence[str]) -> list[T]:
        """Do the work for each path, several at once; raise the first error when all have ended."""
        if len(paths) <= 1:
            return [self._asking(work, path) for path in paths]
        with ThreadPoolExecutor(min(AT_ONCE, len(paths))) as pool:
            jobs: list[Future[T]] = [pool.submit(self._asking, work, path) for path in paths]
        return [job.result() for job in jobs]

    def _asking(self, ask: Callable[..., T], *arguments: Any) -> T:
        try:
            return ask(*arguments)
        except (BotoCoreError, ClientError) as error:
            raise self._explained(error) from error

    def _explained(self, error: Exception) -> HistoryError:
        return explain(error, where=self.where, bucket=self._bucket, at=self._endpoint)

    def _key(self, path: str) -> str:
        return f"{self._prefix}/{path}" if self._prefix else path

    def _connect(self, environ: Mapping[str, str]) -> Any:
        filter_python_deprecation_warnings()
        # What the variables say wins: boto3 prefers what a program says.
        settings: dict[str, Any] = {}
        if not environ.get("AWS_MAX_ATTEMPTS") and not environ.get("AWS_RETRY_MODE"):
            settings["retries"] = {"mode": "standard", "total_max_attempts": _TRIES}
        # Other servers than Amazon's refuse the checksums that boto3 adds since 1.36; a record
        # is checked when it is read.
        if not environ.get("AWS_REQUEST_CHECKSUM_CALCULATION"):
            settings["request_checksum_calculation"] = "when_required"
        if not environ.get("AWS_RESPONSE_CHECKSUM_VALIDATION"):
            settings["response_checksum_validation"] = "when_required"
        self._endpoint = ""
        try:
            client = boto3.session.Session().client(
                "s3",
                # boto3 knows AWS_DEFAULT_REGION alone, other programs of AWS both.
                region_name=environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or None,
                config=Config(
                    connect_timeout=_CONNECT_S,
                    read_timeout=_READ_S,
                    max_pool_connections=AT_ONCE,
                    **settings,
                ),
            )
        except (BotoCoreError, ValueError) as error:
            raise self._explained(error) from error
        self._endpoint = client.meta.endpoint_url
        return client


def parse(uri: str) -> tuple[str, str]:
    """Return bucket and prefix of `s3://BUCKET/PREFIX`; `UsageError` without what may be secret."""
    found = _ADDRESS.fullmatch(uri)
    prefix = (found[2] or "").strip("/") if found else ""
    if not found or "//" in prefix or not prefix.isprintable():
        # Not shown: people try s3://KEY:SECRET@BUCKET.
        raise UsageError(
            "--history s3://...: expected s3://BUCKET/PREFIX; credentials and endpoint come from"
            " AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_ENDPOINT_URL, never from the address"
        )
    return found[1], prefix


def _depth(path: str) -> int:
    return path.count("/")
