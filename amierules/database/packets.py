"""Packets in the AMIE tables: reading them, finding them, and which of them may be worked on."""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import BindParameter, Connection, and_, bindparam, exists, select

from amierules.database import own_tables
from amierules.database.amie_tables import (
    STATE_IDS,
    STATE_NAMES,
    packet_tbl,
    transaction_depends_tbl,
    transaction_tbl,
    type_des,
)
from amierules.database.lookups import Lookup, Lookups
from amierules.database.made import Made
from amierules.database.one_of import one_of
from amierules.database.packet_lookups import WHOLE, WHOLE_TRANSACTIONS, Head
from amierules.protocol.catalogue import ExpectedReply
from amierules.protocol.packet import IN_PROGRESS, Header, Packet
from amierules.protocol.problem import Problem
from amierules.protocol.rows import Cells, rows_to_body

_CHUNK = 1000
_BIGGEST_ID = 2**63 - 1


@dataclass(frozen=True)
class StoredPacket:
    """A packet of the AMIE tables."""

    packet: Packet
    problems: tuple[Problem, ...]
    """What is wrong with its rows."""
    in_reply_to: int | None
    """The local packet_rec_id that this packet of ours answers."""

    @property
    def state(self) -> str:
        """The packet's state, `in-progress` or another of AMIE's."""
        return self.packet.header.packet_state


class Eligible(NamedTuple):
    """An incoming packet that may be worked on; `ts` is aware, in UTC."""

    packet_rec_id: int
    trans_rec_id: int
    type: str
    ts: datetime


def read_packets(connection: Connection, ids: Sequence[int], site_name: str) -> dict[int, StoredPacket]:
    """The packets with these local packet_rec_ids, incoming or outgoing; one that is missing is left out.

    `site_name` is our site: the header's local side, whichever way the transaction's row names the two. Takes three
    statements for each 1000 packets.
    """
    found: dict[int, StoredPacket] = {}
    for chunk in _chunks(ids):
        found |= _read(connection, WHOLE, chunk, site_name)
    return found


def transaction_packets(connection: Connection, trans_rec_id: int, site_name: str) -> list[StoredPacket]:
    """All packets of a transaction, both directions, in order of (ts, packet_rec_id)."""
    return read_transactions(connection, [trans_rec_id], site_name)[trans_rec_id]


def read_transactions(
    connection: Connection, trans_rec_ids: Collection[int], site_name: str
) -> dict[int, list[StoredPacket]]:
    """All packets of these transactions by trans_rec_id, both directions, in order of (ts, packet_rec_id)."""
    found: dict[int, list[StoredPacket]] = {trans_rec_id: [] for trans_rec_id in trans_rec_ids}
    for chunk in _chunks(trans_rec_ids):
        for stored in _read(connection, WHOLE_TRANSACTIONS, chunk, site_name).values():
            found[stored.packet.header.trans_rec_id or 0].append(stored)
    for of_transaction in found.values():
        of_transaction.sort(key=_arrival)
    return found


def _arrival(stored: StoredPacket) -> tuple[datetime, int]:
    return stored.packet.header.timestamp, stored.packet.header.packet_rec_id or 0


def _read(connection: Connection, which: Lookups, chunk: Sequence[int], site_name: str) -> dict[int, StoredPacket]:
    heads, expected, data = which.rows(connection, *[{"ids": chunk}] * 3)
    replies: dict[int, list[ExpectedReply]] = defaultdict(list)
    for packet_rec_id, name, minutes in expected:
        replies[packet_rec_id].append(ExpectedReply(name, minutes))
    rows: dict[int, list[Cells]] = defaultdict(list)
    for packet_rec_id, tag, subtag, seq, value in data:
        rows[packet_rec_id].append((tag, subtag, seq, value))
    return {head.packet_rec_id: _stored(head, site_name, replies, rows) for head in (Head(*row) for row in heads)}


def _stored(
    head: Head,
    site_name: str,
    replies: Mapping[int, list[ExpectedReply]],
    rows: Mapping[int, list[Cells]],
) -> StoredPacket:
    body, problems = rows_to_body(rows.get(head.packet_rec_id, ()))
    swapped = head.remote_site_name == site_name != head.local_site_name
    header = Header(
        type=head.type_name,
        transaction_id=head.transaction_id,
        packet_id=head.packet_id,
        originating_site_name=head.originating_site_name,
        local_site_name=head.remote_site_name if swapped else head.local_site_name,
        remote_site_name=head.local_site_name if swapped else head.remote_site_name,
        timestamp=head.ts,
        outgoing=bool(head.outgoing_flag),
        packet_state=_state(head.state_id),
        transaction_state=_state(head.transaction_state_id),
        packet_rec_id=head.packet_rec_id,
        trans_rec_id=head.trans_rec_id,
        remote_packet_rec_id=head.remote_packet_rec_id,
        remote_trans_rec_id=head.remote_trans_rec_id,
        expected_replies=tuple(replies.get(head.packet_rec_id, ())),
    )
    raw = None if head.raw is None else json.loads(head.raw)
    return StoredPacket(Packet(header, body, raw), tuple(problems), head.in_reply_to)


def _state(number: int) -> str:
    return STATE_NAMES.get(number, f"state {number}")


