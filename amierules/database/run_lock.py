"""The lock of an SQLite file: one `run` or `exchange` at a time."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from amierules.diagnostics import Finding, Unavailable, printable

_DYING = 2.0
"""Seconds for which one that was killed may still have the lock: a child that it was just starting has it, too."""


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
    until = time.monotonic() + _DYING
    try:
        while not _locked(file):
            if _holder_lives(file) or time.monotonic() > until:
                raise _busy(file, database)
            time.sleep(0.01)
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
    except OSError as error:
        raise _cannot_lock(path, error) from error


def _locked(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(file: IO[str]) -> int | None:
    file.seek(0)
    written = file.read(20).strip()
    return int(written) if written.isdecimal() else None


def _holder_lives(file: IO[str]) -> bool:
    holder = _holder(file)
    return holder is None or Path(f"/proc/{holder}").exists() or not Path("/proc/self").exists()


def _busy(file: IO[str], database: Path) -> Unavailable:
    holder = _holder(file)
    who = f" (process {holder})" if holder is not None else ""
    message = f"another amierules run or exchange{who} is using {printable(database)}"
    return Unavailable(Finding("database-busy", message, hint="wait until it has ended, or use PostgreSQL"))


def _cannot_lock(path: Path, error: OSError) -> Unavailable:
    message = f"the lock file {printable(path)} cannot be used: {error.strerror or error}"
    return Unavailable(
        Finding("database-busy", message, hint="the database's folder must be writable, on a local disk")
    )
