"""What a database in memory holds: noted, and put back later."""

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

Held = Mapping[str, Sequence[tuple[Any, ...]]]
"""The rows of each table."""
_TABLES = "select name from sqlite_master where type = 'table' order by name = 'sqlite_sequence'"


def noted(raw: sqlite3.Connection) -> Held:
    """All rows of all tables, in the order in which they were written."""
    tables = [name for (name,) in raw.execute(_TABLES).fetchall()]
    return {name: raw.execute(f'select * from "{name}"').fetchall() for name in tables}  # noqa: S608 - a table's name


def put_back(raw: sqlite3.Connection, held: Held) -> None:
    """Replaces all rows by those that were noted in a database with the same tables.

    Unlike a copy of the whole database, this leaves the statements valid that connections have made ready.
    """
    raw.execute("begin immediate")
    # The last table is SQLite's own, of the numbers that were given: filling the others changes it.
    for name, rows in held.items():
        present = raw.execute(f'select * from "{name}"').fetchall()  # noqa: S608 - a table's name
        if present == rows:
            continue
        if present:
            raw.execute(f'delete from "{name}"')  # noqa: S608 - a table's name
        if rows:
            marks = ", ".join("?" * len(rows[0]))
            raw.executemany(f'insert into "{name}" values ({marks})', rows)  # noqa: S608 - a table's name
    raw.execute("commit")
