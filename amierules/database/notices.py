"""Telling workers that there is something to do, and hearing of it: on PostgreSQL at once, elsewhere by looking."""

import os
import select
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg2
from sqlalchemy import Connection, text

from amierules.database.connection import Database
from amierules.database.dialect import fault as fault_of
from amierules.database.dialect import unavailable, unreachable
from amierules.database.engines import raw_connection, settle_session
from amierules.database.own_tables import CHANNEL


def tell_workers(connection: Connection) -> None:
    """Wakes the workers that watch, once this transaction is committed; where it is not PostgreSQL, does nothing."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("select pg_notify(:channel, '')"), {"channel": CHANNEL})


class Bell:
    """Ends a wait: from any thread, and from a signal's handler."""

    def __init__(self) -> None:
        self.reader, self._writer = os.pipe()
        os.set_blocking(self.reader, False)
        os.set_blocking(self._writer, False)

    def ring(self) -> None:
        """Ends the wait that is under way, or the next one."""
        os.write(self._writer, b"!")

    def wait(self, seconds: float, other: Any = None) -> bool:
        """Waits until it rings, or until `other` (a file descriptor) can be read; whether one of them did."""
        waited_for = [self.reader] if other is None else [self.reader, other]
        ready, _, _ = select.select(waited_for, [], [], max(seconds, 0.0))
        if self.reader in ready:
            os.read(self.reader, 4096)
        return bool(ready)

    def close(self) -> None:
        """Gives the pipe back."""
        os.close(self.reader)
        os.close(self._writer)


@dataclass
class Listener:
    """Hears what `tell_workers` tells. Where the database has no such thing, the time alone counts."""

    database: Database
    bell: Bell
    connection: Any = None

    def wait(self, seconds: float) -> bool:
        """Waits until there is something to do, the bell rings, or the time is over; whether it was told of something.

        Raises `Unavailable`.
        """
        if self.connection is None:
            self.bell.wait(seconds)
            return False
        try:
            woken = bool(self.connection.notifies) or self.bell.wait(seconds, self.connection.fileno())
            self.connection.poll()
            if woken and not self.connection.notifies:
                # The bell, or the connection's end, which the driver may not have told yet.
                with self.connection.cursor() as cursor:
                    cursor.execute("select 1")
            told = bool(self.connection.notifies)
            self.connection.notifies.clear()
            return told
        except psycopg2.Error as error:
            trouble = fault_of(error)
            if trouble is None:
                raise
            raise unavailable(trouble, error, self.database.url) from error


@contextmanager
def listening(database: Database, bell: Bell) -> Iterator[Listener]:
    """A listener with a connection of its own. Raises `Unavailable`."""
    if database.is_sqlite:
        yield Listener(database, bell)
        return
    try:
        connection = raw_connection(database.engine, application_name="amierules watch")
        connection.autocommit = True
        settle_session(connection)
        with connection.cursor() as cursor:
            cursor.execute(f"listen {CHANNEL}")
    except psycopg2.Error as error:
        raise unreachable(error, database.url) from error
    try:
        yield Listener(database, bell, connection)
    finally:
        connection.close()
