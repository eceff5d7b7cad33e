"""Locks on files, waited for within bounds: between threads, processes and users of this host."""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator

from amierules.ports import vigil

_TICK = 0.01


class Busy(Exception):
    """Others have kept a lock for too long: nothing was done."""


@contextlib.contextmanager
def locked(path: str, seconds: float) -> Iterator[None]:
    """Hold the lock file at `path`, which is made where it is missing, or the folder that `path` is.

    A folder takes no more than the right to read it. Raises `Busy` after `seconds`, and `OSError` where the file cannot
    be opened.
    """
    how = os.O_RDONLY if os.path.isdir(path) else os.O_RDWR | os.O_CREAT
    descriptor = os.open(path, how | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        _wait_for(descriptor, seconds)
        yield
    finally:
        os.close(descriptor)


def _wait_for(descriptor: int, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise Busy(f"another process has kept the lock for {seconds:.0f} seconds") from None
            vigil.look()
            time.sleep(_TICK)
