"""Packets that could do harm: hostile values, dealt out over the tags of all types."""

import random
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from amierules.protocol.catalogue import Tag, TagKind, catalogue
from tests.support.amie_json import ALPHA, dac, dpc, itc, packet_json, rac, rai, rar, rpc, rpi, rpm, rpr, rum
from tests.support.hostile import VALUES

Packet = dict[str, Any]

GRANTS = ("XYZ259276", "G1", "G2", "G3", "G4")
_NEW, _KNOWN = 12, 30
"""Each so many packets there is a new grant, and the newest ones are spoken of: packets about the same one wait for
each other, and each is dearer the more accounts it has."""
UNUSED = tuple(one.name for one in catalogue().types.values() if one.direction == "unused")
_TEXTS = tuple(value for value in VALUES if value)
_KEYS = frozenset(
    {
        "GrantNumber", "ProjectID", "ResourceList", "AllocationType", "ActionType", "StatusCode", "PersonID",
        "PiPersonID", "PiGlobalID", "UserPersonID", "UserGlobalID", "KeepPersonID", "DeletePersonID", "KeepGlobalID",
        "DeleteGlobalID", "RecordID", "GlobalID",
    }
)  # fmt: skip
"""Tags that decide what a packet is about: mostly left alone, lest no packet comes to anything."""
_READ = frozenset({TagKind.DECIMAL, TagKind.DATE, TagKind.DATETIME})
_SELDOM = 20
"""One key in so many is hostile."""
_MERGES, _SHOWN = 25, 32


@dataclass
class Dealt:
    """Which pairs have come up."""

    packets: int = 0
    tags: set[tuple[str, str]] = field(default_factory=set)
    """(value, tag)."""
    types: set[tuple[str, str]] = field(default_factory=set)
    """(value, packet type)."""
    values: set[str] = field(default_factory=set)

    def __str__(self) -> str:
        pairs = f"{len(self.tags)} pairs of value and tag, {len(self.types)} of value and type"
        return f"{self.packets} packets: {len(self.values)} of {len(_TEXTS)} values, {pairs}"


