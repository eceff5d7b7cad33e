"""Transactions that our site starts."""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, Text, cast, func, insert, select, text

from amierules.database import own_tables
from amierules.database.amie_tables import STATE_IDS, transaction_tbl
from amierules.database.packet_rows import Content, NewPacket, insert_contents, insert_packet, type_ids
from amierules.database.upsert import conflict_insert
from amierules.protocol.catalogue import catalogue
from amierules.protocol.packet import IN_PROGRESS, Body

_LOCK = 0x616D6974
"""The advisory lock of whoever chooses a transaction_id ("amit")."""
_MARK = "last_transaction_id"
_LARGEST = 10**38 - 1


class Originated(NamedTuple):
    """A transaction of ours and its first packet."""

    packet_rec_id: int
    trans_rec_id: int
    transaction_id: int


def originate(
    connection: Connection, *, type_name: str, body: Body, site_name: str, remote_site_name: str, now: datetime
) -> Originated:
    """Writes a transaction of `site_name` with its first packet, in progress, which AMIE (or our exchange) sends.

    The originator alone chooses the transaction_id and may never use one twice (Implementing AMIE, 2012), so ids of
    transactions that were deleted since are remembered. `now` is aware. Raises `ValueError` for a type that `type_des`
    does not know, and where no id is left. Nothing is committed.
    """
    replies = catalogue().types[type_name].expected_replies
    known = type_ids(connection, [type_name, *(reply.type for reply in replies)])
    if type_name not in known:
        raise ValueError(f"the packet type {type_name} is unknown to this database")
    trans_rec_id, transaction_id = _insert_transaction(connection, site_name, remote_site_name, now)
    new = NewPacket(trans_rec_id, 1, known[type_name], state=IN_PROGRESS, outgoing=True, ts=now)
    packet_rec_id = insert_packet(connection, new)
    if packet_rec_id is None:
        raise ValueError(f"transaction {transaction_id} has a packet already")
    insert_contents(connection, {packet_rec_id: Content.of(body, replies, known)})
    row = {"packet_rec_id": packet_rec_id, "remote_site_name": remote_site_name, "stored_at": now}
    connection.execute(insert(own_tables.packet), [row])
    return Originated(packet_rec_id, trans_rec_id, transaction_id)


def _insert_transaction(
    connection: Connection, site_name: str, remote_site_name: str, now: datetime
) -> tuple[int, int]:
    if connection.dialect.name != "sqlite":
        # There the transaction itself is the only writer.
        connection.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    for transaction_id in range(_last(connection, site_name) + 1, _LARGEST + 1):
        statement = (
            conflict_insert(connection, transaction_tbl)
            .values(
                originating_site_name=site_name,
                transaction_id=transaction_id,
                local_site_name=site_name,
                remote_site_name=remote_site_name,
                state_id=STATE_IDS[IN_PROGRESS],
                ts=now,
            )
            # Another program may start transactions of this site too, without our lock.
            .on_conflict_do_nothing()
            .returning(transaction_tbl.c.trans_rec_id)
        )
        made = connection.execute(statement).scalar_one_or_none()
        if made is not None:
            _remember(connection, transaction_id)
            return made, transaction_id
    raise ValueError(f"no transaction_id is left for {site_name}")


def _last(connection: Connection, site_name: str) -> int:
    """The largest transaction_id that our site has used, whatever became of its transaction."""
    column = transaction_tbl.c.transaction_id
    query = select(column).where(transaction_tbl.c.originating_site_name == site_name)
    if connection.dialect.name == "sqlite":
        as_text = cast(column, Text)  # these numbers are texts there, without leading zeros
        query = query.order_by(func.length(as_text).desc(), as_text.desc())
    else:
        query = query.order_by(column.desc())
    kept = connection.scalar(select(own_tables.meta.c.value).where(own_tables.meta.c.name == _MARK))
    return max(connection.scalar(query.limit(1)) or 0, int(kept or 0))


def _remember(connection: Connection, transaction_id: int) -> None:
    statement = conflict_insert(connection, own_tables.meta).values(name=_MARK, value=str(transaction_id))
    connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_={"value": str(transaction_id)}))
