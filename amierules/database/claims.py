"""Claims: what a worker has to itself while it works on a packet, across processes and hosts."""

import hashlib
import select
import threading
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol, Self

import psycopg2

from amierules.database.connection import Database
from amierules.database.dialect import one_line, unreachable
from amierules.database.engines import raw_connection, settle_session
from amierules.database.one_of import in_json
from amierules.database.ownership import LostOwnership


class Claims(Protocol):
    """The lock keys that one worker holds."""

    @property
    def held(self) -> frozenset[str]:
        """The keys that are held now."""

    def try_claim(self, keys: Collection[str]) -> bool:
        """Takes the keys that are not held yet, all or none, without waiting; whether it did.

        Raises `LostOwnership` where the claims are lost, with all that was held.
        """

    def try_each(self, wanted: Sequence[Collection[str]]) -> list[bool]:
        """As `try_claim` for each of several parties, which share no keys; for each whether it got its own."""

    def release(self, keys: Collection[str] | None = None, *, soon: bool = False) -> None:
        """Gives back these keys, or all; after the commit. `soon`: it may wait until the next claim or release.

        Raises `LostOwnership`.
        """

    def check(self) -> None:
        """Raises `LostOwnership` where the claims are lost."""

    def look(self) -> None:
        """As `check`, without asking anybody: only what this host has been told already is seen."""


