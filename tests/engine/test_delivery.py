"""Messages on their way: each reaches the other side at most once, whoever sends and whatever breaks."""

import base64
import json
import os
import re
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from amierules.database.connection import Database
from amierules.database.outbox import Queued
from amierules.diagnostics import Finding, Unavailable
from amierules.engine.carrier import Carrier
from amierules.engine.delivery import MAX_ATTEMPTS, Delivery, delivering
from amierules.engine.health.channels import check_channels
from amierules.engine.messages_by_hand import Wish, carry_out
from amierules.engine.site import CrashPoint, Site
from amierules.ports.http import Answer
from tests.support.outbox import queued
from tests.support.servers import (
    MailServer,
    WebServer,
    closed_port,
    mail_server,
    smtp_talk,
    talking_server,
    web_server,
)
from tests.support.sites import events_of, load, make_site, rpi, run, set_clock

HEAD = "packet: request_project_inactivate\nrules:\n  - name: first\n    complete: so it is\n    notify:\n"
SECRET = "s3cr3t-value"


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


@pytest.fixture
def told(memory: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Site, int]]:
    """Makes a site with a packet whose rule has these messages; they are queued."""
    monkeypatch.setenv("WORD", SECRET)

    def make(messages: str, head: str = HEAD, **config: Any) -> tuple[Site, int]:
        config = {"secrets": {"word": {"env": "WORD"}}, **config}
        site = make_site(memory, tmp_path, {"a.yaml": head + messages}, **config)
        (packet,) = load(site, rpi())
        run(site)
        return site, packet

    return make


def _deliver(site: Site, crash_point: CrashPoint = lambda name: None) -> int:
    carrier = Carrier.of(site.configuration)
    return Delivery(site.database, site.world.clock, site.who, carrier, crash_point).round()


def _hook(port: int, more: str = "text: hello") -> str:
    return f"      - webhook: {{url: 'http://127.0.0.1:{port}/hook', {more}}}\n"


def _only(site: Site, packet: int) -> Queued:
    (message,) = queued(site, packet)
    return message


# ------------------------------------------------------------------ what arrives


def test_a_webhook_gets_what_the_rule_says(told: Callable[..., tuple[Site, int]], web: WebServer) -> None:
    more = (
        "method: PUT, headers: {Authorization: 'Bearer {{ secret.word }}'}, "
        "json: {id: '{{ packet.ProjectID }}', key: '{{ secret.word }}', $secret: [[true, word]]}"
    )
    site, packet = told(_hook(web.port, more))
    assert _deliver(site) == 1
    (request,) = web.requests
    assert request["method"] == "PUT"
    assert request["headers"]["Authorization"] == f"Bearer {SECRET}"
    assert request["headers"]["Content-Type"] == "application/json"
    said = json.loads(request["body"])
    assert said == {"id": "P-XYZ259276", "key": SECRET, "$secret": [[True, "word"]]}
    assert (_only(site, packet).state, _only(site, packet).reason) == ("sent", None)


