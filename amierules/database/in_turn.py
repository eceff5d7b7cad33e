"""Transactions that PostgreSQL ends because two waited for each other: done once more."""

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection

from amierules.database.connection import Database
from amierules.diagnostics import AmierulesError

T = TypeVar("T")
_TRIES = 5


def was_in_the_way(database: Database, error: AmierulesError) -> bool:
    """Whether PostgreSQL has ended one of two transactions that waited for each other: it may be tried once more."""
    codes = {finding.code for finding in error.findings}
    return not database.is_sqlite and codes == {"database-locked"}


def in_turn(database: Database, write: Callable[[Connection], T]) -> T:
    """What `write` returns, in a writing transaction of its own, which it may be given several times.

    Raises `Unavailable`, for such an end only where it comes again and again.
    """
    for _ in range(_TRIES - 1):
        try:
            with database.begin() as connection:
                return write(connection)
        except AmierulesError as error:
            if not was_in_the_way(database, error):
                raise
    with database.begin() as connection:
        return write(connection)
