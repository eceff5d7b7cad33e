"""A site and the server that it exchanges packets with."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from amierules.database.connection import Database
from tests.support.exchanges import Exchange, MakeExchange, api_key_of
from tests.support.sites import make_site
from tests.support.small_central import central_server


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The key of the site, and no proxy of the host that runs the tests."""
    api_key_of(monkeypatch)


def _make(database: Database, folder: Path) -> Iterator[MakeExchange]:
    with central_server() as (server, central):

        def make(rules: Any = None, **section: Any) -> Exchange:
            given = {"url": server.url, **section}
            site = make_site(database, folder, rules, exchange=given, secrets={"amie": {"env": "AMIE_KEY"}})
            return Exchange(site, server, central)

        yield make


@pytest.fixture
def make_exchange(sqlite_url: str, tmp_path: Path) -> Iterator[MakeExchange]:
    """Makes a site over an SQLite file, with a central database of its own."""
    with Database.open(sqlite_url, create=False) as database:
        yield from _make(database, tmp_path)


@pytest.fixture
def exchange(make_exchange: MakeExchange) -> Exchange:
    """A site with the shipped rules."""
    return make_exchange()


@pytest.fixture
def exchange_on_each(database: Database, tmp_path: Path) -> Iterator[Exchange]:
    """A site with the shipped rules over each kind of database."""
    for make in _make(database, tmp_path):
        yield make()