def test_slack_gets_text_and_nobody_is_called(
    told: Callable[..., tuple[Site, int]], web: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORD", web.url)
    text = "      - slack: {text: 'a & <!channel>', channel: '#a'}\n      - slack: {text: b}\n"
    site, _ = told(text, slack={"webhook": "{{ secret.word }}", "channel": "#all"})
    assert _deliver(site) == 2
    first, second = (json.loads(request["body"]) for request in web.requests)
    assert first == {"text": "a &amp; &lt;!channel&gt;", "channel": "#a"}
    assert second == {"text": "b", "channel": "#all"}


def test_a_mail_has_its_headers_and_the_same_id_at_each_try(
    told: Callable[..., tuple[Site, int]], post: MailServer
) -> None:
    message = '      - mail: {to: [a@x.example], cc: b@x.example, subject: Grüße, text: "für dich\\n.\\n"}\n'
    mail = {
        "host": "127.0.0.1",
        "port": post.port,
        "from": "Amie <amie@site.example>",
        "reply_to": "staff@site.example",
    }
    site, packet = told(message, mail=mail)
    post.answers = {"RCPT": "451 greylisted"}
    assert _deliver(site) == 0
    assert "451 greylisted" in (_only(site, packet).reason or "")
    post.answers = {}
    set_clock(site, later=timedelta(hours=1))
    ids = [
        Carrier.of(site.configuration)._as_mail(one, one.content, "a@b.c", None)["Message-ID"]
        for one in queued(site, packet)
    ]
    assert _deliver(site) == 1
    (taken,) = post.mails
    assert taken.rcpt_tos == ["a@x.example", "b@x.example"]
    assert isinstance(taken.content, bytes)
    received = message_from_bytes(taken.content, policy=policy.default)
    assert isinstance(received, EmailMessage)
    assert (received["Subject"], received["Reply-To"], received["Auto-Submitted"]) == (
        "Grüße",
        "staff@site.example",
        "auto-generated",
    )
    assert received.get_content().replace("\r\n", "\n") == "für dich\n.\n"
    assert re.fullmatch(r"<amierules\.\d+\.[0-9a-f]{16}@site\.example>", received["Message-ID"])
    assert received["Message-ID"].split("@")[0] == ids[0].split("@")[0]


@pytest.mark.parametrize(
    "code", ["=?utf-8?q?=0D=0ABcc=3A_evil=40x=2Eexample?=", "=?utf-8?b?DQpCY2M6IGV2aWxAeC5leGFtcGxl?=", "=?"]
)
def test_a_coded_word_adds_no_header(told: Callable[..., tuple[Site, int]], post: MailServer, code: str) -> None:
    message = f'      - mail: {{to: "Ann {code} <a@x.example>", subject: "x {code} y", text: "{code}"}}\n'
    site, _ = told(message, mail={"host": "127.0.0.1", "port": post.port, "from": "amie@site.example"})
    assert _deliver(site) == 1
    (taken,) = post.mails
    assert taken.rcpt_tos == ["a@x.example"]
    assert isinstance(taken.content, bytes)
    received = message_from_bytes(taken.content, policy=policy.default)
    assert isinstance(received, EmailMessage)
    assert received["Bcc"] is None
    assert received["Subject"] == f"x {code} y".replace("=?", "= ?")
    assert received.get_content().strip() == code


# ------------------------------------------------------------------ what is tried again, and what never is


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (200, "sent"),
        (204, "sent"),
        (404, "failed"),
        (302, "unknown"),
        (408, "unknown"),
        (500, "unknown"),
        (None, "unknown"),
    ],
)
def test_what_the_answer_settles_is_never_sent_again(
    told: Callable[..., tuple[Site, int]], web: WebServer, answer: int | None, state: str
) -> None:
    site, packet = told(_hook(web.port))
    web.answer = lambda: answer
    _deliver(site)
    assert _only(site, packet).state == state
    set_clock(site, later=timedelta(days=1))
    web.answer = lambda: 200
    assert _deliver(site) == 0
    assert len(web.requests) == 1
    noticed = [event.why for event in events_of(site, packet) if event.what == "noticed"]
    assert len(noticed) == (state != "sent")


@pytest.mark.parametrize("answer", [429, 503])
def test_what_was_provably_not_taken_is_tried_again_later(
    told: Callable[..., tuple[Site, int]], web: WebServer, answer: int
) -> None:
    site, packet = told(_hook(web.port))
    web.answer = lambda: answer
    _deliver(site)
    message = _only(site, packet)
    assert (message.state, message.attempts) == ("queued", 1)
    assert f"the answer is {answer}" in (message.reason or "")
    _deliver(site)
    assert len(web.requests) == 1, "not before its time"
    set_clock(site, later=timedelta(minutes=2))
    web.answer = lambda: 200
    assert _deliver(site) == 1
    assert (_only(site, packet).state, _only(site, packet).attempts) == ("sent", 1)


