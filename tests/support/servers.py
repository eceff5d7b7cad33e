"""Real servers on this host that take messages, or do not: as a test tells them."""

import asyncio
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session


@dataclass
class WebServer:
    """Notes each request, and answers as `answer` says: with a status, or by cutting the connection (None).

    A request for `/404` and the like is answered with that status.
    """

    port: int = 0
    answer: Callable[[], int | None] = lambda: 200
    text: str = "said the server"
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
            asked = self.path.partition("?")[0].rpartition("/")[2]
            status = int(asked) if asked.isdecimal() else known.answer()
            if status is None:
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            self.send_response(status)
            self.end_headers()
            self.wfile.write(known.text.encode())

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
def mail_server(context: ssl.SSLContext | None = None, *, security: str = "none") -> Iterator[MailServer]:
    """A server for mail; with a context under TLS from the beginning, or by STARTTLS, which then has a user u, p."""
    known = MailServer(port=closed_port())

    def known_user(_server: object, _session: object, _envelope: object, _mechanism: str, given: LoginPassword) -> Any:
        return AuthResult(success=given == LoginPassword(b"u", b"p"), handled=False)

    secured: dict[str, Any] = {"ssl_context": context}
    if security == "starttls":
        secured = {"tls_context": context, "require_starttls": True, "authenticator": known_user, "auth_required": True}
    controller = Controller(_Handler(known), hostname="127.0.0.1", port=known.port, **secured)
    controller.start()
    try:
        yield known
    finally:
        controller.stop()


@contextmanager
def talking_server(talk: Callable[[socket.socket], None]) -> Iterator[int]:
    """The port of a server that has this talk with each who comes, however badly it behaves."""
    listener = socket.create_server(("127.0.0.1", 0))
    talks: list[threading.Thread] = []
    open_ones: list[socket.socket] = []

    def talk_to(one: socket.socket) -> None:
        with one, suppress(OSError):
            talk(one)

    def serve() -> None:
        with suppress(OSError):
            while True:
                one, _ = listener.accept()
                open_ones.append(one)
                talks.append(threading.Thread(target=talk_to, args=(one,)))
                talks[-1].start()

    server = threading.Thread(target=serve)
    server.start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        # Who reads is woken by the end of its connection, who accepts by that of the listener.
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        server.join()
        for one in open_ones:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for thread in talks:
            thread.join()


def drip(one: socket.socket, text: str, every: float = 0.1) -> None:
    """Says something letter by letter."""
    for letter in text.encode():
        one.sendall(bytes([letter]))
        time.sleep(every)


def smtp_talk(one: socket.socket, answers: Mapping[str, str], dripping: str = "", pause: float = 0) -> None:
    """A talk with who brings mails: these answers by the first word of a command, else 250. One of them drips."""

    def say(word: str) -> None:
        answer = answers.get(word, {"DATA": "354 go on", "greeting": "220 hello"}.get(word, "250 OK")) + "\r\n"
        time.sleep(pause)
        if word == dripping:
            drip(one, answer[:3] + "-" + "slow" * 100 + "\r\n" + answer)
        else:
            one.sendall(answer.encode())

    with one.makefile("rb") as coming:
        say("greeting")
        while line := coming.readline().decode().strip():
            word = line.split()[0].upper()
            say(word)
            if word == "QUIT":
                return
            if word == "DATA":
                while coming.readline() not in (b".\r\n", b""):
                    pass
                say("DOT")


def closed_port() -> int:
    """A port at which nobody listens."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
