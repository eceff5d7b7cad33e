"""Rows of AMIE's tables and of work for tests, without the code that stores packets."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, func, insert, select

from amierules.database.amie_tables import STATE_IDS, packet_tbl, transaction_tbl, type_des
from amierules.database.own_tables import work, work_key

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def add_transaction(connection: Connection, state: str = "in-progress") -> int:
    number = connection.scalar(select(func.count()).select_from(transaction_tbl)) or 0
    statement = insert(transaction_tbl).values(
        originating_site_name="TGCDB",
        transaction_id=number + 1,
        local_site_name="TestSite",
        remote_site_name="TGCDB",
        state_id=STATE_IDS[state],
        ts=NOW,
    )
    return int(connection.scalars(statement.returning(transaction_tbl.c.trans_rec_id)).one())


def add_packet(
    connection: Connection,
    trans_rec_id: int,
    type_name: str = "request_account_create",
    *,
    state: str = "in-progress",
    minutes: int = 0,
    packet_id: int | None = None,
    outgoing: bool = False,
) -> int:
    """An incoming packet that came `minutes` after NOW."""
    number = connection.scalar(select(func.count()).select_from(packet_tbl)) or 0
    type_id = connection.scalars(select(type_des.c.type_id).where(type_des.c.type_name == type_name)).one()
    statement = insert(packet_tbl).values(
        trans_rec_id=trans_rec_id,
        packet_id=number + 1 if packet_id is None else packet_id,
        type_id=type_id,
        version="1.0",
        state_id=STATE_IDS[state],
        outgoing_flag=int(outgoing),
        ts=NOW + timedelta(minutes=minutes),
    )
    return int(connection.scalars(statement.returning(packet_tbl.c.packet_rec_id)).one())


def add_work(
    connection: Connection,
    packet_rec_id: int,
    status: str = "ready",
    *,
    trans_rec_id: int | None = None,
    keys: tuple[str, ...] = (),
    minutes: int = 0,
    **columns: Any,
) -> int:
    """A work row alone; its packet need not be in AMIE's tables."""
    values = {
        "packet_rec_id": packet_rec_id,
        "trans_rec_id": packet_rec_id if trans_rec_id is None else trans_rec_id,
        "type": "request_account_create",
        "ts": NOW + timedelta(minutes=minutes),
        "status": status,
        "begun": False,
        "taken_in_at": NOW,
        "updated_at": NOW,
        **columns,
    }
    connection.execute(insert(work).values(values))
    if keys:
        connection.execute(insert(work_key), [{"packet_rec_id": packet_rec_id, "key": key} for key in keys])
    return packet_rec_id
