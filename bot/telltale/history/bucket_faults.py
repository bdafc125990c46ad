"""What went wrong at an object store, in one sentence that a user can act on."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from botocore import exceptions
from botocore.exceptions import ClientError

from telltale.errors import HistoryError

_NO_CREDENTIALS = (
    exceptions.NoCredentialsError,
    exceptions.PartialCredentialsError,
    exceptions.CredentialRetrievalError,
    exceptions.MetadataRetrievalError,
    exceptions.ProfileNotFound,
    exceptions.SSOError,
    exceptions.TokenRetrievalError,
)
_UNREACHABLE = (exceptions.ConnectionError, exceptions.HTTPClientError)
BROKEN_READ = (
    exceptions.IncompleteReadError,
    exceptions.ReadTimeoutError,
    exceptions.ResponseStreamingError,
)
"""An answer that broke off in the middle."""

_DENIED = frozenset(
    {
        "AccessDenied",
        "AllAccessDisabled",
        "ExpiredToken",
        "InvalidAccessKeyId",
        "InvalidToken",
        "RequestTimeTooSkewed",
        "SignatureDoesNotMatch",
        "TokenRefreshRequired",
    }
)
_ELSEWHERE = frozenset(
    {"AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "PermanentRedirect"}
)
_CODE = re.compile(r"[A-Za-z0-9.]{1,60}")


def explain(error: Exception, *, where: str, bucket: str, at: str) -> HistoryError:
    """
    Return the error that the user sees.

    `at` is the endpoint. Nothing that a server wrote is shown but its error
    code, and nothing that boto3 wrote: both know the credentials.
    """
    host = _host(at)
    if isinstance(error, HistoryError):
        return error
    if isinstance(error, _NO_CREDENTIALS):
        return HistoryError(
            f"{where}: no usable credentials ({type(error).__name__}): set AWS_ACCESS_KEY_ID and"
            " AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or run where a role is"
        )
    if isinstance(error, _UNREACHABLE):
        return HistoryError(
            f"{where}: cannot be reached at {host} ({type(error).__name__}): check"
            " AWS_ENDPOINT_URL, the proxy and the network"
        )
    if not isinstance(error, ClientError):
        return HistoryError(
            f"{where}: cannot be opened ({type(error).__name__}): check the AWS_* variables and"
            " the files that they name"
        )
    return _refused(error, where=where, bucket=bucket, host=host)


def _refused(error: ClientError, *, where: str, bucket: str, host: str) -> HistoryError:
    code, status = code_of(error), status_of(error)
    if code == "NoSuchBucket":
        return HistoryError(
            f"{where}: there is no bucket {bucket} at {host}: make it, or check the address and"
            " AWS_ENDPOINT_URL"
        )
    if code in _ELSEWHERE or status == 301:
        return HistoryError(
            f"{where}: the bucket is in another region ({code}): set AWS_REGION to its own"
        )
    if code in _DENIED or status in {401, 403}:
        return HistoryError(
            f"{where}: {host} denies access ({code}): the credentials must be valid and allow"
            " s3:ListBucket, s3:GetObject, s3:PutObject and s3:DeleteObject there"
        )
    return HistoryError(
        f"{where}: {host} answered {status or 'with an error'} ({code}) to"
        f" {error.operation_name}: try again later, or ask who runs it"
    )


def lacks_conditions(error: ClientError) -> bool:
    """Return whether a server refuses `If-None-Match` because it does not know it."""
    if status_of(error) == 501 or code_of(error) == "NotImplemented":
        return True
    said = " ".join(str(value) for value in error.response.get("Error", {}).values())
    return status_of(error) == 400 and "if-none-match" in said.lower()


def status_of(error: ClientError) -> int:
    """Return the status of HTTP, 0 when there is none."""
    answer: Any = error.response.get("ResponseMetadata", {})
    return int(answer.get("HTTPStatusCode", 0))


def code_of(error: ClientError) -> str:
    """Return the error's code as S3 has it, or what stands in for one."""
    code = str(error.response.get("Error", {}).get("Code", ""))
    return code if _CODE.fullmatch(code) else "no code"


def _host(endpoint: str) -> str:
    """Return host and port of the endpoint: the rest may hold a password."""
    return urlsplit(endpoint).netloc.rpartition("@")[2] or "the endpoint"
