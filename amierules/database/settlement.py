"""The commit that ends passes over packets: what it locks and how it is written, on either database."""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import Connection

from amierules.database import events, replies, reservations, waking, work
from amierules.database.connection import Database
from amierules.database.postgres_settlement import PostgresSettlement
from amierules.database.settled import Settled
from amierules.database.work import Locked


class Settlement(Protocol):
    """A transaction in which passes are settled: rows are locked, then all is written and committed."""

    @property
    def connection(self) -> Connection:
        """For what is seldom written; between `lock` and `commit`."""

    def lock(self, ids: Collection[int], answered: Collection[int]) -> Mapping[int, Locked]:
        """The work rows of these packets as they are now, and stay until the end; of `answered` ones AMIE's too."""

    def commit(self, settled: Settled, last: Callable[[], None]) -> None:
        """Writes all of it and commits. `last` is called as late as can be before that. Raises `NoLongerInProgress`."""


def settlement(database: Database) -> AbstractContextManager[Settlement]:
    """A settlement, rolled back where it is not committed. Raises as `Database.begin` does."""
    return _plain(database) if database.is_sqlite else _direct(database)


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
