"""Messages to real servers: what was provably not taken, what was refused, and what nobody knows."""

import select
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest

from amierules.ports.http import DirectHttp
from amierules.ports.http_connections import servers
from amierules.ports.mail import SmtpServer
from amierules.ports.taking import NotTaken, Refused, Unsure
from tests.support.json_server import json_server
from tests.support.servers import (
    MailServer,
    WebServer,
    closed_port,
    drip,
    mail_server,
    smtp_talk,
    talking_server,
    web_server,
)
from tests.support.slapd import Certificates


@pytest.fixture
def web() -> Iterator[WebServer]:
    """A server for HTTP."""
    with web_server() as server:
        yield server


@pytest.fixture
def post() -> Iterator[MailServer]:
    """A server for mail."""
    with mail_server() as server:
        yield server


# ------------------------------------------------------------------ HTTP


@pytest.mark.parametrize("status", [200, 302, 404, 429, 500, 503])
def test_every_answer_is_an_answer(web: WebServer, status: int) -> None:
    web.answer = lambda: status
    answer = DirectHttp().send("POST", web.url + "?a=b", {"X-A": "b"}, "hällo".encode())
    assert (answer.status, answer.text) == (status, "said the server")
    (request,) = web.requests
    assert (request["method"], request["path"], request["body"]) == ("POST", "/hook?a=b", "hällo")
    assert request["headers"]["X-A"] == "b"


def test_a_connection_that_is_refused_took_nothing() -> None:
    with pytest.raises(NotTaken, match="refused"):
        DirectHttp().send("POST", f"http://127.0.0.1:{closed_port()}/", {}, b"")


@pytest.mark.parametrize("url", ["http://host.invalid/", "https://host.invalid/"])
def test_a_host_that_is_not_there_took_nothing(url: str) -> None:
    with pytest.raises(NotTaken):
        DirectHttp().send("POST", url, {}, b"")


def test_a_handshake_that_fails_took_nothing(web: WebServer) -> None:
    with pytest.raises(NotTaken):
        DirectHttp().send("POST", web.url.replace("http:", "https:"), {}, b"secret")
    assert web.requests == []


def test_a_connection_that_is_cut_without_an_answer_may_have_taken_it(web: WebServer) -> None:
    web.answer = lambda: None
    with pytest.raises(Unsure):
        DirectHttp().send("POST", web.url, {}, b"x")
    assert len(web.requests) == 1


def test_an_answer_that_does_not_come_may_have_taken_it(web: WebServer) -> None:
    released = threading.Event()

    def slow() -> int:
        released.wait(30)
        return 200

    web.answer = slow
    with pytest.raises(Unsure):
        DirectHttp(timeout=0.2).send("POST", web.url, {}, b"x")
    released.set()


def test_an_answer_that_drips_ends_in_time() -> None:
    def talk(one: socket.socket) -> None:
        one.recv(10_000)
        drip(one, "HTTP/1.1 200 OK\r\n" + "X: y\r\n" * 20 + "\r\n")

    begun = time.monotonic()
    with talking_server(talk) as port, pytest.raises(Unsure, match="timed out"):
        DirectHttp(timeout=0.5).send("POST", f"http://127.0.0.1:{port}/", {}, b"x")
    assert time.monotonic() - begun < 3


def test_an_answer_whose_page_drips_is_known_by_its_status() -> None:
    def talk(one: socket.socket) -> None:
        one.recv(10_000)
        one.sendall(b"HTTP/1.1 404 Gone\r\nContent-Length: 400\r\n\r\n")
        drip(one, "x" * 400)

    begun = time.monotonic()
    with talking_server(talk) as port:
        assert DirectHttp(timeout=0.5).send("POST", f"http://127.0.0.1:{port}/", {}, b"x").status == 404
    assert time.monotonic() - begun < 3


def test_a_request_that_nobody_reads_ends_in_time() -> None:
    released = threading.Event()
    begun = time.monotonic()
    with talking_server(lambda one: [released.wait(30)].clear()) as port:
        with pytest.raises(Unsure, match="timed out"):
            DirectHttp(timeout=0.5).send("POST", f"http://127.0.0.1:{port}/", {}, b"x" * 50_000_000)
        assert time.monotonic() - begun < 3
        released.set()


def test_a_proxy_whose_answer_drips_took_nothing() -> None:
    def talk(one: socket.socket) -> None:
        one.recv(10_000)
        drip(one, "HTTP/1.1 200 OK\r\n" + "X: y\r\n" * 20 + "\r\n")

    begun = time.monotonic()
    with talking_server(talk) as port, pytest.raises(NotTaken, match="timed out"):
        DirectHttp(0.5, f"http://127.0.0.1:{port}").send("POST", "https://far.invalid/", {}, b"x")
    assert time.monotonic() - begun < 3


