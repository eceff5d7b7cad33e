"""The database: opened and checked once, then read and written in short transactions."""

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from sqlite3 import Connection as SqliteConnection
from types import TracebackType
from typing import Self

from sqlalchemy import URL, Connection, Engine

from amierules.database import amie_tables, dialect
from amierules.database.engines import Mode, file_engine, memory_engine, postgres_engine, with_mode
from amierules.database.held import Held, noted, put_back
from amierules.database.prepared import let_go
from amierules.database.run_lock import file_lock
from amierules.database.schema import (
    CURRENT_VERSION,
    OURS,
    OWN_TABLE_NAMES,
    RESTORE_AMIE,
    RESTORE_OURS,
    create_amie_tables,
    create_own_tables,
    installed_version,
    whose_amie_tables,
)
from amierules.diagnostics import Finding, Unavailable, printable


class Database:
    """An AMIE database with our tables: a PostgreSQL database, an SQLite file, or one in memory."""

    def __init__(self, url: URL, engine: Engine, *, keeper: SqliteConnection | None = None) -> None:
        self.url = url
        self.engine = engine
        self.is_sqlite = engine.dialect.name == "sqlite"
        self.in_memory = keeper is not None
        self.exists = True
        """False where the SQLite file is missing and an empty database in memory stands for it."""
        self.owns_amie_tables = False
        """Whether amierules made the AMIE tables; else they belong to a legacy AMIE program."""
        self._keeper = keeper
        self._memory_lock = threading.RLock()
        self._kept = threading.local()

    @classmethod
    def open(cls, url: str, *, create: bool) -> Self:
        """The database, checked: it can be reached, and has all tables in the version that this program knows.

        A missing or empty SQLite file is made with all tables where `create` says so; else an empty database in
        memory stands for it. On PostgreSQL nothing is ever made. Raises `Unavailable` (`database-unreachable`,
        `database-no-tables`, `database-old`, `database-newer`, ...) and `Invalid` (`database-url`).
        """
        parsed = dialect.parse_url(url)
        path = _file_of(parsed)
        if parsed.get_backend_name() == "sqlite":
            if path is None:
                return cls._open_memory(parsed, exists=True)
            if _lacks_tables(parsed, path):
                if not create:
                    return cls._open_memory(parsed, exists=False)
                _make_file(parsed, path)
        database = cls.open_unchecked(url)
        database._check()
        return database

    @classmethod
    def open_unchecked(cls, url: str) -> Self:
        """The database as it is, for the commands that make and check tables. Connects to nothing yet."""
        parsed = dialect.parse_url(url)
        path = _file_of(parsed)
        if parsed.get_backend_name() == "postgresql":
            return cls(parsed, postgres_engine(parsed))
        if path is None:
            engine, keeper = memory_engine()
            return cls(parsed, engine, keeper=keeper)
        return cls(parsed, file_engine(path, create=True))

    @classmethod
    def _open_memory(cls, url: URL, *, exists: bool) -> Self:
        engine, keeper = memory_engine()
        database = cls(url, engine, keeper=keeper)
        with database.begin() as connection:
            create_amie_tables(connection)
            create_own_tables(connection, amie=OURS)
        database.exists = exists
        database.owns_amie_tables = True
        return database

    @property
    def url_shown(self) -> str:
        """The database as messages name it: without password."""
        return dialect.shown(self.url)

    @property
    def path(self) -> Path | None:
        """The SQLite file; None for PostgreSQL and in memory."""
        return None if self.in_memory else _file_of(self.url)

    def read(self) -> AbstractContextManager[Connection]:
        """A transaction that sees one consistent state and cannot write. Raises `Unavailable`."""
        return self._transaction(Mode.READ)

    def begin(self) -> AbstractContextManager[Connection]:
        """A writing transaction, committed at the end, rolled back on an error.

        Raises `Unavailable` for what the database's state is to blame for; lets through what the values are to blame
        for (SQLAlchemy's `IntegrityError`, `DataError`). On SQLite there is one writer at a time.
        """
        return self._transaction(Mode.WRITE)

    @contextmanager
    def direct(self) -> Iterator[Connection]:
        """A connection to PostgreSQL for `prepared.send`, which begins and commits; what is not committed at the end
        is rolled back. Raises `Unavailable` as `begin` does.
        """
        with self._connection(Mode.DIRECT) as connection, self._faults_named():
            try:
                with connection.begin():
                    yield connection
            finally:
                let_go(connection)

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Within it, this thread's transactions share one connection for each mode.

        Connecting costs more than a short transaction; a lost connection is replaced by the next transaction.
        """
        if getattr(self._kept, "connections", None) is not None:
            yield
            return
        self._kept.connections = {}
        try:
            yield
        finally:
            connections: dict[Mode, Connection] = self._kept.connections
            self._kept.connections = None
            for connection in connections.values():
                connection.close()

    def run_lock(self) -> AbstractContextManager[None]:
        """What a `run` or `exchange` holds: on an SQLite file only one may; elsewhere nothing is needed.

        Raises `Unavailable` (`database-busy`).
        """
        path = self.path
        return nullcontext() if path is None else file_lock(path)

    def use_write_ahead_log(self) -> None:
        """Let readers of an SQLite file go on beside a writer; the file remembers it. Nothing is done elsewhere.

        Raises `Unavailable`.
        """
        if self.path is None:
            return
        with self._connect(Mode.WRITE) as connection, self._faults_named():
            raw = connection.connection.cursor()
            raw.execute("PRAGMA journal_mode=WAL")
            raw.close()

    def become(self, other: Self) -> None:
        """Be, in memory, a copy of another database in memory; nobody may use either meanwhile."""
        other._memory.backup(self._memory)

    def held(self) -> Held:
        """What the database in memory holds, for `hold`."""
        return noted(self._memory)

    def hold(self, held: Held) -> None:
        """Hold what this database in memory, or one with the same tables, has held; nobody may use it meanwhile."""
        put_back(self._memory, held)

    @property
    def _memory(self) -> SqliteConnection:
        if self._keeper is None:
            raise ValueError("only what is in memory can be copied")
        return self._keeper

    def close(self) -> None:
        """Let go of the engine; a database in memory is gone."""
        self.engine.dispose()
        if self._keeper is not None:
            self._keeper.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def _transaction(self, mode: Mode) -> Iterator[Connection]:
        one_writer = self._memory_lock if self.in_memory and mode is Mode.WRITE else nullcontext()
        with one_writer, self._connection(mode) as connection, self._faults_named(), connection.begin():
            yield connection

    @contextmanager
    def _faults_named(self) -> Iterator[None]:
        try:
            yield
        except dialect.DatabaseError as error:
            trouble = dialect.fault(error)
            if trouble is None:
                raise
            raise dialect.unavailable(trouble, error, self.url) from error

    @contextmanager
    def _connection(self, mode: Mode) -> Iterator[Connection]:
        kept: dict[Mode, Connection] | None = getattr(self._kept, "connections", None)
        if kept is None or (mode in kept and kept[mode].in_transaction()):
            with self._connect(mode) as connection:
                yield connection
            return
        if mode not in kept:
            kept[mode] = self._connect(mode)
        connection = kept[mode]
        try:
            yield connection
        finally:
            if connection.invalidated or connection.closed:
                kept.pop(mode, None)
                connection.close()

    def _connect(self, mode: Mode) -> Connection:
        try:
            return with_mode(self.engine.connect(), mode)
        except dialect.DatabaseError as error:
            raise dialect.unreachable(error, self.url) from error

    def _check(self) -> None:
        amie, ours = amie_tables.TABLE_NAMES, OWN_TABLE_NAMES
        first = ("amierules_migration", "amierules_meta")
        with self.read() as connection:
            present = dialect.present_tables(connection, [*amie, *ours])
            missing = [name for name in (*amie, *first, *ours) if name not in present]
            if missing and missing[0] in (*amie, *first):
                raise self._no_tables(missing[0], present)
            version = installed_version(connection)
            self.owns_amie_tables = whose_amie_tables(connection) == OURS
        if version < CURRENT_VERSION:
            raise self._refused("database-old", f"has tables of version {version}", "run `amierules db migrate`")
        if version > CURRENT_VERSION:
            raise self._refused(
                "database-newer", f"was made by a newer amierules (version {version})", "update amierules"
            )
        if missing:
            raise self._no_tables(missing[0], present)

    def _no_tables(self, missing: str, present: set[str]) -> Unavailable:
        if not present:
            hint = "run `amierules db create`"
        elif missing in amie_tables.TABLE_NAMES:
            hint = RESTORE_AMIE
        else:
            hint = RESTORE_OURS if present & set(OWN_TABLE_NAMES) else "run `amierules db migrate`"
        return self._refused("database-no-tables", f"lacks the table {missing}", hint)

    def _refused(self, code: str, what: str, hint: str) -> Unavailable:
        return Unavailable(Finding(code, f"the database {self.url_shown} {what}", hint=hint))


def _file_of(url: URL) -> Path | None:
    if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
        return None
    return Path(url.database)


def _lacks_tables(url: URL, path: Path) -> bool:
    try:
        if not path.exists():
            # A file may be made later; a folder that is not there is a slip, or a disk that is not mounted.
            if not path.parent.is_dir():
                message = f"{dialect.shown(url)} cannot be made: there is no folder {printable(path.parent)}"
                raise Unavailable(Finding("database-unreachable", message, hint="correct `database:`, or make it"))
            return True
        if not path.is_file():
            raise Unavailable(Finding("database-unreachable", f"{dialect.shown(url)} is no file"))
    except OSError as error:
        message = f"the database {dialect.shown(url)} cannot be opened: {error.strerror or error}"
        raise Unavailable(Finding("database-unreachable", message)) from error
    with Database(url, file_engine(path)).read() as connection:
        return dialect.is_empty(connection)


def _make_file(url: URL, path: Path) -> None:
    database = Database(url, file_engine(path, create=True))
    database.use_write_ahead_log()
    with database.begin() as connection:
        # Another process may have made the tables since we looked.
        if dialect.is_empty(connection):
            create_amie_tables(connection)
            create_own_tables(connection, amie=OURS)
