"""The AMIE tables as the AMIE program reads and writes them at a site."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, and_, exists, insert, or_, select, update

from amierules.database.amie_tables import (
    STATE_IDS,
    STATE_NAMES,
    data_tbl,
    expected_reply_tbl,
    packet_tbl,
    transaction_tbl,
    type_des,
)
from amierules.database.packet_rows import Content, NewPacket, insert_contents, insert_packet, type_ids
from amierules.protocol.catalogue import ExpectedReply
from amierules.protocol.packet import IN_PROGRESS
from amierules.protocol.rows import Row
from amierules.tgcdb.records import COMPLETED, CentralPacket, Transaction
from amierules.tgcdb.rows import CENTRAL


@dataclass(frozen=True)
class SitePacket:
    """A packet that the site has written."""

    packet_rec_id: int
    trans_rec_id: int
    packet_id: int
    type: str
    version: str
    state: str
    originating: str
    transaction_id: int
    local_site_name: str
    remote_site_name: str
    rows: tuple[Row, ...]
    replies: tuple[ExpectedReply, ...]


def deliver(connection: Connection, within: Transaction, packet: CentralPacket) -> int:
    """Writes a packet of the central database as an incoming one; returns its local packet_rec_id.

    One that is there already is left as it is, unless the site has set it failed: then the newer copy takes its place
    (Implementing AMIE, 2012). What it answers becomes completed.
    """
    known = type_ids(connection, [packet.type, *(reply.type for reply in packet.expects)])
    trans_rec_id = _transaction(connection, within)
    new = NewPacket(trans_rec_id, packet.packet_id, known[packet.type], IN_PROGRESS, outgoing=False, ts=packet.ts)
    content = Content.of(packet.body, packet.expects, known)
    made = insert_packet(connection, new)
    if made is not None:
        insert_contents(connection, {made: content})
        complete_expecting(connection, trans_rec_id, known[packet.type])
        return made
    columns = packet_tbl.c
    there = connection.execute(
        select(columns.packet_rec_id, columns.state_id).where(
            columns.trans_rec_id == trans_rec_id, columns.packet_id == packet.packet_id, columns.outgoing_flag == 0
        )
    ).one()
    if there.state_id == STATE_IDS["failed"]:
        _replace(connection, there.packet_rec_id, packet.ts, content)
    return int(there.packet_rec_id)


def complete_expecting(connection: Connection, trans_rec_id: int, type_id: int) -> None:
    """The site's packets of a transaction that expect this type are completed by it: AMIE's own duty."""
    expects = exists().where(
        expected_reply_tbl.c.packet_rec_id == packet_tbl.c.packet_rec_id, expected_reply_tbl.c.type_id == type_id
    )
    _outgoing(connection, [trans_rec_id], COMPLETED, expects)


def end_transaction(connection: Connection, trans_rec_id: int, state: str) -> None:
    """Ends a transaction, and what the site has sent in it."""
    ended = update(transaction_tbl).where(transaction_tbl.c.trans_rec_id == trans_rec_id)
    connection.execute(ended.values(state_id=STATE_IDS[state]))
    _outgoing(connection, [trans_rec_id], state)


def set_packet(connection: Connection, packet_rec_id: int, state: str) -> None:
    """Sets a packet's state."""
    changed = update(packet_tbl).where(packet_tbl.c.packet_rec_id == packet_rec_id)
    connection.execute(changed.values(state_id=STATE_IDS[state]))


def state_of(connection: Connection, packet_rec_id: int) -> str | None:
    """A packet's state; None where it is gone."""
    found = connection.scalar(select(packet_tbl.c.state_id).where(packet_tbl.c.packet_rec_id == packet_rec_id))
    return None if found is None else STATE_NAMES.get(found, "unknown")


