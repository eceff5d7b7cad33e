"""Intake: a work row for every incoming packet that may be worked on."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, exists, insert, or_, select, update

from amierules.database.amie_tables import STATE_IDS, packet_tbl, transaction_tbl
from amierules.database.connection import Database
from amierules.database.lock_keys import indexable
from amierules.database.own_tables import event, work, work_key
from amierules.database.packets import IS_ELIGIBLE, StoredPacket, read_packets
from amierules.database.upsert import conflict_insert
from amierules.database.work import is_open

_BATCH = 500
_WHO = "intake"


Tell = Callable[[Connection, int, str, str], None]
"""Takes the open transaction, a packet_rec_id, what became of the packet, and why."""


class Needs(NamedTuple):
    """What a packet must have to itself (its lock keys), and what it is about."""

    keys: Collection[str]
    grant_number: str | None
    resource: str | None
    record_id: str | None


def take_in(
    database: Database,
    *,
    keys_of: Callable[[StoredPacket], tuple[Collection[str], str | None, str | None, str | None]],
    site_name: str,
    now: datetime,
    tell: Tell = lambda connection, packet_rec_id, status, reason: None,
) -> int:
    """Gives every eligible packet without a work row one, `ready`; returns how many this call gave.

    `keys_of` returns what `Needs` holds; the transaction's key is added. `tell` is called in the commit of whatever
    becomes of a packet: `arrived`, or the status that it gets. Open rows that have not begun, and whose
    packet another program has closed meanwhile, become `done`; those
    that have begun are held. Safe beside other processes that take in.
    """
    with database.read() as connection:
        waiting = connection.scalars(_WAITING).all()
        closed = connection.execute(_CLOSED_ELSEWHERE).all()
    taken = 0
    for batch in _batches(waiting):
        with database.begin() as connection:
            stored = read_packets(connection, batch, site_name)
            taken += _take(connection, [(one, Needs(*keys_of(one))) for one in stored.values()], now, tell)
    for status, reason, begun in _ENDED_ELSEWHERE:
        for batch in _batches([row.packet_rec_id for row in closed if row.begun == begun]):
            with database.begin() as connection:
                _end(connection, batch, status, reason, now, tell)
    return taken


_ENDED_ELSEWHERE = (
    ("done", "ended by another program", False),
    ("held", "ended by another program after its actions had begun: look what is left of them, then complete it", True),
)


def _batches(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(ids), _BATCH):
        yield ids[start : start + _BATCH]


_WAITING = (
    select(packet_tbl.c.packet_rec_id)
    .join_from(packet_tbl, transaction_tbl)
    .where(IS_ELIGIBLE, ~exists().where(work.c.packet_rec_id == packet_tbl.c.packet_rec_id))
    .order_by(packet_tbl.c.ts, packet_tbl.c.packet_rec_id)
)
# A running one is its worker's, who finds out by himself; one that has begun is held, for a person.
# A join, and no NOT EXISTS: without statistics PostgreSQL compares every row with every other for that.
_IS_OVER = or_(
    packet_tbl.c.packet_rec_id.is_(None),
    packet_tbl.c.state_id != STATE_IDS["in-progress"],
    transaction_tbl.c.state_id.in_([STATE_IDS[state] for state in ("completed", "failed", "rejected", "killed")]),
)
_CLOSED_ELSEWHERE = (
    select(work.c.packet_rec_id, work.c.begun)
    .outerjoin(packet_tbl, packet_tbl.c.packet_rec_id == work.c.packet_rec_id)
    .outerjoin(transaction_tbl, transaction_tbl.c.trans_rec_id == packet_tbl.c.trans_rec_id)
    .where(is_open(), work.c.status.not_in(("running", "in_doubt")), _IS_OVER)
    .where(or_(~work.c.begun, work.c.status != "held"))
)


def _take(connection: Connection, packets: Sequence[tuple[StoredPacket, Needs]], now: datetime, tell: Tell) -> int:
    rows = [_work_row(stored, needs, now) for stored, needs in packets]
    if not rows:
        return 0
    statement = conflict_insert(connection, work).on_conflict_do_nothing().returning(work.c.packet_rec_id)
    new = set(connection.scalars(statement, rows))
    keys = [
        {"packet_rec_id": row["packet_rec_id"], "key": key}
        for row, (_, needs) in zip(rows, packets, strict=True)
        for key in sorted({f"trans:{row['trans_rec_id']}", *needs.keys})
        if row["packet_rec_id"] in new
    ]
    if keys:
        connection.execute(insert(work_key), keys)
    _add_events(connection, sorted(new), "ready", "arrived", now)
    for packet_rec_id in sorted(new):
        tell(connection, packet_rec_id, "arrived", "")
    return len(new)


def _work_row(stored: StoredPacket, needs: Needs, now: datetime) -> dict[str, object]:
    header = stored.packet.header
    return {
        "packet_rec_id": header.packet_rec_id,
        "trans_rec_id": header.trans_rec_id,
        "type": header.type,
        "ts": header.timestamp,
        "status": "ready",
        "begun": False,
        "grant_number": needs.grant_number and indexable(needs.grant_number),
        "resource": needs.resource,
        "record_id": needs.record_id and indexable(needs.record_id),
        "taken_in_at": now,
        "updated_at": now,
    }


def _end(connection: Connection, ids: Sequence[int], status: str, reason: str, now: datetime, tell: Tell) -> None:
    values = {"status": status, "reason": reason, "blocker": None, "next_attempt_at": None, "updated_at": now}
    still = (work.c.packet_rec_id.in_(ids), is_open(), work.c.status.not_in(("running", "in_doubt")))
    ended = connection.scalars(update(work).where(*still).values(values).returning(work.c.packet_rec_id)).all()
    _add_events(connection, ended, status, reason, now)
    for packet_rec_id in sorted(ended):
        tell(connection, packet_rec_id, status, reason)


def _add_events(connection: Connection, ids: Iterable[int], what: str, why: str, now: datetime) -> None:
    rows = [{"packet_rec_id": one, "at": now, "who": _WHO, "what": what, "why": why} for one in ids]
    if rows:
        connection.execute(insert(event), rows)
