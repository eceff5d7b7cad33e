"""The condition that a column has one of several values: of the same text, however many values there are."""

import json
from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import (
    BigInteger,
    BindParameter,
    ColumnElement,
    Dialect,
    Integer,
    Select,
    Text,
    TypeDecorator,
    bindparam,
    literal_column,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import NullType, TypeEngine

_ENCODER = json.JSONEncoder(ensure_ascii=False)


class _Several(TypeDecorator[Collection[Any]]):
    """Values in one parameter, as JSON: PostgreSQL takes three times as long for an array that the driver writes."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Collection[Any] | None, dialect: Dialect) -> str:
        """The JSON of a list of the values."""
        return in_json(value or ())


_NUMBERS: Mapping[type[TypeEngine[Any]], str] = {BigInteger: "bigint", Integer: "integer"}
"""What PostgreSQL calls the types of numbers, the more special ones first."""


class _OneOf(FunctionElement[Any]):
    # Not of the type Boolean: for SQLite that would be compared with 1, and no index would serve.
    type = NullType()
    inherit_cache = True


@compiles(_OneOf, "sqlite")
def _in_json(element: _OneOf, compiler: SQLCompiler, **options: Any) -> str:
    column, values = (compiler.process(clause, **options) for clause in element.clauses)
    return f"({column} IN (SELECT value FROM json_each({values})))"  # noqa: S608 - both are compiled already


@compiles(_OneOf, "postgresql")
def _in_array(element: _OneOf, compiler: SQLCompiler, **options: Any) -> str:
    column, values = (compiler.process(clause, **options) for clause in element.clauses)
    type_ = next(iter(element.clauses)).type
    wanted = next((name for one, name in _NUMBERS.items() if isinstance(type_, one)), "text")
    found = f"SELECT value::{wanted} FROM json_array_elements_text({values}) AS value"  # noqa: S608 - see above
    return f"({column} = ANY (ARRAY({found})))"


def one_of(column: ColumnElement[Any], values: Collection[int] | Collection[str] | str) -> ColumnElement[bool]:
    """The condition; `values` are whole numbers or texts, or the name of the parameter that will have them."""
    return _OneOf(column, several(values) if isinstance(values, str) else bindparam(None, values, type_=_Several()))


class _AmongFound(FunctionElement[Any]):
    # As `_OneOf`.
    type = NullType()
    inherit_cache = True


@compiles(_AmongFound, "sqlite")
def _in_found(element: _AmongFound, compiler: SQLCompiler, **options: Any) -> str:
    column, found = (compiler.process(clause, **options) for clause in element.clauses)
    return f"({column} IN {found})"


@compiles(_AmongFound, "postgresql")
def _in_array_of_found(element: _AmongFound, compiler: SQLCompiler, **options: Any) -> str:
    column, found = (compiler.process(clause, **options) for clause in element.clauses)
    return f"({column} = ANY (ARRAY{found}))"


def among_found(column: ColumnElement[Any], query: Select[Any]) -> ColumnElement[bool]:
    """The condition that a column has one of the values that a query finds, for a query that finds few: it is run
    first, and the rows are looked up by what it found. PostgreSQL may else walk through all rows of a small table, and
    of a large one that was small when the statement was prepared.
    """
    return _AmongFound(column, query.correlate(None).scalar_subquery())


def none_of(column: ColumnElement[Any], words: Collection[str]) -> ColumnElement[bool]:
    """The condition that a column has none of these words of ours. They stand in the statement's text, or a prepared
    one could not use an index that has the same condition.
    """
    return column.not_in([literal_column(f"'{word}'") for word in words])


def in_json(values: Collection[Any]) -> str:
    """The values as such a parameter has them, for whoever passes it by the driver alone."""
    listed = list(values)
    # An encoder takes longer to set up than a few numbers to write.
    return str(listed) if all(type(one) is int for one in listed) else _ENCODER.encode(listed)


def several(name: str) -> BindParameter[Any]:
    """The parameter of this name."""
    return bindparam(name, type_=_Several())