def test_an_address_that_is_silent_leaves_time_for_the_next(web: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    family, kind = socket.AF_INET, socket.SOCK_STREAM
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, socket.socket() as first, socket.socket() as other:
        # Whose queue is full, takes no connection, and refuses none.
        for one in (first, other):
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        addresses = [(family, kind, 0, "", full.getsockname()), (family, kind, 0, "", ("127.0.0.1", web.port))]
        monkeypatch.setattr("socket.getaddrinfo", lambda *args, **more: addresses)
        assert DirectHttp(timeout=2).send("POST", "http://two.invalid/", {}, b"x").status == 200


def test_who_lets_nobody_in_is_named(web: WebServer) -> None:
    port = closed_port()
    proxy = f"http://127.0.0.1:{web.port}"
    for sender, url, away in (
        (DirectHttp(), f"http://127.0.0.1:{port}/", f"127.0.0.1:{port}"),
        (DirectHttp(), web.url.replace("http:", "https:"), f"127.0.0.1:{web.port}"),
        (DirectHttp(proxy=f"http://127.0.0.1:{port}"), "http://far.invalid/", f"127.0.0.1:{port}"),
        (DirectHttp(proxy=f"http://127.0.0.1:{port}"), "https://far.invalid/", f"127.0.0.1:{port}"),
        (DirectHttp(proxy=proxy), "https://far.invalid/", "far.invalid:443"),
    ):
        with pytest.raises(NotTaken) as raised:
            sender.send("POST", url, {}, b"x")
        assert raised.value.away == away
        assert away in servers(url, sender.proxy)


def test_a_tunnel_through_a_proxy_reaches_a_server_under_tls(tmp_path: Path) -> None:
    made = Certificates.make(tmp_path)
    asked = []

    def proxy(one: socket.socket) -> None:
        asked.append(one.recv(10_000).decode())
        with socket.create_connection(("127.0.0.1", server.port)) as other:
            one.sendall(b"HTTP/1.1 200 Go on\r\n\r\n")
            while ready := select.select([one, other], [], [])[0]:
                if not (data := ready[0].recv(10_000)):
                    return
                (other if ready[0] is one else one).sendall(data)

    with json_server(made.server, made.key) as server, talking_server(proxy) as port:
        direct = DirectHttp(5, ca_file=made.ca).send("POST", server.url, {}, b"{}")
        through = DirectHttp(5, f"http://me:p%20w@127.0.0.1:{port}", made.ca).send("POST", server.url, {}, b"{}")
    assert direct == through
    assert direct.status == 200
    first, *more = asked[0].split("\r\n")
    assert first == f"CONNECT 127.0.0.1:{server.port} HTTP/1.1"
    assert {f"Host: 127.0.0.1:{server.port}", "Proxy-Authorization: Basic bWU6cCB3"} <= {*more}
    assert server.requests[1].headers["Host"] == f"127.0.0.1:{server.port}"
    assert "Proxy-Authorization" not in server.requests[1].headers


@pytest.mark.parametrize(
    "url", ["ftp://x.example/", "http://", "http://[::1", "http://x.example/ü", "http://x.example/a b"]
)
def test_an_address_that_cannot_be_used_is_refused(url: str) -> None:
    with pytest.raises(Refused):
        DirectHttp().send("POST", url, {}, b"")


def test_a_header_cannot_bring_others(web: WebServer) -> None:
    with pytest.raises(Refused):
        DirectHttp().send("POST", web.url, {"X-A": "b\r\nX-B: c"}, b"")
    assert web.requests == []


def test_a_proxy_is_asked_instead(web: WebServer) -> None:
    DirectHttp(proxy=f"http://127.0.0.1:{web.port}").send("POST", "http://far.invalid/x?y", {}, b"z")
    (request,) = web.requests
    assert (request["path"], request["headers"]["Host"]) == ("http://far.invalid/x?y", "far.invalid")


def test_a_proxy_that_makes_no_tunnel_took_nothing(web: WebServer) -> None:
    with pytest.raises(NotTaken):
        DirectHttp(proxy=f"http://127.0.0.1:{web.port}").send("POST", "https://far.invalid/x", {}, b"z")
    assert web.requests == []


# ------------------------------------------------------------------ mail


def _mail(to: str = "a@x.example, Bö <b@x.example>", text: str = "hällo\n.\nend\n") -> EmailMessage:
    mail = EmailMessage()
    mail["From"] = "amie@site.example"
    mail["To"] = to
    mail["Cc"] = "c@x.example"
    mail["Subject"] = "für you"
    mail.set_content(text)
    return mail


def test_a_mail_goes_to_all_its_recipients(post: MailServer) -> None:
    assert SmtpServer("127.0.0.1", post.port).send(_mail()) == ""
    (taken,) = post.mails
    assert taken.mail_from == "amie@site.example"
    assert taken.rcpt_tos == ["a@x.example", "b@x.example", "c@x.example"]


@pytest.mark.parametrize("text", [".\n", "a\n.\nb\n", "..\n.x\n", "x" * 3000 + "\n"])
def test_no_line_ends_a_mail_early(post: MailServer, text: str) -> None:
    SmtpServer("127.0.0.1", post.port).send(_mail(text=text))
    (taken,) = post.mails
    assert isinstance(taken.content, bytes)
    received = message_from_bytes(taken.content, policy=policy.default)
    assert isinstance(received, EmailMessage)
    assert received.get_content().replace("\r\n", "\n") == text


def test_a_server_that_is_not_there_took_nothing() -> None:
    with pytest.raises(NotTaken, match="refused"):
        SmtpServer("127.0.0.1", closed_port()).send(_mail())


@pytest.mark.parametrize(
    ("answers", "outcome"),
    [
        ({"MAIL": "451 later"}, NotTaken),
        ({"MAIL": "550 never"}, Refused),
        ({"MAIL": None}, NotTaken),
        ({"RCPT": "451 greylisted"}, NotTaken),
        ({"RCPT": "550 nobody"}, Refused),
        ({"RCPT b@x.example": "451 greylisted"}, NotTaken),
        ({"RCPT": None}, NotTaken),
        ({"DOT": "451 later"}, Unsure),
        ({"DOT": "554 no"}, Unsure),
        ({"DOT": None}, Unsure),
    ],
    ids=str,
)
def test_before_the_final_dot_it_is_not_taken_and_afterwards_nobody_knows(
    post: MailServer, answers: dict[str, str | None], outcome: type[Exception]
) -> None:
    post.answers = answers
    with pytest.raises(outcome):
        SmtpServer("127.0.0.1", post.port).send(_mail())
    assert len(post.mails) == (1 if "DOT" in answers else 0)


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_mail_goes_under_tls_with_a_login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, security: str) -> None:
    made = Certificates.make(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(made.server, made.key)
    with mail_server(context, security=security) as post:
        user, password = ("u", "p") if security == "starttls" else (None, None)
        server = SmtpServer("127.0.0.1", post.port, security, user, password, 5)
        with pytest.raises(NotTaken, match="certificate verify failed"):
            server.send(_mail())
        monkeypatch.setenv("SSL_CERT_FILE", str(made.ca))
        assert server.send(_mail()) == ""
        assert len(post.mails) == 1
        with pytest.raises(NotTaken, match="^the login was refused: 535 " if user else "^no login is poss"):
            SmtpServer("127.0.0.1", post.port, security, "u", "other", 5).send(_mail())


@pytest.mark.parametrize(
    ("word", "outcome"),
    [("greeting", NotTaken), ("EHLO", NotTaken), ("RCPT", NotTaken), ("DATA", NotTaken), ("DOT", Unsure)],
)
def test_an_answer_to_a_mail_that_drips_ends_in_time(word: str, outcome: type[Exception]) -> None:
    begun = time.monotonic()
    with (
        talking_server(lambda one: smtp_talk(one, {}, dripping=word)) as port,
        pytest.raises(outcome, match="timed out"),
    ):
        SmtpServer("127.0.0.1", port, timeout=0.5).send(_mail())
    assert time.monotonic() - begun < 3


def test_each_answer_to_a_mail_has_its_time() -> None:
    with talking_server(lambda one: smtp_talk(one, {}, pause=0.3)) as port:
        assert SmtpServer("127.0.0.1", port, timeout=1).send(_mail()) == ""


@pytest.mark.parametrize(
    ("answers", "said", "is_away"),
    [
        ({"greeting": "421 too many"}, "the server lets nobody in: 421 too many", True),
        ({"EHLO": "250-here\r\n250 AUTH PLAIN", "AUTH": "535 bad"}, "the login was refused: 535 bad", True),
        ({"EHLO": "250 here"}, "no login is possible: SMTP AUTH extension not supported by server.", True),
        ({"MAIL": "451 later"}, "put off: 451 later", False),
        ({"RCPT": "450 greylisted"}, "put off: 450 greylisted", False),
    ],
)
def test_what_a_mail_server_says_is_told_as_it_says_it(answers: dict[str, str], said: str, is_away: bool) -> None:
    login = {} if said.startswith("put") else {"user": "u", "password": "p"}
    with talking_server(lambda one: smtp_talk(one, answers)) as port, pytest.raises(NotTaken) as raised:
        SmtpServer("127.0.0.1", port, timeout=5, **login).send(_mail())
    assert (str(raised.value), raised.value.away) == (said, f"127.0.0.1:{port}" if is_away else None)


def test_who_is_refused_does_not_keep_it_from_the_others(post: MailServer) -> None:
    post.answers = {"RCPT b@x.example": "550 nobody"}
    assert SmtpServer("127.0.0.1", post.port).send(_mail()) == "b@x.example was refused: 550 nobody"
    (taken,) = post.mails
    assert taken.rcpt_tos == ["a@x.example", "c@x.example"]


@pytest.mark.parametrize("server", [{"security": "starttls"}, {"security": "tls"}, {"user": "u", "password": "p"}])
def test_a_server_that_cannot_do_what_is_asked_took_nothing(post: MailServer, server: dict[str, str]) -> None:
    with pytest.raises(NotTaken):
        SmtpServer("127.0.0.1", post.port, timeout=2, **server).send(_mail())
    assert post.mails == []


def test_an_address_that_no_mail_can_have_is_refused(post: MailServer) -> None:
    with pytest.raises(Refused):
        SmtpServer("127.0.0.1", post.port).send(_mail(to="ä@x.example"))