class HostileTraffic:
    """Packets of all types about few projects and ever new persons. The same seed deals the same values."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._decks: dict[str, list[str]] = defaultdict(list)
        self._open: list[Packet] = []
        self._made = 0
        self._grants = [*GRANTS]
        self._confirmed: Packet | None = None
        self.dealt = Dealt()

    def packet(self) -> Packet:
        """The next one."""
        makers: list[tuple[int, Callable[[], Packet]]] = [
            (4, self._project), (9, self._account), (16, self._modify), (6, self._data), (3, self._on_project),
            (5, self._of_account), (1, self._merge), (4, self._end), (2, self._unused),
        ]  # fmt: skip
        self._made += 1
        if self._confirmed is not None:
            packet, self._confirmed = self._data_of(self._confirmed, "20000"), None
        elif self._made % _NEW:
            packet = self._random.choices([make for _, make in makers], [weight for weight, _ in makers])[0]()
        else:
            self._grants = [*self._grants[1 - _KNOWN :], f"H{self._made}"]
            packet = self._project("new", self._grants[-1])
            # Accounts wait until the other side has the project, too.
            self._confirmed = self._open.pop()
        self.dealt.packets += 1
        return packet

    def _project(self, kind: str = "", grant: str = "") -> Packet:
        body = {
            "AllocationType": kind or self._random.choice(["new", "new", "renewal", "supplement", "extension"]),
            "GrantNumber": grant or self._random.choice(self._grants),
            "RecordID": f"H-{self._made}",
            "PiGlobalID": self._someone(),
        }
        return self._opened(self._hostile(rpc(body), tame=("AllocationType", "GrantNumber", "PiGlobalID")))

    def _account(self) -> Packet:
        body = {"GrantNumber": self._random.choice(self._grants), "UserGlobalID": self._someone()}
        return self._opened(self._hostile(rac(body), tame=("GrantNumber", "UserGlobalID")))

    def _modify(self) -> Packet:
        action = self._random.choice(["replace", "replace", "add", "delete"])
        return self._hostile(rum({"PersonID": self._person(), "ActionType": action}), tame=("PersonID", "ActionType"))

    def _data(self) -> Packet:
        if not self._open:
            return self._account()
        return self._data_of(self._open.pop(self._random.randrange(len(self._open))), self._person())

    def _data_of(self, request: Packet, person: str) -> Packet:
        ids = {name: request["header"][name] for name in ("transaction_id", "trans_rec_id")}
        make = dpc if request["type"] == "request_project_create" else dac
        return self._hostile(make({"PersonID": person}, **ids, packet_id=3), tame=("PersonID",))

    def _on_project(self) -> Packet:
        make = self._random.choice([rpi, rpr, rpr])
        return self._hostile(make({"ProjectID": f"P-{self._random.choice(self._grants)}"}), tame=("ProjectID",))

    def _of_account(self) -> Packet:
        make = self._random.choice([rai, rar, rar])
        body = {"PersonID": self._person(), "ProjectID": f"P-{self._random.choice(self._grants)}"}
        return self._hostile(make(body), tame=("PersonID", "ProjectID"))

    def _merge(self) -> Packet:
        keep, old = self._random.sample(range(20000, 20000 + _MERGES), 2)
        body = {"KeepPersonID": str(keep), "DeletePersonID": str(old), "KeepGlobalID": None, "DeleteGlobalID": None}
        return self._hostile(rpm(body), tame=("KeepPersonID", "DeletePersonID"))

    def _end(self) -> Packet:
        return self._hostile(itc({"StatusCode": self._random.choice(["Success", "Failure"])}), tame=("StatusCode",))

    def _unused(self) -> Packet:
        return self._hostile(packet_json(self._random.choice(UNUSED), {"ResourceList": [ALPHA]}))

    def _opened(self, packet: Packet) -> Packet:
        self._open.append(packet)
        return packet

    def _someone(self) -> str:
        """Somebody new, or somebody who was here."""
        return str(self._made if self._random.random() < 0.5 else self._random.randrange(1, self._made + 1))

    def _person(self) -> str:
        return str(20000 + self._random.randrange(1 + self._made // 5))

    def _hostile(self, packet: Packet, tame: tuple[str, ...] = ()) -> Packet:
        """The packet with hostile values in about half of its type's tags, and in one that nobody knows."""
        body = packet["body"]
        for tag in catalogue().types[packet["type"]].tags():
            chance = 1 / _SELDOM if tag.name in _KEYS or tag.name in tame or tag.kind in _READ else 0.5
            if self._random.random() < chance:
                body[tag.name] = self._given(packet["type"], tag)
        if self._random.random() < 0.2:
            name = self._deal(packet["type"], "a tag's name")[:_SHOWN]
            body[name] = self._deal(packet["type"], "an unknown tag")
        return packet

    def _given(self, packet_type: str, tag: Tag) -> Any:
        if tag.subtags:
            one = {subtag: self._deal(packet_type, f"{tag.name}.{subtag}") for subtag in tag.subtags}
            if tag.name == "SitePersonId" and self._random.random() < 0.7:
                one["Site"] = "X-PORTAL"
            return [one] if tag.is_list else one
        if tag.is_list:
            return [self._deal(packet_type, tag.name) for _ in range(self._random.choice([1, 1, 2]))]
        return self._deal(packet_type, tag.name)

    def _deal(self, packet_type: str, place: str) -> str:
        """The next value of the place's own deck, in which each comes once."""
        deck = self._decks[place]
        if not deck:
            deck += self._random.sample(_TEXTS, len(_TEXTS))
        value = deck.pop()
        self.dealt.tags.add((value, place))
        self.dealt.types.add((value, packet_type))
        self.dealt.values.add(value)
        return value


def ordinary() -> list[Packet]:
    """Packets that bring a project of each grant, and two persons: what the hostile ones are about."""
    projects = [rpc({"GrantNumber": grant}) for grant in GRANTS]
    return [*projects, *map(confirmed, projects), rac({}), *(rac({"GrantNumber": grant}) for grant in GRANTS[1:])]


def confirmed(project: Packet) -> Packet:
    """The data_project_create by which the other side has the project, too: accounts wait for it."""
    ids = {name: project["header"][name] for name in ("transaction_id", "trans_rec_id")}
    return dpc({"PersonID": "20000"}, **ids, packet_id=3)
