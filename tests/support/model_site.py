"""A small site that answers all packets as the protocol wants it, in memory, and a central database beside it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from amierules.ports.clock import FixedClock
from amierules.tgcdb.central import Central, Submitted, Taken
from amierules.tgcdb.listing import Wanted, list_packets
from amierules.tgcdb.report import Report, make_report
from amierules.tgcdb.scenarios import scenarios
from amierules.tgcdb.store import Store

SITE = "TestSite"
RESOURCES = ("alpha.site.example", "beta.site.example")
COMPLETE = "inform_transaction_complete"
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
DONE = {"StatusCode": "Success", "DetailCode": "1", "Message": "OK"}

Reply = tuple[str, dict[str, Any]]


def refused(why: str) -> Reply:
    return COMPLETE, {"StatusCode": "Failure", "DetailCode": "2", "Message": why}


@dataclass
class ModelSite:
    """What a site knows, and its answer to each packet; None where it waits."""

    persons: dict[str, tuple[str, str]] = field(default_factory=dict)
    """PersonID and login by GlobalID."""
    projects: dict[str, str] = field(default_factory=dict)
    ended: set[tuple[str, str]] = field(default_factory=set)
    """Grants and resources whose request_project_create has ended."""
    here: set[tuple[str, str]] = field(default_factory=set)
    dns: dict[str, list[str]] = field(default_factory=dict)
    records: dict[str, Reply] = field(default_factory=dict)
    opened: dict[int, dict[str, Any]] = field(default_factory=dict)

    def answer(self, packet: dict[str, Any]) -> Reply | None:
        body = packet["body"]
        self.opened.setdefault(packet["header"]["trans_rec_id"], packet)
        made = getattr(self, f"_{packet['type']}", None)
        if made is None:
            return COMPLETE, dict(DONE)
        reply: Reply | None = made(body, packet["header"])
        return reply

    def _request_project_create(self, body: dict[str, Any], header: dict[str, Any]) -> Reply:
        place = (body["GrantNumber"], body["ResourceList"][0])
        record = body.get("RecordID")
        if record in self.records:
            return self.records[record]
        taken_away = body["AllocationType"] in ("transfer", "adjustment") and body["ServiceUnitsAllocated"][0] == "-"
        if (taken_away or body["AllocationType"] == "extension") and place not in self.here:
            return refused("there is no such allocation")
        self.here.add(place)
        person_id, login, dns = self._person("Pi", body)
        reply = "notify_project_create", {
            **{tag: body[tag] for tag in ("GrantNumber", "PfosNumber", "ResourceList")},
            "ProjectID": self.projects.setdefault(body["GrantNumber"], f"P-{body['GrantNumber']}"),
            "PiPersonID": person_id,
            "PiRemoteSiteLogin": login,
            "PiDnList": dns,
        }  # fmt: skip
        if record:
            self.records[record] = reply
        return reply

    def _request_account_create(self, body: dict[str, Any], header: dict[str, Any]) -> Reply | None:
        if (body["GrantNumber"], body["ResourceList"][0]) not in self.ended:
            return None
        person_id, login, dns = self._person("User", body)
        return "notify_account_create", {
            **{tag: body[tag] for tag in ("ResourceList", "UserOrgCode")},
            "ProjectID": self.projects[body["GrantNumber"]],
            "UserPersonID": person_id,
            "UserRemoteSiteLogin": login,
            "UserDnList": dns,
            "AccountActivityTime": "2026-03-02T12:00:00Z",
        }

    def _data_project_create(self, body: dict[str, Any], header: dict[str, Any]) -> Reply:
        first = self.opened[header["trans_rec_id"]]["body"]
        if "ResourceList" in first:
            self.ended.add((first["GrantNumber"], first["ResourceList"][0]))
        return COMPLETE, dict(DONE)

    def _request_project_inactivate(self, body: dict[str, Any], header: dict[str, Any]) -> Reply:
        return "notify_project_inactivate", {tag: body[tag] for tag in ("ProjectID", "ResourceList")}

    def _request_project_reactivate(self, body: dict[str, Any], header: dict[str, Any]) -> Reply:
        return "notify_project_reactivate", {tag: body[tag] for tag in ("ProjectID", "ResourceList")}

    def _request_account_inactivate(self, body: dict[str, Any], header: dict[str, Any]) -> Reply:
        return "notify_account_inactivate", {tag: body[tag] for tag in ("ProjectID", "ResourceList", "PersonID")}

    def _request_account_reactivate(self, body: dict[str, Any], header: dict[str, Any]) -> Reply:
        return "notify_account_reactivate", {tag: body[tag] for tag in ("ProjectID", "ResourceList", "PersonID")}

    def _request_user_modify(self, body: dict[str, Any], header: dict[str, Any]) -> Reply:
        (person,) = (one for one, (person_id, _) in self.persons.items() if person_id == body["PersonID"])
        given = body.get("DnList", [])
        kept = self.dns[person]
        self.dns[person] = [dn for dn in kept if dn not in given] if body["ActionType"] == "delete" else [*kept, *given]
        return COMPLETE, dict(DONE)

    def _request_person_merge(self, body: dict[str, Any], header: dict[str, Any]) -> Reply:
        keep, delete = body["KeepGlobalID"], body["DeleteGlobalID"]
        self.dns[keep] += self.dns[delete]
        self.persons[delete] = self.persons[keep]
        return COMPLETE, dict(DONE)

    def _person(self, prefix: str, body: dict[str, Any]) -> tuple[str, str, list[str]]:
        person = body[f"{prefix}GlobalID"]
        number = str(7000 + len(self.persons))
        person_id, login = self.persons.setdefault(person, (number, f"u{number}"))
        held = self.dns.setdefault(person, [])
        held += [dn for dn in body.get(f"{prefix}DnList", []) if dn not in held]
        return person_id, login, list(held)


Spoil = Callable[[dict[str, Any], str, dict[str, Any]], Reply | None]
"""What a site makes of a reply before it is sent: the packet, the reply's type and body; None withholds it."""