def resolve_id(connection: Connection, text: str) -> int | None:
    """The local packet_rec_id that a person means: `N` is the local id itself, `r:N` the remote one.

    None where there is no such packet, or the text is no id.
    """
    digits = text.removeprefix("r:")
    if not (digits.isascii() and digits.isdecimal()) or len(digits) > 19 or int(digits) > _BIGGEST_ID:
        return None
    found: int | None = (_LOCAL if digits == text else _REMOTE).value(connection, number=int(digits))
    return found


_NUMBER: BindParameter[int] = bindparam("number")
_LOCAL = Made(select(packet_tbl.c.packet_rec_id).where(packet_tbl.c.packet_rec_id == _NUMBER))
_REMOTE = Made(
    select(own_tables.packet.c.packet_rec_id)
    .where(own_tables.packet.c.remote_packet_rec_id == _NUMBER)
    .order_by(own_tables.packet.c.packet_rec_id)
)


_other = transaction_tbl.alias("other")
_depends = and_(
    transaction_depends_tbl.c.trans_rec_id == transaction_tbl.c.trans_rec_id,
    transaction_depends_tbl.c.depends_on_trans_rec_id == _other.c.trans_rec_id,
    _other.c.state_id != STATE_IDS["completed"],
)
IS_ELIGIBLE = and_(
    packet_tbl.c.outgoing_flag == 0,
    packet_tbl.c.state_id == STATE_IDS[IN_PROGRESS],
    transaction_tbl.c.state_id == STATE_IDS[IN_PROGRESS],
    ~exists().where(_depends),
)
"""The condition on `packet_tbl` joined with `transaction_tbl`: incoming, in progress, and all it depends on is done."""
_ELIGIBLE = (
    select(packet_tbl.c.packet_rec_id, packet_tbl.c.trans_rec_id, type_des.c.type_name, packet_tbl.c.ts)
    .join_from(packet_tbl, transaction_tbl)
    .join(type_des, packet_tbl.c.type_id == type_des.c.type_id)
    .where(IS_ELIGIBLE)
    .order_by(packet_tbl.c.ts, packet_tbl.c.packet_rec_id)
)


def eligible(connection: Connection, ids: Sequence[int] | None) -> list[Eligible]:
    """The incoming packets that may be worked on, of these ids or (None) of all, in order of (ts, packet_rec_id).

    A packet may be worked on while it and its transaction are in progress, and every transaction that its transaction
    depends on is completed (Implementing AMIE, 2012).
    """
    if ids is None:
        return [Eligible(*row) for row in connection.execute(_ELIGIBLE)]
    found = [
        Eligible(*row)
        for chunk in _chunks(ids)
        for row in connection.execute(_ELIGIBLE.where(one_of(packet_tbl.c.packet_rec_id, chunk)))
    ]
    return sorted(found, key=lambda one: (one.ts, one.packet_rec_id))


def is_in_progress(header: Header) -> bool:
    """Whether a packet may be worked on, as far as its own row and its transaction's say."""
    return not header.outgoing and header.packet_state == header.transaction_state == IN_PROGRESS


def why_not_eligible(connection: Connection, packet_rec_id: int) -> str | None:
    """Why the packet may not be worked on, for people; None where it may."""
    statement = (
        select(
            packet_tbl.c.outgoing_flag,
            packet_tbl.c.state_id,
            transaction_tbl.c.trans_rec_id,
            transaction_tbl.c.state_id.label("transaction_state_id"),
        )
        .join_from(packet_tbl, transaction_tbl)
        .where(packet_tbl.c.packet_rec_id == packet_rec_id)
    )
    row = connection.execute(statement).one_or_none()
    if row is None:
        return "it is no longer in the database"
    if row.outgoing_flag:
        return "it is an outgoing packet"
    if row.state_id != STATE_IDS[IN_PROGRESS]:
        return f"no longer in progress: it is {_state(row.state_id)}"
    if row.transaction_state_id != STATE_IDS[IN_PROGRESS]:
        return f"its transaction is {_state(row.transaction_state_id)}"
    return _unfinished_dependency(connection, row.trans_rec_id)


def dependent(connection: Connection, trans_rec_ids: Collection[int]) -> set[int]:
    """Those of these transactions that depend on one that is not completed."""
    found: set[int] = set()
    for chunk in _chunks(trans_rec_ids):
        found.update(number for (number,) in _DEPENDENT.rows(connection, ids=chunk))
    return found


_DEPENDENT = Lookup(
    "amierules_dependent",
    select(transaction_tbl.c.trans_rec_id).where(
        one_of(transaction_tbl.c.trans_rec_id, "ids"), exists().where(_depends)
    ),
)


def _unfinished_dependency(connection: Connection, trans_rec_id: int) -> str | None:
    statement = (
        select(_other.c.trans_rec_id, _other.c.state_id)
        .select_from(transaction_tbl, transaction_depends_tbl, _other)
        .where(_depends, transaction_tbl.c.trans_rec_id == trans_rec_id)
        .order_by(_other.c.trans_rec_id)
        .limit(1)
    )
    row = connection.execute(statement).one_or_none()
    return row and f"depends on transaction {row.trans_rec_id}, which is {_state(row.state_id)}"


def _chunks(ids: Iterable[int]) -> Iterator[list[int]]:
    ordered = sorted(set(ids))
    for start in range(0, len(ordered), _CHUNK):
        yield ordered[start : start + _CHUNK]
