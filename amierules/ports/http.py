"""Requests to other services. The standard library's client, since it alone tells a connection that was never made
from a request that was sent: the one may be repeated, the other must not."""

import http.client
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import SplitResult, urlsplit, urlunsplit

from amierules.diagnostics import printable
from amierules.ports.taking import NotTaken, Refused, Unsure

_KEPT = 2000
"""Bytes of an answer that are read."""
_USER_AGENT = "amierules"


@dataclass(frozen=True)
class Answer:
    """What the other side answered."""

    status: int
    text: str
    """The beginning of the body."""


class Http(Protocol):
    """Sends requests."""

    def send(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """The answer, whatever its status. Redirects are not followed.

        Raises `NotTaken` where no connection was made, `Refused` for an address that cannot be used, `Unsure` where
        the request was sent, at least in part, and no answer came.
        """

    def reach(self, url: str) -> None:
        """Connects, and asks for nothing. Raises `NotTaken` and `Refused` as `send` does."""


@dataclass(frozen=True)
class DirectHttp:
    """Sends requests from this host, through a proxy where one is given; the environment is not asked."""

    timeout: float = 10
    """Seconds for each wait: the connection, and each part of the answer."""
    proxy: str | None = None
    ca_file: Path | None = None
    """Certificates that are trusted, instead of the system's."""

    def send(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """As `Http.send`."""
        if not all(value.isascii() and value.isprintable() for value in headers.values()):
            raise Refused("a header has characters that no header has")
        with self._connected(url) as (connection, target):
            return _exchange(connection, method, target, {"User-Agent": _USER_AGENT, **headers}, body)

    def reach(self, url: str) -> None:
        """As `Http.reach`."""
        with self._connected(url):
            pass

    @contextmanager
    def _connected(self, url: str) -> Iterator[tuple[http.client.HTTPConnection, str]]:
        try:
            connection, target = self._connection(urlsplit(url))
        except (ValueError, OSError) as error:
            raise Refused(f"the address cannot be used: {printable(error)}") from None
        try:
            self._connect(connection)
            yield connection, target
        finally:
            connection.close()

    def _connect(self, connection: http.client.HTTPConnection) -> None:
        try:
            connection.connect()
        except (OSError, http.client.HTTPException, UnicodeError) as error:
            raise NotTaken(f"no connection: {_said(error)}") from None

    def _connection(self, parts: SplitResult) -> tuple[http.client.HTTPConnection, str]:
        """A connection that is not made yet, and what is asked of it. Raises `ValueError`, `OSError`."""
        if not parts.geturl().isascii() or not parts.geturl().isprintable() or " " in parts.geturl():
            raise ValueError("it has characters that no address has")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("it must begin with http:// or https://, and name a host")
        target = urlunsplit(("", "", parts.path or "/", parts.query, ""))
        proxy = urlsplit(self.proxy) if self.proxy else None
        host, port = (proxy.hostname or "", proxy.port) if proxy else (parts.hostname, parts.port)
        if parts.scheme == "http":
            plain = http.client.HTTPConnection(host, port, timeout=self.timeout)
            return plain, urlunsplit(("http", parts.netloc, *urlsplit(target)[2:])) if proxy else target
        context = ssl.create_default_context(cafile=self.ca_file)
        secure = http.client.HTTPSConnection(
            host, port or (80 if proxy else 443), timeout=self.timeout, context=context
        )
        if proxy:
            secure.set_tunnel(parts.hostname, parts.port or 443)
        return secure, target


def _exchange(
    connection: http.client.HTTPConnection, method: str, target: str, headers: Mapping[str, str], body: bytes
) -> Answer:
    try:
        connection.request(method, target, body, dict(headers))
        response = connection.getresponse()
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Unsure(f"no answer: {_said(error)}") from None
    try:
        text = response.read(_KEPT).decode("utf-8", "replace")
    except (OSError, http.client.HTTPException):
        text = ""
    return Answer(response.status, text)


def _said(error: Exception) -> str:
    return printable(getattr(error, "strerror", None) or str(error) or type(error).__name__)
