"""INSERT with ON CONFLICT, which both databases have and SQLAlchemy's common INSERT lacks."""

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite


def conflict_insert(connection: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    """An INSERT for this connection's database, with `on_conflict_do_nothing` and `on_conflict_do_update`.

    For what seldom runs: `Made.upsert` makes it once.
    """
    return sqlite.insert(table) if connection.dialect.name == "sqlite" else postgresql.insert(table)
