"""`amierules exchange` and `run --exchange` as a person calls them, against a real server."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.amie_json import rpi
from tests.support.command_line import PROGRAM, call, program
from tests.support.exchanges import ANSWER, api_key_of, body_of
from tests.support.json_server import JsonServer, Say
from tests.support.servers import closed_port
from tests.support.sites import configure
from tests.support.small_central import KEY, Central, central_server

REPLY = "notify_project_inactivate"


@pytest.fixture
def remote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[JsonServer, Central]]:
    """A server, and a site folder, in which we are, that exchanges packets with it."""
    api_key_of(monkeypatch)
    monkeypatch.chdir(tmp_path)
    with central_server() as (server, central):
        write_site(tmp_path, server.url)
        yield server, central


def write_site(folder: Path, url: str, **section: object) -> None:
    configure(folder, {"a.yaml": ANSWER}, exchange={"url": url, **section}, secrets={"amie": {"env": "AMIE_KEY"}})


def test_once_fetches_and_run_answers_and_once_more_sends(remote: tuple[JsonServer, Central]) -> None:
    _, central = remote
    key = central.add("request_project_inactivate", body_of(rpi()))
    first = call("exchange")
    assert (first.status, first.stdout) == (0, "")
    assert first.stderr.strip() == "TGCDB: 1 new packet"
    assert call("run").status == 0
    waiting = call("status")
    assert "exchange: 1 to be sent to TGCDB; `amierules exchange list` shows them" in waiting.stderr
    second = call("exchange")
    assert second.stdout.split() == ["sent", "2", REPLY, "to", "TGCDB", "as", "r:102"]
    assert second.stderr.strip() == "TGCDB: 1 sent"
    assert [one["header"]["in_reply_to"] for one in central.taken] == [key]
    assert call("exchange").stderr.strip() == "TGCDB: nothing new"
    shown = call("show", 2)
    assert "sent to TGCDB" in shown.stdout


def test_run_with_exchange_does_all_in_one(remote: tuple[JsonServer, Central]) -> None:
    _, central = remote
    central.add("request_project_inactivate", body_of(rpi()))
    ended = call("run", "--exchange")
    assert (ended.status, len(central.taken)) == (0, 1)
    assert "TGCDB: 1 new packet; 1 sent" in ended.stderr


def test_json_follows_its_schema(remote: tuple[JsonServer, Central]) -> None:
    _, central = remote
    central.add("request_project_inactivate", body_of(rpi()))
    central.add("request_project_inactivate", body_of(rpi()), outgoing_flag=9)
    ended = call("exchange", "--format", "json")
    (server,) = ended.json("exchange")["servers"]
    assert ended.status == 3
    assert (server["fetched"]["new"], server["fetched"]["unreadable"], server["error"]) == (1, 1, None)
    assert [one["code"] for one in server["findings"]] == ["bad-header-field"]
    call("run")
    listed = call("exchange", "list", "--format", "json")
    data = listed.json("exchange-list")
    assert [(one["packet_rec_id"], one["state"]) for one in data["packets"]] == [(2, "waiting")]
    assert [one["key"] for one in data["unreadable"]] == ["102"]
    central.fault = lambda request: Say(400, {"message": "no"}) if request.method == "POST" else None
    (server,) = call("exchange", "--format", "json").json("exchange")["servers"]
    assert [(one["what"], one["state"], one["reason"]) for one in server["posted"]] == [
        ("reply", "refused", "the answer is 400: no")
    ]
    status = call("status", "--format", "json")
    assert status.json("status")["exchange"] == {"waiting": {}, "refused": 1, "unreadable": 1}
    assert status.status == 3
    assert "1 refused in the exchange" in call("status", "--check").stdout
    assert "amierules_refused_packets 1" in call("status", "--format", "prometheus").stdout


def test_a_refused_packet_is_listed_sent_again_or_dropped(remote: tuple[JsonServer, Central]) -> None:
    _, central = remote
    for _ in range(2):
        central.add("request_project_inactivate", body_of(rpi()))
    central.fault = lambda request: Say(400, {"message": "no ID"}) if request.method == "POST" else None
    ended = call("run", "--exchange")
    assert (ended.status, ended.stdout.count("refused")) == (3, 2)
    listed = call("exchange", "list")
    assert (listed.status, listed.stdout.count("refused")) == (3, 2)
    assert "the answer is 400: no ID" in listed.stdout
    central.fault = lambda request: None
    assert call("exchange", "drop", 4, "--reason", "by phone").status == 0
    assert call("exchange", "resend", 3).status == 0
    assert call("exchange", "resend", 3).status == 2
    assert call("exchange", "drop", 99).status == 2
    assert call("exchange").status == 0
    assert len(central.taken) == 1
    assert call("exchange", "list").stdout == ""
    assert "by phone" in call("show", 4).stdout


@pytest.mark.parametrize("words", [("exchange",), ("run", "--exchange")])
def test_a_server_that_is_away_is_status_5_with_the_reason(
    remote: tuple[JsonServer, Central], tmp_path: Path, words: tuple[str, ...]
) -> None:
    server, central = remote
    central.add("request_project_inactivate", body_of(rpi()))
    call("exchange")
    call("run")
    write_site(tmp_path, f"http://127.0.0.1:{closed_port()}")
    ended = call(*words)
    assert ended.status == 5
    assert "TGCDB: no connection: Connection refused; 1 waits to be sent" in ended.stderr
    assert [one["state"] for one in call("exchange", "list", "--format", "json").json("exchange-list")["packets"]]
    write_site(tmp_path, server.url)
    assert call(*words).status == 0
    assert len(central.taken) == 1


def test_the_key_is_in_no_output(
    remote: tuple[JsonServer, Central], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, central = remote
    central.fault = lambda request: Say(401, {"message": f"the key {request.headers['XA-API-KEY']} is unknown"})
    for words in (("exchange",), ("exchange", "--format", "json"), ("doctor",), ("run", "--exchange")):
        ended = call(*words)
        assert "***" in ended.stdout + ended.stderr, words
        assert KEY not in ended.stdout + ended.stderr, words
    assert KEY.encode() not in b"".join(file.read_bytes() for file in tmp_path.glob("amie.db*"))
    monkeypatch.delenv("AMIE_KEY")
    ended = call("exchange")
    assert (ended.status, "the secret amie cannot be read from the variable AMIE_KEY" in ended.stderr) == (5, True)


def test_the_key_may_stand_in_a_file(remote: tuple[JsonServer, Central], tmp_path: Path) -> None:
    server, _ = remote
    (tmp_path / "key").write_text(KEY + "\n", encoding="utf-8")
    configure(tmp_path, {"a.yaml": ANSWER}, exchange={"url": server.url}, secrets={"amie": {"file": "key"}})
    assert call("exchange").status == 0


def test_doctor_tries_the_server(remote: tuple[JsonServer, Central], tmp_path: Path) -> None:
    server, central = remote
    central.add("request_project_inactivate", body_of(rpi()))
    assert f"{server.url}: answers, and knows TestSite" in call("doctor").stdout
    assert "no packets wait" in call("status").stderr
    central.fault = lambda request: Say(403, {"message": "not you"})
    ended = call("doctor")
    assert (ended.status, "the answer is 403: not you" in ended.stdout) == (1, True)
    assert "look at api_key and site" in ended.stdout


def test_wrong_usage_is_told(remote: tuple[JsonServer, Central], tmp_path: Path) -> None:
    for words in (
        ("exchange", "--watch", "--full"),
        ("exchange", "--full", "list"),
        ("exchange", "lst"),
        ("exchange", "resend"),
        ("run", "--observe", "--exchange"),
    ):
        assert call(*words).status == 2, words
    configure(tmp_path, {"a.yaml": ANSWER})
    for command in (("exchange",), ("run", "--exchange")):
        ended = call(*command)
        assert (ended.status, "add `exchange:`" in ended.stderr) == (1, True)


@pytest.mark.parametrize("words", [("exchange", "--watch"), ("run", "--exchange", "--watch")])
def test_watching_goes_on_through_an_outage_and_ends_when_asked(
    remote: tuple[JsonServer, Central], tmp_path: Path, words: tuple[str, ...]
) -> None:
    server, central = remote
    write_site(tmp_path, server.url, poll="1s")
    central.fault = lambda request: Say(500)
    log = tmp_path / "log"
    environment = {**os.environ, "AMIE_KEY": KEY}
    with log.open("wb") as output:
        watching = subprocess.Popen([str(PROGRAM), *words], cwd=tmp_path, env=environment, stdout=output, stderr=output)
    try:
        _until(lambda: "trying until it is back" in log.read_text(), watching)
        central.add("request_project_inactivate", body_of(rpi()))
        central.fault = lambda request: None
        _until(lambda: "TGCDB is back" in log.read_text(), watching)
        _until(lambda: "1 new packet" in log.read_text(), watching)
        if words[0] == "run":
            _until(lambda: len(central.taken) == 1, watching)
        second = program("exchange", cwd=tmp_path, AMIE_KEY=KEY)
        assert (second.status, "database-busy" in second.stderr) == (5, True)
        watching.send_signal(signal.SIGTERM)
        assert watching.wait(60) == 0
    finally:
        watching.kill()
        watching.wait()
    assert "Traceback" not in log.read_text()


def _until(what: Callable[[], bool], process: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + 90
    while not what():
        assert process.poll() is None, "it has ended"
        assert time.monotonic() < until, "it does not come"
        time.sleep(0.1)
