"""Connections to HTTP servers. The standard library's client, since it alone tells a connection that was never made
from a request that was sent: the one may be repeated, the other must not."""

import base64
import http.client
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, Self
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from amierules.diagnostics import printable
from amierules.ports.taking import NotTaken, Refused, Unsure

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
    """Seconds for each wait: the connection, and each part of the answer."""
    proxy: str | None = None
    """The address of a proxy, `http://[user:password@]host[:port]`."""
    ca_file: Path | None = None
    """Certificates that are trusted, instead of the system's."""

    def dial(self, url: str) -> Dialled:
        """A connection to the server of an address. Raises `NotTaken` where none is made, `Refused` for an address
        that cannot be used.
        """
        try:
            dialled = self._dialled(urlsplit(url))
        except (ValueError, OSError) as error:
            raise Refused(f"the address cannot be used: {printable(error)}") from None
        try:
            dialled.connection.connect()
        except (OSError, http.client.HTTPException, UnicodeError) as error:
            dialled.connection.close()
            raise NotTaken(f"no connection: {said(error)}") from None
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
        if proxy is not None and proxy.scheme != "http":
            raise ValueError("its proxy must begin with http://")
        authorization = _authorization(proxy) if proxy else {}
        host, port = (proxy.hostname or "", proxy.port) if proxy else (parts.hostname, parts.port)
        if parts.scheme == "http":
            plain = http.client.HTTPConnection(host, port, timeout=self.timeout)
            target = urlunsplit(("http", parts.netloc, *urlsplit(target)[2:])) if proxy else target
            return Dialled(plain, target, authorization)
        secure = http.client.HTTPSConnection(
            host, port or (80 if proxy else 443), timeout=self.timeout, context=self._context
        )
        if proxy:
            secure.set_tunnel(parts.hostname, parts.port or 443, dict(authorization))
        return Dialled(secure, target, {})

    @cached_property
    def _context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.ca_file)


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
