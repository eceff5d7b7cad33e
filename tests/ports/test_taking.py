"""Messages to real servers: what was provably not taken, what was refused, and what nobody knows."""

import threading
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest

from amierules.ports.http import DirectHttp
from amierules.ports.mail import SmtpServer
from amierules.ports.taking import NotTaken, Refused, Unsure
from tests.support.servers import MailServer, WebServer, closed_port, mail_server, web_server


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
