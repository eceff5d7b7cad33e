"""Answering a packet: the reply, the end of the packet that it answers, and the end of the transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from sqlalchemy import Connection, bindparam, insert, select, update

from amierules.database import own_tables
from amierules.database.amie_tables import STATE_IDS, STATE_NAMES, packet_tbl, transaction_tbl
from amierules.database.made import Made
from amierules.database.one_of import one_of
from amierules.database.packet_rows import Content, NewPacket, insert_contents, insert_packets, type_ids
from amierules.protocol.catalogue import catalogue
from amierules.protocol.packet import IN_PROGRESS, Body, Packet

FinalState = Literal["completed", "failed"]

_FINAL: tuple[FinalState, ...] = ("completed", "failed")
_COMPLETE = "inform_transaction_complete"
OPEN_STATES = (STATE_IDS[IN_PROGRESS], STATE_IDS["on-hold"], STATE_IDS["x-pending"])
"""The states of a packet or transaction that is not over."""


ANOTHER_REPLY = "another reply was written at the same time"


class NoLongerInProgress(Exception):
    """Somebody else has ended the packet or its transaction, or has removed it; the message says which."""


class OnHold(NoLongerInProgress):
    """Somebody else keeps the packet from being answered for now; it may go on later."""


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


@dataclass(frozen=True)
class Reply:
    """What becomes the rows of a reply."""

    type_id: int
    state_id: int
    packet_id: int | None
    """Its number in its transaction; None for the next one."""
    remote_site_name: str
    content: Content


@dataclass(frozen=True, eq=False)
class Ended:
    """What an answer writes: the packet that ends, its reply, and how the transaction ends, if it does."""

    packet_rec_id: int
    trans_rec_id: int
    state_id: int
    transaction_state_id: int | None
    reply: Reply | None


def ended_by(connection: Connection, answers: Sequence[Answer], *, owns_tables: bool) -> list[Ended]:
    """What the answers write. Raises `ValueError` as `write_answers` does."""
    expected = {
        name: catalogue().types[name].expected_replies for name in {one.type_name for one in answers if one.type_name}
    }
    known = type_ids(connection, [*expected, *(reply.type for replies in expected.values() for reply in replies)])
    unknown = [name for name in expected if name not in known]
    if unknown:
        raise ValueError(f"the packet type {unknown[0]} is unknown to this database")
    found = []
    for answer in answers:
        packet_rec_id, trans_rec_id = _stored_ids(answer.to)
        reply, name, over = None, answer.type_name, _transaction_end(answer) if owns_tables else None
        if name:
            reply = Reply(
                type_id=known[name],
                state_id=STATE_IDS["completed" if owns_tables and name == _COMPLETE else IN_PROGRESS],
                packet_id=answer.packet_id,
                remote_site_name=answer.to.header.remote_site_name,
                content=Content.of(answer.body, expected[name], known),
            )
        state_id = STATE_IDS[answer.incoming_state]
        found.append(Ended(packet_rec_id, trans_rec_id, state_id, STATE_IDS[over] if over else None, reply))
    return found


def write_answers(
    connection: Connection, answers: Sequence[Answer], *, now: datetime, owns_tables: bool
) -> dict[int, int]:
    """Ends incoming packets of different transactions; returns the packet_rec_ids of the replies by those they answer.

    A reply is an outgoing packet in progress, which AMIE (or our exchange) sends. Where the AMIE tables are ours
    (`owns_tables`), an inform_transaction_complete ends the transaction as its StatusCode says, and is itself
    completed: nothing answers it; else transactions are left alone. `now` is aware. Raises `NoLongerInProgress`;
    `ValueError` for a packet that is not stored and a type that `type_des` does not know. Nothing is committed.
    """
    return write_ended(connection, ended_by(connection, answers, owns_tables=owns_tables), now)


def write_ended(connection: Connection, ended: Sequence[Ended], now: datetime) -> dict[int, int]:
    """Writes what answers come to, as `write_answers` does."""
    if not ended:
        return {}
    _lock(connection, [one.packet_rec_id for one in ended])
    made = _insert_replies(connection, {one: one.reply for one in ended if one.reply is not None}, now)
    for state in _FINAL:
        if ids := [one.packet_rec_id for one in ended if one.state_id == STATE_IDS[state]]:
            _set_packet_states(connection, ids, state)
        if over := [one.trans_rec_id for one in ended if one.transaction_state_id == STATE_IDS[state]]:
            _end_transactions(connection, over, state)
    return made


def _transaction_end(answer: Answer) -> FinalState | None:
    """How an answer ends the transaction where the tables are ours; None where it goes on."""
    if answer.type_name is None:
        return answer.transaction_state
    if answer.type_name != _COMPLETE:
        return None
    return "failed" if answer.body.get("StatusCode") == "Failure" else "completed"


def _insert_replies(connection: Connection, replies: Mapping[Ended, Reply], now: datetime) -> dict[int, int]:
    if not replies:
        return {}
    unnumbered = [ended.trans_rec_id for ended, reply in replies.items() if reply.packet_id is None]
    following = _next_packet_ids(connection, unnumbered) if unnumbered else {}
    new = [
        NewPacket(
            ended.trans_rec_id,
            following[ended.trans_rec_id] if reply.packet_id is None else reply.packet_id,
            reply.type_id,
            state=STATE_NAMES[reply.state_id],
            outgoing=True,
            ts=now,
        )
        for ended, reply in replies.items()
    ]
    made = {trans_rec_id: number for (trans_rec_id, _), number in insert_packets(connection, new).items()}
    if len(made) < len(replies):
        raise NoLongerInProgress(ANOTHER_REPLY)
    insert_contents(connection, {made[ended.trans_rec_id]: reply.content for ended, reply in replies.items()})
    rows = [
        {
            "packet_rec_id": made[ended.trans_rec_id],
            "remote_site_name": reply.remote_site_name,
            "in_reply_to": ended.packet_rec_id,
            "stored_at": now,
        }
        for ended, reply in replies.items()
    ]
    _OWN_ROW.for_each(connection, rows)
    return {ended.packet_rec_id: made[ended.trans_rec_id] for ended in replies}


_OWN_ROW = Made(insert(own_tables.packet), columns=("packet_rec_id", "remote_site_name", "in_reply_to", "stored_at"))


def _stored_ids(packet: Packet) -> tuple[int, int]:
    header = packet.header
    if header.packet_rec_id is None or header.trans_rec_id is None or header.outgoing:
        raise ValueError("only a stored incoming packet can be answered or closed")
    return header.packet_rec_id, header.trans_rec_id


# SQLite has no row locks: there the transaction itself is the only writer. Foreign keys to these rows stay free.
_LOCKED = Made(
    select(packet_tbl.c.packet_rec_id, packet_tbl.c.state_id, transaction_tbl.c.state_id.label("transaction_state_id"))
    .join_from(packet_tbl, transaction_tbl)
    .where(one_of(packet_tbl.c.packet_rec_id, "ids"))
    .order_by(packet_tbl.c.packet_rec_id)
    .with_for_update(key_share=True)
)


def refuse_over(connection: Connection, packet_rec_id: int) -> None:
    """Raises `NoLongerInProgress` where the packet may not be answered (any more); it stays locked."""
    _lock(connection, [packet_rec_id])


def was_answered(connection: Connection, packet_rec_id: int) -> bool:
    """Whether a reply to the packet was written."""
    query = select(own_tables.packet.c.packet_rec_id).where(own_tables.packet.c.in_reply_to == packet_rec_id)
    return connection.execute(query.limit(1)).first() is not None


def _lock(connection: Connection, packet_rec_ids: Sequence[int]) -> None:
    states = {number: (own, its) for number, own, its in _LOCKED.rows(connection, ids=packet_rec_ids)}
    for packet_rec_id in packet_rec_ids:
        refuse_ended(*states.get(packet_rec_id, (None, None)))


def refuse_ended(state_id: int | None, transaction_state_id: int | None) -> None:
    """Raises `NoLongerInProgress` where a packet may not be answered: by its state, None where it is gone."""
    if state_id is None:
        raise NoLongerInProgress("the packet is no longer in the database")
    if state_id != STATE_IDS[IN_PROGRESS]:
        refused = OnHold if state_id in OPEN_STATES else NoLongerInProgress
        raise refused(f"the packet is {STATE_NAMES.get(state_id, 'in an unknown state')}")
    if transaction_state_id not in OPEN_STATES:
        state = STATE_NAMES.get(transaction_state_id or 0, "in an unknown state")
        raise NoLongerInProgress(f"the packet's transaction is {state}")


def _next_packet_ids(connection: Connection, trans_rec_ids: Sequence[int]) -> dict[int, int]:
    following = dict.fromkeys(trans_rec_ids, 1)
    for trans_rec_id, packet_id in _SENT.rows(connection, ids=trans_rec_ids):
        following[trans_rec_id] = max(following[trans_rec_id], packet_id + 1)
    return following


# Not max(): these numbers are texts in SQLite.
_SENT = Made(
    select(packet_tbl.c.trans_rec_id, packet_tbl.c.packet_id).where(
        one_of(packet_tbl.c.trans_rec_id, "ids"), packet_tbl.c.outgoing_flag == 1
    )
)
_WITH_STATE = Made(
    update(packet_tbl).where(one_of(packet_tbl.c.packet_rec_id, "ids")).values(state_id=bindparam("state"))
)


def _set_packet_states(connection: Connection, packet_rec_ids: Sequence[int], state: FinalState) -> None:
    _WITH_STATE.hits(connection, ids=packet_rec_ids, state=STATE_IDS[state])


def _end_transactions(connection: Connection, trans_rec_ids: Sequence[int], state: FinalState) -> None:
    for statement in (_END, _END_SENT):
        statement.hits(connection, ids=trans_rec_ids, state=STATE_IDS[state])


_END = Made(
    update(transaction_tbl).where(one_of(transaction_tbl.c.trans_rec_id, "ids")).values(state_id=bindparam("state"))
)
# What we sent and nobody answered ends with its transaction.
_END_SENT = Made(
    update(packet_tbl)
    .where(one_of(packet_tbl.c.trans_rec_id, "ids"), packet_tbl.c.outgoing_flag == 1)
    .where(packet_tbl.c.state_id == STATE_IDS[IN_PROGRESS])
    .values(state_id=bindparam("state"))
)
