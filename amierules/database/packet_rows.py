"""What storing and answering packets share: packet types as this database knows them, and a packet's rows."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select

from amierules.database.amie_tables import (
    STATE_IDS,
    VERSION,
    data_tbl,
    expected_reply_tbl,
    packet_tbl,
    type_des,
)
from amierules.database.upsert import conflict_insert
from amierules.protocol.catalogue import ExpectedReply
from amierules.protocol.packet import Body
from amierules.protocol.rows import body_to_rows


@dataclass(frozen=True)
class NewPacket:
    """What makes a row of `packet_tbl`."""

    trans_rec_id: int
    packet_id: int
    type_id: int
    state: str
    outgoing: bool
    ts: datetime


def type_ids(connection: Connection, names: Iterable[str]) -> dict[str, int]:
    """The ids that `type_des` gives these packet types; a type that it does not know is left out."""
    statement = select(type_des.c.type_name, type_des.c.type_id).where(type_des.c.type_name.in_(set(names)))
    return {row.type_name: row.type_id for row in connection.execute(statement)}


def insert_packet(connection: Connection, new: NewPacket) -> int | None:
    """Inserts the row; returns its packet_rec_id, or None where the transaction has this packet_id already."""
    statement = (
        conflict_insert(connection, packet_tbl)
        .values(
            trans_rec_id=new.trans_rec_id,
            packet_id=new.packet_id,
            type_id=new.type_id,
            version=VERSION,
            state_id=STATE_IDS[new.state],
            outgoing_flag=int(new.outgoing),
            ts=new.ts,
        )
        .on_conflict_do_nothing(index_elements=["trans_rec_id", "packet_id", "outgoing_flag"])
        .returning(packet_tbl.c.packet_rec_id)
    )
    return connection.execute(statement).scalar_one_or_none()


def insert_content(
    connection: Connection, packet_rec_id: int, body: Body, replies: Iterable[ExpectedReply], known: Mapping[str, int]
) -> None:
    """Inserts the packet's expected replies and its data; a reply type that is not `known` (name to id) is skipped."""
    timeouts = {known[reply.type]: reply.timeout for reply in replies if reply.type in known}
    if timeouts:
        rows = [
            {"packet_rec_id": packet_rec_id, "type_id": type_id, "timeout": minutes}
            for type_id, minutes in timeouts.items()
        ]
        connection.execute(insert(expected_reply_tbl), rows)
    data = [{"packet_rec_id": packet_rec_id, **row._asdict()} for row in body_to_rows(body)]
    if data:
        connection.execute(insert(data_tbl), data)
