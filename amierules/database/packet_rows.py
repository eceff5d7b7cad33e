"""What storing and answering packets share: packet types as this database knows them, and a packet's rows."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine, insert, select

from amierules.database.amie_tables import (
    STATE_IDS,
    VERSION,
    data_tbl,
    expected_reply_tbl,
    packet_tbl,
    type_des,
)
from amierules.database.made import Made
from amierules.protocol.catalogue import ExpectedReply
from amierules.protocol.packet import Body
from amierules.protocol.rows import Row, body_to_rows


@dataclass(frozen=True)
class NewPacket:
    """What makes a row of `packet_tbl`."""

    trans_rec_id: int
    packet_id: int
    type_id: int
    state: str
    outgoing: bool
    ts: datetime


_known_types: WeakKeyDictionary[Engine, dict[str, int]] = WeakKeyDictionary()


def type_ids(connection: Connection, names: Iterable[str]) -> dict[str, int]:
    """The ids that `type_des` gives these packet types; a type that it does not know is left out.

    An id that was read once is remembered: nobody renumbers types.
    """
    known = _known_types.setdefault(connection.engine, {})
    wanted = set(names)
    if unknown := wanted - known.keys():
        statement = select(type_des.c.type_name, type_des.c.type_id).where(type_des.c.type_name.in_(unknown))
        known.update({row.type_name: row.type_id for row in connection.execute(statement)})
    return {name: known[name] for name in wanted if name in known}


def insert_packet(connection: Connection, new: NewPacket) -> int | None:
    """Inserts the row; returns its packet_rec_id, or None where the transaction has this packet_id already."""
    return insert_packets(connection, [new]).get((new.trans_rec_id, new.packet_id))


def insert_packets(connection: Connection, new: Sequence[NewPacket]) -> dict[tuple[int, int], int]:
    """Inserts a row for each; returns their packet_rec_ids by trans_rec_id and packet_id, of which none stands twice.

    One whose transaction has its packet_id already is left out.
    """
    rows = [
        {
            "trans_rec_id": one.trans_rec_id,
            "packet_id": one.packet_id,
            "type_id": one.type_id,
            "version": VERSION,
            "state_id": STATE_IDS[one.state],
            "outgoing_flag": int(one.outgoing),
            "ts": one.ts,
        }
        for one in new
    ]
    made = _NEW_PACKET.rows_of_each(connection, rows)
    return {(trans_rec_id, packet_id): packet_rec_id for trans_rec_id, packet_id, packet_rec_id in made}


_NEW_PACKET = Made.upsert(
    packet_tbl,
    lambda new: new.on_conflict_do_nothing(index_elements=["trans_rec_id", "packet_id", "outgoing_flag"]).returning(
        packet_tbl.c.trans_rec_id, packet_tbl.c.packet_id, packet_tbl.c.packet_rec_id
    ),
    ("trans_rec_id", "packet_id", "type_id", "version", "state_id", "outgoing_flag", "ts"),
)


@dataclass(frozen=True)
class Content:
    """The rows of what a packet carries: its data, and the replies that it expects, as type_id and minutes."""

    data: Sequence[Row]
    replies: Sequence[tuple[int, int | None]]

    @classmethod
    def of(cls, body: Body, replies: Iterable[ExpectedReply], known: Mapping[str, int]) -> "Content":
        """The rows of a body and expected replies; one whose type is not `known` (name to id) is skipped."""
        expected = {known[reply.type]: reply.timeout for reply in replies if reply.type in known}
        return cls(body_to_rows(body), tuple(expected.items()))


def insert_contents(connection: Connection, contents: Mapping[int, Content]) -> None:
    """Inserts the expected replies and data of packets, which are given by packet_rec_id."""
    expected = [
        {"packet_rec_id": packet_rec_id, "type_id": type_id, "timeout": minutes}
        for packet_rec_id, one in contents.items()
        for type_id, minutes in one.replies
    ]
    _EXPECTED.for_each(connection, expected)
    data = [
        {"packet_rec_id": packet_rec_id, "tag": tag, "subtag": subtag, "seq": seq, "value": value}
        for packet_rec_id, one in contents.items()
        for tag, subtag, seq, value in one.data
    ]
    _DATA.for_each(connection, data)


_EXPECTED = Made(insert(expected_reply_tbl), columns=("packet_rec_id", "type_id", "timeout"))
_DATA = Made(insert(data_tbl), columns=("packet_rec_id", "tag", "subtag", "seq", "value"))
