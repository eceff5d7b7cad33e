"""Packets that a worker is about to try, with all that their passes may look at, read for many at once."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from amierules.database import approvals, journal, order, packets, work
from amierules.database.journal import StepRow
from amierules.database.order import Blocker
from amierules.database.packets import StoredPacket
from amierules.database.records import recorded
from amierules.database.registry import RegistryView
from amierules.database.registry_seed import seeds
from amierules.database.work import WorkItem
from amierules.engine.cases import case_of, record_of
from amierules.engine.keys import PacketKeys, named, packet_keys
from amierules.engine.packet_case import PacketCase
from amierules.engine.site import Site


@dataclass(frozen=True)
class Prepared:
    """A packet as it was when it was read."""

    item: WorkItem
    case: PacketCase
    keys: PacketKeys
    stored_keys: frozenset[str]
    """The keys that other packets know this one by."""
    view: RegistryView
    steps: dict[str, StepRow]
    why_not: str | None
    """Why AMIE's tables say that it is not to be worked on."""
    blocker: Blocker | None
    """What it must wait for."""


def prepare(site: Site, ids: Collection[int]) -> dict[int, Prepared]:
    """Those of these packets that are there, in order of arrival, in one consistent state of the database.

    The number of statements does not grow with that of the packets, as far as they are alike. Raises `Unavailable`.
    """
    with site.database.read() as connection:
        items = {item.packet_rec_id: item for item in work.among(connection, ids)}
        read = packets.read_transactions(connection, {item.trans_rec_id for item in items.values()}, site.name)
        of_transaction = {item.packet_rec_id: read[item.trans_rec_id] for item in items.values()}
        stored = {
            one.packet.header.packet_rec_id: one for transaction in of_transaction.values() for one in transaction
        }
        there = {number: (item, found) for number, item in items.items() if (found := stored.get(number)) is not None}
        views = _views(connection, site, {number: found for number, (_, found) in there.items()})
        keys = {number: packet_keys(found.packet, views[number]) for number, (_, found) in there.items()}
        blockers = _blockers(connection, {number: (item, keys[number]) for number, (item, _) in there.items()}, views)
        why_not = _why_not(connection, there)
        steps = journal.steps_of(connection, [number for number, (item, _) in there.items() if item.fence])
        stored_keys = work.keys_of_several(connection, there)
        cases = _cases(connection, site, there, of_transaction)
    return {
        number: Prepared(
            item=item,
            case=cases[number],
            keys=keys[number],
            stored_keys=stored_keys[number],
            view=views[number],
            steps=steps.get(number, {}),
            why_not=why_not.get(number),
            blocker=blockers.get(number),
        )
        for number, (item, _) in there.items()
    }


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
    project = view.find_project(grant_number=keys.grant_number) if keys.grant_number else None
    presence = view.presence(project.key, keys.resource) if project and keys.resource else None
    return order.blocker(connection, item, keys.keys, project_here=presence is not None)


def _why_not(connection: Connection, there: Mapping[int, tuple[WorkItem, StoredPacket]]) -> dict[int, str]:
    dependent = packets.dependent(connection, {item.trans_rec_id for item, _ in there.values()})
    doubtful = [
        number
        for number, (item, stored) in there.items()
        if not packets.is_in_progress(stored.packet.header) or item.trans_rec_id in dependent
    ]
    reasons = {number: packets.why_not_eligible(connection, number) for number in doubtful}
    return {number: reason for number, reason in reasons.items() if reason is not None}


def _cases(
    connection: Connection,
    site: Site,
    there: Mapping[int, tuple[WorkItem, StoredPacket]],
    of_transaction: Mapping[int, list[StoredPacket]],
) -> dict[int, PacketCase]:
    now = site.world.clock.now()
    given = approvals.approved_rules_of(connection, there)
    found = {number: stored.packet.body.get("RecordID") for number, (_, stored) in there.items()}
    record_ids = {number: one for number, one in found.items() if isinstance(one, str)}
    known = recorded(connection, set(record_ids.values()))
    return {
        number: case_of(
            stored,
            of_transaction[number],
            item,
            now,
            record=record_of(connection, site, stored) if record_ids.get(number) in known else None,
            approvals=given.get(number, {}),
        )
        for number, (item, stored) in there.items()
    }
