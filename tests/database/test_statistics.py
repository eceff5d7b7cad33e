"""What PostgreSQL knows of our tables after many rows have come."""

from sqlalchemy import text

from amierules.database import statistics
from amierules.database.connection import Database
from tests.support.amie_rows import add_work

_ROWS = "select reltuples from pg_class where oid = 'amierules_work'::regclass"


def test_it_is_renewed_on_postgresql_and_nothing_is_done_elsewhere(database: Database) -> None:
    with database.begin() as connection:
        for number in range(1, 8):
            add_work(connection, number)
    statistics.renew(database)
    if not database.is_sqlite:
        with database.read() as connection:
            assert connection.scalar(text(_ROWS)) == 7


def test_who_may_not_leaves_it_alone(postgres_ready_url: str) -> None:
    with Database.open(postgres_ready_url, create=False) as database:
        with database.begin() as connection:
            connection.exec_driver_sql("create role somebody login")
        try:
            other = Database.open_unchecked(postgres_ready_url.replace("//postgres@", "//somebody@"))
            statistics.renew(other)
            other.close()
        finally:
            with database.begin() as connection:
                connection.exec_driver_sql("drop role somebody")
