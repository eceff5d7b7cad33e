"""A service that speaks JSON, on a real server: what is known of a request that is not answered as it should be."""

import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from amierules.ports.http_connections import Dialler
from amierules.ports.json_service import JsonService, Patience
from amierules.ports.taking import Denied, NotTaken, Refused, SendingFault, Unsure
from amierules.templating import Secret
from tests.support.json_server import JsonServer, Say, json_server
from tests.support.servers import closed_port
from tests.support.slapd import Certificates

PATIENT = Patience(attempts=3, first=0.0, longest=1.0)


@pytest.fixture
def server() -> Iterator[JsonServer]:
    """A server."""
    with json_server() as one:
        yield one


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy of the host that runs the tests."""
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


_MADE: list[JsonService] = []


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    """The services of a test are closed after it."""
    yield
    while _MADE:
        _MADE.pop().close()


def _service(url: str, *, key: str = "k3y", timeout: float = 5, deadline: float = 20) -> JsonService:
    headers: dict[str, str | Secret] = {"XA-SITE": "TestSite", "XA-API-KEY": Secret(key)}
    made = JsonService(url, lambda: headers, Dialler(timeout), deadline=deadline, patience=PATIENT)
    _MADE.append(made)
    return made


def test_a_request_has_its_address_its_headers_and_its_body(server: JsonServer) -> None:
    server.say(Say(data={"result": [1]}))
    answer = _service(server.url + "/").call(
        "POST", ["packets", "a/b ü", 7], query={"update_time": "x,"}, body={"a": "ö"}
    )
    assert answer.data == {"result": [1]}
    (request,) = server.requests
    assert (request.method, request.path) == ("POST", "/api/packets/a%2Fb%20%C3%BC/7?update_time=x%2C")
    assert request.body == '{"a": "\\u00f6"}'
    assert request.headers["XA-API-KEY"] == "k3y"
    assert request.headers["XA-SITE"] == "TestSite"
    assert request.headers["Content-Type"] == "application/json"


def test_a_connection_is_kept_and_replaced_when_the_server_has_ended_it(server: JsonServer) -> None:
    service = _service(server.url)
    for _ in range(3):
        service.call("GET", ["packets"])
    server.say(Say(data=1, headers={"Connection": "close"}), Say(data=2))
    service.call("POST", ["packets"])
    service.call("POST", ["packets"])
    assert [one.connection for one in server.requests] == [1, 1, 1, 1, 2]


def test_the_time_of_the_service_is_told(server: JsonServer) -> None:
    answer = _service(server.url).call("GET", ["packets"])
    assert answer.date is not None
    assert abs((answer.date - datetime.now(UTC)).total_seconds()) < 60


@pytest.mark.parametrize(
    ("said", "fault", "status"),
    [
        (Say(302, headers={"Location": "http://x.example/"}), Refused, 302),
        (Say(400, {"message": "no such packet"}), Refused, 400),
        (Say(401, {"message": "bad key"}), Denied, 401),
        (Say(403), Denied, 403),
        (Say(404, body=b"<html>nothing</html>"), Refused, 404),
        (Say(408), Unsure, 408),
        (Say(429), NotTaken, 429),
        (Say(500, {"error": "boom"}), Unsure, 500),
        (Say(503), Unsure, 503),
        (Say(200, body=b""), Unsure, 200),
        (Say(200, body=b"<html>"), Unsure, 200),
        (Say(cut="before"), Unsure, None),
        (Say(200, [1, 2, 3], cut="within"), Unsure, 200),
    ],
    ids=str,
)
def test_what_is_known_of_a_request_that_failed(
    server: JsonServer, said: Say, fault: type[SendingFault], status: int | None
) -> None:
    server.say(said)
    with pytest.raises(fault) as raised:
        _service(server.url).call("POST", ["packets"], body={})
    assert (type(raised.value), raised.value.status) == (fault, status)


def test_the_reason_is_what_the_service_says(server: JsonServer) -> None:
    for said, reason in (
        (Say(400, {"message": "no packet 7"}), "the answer is 400: no packet 7"),
        (Say(400, {"error": "no record"}), "the answer is 400: no record"),
        (Say(404, body=b"not\x1b[31m here"), "the answer is 404: not"),
        (Say(301, headers={"Location": "https://new.example/"}, body=b""), "points to https://new.example/"),
    ):
        server.say(said)
        with pytest.raises(Refused) as raised:
            _service(server.url).call("GET", ["packets"])
        assert reason in str(raised.value)
        assert "\x1b" not in str(raised.value)


@pytest.mark.parametrize("said", [Say(500), Say(401), Say(429), Say(cut="before"), Say(200, body=b"")], ids=str)
def test_what_changes_nothing_is_asked_again(server: JsonServer, said: Say) -> None:
    server.say(said, said, Say(data=7))
    assert _service(server.url).call("GET", ["packets"]).data == 7
    server.say(said)
    server.requests.clear()
    with pytest.raises((Unsure, NotTaken)):
        _service(server.url).call("GET", ["packets"])
    assert len(server.requests) == PATIENT.attempts


def test_what_may_have_been_taken_is_not_sent_again_and_what_was_not_is(server: JsonServer) -> None:
    server.say(Say(500), Say(data=7))
    with pytest.raises(Unsure):
        _service(server.url).call("POST", ["packets"], body={})
    assert len(server.requests) == 1
    server.say(Say(403), Say(429, headers={"Retry-After": "0"}), Say(data=7))
    assert _service(server.url).call("POST", ["packets"], body={}).data == 7
    server.say(Say(500), Say(data=8))
    assert _service(server.url).call("POST", ["packets"], body={}, repeat=True).data == 8


def test_an_empty_answer_is_one_where_it_may_be(server: JsonServer) -> None:
    server.say(Say(200, body=b""))
    assert _service(server.url).call("PUT", ["x"], may_be_empty=True).data is None


@pytest.mark.parametrize(("said", "seconds"), [("7", 7.0), ("Wed, 21 Oct 2099 07:28:00 GMT", 1e8), ("soon", None)])
def test_when_to_come_again_is_told_and_a_long_time_is_not_waited(
    server: JsonServer, said: str, seconds: float | None
) -> None:
    server.say(Say(429, headers={"Retry-After": said}))
    with pytest.raises(NotTaken) as raised:
        _service(server.url).call("GET", ["packets"])
    if seconds is None:
        assert raised.value.retry_after is None
        assert len(server.requests) == PATIENT.attempts
    else:
        assert (raised.value.retry_after or 0) >= seconds
        assert len(server.requests) == 1


def test_pauses_grow_and_are_spread_and_honour_what_is_asked() -> None:
    patience = Patience(attempts=9, first=1.0, longest=8.0)
    for attempt, whole in enumerate([1, 2, 4, 8, 8, 8], 1):
        pauses = [patience.pause(attempt, Unsure("x")) or 0 for _ in range(50)]
        assert min(pauses) >= whole / 2
        assert max(pauses) <= whole
        assert len(set(pauses)) > 1
    assert patience.pause(1, NotTaken("x", retry_after=5)) == 5
    assert patience.pause(1, NotTaken("x", retry_after=9)) is None
    assert patience.pause(9, NotTaken("x")) is None


def test_who_is_to_end_waits_no_longer(server: JsonServer) -> None:
    server.say(Say(500))
    service = _service(server.url)
    service.patience = Patience(attempts=9, wait=lambda seconds: False)
    with pytest.raises(Unsure):
        service.call("GET", ["packets"])
    assert len(server.requests) == 1


def test_no_server_no_host_no_name_took_nothing() -> None:
    for url in (f"http://127.0.0.1:{closed_port()}", "http://host.invalid", "https://host.invalid"):
        with pytest.raises(NotTaken, match="no connection"):
            _service(url).call("POST", ["packets"], body={})
    for url in ("ftp://x.example", "http://", "http://x.example/ü", "x"):
        with pytest.raises(Refused):
            _service(url).call("POST", ["packets"], body={})


def test_an_answer_that_does_not_come_is_not_waited_for(server: JsonServer) -> None:
    server.say(Say(200, list(range(1000)), drip=0.05))
    for service in (_service(server.url, deadline=0.5), _service(server.url, timeout=0.01)):
        service.patience = Patience(attempts=1)
        with pytest.raises(Unsure):
            service.call("GET", ["packets"])


def test_the_key_is_in_no_error(server: JsonServer) -> None:
    key = "s3cret-key"
    for said in (Say(401, {"message": f"key {key} is wrong"}), Say(400, body=f"<{key}>".encode()), Say(500, [key])):
        server.say(said)
        with pytest.raises(SendingFault) as raised:
            _service(server.url, key=key).call("POST", ["packets"], body={})
        told = "".join(traceback.format_exception(raised.value)) + repr(_service(server.url, key=key))
        assert key not in told
    with pytest.raises(Refused) as refused:
        _service(server.url, key=f"{key}\n").call("GET", ["packets"])
    assert key not in "".join(traceback.format_exception(refused.value))


def test_a_proxy_of_the_environment_is_asked(server: JsonServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://me:p%20w@127.0.0.1:{server.port}")
    _service("http://far.invalid/api").call("GET", ["packets"])
    (request,) = server.requests
    assert request.path == "http://far.invalid/api/packets"
    assert request.headers["Host"] == "far.invalid"
    assert request.headers["Proxy-Authorization"] == "Basic bWU6cCB3"
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    _service(server.url).call("GET", ["packets"])
    assert server.requests[1].path == "/api/packets"


def test_a_certificate_is_checked(tmp_path: Path) -> None:
    made = Certificates.make(tmp_path)
    with json_server(made.server, made.key) as server:
        with pytest.raises(NotTaken, match="certificate verify failed"):
            _service(server.url).call("GET", ["packets"])
        trusting = _service(server.url)
        trusting.dialler = Dialler(5, ca_file=made.ca)
        assert trusting.call("GET", ["packets"]).data == {"message": None, "result": []}
        trusting.url = server.url.replace("127.0.0.1", "127.0.0.2")
        trusting.close()
        with pytest.raises(NotTaken):
            trusting.call("GET", ["packets"])
