"""What is read of packets in the AMIE tables, and how."""

from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Select, select

from amierules.database import own_tables
from amierules.database.amie_tables import data_tbl, expected_reply_tbl, packet_tbl, transaction_tbl, type_des
from amierules.database.lookups import Lookup, Lookups
from amierules.database.one_of import one_of


class Head(NamedTuple):
    """What a packet has beside its data."""

    packet_rec_id: int
    trans_rec_id: int
    packet_id: int
    state_id: int
    outgoing_flag: int
    ts: datetime
    type_name: str
    transaction_id: int
    originating_site_name: str
    local_site_name: str
    remote_site_name: str
    transaction_state_id: int
    remote_packet_rec_id: int | None
    remote_trans_rec_id: int | None
    in_reply_to: int | None
    raw: str | None


_OF_TRANSACTION = ("transaction_id", "originating_site_name", "local_site_name", "remote_site_name")
_ALL_HEADS: Select[Any] = (
    select(
        *(packet_tbl.c[name] for name in Head._fields[:6]),
        type_des.c.type_name,
        *(transaction_tbl.c[name] for name in _OF_TRANSACTION),
        transaction_tbl.c.state_id.label("transaction_state_id"),
        *(own_tables.packet.c[name] for name in Head._fields[12:]),
    )
    .join_from(packet_tbl, transaction_tbl)
    .join(type_des, packet_tbl.c.type_id == type_des.c.type_id)
    .outerjoin(own_tables.packet, packet_tbl.c.packet_rec_id == own_tables.packet.c.packet_rec_id)
)
_ALL_REPLIES = (
    select(expected_reply_tbl.c.packet_rec_id, type_des.c.type_name, expected_reply_tbl.c.timeout)
    .join_from(expected_reply_tbl, type_des, expected_reply_tbl.c.type_id == type_des.c.type_id)
    .order_by(expected_reply_tbl.c.packet_rec_id, expected_reply_tbl.c.type_id)
)
_ALL_DATA = select(
    data_tbl.c.packet_rec_id, data_tbl.c.tag, data_tbl.c.subtag, data_tbl.c.seq, data_tbl.c.value
).order_by(data_tbl.c.packet_rec_id, data_tbl.c.tag, data_tbl.c.seq)


WHOLE = Lookups(
    "amierules_whole",
    [
        Lookup("amierules_heads", _ALL_HEADS.where(one_of(packet_tbl.c.packet_rec_id, "ids"))),
        Lookup("amierules_expected", _ALL_REPLIES.where(one_of(expected_reply_tbl.c.packet_rec_id, "ids"))),
        Lookup("amierules_data", _ALL_DATA.where(one_of(data_tbl.c.packet_rec_id, "ids"))),
    ],
)
"""Heads, expected replies and data of packets, by their packet_rec_ids."""
_SAME = packet_tbl.c.packet_rec_id
_OF_THESE = one_of(packet_tbl.c.trans_rec_id, "ids")
WHOLE_TRANSACTIONS = Lookups(
    "amierules_whole_transactions",
    [
        Lookup("amierules_heads_of_transactions", _ALL_HEADS.where(_OF_THESE)),
        Lookup(
            "amierules_expected_of_transactions",
            _ALL_REPLIES.join(packet_tbl, expected_reply_tbl.c.packet_rec_id == _SAME).where(_OF_THESE),
        ),
        Lookup(
            "amierules_data_of_transactions",
            _ALL_DATA.join_from(data_tbl, packet_tbl, data_tbl.c.packet_rec_id == _SAME).where(_OF_THESE),
        ),
    ],
)
"""The same by trans_rec_ids."""
