"""Reading and writing the store's transactions, packets and violations."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, bindparam, delete, func, insert, select, update

from amierules.protocol.catalogue import ExpectedReply, catalogue
from amierules.protocol.packet import IN_PROGRESS
from amierules.tgcdb.protocol_rules import Violation
from amierules.tgcdb.records import CentralPacket, Transaction
from amierules.tgcdb.tables import carried, fact, packet, run, step, transaction, violation

_TRANSACTION = select(transaction).where(
    transaction.c.trans_rec_id == bindparam("key"), transaction.c.site == bindparam("of_site")
)
_PACKET = select(packet).where(packet.c.packet_rec_id == bindparam("key"), packet.c.site == bindparam("of_site"))
_PACKETS = select(packet).where(packet.c.trans_rec_id == bindparam("key")).order_by(packet.c.packet_rec_id)

CENTRAL = "TGCDB"
"""The central database's name in AMIE."""


def insert_transaction(
    connection: Connection,
    *,
    site: str,
    originating: str,
    now: datetime,
    transaction_id: int | None = None,
    run_id: int | None = None,
    position: int | None = None,
    expects: str | None = None,
) -> Transaction:
    """A new transaction in progress; the central database's own take their key as id."""
    values = {
        "site": site, "originating": originating, "transaction_id": transaction_id or 0, "state": IN_PROGRESS,
        "started_at": now, "run_id": run_id, "step": position, "expects": expects,
    }  # fmt: skip
    made = connection.execute(insert(transaction).values(values).returning(transaction.c.trans_rec_id)).scalar_one()
    if transaction_id is None:
        numbered = update(transaction).where(transaction.c.trans_rec_id == made).values(transaction_id=made)
        connection.execute(numbered)
    return read_transaction(
        {**values, "trans_rec_id": made, "transaction_id": transaction_id or made, "ended_at": None}
    )


def insert_packet(
    connection: Connection,
    within: Transaction,
    type_name: str,
    content: Mapping[str, Any],
    *,
    to_site: bool,
    now: datetime,
    state: str = IN_PROGRESS,
    packet_id: int | None = None,
    in_reply_to: int | None = None,
    behaviour: Mapping[str, Any] | None = None,
    timeout: int | None = None,
) -> CentralPacket:
    """A new packet of a transaction; its replies are those of its type, within `timeout` minutes if given."""
    replies = [
        {"type": one.type, "timeout": one.timeout if timeout is None else timeout}
        for one in catalogue().types[type_name].expected_replies
    ]
    values = {
        "trans_rec_id": within.trans_rec_id, "site": within.site, "type": type_name, "to_site": to_site,
        "packet_id": next_packet_id(connection, within, to_site=to_site) if packet_id is None else packet_id,
        "state": state, "ts": now, "updated_at": now, "content": dict(content), "expects": replies,
        "in_reply_to": in_reply_to, "behaviour": dict(behaviour or {}), "relist": 0,
    }  # fmt: skip
    made = connection.execute(insert(packet).values(values).returning(packet.c.packet_rec_id)).scalar_one()
    return read_packet(
        {**values, "packet_rec_id": made, "client_state": None, "client_json": None, "answered_at": None}
    )


def next_packet_id(connection: Connection, within: Transaction, *, to_site: bool) -> int:
    """The next number of a side's packets in a transaction: each side counts its own, from 1."""
    columns = packet.c
    largest = connection.scalar(
        select(func.max(columns.packet_id)).where(
            columns.trans_rec_id == within.trans_rec_id, columns.to_site == to_site
        )
    )
    return 1 if largest is None else int(largest) + 1


def find_transaction(connection: Connection, site: str, trans_rec_id: int) -> Transaction | None:
    """A transaction of a site, by the central database's key."""
    row = connection.execute(_TRANSACTION, {"of_site": site, "key": trans_rec_id}).mappings().one_or_none()
    return None if row is None else read_transaction(row)


