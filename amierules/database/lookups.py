"""Reading statements that are run for every packet; for connections that take `send`, they are prepared once."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, partial
from typing import Any

from sqlalchemy import Connection, Select

from amierules.database.connection import Database
from amierules.database.made import Made, Rows
from amierules.database.prepared import BEGIN_READING, Statement, begin_with_next, is_direct, result_processors, send
from amierules.database.types import Utc


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

    @property
    def width(self) -> int:
        """How many columns its rows have."""
        return len(self._names)

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
    """Lookups that need no answers of each other: one message for all, where messages are sent and little is asked."""

    name: str
    each: Sequence[Lookup]

    def rows(self, connection: Connection, *values: Mapping[str, Collection[Any]]) -> list[Rows]:
        """The rows of each, by its own values: collections, and where all of them are empty there is nothing."""
        if not is_direct(connection) or sum(len(one) for given in values for one in given.values()) > _FEW:
            asked = zip(self.each, values, strict=True)
            return [lookup.rows(connection, **given) if any(given.values()) else [] for lookup, given in asked]
        numbered = {_of(place, name): value for place, given in enumerate(values) for name, value in given.items()}
        ((*found,),) = send(connection, self.prepared.call_with(numbered))
        return [lookup.out_of_json(rows) for lookup, rows in zip(self.each, found, strict=True)]

    @cached_property
    def prepared(self) -> Statement:
        """One row, with the rows of each in a column, as JSON: of several statements only the last one's rows come."""
        texts: list[str] = []
        parameters: list[str] = []
        fixed: dict[str, object] = {}
        bound: dict[str, Callable[[Any], object]] = {}
        for place, lookup in enumerate(self.each):
            one = lookup.prepared
            texts.append(_as_value(_PARAMETER.sub(partial(_later, by=len(parameters)), one.text), lookup.width))
            parameters += [_of(place, name) for name in one.parameters]
            fixed |= {_of(place, name): value for name, value in one.fixed.items()}
            bound |= {_of(place, name): process for name, process in one.bound.items()}
        return Statement(self.name, f"select {', '.join(texts)}", parameters, fixed=fixed, bound=bound)


_PARAMETER = re.compile(r"\$(\d+)")


def _later(found: re.Match[str], by: int) -> str:
    return f"${int(found[1]) + by}"


def _of(place: int, name: str) -> str:
    return f"{name} of {place}"


def _as_value(text: str, width: int) -> str:
    """What finds the rows of a statement of so many columns as one value."""
    cells = ", ".join(f"c{number}" for number in range(width))
    return f"(select coalesce(json_agg(json_build_array({cells})), '[]') from ({text}) as found ({cells}))"  # noqa: S608 - a statement of ours


def looking(database: Database) -> AbstractContextManager[Connection]:
    """A transaction as that of `Database.read`, which begins with its first `Lookup`. Raises `Unavailable`."""
    return database.read() if database.is_sqlite else _looking(database)


@contextmanager
def _looking(database: Database) -> Iterator[Connection]:
    with database.direct() as connection:
        begin_with_next(connection, BEGIN_READING)
        yield connection
