"""Writing the ledger of usage: many rows at once, each taken once, whatever is collected again."""

import io
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import psycopg2.errors
from sqlalchemy import Connection, text

from amierules.database.usage_tables import usage

LEDGER_COLUMNS = tuple(column.name for column in usage.columns if column.name != "usage_id")
"""The columns of a row that is written, in this order."""
_MAY_BE_NULL = tuple(at for at, name in enumerate(LEDGER_COLUMNS) if usage.c[name].nullable)
_COMPARED = tuple(name for name in LEDGER_COLUMNS if name not in ("cluster", "job_id", "submitted", "collected_at"))
_KEY = "cluster", "job_id", "submitted"
_STAGED = "amierules_usage_staged"
_NULL = "\\N"
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": "\\\\x00"})

LedgerRow = Sequence[Any]


class Taken(NamedTuple):
    """What became of rows that were given to the ledger."""

    new: int = 0
    changed: int = 0
    """They were there and not sent, and say something else now."""
    same: int = 0
    late: int = 0
    """They say something else than what was sent of them already: what was sent stays."""

    def plus(self, other: "Taken") -> "Taken":
        """Both together."""
        return Taken(*(one + another for one, another in zip(self, other, strict=True)))


class LedgerWriter:
    """Writes rows over one connection (`Database.kept`): at once while all are new, else by comparing them first."""

    def __init__(self, connection: Connection) -> None:
        """Makes the table that rows are put into where they must be compared, for the time of this connection."""
        listed = ", ".join(_quoted(name) for name in LEDGER_COLUMNS)
        connection.execute(text(f"drop table if exists {_STAGED}"))
        made = f"create temporary table {_STAGED} as select {listed} from amierules_usage where 1 = 0"  # noqa: S608
        connection.execute(text(made))
        self._all_new = True

    def take(self, connection: Connection, rows: Sequence[LedgerRow]) -> Taken:
        """Writes rows, of which each has the values of `LEDGER_COLUMNS`; its key is cluster, job and submission.

        Nothing is committed.
        """
        if self._all_new and self._all_at_once(connection, rows):
            return Taken(new=len(rows))
        # Where one piece holds what is known already, the next ones most likely do, too.
        self._all_new = False
        return _compared(connection, rows)

    def _all_at_once(self, connection: Connection, rows: Sequence[LedgerRow]) -> bool:
        try:
            with connection.begin_nested():
                _put(connection, rows, "amierules_usage")
        except (psycopg2.errors.UniqueViolation, sqlite3.IntegrityError):
            return False
        return True


def _compared(connection: Connection, rows: Sequence[LedgerRow]) -> Taken:
    connection.execute(text(f"delete from {_STAGED}"))  # noqa: S608 - our own names, here and below
    _put(connection, rows, _STAGED)
    columns = ", ".join(_quoted(name) for name in LEDGER_COLUMNS)
    inserted = connection.execute(
        text(
            f"insert into amierules_usage ({columns}) select {columns} from {_STAGED} where true"  # noqa: S608
            " on conflict (cluster, job_id, submitted) do nothing"
        )
    ).rowcount
    if inserted == len(rows):
        return Taken(new=inserted)
    late = connection.execute(text(f"select count(*) {_differing(connection)} and {_IS_SENT}")).scalar_one()
    changed = connection.execute(text(_update(connection))).rowcount
    return Taken(inserted, changed, len(rows) - inserted - changed - late, late)


_SAME_KEY = " and ".join(f"u.{name} = s.{name}" for name in _KEY)
_IS_SENT = "exists (select 1 from amierules_usage_report r where r.usage_id = u.usage_id and r.state <> 'unsent')"


def _differing(connection: Connection) -> str:
    return f"from {_STAGED} s join amierules_usage u on {_SAME_KEY} where ({_differs(connection)})"


def _differs(connection: Connection) -> str:
    sign = "is not" if connection.dialect.name == "sqlite" else "is distinct from"
    return " or ".join(f"u.{_quoted(name)} {sign} s.{_quoted(name)}" for name in _COMPARED)


def _update(connection: Connection) -> str:
    assignments = ", ".join(f"{_quoted(name)} = s.{_quoted(name)}" for name in (*_COMPARED, "collected_at"))
    return (
        f"update amierules_usage as u set {assignments} from {_STAGED} s"  # noqa: S608 - our own names
        f" where {_SAME_KEY} and ({_differs(connection)}) and not {_IS_SENT}"
    )


def _quoted(name: str) -> str:
    return f'"{name}"'


def _put(connection: Connection, rows: Sequence[LedgerRow], table: str) -> None:
    raw: Any = connection.connection.driver_connection
    columns = ", ".join(_quoted(name) for name in LEDGER_COLUMNS)
    if connection.dialect.name == "sqlite":
        marks = ", ".join("?" * len(LEDGER_COLUMNS))
        raw.executemany(f"insert into {table} ({columns}) values ({marks})", rows)  # noqa: S608
        return
    with raw.cursor() as cursor:
        cursor.copy_expert(f"copy {table} ({columns}) from stdin", io.StringIO(copy_text(rows)))


def copy_text(rows: Iterable[LedgerRow]) -> str:
    """The rows as PostgreSQL's COPY reads them."""
    return "".join([_copy_line(row) for row in rows])


def _copy_line(row: LedgerRow) -> str:
    texts = [*map(str, row)]
    for position in _MAY_BE_NULL:
        if row[position] is None:
            texts[position] = _NULL
    line = "\t".join(texts)
    # Nearly all rows hold nothing that COPY would take for something else: one look at all of it is enough.
    plain = line.count("\t") == len(row) - 1 and line.count("\\") == line.count(_NULL) == row.count(None)
    if plain and "\n" not in line and "\r" not in line and "\0" not in line:
        return line + "\n"
    values = (_NULL if value is None else str(value).translate(_ESCAPES) for value in row)
    return "\t".join(values) + "\n"


def put_problems(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Keeps what could not be taken, by its `key`; what was kept before is replaced. Nothing is committed."""
    if not rows:
        return
    names = list(rows[0])
    listed, marks = ", ".join(names), ", ".join(f":{name}" for name in names)
    assignments = ", ".join(f"{name} = excluded.{name}" for name in names if name != "key")
    statement = (
        f"insert into amierules_usage_problem ({listed}) values ({marks})"  # noqa: S608 - our own names
        f" on conflict (key) do update set {assignments}"
    )
    connection.execute(text(statement), list(rows))


def forget_solved(connection: Connection) -> int:
    """Drops problems with jobs that are in the ledger by now; how many. Nothing is committed."""
    same = "u.cluster = p.cluster and u.job_id = p.job_id and (p.submitted is null or u.submitted = p.submitted)"
    statement = (
        "delete from amierules_usage_problem as p where p.job_id <> '' and exists"  # noqa: S608 - our own names
        f" (select 1 from amierules_usage u where {same})"
    )
    return connection.execute(text(statement)).rowcount
