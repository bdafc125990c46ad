"""Artifacts' zip files: from the storage host to a file, bounded, without the token."""

from __future__ import annotations

import hashlib
from pathlib import Path

import requests

from telltale.forge import faults
from telltale.forge.faults import Fault, FaultSort

CHUNK_BYTES = 64 * 1024


def stream(
    address: str, to: Path, *, limit_bytes: int, digest: str, timeout_s: float
) -> Fault | None:
    """
    Write what lies at the address to a file; return why that failed, if it did.

    The address leads to a storage host and is a key by itself: the token must
    not go there, and the address must not be shown. `digest` is `sha256:` and
    64 hex digits, or empty. A partial file may be left.
    """
    hashed, size = hashlib.sha256(), 0
    try:
        with _open(address, timeout_s) as response, to.open("wb") as file:
            if response.status_code != 200:
                message = f"the storage host answered {response.status_code}"
                return Fault(sort=FaultSort.BROKEN, status=0, message=message)
            for chunk in response.iter_content(CHUNK_BYTES):
                size += len(chunk)
                if size > limit_bytes:
                    message = f"it is larger than {limit_bytes} bytes"
                    return Fault(sort=FaultSort.REFUSED, status=0, message=message)
                hashed.update(chunk)
                file.write(chunk)
    except requests.RequestException as error:
        return faults.classify(error, now=0)
    if digest.startswith("sha256:") and hashed.hexdigest() != digest.removeprefix("sha256:"):
        return Fault(sort=FaultSort.BROKEN, status=0, message="it is not what its digest says")
    return None


def _open(address: str, timeout_s: float) -> requests.Response:
    return requests.get(
        address,
        # Said explicitly, for requests would look into ~/.netrc otherwise.
        auth=lambda request: request,
        headers={"Accept-Encoding": "identity"},
        timeout=timeout_s,
        stream=True,
        allow_redirects=False,
    )
