"""Answering a packet: the reply, the end of the packet that it answers, and the end of the transaction."""

from datetime import datetime
from typing import Literal

from sqlalchemy import Connection, insert, select, update

from amierules.database import own_tables
from amierules.database.amie_tables import STATE_IDS, STATE_NAMES, packet_tbl, transaction_tbl
from amierules.database.packet_rows import NewPacket, insert_content, insert_packet, type_ids
from amierules.protocol.catalogue import catalogue
from amierules.protocol.packet import IN_PROGRESS, Body, Packet

FinalState = Literal["completed", "failed"]

_COMPLETE = "inform_transaction_complete"
_OPEN_TRANSACTION = (STATE_IDS[IN_PROGRESS], STATE_IDS["on-hold"], STATE_IDS["x-pending"])


class NoLongerInProgress(Exception):
    """Somebody else has ended the packet or its transaction, or has removed it; the message says which."""


def write_reply(
    connection: Connection,
    *,
    to: Packet,
    type_name: str,
    body: Body,
    now: datetime,
    owns_tables: bool,
    incoming_state: FinalState,
) -> int:
    """Writes the reply to a stored incoming packet and ends that packet; returns the reply's packet_rec_id.

    The reply is an outgoing packet in progress, which AMIE (or our exchange) sends. Where the AMIE tables are ours
    (`owns_tables`), an inform_transaction_complete ends the transaction as its StatusCode says, and is itself
    completed: nothing answers it. `now` is aware. Raises `NoLongerInProgress`; `ValueError` for a packet that is not
    stored and a type that `type_des` does not know. Nothing is committed.
    """
    packet_rec_id, trans_rec_id = _stored_ids(to)
    _lock(connection, packet_rec_id)
    ends = type_name == _COMPLETE and owns_tables
    reply_rec_id = _insert_reply(connection, trans_rec_id, type_name, body, "completed" if ends else IN_PROGRESS, now)
    row = {
        "packet_rec_id": reply_rec_id,
        "remote_site_name": to.header.remote_site_name,
        "in_reply_to": packet_rec_id,
        "stored_at": now,
    }
    connection.execute(insert(own_tables.packet), [row])
    _set_packet_state(connection, packet_rec_id, incoming_state)
    if ends:
        _end_transaction(connection, trans_rec_id, "failed" if body.get("StatusCode") == "Failure" else "completed")
    return reply_rec_id


def _insert_reply(
    connection: Connection, trans_rec_id: int, type_name: str, body: Body, state: str, now: datetime
) -> int:
    replies = catalogue().types[type_name].expected_replies
    known = type_ids(connection, [type_name, *(reply.type for reply in replies)])
    if type_name not in known:
        raise ValueError(f"the packet type {type_name} is unknown to this database")
    packet_id = _next_packet_id(connection, trans_rec_id)
    new = NewPacket(trans_rec_id, packet_id, known[type_name], state=state, outgoing=True, ts=now)
    reply_rec_id = insert_packet(connection, new)
    if reply_rec_id is None:
        raise NoLongerInProgress("another reply was written at the same time")
    insert_content(connection, reply_rec_id, body, replies, known)
    return reply_rec_id


def close_incoming(
    connection: Connection,
    packet: Packet,
    state: FinalState,
    *,
    owns_tables: bool,
    transaction_state: FinalState | None,
) -> None:
    """Ends a stored incoming packet without a reply, and its transaction if `transaction_state` says how.

    The transaction is left alone where the AMIE tables are not ours. Raises `NoLongerInProgress`; `ValueError` for a
    packet that is not stored. Nothing is committed.
    """
    packet_rec_id, trans_rec_id = _stored_ids(packet)
    _lock(connection, packet_rec_id)
    _set_packet_state(connection, packet_rec_id, state)
    if owns_tables and transaction_state is not None:
        _end_transaction(connection, trans_rec_id, transaction_state)


def _stored_ids(packet: Packet) -> tuple[int, int]:
    header = packet.header
    if header.packet_rec_id is None or header.trans_rec_id is None or header.outgoing:
        raise ValueError("only a stored incoming packet can be answered or closed")
    return header.packet_rec_id, header.trans_rec_id


def _lock(connection: Connection, packet_rec_id: int) -> None:
    # SQLite has no row locks: there the transaction itself is the only writer. Foreign keys to these rows stay free.
    statement = (
        select(packet_tbl.c.state_id, transaction_tbl.c.state_id.label("transaction_state_id"))
        .join_from(packet_tbl, transaction_tbl)
        .where(packet_tbl.c.packet_rec_id == packet_rec_id)
        .with_for_update(key_share=True)
    )
    row = connection.execute(statement).one_or_none()
    if row is None:
        raise NoLongerInProgress("the packet is no longer in the database")
    if row.state_id != STATE_IDS[IN_PROGRESS]:
        raise NoLongerInProgress(f"the packet is {STATE_NAMES.get(row.state_id, 'in an unknown state')}")
    if row.transaction_state_id not in _OPEN_TRANSACTION:
        state = STATE_NAMES.get(row.transaction_state_id, "in an unknown state")
        raise NoLongerInProgress(f"the packet's transaction is {state}")


def _next_packet_id(connection: Connection, trans_rec_id: int) -> int:
    # Not max(): these numbers are texts in SQLite.
    statement = select(packet_tbl.c.packet_id).where(
        packet_tbl.c.trans_rec_id == trans_rec_id, packet_tbl.c.outgoing_flag == 1
    )
    return max(connection.execute(statement).scalars(), default=0) + 1


def _set_packet_state(connection: Connection, packet_rec_id: int, state: FinalState) -> None:
    connection.execute(
        update(packet_tbl).where(packet_tbl.c.packet_rec_id == packet_rec_id).values(state_id=STATE_IDS[state])
    )


def _end_transaction(connection: Connection, trans_rec_id: int, state: FinalState) -> None:
    connection.execute(
        update(transaction_tbl).where(transaction_tbl.c.trans_rec_id == trans_rec_id).values(state_id=STATE_IDS[state])
    )
    # What we sent and nobody answered ends with its transaction.
    connection.execute(
        update(packet_tbl)
        .where(packet_tbl.c.trans_rec_id == trans_rec_id, packet_tbl.c.outgoing_flag == 1)
        .where(packet_tbl.c.state_id == STATE_IDS[IN_PROGRESS])
        .values(state_id=STATE_IDS[state])
    )
