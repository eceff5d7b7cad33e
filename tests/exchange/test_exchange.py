"""Packets over REST, from the server to the database and back, and what becomes of the states."""

from tests.exchange.conftest import MakeExchange
from tests.support.exchanges import Exchange, body_of
from tests.support.sites import rpc, rpi, rum


def test_a_project_is_created_over_rest(exchange: Exchange) -> None:
    exchange.central.add("request_project_create", body_of(rpc()))
    exchange.until_quiet()
    assert exchange.packets() == [
        ("<-", "request_project_create", "completed"),
        ("->", "notify_project_create", "completed"),
        ("<-", "data_project_create", "completed"),
        ("->", "inform_transaction_complete", "completed"),
    ]
    assert exchange.transactions() == ["completed"]
    assert exchange.taken() == [("notify_project_create", 101), ("inform_transaction_complete", 103)]
    assert exchange.remote_keys() == [102, 104]
    assert exchange.central.twice == []
