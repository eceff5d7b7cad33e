"""The REST API of a remote site: its addresses, and what stands in its answers.

Addresses and fields: AMIE Client API Routes Overview, 2021, and the official client amieclient.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from amierules.engine.packet_names import Secrets
from amierules.ports import Clock
from amierules.ports.http_connections import Dialler
from amierules.ports.json_service import JsonService, Patience
from amierules.ports.taking import Refused
from amierules.protocol.json_form import Side, packets_in
from amierules.protocol.json_text import JsonObject
from amierules.rulebook.configuration import Configuration
from amierules.rulebook.exchange_section import RestServer
from amierules.templating import Secret

_ALL_STATES = "in-progress,completed,failed"
PATIENCE = Patience(attempts=4, first=0.5, longest=10)
_LARGEST_KEY = 2**63 - 1
_APART = timedelta(minutes=1)
"""So far apart may the server's time stamps and its clock be."""
_UNKNOWN = timedelta(hours=1)
"""So far may its clock be behind ours where it does not tell."""


class Listed(NamedTuple):
    """The packets that a server lists, each as it stands there, and the server's time of day."""

    packets: list[Any]
    at: datetime | None


class Keys(NamedTuple):
    """The keys that a packet has at the server, as far as they are known."""

    packet_rec_id: int | None = None
    trans_rec_id: int | None = None

    @classmethod
    def of(cls, element: object) -> "Keys":
        """Those in a packet's header."""
        return cls(key_in(element, "packet_rec_id"), key_in(element, "trans_rec_id"))


@dataclass
class Remote:
    """One server, for one thread at a time. All calls raise `SendingFault` as `JsonService.call` does."""

    server: RestServer
    service: JsonService = field(repr=False)
    clock: Clock
    ahead: timedelta | None = None
    """How far the server's clock is ahead of ours; None before its first answer with a time."""

    @classmethod
    def of(
        cls, server: RestServer, configuration: Configuration, clock: Clock, patience: Patience = PATIENCE
    ) -> "Remote":
        """The server of a configuration."""

        def headers() -> Mapping[str, str | Secret]:
            key = server.api_key.evaluate({"secret": Secrets(configuration.secrets)})
            return {"XA-SITE": server.site, "XA-API-KEY": key if isinstance(key, Secret) else Secret(str(key))}

        dialler = Dialler(server.timeout, server.proxy, server.ca_file)
        deadline = server.timeout * 10
        return cls(server, JsonService(server.url, headers, dialler, deadline=deadline, patience=patience), clock)

    def side(self, configuration: Configuration, now: datetime) -> Side:
        """Whose packets the server has."""
        other_name = self.server.site if self.server.site != configuration.site_name else None
        return Side(configuration.site_name, self.server.remote_site_names, other_name, now)

    def listed(self, since: datetime | None = None) -> Listed:
        """The packets that have changed since a moment by the server's clock, or without one those in progress."""
        query = {} if since is None else {"update_time": f"{since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ},"}
        answer = self.service.call("GET", ["packets", self.server.site], query=query)
        if answer.date is not None:
            self.ahead = answer.date - self.clock.now()
        return Listed(packets_in(answer.data), answer.date)

    def listed_since(self, moment: datetime) -> list[Any]:
        """The packets in any state that have changed since a moment by our clock (aware)."""
        ahead = -_UNKNOWN if self.ahead is None else self.ahead
        since = (moment + ahead - _APART).astimezone(UTC)
        query = {"update_time": f"{since:%Y-%m-%dT%H:%M:%SZ},", "states": _ALL_STATES}
        return packets_in(self.service.call("GET", ["packets", self.server.site], query=query).data)

    def packet(self, key: int) -> Any:
        """One packet by its packet_rec_id there; None where there is none."""
        return self._one(["packets", self.server.site, key])

    def transaction_packets(self, key: int) -> list[Any]:
        """The packets of a transaction by its trans_rec_id there; none where there is none."""
        found = self._one(["transactions", self.server.site, key, "packets"])
        listed = found.get("DATA") if isinstance(found, dict) and "DATA" in found else found
        return listed if isinstance(listed, list) else [] if listed is None else [listed]

    def send(self, packet: Mapping[str, Any]) -> Keys:
        """Posts a packet, in AMIE's JSON form; returns its keys, as far as the answer tells them.

        It is never posted again by itself where it may have been taken.
        """
        answer = self.service.call("POST", ["packets", self.server.site], body=packet)
        return next(map(Keys.of, packets_in(answer.data)), Keys())

    def tell_state(self, key: int, state: str) -> None:
        """Sets the `client_state` of a packet."""
        self.service.call("PUT", ["packets", self.server.site, key, "client_state", state], may_be_empty=True)

    def _one(self, path: list[str | int]) -> Any:
        try:
            data = self.service.call("GET", path).data
        except Refused as fault:
            if fault.status == 404:
                return None
            raise
        return data["result"] if isinstance(data, dict) and "result" in data and "header" not in data else data


def header_of(element: object) -> Mapping[str, Any]:
    """The header of a packet as it stands in an answer; empty where it has none."""
    header = element.get("header") if isinstance(element, JsonObject) else None
    return header if isinstance(header, JsonObject) else {}


def key_in(element: object, field: str) -> int | None:
    """A key in the header of a packet as it stands in an answer; None where there is none that can be one."""
    value = header_of(element).get(field)
    text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    if not (text.isascii() and text.isdigit()) or len(text) > 19 or int(text) > _LARGEST_KEY:
        return None
    return int(text)


def state_in(element: object, field: str) -> str | None:
    """A state in the header of a packet as it stands in an answer; None where it says none."""
    value = header_of(element).get(field)
    return value.replace("_", "-") if isinstance(value, str) and value else None
