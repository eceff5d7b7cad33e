"""The lock of an SQLite file: one `run` or `exchange` at a time."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from amierules.diagnostics import Finding, Unavailable, printable


@contextmanager
def file_lock(database: Path) -> Iterator[None]:
    """Holds the lock file beside the database; it ends with the process. Raises `Unavailable` (`database-busy`)."""
    path = database.resolve().with_name(database.resolve().name + ".lock")
    try:
        file = path.open("a+", encoding="ascii", errors="replace")
    except OSError as error:
        raise _cannot_lock(path, error) from error
    with file:
        _take(file, path, database)
        yield


def _take(file: IO[str], path: Path, database: Path) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
    except BlockingIOError:
        raise _busy(file, database) from None
    except OSError as error:
        raise _cannot_lock(path, error) from error


def _busy(file: IO[str], database: Path) -> Unavailable:
    file.seek(0)
    holder = file.read(20).strip()
    who = f" (process {holder})" if holder.isdecimal() else ""
    message = f"another amierules run or exchange{who} is using {printable(database)}"
    return Unavailable(Finding("database-busy", message, hint="wait until it has ended, or use PostgreSQL"))


def _cannot_lock(path: Path, error: OSError) -> Unavailable:
    message = f"the lock file {printable(path)} cannot be used: {error.strerror or error}"
    return Unavailable(
        Finding("database-busy", message, hint="the database's folder must be writable, on a local disk")
    )
