"""Reading statements that are run for every packet; for connections that take `send`, they are prepared once."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from sqlalchemy import Connection, Select, func, select

from amierules.database.connection import Database
from amierules.database.made import Made
from amierules.database.prepared import BEGIN_READING, Statement, begin_with_next, is_direct, result_processors, send
from amierules.database.types import Utc

Rows = Sequence[Sequence[Any]]


@dataclass(frozen=True)
class Lookup:
    """A statement of SQLAlchemy whose parameters have names."""

    name: str
    statement: Select[Any]

    def rows(self, connection: Connection, **values: Any) -> Rows:
        """The rows, each as a tuple of its columns."""
        if not is_direct(connection):
            return self._made.rows(connection, **values)
        rows = send(connection, self.prepared.call_with(values))
        return _processed(rows, self._processors)

    def mappings(self, connection: Connection, **values: Any) -> list[dict[str, Any]]:
        """The rows, each by the names of its columns."""
        return self.named(self.rows(connection, **values))

    def named(self, rows: Rows) -> list[dict[str, Any]]:
        """Its rows, each by the names of its columns."""
        return [dict(zip(self._names, row, strict=True)) for row in rows]

    def out_of_json(self, rows: Rows) -> Rows:
        """Its rows as the server gave them in JSON."""
        return _processed(rows, self._processors_of_json)

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

    @cached_property
    def _processors_of_json(self) -> list[tuple[int, Callable[[Any], Any]]]:
        times = [place for place, column in enumerate(self.statement.selected_columns) if isinstance(column.type, Utc)]
        return [*((place, _time) for place in times), *self._processors]


def _processed(rows: Rows, processors: Sequence[tuple[int, Callable[[Any], Any]]]) -> Rows:
    if not processors:
        return rows
    processed = [list(row) for row in rows]
    for cells in processed:
        for place, process in processors:
            cells[place] = process(cells[place])
    return processed


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


_FEW = 50
"""So many values at most are looked up in one message: of many rows it takes longer to make JSON than to send them."""


@dataclass(frozen=True)
class Lookups:
    """Lookups that do not need each other's answers, made in one message where messages are sent and not much is asked.
    Parameters that have one name have one value.
    """

    name: str
    each: Sequence[Lookup]

    def rows(self, connection: Connection, *values: Mapping[str, Collection[Any]]) -> list[Rows]:
        """The rows of each, by its own values: collections, and where all of them are empty there is nothing."""
        given = {name: value for of_one in values for name, value in of_one.items()}
        if not is_direct(connection) or sum(map(len, given.values())) > _FEW:
            asked = zip(self.each, values, strict=True)
            return [lookup.rows(connection, **given) if any(given.values()) else [] for lookup, given in asked]
        ((*found,),) = send(connection, self.prepared.call_with(given))
        return [lookup.out_of_json(rows) for lookup, rows in zip(self.each, found, strict=True)]

    @cached_property
    def prepared(self) -> Statement:
        """One row, with the rows of each in a column, as JSON: of several statements only the last one's rows come."""
        found = [lookup.statement.subquery() for lookup in self.each]
        lists = [func.coalesce(func.json_agg(func.json_build_array(*one.c)), func.json_build_array()) for one in found]
        statement = select(*(select(one).scalar_subquery() for one in lists))
        return Statement.of(self.name, statement)


def looking(database: Database) -> AbstractContextManager[Connection]:
    """A transaction as that of `Database.read`, which begins with its first `Lookup`. Raises `Unavailable`."""
    return database.read() if database.is_sqlite else _looking(database)


@contextmanager
def _looking(database: Database) -> Iterator[Connection]:
    with database.direct() as connection:
        begin_with_next(connection, BEGIN_READING)
        yield connection
