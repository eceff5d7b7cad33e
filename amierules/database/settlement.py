"""The commit that ends passes over packets: what it locks and how it is written, on either database."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import Connection

from amierules.database import events, replies, reservations, waking, work
from amierules.database.connection import Database
from amierules.database.postgres_settlement import PostgresSettlement, SettlementAhead
from amierules.database.settled import Changed, Expected, Settled
from amierules.database.work import Locked


class Settlement(Protocol):
    """A transaction in which passes are settled: rows are locked, then all is written and committed."""

    @property
    def connection(self) -> Connection:
        """For what is seldom written; between `lock` and `commit`."""

    def lock(self, ids: Collection[int], answered: Collection[int]) -> Mapping[int, Locked]:
        """The work rows of these packets as they are now, and stay until the end; of `answered` ones AMIE's too."""

    def expect(self, expected: Sequence[Expected]) -> None:
        """In place of `lock` where all is known already: the packets are locked if they are so. Else raises `Changed`,
        here or in `commit`.
        """

    def commit(self, settled: Settled, last: Callable[[], None]) -> None:
        """Writes all of it and commits. `last` is called as late as can be before that. Raises `NoLongerInProgress`."""


def settlement(database: Database) -> AbstractContextManager[Settlement]:
    """A settlement, rolled back where it is not committed. Raises as `Database.begin` does."""
    return _plain(database) if database.is_sqlite else _direct(database)


@contextmanager
def settlement_ahead(database: Database) -> Iterator[SettlementAhead]:
    """One for PostgreSQL and packets that are as they were read, which is sent and waited for by an `Ahead`."""
    with database.direct() as connection:
        yield SettlementAhead(connection)


@contextmanager
def _direct(database: Database) -> Iterator[Settlement]:
    with database.direct() as connection:
        yield PostgresSettlement(connection)


@contextmanager
def _plain(database: Database) -> Iterator[Settlement]:
    with database.begin() as connection:
        yield _PlainSettlement(connection)


@dataclass(frozen=True)
class _PlainSettlement:
    """A settlement of one statement after another."""

    connection: Connection

    def lock(self, ids: Collection[int], answered: Collection[int]) -> Mapping[int, Locked]:
        """The work rows; AMIE's are looked at where they are written."""
        return work.lock_many(self.connection, ids)

    def expect(self, expected: Sequence[Expected]) -> None:
        """Looks at once; at AMIE's rows where they are written."""
        rows = self.lock([one.packet_rec_id for one in expected], ())
        for one in expected:
            row = rows.get(one.packet_rec_id)
            if row is None or row.fence != one.fence or not _is_as_read(row, one):
                raise Changed

    def commit(self, settled: Settled, last: Callable[[], None]) -> None:
        """Writes all of it; the commit is the transaction's end."""
        connection, now = self.connection, settled.now
        made = replies.write_ended(connection, settled.ended, now)
        reservations.release(connection, settled.over)
        work.set_standings(connection, settled.standings)
        events.add_several(connection, [one.complete(made) for one in settled.events], settled.who, now)
        waking.release(connection, settled.out_of_the_way, now)
        if settled.woken:
            waking.wake(connection, settled.woken, now)
        last()


def _is_as_read(row: Locked, expected: Expected) -> bool:
    return expected.status is None or (row.status, row.updated_at) == (expected.status, expected.updated_at)