def test_pauses_grow_and_end(told: Callable[..., tuple[Site, int]]) -> None:
    site, packet = told(_hook(closed_port()))
    pauses = []
    for _ in range(MAX_ATTEMPTS - 1):
        _deliver(site)
        message = _only(site, packet)
        assert message.next_attempt_at is not None
        pauses.append(message.next_attempt_at - site.world.clock.now())
        set_clock(site, at=message.next_attempt_at)
    assert pauses[0] < timedelta(minutes=1.5)
    assert pauses[3] > pauses[0]
    assert max(pauses) <= timedelta(hours=1.25)
    _deliver(site)
    message = _only(site, packet)
    assert (message.state, message.attempts) == ("failed", MAX_ATTEMPTS)
    assert "not taken in 20 attempts: no connection" in (message.reason or "")


def test_a_server_that_is_away_is_asked_once_a_round(
    told: Callable[..., tuple[Site, int]], web: WebServer, post: MailServer
) -> None:
    mail = "      - mail: {to: a@x.example, text: x}\n"
    site, packet = told(
        mail * 2 + _hook(web.port), mail={"host": "127.0.0.1", "port": closed_port(), "from": "a@site.example"}
    )
    assert _deliver(site) == 1
    assert [message.attempts for message in queued(site, packet)] == [1, 0, 0]
    assert [message.state for message in queued(site, packet)] == ["queued", "queued", "sent"]


def test_a_message_that_is_put_off_holds_back_no_other(
    told: Callable[..., tuple[Site, int]], web: WebServer, post: MailServer
) -> None:
    hooks = [f"      - webhook: {{url: 'http://127.0.0.1:{web.port}/{path}', text: x}}\n" for path in _PATHS]
    mails = [f"      - mail: {{to: {name}@x.example, text: x}}\n" for name in "abc"]
    site, packet = told(
        "".join([*hooks, *mails]), mail={"host": "127.0.0.1", "port": post.port, "from": "amie@site.example"}
    )
    post.answers = {"RCPT a@x.example": "450 greylisted", "RCPT b@x.example": "451 later"}
    assert _deliver(site) == 2
    states = [message.state for message in queued(site, packet)]
    assert states == ["queued", "queued", "failed", "unknown", "sent", "queued", "queued", "sent"]
    assert [message.attempts for message in queued(site, packet)] == [1, 1, 1, 1, 0, 1, 1, 0]


_PATHS = ("503", "429", "404", "302", "204")


