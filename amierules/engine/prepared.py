"""Packets that a worker is about to try, with all that their passes may look at, read for many at once."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from amierules.database import approvals, journal, order, packets, work
from amierules.database.intake import Needs
from amierules.database.journal import StepRow
from amierules.database.lookups import looking
from amierules.database.order import Blocker
from amierules.database.packets import StoredPacket
from amierules.database.records import recorded
from amierules.database.registry import RegistryView
from amierules.database.registry_seed import seeds
from amierules.database.work import WORKABLE, WorkItem
from amierules.engine.cases import case_of, record_of
from amierules.engine.keys import PacketKeys, named, packet_keys
from amierules.engine.packet_case import PacketCase
from amierules.engine.site import Site


@dataclass(frozen=True)
class Looked:
    """A packet with all that a pass over it may look at, as it was when it was read."""

    case: PacketCase
    keys: PacketKeys
    view: RegistryView
    steps: dict[str, StepRow]
    why_not: str | None
    """Why AMIE's tables say that it is not to be worked on."""

    def brought_by(self) -> tuple[int, ...] | None:
        """The request_project_create that brought the packet's project to the packet's resource, which has to be
        complete; () where it came otherwise, None where it is not there."""
        return _brought_by(self.view, self.keys)


@dataclass(frozen=True)
class Prepared(Looked):
    """A packet that a worker may try."""

    item: WorkItem
    stored_keys: frozenset[str]
    """The keys that other packets know this one by."""
    blocker: Blocker | None
    """What it must wait for."""


def prepare(site: Site, ids: Collection[int]) -> dict[int, Prepared | None]:
    """Those of these packets that are there, in order of arrival, in one consistent state of the database; None for one
    that nobody is to work on any more.

    The number of statements does not grow with that of the packets, as far as they are alike. Raises `Unavailable`.
    """
    if not ids:
        return {}
    with looking(site.database) as connection:
        found, stored_keys = work.these(connection, ids)
        items = {item.packet_rec_id: item for item in found if item.status in WORKABLE}
        over: dict[int, Prepared | None] = {item.packet_rec_id: None for item in found if item.status not in WORKABLE}
        if not items:
            return over
        looked = look(connection, site, items, {number: item.trans_rec_id for number, item in items.items()})
        wanted = {number: (items[number], one.keys) for number, one in looked.items()}
        blockers = _blockers(connection, wanted, {number: one.view for number, one in looked.items()})
    return over | {
        number: Prepared(**vars(one), item=items[number], stored_keys=stored_keys[number], blocker=blockers.get(number))
        for number, one in looked.items()
    }


def look(
    connection: Connection, site: Site, items: Mapping[int, WorkItem], transactions: Mapping[int, int]
) -> dict[int, Looked]:
    """Those packets that are there, of which `transactions` has the trans_rec_id, and `items` the work row if there is
    one; in their order, with a number of statements that does not grow with theirs.
    """
    read = packets.read_transactions(connection, set(transactions.values()), site.name)
    everything = {one.packet.header.packet_rec_id: one for found in read.values() for one in found}
    there = {number: found for number in transactions if (found := everything.get(number)) is not None}
    views = _views(connection, site, there)
    why_not = _why_not(connection, there)
    # Who never was anybody's has neither steps nor approvals.
    tried = [number for number in there if number in items and items[number].fence]
    steps = journal.steps_of(connection, tried) if tried else {}
    given = approvals.approved_rules_of(connection, tried) if tried else {}
    cases = _cases(connection, site, there, items, read, given)
    return {
        number: Looked(
            case=cases[number],
            keys=packet_keys(stored.packet, views[number]),
            view=views[number],
            steps=steps.get(number, {}),
            why_not=why_not.get(number),
        )
        for number, stored in there.items()
    }


def needs(connection: Connection, site: Site, stored: Sequence[StoredPacket]) -> list[Needs]:
    """What packets need, in their order, with a number of statements that does not grow with theirs."""
    views = _views(connection, site, dict(enumerate(stored)))
    return [packet_keys(one.packet, views[number]).needs for number, one in enumerate(stored)]


def _views(connection: Connection, site: Site, stored: Mapping[int, StoredPacket]) -> dict[int, RegistryView]:
    known = seeds(connection, [named(one.packet) for one in stored.values()])
    return {number: RegistryView(site.database.read, seed) for number, seed in zip(stored, known, strict=True)}


def _blockers(
    connection: Connection, wanted: Mapping[int, tuple[WorkItem, PacketKeys]], views: Mapping[int, RegistryView]
) -> dict[int, Blocker]:
    found = {}
    for number in order.may_be_blocked(connection, [(item, keys.keys) for item, keys in wanted.values()]):
        blocker = blocker_of(connection, *wanted[number], views[number])
        if blocker is not None:
            found[number] = blocker
    return found


def blocker_of(connection: Connection, item: WorkItem, keys: PacketKeys, view: RegistryView) -> Blocker | None:
    """What the packet must wait for now."""
    return order.blocker(connection, item, keys.keys, brought_by=_brought_by(view, keys))


def _brought_by(view: RegistryView, keys: PacketKeys) -> tuple[int, ...] | None:
    project = view.find_project(grant_number=keys.grant_number) if keys.grant_number else None
    presence = view.presence(project.key, keys.resource) if project and keys.resource else None
    if presence is None:
        return None
    return () if presence.brought_by is None else (presence.brought_by,)


def _why_not(connection: Connection, there: Mapping[int, StoredPacket]) -> dict[int, str]:
    headers = {number: stored.packet.header for number, stored in there.items()}
    dependent = packets.dependent(connection, {header.trans_rec_id or 0 for header in headers.values()})
    doubtful = [
        number
        for number, header in headers.items()
        if not packets.is_in_progress(header) or header.trans_rec_id in dependent
    ]
    reasons = {number: packets.why_not_eligible(connection, number) for number in doubtful}
    return {number: reason for number, reason in reasons.items() if reason is not None}


def _cases(
    connection: Connection,
    site: Site,
    there: Mapping[int, StoredPacket],
    items: Mapping[int, WorkItem],
    of_transaction: Mapping[int, list[StoredPacket]],
    given: Mapping[int, Mapping[str, approvals.Approval]],
) -> dict[int, PacketCase]:
    now = site.world.clock.now()
    found = {number: stored.packet.body.get("RecordID") for number, stored in there.items()}
    record_ids = {number: one for number, one in found.items() if isinstance(one, str)}
    known = recorded(connection, set(record_ids.values()))
    return {
        number: case_of(
            stored,
            of_transaction[stored.packet.header.trans_rec_id or 0],
            items.get(number),
            now,
            record=record_of(connection, site, stored) if record_ids.get(number) in known else None,
            approvals=given.get(number, {}),
        )
        for number, stored in there.items()
    }
