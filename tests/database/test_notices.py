"""Telling workers that there is something to do."""

from collections.abc import Iterator

import psycopg2
import pytest
from sqlalchemy import text

from amierules.database.connection import Database
from amierules.database.notices import Bell, listening, tell_workers
from amierules.diagnostics import Unavailable
from tests.support.amie_rows import add_packet, add_transaction
from tests.support.postgres import PostgresServer

LONG = 60.0
"""Seconds, none of which should pass where something is told."""


@pytest.fixture
def bell() -> Iterator[Bell]:
    made = Bell()
    yield made
    made.close()


def hears(database: Database, bell: Bell, url: str, statements: tuple[str, ...]) -> bool:
    """Whether a listener hears what these statements of another program bring about, once they are committed."""
    with listening(database, bell) as listener:
        other = psycopg2.connect(url)
        with other, other.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
        other.close()
        # The server tells what there is before it says that this is over.
        with listener.connection.cursor() as cursor:
            cursor.execute("select 1")
        return bool(listener.connection.notifies)


INSERT = (
    "insert into packet_tbl (trans_rec_id, packet_id, type_id, version, state_id, outgoing_flag, ts)"
    " select trans_rec_id, 99, type_id, version, state_id, 0, ts from packet_tbl limit 1"
)


def test_what_another_program_writes_is_heard_in_tables_that_are_ours(postgres_ready_url: str, bell: Bell) -> None:
    with Database.open(postgres_ready_url, create=False) as database:
        with database.begin() as connection:
            add_packet(connection, add_transaction(connection))
        assert hears(database, bell, postgres_ready_url, (INSERT,))
        # What ends packets, as our own replies do, tells nobody.
        assert not hears(database, bell, postgres_ready_url, ("update packet_tbl set state_id = 1",))
        assert hears(database, bell, postgres_ready_url, (INSERT.replace("99", "98").replace("state_id, 0", "2, 0"),))


def test_tables_that_were_found_get_no_trigger(legacy_postgres_url: str) -> None:
    with Database.open(legacy_postgres_url, create=False) as database, database.read() as connection:
        assert connection.scalar(text("select count(*) from pg_trigger where not tgisinternal")) == 0


def test_our_own_writers_tell_once_they_have_committed(legacy_postgres_url: str, bell: Bell) -> None:
    with Database.open(legacy_postgres_url, create=False) as database, listening(database, bell) as listener:
        with database.begin() as connection:
            tell_workers(connection)
            assert not bell.wait(0, listener.connection)
        assert bell.wait(LONG, listener.connection)
        listener.wait(LONG)
        assert not bell.wait(0, listener.connection)


def test_a_bell_ends_a_wait_whether_it_rang_before_or_not(database: Database, bell: Bell) -> None:
    with listening(database, bell) as listener:
        bell.ring()
        bell.ring()
        listener.wait(LONG)
        assert not bell.wait(0)


def test_a_lost_connection_ends_a_wait(postgres_ready_url: str, postgres_server: PostgresServer, bell: Bell) -> None:
    with Database.open(postgres_ready_url, create=False) as database, listening(database, bell) as listener:
        postgres_server.end_connections(str(database.url.database))
        with pytest.raises(Unavailable) as lost:
            listener.wait(LONG)
        assert lost.value.findings[0].code == "database-lost"