def test_only_a_server_that_is_away_is_left_alone(
    told: Callable[..., tuple[Site, int]], web: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = closed_port()
    hooks = [_hook(gone), _hook(gone, "text: again"), _hook(web.port)]
    monkeypatch.setenv("WORD", f"http://127.0.0.1:{gone}")
    site, packet = told("      - slack: {text: x, webhook: '{{ secret.word }}/hook'}\n" + "".join(hooks))
    assert _deliver(site) == 1
    assert [message.attempts for message in queued(site, packet)] == [1, 0, 0, 0]
    assert [message.state for message in queued(site, packet)] == ["queued", "queued", "queued", "sent"]


@pytest.mark.parametrize("answer", ["421 too many", "535 no"])
def test_a_mail_server_that_lets_nobody_in_is_asked_once_a_round(
    told: Callable[..., tuple[Site, int]], web: WebServer, answer: str
) -> None:
    came = []

    def talk(one: socket.socket) -> None:
        came.append(1)
        smtp_talk(
            one, {"greeting": answer} if answer[0] == "4" else {"EHLO": "250-x\r\n250 AUTH PLAIN", "AUTH": answer}
        )

    with talking_server(talk) as port:
        mail = {
            "host": "127.0.0.1",
            "port": port,
            "from": "a@site.example",
            "user": "u",
            "password": "{{ secret.word }}",
        }
        site, packet = told("      - mail: {to: a@x.example, text: x}\n" * 3 + _hook(web.port), mail=mail)
        assert _deliver(site) == 1
    assert len(came) == 1
    assert [message.attempts for message in queued(site, packet)] == [1, 0, 0, 0]


def test_a_secret_that_cannot_be_read_now_is_waited_for(
    told: Callable[..., tuple[Site, int]], web: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    site, packet = told(_hook(web.port, "headers: {A: '{{ secret.word }}'}, text: x"))
    monkeypatch.delenv("WORD")
    assert _deliver(site) == 0
    assert (_only(site, packet).state, "cannot be read" in (_only(site, packet).reason or "")) == ("queued", True)
    monkeypatch.setenv("WORD", "new")
    set_clock(site, later=timedelta(hours=1))
    assert _deliver(site) == 1
    assert web.requests[0]["headers"]["A"] == "new"


def test_a_secret_that_is_not_here_when_a_message_is_made_is_read_when_it_is_sent(
    told: Callable[..., tuple[Site, int]], web: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ELSEWHERE", raising=False)
    hook = (
        "      - webhook: {url: '{{ secret.elsewhere }}?a=b', headers: {A: '{{ bearer }}'}, "
        "json: {a: '{{ secret.elsewhere }}'}}\n"
    )
    site, packet = told(
        hook,
        head=HEAD.replace("rules:", "vars: {bearer: 'Bearer {{ secret.elsewhere }}'}\nrules:"),
        secrets={"elsewhere": {"env": "ELSEWHERE"}},
        notify={"done": [{"webhook": {"url": "{{ secret.elsewhere }}", "text": "x"}}]},
    )
    assert [(message.state, message.target) for message in queued(site, packet)] == [("queued", "a secret address")] * 2
    assert _deliver(site) == 0
    for message in queued(site, packet):
        assert (message.state, message.attempts) == ("queued", 1)
        assert message.reason == "the secret elsewhere cannot be read from the variable ELSEWHERE"
    monkeypatch.setenv("ELSEWHERE", web.url)
    set_clock(site, later=timedelta(hours=1))
    assert _deliver(site) == 2
    first, second = web.requests
    assert (first["path"], first["headers"]["A"], first["body"]) == (
        "/hook?a=b",
        f"Bearer {web.url}",
        f'{{"a": "{web.url}"}}',
    )
    assert second["body"] == "x"


def test_a_secret_that_turns_out_to_be_no_address_is_refused_and_can_be_sent_again(
    told: Callable[..., tuple[Site, int]], web: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ELSEWHERE", raising=False)
    hook = "      - webhook: {url: '{{ secret.elsewhere }}', text: x}\n"
    site, packet = told(hook, secrets={"elsewhere": {"env": "ELSEWHERE"}})
    monkeypatch.setenv("ELSEWHERE", "n0-address")
    assert _deliver(site) == 0
    message = _only(site, packet)
    assert message.state == "failed"
    assert "must begin with http" in (message.reason or "")
    assert "n0-address" not in (message.reason or "")
    carry_out(site, message.message_id, Wish("queued", "", "me"))
    monkeypatch.setenv("ELSEWHERE", web.url)
    assert _deliver(site) == 1


def test_no_reason_tells_a_secret(told: Callable[..., tuple[Site, int]], web: WebServer, post: MailServer) -> None:
    site, packet = told(
        f"      - webhook: {{url: 'http://127.0.0.1:{web.port}/{{{{ secret.word }}}}', text: x}}\n"
        "      - mail: {to: a@x.example, text: x}\n",
        mail={
            "host": "127.0.0.1",
            "port": post.port,
            "from": "a@site.example",
            "user": "u",
            "password": "{{ secret.word }}",
        },
    )
    web.answer = lambda: 404
    assert _deliver(site) == 0
    hook, mail = queued(site, packet)
    assert (hook.state, mail.state) == ("failed", "queued")
    assert SECRET not in repr([hook, mail, events_of(site, packet)])


@pytest.mark.parametrize(
    ("echo", "said"),
    [
        ("bad credentials {plain}", "535 bad credentials ***"),
        ("no {login} here", "535 no *** here"),
        ("AUTH PLAIN {plain}".ljust(400, "."), None),
        ("cut {cut}", "535 cut ***"),
        ("for {other}", "535 for ***"),
    ],
)
def test_a_mail_server_that_repeats_the_login_tells_it_to_nobody(
    told: Callable[..., tuple[Site, int]], echo: str, said: str | None
) -> None:
    codes = {
        "plain": f"\0me\0{SECRET}",
        "login": SECRET,
        "other": f"me\0me\0{SECRET}",
    }
    coded = {name: base64.b64encode(text.encode()).decode() for name, text in codes.items()}
    answers = {"EHLO": "250-x\r\n250 AUTH PLAIN", "AUTH": "535 " + echo.format(**coded, cut=coded["plain"][:-3])}
    if "cut" in echo:
        answers["AUTH"] = "535 cut " + base64.b64encode(f"\0me\0{SECRET}more".encode()).decode()[:-3]
    with talking_server(lambda one: smtp_talk(one, answers)) as port:
        mail = {"host": "127.0.0.1", "port": port, "from": "a@x.example", "user": "me", "password": "{{ secret.word }}"}
        site, packet = told("      - mail: {to: a@x.example, text: x}\n", mail=mail)
        assert _deliver(site) == 0
        (check,) = check_channels(site.configuration)
    reason = _only(site, packet).reason or ""
    for text in (reason, str(check)):
        assert not [one for one in (SECRET, *coded.values(), coded["plain"][:20], "b'") if one in text]
        assert said is None or f"the login was refused: {said}" in text


@pytest.mark.parametrize(
    "page",
    [
        "no {path} here",
        "no {path}?thread=5 here",
        "no {decoded} here",
        "no {path}?thread=5&amp;x=%2Fy here",
        '{{"path": "{escaped}"}}',
        "no hook hookTOKEN%20secret",
        "no hook hookTOKEN secret",
    ],
)
def test_a_page_that_repeats_a_part_of_a_secret_address_tells_it_to_nobody(
    told: Callable[..., tuple[Site, int]], web: WebServer, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    path = "/apache/hookTOKEN%20secret/404"
    web.text = page.format(path=path, decoded=path.replace("%20", " "), escaped=path.replace("/", "\\/"))
    monkeypatch.setenv("WORD", f"http://127.0.0.1:{web.port}{path}?thread=5&x=%2Fy")
    site, packet = told("      - webhook: {url: '{{ secret.word }}', text: x}\n")
    assert _deliver(site) == 0
    reason = _only(site, packet).reason or ""
    assert reason.startswith("the answer is 404: ")
    assert "***" in reason
    assert not [one for one in ("TOKEN", "secret") if one in reason]


# ------------------------------------------------------------------ crashes, and others


@pytest.mark.parametrize(("point", "arrived"), [("before sending", 0), ("after sending", 1)])
def test_a_crash_in_between_is_unknown_and_never_repeated(
    database_url: str, tmp_path: Path, web: WebServer, point: str, arrived: int
) -> None:
    with Database.open(database_url, create=False) as database:
        site = make_site(database, tmp_path, {"a.yaml": HEAD + _hook(web.port)})
        (packet,) = load(site, rpi())
        run(site)
        _killed_at(point, database_url, site)
        assert len(web.requests) == arrived
        assert _only(site, packet).state == "sending"
        assert _deliver(site) == 0
        message = _only(site, packet)
        assert (message.state, message.reason) == ("unknown", "nobody recorded how its sending ended")
        set_clock(site, later=timedelta(days=1))
        assert _deliver(site) == 0
    assert len(web.requests) == arrived


def _killed_at(point: str, url: str, site: Site) -> None:
    """A process that sends, and is killed there."""
    child = os.fork()
    if child == 0:
        try:
            with Database.open(url, create=False) as database:

                def crash(name: str) -> None:
                    if name == point:
                        os.kill(os.getpid(), signal.SIGKILL)

                Delivery(database, site.world.clock, "child", Carrier.of(site.configuration), crash).round()
        finally:
            os._exit(1)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL


@pytest.mark.parametrize("where", ["here", "in another container"])
def test_a_sender_that_lives_or_is_elsewhere_has_its_time(
    told: Callable[..., tuple[Site, int]], web: WebServer, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    class Crash(BaseException):
        pass

    def crash(name: str) -> None:
        raise Crash

    site, packet = told(_hook(web.port))
    with pytest.raises(Crash):
        _deliver(site, crash)
    if where != "here":
        # The name of the host may be the same there, and the process numbers those of others.
        monkeypatch.setattr("amierules.engine.delivery.place", lambda: "another kernel's or namespace's")
        monkeypatch.setattr("amierules.engine.delivery._is_alive", lambda pid: False)
    _deliver(site)
    assert _only(site, packet).state == "sending"
    set_clock(site, later=timedelta(minutes=16))
    _deliver(site)
    assert _only(site, packet).state == "unknown"


def test_two_at_once_send_each_message_once(database_url: str, tmp_path: Path, web: WebServer) -> None:
    with Database.open(database_url, create=False) as database:
        text = f"      - webhook: {{url: '{web.url}', text: '{{{{ item }}}}'}}\n        for_each: range(25)\n"
        site = make_site(database, tmp_path, {"a.yaml": HEAD + text})
        (packet,) = load(site, rpi())
        run(site)
        sent = []

        def send() -> None:
            with Database.open(database_url, create=False) as mine:
                carrier = Carrier.of(site.configuration)
                sent.append(Delivery(mine, site.world.clock, "one", carrier).round())

        threads = [threading.Thread(target=send) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert {message.state for message in queued(site, packet)} == {"sent"}
    assert sum(sent) == 25
    assert sorted(int(request["body"]) for request in web.requests) == list(range(25))


# ------------------------------------------------------------------ beside a run


def test_messages_leave_beside_the_run_and_at_its_end(database_url: str, tmp_path: Path, web: WebServer) -> None:
    arrived = threading.Event()
    mistakes: list[Exception] = []

    def answer() -> int:
        arrived.set()
        return 200

    web.answer = answer
    with Database.open(database_url, create=False) as database:
        site = make_site(database, tmp_path, {"a.yaml": HEAD + _hook(web.port)})
        load(site, rpi())
        run(site)
        delivery = Delivery(database, site.world.clock, "run", Carrier.of(site.configuration))
        with delivering(delivery, mistakes.append) as look:
            assert arrived.wait(30), "the first message left before the end"
            (packet,) = load(site, rpi())
            run(site)
            look()
        assert _only(site, packet).state == "sent"
    assert (len(web.requests), mistakes) == (2, [])


def test_an_interrupted_run_waits_for_no_message(told: Callable[..., tuple[Site, int]], web: WebServer) -> None:
    site, packet = told(_hook(web.port))
    delivery = Delivery(site.database, site.world.clock, "run", Carrier.of(site.configuration))
    delivery.round = lambda: 0  # type: ignore[method-assign]
    mistakes: list[Exception] = []
    with pytest.raises(KeyboardInterrupt), delivering(delivery, mistakes.append):
        raise KeyboardInterrupt
    assert (_only(site, packet).state, mistakes) == ("queued", [])


def test_who_stops_the_sending_waits_for_the_message_under_way_and_leaves_the_rest(
    told: Callable[..., tuple[Site, int]], web: WebServer
) -> None:
    site, packet = told(_hook(web.port) * 3)
    delivery = Delivery(site.database, site.world.clock, "run", Carrier.of(site.configuration))

    def answer() -> int:
        delivery.stop()
        return 200

    web.answer = answer
    mistakes: list[Exception] = []
    with delivering(delivery, mistakes.append):
        pass
    assert [message.state for message in queued(site, packet)] == ["sent", "queued", "queued"]
    assert mistakes == []


def _interrupted_after(event: threading.Event) -> None:
    event.wait(30)
    raise KeyboardInterrupt


def test_who_is_interrupted_does_not_wait_for_the_message_under_way(
    told: Callable[..., tuple[Site, int]], web: WebServer
) -> None:
    site, packet = told(_hook(web.port))
    delivery = Delivery(site.database, site.world.clock, "run", Carrier.of(site.configuration))
    arrived, released = threading.Event(), threading.Event()

    def answer() -> int:
        arrived.set()
        released.wait(30)
        return 200

    web.answer = answer
    begun = time.monotonic()
    mistakes: list[Exception] = []
    with pytest.raises(KeyboardInterrupt), delivering(delivery, mistakes.append):
        _interrupted_after(arrived)
    assert time.monotonic() - begun < 5
    assert (_only(site, packet).state, mistakes) == ("sending", [])
    released.set()
    for thread in threading.enumerate():
        if thread.name == "messages":
            thread.join()


def test_what_breaks_in_the_sending_is_told_once_and_at_once_and_the_sending_goes_on(
    told: Callable[..., tuple[Site, int]], web: WebServer
) -> None:
    site, packet = told(_hook(web.port))
    delivery = Delivery(site.database, site.world.clock, "run", Carrier.of(site.configuration))
    sound, left, mistakes = delivery.round, [1, 2, 3], list[Exception]()
    one_is_told = threading.Event()

    def breaks() -> int:
        if left:
            raise RuntimeError(f"mistake {left.pop(0)} of ours")
        return sound()

    def tell(mistake: Exception) -> None:
        mistakes.append(mistake)
        one_is_told.set()

    delivery.round = breaks  # type: ignore[method-assign]
    with delivering(delivery, tell) as look:
        assert one_is_told.wait(30)
        until = time.monotonic() + 30
        while left and time.monotonic() < until:
            look()
            time.sleep(0.01)
    assert [str(mistake) for mistake in mistakes] == ["mistake 1 of ours"]
    assert _only(site, packet).state == "sent"


def test_what_could_not_be_recorded_is_unknown_in_the_next_round(
    told: Callable[..., tuple[Site, int]], web: WebServer
) -> None:
    def away(name: str) -> None:
        if name == "after sending":
            raise Unavailable(Finding("database-lost", "it is away"))

    site, packet = told(_hook(web.port))
    delivery = Delivery(site.database, site.world.clock, site.who, Carrier.of(site.configuration), away)
    with pytest.raises(Unavailable):
        delivery.round()
    assert _only(site, packet).state == "sending"
    assert delivery.round() == 0
    assert _only(site, packet).state == "unknown"
    assert len(web.requests) == 1


@pytest.mark.parametrize(
    "said", ["Cannot POST /services/T0/s3cr3t", "x" * 91 + " https://hooks.example/services/T0/s3cr3t"]
)
def test_what_a_server_repeats_of_a_secret_address_is_told_to_nobody(
    told: Callable[..., tuple[Site, int]], monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    class Repeats:
        def send(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
            return Answer(404, said)

        def reach(self, url: str) -> None:
            raise AssertionError("a message is sent, not announced")

    monkeypatch.setenv("HOOK", "https://hooks.example/services/T0/s3cr3t")
    site, packet = told(
        "      - slack: {text: hello}\n",
        secrets={"hook": {"env": "HOOK"}},
        slack={"webhook": "{{ secret.hook }}"},
    )
    Delivery(site.database, site.world.clock, site.who, Carrier(site.configuration, Repeats(), None)).round()
    reason = _only(site, packet).reason or ""
    assert "404" in reason
    assert not {"services", "https:", "s3cr"} & set(re.findall(r"[a-z0-9]+:?", reason))
