"""The end of connections whose requests take too long in all: one thread sees to it, for one request after another."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class TimeLimit:
    """Lets each request have so many seconds. For one thread at a time.

    Its own thread ends when there was no request for so long.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._connected: socket.socket | None = None
        self._until = 0.0
        self._is_watched = False

    @contextmanager
    def on(self, connected: socket.socket) -> Iterator[None]:
        """Within it the connection ends when the time is over."""
        with self._lock:
            self._connected, self._until = connected, time.monotonic() + self._seconds
            if not self._is_watched:
                self._is_watched = True
                threading.Thread(target=self._watch, daemon=True).start()
        try:
            yield
        finally:
            with self._lock:
                self._connected = None

    def _watch(self) -> None:
        # Each request ends later than the one before: none has to wake it.
        while (left := self._left()) > 0:
            time.sleep(left)

    def _left(self) -> float:
        """The seconds until somebody has to look again; none where nobody does."""
        with self._lock:
            left = self._until - time.monotonic()
            if left <= 0:
                self._is_watched = False
                if self._connected is not None:
                    # It may have ended by itself.
                    with suppress(OSError):
                        self._connected.shutdown(socket.SHUT_RDWR)
            return left