@dataclass
class Table:
    """A central database and a model site at one table."""

    central: Central
    clock: FixedClock
    site: ModelSite = field(default_factory=ModelSite)
    lenient: bool = False

    def waiting(self) -> list[dict[str, Any]]:
        with self.central.store.begin() as connection:
            return [one for one in list_packets(connection, SITE, Wanted()) if one["header"]["outgoing_flag"]]  # type: ignore[index]

    def send(self, packet_rec_id: int | None, type_name: str, body: dict[str, Any], **more: Any) -> Taken:
        return self.central.take(SITE, Submitted(type_name, body, packet_rec_id, lenient=self.lenient, **more))

    def play(self, scenario: str, spoil: Spoil | None = None) -> Report:
        """Plays a scenario until nothing moves any more."""
        steps = scenarios()[scenario].steps_on(RESOURCES)
        run_id = self.central.agenda.begin(SITE, scenario, steps, 1, RESOURCES)
        self.until_quiet(spoil)
        return make_report(self.central.store, SITE, self.clock.now(), run_id=run_id)

    def until_quiet(self, spoil: Spoil | None = None) -> None:
        spoilt: set[int] = set()
        answered: set[int] = set()
        moving = True
        while moving:
            moving = False
            for packet in self.waiting():
                number = packet["header"]["packet_rec_id"]
                if packet["type"] == COMPLETE or number in answered:
                    continue
                reply = self.site.answer(packet)
                if reply is None:
                    continue
                if spoil is not None and number not in spoilt:
                    spoilt.add(number)
                    wrong = spoil(packet, reply[0], dict(reply[1]))
                    if wrong is not None and wrong != reply:
                        moving = True
                        if self.send(number, *wrong).packet_rec_id is not None:
                            answered.add(number)
                        continue
                if self.send(number, *reply).packet_rec_id is not None:
                    answered.add(number)
                    moving = True


def a_table(*, lenient: bool = False) -> Table:
    clock = FixedClock(NOW)
    return Table(Central(Store.open(None, NOW), clock), clock, lenient=lenient)
