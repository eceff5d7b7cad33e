"""A connection of its own to PostgreSQL for what is told now and waited for later."""

import select
from typing import Any

import psycopg2
from psycopg2 import extensions

from amierules.database import dialect
from amierules.database.connection import Database
from amierules.database.engines import raw_connection, session_settings
from amierules.database.prepared import BY_KEY, Call, Words, as_message


class Ahead:
    """While PostgreSQL does one thing, its worker goes on with the next. Not for several threads."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: Any = None
        self._cursor: Any = None
        self._known: set[str] = set()
        self._waits = False

    def send(self, words: Words) -> None:
        """Sends them in one message, once the former one is over. Raises as `wait`."""
        self.wait()
        try:
            if self._connection is None:
                self._connect()
            for call in [word for word in words if isinstance(word, Call)]:
                if call.statement.name not in self._known:
                    self._do(call.statement.preparing)
                    self._known.add(call.statement.name)
            self._cursor.execute(*as_message(words))
        except psycopg2.Error as error:
            self._failed(error)
        self._waits = True

    def wait(self) -> None:
        """Waits until the last message is done with. Raises the driver's errors, and `Unavailable`."""
        if not self._waits:
            return
        self._waits = False
        try:
            self._wait()
        except psycopg2.Error as error:
            self._failed(error)

    def close(self) -> None:
        """Ends the connection; nobody waits any more."""
        if self._connection is not None:
            self._connection.close()
        self._connection, self._waits, self._known = None, False, set()

    def _connect(self) -> None:
        self._connection = raw_connection(self._database.engine, async_=1)
        self._wait()
        self._cursor = self._connection.cursor()
        self._do(session_settings())
        self._do(BY_KEY)

    def _do(self, statement: str) -> None:
        self._cursor.execute(statement)
        self._wait()

    def _wait(self) -> None:
        while (state := self._connection.poll()) != extensions.POLL_OK:
            ready: list[Any] = [self._connection]
            reading = state == extensions.POLL_READ
            select.select(ready if reading else [], [] if reading else ready, [])

    def _failed(self, error: psycopg2.Error) -> None:
        """After an error: a transaction that was begun is over with the connection."""
        self.close()
        trouble = dialect.fault(error)
        if trouble is None:
            raise error
        raise dialect.unavailable(trouble, error, self._database.url) from error
