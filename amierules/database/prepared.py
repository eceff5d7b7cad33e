"""Statements that a PostgreSQL connection prepares once, and that are sent several in one message."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import psycopg2
from psycopg2 import extensions
from sqlalchemy import Connection, Dialect, Executable, Select
from sqlalchemy.dialects.postgresql.psycopg2 import PGDialect_psycopg2

_PostgresDialect: Any = PGDialect_psycopg2
BEGIN, COMMIT = "begin", "commit"
BEGIN_READING = "begin isolation level repeatable read read only"
BY_KEY = "; ".join(
    f"set {name} = {value}"
    for name, value in {
        "plan_cache_mode": "force_generic_plan",
        "enable_seqscan": "off",
        "enable_hashjoin": "off",
        "enable_mergejoin": "off",
        "enable_material": "off",
        "jit": "off",
    }.items()
)
"""All that is prepared looks its rows up by their keys; PostgreSQL cannot know how few they are, and would read whole
tables, or compile what it takes for much work."""
_PREPARED, _DIRECT, _BEGIN = "amierules prepared", "amierules direct", "amierules begin"
_NUMERIC = 1700
"""PostgreSQL's number for the type; the only one that SQLAlchemy asks for."""
_NO_NUMBER = "22P02"
_DIALECT: Dialect = _PostgresDialect(paramstyle="numeric_dollar")


@dataclass(frozen=True)
class Statement:
    """A statement of PostgreSQL's own text, with `$1`, `$2`… for its parameters, whose names come in their order."""

    name: str
    text: str
    parameters: Sequence[str]
    types: str = ""
    """Those of the parameters, where PostgreSQL cannot tell them from the text."""
    fixed: Mapping[str, object] = field(default_factory=dict)
    """Values of parameters that are always the same."""
    bound: Mapping[str, Callable[[Any], object]] = field(default_factory=dict)
    """What the types of parameters make of their values."""

    @classmethod
    def of(cls, name: str, statement: Executable) -> "Statement":
        """The same for a statement of SQLAlchemy."""
        element: Any = statement
        compiled = element.compile(dialect=_DIALECT)
        types = {one: bind.type.dialect_impl(_DIALECT) for one, bind in compiled.binds.items()}
        found = {one: type_.bind_processor(_DIALECT) for one, type_ in types.items()}
        bound = {one: processor for one, processor in found.items() if processor is not None}
        return cls(name, str(compiled), tuple(compiled.positiontup), fixed=dict(compiled.params), bound=bound)

    def with_text(self, text: str) -> "Statement":
        """The same with another text."""
        return replace(self, text=text)

    def call(self, **values: object) -> "Call":
        """The statement with its values, as the driver takes them."""
        given = {**self.fixed, **values}
        return Call(self, tuple(given[name] for name in self.parameters))

    def call_with(self, values: Mapping[str, object]) -> "Call":
        """The statement with its values, as SQLAlchemy takes them."""
        given, bound = {**self.fixed, **values}, self.bound
        return Call(self, tuple(bound[name](given[name]) if name in bound else given[name] for name in self.parameters))

    @cached_property
    def executing(self) -> str:
        """What executes it, with a mark for each value."""
        marks = f" ({', '.join(['%s'] * len(self.parameters))})" if self.parameters else ""
        return f"execute {self.name}{marks}"

    @property
    def preparing(self) -> str:
        """What prepares it."""
        return f"prepare {self.name}{f' ({self.types})' if self.types else ''} as {self.text}"


@dataclass(frozen=True)
class Call:
    """A prepared statement with its values, which the driver adapts."""

    statement: Statement
    values: tuple[object, ...]


Words = Sequence[str | Call]
"""Words of the transaction and prepared statements: one message."""


def as_message(words: Words) -> tuple[str, tuple[object, ...]]:
    """The text of one message, and the values in it."""
    text = "; ".join(word if isinstance(word, str) else word.statement.executing for word in words)
    return text, tuple(value for word in words if isinstance(word, Call) for value in word.values)


def send(connection: Connection, *words: str | Call) -> list[tuple[Any, ...]]:
    """Sends these words of the transaction and prepared statements in one message; returns the rows of the last one.

    `connection` is one that begins nothing by itself (`Database.direct`). Raises the driver's errors.
    """
    raw: Any = connection.connection
    info = connection.info
    if _BEGIN in info:
        words = (info.pop(_BEGIN), *words)
    with raw.cursor() as cursor:
        # By their names: of one statement there may be several objects, made by threads at the same time.
        known: set[str] = info.setdefault(_PREPARED, set())
        for word in words:
            if isinstance(word, Call) and word.statement.name not in known:
                if not known:
                    cursor.execute(BY_KEY)
                cursor.execute(word.statement.preparing)
                known.add(word.statement.name)
        cursor.execute(*as_message(words))
        return list(cursor.fetchall()) if cursor.description else []


def is_refused(error: psycopg2.DataError, word: str) -> bool:
    """Whether it is a statement of ours that refused to go on, by taking this word for a number."""
    return error.pgcode == _NO_NUMBER and word in str(error)


def make_direct(connection: Connection) -> None:
    """From now on the connection begins nothing by itself."""
    # Not by an option of SQLAlchemy's: that is taken back before the connection ends, by asking the server.
    raw: Any = connection.connection.driver_connection
    raw.autocommit = True
    connection.info[_DIRECT] = True


def is_direct(connection: Connection) -> bool:
    """Whether the connection is one for `send`."""
    return _DIRECT in connection.info


def begin_with_next(connection: Connection, word: str) -> None:
    """Has the next message begin a transaction."""
    connection.info[_BEGIN] = word


def result_processors(statement: Select[Any]) -> list[tuple[int, Callable[[Any], Any]]]:
    """What the types of the columns make of what the driver gives, by the place of the column."""
    types = [column.type.dialect_impl(_DIALECT) for column in statement.selected_columns]
    found = [(place, type_.result_processor(_DIALECT, _NUMERIC)) for place, type_ in enumerate(types)]
    return [(place, processor) for place, processor in found if processor is not None]


def let_go(connection: Connection) -> None:
    """Rolls back what was begun with `send` and not committed; a connection that is lost is given up."""
    if connection.invalidated:
        return
    connection.info.pop(_BEGIN, None)
    raw: Any = connection.connection.driver_connection
    try:
        if not raw.closed and raw.info.transaction_status != extensions.TRANSACTION_STATUS_IDLE:
            with raw.cursor() as cursor:
                cursor.execute("rollback")
    except psycopg2.Error:
        raw.close()
    if raw.closed:
        connection.invalidate()
