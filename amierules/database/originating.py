"""Transactions that our site starts."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, Text, cast, func, insert, select, text

from amierules.database import own_tables
from amierules.database.amie_tables import STATE_IDS, transaction_tbl
from amierules.database.packet_rows import Content, NewPacket, insert_contents, insert_packets, type_ids
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
    (made,) = originate_all(
        connection,
        type_name=type_name,
        bodies=[body],
        site_name=site_name,
        remote_site_name=remote_site_name,
        now=now,
    )
    return made


def originate_all(
    connection: Connection,
    *,
    type_name: str,
    bodies: Sequence[Body],
    site_name: str,
    remote_site_name: str,
    now: datetime,
) -> list[Originated]:
    """Writes a transaction for each of these bodies, in their order, in a few statements; else as `originate`."""
    if not bodies:
        return []
    replies = catalogue().types[type_name].expected_replies
    known = type_ids(connection, [type_name, *(reply.type for reply in replies)])
    if type_name not in known:
        raise ValueError(f"the packet type {type_name} is unknown to this database")
    made = _insert_transactions(connection, site_name, remote_site_name, len(bodies), now)
    new = [
        NewPacket(trans_rec_id, 1, known[type_name], state=IN_PROGRESS, outgoing=True, ts=now)
        for trans_rec_id in made.values()
    ]
    numbers = {trans_rec_id: number for (trans_rec_id, _), number in insert_packets(connection, new).items()}
    taken = [transaction_id for transaction_id, trans_rec_id in made.items() if trans_rec_id not in numbers]
    if taken:
        raise ValueError(f"transaction {taken[0]} has a packet already")
    found = [Originated(numbers[trans_rec_id], trans_rec_id, number) for number, trans_rec_id in made.items()]
    written = {one.packet_rec_id: Content.of(body, replies, known) for one, body in zip(found, bodies, strict=True)}
    insert_contents(connection, written)
    rows = [{"packet_rec_id": one, "remote_site_name": remote_site_name, "stored_at": now} for one in written]
    connection.execute(insert(own_tables.packet), rows)
    return found


def _insert_transactions(
    connection: Connection, site_name: str, remote_site_name: str, count: int, now: datetime
) -> dict[int, int]:
    """So many new transactions: their trans_rec_ids by transaction_id, in order."""
    if connection.dialect.name != "sqlite":
        # There the transaction itself is the only writer.
        connection.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    statement = (
        conflict_insert(connection, transaction_tbl)
        # Another program may start transactions of this site too, without our lock.
        .on_conflict_do_nothing()
        .returning(transaction_tbl.c.transaction_id, transaction_tbl.c.trans_rec_id)
    )
    common = {
        "originating_site_name": site_name,
        "local_site_name": site_name,
        "remote_site_name": remote_site_name,
        "state_id": STATE_IDS[IN_PROGRESS],
        "ts": now,
    }
    made: dict[int, int] = {}
    last = _last(connection, site_name)
    while len(made) < count:
        ids = range(last + 1, min(last + count - len(made), _LARGEST) + 1)
        if not ids:
            raise ValueError(f"no transaction_id is left for {site_name}")
        found = connection.execute(statement, [{**common, "transaction_id": one} for one in ids])
        made.update(sorted((int(transaction_id), trans_rec_id) for transaction_id, trans_rec_id in found))
        last = ids[-1]
    _remember(connection, last)
    return made


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
