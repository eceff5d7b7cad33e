"""Connections that end by a moment: the standard library's clients limit each wait, and not all of them together."""

import io
import socket
import ssl
import time
from typing import cast


class Deadline:
    """So many seconds from now on, for all waits together."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.restart()

    def restart(self) -> None:
        """As many seconds once more, from now on."""
        self._until = time.monotonic() + self._seconds

    def left(self) -> float:
        """The seconds that are left. Raises `TimeoutError` where none are."""
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        return left


def connected(host: str, port: int, deadline: Deadline) -> socket.socket:
    """A connection to the first address of a host that takes one. Raises `OSError`, and `UnicodeError` for its name."""
    addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    first: OSError | None = None
    for number, (family, kind, protocol, _, address) in enumerate(addresses):
        connection = socket.socket(family, kind, protocol)
        try:
            # An address that says nothing leaves time for the others.
            connection.settimeout(deadline.left() / (len(addresses) - number))
            connection.connect(address)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return connection
        except OSError as error:
            connection.close()
            first = first or error
    raise first or OSError("the host has no address")


def secured(connection: socket.socket, context: ssl.SSLContext, host: str, deadline: Deadline) -> ssl.SSLSocket:
    """The connection under TLS, the certificate checked; where that fails it is closed. Raises `OSError`."""
    try:
        connection.settimeout(deadline.left())
        # The library counts all of the handshake, however slowly it comes.
        return context.wrap_socket(connection, server_hostname=host)
    except (OSError, ValueError):
        connection.close()
        raise


def hurried(connection: socket.socket, deadline: Deadline) -> socket.socket:
    """The connection as `http.client` and `smtplib` use one; all that they wait for it ends with the deadline."""
    return cast(socket.socket, _Hurried(connection, deadline))


class _Hurried:
    """What those clients ask of a socket."""

    def __init__(self, connection: socket.socket, deadline: Deadline) -> None:
        self._connection = connection
        self._deadline = deadline

    def sendall(self, data: bytes) -> None:
        """Sends all. Raises `TimeoutError`."""
        rest = memoryview(data).cast("B")
        while rest:
            self._connection.settimeout(self._deadline.left())
            rest = rest[self._connection.send(rest) :]

    def makefile(self, _mode: str) -> io.BufferedReader:
        """What comes, to be read."""
        return io.BufferedReader(_Coming(self._connection, self._deadline))

    def close(self) -> None:
        """Ends it, once nobody reads from it any more."""
        self._connection.close()


class _Coming(io.RawIOBase):
    def __init__(self, connection: socket.socket, deadline: Deadline) -> None:
        self._connection = connection
        self._deadline = deadline
        # Its own reader counts who still reads from a socket that is closed.
        self._raw = connection.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int | None:  # type: ignore[override]
        self._connection.settimeout(self._deadline.left())
        return self._raw.readinto(buffer)

    def close(self) -> None:
        if not self.closed:
            self._raw.close()
        super().close()