def find_by_id(connection: Connection, site: str, originating: str, transaction_id: int) -> Transaction | None:
    """A transaction of a site, by its id in AMIE."""
    columns = transaction.c
    statement = select(transaction).where(
        columns.site == site, columns.originating == originating, columns.transaction_id == transaction_id
    )
    row = connection.execute(statement).mappings().one_or_none()
    return None if row is None else read_transaction(row)


def find_packet(connection: Connection, site: str, packet_rec_id: int) -> CentralPacket | None:
    """A packet of a site, by the central database's key."""
    row = connection.execute(_PACKET, {"of_site": site, "key": packet_rec_id}).mappings().one_or_none()
    return None if row is None else read_packet(row)


def packets_of(connection: Connection, trans_rec_id: int) -> list[CentralPacket]:
    """The packets of a transaction, in the order in which they came."""
    return [read_packet(row) for row in connection.execute(_PACKETS, {"key": trans_rec_id}).mappings()]


def transactions_of(connection: Connection, site: str, run_id: int | None = None) -> list[Transaction]:
    """A site's transactions, in the order in which they came."""
    statement = select(transaction).where(transaction.c.site == site).order_by(transaction.c.trans_rec_id)
    if run_id is not None:
        statement = statement.where(transaction.c.run_id == run_id)
    return [read_transaction(row) for row in connection.execute(statement).mappings()]


def change_packet(connection: Connection, packet_rec_id: int, now: datetime, **values: Any) -> None:
    """Sets columns of a packet, which counts as updated."""
    statement = update(packet).where(packet.c.packet_rec_id == packet_rec_id)
    connection.execute(statement.values(**values, updated_at=now))


def end_transaction(connection: Connection, trans_rec_id: int, state: str, now: datetime) -> None:
    """Sets a transaction completed or failed."""
    ended = update(transaction).where(transaction.c.trans_rec_id == trans_rec_id)
    connection.execute(ended.values(state=state, ended_at=now))


def end_open_packets(connection: Connection, trans_rec_id: int, state: str, now: datetime) -> None:
    """Ends all packets of a transaction that are in progress."""
    columns = packet.c
    statement = update(packet).where(columns.trans_rec_id == trans_rec_id, columns.state == IN_PROGRESS)
    connection.execute(statement.values(state=state, updated_at=now))


def add_violations(
    connection: Connection,
    site: str,
    found: Iterable[Violation],
    now: datetime,
    *,
    trans_rec_id: int | None = None,
    packet_rec_id: int | None = None,
) -> None:
    """Keeps what a site did wrong; `packet_rec_id` is that of the packet that it answered."""
    rows = [
        {
            "site": site, "trans_rec_id": trans_rec_id, "packet_rec_id": packet_rec_id,
            "rule": one.rule, "message": one.message, "at": now,
        }
        for one in found
    ]  # fmt: skip
    if rows:
        connection.execute(insert(violation), rows)


def forget_site(connection: Connection, site: str) -> None:
    """Forgets all about a site. Numbers are not used again."""
    for table in (violation, fact, carried, packet, transaction):
        connection.execute(delete(table).where(table.c.site == site))
    runs = select(run.c.run_id).where(run.c.site == site).scalar_subquery()
    connection.execute(delete(step).where(step.c.run_id.in_(runs)))
    connection.execute(delete(run).where(run.c.site == site))


def read_transaction(row: Mapping[str, Any] | RowMapping) -> Transaction:
    """A transaction from a row of its table."""
    return Transaction(**{name: row[name] for name in Transaction.__dataclass_fields__})


def read_packet(row: Mapping[str, Any] | RowMapping) -> CentralPacket:
    """A packet from a row of its table."""
    values = {name: row[name] for name in CentralPacket.__dataclass_fields__}
    replies = tuple(ExpectedReply(one["type"], one["timeout"]) for one in row["expects"])
    return CentralPacket(**{**values, "expects": replies})
