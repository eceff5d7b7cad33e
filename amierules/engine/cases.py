"""Reading a packet's case from the database: its transaction, its record, its approvals."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from amierules.database import approvals, packets
from amierules.database.packets import StoredPacket
from amierules.database.records import record_reply
from amierules.database.work import WorkItem
from amierules.engine.packet_case import Approval, PacketCase, Pinned, Record
from amierules.engine.site import Site
from amierules.protocol.packet import Packet


def read_case(
    connection: Connection, site: Site, stored: StoredPacket, item: WorkItem | None, now: datetime
) -> PacketCase:
    """All that a pass over a stored packet may look at."""
    header = stored.packet.header
    return case_of(
        stored,
        packets.transaction_packets(connection, header.trans_rec_id or 0, site.name),
        item,
        now,
        record=record_of(connection, site, stored),
        approvals=approvals.approved_rules(connection, header.packet_rec_id or 0) if item else {},
    )


def case_of(
    stored: StoredPacket,
    transaction: Sequence[StoredPacket],
    item: WorkItem | None,
    now: datetime,
    *,
    record: Record | None,
    approvals: Mapping[str, approvals.Approval],
) -> PacketCase:
    """The case of a packet from what was read; one that has begun keeps the `now` of its first pass."""
    pinned: Mapping[str, Any] = (item.pinned if item and item.begun else None) or {}
    return PacketCase(
        packet=stored.packet,
        now=datetime.fromisoformat(pinned["now"]) if "now" in pinned else now.replace(microsecond=0),
        problems=stored.problems,
        earlier=[one.packet for one in transaction if _was_there(one.packet, stored.packet)],
        record=record,
        approvals={rule: Approval(one.by, one.reason, one.answers) for rule, one in approvals.items()},
        first_deferred_at=item.first_deferred_at if item else None,
        remembered_rule=pinned.get("rule"),
        pinned=_pinned(pinned) if "rows" in pinned else None,
    )


def _pinned(kept: Mapping[str, Any]) -> Pinned:
    return Pinned(kept["rows"], kept["site"], kept["vars"], kept.get("approval"))


def _was_there(other: Packet, packet: Packet) -> bool:
    """Whether another packet of the transaction came before this one; what we sent did, whatever the clocks say."""
    if other.header.packet_rec_id == packet.header.packet_rec_id:
        return False
    return other.header.outgoing or _moment(other) < _moment(packet)


def _moment(packet: Packet) -> tuple[datetime, int]:
    return packet.header.timestamp, packet.header.packet_rec_id or 0


def record_of(connection: Connection, site: Site, stored: StoredPacket) -> Record | None:
    """The newest finished packet with the packet's RecordID, as rules see it."""
    record_id = stored.packet.body.get("RecordID")
    if not isinstance(record_id, str):
        return None
    found = record_reply(connection, record_id, stored.packet.header, site.name)
    return None if found is None else Record(found[0], found[1].body)
