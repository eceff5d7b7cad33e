"""Intake: a work row for every incoming packet that may be worked on."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from functools import partial
from typing import Any, NamedTuple

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Select,
    and_,
    bindparam,
    exists,
    func,
    insert,
    null,
    select,
    update,
)

from amierules.database import events
from amierules.database.amie_tables import STATE_IDS, packet_tbl, transaction_tbl
from amierules.database.arrivals import Place
from amierules.database.changed_elsewhere import CHANGED, ENDED, Changed
from amierules.database.connection import Database
from amierules.database.glance import SNAPSHOT, Glance
from amierules.database.in_turn import in_turn
from amierules.database.lock_keys import indexable
from amierules.database.made import Made
from amierules.database.marks import intake_marks, raise_intake_mark, take_sweep
from amierules.database.one_of import one_of
from amierules.database.own_tables import work, work_key
from amierules.database.packets import IS_ELIGIBLE, StoredPacket, read_packets
from amierules.database.waking import in_order, look_again, release
from amierules.database.work import WorkItem, is_open
from amierules.protocol.packet import Packet

SWEEP_EVERY = timedelta(minutes=10)
_BATCH = 500
_LATE = 1000
"""A packet whose transaction was committed after later ones is found by its id, if so many came after it at most."""
_WHO = "intake"


Tell = Callable[[Connection, int, str, str], None]
"""Takes the open transaction, a packet_rec_id, what became of the packet, and why."""


class Needs(NamedTuple):
    """What a packet must have to itself (its lock keys), and what it is about."""

    keys: Collection[str]
    grant_number: str | None
    resource: str | None
    record_id: str | None


def _tell_nobody(connection: Connection, packet_rec_id: int, status: str, reason: str) -> None:
    """Nobody wants to know."""


NeedsOf = Callable[[Connection, Sequence[StoredPacket]], Sequence[Needs]]
"""Tells for each of the packets, in their order, what it needs; reads them from the open transaction."""


def take_in(
    database: Database,
    *,
    needs_of: NeedsOf,
    site_name: str,
    now: datetime,
    sweep_every: timedelta = SWEEP_EVERY,
    tell: Tell = _tell_nobody,
    crash_point: Callable[[str], None] = lambda name: None,
    glance: Glance | None = None,
) -> int:
    """Gives eligible packets without a work row one, `ready`; returns how many this call gave.

    A quick pass looks at the newest packets alone. Where nobody has swept for `sweep_every`, a sweep looks at all of
    them, and at what other programs have changed in old ones: see `Changed`. The transaction's key is added to what
    `needs_of` tells. `tell` is called in the commit of whatever becomes of a packet: `arrived`, or the
    status that it gets. With the caller's `glance` nothing is read where nothing was committed since an earlier pass
    that found nothing. Safe beside other processes that take in. Tests end the process at a `crash_point`.
    """
    glance = glance or Glance()
    if glance.is_enough(database, now, sweep_every):
        return 0
    glance.forget()
    with database.read() as connection:
        marks = intake_marks(connection)
        seen = None if marks.sweep_is_due(now, sweep_every) else _look(connection, marks.seen)
    if seen is None:
        sweeping = in_turn(database, lambda connection: take_sweep(connection, now, sweep_every)) or marks.seen is None
        crash_point("after taking the sweep")
        with database.read() as connection:
            seen = _look(connection, None if sweeping else marks.seen)

    def take(connection: Connection, batch: Sequence[int]) -> int:
        stored = [one for _, one in sorted(read_packets(connection, batch, site_name).items())]
        taken = _take(connection, list(zip(stored, needs_of(connection, stored), strict=True)), now, tell)
        crash_point("in intake")
        return taken

    def change(connection: Connection, change: Changed, batch: Sequence[int]) -> None:
        _settle(connection, change, change.still, batch, now, tell)
        crash_point("in sweep")

    taken = 0
    for batch in _batches(seen.new):
        taken += in_turn(database, partial(take, batch=batch))
        crash_point("after intake")
    for one, ids in seen.changed:
        for batch in _batches(ids):
            in_turn(database, partial(change, change=one, batch=batch))
            crash_point("after sweep")
    if marks.seen is None or seen.newest > marks.seen:
        in_turn(database, partial(raise_intake_mark, seen=seen.newest))
    elif not seen.new and not seen.changed:
        glance.keep(seen.snapshot, marks)
    return taken


class _Seen(NamedTuple):
    """What one look at AMIE's tables found."""

    new: Sequence[int]
    newest: int
    changed: Sequence[tuple["Changed", Sequence[int]]]
    snapshot: str | None
    """The one that it was made in, of PostgreSQL."""


