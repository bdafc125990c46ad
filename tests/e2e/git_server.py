"""
The git half of the scratch GitHub: bare repositories over HTTP, with real authentication.

A file remote would let anybody push, and hide a job that forgot its token.
git's own http-backend does the work; this decides who may do what.
"""

from __future__ import annotations

import base64
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

Access = Callable[[str], str]
"""From a token to what it may do with contents: write, read or none."""

HOST = "github.localhost"
"""git resolves *.localhost by itself, and the artifact client takes it for a GitHub."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    root: Path
    access: Access

    def do_GET(self) -> None:
        self._serve(b"")

    def do_POST(self) -> None:
        self._serve(self._body())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing: the tests read the log of the job."""

    def _serve(self, body: bytes) -> None:
        url = urlsplit(self.path)
        pushing = "git-receive-pack" in self.path
        token = _token(self.headers.get("Authorization", ""))
        may = type(self).access(token) if token else "anonymous"
        if may == "none" or (pushing and may == "anonymous"):
            self._answer(HTTPStatus.UNAUTHORIZED, {"WWW-Authenticate": "Basic"}, b"")
        elif pushing and may != "write":
            text = b"Write access to repository not granted.\n"
            self._answer(HTTPStatus.FORBIDDEN, {"Content-Type": "text/plain"}, text)
        else:
            self._answer(*self._backend(url.path, url.query, body))

    def _backend(self, path: str, query: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
        done = subprocess.run(
            ["git", "http-backend"],
            input=body,
            capture_output=True,
            check=True,
            env={
                "PATH": os.environ["PATH"],
                "GIT_PROJECT_ROOT": str(self.root),
                "GIT_HTTP_EXPORT_ALL": "1",
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
                "PATH_INFO": path,
                "QUERY_STRING": query,
                "REQUEST_METHOD": self.command,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                "REMOTE_USER": "x-access-token",
            },
        )
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        status = int(headers.pop("Status", "200 OK").split()[0])
        return status, headers, content

    def _answer(self, status: int, headers: Mapping[str, str], content: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", "0")))
        chunks = []
        while size := int(self.rfile.readline(), 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)


@contextmanager
def git_server(root: Path, access: Access) -> Iterator[str]:
    """Serve root/OWNER/NAME.git until the end of the block; yield the URL without last slash."""
    handler = type("Handler", (_Handler,), {"root": root, "access": staticmethod(access)})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://{HOST}:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def _token(authorization: str) -> str:
    """Take the password out of basic authentication, which is where git sends a token."""
    scheme, _, credentials = authorization.partition(" ")
    if scheme.lower() != "basic":
        return ""
    return base64.b64decode(credentials).decode().partition(":")[2]
