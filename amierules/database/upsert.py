"""INSERT with ON CONFLICT, which both databases have and SQLAlchemy's common INSERT lacks."""

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite


def conflict_insert(connection: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    """An INSERT for this connection's database, with `on_conflict_do_nothing` and `on_conflict_do_update`."""
    return conflict_insert_for(connection.dialect.name, table)


def conflict_insert_for(dialect_name: str, table: Table) -> postgresql.Insert | sqlite.Insert:
    """The same for a dialect (`sqlite`, `postgresql`): for statements that are made once, because they run often."""
    return sqlite.insert(table) if dialect_name == "sqlite" else postgresql.insert(table)