def sent_by_site(connection: Connection, after: int, site: str) -> list[SitePacket]:
    """The packets that the site has written with keys above `after`, oldest first."""
    columns, of = packet_tbl.c, transaction_tbl.c
    statement = (
        select(
            columns.packet_rec_id, columns.trans_rec_id, columns.packet_id, columns.version, columns.state_id,
            type_des.c.type_name, of.originating_site_name, of.transaction_id, of.local_site_name, of.remote_site_name,
        )
        .join_from(packet_tbl, transaction_tbl, columns.trans_rec_id == of.trans_rec_id)
        .join(type_des, type_des.c.type_id == columns.type_id)
        .where(columns.outgoing_flag == 1, columns.packet_rec_id > after)
        .where(or_(of.local_site_name == site, of.remote_site_name == site))
        .order_by(columns.packet_rec_id)
    )  # fmt: skip
    found = connection.execute(statement).all()
    rows = _data(connection, [row.packet_rec_id for row in found])
    replies = _replies(connection, [row.packet_rec_id for row in found])
    return [
        SitePacket(
            row.packet_rec_id, row.trans_rec_id, row.packet_id, row.type_name, row.version,
            STATE_NAMES.get(row.state_id, "unknown"), row.originating_site_name, row.transaction_id,
            row.local_site_name, row.remote_site_name,
            tuple(rows.get(row.packet_rec_id, ())), tuple(replies.get(row.packet_rec_id, ())),
        )
        for row in found
    ]  # fmt: skip


def _outgoing(connection: Connection, trans_rec_ids: Sequence[int], state: str, *more: object) -> None:
    statement = update(packet_tbl).where(
        packet_tbl.c.trans_rec_id.in_(trans_rec_ids),
        packet_tbl.c.outgoing_flag == 1,
        packet_tbl.c.state_id == STATE_IDS[IN_PROGRESS],
        *more,  # type: ignore[arg-type]
    )
    connection.execute(statement.values(state_id=STATE_IDS[state]))


def _transaction(connection: Connection, within: Transaction) -> int:
    columns = transaction_tbl.c
    statement = select(columns.trans_rec_id).where(
        columns.originating_site_name == within.originating,
        columns.transaction_id == within.transaction_id,
        or_(
            and_(columns.local_site_name == within.site, columns.remote_site_name == CENTRAL),
            and_(columns.local_site_name == CENTRAL, columns.remote_site_name == within.site),
        ),
    )
    found = connection.execute(statement).scalars().first()
    if found is not None:
        return int(found)
    made = insert(transaction_tbl).values(
        originating_site_name=within.originating,
        transaction_id=within.transaction_id,
        local_site_name=within.site,
        remote_site_name=CENTRAL,
        state_id=STATE_IDS[IN_PROGRESS],
        ts=within.started_at,
    )
    return int(connection.execute(made.returning(columns.trans_rec_id)).scalar_one())


def _replace(connection: Connection, packet_rec_id: int, ts: datetime, content: Content) -> None:
    for table in (data_tbl, expected_reply_tbl):
        connection.execute(table.delete().where(table.c.packet_rec_id == packet_rec_id))
    insert_contents(connection, {packet_rec_id: content})
    changed = update(packet_tbl).where(packet_tbl.c.packet_rec_id == packet_rec_id)
    connection.execute(changed.values(state_id=STATE_IDS[IN_PROGRESS], ts=ts))


def _data(connection: Connection, ids: Sequence[int]) -> dict[int, list[Row]]:
    columns = data_tbl.c
    statement = (
        select(data_tbl).where(columns.packet_rec_id.in_(ids)).order_by(columns.packet_rec_id, columns.tag, columns.seq)
    )
    found: dict[int, list[Row]] = {}
    for row in connection.execute(statement) if ids else ():
        found.setdefault(row.packet_rec_id, []).append(Row(row.tag, row.subtag, row.seq, row.value))
    return found


def _replies(connection: Connection, ids: Iterable[int]) -> dict[int, list[ExpectedReply]]:
    columns = expected_reply_tbl.c
    statement = (
        select(columns.packet_rec_id, columns.timeout, type_des.c.type_name)
        .join_from(expected_reply_tbl, type_des, type_des.c.type_id == columns.type_id)
        .where(columns.packet_rec_id.in_(list(ids)))
    )
    found: dict[int, list[ExpectedReply]] = {}
    for row in connection.execute(statement):
        found.setdefault(row.packet_rec_id, []).append(ExpectedReply(row.type_name, row.timeout))
    return found
