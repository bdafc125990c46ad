"""The HTTP servers: GitHub's API, and the storage on another port that artifacts come from."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from tests.fake_github.control import control
from tests.fake_github.faults import Fault
from tests.fake_github.state import format_time
from tests.fake_github.web import Request, Response, split_target

if TYPE_CHECKING:
    from tests.fake_github.github import FakeGitHub

HOST = "127.0.0.1"


class Servers:
    """Both servers, each on a free port of its own, in threads that end with `close`."""

    def __init__(self, github: FakeGitHub) -> None:
        self._closing = threading.Event()
        self._servers = [_Server(github, kind, self._closing) for kind in (_Api, _Storage)]
        self._threads = [
            # A short poll makes closing fast; a test makes and closes many of these.
            threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
            for server in self._servers
        ]
        for thread in self._threads:
            thread.start()
        self.api_url, self.storage_url = (
            f"http://{HOST}:{server.server_address[1]}" for server in self._servers
        )

    def close(self) -> None:
        self._closing.set()
        for server, thread in zip(self._servers, self._threads, strict=True):
            server.shutdown()
            thread.join()
            server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # Idle keep-alive connections of a client must not hold up the end of a test.
    block_on_close = False

    def __init__(
        self, github: FakeGitHub, kind: type[BaseHTTPRequestHandler], closing: threading.Event
    ) -> None:
        self.github = github
        self.closing = closing
        super().__init__((HOST, 0), kind)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is its own business."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Without this every answer waits 40 ms for an acknowledgement of its headers.
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        self.serve()

    do_POST = do_PATCH = do_PUT = do_DELETE = do_GET  # noqa: N815 - the parent asks for these names

    def serve(self) -> None:
        raise NotImplementedError

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the parent's name
        """Be quiet; `FakeGitHub.requests` has it all."""

    def read_request(self) -> tuple[Request, str]:
        """The request, and its path as it was encoded."""
        encoded, query = split_target(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        request = Request(
            method=self.command,
            path=unquote(encoded),
            query=query,
            headers={name.lower(): value for name, value in self.headers.items()},
            body=body,
            base_url=f"http://{self.headers.get('Host', HOST)}",
            target=self.path,
        )
        return request, encoded

    def send(self, response: Response, *, only: int | None = None) -> None:
        """Send a response; `only` so many bytes of its body, then hang up."""
        data = response.data
        self.send_response(response.status)
        for name, value in response.headers.items():
            if name != "Content-Type":
                self.send_header(name, value)
        if response.status not in {204, 304}:
            self.send_header("Content-Type", response.content_type)
            self.send_header("Content-Length", str(len(data)))
        if only is not None:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(data if only is None else data[:only])

    def cut(self) -> None:
        """Reset the connection, as a broken network does."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        # The buffers must not be flushed into a socket that is gone.
        with contextlib.suppress(OSError):
            self.connection.close()

    def strike(self, request: Request) -> Fault | None:
        """The fault that hits this request, if any, after its delay."""
        with self.server.github.lock:
            hits = [f for f in self.server.github.faults if f.strikes(request.method, request.path)]
        if hits and hits[0].delay:
            self.server.closing.wait(hits[0].delay)
        return hits[0] if hits else None


class _Api(_Handler):
    def serve(self) -> None:
        request, encoded = self.read_request()
        github = self.server.github
        if request.path.startswith("/_fake/"):
            self.send(control(github, request))
            return
        fault = self.strike(request)
        if fault is not None and fault.reset == "before":
            github.note(request, 0)
            self.cut()
            return
        if fault is not None and fault.status is not None:
            github.note(request, fault.status)
            self.send(Response(status=fault.status, body=fault.body, headers=dict(fault.headers)))
            return
        response = github.respond(request, encoded)
        if fault is not None and fault.reset == "after":
            self.cut()
        elif fault is not None and fault.malformed:
            response.body = b"<html>502 Bad Gateway</html>"
            response.headers["Content-Type"] = "application/json; charset=utf-8"
            self.send(response)
        elif fault is not None and fault.truncate is not None:
            self.send(response, only=fault.truncate)
            self.close_connection = True
        else:
            self.send(response)


class _Storage(_Handler):
    """Like the storage behind GitHub's artifacts: an address with a ticket, and no tokens."""

    def serve(self) -> None:
        request, _ = self.read_request()
        github = self.server.github
        fault = self.strike(request)
        response = self.answer(request)
        if fault is not None and fault.status is not None:
            response = Response(status=fault.status, body=b"", headers=dict(fault.headers))
        github.note(request, 0 if fault is not None and fault.reset else response.status)
        if fault is not None and fault.reset:
            self.cut()
        elif fault is not None and fault.truncate is not None:
            self.send(response, only=fault.truncate)
            self.close_connection = True
        else:
            self.send(response)

    def answer(self, request: Request) -> Response:
        github = self.server.github
        if "authorization" in request.headers:
            # The real one refuses GitHub's token, which a careless client passes on.
            github.violations.append("the storage of artifacts got an Authorization header")
            return Response(status=401, body=b"InvalidAuthenticationInfo")
        ticket = request.path.rpartition("/")[2].removesuffix(".zip")
        download = github.downloads.get(ticket)
        if download is None or download.until < github.clock.now():
            return Response(status=403, body=b"AuthenticationFailed")
        headers = {
            "Content-Type": "application/zip",
            "Content-Disposition": f'attachment; filename="{download.artifact.name}.zip"',
            "Last-Modified": format_time(download.artifact.created_at),
        }
        return Response(body=download.artifact.path.read_bytes(), headers=headers)
