"""Storing an incoming packet, once."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import BindParameter, Connection, Insert, and_, bindparam, exists, or_, select, update
from sqlalchemy.sql.dml import ReturningInsert

from amierules.database import own_tables
from amierules.database.amie_tables import STATE_IDS, expected_reply_tbl, packet_tbl, transaction_tbl
from amierules.database.lookups import Lookup
from amierules.database.notices import tell_workers
from amierules.database.packet_rows import Content, NewPacket, insert_contents, insert_packet, type_ids
from amierules.database.packets import read_packets
from amierules.database.resent import make_room, replaces
from amierules.database.schema import OURS
from amierules.database.upsert import conflict_insert, conflict_insert_for
from amierules.diagnostics import printable
from amierules.protocol.catalogue import ExpectedReply, catalogue
from amierules.protocol.packet import IN_PROGRESS, Header, Packet


class StoredKind(StrEnum):
    """What became of a packet that came in."""

    NEW = "new"
    DUPLICATE = "duplicate"
    RESENT = "resent"
    """It has taken the place of an older copy, which had failed."""
    KEPT = "kept"
    """Its type is unknown: it is kept in our own tables, for a person."""


class Stored(NamedTuple):
    """The row that a packet has now; `packet_rec_id` is None for one of an unknown type."""

    packet_rec_id: int | None
    kind: StoredKind


def store_incoming(connection: Connection, packet: Packet, now: datetime) -> Stored:
    """Stores the packet with its transaction, data and expected replies, unless it is there already.

    A packet is there already if one has the same remote site and remote packet_rec_id, or the same transaction and
    packet_id; a newer copy of one that has failed takes its place. Where the AMIE tables are ours, our packets of the
    transaction that expect this type become completed: that is AMIE's own duty where they are not. `now` is aware.
    Nothing is committed.
    """
    header = packet.header
    replies = _replies(header)
    known = type_ids(connection, [header.type, *(reply.type for reply in replies)])
    if header.type not in known:
        return _keep(connection, packet, now)
    if (same := _same_remote(connection, header)) is not None:
        return _again(connection, same, packet, known, now)
    trans_rec_id = _transaction(connection, header)
    new = NewPacket(
        trans_rec_id, header.packet_id, known[header.type], header.packet_state, outgoing=False, ts=header.timestamp
    )
    packet_rec_id = insert_packet(connection, new)
    if packet_rec_id is None:
        same = _same_packet_id(connection, trans_rec_id, header.packet_id)
        return _again(connection, same, packet, known, now)
    insert_contents(connection, {packet_rec_id: Content.of(packet.body, replies, known)})
    _insert_own(connection, packet_rec_id, packet, now)
    _complete_expecting(connection, trans_rec_id, known[header.type])
    tell_workers(connection)
    return Stored(packet_rec_id, StoredKind.NEW)


def _again(
    connection: Connection, packet_rec_id: int, packet: Packet, known: Mapping[str, int], now: datetime
) -> Stored:
    """What becomes of a packet that is there already."""
    header = packet.header
    if not replaces(connection, packet_rec_id, header):
        return Stored(packet_rec_id, StoredKind.DUPLICATE)
    make_room(connection, packet_rec_id, header, known[header.type], now)
    insert_contents(connection, {packet_rec_id: Content.of(packet.body, _replies(header), known)})
    _insert_own(connection, packet_rec_id, packet, now)
    tell_workers(connection)
    return Stored(packet_rec_id, StoredKind.RESENT)


def differs_from_stored(connection: Connection, packet_rec_id: int, packet: Packet) -> bool:
    """Whether the packet that has this row is of another type than `packet`, or has another body."""
    header = packet.header
    stored = read_packets(connection, [packet_rec_id], header.local_site_name)[packet_rec_id].packet
    return (stored.header.type, stored.body) != (header.type, packet.body)


def _replies(header: Header) -> tuple[ExpectedReply, ...]:
    type_ = catalogue().types.get(header.type)
    return header.expected_replies or (type_.expected_replies if type_ else ())


def _keep(connection: Connection, packet: Packet, now: datetime) -> Stored:
    header = packet.header
    statement = (
        conflict_insert(connection, own_tables.kept_packet)
        .values(
            type=header.type,
            originating_site_name=header.originating_site_name,
            remote_site_name=header.remote_site_name,
            transaction_id=header.transaction_id,
            packet_id=header.packet_id,
            remote_packet_rec_id=header.remote_packet_rec_id,
            raw=json.dumps(packet.raw if packet.raw is not None else {"type": header.type, "body": packet.body}),
            reason=f"the packet type `{printable(header.type, 60)}` is unknown",
            status="parked",
            kept_at=now,
        )
        .on_conflict_do_nothing()
        .returning(own_tables.kept_packet.c.kept_id)
    )
    is_new = connection.execute(statement).scalar_one_or_none() is not None
    return Stored(None, StoredKind.KEPT if is_new else StoredKind.DUPLICATE)


def _same_remote(connection: Connection, header: Header) -> int | None:
    if header.remote_packet_rec_id is None:
        return None
    rows = _SAME_REMOTE.rows(connection, site=header.remote_site_name, number=header.remote_packet_rec_id)
    return rows[0][0] if rows else None


_OURS = own_tables.packet.c
_SAME_REMOTE = Lookup(
    "amierules_same_remote",
    select(_OURS.packet_rec_id)
    .where(_OURS.remote_site_name == bindparam("site"))
    .where(_OURS.remote_packet_rec_id == bindparam("number"))
    # The legacy program may have deleted the packet itself.
    .where(exists().where(packet_tbl.c.packet_rec_id == _OURS.packet_rec_id)),
)


def _same_packet_id(connection: Connection, trans_rec_id: int, packet_id: int) -> int:
    statement = select(packet_tbl.c.packet_rec_id).where(
        packet_tbl.c.trans_rec_id == trans_rec_id,
        packet_tbl.c.packet_id == packet_id,
        packet_tbl.c.outgoing_flag == 0,
    )
    return int(connection.execute(statement).scalar_one())


def _transaction(connection: Connection, header: Header) -> int:
    found = find_transaction(connection, header)
    if found is not None:
        return found
    row = {
        "originating_site_name": header.originating_site_name,
        "transaction_id": header.transaction_id,
        "local_site_name": header.local_site_name,
        "remote_site_name": header.remote_site_name,
        "state_id": STATE_IDS[header.transaction_state],
        "ts": header.timestamp,
    }
    made = connection.execute(_new_transaction(connection.dialect.name), row).scalar_one_or_none()
    if made is None:
        # Another process made it at the same time, and has committed.
        made = find_transaction(connection, header)
    if made is None:
        raise RuntimeError(f"transaction {header.transaction_id} was removed while its packet was stored")
    return made


@cache
def _new_transaction(dialect_name: str) -> ReturningInsert[Any]:
    statement = conflict_insert_for(dialect_name, transaction_tbl)
    return statement.on_conflict_do_nothing().returning(transaction_tbl.c.trans_rec_id)


def find_transaction(connection: Connection, header: Header) -> int | None:
    """The trans_rec_id of the transaction that a packet belongs to; None where it is not here."""
    if (ours := _started_here(connection, header)) is not None:
        return ours
    sides = {"us": header.local_site_name, "theirs": header.remote_site_name}
    started = {"originating": header.originating_site_name, "number": header.transaction_id}
    rows = _TRANSACTION.rows(connection, **sides, **started)
    return rows[0][0] if rows else None


_COLUMNS = transaction_tbl.c
_US: BindParameter[str] = bindparam("us")
_THEIRS: BindParameter[str] = bindparam("theirs")
_TRANSACTION = Lookup(
    "amierules_transaction",
    select(_COLUMNS.trans_rec_id)
    .where(_COLUMNS.originating_site_name == bindparam("originating"))
    .where(_COLUMNS.transaction_id == bindparam("number"))
    # Found tables may name the two sides from the other one's view.
    .where(
        or_(
            and_(_COLUMNS.local_site_name == _US, _COLUMNS.remote_site_name == _THEIRS),
            and_(_COLUMNS.local_site_name == _THEIRS, _COLUMNS.remote_site_name == _US),
        )
    )
    .order_by(_COLUMNS.local_site_name != _US)
    .limit(1),
)


def _started_here(connection: Connection, header: Header) -> int | None:
    """The transaction that we have started over REST, where the server gives it a number of its own."""
    if header.remote_trans_rec_id is None or header.originating_site_name != header.local_site_name:
        return None
    ours = own_tables.packet.c
    statement = (
        select(packet_tbl.c.trans_rec_id)
        .join_from(own_tables.packet, packet_tbl, packet_tbl.c.packet_rec_id == ours.packet_rec_id)
        .where(packet_tbl.c.outgoing_flag == 1, ours.in_reply_to.is_(None))
        .where(ours.remote_site_name == header.remote_site_name)
        .where(ours.remote_trans_rec_id == header.remote_trans_rec_id)
        .limit(1)
    )
    return connection.execute(statement).scalar_one_or_none()


def _insert_own(connection: Connection, packet_rec_id: int, packet: Packet, now: datetime) -> None:
    header = packet.header
    row = {
        "packet_rec_id": packet_rec_id,
        "remote_packet_rec_id": header.remote_packet_rec_id,
        "remote_trans_rec_id": header.remote_trans_rec_id,
        "remote_site_name": header.remote_site_name,
        "raw": None if packet.raw is None else json.dumps(packet.raw),
        "stored_at": now,
    }
    connection.execute(_own_row(connection.dialect.name, tuple(row)), row)


@cache
def _own_row(dialect_name: str, columns: Sequence[str]) -> Insert:
    """Where the packet has no remote id, none is in its way."""
    statement = conflict_insert_for(dialect_name, own_tables.packet)
    # The row of a packet that the legacy program has deleted since, and that comes again.
    key = ["remote_site_name", "remote_packet_rec_id"]
    return statement.on_conflict_do_update(
        index_elements=key, set_={name: statement.excluded[name] for name in columns}
    )


_EXPECTS = exists().where(
    expected_reply_tbl.c.packet_rec_id == packet_tbl.c.packet_rec_id,
    expected_reply_tbl.c.type_id == bindparam("expected"),
)
_OWNED = exists().where(own_tables.meta.c.name == "amie_tables", own_tables.meta.c.value == OURS)
_COMPLETE_EXPECTING = (
    update(packet_tbl)
    .where(packet_tbl.c.trans_rec_id == bindparam("transaction"), packet_tbl.c.outgoing_flag == 1)
    .where(packet_tbl.c.state_id == STATE_IDS[IN_PROGRESS], _EXPECTS, _OWNED)
    .values(state_id=STATE_IDS["completed"])
)


def _complete_expecting(connection: Connection, trans_rec_id: int, type_id: int) -> None:
    connection.execute(_COMPLETE_EXPECTING, {"transaction": trans_rec_id, "expected": type_id})