def _look(connection: Connection, mark: int | None) -> _Seen:
    """What is new since the mark was made; without one all that is new, and all that was changed."""
    ((highest, snapshot),) = _NEWEST.rows(connection)
    newest: int = highest or 0
    if mark is None:
        changed = [(one, sorted(row[0] for row in connection.execute(one.query))) for one in CHANGED]
        return _Seen(connection.scalars(_WAITING).all(), newest, changed, snapshot)
    new = [number for (number,) in _QUICK.rows(connection, since=mark - _LATE)]
    # In two steps, or PostgreSQL may look at all transactions to find those of the few new packets.
    waiting = [number for (number,) in _WAITING_OF.rows(connection, ids=new)] if new else ()
    return _Seen(waiting, newest, (), snapshot)


def not_taken_in(connection: Connection) -> list[Place]:
    """The packets to which a sweep would give a work row, earliest first."""
    return [(ts, number) for number, ts in connection.execute(_WAITING.add_columns(packet_tbl.c.ts))]


def as_taken_in(packet: Packet, needs: Needs, now: datetime) -> WorkItem:
    """The work row that a packet would get."""
    empty: dict[str, Any] = dict.fromkeys(field.name for field in fields(WorkItem))
    return WorkItem(**{**empty, "attempts": 0, "fence": 0, **_work_row(packet, needs, now)})


def quick_query(since: int | BindParameter[int]) -> Select[Any]:
    """The incoming packets in progress with an id above `since` that have no work row."""
    newer = packet_tbl.c.packet_rec_id > since
    in_progress = (packet_tbl.c.outgoing_flag == 0, packet_tbl.c.state_id == STATE_IDS["in-progress"])
    return select(packet_tbl.c.packet_rec_id).where(newer, *in_progress, _HAS_NO_ROW)


def end_elsewhere(connection: Connection, packet_rec_id: int, now: datetime, tell: Tell = _tell_nobody) -> bool:
    """Ends the work row of a packet that the caller has claimed, if another program has ended it; whether it did."""
    for change in ENDED:
        over = connection.execute(change.query.where(work.c.packet_rec_id == packet_rec_id)).first()
        if over is not None:
            _settle(connection, change, is_open(), [packet_rec_id], now, tell)
            return True
    return False


def _batches(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(ids), _BATCH):
        yield ids[start : start + _BATCH]


_ID = packet_tbl.c.packet_rec_id
_HAS_NO_ROW = ~exists().where(work.c.packet_rec_id == _ID)
_WAITING = (
    select(_ID).join_from(packet_tbl, transaction_tbl).where(IS_ELIGIBLE, _HAS_NO_ROW).order_by(packet_tbl.c.ts, _ID)
)
_WAITING_OF = Made(_WAITING.where(one_of(_ID, "ids")), _WAITING.where(_ID.in_(bindparam("ids", expanding=True))))
_NEWEST = Made(select(func.max(_ID), null().label("snapshot")), select(func.max(_ID), SNAPSHOT))
_QUICK = Made(quick_query(bindparam("since")))


def _take(connection: Connection, packets: Sequence[tuple[StoredPacket, Needs]], now: datetime, tell: Tell) -> int:
    rows = [_work_row(stored.packet, needs, now) for stored, needs in packets]
    if not rows:
        return 0
    new = {number for (number,) in _ROW.rows_of_each(connection, rows)}
    keys = [
        {"packet_rec_id": row["packet_rec_id"], "key": key}
        for row, (_, needs) in zip(rows, packets, strict=True)
        for key in sorted({f"trans:{row['trans_rec_id']}", *needs.keys})
        if row["packet_rec_id"] in new
    ]
    _KEY.for_each(connection, keys)
    _add_events(connection, sorted(new), "ready", "arrived", now)
    for packet_rec_id in sorted(new):
        tell(connection, packet_rec_id, "arrived", "")
    return len(new)


_ROW = Made.upsert(
    work,
    lambda new: new.on_conflict_do_nothing().returning(work.c.packet_rec_id),
    (
        *("packet_rec_id", "trans_rec_id", "type", "ts", "status", "begun"),
        *("grant_number", "resource", "record_id", "taken_in_at", "updated_at"),
    ),
)
_KEY = Made(insert(work_key), columns=("packet_rec_id", "key"))


def _work_row(packet: Packet, needs: Needs, now: datetime) -> dict[str, Any]:
    header = packet.header
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


def _settle(
    connection: Connection,
    change: Changed,
    still: ColumnElement[bool],
    ids: Sequence[int],
    now: datetime,
    tell: Tell = _tell_nobody,
) -> None:
    if change.status is None:
        look_again(connection, ids, now, still)
        return
    values = {"status": change.status, "reason": change.reason, "blocker": None, "next_attempt_at": None}
    found = and_(work.c.packet_rec_id.in_(ids), still)
    statement = update(work).where(in_order(found)).values({**values, "updated_at": now})
    ended = connection.scalars(statement.returning(work.c.packet_rec_id)).all()
    _add_events(connection, sorted(ended), change.status, change.reason, now)
    for packet_rec_id in sorted(ended):
        tell(connection, packet_rec_id, change.status, change.reason)
    release(connection, ended, now)


def _add_events(connection: Connection, ids: Iterable[int], what: str, why: str, now: datetime) -> None:
    events.add_several(connection, [(one, what, why) for one in ids], _WHO, now)
