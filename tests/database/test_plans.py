"""How PostgreSQL goes about what is prepared once: by keys, also where all tables were empty when it was."""

import pkgutil
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

import amierules.database
from amierules.database.connection import Database
from amierules.database.lookups import Lookup, Lookups
from amierules.database.prepared import BY_KEY, Statement
from amierules.database.together import Write

FEW = {"amierules_pause", "amierules_meta"}
"""Tables that never have many rows."""


def all_prepared() -> Iterator[Statement]:
    for module in pkgutil.iter_modules(amierules.database.__path__, "amierules.database."):
        for value in vars(import_module(module.name)).values():
            if isinstance(value, Lookup | Lookups | Write):
                yield value.prepared
            if isinstance(value, Lookups):
                yield from (one.prepared for one in value.each)
            if isinstance(value, Statement):
                yield value


PREPARED = {one.name: one for one in all_prepared()}


def walks(node: Mapping[str, Any]) -> Iterator[str]:
    """The tables of which a plan reads all rows, or all of an index."""
    if "Scan" in node["Node Type"] and "Relation Name" in node and not {"Index Cond", "Recheck Cond"} & node.keys():
        yield node["Relation Name"]
    for inner in node.get("Plans", ()):
        yield from walks(inner)


def test_there_are_some() -> None:
    assert {"amierules_settle", "amierules_wake", "amierules_heads_of_transactions", "amierules_step"} <= set(PREPARED)


def plans(url: str, *before: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The plan of each by its name, after these statements."""
    with Database.open(url, create=False) as database, database.direct() as connection:
        cursor = connection.connection.cursor()
        for statement in (*before, BY_KEY):
            cursor.execute(statement)
        for name, prepared in PREPARED.items():
            cursor.execute(prepared.preparing)
            values = f"({', '.join(['null'] * len(prepared.parameters))})" if prepared.parameters else ""
            cursor.execute(f"explain (format json) execute {name}{values}")
            yield name, cursor.fetchall()[0][0][0]["Plan"]


def test_no_table_is_walked_through(postgres_ready_url: str) -> None:
    found = {name: set(walks(plan)) - FEW for name, plan in plans(postgres_ready_url)}
    assert {name: tables for name, tables in found.items() if tables} == {}


def test_no_table_is_kept_whole_beside_another_one(postgres_ready_url: str) -> None:
    for name, plan in plans(postgres_ready_url, "vacuum (analyze)"):
        assert "Materialize" not in str(plan), name
