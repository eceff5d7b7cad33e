"""A packet that comes again: a duplicate, or a newer copy in place of one that has failed."""

from datetime import datetime

from sqlalchemy import Connection, delete, exists, select, update

from amierules.database import events, own_tables, posts
from amierules.database.amie_tables import STATE_IDS, data_tbl, expected_reply_tbl, packet_tbl, transaction_tbl
from amierules.database.exchange_tables import client_state
from amierules.database.own_tables import approval, step, work, work_key
from amierules.database.schema import OURS
from amierules.protocol.packet import IN_PROGRESS, Header

_WHO = "intake"
_FORGOTTEN = (data_tbl, expected_reply_tbl, own_tables.packet, client_state, step, approval, work_key, work)


def replaces(connection: Connection, packet_rec_id: int, header: Header) -> bool:
    """Whether a packet that comes again is to take the place of the stored one.

    It does where the stored one has failed and the other one is newer (Implementing AMIE, 2012, on resent packets): by
    the remote site's key, which grows, or by its time stamp.
    """
    ours = own_tables.packet.c
    query = (
        select(packet_tbl.c.state_id, packet_tbl.c.ts, ours.remote_packet_rec_id)
        .outerjoin(own_tables.packet, ours.packet_rec_id == packet_tbl.c.packet_rec_id)
        .where(packet_tbl.c.packet_rec_id == packet_rec_id)
        .with_for_update(of=packet_tbl, key_share=True)
    )
    stored = connection.execute(query).one_or_none()
    if stored is None or stored.state_id != STATE_IDS["failed"] or header.packet_state != IN_PROGRESS:
        return False
    old, new = stored.remote_packet_rec_id, header.remote_packet_rec_id
    if old is not None and new is not None and old != new:
        return bool(new > old)
    return bool(header.timestamp > stored.ts)


def make_room(connection: Connection, packet_rec_id: int, header: Header, type_id: int, now: datetime) -> None:
    """Makes the row of a failed packet that of its newer copy, in progress, without content and work row.

    What its actions did is forgotten, as with a packet that comes for the first time.
    """
    values = {"type_id": type_id, "state_id": STATE_IDS[IN_PROGRESS], "ts": header.timestamp}
    connection.execute(update(packet_tbl).where(packet_tbl.c.packet_rec_id == packet_rec_id).values(values))
    for table in _FORGOTTEN:
        connection.execute(delete(table).where(table.c.packet_rec_id == packet_rec_id))
    _reopen(connection, packet_rec_id)
    posts.drop_replies_to(connection, packet_rec_id, "the packet was resent before it was sent", now)
    events.add(connection, packet_rec_id, _WHO, "resent", "a newer copy takes the place of the failed one", now)


def _reopen(connection: Connection, packet_rec_id: int) -> None:
    """The transaction that the packet's failure has ended goes on, where its state is ours to say."""
    of_it = select(packet_tbl.c.trans_rec_id).where(packet_tbl.c.packet_rec_id == packet_rec_id).scalar_subquery()
    owned = exists().where(own_tables.meta.c.name == "amie_tables", own_tables.meta.c.value == OURS)
    connection.execute(
        update(transaction_tbl)
        .where(transaction_tbl.c.trans_rec_id == of_it, transaction_tbl.c.state_id == STATE_IDS["failed"], owned)
        .values(state_id=STATE_IDS[IN_PROGRESS])
    )
