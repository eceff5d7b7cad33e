"""Writing statements that many transactions have: prepared once, and sent all in one message where nobody waits for
what each of them did.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import psycopg2
from sqlalchemy import Connection, Executable, Select

from amierules.database.connection import Database
from amierules.database.made import Made
from amierules.database.ownership import LostOwnership
from amierules.database.prepared import BEGIN, COMMIT, Call, Statement, is_refused, send

_LOST = "amierules: somebody else has the packet"
"""What is no number, so that PostgreSQL ends the transaction; its log says so, too."""
_MUST_HIT = f"""
with hit as ({{statement}})
select case when exists (select from hit) then 1 else ('{_LOST}' || (select count(*) from hit))::int end
"""  # noqa: S608 - statements of ours; the count keeps PostgreSQL from reckoning before it knows


@dataclass(frozen=True)
class Write:
    """A statement of SQLAlchemy, whose parameters have names, that writes a packet's rows or locks them."""

    name: str
    statement: Executable
    must_hit: bool = False
    """Whether the packet is lost to somebody else where there is no row to change, or to lock."""
    for_postgresql: Executable | None = None
    """Where it is another one there."""

    @cached_property
    def made(self) -> Made:
        """The same for what executes it at once."""
        return Made(self.statement, self.for_postgresql)

    @cached_property
    def prepared(self) -> Statement:
        """The same for PostgreSQL; where a row must be hit and is not, it is an error."""
        found = Statement.of(self.name, self.statement if self.for_postgresql is None else self.for_postgresql)
        if not self.must_hit:
            return found
        returning = "" if isinstance(self.statement, Select) else " returning 1"
        return found.with_text(_MUST_HIT.format(statement=found.text + returning))


class Together:
    """A transaction of PostgreSQL that is told in one message at its end."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._calls: list[Call] = []

    def add(self, write: Write, values: dict[str, Any]) -> None:
        """The next statement."""
        self._calls.append(write.prepared.call_with(values))

    def commit(self) -> None:
        """Sends all. Raises `LostOwnership`."""
        try:
            send(self._connection, BEGIN, *self._calls, COMMIT)
        except psycopg2.DataError as error:
            if is_refused(error, _LOST):
                raise LostOwnership("the packet was taken over by another worker") from error
            raise


Writer = Connection | Together
"""What writes: at once, or at the end of the transaction."""


@contextmanager
def together(database: Database) -> Iterator[Writer]:
    """A transaction for `write`, committed at the end, not at all on an error. Raises as `Database.begin` does, and
    `LostOwnership`.
    """
    if database.is_sqlite:
        with database.begin() as connection:
            yield connection
        return
    with database.direct() as connection:
        batch = Together(connection)
        yield batch
        batch.commit()


def write(writer: Writer, statement: Write, lost: str = "", **values: Any) -> None:
    """Executes the statement. Raises `LostOwnership(lost)` where it must hit a row and there is none: at the end of the
    transaction at the latest.
    """
    if isinstance(writer, Together):
        writer.add(statement, values)
        return
    if not statement.made.hits(writer, **values) and statement.must_hit:
        raise LostOwnership(lost)
