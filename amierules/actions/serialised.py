"""One writer at a time: a lock file that all amierules processes of a host share."""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator

from amierules.actions.base import Transient

_WAIT = 60.0
"""Seconds for which the others are waited for."""


@contextlib.contextmanager
def one_at_a_time(path: str, busy: str) -> Iterator[None]:
    """Hold the lock file `path`. Raises `Transient`, with `busy` as its message, where it is not to be had in a minute.

    Where the file cannot be made there is no lock: who may not make it is told so by the tool that is called.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError:
        yield
        return
    try:
        _wait_for(descriptor, busy)
        yield
    finally:
        os.close(descriptor)


def _wait_for(descriptor: int, busy: str) -> None:
    deadline = time.monotonic() + _WAIT
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise Transient(busy) from None
            time.sleep(0.01)
