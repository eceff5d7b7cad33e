"""Real servers on this host that take messages, or do not: as a test tells them."""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session


@dataclass
class WebServer:
    """Notes each request, and answers as `answer` says: with a status, or by cutting the connection (None)."""

    port: int = 0
    answer: Callable[[], int | None] = lambda: 200
    requests: list[dict[str, Any]] = field(default_factory=list)

    @property
    def url(self) -> str:
        """An address of it."""
        return f"http://127.0.0.1:{self.port}/hook"


@contextmanager
def web_server() -> Iterator[WebServer]:
    """A server for HTTP."""
    known = WebServer()

    class Handler(BaseHTTPRequestHandler):
        def _take(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            request = {"method": self.command, "path": self.path, "headers": dict(self.headers), "body": body.decode()}
            known.requests.append(request)
            status = known.answer()
            if status is None:
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            self.send_response(status)
            self.end_headers()
            self.wfile.write(b"said the server")

        do_POST = do_PUT = _take  # noqa: N815 - the names that http.server asks for

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    known.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield known
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass
class MailServer:
    """Notes each mail that it takes; `answers` says what it answers to a command instead of 250 (None: it cuts off)."""

    port: int = 0
    answers: dict[str, str | None] = field(default_factory=dict)
    """By `MAIL`, `RCPT` or `RCPT address`, and `DOT`: the end of the mail."""
    mails: list[Envelope] = field(default_factory=list)


class _Handler:
    def __init__(self, known: MailServer) -> None:
        self._known = known

    async def handle_MAIL(  # noqa: N802 - the names that aiosmtpd asks for
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.mail_from = address
        return self._answer(server, "MAIL")

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        answer = self._answer(server, f"RCPT {address}" if f"RCPT {address}" in self._known.answers else "RCPT")
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        self._known.mails.append(envelope)
        return self._answer(server, "DOT")

    def _answer(self, server: SMTP, command: str) -> str:
        answer = self._known.answers.get(command, "250 OK")
        if answer is None:
            assert isinstance(server.transport, asyncio.WriteTransport)
            server.transport.abort()
            return "250 nobody hears this"
        return answer


@contextmanager
def mail_server() -> Iterator[MailServer]:
    """A server for mail."""
    known = MailServer(port=closed_port())
    controller = Controller(_Handler(known), hostname="127.0.0.1", port=known.port)
    controller.start()
    try:
        yield known
    finally:
        controller.stop()


def closed_port() -> int:
    """A port at which nobody listens."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
