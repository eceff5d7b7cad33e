"""Statements whose text for SQLite is made once, and that go to the driver at once: in the transaction that is open."""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from sqlalchemy import Connection, Dialect, Executable, Select, UpdateBase
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

_SqliteDialect: Any = SQLiteDialect_pysqlite
_DIALECT: Dialect = _SqliteDialect()
Processor = Callable[[Any], Any]


@dataclass(frozen=True)
class SqliteText:
    """A statement with a mark for each of its parameters, whose names come in their order."""

    text: str
    parameters: Sequence[str]
    fixed: Mapping[str, object]
    """Values of parameters that are always the same."""
    bound: Mapping[str, Processor]
    """What the types of parameters make of their values."""
    processors: Sequence[tuple[int, Processor]] = field(default=())
    """What the types of columns make of what the driver gives, by the place of the column."""

    @classmethod
    def of(cls, statement: Executable, columns: Sequence[str] = ()) -> "SqliteText | None":
        """The same for a statement of SQLAlchemy; None where its text, or a value of its own, is made at each call.

        `columns` are those that an INSERT without values fills.
        """
        element: Any = statement
        compiled = element.compile(dialect=_DIALECT, column_keys=list(columns) or None)
        names = ("post_compile_params", "literal_execute_params", "insert_prefetch", "update_prefetch")
        if any(getattr(compiled, name, None) for name in names):
            return None
        types = {one: bind.type.dialect_impl(_DIALECT) for one, bind in compiled.binds.items()}
        found = {one: type_.bind_processor(_DIALECT) for one, type_ in types.items()}
        bound = {one: processor for one, processor in found.items() if processor is not None}
        returned = element.exported_columns if isinstance(statement, Select | UpdateBase) else ()
        results = enumerate(column.type.dialect_impl(_DIALECT).result_processor(_DIALECT, None) for column in returned)
        processors = [(place, one) for place, one in results if one is not None]
        return cls(str(compiled), tuple(compiled.positiontup), dict(compiled.params), bound, processors)

    def rows(self, connection: Connection, values: Mapping[str, Any]) -> "list[Any] | None":
        """The rows; None where the driver refuses, so that SQLAlchemy may say why."""
        cursor = self._executed(connection, values)
        if cursor is None or not self.processors:
            return None if cursor is None else cursor.fetchall()
        return [self._processed(row) for row in cursor]

    def hits(self, connection: Connection, values: Mapping[str, Any]) -> "int | None":
        """How many rows it changed, or found; None where the driver refuses, so that SQLAlchemy may say why."""
        cursor = self._executed(connection, values)
        if cursor is None:
            return None
        return len(cursor.fetchall()) if cursor.description is not None else cursor.rowcount

    def is_done_for_each(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> bool:
        """Runs it for each of the rows; False where the driver refuses, so that SQLAlchemy may say why."""
        raw: Any = connection.connection.driver_connection
        try:
            raw.executemany(self.text, [self._words(row) for row in rows])
        except sqlite3.Error:
            return False
        return True

    def _executed(self, connection: Connection, values: Mapping[str, Any]) -> "sqlite3.Cursor | None":
        raw: Any = connection.connection.driver_connection
        try:
            cursor: sqlite3.Cursor = raw.execute(self.text, self._words(values))
        except sqlite3.Error:
            return None
        return cursor

    def _words(self, values: Mapping[str, Any]) -> list[Any]:
        given = {**self.fixed, **values}
        return [given[name] if bound is None else bound(given[name]) for name, bound in self._binding]

    @cached_property
    def _binding(self) -> Sequence[tuple[str, Processor | None]]:
        return [(name, self.bound.get(name)) for name in self.parameters]

    def _processed(self, row: Sequence[Any]) -> list[Any]:
        cells = list(row)
        for place, process in self.processors:
            cells[place] = process(cells[place])
        return cells
