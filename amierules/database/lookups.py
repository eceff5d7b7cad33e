"""Reading statements that are run for every packet; for connections that take `send`, they are prepared once."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sqlalchemy import Connection, Select

from amierules.database.connection import Database
from amierules.database.made import Made
from amierules.database.prepared import BEGIN_READING, Statement, begin_with_next, is_direct, result_processors, send


@dataclass(frozen=True)
class Lookup:
    """A statement of SQLAlchemy whose parameters have names."""

    name: str
    statement: Select[Any]

    def rows(self, connection: Connection, **values: Any) -> Sequence[Sequence[Any]]:
        """The rows, each as a tuple of its columns."""
        if connection.dialect.name == "sqlite" or not is_direct(connection):
            return self._made.rows(connection, **values)
        rows = send(connection, self.prepared.call_with(values))
        if not self._processors:
            return rows
        return [self._processed(row) for row in rows]

    def mappings(self, connection: Connection, **values: Any) -> list[dict[str, Any]]:
        """The rows, each by the names of its columns."""
        return [dict(zip(self._names, row, strict=True)) for row in self.rows(connection, **values)]

    @cached_property
    def _made(self) -> Made:
        return Made(self.statement)

    @cached_property
    def prepared(self) -> Statement:
        """The same for PostgreSQL."""
        return Statement.of(self.name, self.statement)

    @cached_property
    def _names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.statement.selected_columns)

    @cached_property
    def _processors(self) -> list[tuple[int, Callable[[Any], Any]]]:
        """What types make of what the driver gives, by the place of the column."""
        return result_processors(self.statement)

    def _processed(self, row: tuple[Any, ...]) -> list[Any]:
        cells = list(row)
        for place, process in self._processors:
            cells[place] = process(cells[place])
        return cells


def looking(database: Database) -> AbstractContextManager[Connection]:
    """A transaction as that of `Database.read`, which begins with its first `Lookup`. Raises `Unavailable`."""
    return database.read() if database.is_sqlite else _looking(database)


@contextmanager
def _looking(database: Database) -> Iterator[Connection]:
    with database.direct() as connection:
        begin_with_next(connection, BEGIN_READING)
        yield connection
