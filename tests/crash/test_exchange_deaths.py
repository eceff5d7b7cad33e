"""Processes killed while they fetch and post, and answers that are lost: each packet is answered once."""

import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from amierules.database.connection import Database
from amierules.engine.sending import ToSend, send
from tests.support.crash_matrix import Backend, Record
from tests.support.deaths import KILLS, at_point, in_process
from tests.support.exchanges import ANSWER, Exchange, api_key_of, body_of
from tests.support.json_server import Request, Say
from tests.support.sites import make_site, rpi
from tests.support.small_central import central_server

NOTIFY = "notify_project_inactivate"
FETCH = ("in fetch", "after fetch", "before mark", "after mark")
POST = (
    *((point, 1) for point in ("in intent", "after intent", "in record", "after record", "after telling")),
    *((point, passage) for point in ("before post", "after post") for passage in (1, 2, 3)),
)
RANDOM_KILLS = 12


@pytest.fixture(params=["sqlite", "postgresql"])
def exchange(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Exchange, Backend]]:
    """A site over a fresh database of each kind that exchanges packets with a server of its own."""
    api_key_of(monkeypatch)
    backend: Backend = request.getfixturevalue({"sqlite": "file", "postgresql": "durable"}[request.param])
    with central_server() as (server, central):
        section = {"url": server.url, "client_state": True}
        database = Database.open(backend.url, create=False)
        site = make_site(
            database, tmp_path, {"a.yaml": ANSWER}, exchange=section, secrets={"amie": {"env": "AMIE_KEY"}}
        )
        yield Exchange(site, server, central), backend
        database.close()


def more(exchange: Exchange, packets: int = 2) -> None:
    """Packets from the server, and one that we start a transaction with."""
    for _ in range(packets):
        exchange.central.add("request_project_inactivate", body_of(rpi()))
    fields = {"ActionType": "replace", "PersonID": "20001", "Email": f"n{len(exchange.central.packets)}@site.example"}
    send(exchange.site, ToSend("notify_user_modify", fields, None, ""))


def killed_at(exchange: Exchange, point: str, passage: int = 1) -> bool:
    def work() -> str:
        exchange.once(run=True, crash_point=at_point(point, passage))
        return f"not killed {point}"

    return in_process(work)


def check(exchange: Exchange, started: int) -> None:
    """Every packet of the server's has one answer, every packet of ours is there once, and both sides know it."""
    central = exchange.central
    for _ in range(20):
        exchange.later(hours=1)  # what was tried several times in vain waits a while
        results = exchange.once(run=True, full=True)
        if not (results.trouble or results.posted or results.waiting):
            break
    asked = [key for key, one in central.packets.items() if one["header"]["outgoing_flag"] == 1]
    answered: Counter[int] = Counter(one["header"].get("in_reply_to", 0) for one in central.taken)
    assert answered == Counter(dict.fromkeys(asked, 1) | {0: started})
    assert central.twice == []
    bodies = [one["body"]["Email"] for one in central.taken if one["type"] == "notify_user_modify"]
    assert len(bodies) == len(set(bodies)), "each of ours is another one"
    assert {state for _, state, _ in exchange.posts()} == {"sent"}
    ours = [key for key, one in central.packets.items() if one["header"]["outgoing_flag"] == 0]
    assert set(exchange.remote_keys()) <= set(ours)
    types = Counter((one[0], one[1]) for one in exchange.packets())
    assert types["<-", "request_project_inactivate"] == types["->", NOTIFY] == len(asked)


def test_wherever_an_exchange_is_killed_each_packet_is_answered_once(
    exchange: tuple[Exchange, Backend], record_property: Record
) -> None:
    site, backend = exchange
    cells = [*((point, 1) for point in FETCH), *POST]
    for point, passage in cells:
        more(site)
        assert killed_at(site, point, passage), point
        record_property(KILLS, [backend.name, "exchange", point, 1])
        backend.gone()
    # What is looked up after a lost answer, too.
    more(site)
    assert killed_at(site, "after post")
    assert killed_at(site, "after look")
    record_property(KILLS, [backend.name, "exchange", "after look", 1])
    backend.gone()
    check(site, len(cells) + 1)


def test_whenever_an_exchange_is_killed_and_whatever_is_lost_each_packet_is_answered_once(
    exchange: tuple[Exchange, Backend], record_property: Record
) -> None:
    site, backend = exchange
    chance = random.Random(7)

    def lose(_request: Request) -> Say | None:
        if chance.random() > 0.2:
            return None
        return chance.choice([Say(cut="before"), Say(200, body=b""), Say(500, {"message": "done, and broken"})])

    def fault(_request: Request) -> Say | None:
        return None if chance.random() > 0.1 else chance.choice([Say(429), Say(500), Say(401), Say(cut="before")])

    site.central.lose, site.central.fault = lose, fault
    started = killed = 0
    while killed < RANDOM_KILLS:
        more(site, 5)
        started += 1

        def work() -> str:
            site.once(run=True)
            return ""

        if in_process(work, kill_after=chance.uniform(0.05, 0.6)):
            killed += 1
            record_property(KILLS, [backend.name, "exchange", "at a random time", 1])
        backend.gone()
    site.central.lose = site.central.fault = lambda request: None
    check(site, started)
