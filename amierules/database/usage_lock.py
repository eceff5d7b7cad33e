"""The lock of who reports usage: one at a time, since a request without an answer is one that somebody waits for."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import text

from amierules.database.connection import Database
from amierules.database.run_lock import file_lock
from amierules.diagnostics import Finding, Unavailable

_LOCK = 0x616D6975
"""The advisory lock of whoever reports usage ("amiu")."""


@contextmanager
def reporting_alone(database: Database) -> Iterator[None]:
    """Within it nobody else reports from this database; the lock ends with the process. Raises `Unavailable`."""
    if database.path is not None:
        with file_lock(database.path.with_name(f"{database.path.name}.usage")):
            yield
        return
    if database.is_sqlite:
        yield
        return
    with database.direct() as connection:
        if not connection.execute(text("select pg_try_advisory_lock(:lock)"), {"lock": _LOCK}).scalar_one():
            message = f"another process is reporting usage from {database.url_shown}"
            raise Unavailable(Finding("database-busy", message, hint="wait until it has ended"))
        try:
            yield
        finally:
            connection.execute(text("select pg_advisory_unlock(:lock)"), {"lock": _LOCK})
