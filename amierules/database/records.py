"""What our own records add to packets: the packet answered before under the same RecordID, and remote ids."""

from collections.abc import Collection, Iterator, Sequence

from sqlalchemy import Connection, select

from amierules.database import own_tables
from amierules.database.amie_tables import STATE_IDS, data_tbl, packet_tbl, type_des
from amierules.database.made import Made
from amierules.database.one_of import one_of
from amierules.database.packets import read_packets
from amierules.protocol.packet import Header, Packet


def record_reply(
    connection: Connection, record_id: str, header: Header, site_name: str
) -> tuple[Packet, Packet] | None:
    """The newest other completed packet of this type with this RecordID, and the reply that it got.

    A reply that says Failure does not count, nor does a packet whose reply nobody recorded. None where there is none.
    """
    for packet_rec_id, trans_rec_id in _same_record(connection, record_id, header):
        in_transaction = select(packet_tbl.c.packet_rec_id).where(packet_tbl.c.trans_rec_id == trans_rec_id)
        stored = read_packets(connection, list(connection.scalars(in_transaction)), site_name)
        replies = [
            one.packet
            for one in sorted(stored.values(), key=lambda one: one.packet.header.packet_id)
            if one.packet.header.outgoing and one.in_reply_to in (packet_rec_id, None)
        ]
        if replies and replies[0].body.get("StatusCode") != "Failure":
            return stored[packet_rec_id].packet, replies[0]
    return None


def recorded(connection: Connection, record_ids: Collection[str]) -> set[str]:
    """Those of these RecordIDs that a completed incoming packet has."""
    if not record_ids:
        return set()
    return {value for (value,) in _RECORDED.rows(connection, values=record_ids)}


_RECORDED = Made(
    select(data_tbl.c.value)
    .join(packet_tbl, data_tbl.c.packet_rec_id == packet_tbl.c.packet_rec_id)
    .where(data_tbl.c.tag == "RecordID", one_of(data_tbl.c.value, "values"))
    .where(packet_tbl.c.outgoing_flag == 0, packet_tbl.c.state_id == STATE_IDS["completed"])
)


def _same_record(connection: Connection, record_id: str, header: Header) -> Iterator[tuple[int, int]]:
    """(packet_rec_id, trans_rec_id), the newest first."""
    query = (
        select(packet_tbl.c.packet_rec_id, packet_tbl.c.trans_rec_id)
        .join(data_tbl, data_tbl.c.packet_rec_id == packet_tbl.c.packet_rec_id)
        .join(type_des, type_des.c.type_id == packet_tbl.c.type_id)
        .where(data_tbl.c.tag == "RecordID", data_tbl.c.value == record_id)
        .where(packet_tbl.c.outgoing_flag == 0, packet_tbl.c.state_id == STATE_IDS["completed"])
        .where(type_des.c.type_name == header.type, packet_tbl.c.packet_rec_id != header.packet_rec_id)
        .order_by(packet_tbl.c.ts.desc(), packet_tbl.c.packet_rec_id.desc())
    )
    yield from ((packet_rec_id, trans_rec_id) for packet_rec_id, trans_rec_id in connection.execute(query))


def remote_ids(connection: Connection, ids: Sequence[int]) -> dict[int, int]:
    """The remote packet_rec_ids of local ones, as far as they are known."""
    found: dict[int, int] = {}
    for start in range(0, len(ids), 1000):
        columns = own_tables.packet.c
        query = select(columns.packet_rec_id, columns.remote_packet_rec_id).where(
            columns.packet_rec_id.in_(ids[start : start + 1000]), columns.remote_packet_rec_id.is_not(None)
        )
        found |= {local: remote for local, remote in connection.execute(query) if remote is not None}
    return found
