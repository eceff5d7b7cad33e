"""Answering a packet: the reply, the end of the packet that it answers, and the end of the transaction."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from sqlalchemy import Connection, bindparam, insert, select, update

from amierules.database import own_tables
from amierules.database.amie_tables import STATE_IDS, STATE_NAMES, packet_tbl, transaction_tbl
from amierules.database.packet_rows import Content, NewPacket, insert_contents, insert_packets, type_ids
from amierules.protocol.catalogue import catalogue
from amierules.protocol.packet import IN_PROGRESS, Body, Packet

FinalState = Literal["completed", "failed"]

_FINAL: tuple[FinalState, ...] = ("completed", "failed")
_COMPLETE = "inform_transaction_complete"
_OPEN_TRANSACTION = (STATE_IDS[IN_PROGRESS], STATE_IDS["on-hold"], STATE_IDS["x-pending"])


class NoLongerInProgress(Exception):
    """Somebody else has ended the packet or its transaction, or has removed it; the message says which."""


@dataclass(frozen=True)
class Answer:
    """How a stored incoming packet ends: by a reply, or, where `type_name` is None, without one.

    Without a reply its transaction ends as `transaction_state` says, or not at all.
    """

    to: Packet
    incoming_state: FinalState
    type_name: str | None = None
    body: Body = field(default_factory=dict)
    transaction_state: FinalState | None = None
    packet_id: int | None = None
    """The reply's number in its transaction, where the caller has read it lately."""


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

    As `write_answers` does.
    """
    answer = Answer(to, incoming_state, type_name, body)
    (reply_rec_id,) = write_answers(connection, [answer], now=now, owns_tables=owns_tables).values()
    return reply_rec_id


def close_incoming(
    connection: Connection,
    packet: Packet,
    state: FinalState,
    *,
    owns_tables: bool,
    transaction_state: FinalState | None,
) -> None:
    """Ends a stored incoming packet without a reply, as `write_answers` does."""
    answer = Answer(packet, state, transaction_state=transaction_state)
    write_answers(connection, [answer], now=packet.header.timestamp, owns_tables=owns_tables)


def write_answers(
    connection: Connection, answers: Sequence[Answer], *, now: datetime, owns_tables: bool
) -> dict[int, int]:
    """Ends incoming packets of different transactions; returns the packet_rec_ids of the replies by those they answer.

    A reply is an outgoing packet in progress, which AMIE (or our exchange) sends. Where the AMIE tables are ours
    (`owns_tables`), an inform_transaction_complete ends the transaction as its StatusCode says, and is itself
    completed: nothing answers it; else transactions are left alone. `now` is aware. Raises `NoLongerInProgress`;
    `ValueError` for a packet that is not stored and a type that `type_des` does not know. Nothing is committed.
    """
    if not answers:
        return {}
    ids = {id(answer): _stored_ids(answer.to) for answer in answers}
    packet_rec_ids = [packet_rec_id for packet_rec_id, _ in ids.values()]
    _lock(connection, packet_rec_ids)
    made = _insert_replies(connection, [answer for answer in answers if answer.type_name], now, owns_tables)
    for state in _FINAL:
        if ended := [ids[id(answer)][0] for answer in answers if answer.incoming_state == state]:
            _set_packet_states(connection, ended, state)
        ends = [ids[id(answer)][1] for answer in answers if _transaction_end(answer) == state]
        if ends and owns_tables:
            _end_transactions(connection, ends, state)
    return made


def _transaction_end(answer: Answer) -> FinalState | None:
    """How an answer ends the transaction where the tables are ours; None where it goes on."""
    if answer.type_name is None:
        return answer.transaction_state
    if answer.type_name != _COMPLETE:
        return None
    return "failed" if answer.body.get("StatusCode") == "Failure" else "completed"


def _insert_replies(
    connection: Connection, answers: Sequence[Answer], now: datetime, owns_tables: bool
) -> dict[int, int]:
    if not answers:
        return {}
    expected = {
        name: catalogue().types[name].expected_replies for name in {answer.type_name or "" for answer in answers}
    }
    known = type_ids(connection, [*expected, *(reply.type for replies in expected.values() for reply in replies)])
    unknown = [name for name in expected if name not in known]
    if unknown:
        raise ValueError(f"the packet type {unknown[0]} is unknown to this database")
    of_transaction = {_stored_ids(answer.to)[1]: answer for answer in answers}
    numbered = {number: answer.packet_id for number, answer in of_transaction.items() if answer.packet_id is not None}
    unnumbered = [trans_rec_id for trans_rec_id in of_transaction if trans_rec_id not in numbered]
    packet_ids = numbered | (_next_packet_ids(connection, unnumbered) if unnumbered else {})
    new = [
        NewPacket(
            trans_rec_id,
            packet_ids[trans_rec_id],
            known[answer.type_name or ""],
            state="completed" if owns_tables and answer.type_name == _COMPLETE else IN_PROGRESS,
            outgoing=True,
            ts=now,
        )
        for trans_rec_id, answer in of_transaction.items()
    ]
    made = insert_packets(connection, new)
    if len(made) < len(answers):
        raise NoLongerInProgress("another reply was written at the same time")
    contents = [
        Content(made[trans_rec_id], answer.body, expected[answer.type_name or ""])
        for trans_rec_id, answer in of_transaction.items()
    ]
    insert_contents(connection, contents, known)
    rows = [
        {
            "packet_rec_id": made[trans_rec_id],
            "remote_site_name": answer.to.header.remote_site_name,
            "in_reply_to": _stored_ids(answer.to)[0],
            "stored_at": now,
        }
        for trans_rec_id, answer in of_transaction.items()
    ]
    connection.execute(insert(own_tables.packet), rows)
    return {_stored_ids(answer.to)[0]: made[trans_rec_id] for trans_rec_id, answer in of_transaction.items()}


def _stored_ids(packet: Packet) -> tuple[int, int]:
    header = packet.header
    if header.packet_rec_id is None or header.trans_rec_id is None or header.outgoing:
        raise ValueError("only a stored incoming packet can be answered or closed")
    return header.packet_rec_id, header.trans_rec_id


# SQLite has no row locks: there the transaction itself is the only writer. Foreign keys to these rows stay free.
_LOCKED = (
    select(packet_tbl.c.packet_rec_id, packet_tbl.c.state_id, transaction_tbl.c.state_id.label("transaction_state_id"))
    .join_from(packet_tbl, transaction_tbl)
    .where(packet_tbl.c.packet_rec_id.in_(bindparam("ids", expanding=True)))
    .order_by(packet_tbl.c.packet_rec_id)
    .with_for_update(key_share=True)
)


def _lock(connection: Connection, packet_rec_ids: Sequence[int]) -> None:
    rows = {row.packet_rec_id: row for row in connection.execute(_LOCKED, {"ids": packet_rec_ids})}
    for packet_rec_id in packet_rec_ids:
        row = rows.get(packet_rec_id)
        if row is None:
            raise NoLongerInProgress("the packet is no longer in the database")
        if row.state_id != STATE_IDS[IN_PROGRESS]:
            raise NoLongerInProgress(f"the packet is {STATE_NAMES.get(row.state_id, 'in an unknown state')}")
        if row.transaction_state_id not in _OPEN_TRANSACTION:
            state = STATE_NAMES.get(row.transaction_state_id, "in an unknown state")
            raise NoLongerInProgress(f"the packet's transaction is {state}")


def _next_packet_ids(connection: Connection, trans_rec_ids: Sequence[int]) -> dict[int, int]:
    # Not max(): these numbers are texts in SQLite.
    statement = select(packet_tbl.c.trans_rec_id, packet_tbl.c.packet_id).where(
        packet_tbl.c.trans_rec_id.in_(trans_rec_ids), packet_tbl.c.outgoing_flag == 1
    )
    following = dict.fromkeys(trans_rec_ids, 1)
    for trans_rec_id, packet_id in connection.execute(statement):
        following[trans_rec_id] = max(following[trans_rec_id], packet_id + 1)
    return following


_WITH_STATE = (
    update(packet_tbl)
    .where(packet_tbl.c.packet_rec_id.in_(bindparam("ids", expanding=True)))
    .values(state_id=bindparam("state"))
)


def _set_packet_states(connection: Connection, packet_rec_ids: Sequence[int], state: FinalState) -> None:
    connection.execute(_WITH_STATE, {"ids": packet_rec_ids, "state": STATE_IDS[state]})


def _end_transactions(connection: Connection, trans_rec_ids: Sequence[int], state: FinalState) -> None:
    connection.execute(
        update(transaction_tbl)
        .where(transaction_tbl.c.trans_rec_id.in_(trans_rec_ids))
        .values(state_id=STATE_IDS[state])
    )
    # What we sent and nobody answered ends with its transaction.
    connection.execute(
        update(packet_tbl)
        .where(packet_tbl.c.trans_rec_id.in_(trans_rec_ids), packet_tbl.c.outgoing_flag == 1)
        .where(packet_tbl.c.state_id == STATE_IDS[IN_PROGRESS])
        .values(state_id=STATE_IDS[state])
    )
