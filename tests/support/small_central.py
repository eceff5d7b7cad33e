"""A small central database behind a real HTTP server: it has packets, takes replies once, and goes wrong when told."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.support.json_server import JsonServer, Request, Say, json_server

KEY = "k3y-of-the-site"
SITE = "TestSite"

NEXT = {"notify_project_create": "data_project_create", "notify_account_create": "data_account_create"}
"""What the central database sends when it has got one of these."""


@dataclass
class Central:
    """Packets as the REST API shows them, written from the central database's side, by packet_rec_id."""

    packets: dict[int, dict[str, Any]] = field(default_factory=dict)
    taken: list[dict[str, Any]] = field(default_factory=list)
    """What was posted and taken, in this order."""
    twice: list[dict[str, Any]] = field(default_factory=list)
    """What was posted in answer to a packet that had its answer: never right."""
    states: dict[int, list[str]] = field(default_factory=dict)
    """The `client_state` that packets were given, by packet_rec_id."""
    fault: Callable[[Request], Say | None] = lambda request: None
    """What goes wrong with a request instead."""
    lose: Callable[[Request], Say | None] = lambda request: None
    """What is answered instead of the truth, once the request is done."""
    goes_on: bool = True
    """Whether the next packet of a transaction follows a reply."""
    tells_keys: bool = True
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _last: int = 100

    def add(self, type_: str, body: dict[str, Any], **header: Any) -> int:
        """A packet to the site, of a transaction of its own unless the header says otherwise; its packet_rec_id."""
        with self._lock:
            return self._add(type_, body, to_site=True, **header)

    def _add(self, type_: str, body: dict[str, Any], *, to_site: bool, **header: Any) -> int:
        self._last += 1
        number = self._last
        trans = header.get("trans_rec_id", number)
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        within = [one for one in self.packets.values() if one["header"]["trans_rec_id"] == trans]
        same_way = [one for one in within if one["header"]["outgoing_flag"] == int(to_site)]
        self.packets[number] = {
            "DATA_TYPE": "Packet",
            "type": type_,
            "header": {
                "packet_rec_id": number,
                "trans_rec_id": trans,
                "packet_id": len(same_way) + 1,
                "transaction_id": trans + 5000,
                "originating_site_name": "TGCDB",
                "local_site_name": "TGCDB",
                "remote_site_name": SITE,
                "outgoing_flag": int(to_site),
                "packet_state": "in-progress",
                "transaction_state": "in-progress",
                "packet_timestamp": now,
                "client_state": None,
                "in_reply_to": None,
                "updated": now,
                **header,
            },
            "body": body,
        }
        return number

    def touch(self, *keys: int) -> None:
        """Lets packets have been changed now."""
        for key in keys:
            self.packets[key]["header"]["updated"] = datetime.now(UTC).isoformat()

    def answer(self, request: Request) -> Say:
        """What the API answers to a request."""
        with self._lock:
            if (wrong := self.fault(request)) is not None:
                return wrong
            if request.headers.get("XA-SITE") != SITE or request.headers.get("XA-API-KEY") != KEY:
                return Say(401, {"message": "wrong key", "result": None})
            said = self._done(request)
            return self.lose(request) or said

    def _done(self, request: Request) -> Say:
        parts = urlsplit(request.path)
        path = [unquote(part) for part in parts.path.removeprefix("/api/").split("/")]
        if path[:2] == ["packets", SITE] and len(path) == 2:
            if request.method == "POST":
                return self._take(json.loads(request.body))
            return _result([self.shown(one) for one in self._listed(parse_qs(parts.query))])
        number = int(path[2]) if len(path) > 2 and path[2].isdigit() else 0
        if path[0] == "transactions" and path[3:] == ["packets"]:
            within = [one for one in self.packets.values() if one["header"]["trans_rec_id"] == number]
            data = {"DATA_TYPE": "Transaction", "DATA": [self.shown(one) for one in within]}
            return _result(data) if within else Say(404, {"message": "no such transaction"})
        if number not in self.packets:
            return Say(404, {"message": "no such packet", "result": None})
        if request.method == "PUT" and path[3] == "client_state":
            self.states.setdefault(number, []).append(path[4])
            return Say(200, body=b"")
        return _result(self.shown(self.packets[number]))

    def shown(self, packet: dict[str, Any]) -> dict[str, Any]:
        """A packet as the API shows it."""
        return {**packet, "header": {key: value for key, value in packet["header"].items() if key != "updated"}}

    def _listed(self, query: dict[str, list[str]]) -> list[dict[str, Any]]:
        since = query.get("update_time", [","])[0].partition(",")[0]
        listed = list(self.packets.values())
        if "states" in query:
            states = query["states"][0].split(",")
            listed = [one for one in listed if one["header"]["packet_state"] in states]
        if not query:
            return [one for one in listed if one["header"]["packet_state"] == "in-progress"]
        moment = datetime.fromisoformat(since) if since else None
        return [one for one in listed if not moment or datetime.fromisoformat(one["header"]["updated"]) >= moment]

    def _take(self, sent: dict[str, Any]) -> Say:
        key = sent["header"].get("in_reply_to")
        if key is None:
            number = self._add(sent["type"], sent["body"], to_site=False, originating_site_name=SITE)
        else:
            if key not in self.packets:
                return Say(400, {"message": f"there is no packet {key}"})
            to = self.packets[key]["header"]
            if to["packet_state"] != "in-progress":
                self.twice.append(sent)
                return Say(400, {"message": f"packet {key} is {to['packet_state']}"})
            to["packet_state"], to["updated"] = "completed", datetime.now(UTC).isoformat()
            same = {name: to[name] for name in ("trans_rec_id", "transaction_id", "originating_site_name")}
            number = self._add(sent["type"], sent["body"], to_site=False, in_reply_to=key, **same)
            if self.goes_on and sent["type"] in NEXT:
                person = sent["body"].get("PiPersonID") or sent["body"].get("UserPersonID")
                body = {"PersonID": person, "ProjectID": sent["body"].get("ProjectID")}
                self._add(NEXT[sent["type"]], body, to_site=True, **same)
        self.taken.append(sent)
        packet = self.shown(self.packets[number])
        return _result(packet if self.tells_keys else None)


def _result(data: object) -> Say:
    return Say(200, {"message": None, "result": data})


@contextmanager
def central_server() -> Iterator[tuple[JsonServer, Central]]:
    """A central database without packets, and its server."""
    central = Central()
    with json_server() as server:
        server.script = central.answer
        yield server, central
