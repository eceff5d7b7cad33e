"""A real server of HTTP/1.1 on this host, which answers as a test scripts it."""

import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


@dataclass
class Request:
    """What came."""

    method: str
    path: str
    headers: Message
    body: str
    connection: int
    """Which of the server's connections it came over, from 1 on."""


@dataclass
class Say:
    """What is answered. `cut` ends the connection before the answer, after its head, or within its body."""

    status: int = 200
    data: object = None
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: str = ""
    drip: float = 0.0
    """Seconds between two bytes of the body."""


Script = Callable[[Request], Say]


@dataclass
class JsonServer:
    """Notes each request, and answers it as `script` says."""

    port: int = 0
    script: Script = lambda request: Say(data={"message": None, "result": []})
    requests: list[Request] = field(default_factory=list)
    scheme: str = "http"

    @property
    def url(self) -> str:
        """Its address."""
        return f"{self.scheme}://127.0.0.1:{self.port}/api"

    def say(self, *answers: Say) -> None:
        """Answers so, one after the other, the last one for good."""
        left = list(answers)
        self.script = lambda request: left.pop(0) if len(left) > 1 else left[0]


@contextmanager
def json_server(certificate: Path | None = None, key: Path | None = None) -> Iterator[JsonServer]:
    """A server; with a certificate it speaks TLS."""
    known = JsonServer(scheme="https" if certificate else "http")
    server = _Server(("127.0.0.1", 0), _handler(known))
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    known.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield known
    finally:
        server.shutdown()
        server.end_connections()
        thread.join()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.connections: list[socket.socket] = []

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections.append(request)
        super().process_request(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is no trouble of the server."""

    def end_connections(self) -> None:
        for one in self.connections:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


def _handler(known: JsonServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        server: _Server

        def _take(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            number = self.server.connections.index(self.request) + 1
            request = Request(self.command, self.path, self.headers, body, number)
            known.requests.append(request)
            self._answer(known.script(request))

        def _answer(self, said: Say) -> None:
            body = json.dumps(said.data).encode() if said.body is None else said.body
            if said.cut == "before":
                self._end()
                return
            self.send_response(said.status)
            for name, value in {"Content-Length": str(len(body)), **said.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if said.cut == "within":
                self.wfile.write(body[: len(body) // 2])
                self._end()
            elif said.drip:
                for place in range(len(body)):
                    self.wfile.write(body[place : place + 1])
                    threading.Event().wait(said.drip)
            else:
                self.wfile.write(body)

        def _end(self) -> None:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)

        do_GET = do_POST = do_PUT = do_DELETE = _take  # noqa: N815 - the names that http.server asks for

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler
