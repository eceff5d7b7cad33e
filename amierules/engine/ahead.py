"""The packets that a plan has come to before the present one, and which of them it has to wait for."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import NamedTuple

from amierules.database.order import AT_WORK, ENDS_PROJECT, NEEDS_PROJECT, UNDER_WAY
from amierules.database.own_tables import FINAL_STATUSES


class Earlier(NamedTuple):
    """A packet before this one: how many there were before it, and its packet_rec_id if it is in the database."""

    position: int
    packet_rec_id: int | None
    label: str
    """The packet as a person names it."""


@dataclass(frozen=True)
class Stance:
    """What the order of a packet among others depends on, and how it stands once it is planned."""

    type: str
    status: str
    keys: Collection[str]
    transactions: Collection[object]
    """What names its transaction: for others to find it by the first one, and to find others by each."""
    grant_number: str | None = None
    resource: str | None = None
    record_id: str | None = None
    begun: bool = False
    waits_for_another: bool = False

    @property
    def is_under_way(self) -> bool:
        """Whether it blocks all that share a key with it."""
        return self.is_at_work or self.status in UNDER_WAY or (self.status == "waiting" and self.waits_for_another)

    @property
    def is_at_work(self) -> bool:
        """Whether it blocks a data_project_create, too, that shares a key with it."""
        return self.begun or self.status in AT_WORK


@dataclass
class Ahead:
    """Of all packets that one may have to wait for, only the first counts: that is what is kept of each thing that
    two packets may share. What it says is what `order.blocker` asks the database.
    """

    _count: int = 0
    _by_transaction: dict[object, Earlier] = field(default_factory=dict)
    _by_record: dict[tuple[str, str], Earlier] = field(default_factory=dict)
    _by_project: dict[tuple[str, str | None], list[Earlier]] = field(default_factory=dict)
    _by_key: dict[str, Earlier] = field(default_factory=dict)
    _at_work: dict[str, Earlier] = field(default_factory=dict)

    def add(self, one: Stance, packet_rec_id: int | None, label: str) -> None:
        """The next packet in the order of arrival, as it stands once it is planned."""
        if one.status in FINAL_STATUSES:
            return
        this = Earlier(self._count, packet_rec_id, label)
        self._count += 1
        for transaction in list(one.transactions)[:1]:
            self._by_transaction.setdefault(transaction, this)
        if one.record_id is not None:
            self._by_record.setdefault((one.type, one.record_id), this)
        if one.type == "request_project_create" and one.grant_number is not None:
            self._by_project.setdefault((one.grant_number, one.resource), []).append(this)
        for blocks, by_key in ((one.is_under_way, self._by_key), (one.is_at_work, self._at_work)):
            for key in one.keys if blocks else ():
                by_key.setdefault(key, this)

    def blocker(self, one: Stance, *, brought_by: Collection[int] | None) -> Earlier | None:
        """The first packet that this one has to wait for."""
        found = [self._by_transaction.get(transaction) for transaction in one.transactions]
        by_key = self._at_work if one.type == ENDS_PROJECT else self._by_key
        found += [by_key.get(key) for key in one.keys]
        if one.record_id is not None:
            found.append(self._by_record.get((one.type, one.record_id)))
        if one.type == NEEDS_PROJECT and one.grant_number is not None:
            projects = self._by_project.get((one.grant_number, one.resource), [])
            found += [project for project in projects if brought_by is None or project.packet_rec_id in brought_by]
        return min(filter(None, found), default=None)
