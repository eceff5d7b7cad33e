"""Whatever a server answers: no crash, no packet lost, and what cannot be read is shown."""

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from amierules.database.connection import Database
from amierules.diagnostics import printable
from tests.support.amie_json import rpc
from tests.support.bad_packets import bad_packet, bad_text
from tests.support.exchanges import Exchange, api_key_of
from tests.support.json_server import Say
from tests.support.sites import make_site
from tests.support.small_central import central_server

ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=20,
)


@pytest.fixture
def exchange(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Exchange]:
    """A site over a database in memory that exchanges packets with a server."""
    api_key_of(monkeypatch)
    with central_server() as (server, central), Database.open("sqlite://", create=True) as database:
        site = make_site(database, tmp_path, exchange={"url": server.url}, secrets={"amie": {"env": "AMIE_KEY"}})
        yield Exchange(site, server, central)


def _fetched(exchange: Exchange, body: bytes) -> Any:
    exchange.central.fault = lambda request: Say(200, body=body) if request.method == "GET" else Say(400)
    return exchange.once(full=True)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(junk=st.lists(ANY_JSON, max_size=5), where=st.integers(0, 5), shape=st.sampled_from(["list", "result"]))
def test_good_packets_come_in_whatever_stands_beside_them(
    exchange: Exchange, junk: list[Any], where: int, shape: str
) -> None:
    good = rpc()
    listed = [*junk[:where], good, *junk[where:]]
    data = listed if shape == "list" else {"message": None, "result": listed}
    first = _fetched(exchange, json.dumps(data).encode())
    assert first.trouble == ""
    assert exchange.local(good["header"]["packet_rec_id"])
    assert first.fetched.new == 1
    assert first.fetched.unreadable == len(junk)
    for finding in first.fetched.findings:
        assert printable(finding.message, 2000) == finding.message
    again = _fetched(exchange, json.dumps(data).encode())
    assert (again.fetched.new, again.fetched.known, again.fetched.findings) == (0, 1, [])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=ANY_JSON)
def test_any_json_is_an_answer(exchange: Exchange, data: Any) -> None:
    results = _fetched(exchange, json.dumps(data).encode())
    assert results.fetched.new == 0
    assert printable(results.trouble, 2000) == results.trouble


def test_a_thousand_broken_packets_keep_no_good_one_out(exchange: Exchange) -> None:
    chance = random.Random(11)
    for batch in range(10):
        # By numbers that no good one has, however many of those were made before.
        listed: list[Any] = [bad_packet(chance, 20_000_000 + 1000 * batch + number) for number in range(100)]
        good = [rpc({"GrantNumber": f"G{chance.random()}"}) for _ in range(5)]
        for one in good:
            listed.insert(chance.randrange(len(listed)), one)
        results = _fetched(exchange, json.dumps({"result": listed}).encode())
        assert results.trouble == ""
        for one in good:
            assert exchange.local(one["header"]["packet_rec_id"])


def test_damaged_answers_say_what_they_are(exchange: Exchange) -> None:
    chance = random.Random(12)
    for number in range(100):
        results = _fetched(exchange, bad_text(chance, number))
        assert printable(results.trouble, 2000) == results.trouble
