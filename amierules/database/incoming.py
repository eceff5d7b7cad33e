"""Storing incoming packets, each once."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, exists, select, update

from amierules.database import own_tables
from amierules.database.amie_tables import STATE_IDS, expected_reply_tbl, packet_tbl
from amierules.database.made import Made
from amierules.database.notices import tell_workers
from amierules.database.one_of import one_of
from amierules.database.packet_rows import Content, NewPacket, insert_contents, insert_packets, type_ids
from amierules.database.packets import read_packets
from amierules.database.resent import make_room, replaces
from amierules.database.schema import OURS
from amierules.database.transactions import Owner, transactions_for
from amierules.database.upsert import conflict_insert
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
    (stored,) = store_all_incoming(connection, [packet], now)
    return stored


def store_all_incoming(connection: Connection, packets: Sequence[Packet], now: datetime) -> list[Stored]:
    """Stores these packets in a few statements; returns what became of each, in their order. Else as
    `store_incoming`.
    """
    stored = [one for group in _without_repeats(packets) for one in _store_group(connection, group, now)]
    if any(one.kind in (StoredKind.NEW, StoredKind.RESENT) for one in stored):
        tell_workers(connection)
    return stored


def differs_from_stored(connection: Connection, packet_rec_id: int, packet: Packet) -> bool:
    """Whether the packet that has this row is of another type than `packet`, or has another body."""
    header = packet.header
    stored = read_packets(connection, [packet_rec_id], header.local_site_name)[packet_rec_id].packet
    return (stored.header.type, stored.body) != (header.type, packet.body)


_Key = tuple[str, int]
"""A remote site, and its packet_rec_id."""


def _key(header: Header) -> _Key | None:
    return None if header.remote_packet_rec_id is None else (header.remote_site_name, header.remote_packet_rec_id)


def _without_repeats(packets: Sequence[Packet]) -> Iterator[Sequence[Packet]]:
    """The packets in their order, in groups that have each remote packet_rec_id once."""
    group: dict[_Key | int, Packet] = {}
    for place, packet in enumerate(packets):
        key = _key(packet.header) or place
        if key in group:
            yield list(group.values())
            group = {}
        group[key] = packet
    yield list(group.values())


class _Fresh(NamedTuple):
    """A packet whose remote packet_rec_id is not here."""

    packet: Packet
    owner: Owner

    @property
    def place(self) -> tuple[int, int]:
        """Where it stands: its transaction, and its packet_id there."""
        return self.owner.trans_rec_id, self.packet.header.packet_id


def _store_group(connection: Connection, packets: Sequence[Packet], now: datetime) -> list[Stored]:
    known = _known_types(connection, packets)
    same = _same_remote(connection, packets)
    wanted = [one for one in packets if one.header.type in known and _key(one.header) not in same]
    owners = transactions_for(connection, [one.header for one in wanted])
    fresh = list(map(_Fresh, wanted, owners))
    made = _insert(connection, fresh, known, now)
    coming = iter(fresh)
    stored = []
    for packet in packets:
        if packet.header.type not in known:
            stored.append(_keep(connection, packet, now))
        elif (there := same.get(_key(packet.header))) is not None:
            stored.append(_again(connection, there, packet, known, now))
        elif (new := made.pop((place := next(coming).place), None)) is not None:
            stored.append(Stored(new, StoredKind.NEW))
        else:
            stored.append(_again(connection, _same_packet_id(connection, *place), packet, known, now))
    return stored


def _known_types(connection: Connection, packets: Sequence[Packet]) -> dict[str, int]:
    expected = {reply.type for packet in packets for reply in _replies(packet.header)}
    return type_ids(connection, expected | {packet.header.type for packet in packets})


def _insert(
    connection: Connection, fresh: Sequence[_Fresh], known: Mapping[str, int], now: datetime
) -> dict[tuple[int, int], int]:
    """Stores the packets whose places are free; returns their packet_rec_ids. The first of a place has it."""
    firsts = {one.place: one for one in reversed(fresh)}
    made = insert_packets(connection, [_new_packet(one, known) for one in fresh if firsts[one.place] is one])
    if not made:
        return {}
    packets = {number: firsts[place].packet for place, number in made.items()}
    contents = {number: Content.of(one.body, _replies(one.header), known) for number, one in packets.items()}
    insert_contents(connection, contents)
    _insert_own(connection, packets, now)
    _complete_expecting(connection, [firsts[place] for place in made], known)
    return made


def _new_packet(one: _Fresh, known: Mapping[str, int]) -> NewPacket:
    trans_rec_id, packet_id = one.place
    header = one.packet.header
    return NewPacket(
        trans_rec_id, packet_id, known[header.type], header.packet_state, outgoing=False, ts=header.timestamp
    )


def _again(
    connection: Connection, packet_rec_id: int, packet: Packet, known: Mapping[str, int], now: datetime
) -> Stored:
    """What becomes of a packet that is there already."""
    header = packet.header
    if not replaces(connection, packet_rec_id, header):
        return Stored(packet_rec_id, StoredKind.DUPLICATE)
    make_room(connection, packet_rec_id, header, known[header.type], now)
    insert_contents(connection, {packet_rec_id: Content.of(packet.body, _replies(header), known)})
    _insert_own(connection, {packet_rec_id: packet}, now)
    return Stored(packet_rec_id, StoredKind.RESENT)


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


_OURS = own_tables.packet.c
_SAME_REMOTE = Made(
    select(_OURS.remote_site_name, _OURS.remote_packet_rec_id, _OURS.packet_rec_id)
    .where(_OURS.remote_site_name == bindparam("site"))
    .where(one_of(_OURS.remote_packet_rec_id, "numbers"))
    # The legacy program may have deleted the packet itself.
    .where(exists().where(packet_tbl.c.packet_rec_id == _OURS.packet_rec_id))
)


def _same_remote(connection: Connection, packets: Sequence[Packet]) -> dict[_Key | None, int]:
    """The packets that have the same remote packet_rec_ids, by these."""
    keys = [key for packet in packets if (key := _key(packet.header)) is not None]
    found: dict[_Key | None, int] = {}
    for site in sorted({site for site, _ in keys}):
        numbers = [number for one, number in keys if one == site]
        rows = _SAME_REMOTE.rows(connection, site=site, numbers=numbers)
        found |= {(name, number): packet_rec_id for name, number, packet_rec_id in rows}
    return found


def _same_packet_id(connection: Connection, trans_rec_id: int, packet_id: int) -> int:
    statement = select(packet_tbl.c.packet_rec_id).where(
        packet_tbl.c.trans_rec_id == trans_rec_id,
        packet_tbl.c.packet_id == packet_id,
        packet_tbl.c.outgoing_flag == 0,
    )
    return int(connection.execute(statement).scalar_one())


def _insert_own(connection: Connection, packets: Mapping[int, Packet], now: datetime) -> None:
    rows = [
        {
            "packet_rec_id": packet_rec_id,
            "remote_packet_rec_id": packet.header.remote_packet_rec_id,
            "remote_trans_rec_id": packet.header.remote_trans_rec_id,
            "remote_site_name": packet.header.remote_site_name,
            "raw": None if packet.raw is None else json.dumps(packet.raw),
            "stored_at": now,
        }
        for packet_rec_id, packet in packets.items()
    ]
    _OWN_ROW.for_each(connection, rows)


_OWN_COLUMNS = (
    *("packet_rec_id", "remote_packet_rec_id", "remote_trans_rec_id", "remote_site_name"),
    *("raw", "stored_at"),
)
# The row of a packet that the legacy program has deleted since, and that comes again; where the packet has no remote
# id, none is in its way.
_OWN_ROW = Made.upsert(
    own_tables.packet,
    lambda new: new.on_conflict_do_update(
        index_elements=["remote_site_name", "remote_packet_rec_id"],
        set_={name: new.excluded[name] for name in _OWN_COLUMNS},
    ),
    _OWN_COLUMNS,
)


_EXPECTS = exists().where(
    expected_reply_tbl.c.packet_rec_id == packet_tbl.c.packet_rec_id,
    expected_reply_tbl.c.type_id == bindparam("expected"),
)
_OWNED = exists().where(own_tables.meta.c.name == "amie_tables", own_tables.meta.c.value == OURS)
_EXPECTING = (
    select(packet_tbl.c.packet_rec_id)
    .where(one_of(packet_tbl.c.trans_rec_id, "transactions"), packet_tbl.c.outgoing_flag == 1)
    .where(packet_tbl.c.state_id == STATE_IDS[IN_PROGRESS], _EXPECTS, _OWNED)
    # Locked by id: two such changes never wait for each other.
    .order_by(packet_tbl.c.packet_rec_id)
    .with_for_update(of=packet_tbl, key_share=True)
)
_COMPLETE = Made(
    update(packet_tbl).where(packet_tbl.c.packet_rec_id.in_(_EXPECTING)).values(state_id=STATE_IDS["completed"])
)


def _complete_expecting(connection: Connection, came: Sequence[_Fresh], known: Mapping[str, int]) -> None:
    """Completes our packets that expect what came. A transaction that was made for it has none of ours."""
    expected: dict[int, list[int]] = {}
    for packet, owner in came:
        if not owner.is_new:
            expected.setdefault(known[packet.header.type], []).append(owner.trans_rec_id)
    for type_id, transactions in expected.items():
        _COMPLETE.hits(connection, expected=type_id, transactions=transactions)
