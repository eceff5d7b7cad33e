"""Forgetting how packets that ended long ago were worked on: steps, events, lock keys, and messages that are settled.

What the work row says stays, and so does all that AMIE's tables and the record of replies hold: `record` and
`transaction` see what they always saw, and no packet is taken in twice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Table, delete, exists, func, or_, select, true, update

from amierules.database import events
from amierules.database.connection import Database
from amierules.database.outbox import DROPPED, SENT
from amierules.database.own_tables import FINAL_STATUSES, event, outbox, step, work, work_key

_BATCH = 1000
_FORGOTTEN: Mapping[Table, ColumnElement[bool]] = {
    step: true(),
    event: true(),
    work_key: true(),
    # What may still be sent stays, and so does what a person has yet to see.
    outbox: outbox.c.state.in_((SENT, DROPPED)),
}


@dataclass
class Pruned:
    """How much was forgotten, or would be."""

    packets: int = 0
    steps: int = 0
    events: int = 0
    messages: int = 0


def prune(database: Database, before: datetime, *, who: str, now: datetime, dry_run: bool = False) -> Pruned:
    """Forgets how packets were worked on that ended before a moment; with `dry_run` only counts. Returns how much.

    Works in batches, beside runs. Raises `Unavailable`.
    """
    total, last = Pruned(), 0
    while True:
        with database.read() if dry_run else database.begin() as connection:
            ids = _ended(connection, before, last, lock=not dry_run)
            if not ids:
                break
            last = ids[-1]
            _add(total, _count(connection, ids))
            if not dry_run:
                _forget(connection, ids)
    if total.packets and not dry_run:
        with database.begin() as connection:
            said = f"{total.packets} packets that ended before {before:%Y-%m-%d %H:%M}Z"
            events.add(connection, None, who, "pruned", said, now)
    return total


def _ended(connection: Connection, before: datetime, after: int, *, lock: bool) -> Sequence[int]:
    """The next packets that have anything to forget, by id."""
    kept = [exists().where(table.c.packet_rec_id == work.c.packet_rec_id, old) for table, old in _FORGOTTEN.items()]
    query = (
        select(work.c.packet_rec_id)
        .where(work.c.status.in_(FINAL_STATUSES), work.c.updated_at < before, work.c.packet_rec_id > after)
        .where(or_(*kept))
        .order_by(work.c.packet_rec_id)
        .limit(_BATCH)
    )
    return connection.scalars(query.with_for_update(key_share=True) if lock else query).all()


def _count(connection: Connection, ids: Sequence[int]) -> Pruned:
    def number(table: Table) -> int:
        return connection.scalar(select(func.count()).where(table.c.packet_rec_id.in_(ids), _FORGOTTEN[table])) or 0

    return Pruned(len(ids), number(step), number(event), number(outbox))


def _add(total: Pruned, more: Pruned) -> None:
    total.packets += more.packets
    total.steps += more.steps
    total.events += more.events
    total.messages += more.messages


def _forget(connection: Connection, ids: Sequence[int]) -> None:
    for table, old in _FORGOTTEN.items():
        connection.execute(delete(table).where(table.c.packet_rec_id.in_(ids), old))
    connection.execute(update(work).where(work.c.packet_rec_id.in_(ids)).values(pinned=None))
