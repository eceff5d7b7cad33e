"""What is here already of the packets that a remote site lists, by the keys that it gives them."""

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, exists, select, update

from amierules.database import events, own_tables
from amierules.database.amie_tables import STATE_IDS, STATE_NAMES, packet_tbl, transaction_tbl, type_des
from amierules.database.notices import tell_workers
from amierules.database.own_tables import kept_packet
from amierules.protocol.packet import IN_PROGRESS

_WHO = "exchange"
_CHUNK = 1000


class Known(NamedTuple):
    """A packet that is here; `ts` is aware."""

    packet_rec_id: int
    trans_rec_id: int
    outgoing: bool
    state: str
    transaction_state: str
    ts: datetime


def known_packets(connection: Connection, sites: Collection[str], keys: Collection[int]) -> dict[int, Known]:
    """The packets of these remote sites that are here, by the remote packet_rec_id."""
    ours = own_tables.packet.c
    query = (
        select(
            ours.remote_packet_rec_id,
            packet_tbl.c.packet_rec_id,
            packet_tbl.c.trans_rec_id,
            packet_tbl.c.outgoing_flag,
            packet_tbl.c.state_id,
            transaction_tbl.c.state_id.label("transaction_state_id"),
            packet_tbl.c.ts,
        )
        .join_from(own_tables.packet, packet_tbl, packet_tbl.c.packet_rec_id == ours.packet_rec_id)
        .join(transaction_tbl, transaction_tbl.c.trans_rec_id == packet_tbl.c.trans_rec_id)
        .where(ours.remote_site_name.in_(sites))
    )
    found: dict[int, Known] = {}
    listed = sorted(keys)
    for start in range(0, len(listed), _CHUNK):
        for row in connection.execute(query.where(ours.remote_packet_rec_id.in_(listed[start : start + _CHUNK]))):
            found[row.remote_packet_rec_id] = Known(
                row.packet_rec_id, row.trans_rec_id, bool(row.outgoing_flag),
                STATE_NAMES.get(row.state_id, ""), STATE_NAMES.get(row.transaction_state_id, ""), row.ts,
            )  # fmt: skip
    return found


def kept_keys(connection: Connection, sites: Collection[str]) -> set[int]:
    """The remote packet_rec_ids of the packets of unknown types that are kept."""
    columns = kept_packet.c
    query = select(columns.remote_packet_rec_id).where(columns.remote_site_name.in_(sites))
    return {key for key in connection.scalars(query) if key is not None}


def end_as_remote(connection: Connection, known: Known, state: str, why: str, now: datetime) -> bool:
    """Ends a packet in progress here that has ended at the remote site; whether it still was in progress."""
    still = update(packet_tbl).where(
        packet_tbl.c.packet_rec_id == known.packet_rec_id, packet_tbl.c.state_id == STATE_IDS[IN_PROGRESS]
    )
    if not connection.execute(still.values(state_id=STATE_IDS[state])).rowcount:
        return False
    events.add(connection, known.packet_rec_id, _WHO, f"{state} at the remote site", why, now)
    tell_workers(connection)
    return True


def fail_as_remote(connection: Connection, known: Known, now: datetime) -> bool:
    """Fails a transaction in progress here that has failed at the remote site, with its packets in progress; whether
    it still was in progress. One whose end is told by a packet that waits here is left to that.
    """
    told = exists().where(
        packet_tbl.c.trans_rec_id == known.trans_rec_id,
        packet_tbl.c.outgoing_flag == 0,
        packet_tbl.c.state_id == STATE_IDS[IN_PROGRESS],
        packet_tbl.c.type_id == type_des.c.type_id,
        type_des.c.type_name == "inform_transaction_complete",
    )
    still = update(transaction_tbl).where(
        transaction_tbl.c.trans_rec_id == known.trans_rec_id,
        transaction_tbl.c.state_id == STATE_IDS[IN_PROGRESS],
        ~told,
    )
    if not connection.execute(still.values(state_id=STATE_IDS["failed"])).rowcount:
        return False
    of_it = (packet_tbl.c.trans_rec_id == known.trans_rec_id, packet_tbl.c.state_id == STATE_IDS[IN_PROGRESS])
    connection.execute(update(packet_tbl).where(*of_it).values(state_id=STATE_IDS["failed"]))
    why = "the transaction has failed at the remote site"
    events.add(connection, known.packet_rec_id, _WHO, "failed", why, now)
    tell_workers(connection)
    return True
