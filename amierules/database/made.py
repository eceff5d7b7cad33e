"""Statements that are made once and run often."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

from sqlalchemy import Connection, Executable, Table
from sqlalchemy.dialects import postgresql, sqlite

from amierules.database.sqlite_texts import SqliteText

Rows = Sequence[Sequence[Any]]
Row = Mapping[str, Any]
ConflictInsert = sqlite.Insert | postgresql.Insert


@dataclass(frozen=True)
class Made:
    """A statement of SQLAlchemy whose parameters have names. Making its text for SQLite takes longer than running it:
    that is done once.
    """

    statement: Executable
    for_postgresql: Executable | None = None
    """Where it is another one there."""
    columns: Sequence[str] = ()
    """Those that an INSERT without values fills."""

    @classmethod
    def upsert(cls, table: Table, make: Callable[[ConflictInsert], Executable], columns: Sequence[str] = ()) -> Self:
        """What `make` makes of an INSERT that has `on_conflict_do_nothing` and `on_conflict_do_update`."""
        return cls(make(sqlite.insert(table)), make(postgresql.insert(table)), columns)

    def rows(self, connection: Connection, **values: Any) -> Rows:
        """The rows that it finds, or returns."""
        if (text := self._text(connection)) is not None and (found := text.rows(connection, values)) is not None:
            return found
        return connection.execute(self.here(connection), values).all()

    def mappings(self, connection: Connection, **values: Any) -> list[dict[str, Any]]:
        """The rows, each by the names of its columns."""
        return [dict(zip(self._names, row, strict=True)) for row in self.rows(connection, **values)]

    def value(self, connection: Connection, **values: Any) -> Any:
        """The first column of the first row; None where there is none."""
        rows = self.rows(connection, **values)
        return rows[0][0] if rows else None

    def hits(self, connection: Connection, **values: Any) -> int:
        """How many rows it changes, or finds."""
        if (text := self._text(connection)) is not None and (hits := text.hits(connection, values)) is not None:
            return hits
        result = connection.execute(self.here(connection), values)
        return len(result.all()) if result.returns_rows else result.rowcount

    def for_each(self, connection: Connection, rows: Sequence[Row]) -> None:
        """Runs it for each of the rows."""
        text = self._text(connection)
        if rows and (text is None or not text.is_done_for_each(connection, rows)):
            connection.execute(self.here(connection), rows)

    def rows_of_each(self, connection: Connection, rows: Sequence[Row]) -> Rows:
        """Runs it for each of the rows; what it returns of all of them."""
        if self._text(connection) is not None:
            return [found for row in rows for found in self.rows(connection, **row)]
        return connection.execute(self.here(connection), rows).all() if rows else []

    def here(self, connection: Connection) -> Executable:
        """The statement for the connection's database."""
        is_sqlite = connection.dialect.name == "sqlite"
        return self.statement if is_sqlite or self.for_postgresql is None else self.for_postgresql

    def _text(self, connection: Connection) -> SqliteText | None:
        return self._for_sqlite if connection.dialect.name == "sqlite" else None

    @cached_property
    def _for_sqlite(self) -> SqliteText | None:
        return SqliteText.of(self.statement, self.columns)

    @cached_property
    def _names(self) -> tuple[str, ...]:
        returned: Any = self.statement
        return tuple(column.name for column in returned.exported_columns)
