"""Connections to HTTP servers. The standard library's client, since it alone tells a connection that was never made
from a request that was sent: the one may be repeated, the other must not."""

import base64
import http.client
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, Self
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from amierules.diagnostics import printable
from amierules.ports.deadlines import Deadline, connected, hurried, secured
from amierules.ports.taking import NotTaken, Refused, Unsure, server_name

USER_AGENT = "amierules"


class Dialled(NamedTuple):
    """A connection, what is asked of it, and the headers that its proxy wants."""

    connection: http.client.HTTPConnection
    target: str
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Dialler:
    """Makes connections from this host, through a proxy where one is given. Certificates are always checked."""

    timeout: float = 10
    """Seconds for making a connection, and then for each wait."""
    proxy: str | None = None
    """The address of a proxy, `http://[user:password@]host[:port]`."""
    ca_file: Path | None = None
    """Certificates that are trusted, instead of the system's."""

    def dial(self, url: str, deadline: Deadline | None = None) -> Dialled:
        """A connection to the server of an address, made within the timeout. Raises `NotTaken` where none is made,
        `Refused` for an address that cannot be used.

        Under a deadline it is made, and used, until then.
        """
        try:
            dialled = self._dialled(urlsplit(url))
        except (ValueError, OSError) as error:
            raise Refused(f"the address cannot be used: {printable(error)}") from None
        connection = self._connected(urlsplit(url), deadline or Deadline(self.timeout))
        connection.settimeout(self.timeout)
        dialled.connection.sock = connection if deadline is None else hurried(connection, deadline)
        return dialled

    def through(self, proxy: str | None) -> Self:
        """The same through a proxy, or through none."""
        return replace(self, proxy=proxy)

    def _dialled(self, parts: SplitResult) -> Dialled:
        """A connection that is not made yet. Raises `ValueError`, `OSError`."""
        if not parts.geturl().isascii() or not parts.geturl().isprintable() or " " in parts.geturl():
            raise ValueError("it has characters that no address has")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("it must begin with http:// or https://, and name a host")
        target = urlunsplit(("", "", parts.path or "/", parts.query, ""))
        proxy = urlsplit(self.proxy) if self.proxy else None
        if proxy is not None and (proxy.scheme != "http" or not proxy.hostname or proxy.port == 0):
            raise ValueError("its proxy must begin with http://, and name a host")
        connection: http.client.HTTPConnection
        if parts.scheme == "http":
            connection = http.client.HTTPConnection(parts.hostname, parts.port)
            target = urlunsplit(("http", parts.netloc, *urlsplit(target)[2:])) if proxy else target
        else:
            connection = http.client.HTTPSConnection(parts.hostname, parts.port, context=self._context)
        # Who connects by itself knows no proxy.
        connection.auto_open = 0
        return Dialled(connection, target, _authorization(proxy) if proxy and parts.scheme == "http" else {})

    def _connected(self, parts: SplitResult, deadline: Deadline) -> socket.socket:
        """A connection that is ready for requests. Raises `NotTaken`."""
        host, port = server = _server(parts)
        proxy = urlsplit(self.proxy) if self.proxy else None
        first = _server(proxy) if proxy else server
        with _told(first):
            connection = connected(*first, deadline)
        if parts.scheme == "http":
            return connection
        with _told(server):
            if proxy:
                _tunnel(connection, f"[{host}]:{port}" if ":" in host else f"{host}:{port}", proxy, deadline)
            return secured(connection, self._context, host, deadline)

    @cached_property
    def _context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.ca_file)


def servers(url: str, proxy: str | None) -> frozenset[str]:
    """The servers, as `NotTaken.away` names them, without which nothing gets to an address. Raises `ValueError`."""
    return frozenset(server_name(*_server(urlsplit(one))) for one in (url, proxy) if one)


def _server(parts: SplitResult) -> tuple[str, int]:
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


@contextmanager
def _told(server: tuple[str, int]) -> Iterator[None]:
    """Within it an error says that this server lets nobody in."""
    try:
        yield
    except (OSError, http.client.HTTPException, UnicodeError) as error:
        raise NotTaken(f"no connection: {said(error)}", away=server_name(*server)) from None


def _tunnel(connection: socket.socket, authority: str, proxy: SplitResult, deadline: Deadline) -> None:
    """Has the proxy connect us with a server (RFC 9110, 9.3.6); where it does not, the connection is closed."""
    head = {"Host": authority, "User-Agent": USER_AGENT, **_authorization(proxy)}
    lines = [f"CONNECT {authority} HTTP/1.1", *(f"{name}: {value}" for name, value in head.items()), "", ""]
    through = hurried(connection, deadline)
    try:
        through.sendall("\r\n".join(lines).encode("ascii"))
        answer = http.client.HTTPResponse(through, method="CONNECT")
        try:
            answer.begin()
        finally:
            answer.close()
        if not 200 <= answer.status < 300:
            raise OSError(f"Tunnel connection failed: {answer.status} {answer.reason}".strip())
    except (OSError, http.client.HTTPException):
        connection.close()
        raise


def _authorization(proxy: SplitResult) -> dict[str, str]:
    if proxy.username is None:
        return {}
    both = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": "Basic " + base64.b64encode(both.encode()).decode()}


def ask(
    connection: http.client.HTTPConnection, method: str, target: str, headers: Mapping[str, str], body: bytes | None
) -> http.client.HTTPResponse:
    """The answer to a request, its body not read yet.

    Raises `Refused` for headers that cannot be sent, `Unsure` where the request was sent, at least in part, and no
    answer came.
    """
    if not all(value.isascii() and value.isprintable() for value in headers.values()):
        raise Refused("a header has characters that no header has")
    try:
        connection.request(method, target, body, {"User-Agent": USER_AGENT, **headers})
        return connection.getresponse()
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Unsure(f"no answer: {said(error)}") from None


def said(error: Exception) -> str:
    """What an error of a connection says, for people."""
    return printable(getattr(error, "strerror", None) or str(error) or type(error).__name__)
