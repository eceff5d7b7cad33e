"""Databases of the tests of usage: they write only rows, so those on PostgreSQL share one of each kind."""

from collections.abc import Iterator

import pytest

from amierules.database.connection import Database
from amierules.database.migrations import migrate
from tests.support.emptied import EmptiedDatabase
from tests.support.postgres import PostgresServer


@pytest.fixture(scope="session")
def shared_ready(postgres_server: PostgresServer, ready_template: str) -> Iterator[EmptiedDatabase]:
    """A database with all tables, all of them ours."""
    yield from _shared(postgres_server, ready_template)


@pytest.fixture(scope="session")
def shared_legacy(postgres_server: PostgresServer, legacy_template: str) -> Iterator[EmptiedDatabase]:
    """A database with found AMIE tables, and ours beside them."""
    name = postgres_server.create_database(legacy_template)
    with Database.open_unchecked(postgres_server.url(name)) as database:
        migrate(database)
    yield from _shared(postgres_server, name)
    postgres_server.drop_database(name)


@pytest.fixture
def postgres_ready_url(shared_ready: EmptiedDatabase) -> Iterator[str]:
    """The URL of a PostgreSQL database with all tables, as it was at first."""
    yield shared_ready.url
    shared_ready.refresh()


@pytest.fixture
def legacy_postgres_url(shared_legacy: EmptiedDatabase) -> Iterator[str]:
    """The URL of a PostgreSQL database with found AMIE tables and ours beside them, as it was at first."""
    yield shared_legacy.url
    shared_legacy.refresh()


def _shared(server: PostgresServer, template: str) -> Iterator[EmptiedDatabase]:
    shared = EmptiedDatabase(server, template)
    yield shared
    shared.remove()
