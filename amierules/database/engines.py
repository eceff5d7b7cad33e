"""SQLAlchemy engines as amierules needs them: no pool, explicit transactions, durable commits."""

import sqlite3
from enum import StrEnum
from pathlib import Path
from typing import Any
from uuid import uuid4

from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, event

from amierules.database.prepared import make_direct

BUSY_TIMEOUT = 30.0
"""Seconds that SQLite waits for another writer."""
_MOST_STATEMENTS = 1000
"""So many statements an SQLite connection keeps ready: more than all of ours, since making one ready takes longer than
running it."""
_READING = "amierules_reading"
"""Whether an SQLite connection was told to write nothing."""
_POSTGRES_DEFAULTS = {
    "application_name": "amierules",
    "client_encoding": "utf8",
    "connect_timeout": "10",
    # A server that died without a word is noticed within a minute.
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "60000",
}


_SESSION = """
select set_config(name, value, false) from (values
    ('tcp_keepalives_idle', '30'), ('tcp_keepalives_interval', '10'), ('tcp_keepalives_count', '3'),
    ('tcp_user_timeout', '60000'), ('idle_session_timeout', '0')
) as wanted (name, value) where current_setting(name, true) is not null
"""
"""What each session sets for itself, where the server knows it. That it may be idle in a transaction for no longer than
the server wants is no matter: no transaction of ours waits for anything outside.
"""


class Mode(StrEnum):
    """What a transaction does."""

    READ = "read"
    WRITE = "write"
    DIRECT = "direct"
    """Begins, commits and rolls back only where it is told to, in the words of PostgreSQL."""


def postgres_engine(url: URL) -> Engine:
    """An engine for PostgreSQL; what the URL says goes before our defaults."""
    defaults = {name: value for name, value in _POSTGRES_DEFAULTS.items() if name not in url.query}
    engine = create_engine(
        url,
        poolclass=NullPool,
        isolation_level="READ COMMITTED",
        use_native_hstore=False,
        connect_args=defaults,
        # The changes of many rows go in one message, as their insertion does.
        executemany_mode="values_plus_batch",
    )
    event.listen(engine, "connect", _prepare_postgres)
    return engine


def raw_connection(engine: Engine, **options: Any) -> Any:
    """A connection of psycopg2 to the engine's PostgreSQL, with the same defaults as the engine's own; what the URL
    says goes before them, but not before `options`. Raises the driver's errors.
    """
    arguments, of_url = engine.dialect.create_connect_args(engine.url)
    return engine.dialect.connect(*arguments, **{**_POSTGRES_DEFAULTS, **of_url, **options})


def session_settings() -> str:
    """The statement that has the server keep this session, however long a step takes, as long as its host lives.

    That a host died it notices within a minute, and gives its locks free: what a client says of keep-alives in its own
    URL lets the client alone notice anything. A connection that is idle while a command runs holds claims.
    """
    return _SESSION


def settle_session(connection: Any) -> None:
    """Execute `session_settings` on a connection that commits each statement."""
    with connection.cursor() as cursor:
        cursor.execute(_SESSION)


def file_engine(path: Path, *, create: bool = False) -> Engine:
    """An engine for an SQLite file, which is made on connecting only where `create` says so."""
    return _sqlite_engine(f"{path.absolute().as_uri()}?mode={'rwc' if create else 'rw'}", shared=False)


def memory_engine() -> tuple[Engine, sqlite3.Connection]:
    """An engine for a new database in memory, and the connection that keeps it alive."""
    uri = f"file:amierules-{uuid4().hex}?mode=memory&cache=shared"
    keeper = sqlite3.connect(
        uri, uri=True, isolation_level=None, check_same_thread=False, cached_statements=_MOST_STATEMENTS
    )
    return _sqlite_engine(uri, shared=True), keeper


def with_mode(connection: Connection, mode: Mode) -> Connection:
    """The connection, set to begin its transactions in that mode."""
    if connection.dialect.name == "sqlite":
        return connection.execution_options(amierules_mode=mode)
    if mode is Mode.READ:
        return connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    if mode is Mode.DIRECT:
        make_direct(connection)
    return connection


def _sqlite_engine(uri: str, *, shared: bool) -> Engine:
    def connect() -> sqlite3.Connection:
        return sqlite3.connect(
            uri,
            uri=True,
            timeout=BUSY_TIMEOUT,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=_MOST_STATEMENTS,
        )

    engine = create_engine("sqlite+pysqlite://", creator=connect, poolclass=NullPool)
    event.listen(engine, "connect", _prepare_shared if shared else _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _prepare_postgres(connection: Any, _record: object) -> None:
    connection.autocommit = True
    settle_session(connection)
    connection.autocommit = False


def _prepare(connection: sqlite3.Connection, _record: object) -> None:
    for pragma in ("foreign_keys=ON", "synchronous=FULL"):
        connection.execute(f"PRAGMA {pragma}")


def _prepare_shared(connection: sqlite3.Connection, _record: object) -> None:
    # Connections that share memory lock whole tables, without waiting; readers must not be in a writer's way.
    for pragma in ("foreign_keys=ON", "read_uncommitted=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    reading = connection.get_execution_options().get("amierules_mode") is Mode.READ
    raw: Any = connection.connection.driver_connection
    if connection.info.get(_READING) is not reading:
        raw.execute(f"PRAGMA query_only={'ON' if reading else 'OFF'}")
        connection.info[_READING] = reading
    raw.execute("BEGIN" if reading else "BEGIN IMMEDIATE")
