"""Single requests to other services: what carries messages."""

import http.client
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from amierules.ports.deadlines import Deadline
from amierules.ports.http_connections import Dialler, ask

_KEPT = 2000
"""Bytes of an answer that are read."""


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
class DirectHttp(Dialler):
    """Sends requests from this host, each over a connection of its own; the environment is not asked for a proxy.

    The timeout is that of a whole request, from the connection to the end of the answer.
    """

    def send(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """As `Http.send`."""
        connection, target, added = self.dial(url, Deadline(self.timeout))
        try:
            with ask(connection, method, target, {**headers, **added}, body) as response:
                return Answer(response.status, _beginning(response))
        finally:
            connection.close()

    def reach(self, url: str) -> None:
        """As `Http.reach`."""
        self.dial(url).connection.close()


def _beginning(response: http.client.HTTPResponse) -> str:
    try:
        return response.read(_KEPT).decode("utf-8", "replace")
    except (OSError, http.client.HTTPException):
        return ""
