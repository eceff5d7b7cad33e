"""A real REST front of the test central database on a free port, and calls as a site makes them."""

import http.client
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from amierules.ports import SystemClock
from amierules.ports.clock import Clock
from amierules.tgcdb.central import Central
from amierules.tgcdb.faults import FaultPlan, Faults
from amierules.tgcdb.report import Report, make_report
from amierules.tgcdb.rest import RestFront
from amierules.tgcdb.rest_server import RestServer
from amierules.tgcdb.store import Store
from tests.support.model_site import RESOURCES, SITE

KEY = "a-key"


@dataclass(frozen=True)
class Answer:
    """What a call brought."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def result(self) -> Any:
        return json.loads(self.text)["result"]

    @property
    def message(self) -> str:
        return str(json.loads(self.text)["message"])


@dataclass(frozen=True)
class RestCentral:
    """The front, its address, and the central database behind it."""

    url: str
    central: Central
    faults: Faults
    site: str = SITE
    key: str = KEY

    def call(
        self, method: str, path: str, body: object = None, *, headers: dict[str, str] | None = None, **query: Any
    ) -> Answer:
        """One call on a connection of its own, with the right headers unless others are given."""
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=60)
        sent = {"XA-SITE": self.site, "XA-API-KEY": self.key} if headers is None else headers
        data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        try:
            connection.request(method, f"/{path}" + (f"?{urlencode(query)}" if query else ""), data, sent)
            response = connection.getresponse()
            return Answer(response.status, dict(response.getheaders()), response.read().decode())
        finally:
            connection.close()

    def waiting(self) -> list[dict[str, Any]]:
        listed = self.call("GET", f"packets/{self.site}").result
        return [one for one in listed if one["header"]["outgoing_flag"] == 1]

    def reply(self, packet: dict[str, Any], type_name: str, body: dict[str, Any]) -> Answer:
        number = packet["header"]["packet_rec_id"]
        return self.call("POST", f"packets/{self.site}/{number}/reply", {"type": type_name, "header": {}, "body": body})

    def report(self) -> Report:
        return make_report(self.central.store, self.site, self.central.clock.now())


@contextmanager
def rest_central(
    plan: FaultPlan | None = None, *, file: Path | None = None, clock: Clock | None = None
) -> Iterator[RestCentral]:
    clock = clock or SystemClock()
    with Store.open(file, clock.now()) as store:
        central = Central(store, clock)
        faults = Faults(plan or FaultPlan())
        with RestServer(RestFront(central, {SITE: KEY}, RESOURCES, 1, faults)) as server:
            yield RestCentral(server.url, central, faults)
