"""The databases of the crash tests."""

from collections.abc import Iterator

import pytest

from amierules.database.connection import Database
from amierules.database.migrations import create_all
from tests.support.crash_matrix import Backend
from tests.support.postgres import PostgresServer


@pytest.fixture(scope="session")
def durable_server() -> Iterator[PostgresServer]:
    """A PostgreSQL server that writes each commit to the disk."""
    server = PostgresServer(durable=True)
    yield server
    server.remove()


@pytest.fixture(scope="session")
def durable_template(durable_server: PostgresServer) -> str:
    """The name of a database with all tables."""
    name = durable_server.create_database()
    with Database.open_unchecked(durable_server.url(name)) as database:
        create_all(database)
    return name


@pytest.fixture
def durable(durable_server: PostgresServer, durable_template: str) -> Iterator[Backend]:
    """A fresh database on it."""
    name = durable_server.create_database(durable_template)
    yield Backend("postgresql", durable_server.url(name), lambda: durable_server.wait_until_alone(name))
    durable_server.drop_database(name)


@pytest.fixture
def file(sqlite_url: str) -> Backend:
    """A fresh SQLite file."""
    return Backend("sqlite", sqlite_url)
