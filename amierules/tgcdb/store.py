"""The store of the test central database: one SQLite file, one writer, short transactions."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import Connection, Engine, insert, inspect, select, text

from amierules.database.dialect import DatabaseError, fault
from amierules.database.engines import file_engine, memory_engine
from amierules.diagnostics import Finding, Unavailable, printable
from amierules.tgcdb import tables

_VERSION = "1"
_NUMBERED = ("central_transaction", "packet")
_BEGINNING = datetime(2020, 1, 1, tzinfo=UTC)


class Store:
    """The store. All work goes through one connection, one transaction after another."""

    def __init__(self, engine: Engine, keeper: object = None) -> None:
        self._engine = engine
        self._keeper = keeper
        self._lock = threading.RLock()
        self._connection: Connection | None = None

    @classmethod
    def open(cls, path: Path | None, now: datetime) -> Self:
        """The store in a file, which is made where it is missing; in memory without a path.

        Its numbers begin with the present second: a site that remembers the packets of a store that is gone does not
        take new ones for them. Raises `Unavailable` (`store-unusable`).
        """
        if path is None:
            engine, keeper = memory_engine()
            store = cls(engine, keeper)
        else:
            store = cls(file_engine(path, create=True))
        try:
            with store.begin() as connection:
                store._prepare(connection, now)
        except DatabaseError as error:
            found = fault(error)
            reason = found.message if found else "cannot be used"
            hint = found.hint if found else ""
            where = printable(path) if path else "in memory"
            raise Unavailable(Finding("store-unusable", f"the store {where} {reason}", hint=hint)) from error
        return store

    def _prepare(self, connection: Connection, now: datetime) -> None:
        if inspect(connection).has_table(tables.meta.name):
            found = connection.scalar(select(tables.meta.c.value).where(tables.meta.c.name == "tgcdb_version"))
            if found == _VERSION:
                return
        elif not inspect(connection).get_table_names():
            tables.metadata.create_all(connection, checkfirst=False)
            connection.execute(insert(tables.meta), [{"name": "tgcdb_version", "value": _VERSION}])
            first = int((now - _BEGINNING).total_seconds())
            for name in _NUMBERED:
                statement = text("insert into sqlite_sequence (name, seq) values (:name, :first)")
                connection.execute(statement, {"name": name, "first": first})
            return
        hint = "name another file with --store; this one is left as it is"
        raise Unavailable(Finding("store-unusable", "the file is no store of this version of `tgcdb`", hint=hint))

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """A transaction: committed at the end, rolled back on an error; others wait."""
        with self._lock:
            if self._connection is None:
                self._connection = self._engine.connect()
            with self._connection.begin():
                yield self._connection

    def close(self) -> None:
        """Let go of the file; what was in memory is gone."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
            self._connection = None
            self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
