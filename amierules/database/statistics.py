"""What PostgreSQL knows of our tables: it gathers that by itself, but only some time after many rows have come."""

from sqlalchemy import text

from amierules.database.connection import Database

MANY = 1000
"""So many new packets are worth it."""


def renew(database: Database) -> None:
    """Has PostgreSQL look at the tables of what is to be done, or it may read all of them for a few rows.

    Where they belong to another user it leaves them alone. SQLite needs no such thing.
    """
    if not database.is_sqlite:
        with database.begin() as connection:
            connection.execute(text("analyze amierules_work, amierules_work_key"))
