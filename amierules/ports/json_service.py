"""A service that speaks JSON over HTTP: what it was asked, what it answered, and what is known where it did not."""

import http.client
import json
import random
import select
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import getproxies_environment, proxy_bypass

from amierules.ports.http_connections import Dialled, Dialler, ask
from amierules.ports.json_answer import JsonAnswer, judged, read
from amierules.ports.taking import Denied, NotTaken, SendingFault, Unsure
from amierules.ports.time_limit import TimeLimit
from amierules.templating import EvaluationError, Secret

Headers = Callable[[], Mapping[str, str | Secret]]
"""The headers of each request, secrets among them; read anew for each. May raise `EvaluationError`."""

_REPEATABLE = ("GET", "PUT", "DELETE")
_IDLE = 60.0
"""Seconds after which a kept connection is not used again: servers and firewalls drop such ones without a word."""


def _sleep(seconds: float) -> bool:
    time.sleep(seconds)
    return True


@dataclass(frozen=True)
class Patience:
    """How often and when a request is repeated."""

    attempts: int = 4
    first: float = 0.5
    """Seconds until the second attempt, about; each further pause is twice as long."""
    longest: float = 30
    """Seconds that one waits at most; where the other side asks for more, the request has failed."""
    wait: Callable[[float], bool] = _sleep
    """Waits so many seconds; False where nothing shall be repeated any more."""

    def pause(self, attempt: int, fault: SendingFault) -> float | None:
        """Seconds until the next attempt after the one with this number, from 1 on; None where there is none."""
        if attempt >= self.attempts or (fault.retry_after or 0) > self.longest:
            return None
        spread = random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, guards nothing
        return max(min(self.first * 2.0 ** (attempt - 1), self.longest) * spread, fault.retry_after or 0.0)


@dataclass
class JsonService:
    """One service, over a connection that is kept. For one thread at a time.

    Certificates are checked, proxies are those of the environment (`HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`) unless the
    dialler has one, redirects are not followed. No secret of the headers is in any error.
    """

    url: str
    """The address that all paths stand below."""
    headers: Headers = field(default=dict, repr=False)
    dialler: Dialler = field(default_factory=Dialler)
    deadline: float = 300
    """Seconds that one request may take in all, however slowly its answer comes."""
    patience: Patience = field(default_factory=Patience)
    _kept: Dialled | None = field(default=None, repr=False)
    _used: float = 0.0
    _limit: TimeLimit = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._limit = TimeLimit(self.deadline)

    def call(
        self,
        method: str,
        path: Sequence[str | int],
        *,
        query: Mapping[str, str] | None = None,
        body: object = None,
        repeat: bool | None = None,
        may_be_empty: bool = False,
    ) -> JsonAnswer:
        """What the service answers to a request for the address that the parts of `path` make below `url`.

        Parts are escaped. `body` is sent as JSON (bytes are JSON already), None as no body. What the service may have
        taken is asked again where `repeat` says so, by default for GET, PUT and DELETE; what it provably has not taken
        is always. Raises, when no attempt is left: `NotTaken` (no connection, status 429), `Denied` (401, 403, 407),
        `Refused` (an address that cannot be used, any other status below 500 that is no success), `Unsure` (no answer,
        5xx, no JSON).
        """
        again = method in _REPEATABLE if repeat is None else repeat
        try:
            given = dict(self.headers())
        except EvaluationError as error:
            raise Denied(str(error)) from None
        request = _Request(method, _below(path, query or {}), given, body, may_be_empty)
        attempt = 1
        while True:
            try:
                return self._once(request)
            except (NotTaken, Unsure) as fault:
                pause = self.patience.pause(attempt, fault) if again or isinstance(fault, NotTaken) else None
                if pause is None or not self.patience.wait(pause):
                    raise
            attempt += 1

    def reach(self) -> None:
        """Connects, and asks for nothing. Raises `NotTaken`, `Refused`."""
        self.close()
        self._connected()

    def close(self) -> None:
        """Lets the connection go; the next call makes another."""
        kept, self._kept = self._kept, None
        if kept is not None:
            kept.connection.close()

    def _once(self, request: "_Request") -> JsonAnswer:
        try:
            response, text = self._exchanged(request)
            return judged(response, text, request.may_be_empty)
        except SendingFault as fault:
            raise fault.reworded(request.hide(str(fault))) from None

    def _exchanged(self, request: "_Request") -> tuple[http.client.HTTPResponse, bytes]:
        connection, base, added = self._connected()
        # A proxy is asked for whole addresses.
        above = self.url if base.startswith("http:") else urlsplit(self.url).path
        target = f"{above.rstrip('/')}/{request.target}"
        try:
            with self._limit.on(connection.sock):
                response = ask(connection, request.method, target, {**request.sent(), **added}, request.content())
                text = read(response)
        except SendingFault:
            self.close()
            raise
        if response.will_close:
            self.close()
        self._used = time.monotonic()
        return response, text

    def _connected(self) -> Dialled:
        kept = self._kept
        if kept is not None and (_is_dropped(kept.connection) or time.monotonic() - self._used > _IDLE):
            self.close()
        if self._kept is None:
            self._kept = self._proxied().dial(self.url)
            self._used = time.monotonic()
        return self._kept

    def _proxied(self) -> Dialler:
        parts = urlsplit(self.url)
        if self.dialler.proxy is not None or proxy_bypass(parts.hostname or ""):
            return self.dialler
        proxy = getproxies_environment().get(parts.scheme)
        return self.dialler.through(proxy if proxy is None or "://" in proxy else f"http://{proxy}")


@dataclass(frozen=True)
class _Request:
    """What is asked, however often."""

    method: str
    target: str
    headers: Mapping[str, str | Secret]
    body: object
    may_be_empty: bool

    def content(self) -> bytes | None:
        """The body as it is sent."""
        return self.body if self.body is None or isinstance(self.body, bytes) else json.dumps(self.body).encode()

    def sent(self) -> dict[str, str]:
        """The headers as they are sent."""
        sent = {name: value.reveal() if isinstance(value, Secret) else value for name, value in self.headers.items()}
        kind = {} if self.body is None else {"Content-Type": "application/json"}
        return {**sent, "Accept": "application/json", **kind}

    def hide(self, text: str) -> str:
        """The text without the secrets of the headers."""
        for value in self.headers.values():
            text = value.hide(text) if isinstance(value, Secret) else text
        return text


def _is_dropped(connection: http.client.HTTPConnection) -> bool:
    """Whether the other side has said anything unasked: it only does when it ends the connection."""
    return connection.sock is None or bool(select.select([connection.sock], [], [], 0)[0])


def _below(path: Sequence[str | int], query: Mapping[str, str]) -> str:
    named = "/".join(quote(str(part), safe="") for part in path)
    return f"{named}?{urlencode(query)}" if query else named
