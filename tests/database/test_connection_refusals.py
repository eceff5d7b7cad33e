"""What PostgreSQL refuses on connecting, said with the command that mends it."""

import pytest

from amierules.database.connection import Database
from amierules.database.migrations import create_all
from amierules.diagnostics import Unavailable
from tests.support.postgres import PostgresServer


@pytest.mark.parametrize(
    ("name", "user", "hint"),
    [("nowhere", "postgres", "createdb nowhere"), ("postgres", "nobody-here", "createuser nobody-here")],
)
def test_what_is_missing_is_said(postgres_server: PostgresServer, name: str, user: str, hint: str) -> None:
    with pytest.raises(Unavailable) as raised:
        Database.open(postgres_server.url(name, user), create=False)
    assert hint in raised.value.findings[0].hint


def test_no_right_to_make_tables_is_said(postgres_server: PostgresServer) -> None:
    name = postgres_server.create_database()
    try:
        postgres_server.query("create role guest login", name)
        postgres_server.query("revoke create on schema public from public", name)
        database = Database.open_unchecked(postgres_server.url(name, "guest"))
        with database, pytest.raises(Unavailable) as raised:
            create_all(database)
        assert "on schema public" in raised.value.findings[0].hint
    finally:
        postgres_server.drop_database(name)
        postgres_server.query("drop role guest")
