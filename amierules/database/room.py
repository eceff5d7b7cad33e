"""How many connections a run takes, and whether PostgreSQL has room for them."""

from sqlalchemy import text

from amierules.database.connection import Database
from amierules.diagnostics import Finding, Severity

A_JOB = 4
"""A job's claims, and what it keeps open: to read, to write, and to write in PostgreSQL's own words."""
BESIDE = 8
"""So many at most has a run beside its jobs: to take packets in, to send messages, to listen, to commit ahead."""

# Who may not see other sessions sees how many there are.
_FREE = text("""
select current_setting('max_connections')::int - (select sum(numbackends) from pg_stat_database)
    - case when current_setting('is_superuser')::bool then 0
      else current_setting('superuser_reserved_connections')::int
          + coalesce(current_setting('reserved_connections', true)::int, 0) end
""")


def few_connections(database: Database, jobs: int) -> list[Finding]:
    """A warning where the server has no room for the connections of so many jobs. Raises `Unavailable`."""
    if database.is_sqlite or jobs == 1:
        return []
    with database.read() as connection:
        free = int(connection.scalar(_FREE) or 0)
    needed = jobs * A_JOB + BESIDE
    if needed <= free:
        return []
    fits = max(1, (free - BESIDE) // A_JOB)
    message = f"--jobs {jobs} may need {needed} connections, and {database.url_shown} has room for {max(free, 0)}"
    hint = f"use --jobs {fits}, or raise max_connections in the server's postgresql.conf"
    return [Finding("few-connections", message, hint=hint, severity=Severity.WARNING)]
