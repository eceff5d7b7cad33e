"""Packets as a central database might send them over years, about few projects and persons, so that they meet."""

import random
from collections.abc import Callable, Mapping
from typing import Any

from tests.support.amie_json import dac, dpc, itc, rac, rai, rar, rpc, rpi, rpm, rpr, rum

Packet = dict[str, Any]

TYPES = ("new", "renewal", "extension", "supplement", "transfer", "advance", "adjustment")
ADDING = frozenset({"supplement", "transfer", "advance", "adjustment"})
_GRANTS = ("G1", "G2", "G3")
_IDS = ("20000", "20001", "20002", "20003", "20004")
"""What persons are called here, in the order in which they come."""
_RARELY = 12
"""One in so many is about something that nobody knows."""


class Traffic:
    """Packets of all types, about `resources` and now and then about others.

    The same seed gives the same packets, but for their numbers.
    """

    def __init__(self, seed: int, resources: tuple[str, ...]) -> None:
        self._random = random.Random(seed)
        self._resources = resources
        self._sent: list[Packet] = []
        self._open: list[Packet] = []
        """Requests whose transaction the other side has not ended."""

    def packet(self) -> Packet:
        """The next one."""
        made: list[tuple[int, Callable[[], Packet]]] = [
            (6, self._project), (8, self._account), (3, self._on_project), (3, self._of_account), (4, self._modify),
            (4, self._data), (1, self._merge), (1, itc), (2, self._repeated),
        ]  # fmt: skip
        weights = [weight for weight, _ in made]
        chosen = self._random.choices([one for _, one in made], weights)[0]
        packet = chosen() if self._sent else self._project()
        self._sent.append(packet)
        if packet["type"] in ("request_project_create", "request_account_create"):
            self._open.append(packet)
        return packet

    def _one_of(self, *values: Any) -> Any:
        return self._random.choice(values)

    def _grant(self) -> str:
        return str(self._one_of(*_GRANTS[: 1 + len(self._sent) // 6]))

    def _person(self) -> str:
        return "nobody" if self._rarely() else str(self._one_of(*_IDS[: 1 + len(self._sent) // 4]))

    def _rarely(self) -> bool:
        return self._random.randrange(_RARELY) == 0

    def _place(self) -> dict[str, Any]:
        return {"ProjectID": f"P-{self._grant()}", "ResourceList": self._resource()}

    def _resource(self) -> list[str]:
        return ["elsewhere"] if self._rarely() else [self._one_of(*self._resources)]

    def _someone(self, prefix: str) -> dict[str, Any]:
        number = self._one_of(1, 2, 3, 4, 5, 6, 7)
        return {
            f"{prefix}GlobalID": str(number),
            f"{prefix}PersonID": self._person() if self._rarely() else None,
            f"{prefix}FirstName": self._one_of("Ann", "Zoë", "-x", "$(id)"),
            f"{prefix}MiddleName": self._one_of(None, "Q.", "van: der"),
            f"{prefix}LastName": f"Name{number}",
            f"{prefix}RequestedLoginList": self._one_of([f"user{number}"], ["user"], [], ["9", "root"]),
            f"{prefix}DnList": self._one_of(None, [f"/C=US/CN=Name{number}"], ["/CN=a", f"/CN=b {number}"]),
        }

    def _project(self) -> Packet:
        body = {
            "AllocationType": "gift" if self._rarely() else self._one_of(*TYPES, "new", "new", "new"),
            "GrantNumber": self._grant(),
            "ResourceList": self._resource(),
            "ServiceUnitsAllocated": self._one_of("100", "100", "500", "-5" if self._rarely() else "50", "0", "7.25"),
            "StartDate": self._one_of("2026-02-01", "2026-02-01", "2026-08-01"),
            "EndDate": self._one_of("2027-01-31", "2027-06-30"),
            "ProjectTitle": self._one_of("Examples at scale", "Münster"),
            "RecordID": self._one_of(None, *(f"R{self._random.random()}" for _ in range(3))),
        }
        return rpc({**body, **self._someone("Pi")})

    def _account(self) -> Packet:
        return rac({"GrantNumber": self._grant(), "ResourceList": self._resource(), **self._someone("User")})

    def _on_project(self) -> Packet:
        made: Callable[[Mapping[str, Any]], Packet] = self._one_of(rpi, rpr, rpr)
        return made(self._place())

    def _of_account(self) -> Packet:
        made: Callable[[Mapping[str, Any]], Packet] = self._one_of(rai, rai, rar)
        return made({"PersonID": self._person(), **self._place()})

    def _modify(self) -> Packet:
        tags = {
            "ActionType": "odd" if self._rarely() else self._one_of("add", "replace", "replace", "delete"),
            "FirstName": self._one_of("New", "Ann", None),
            "LastName": self._one_of("Newer", "Name1"),
            "City": self._one_of("Springfield", None),
            "DnList": self._one_of(None, ["/CN=a", "/CN=c"], [f"/C=US/CN=Name{self._one_of(1, 2, 3)}"]),
        }
        return rum({"PersonID": self._person(), **tags})

    def _data(self) -> Packet:
        """The end of a transaction that was begun with a request, or of one that nobody knows."""
        body = {"PersonID": self._person(), "DnList": [f"/CN=d{self._one_of(1, 2)}"]}
        if not self._open:
            return dac({**body, "ProjectID": f"P-{self._grant()}"})
        request = self._open.pop(self._random.randrange(len(self._open)))
        ids = {name: request["header"][name] for name in ("transaction_id", "trans_rec_id")}
        made = dpc if request["type"] == "request_project_create" else dac
        return made({**body, "ProjectID": f"P-{request['body']['GrantNumber']}"}, **ids, packet_id=3)

    def _merge(self) -> Packet:
        keep, old = self._random.sample(_IDS, 2)
        return rpm({"KeepPersonID": keep, "DeletePersonID": old, "KeepGlobalID": None, "DeleteGlobalID": None})

    def _repeated(self) -> Packet:
        """One that came before, in a transaction of its own."""
        before = self._one_of(*self._sent) if self._sent else self._project()
        return again(before)


def again(packet: Packet) -> Packet:
    """What the packet says, said anew."""
    fresh = itc()
    return {**packet, "header": fresh["header"]}