class SharedKeys:
    """The keys that the workers of one process hold, where no other process works on the database."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken: set[str] = set()

    def take(self, keys: Collection[str]) -> bool:
        """Takes all keys, or none where one is taken; whether it did."""
        with self._lock:
            if not self._taken.isdisjoint(keys):
                return False
            self._taken.update(keys)
            return True

    def give_back(self, keys: Collection[str]) -> None:
        """Makes the keys free again."""
        with self._lock:
            self._taken.difference_update(keys)


class SqliteClaims:
    """Claims among the workers of this process; its run lock keeps other processes out."""

    def __init__(self, shared: SharedKeys) -> None:
        self._shared = shared
        self._held: set[str] = set()

    @property
    def held(self) -> frozenset[str]:
        """The keys that are held now."""
        return frozenset(self._held)

    def try_claim(self, keys: Collection[str]) -> bool:
        """Takes the keys that are not held yet, all or none; whether it did."""
        wanted = set(keys) - self._held
        if not self._shared.take(wanted):
            return False
        self._held |= wanted
        return True

    def try_each(self, wanted: Sequence[Collection[str]]) -> list[bool]:
        """As `try_claim`, for one after another."""
        return [self.try_claim(keys) for keys in wanted]

    def release(self, keys: Collection[str] | None = None, *, soon: bool = False) -> None:
        """Gives back these keys, or all."""
        given_back = self._held & set(self._held if keys is None else keys)
        self._held -= given_back
        self._shared.give_back(given_back)

    def check(self) -> None:
        """A lock of this process is not lost."""

    look = check


_UNLOCK = "select count(pg_advisory_unlock(number::bigint)) from json_array_elements_text(%s) as number"
# One lock after another; of a party whose lock somebody else has, no further one.
_TRY = """
with recursive given as materialized (
    select array(select json_array_elements_text(%s)::bigint) as numbers,
        array(select json_array_elements_text(%s)::int) as parties
),
tried (place, party, taken) as (
    select 0, -1, true
    union all
    select place + 1, parties[place + 1],
        case when taken or parties[place + 1] <> party then pg_try_advisory_lock(numbers[place + 1]) else false end
    from tried, given where place < cardinality(numbers)
)
select party, count(*) filter (where taken) from tried where place > 0 group by party
"""


class PostgresClaims:
    """Session advisory locks on a connection of its own: they end with it, and a new connection would have none."""

    def __init__(self, connection: Any, database: Database) -> None:
        self._connection = connection
        self._database = database
        self._held: dict[str, int] = {}
        self._uses: Counter[int] = Counter()
        """How many of the keys that are held each lock stands for: mostly one."""
        self._left_over: list[int] = []
        """Locks that nobody needs any more."""
        self._lost: str | None = None
        """Why the connection was lost; whoever asks afterwards is told the same."""

    @classmethod
    def connect(cls, database: Database) -> Self:
        """Claims on a new connection to the database. Raises `Unavailable`."""
        try:
            connection = raw_connection(database.engine, application_name="amierules claims")
            connection.autocommit = True
            settle_session(connection)
        except psycopg2.Error as error:
            raise unreachable(error, database.url) from error
        return cls(connection, database)

    @property
    def held(self) -> frozenset[str]:
        """The keys that are held now."""
        return frozenset(self._held)

    def try_claim(self, keys: Collection[str]) -> bool:
        """Takes the keys, in the same order everywhere, up to the first that somebody else has."""
        return self.try_each([keys])[0]

    def try_each(self, wanted: Sequence[Collection[str]]) -> list[bool]:
        """Takes the keys of each party, as `try_claim` does, in one message for all."""
        parties = [{key: lock_number(key) for key in set(keys) - self._held.keys()} for keys in wanted]
        numbers = [sorted(number for number in set(party.values()) if not self._uses[number]) for party in parties]
        taken = self._try(numbers) if any(numbers) else {}
        got = [taken.get(place, 0) == len(party) for place, party in enumerate(numbers)]
        for place in (place for place, whole in enumerate(got) if whole):
            self._held.update(parties[place])
            self._uses.update(parties[place].values())
        self._unlock(
            [number for place, whole in enumerate(got) if not whole for number in numbers[place][: taken[place]]]
        )
        return got

    def _try(self, parties: Sequence[Sequence[int]]) -> dict[int, int]:
        """How many of each party's locks were taken, up to the first of it that somebody else has."""
        numbers = [number for party in parties for number in party]
        places = [place for place, party in enumerate(parties) for _ in party]
        return dict(self._ask(_TRY, (in_json(numbers), in_json(places))))

    def release(self, keys: Collection[str] | None = None, *, soon: bool = False) -> None:
        """Gives back these keys, or all."""
        given_back = [self._held.pop(key) for key in (set(self._held) if keys is None else keys) if key in self._held]
        self._uses.subtract(given_back)
        over = sorted(number for number in set(given_back) if not self._uses[number])
        for number in over:
            del self._uses[number]
        self._left_over += over
        if not soon:
            self._unlock([])

    def check(self) -> None:
        """Asks the server whether the connection still stands."""
        self._ask("select 1", ())

    def look(self) -> None:
        """Whether the server, or the network, has said anything: it only does when the connection ends."""
        if self._connection.closed or select.select([self._connection.fileno()], [], [], 0)[0]:
            self.check()

    def close(self) -> None:
        """Ends the connection, and with it all claims."""
        self._held.clear()
        self._uses.clear()
        self._connection.close()

    def _unlock(self, numbers: Sequence[int]) -> None:
        """Gives back these locks, and those that were to be given back soon."""
        self._left_over += numbers
        if self._left_over:
            self._ask("", ())

    def _ask(self, statement: str, values: Sequence[object]) -> list[Any]:
        """The rows of a statement; what was to be given back soon is given back before, in the same message."""
        left_over, self._left_over = self._left_over, []
        both = [words for words in (_UNLOCK if left_over else "", statement) if words]
        try:
            with self._connection.cursor() as cursor:
                cursor.execute("; ".join(both), [*([in_json(left_over)] if left_over else ()), *values])
                return list(cursor.fetchall())
        except psycopg2.Error as error:
            # After an error nobody knows which locks are held: they all end with the connection.
            self.close()
            self._lost = self._lost or one_line(str(error), self._database.url)
            raise LostOwnership(f"the connection that holds the claims was lost ({self._lost})") from error


@contextmanager
def claims_for(database: Database, shared: SharedKeys | None = None) -> Iterator[Claims]:
    """One worker's claims, given back at the end. Raises `Unavailable` where PostgreSQL cannot be reached.

    On SQLite the workers of a process share one `SharedKeys`; other processes are kept out by `Database.run_lock`,
    which the caller holds.
    """
    if database.is_sqlite:
        in_process = SqliteClaims(shared or SharedKeys())
        try:
            yield in_process
        finally:
            in_process.release()
        return
    claims = PostgresClaims.connect(database)
    try:
        yield claims
    finally:
        claims.close()


def lock_number(key: str) -> int:
    """The signed 64-bit number by which PostgreSQL knows a lock key: the same in every process and version."""
    digest = hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8, person=b"amierules").digest()
    return int.from_bytes(digest, "big", signed=True)
