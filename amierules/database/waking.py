"""Waking packets: those that a change concerns are due at once. Rows are locked in the order of their ids."""

from collections.abc import Collection, Iterable
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, or_, select, update

from amierules.database.own_tables import work, work_key

_other = work.alias("other")


def wake(connection: Connection, keys: Iterable[str], now: datetime, *, waiting: bool = False) -> int:
    """Makes deferred packets that share one of the keys due now, and `waiting` ones where asked; returns how many."""
    statuses = ("deferred", "waiting") if waiting else ("deferred",)
    sharing = select(work_key.c.packet_rec_id).where(work_key.c.key.in_(sorted(keys)))
    later = or_(work.c.next_attempt_at.is_(None), work.c.next_attempt_at > now)
    found = and_(work.c.status.in_(statuses), later, work.c.packet_rec_id.in_(sharing))
    return connection.execute(update(work).where(in_order(found)).values(next_attempt_at=now)).rowcount


def release(connection: Connection, ids: Collection[int], now: datetime) -> int:
    """Lets the packets be looked at again that wait for one of these, or for one of its transaction; returns how many.

    One whose row is locked is being looked at this moment: it sees by itself what its blocker has become.
    """
    if not ids:
        return 0
    transactions = select(_other.c.trans_rec_id).where(_other.c.packet_rec_id.in_(sorted(ids)))
    theirs = select(_other.c.packet_rec_id).where(_other.c.trans_rec_id.in_(transactions))
    found = and_(work.c.status == "waiting", work.c.blocker.in_(theirs), work.c.next_attempt_at.is_(None))
    statement = update(work).where(in_order(found, skip_locked=True)).values(next_attempt_at=now)
    return connection.execute(statement).rowcount


def look_again(connection: Connection, ids: Collection[int], now: datetime, still: ColumnElement[bool]) -> None:
    """Lets waiting packets be looked at again that nobody will wake."""
    found = and_(work.c.packet_rec_id.in_(sorted(ids)), work.c.next_attempt_at.is_(None), still)
    connection.execute(update(work).where(in_order(found)).values(next_attempt_at=now))


def in_order(found: ColumnElement[bool], *, skip_locked: bool = False) -> ColumnElement[bool]:
    """The rows that a change of several is to hit, locked by id: two such changes never wait for each other."""
    rows = select(work.c.packet_rec_id).where(found).order_by(work.c.packet_rec_id)
    return work.c.packet_rec_id.in_(rows.with_for_update(key_share=True, skip_locked=skip_locked))
