"""Waking packets: those that a change concerns are due at once. Rows are locked in the order of their ids."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    bindparam,
    literal_column,
    or_,
    select,
    update,
)

from amierules.database.made import Made
from amierules.database.one_of import among_found, one_of
from amierules.database.own_tables import work, work_key
from amierules.database.types import Utc

_other = work.alias("other")


def wake(connection: Connection, keys: Collection[str], now: datetime, *, waiting: bool = False) -> int:
    """Makes deferred packets that share one of the keys due now, and `waiting` ones where asked; returns how many."""
    statuses = ["deferred", "waiting"] if waiting else ["deferred"]
    return _WAKE.hits(connection, statuses=statuses, keys=sorted(keys), moment=now)


def release(connection: Connection, ids: Collection[int], now: datetime) -> int:
    """Lets the packets be looked at again that wait for one of these, or for one of its transaction; returns how many.

    One whose row is locked is being looked at this moment: it sees by itself what its blocker has become.
    """
    return _RELEASE.hits(connection, ids=sorted(ids), moment=now) if ids else 0


def look_again(connection: Connection, ids: Collection[int], now: datetime, still: ColumnElement[bool]) -> None:
    """Lets waiting packets be looked at again that nobody will wake."""
    found = and_(work.c.packet_rec_id.in_(sorted(ids)), work.c.next_attempt_at.is_(None), still)
    connection.execute(update(work).where(in_order(found)).values(next_attempt_at=now))


def in_order(found: ColumnElement[bool], *, skip_locked: bool = False) -> ColumnElement[bool]:
    """The rows that a change of several is to hit, locked by id: two such changes never wait for each other."""
    rows = select(work.c.packet_rec_id).where(found).order_by(work.c.packet_rec_id)
    return work.c.packet_rec_id.in_(rows.with_for_update(key_share=True, skip_locked=skip_locked))


_MOMENT = bindparam("moment", type_=Utc)
_SHARING = select(work_key.c.packet_rec_id).where(one_of(work_key.c.key, "keys"))
_TO_WAKE = and_(
    one_of(work.c.status, "statuses"),
    or_(work.c.next_attempt_at.is_(None), work.c.next_attempt_at > _MOMENT),
    among_found(work.c.packet_rec_id, _SHARING),
)
WAKE = update(work).where(in_order(_TO_WAKE)).values(next_attempt_at=_MOMENT)
"""Its parameters are `keys`, `statuses` and `moment`."""

_TRANSACTIONS = select(_other.c.trans_rec_id).where(one_of(_other.c.packet_rec_id, "ids"))
_OF_TRANSACTIONS = select(_other.c.packet_rec_id).where(among_found(_other.c.trans_rec_id, _TRANSACTIONS))
# As a literal, or a prepared statement cannot use the index on waiting rows.
_IS_WAITING = work.c.status == literal_column("'waiting'")
_TO_RELEASE = and_(_IS_WAITING, among_found(work.c.blocker, _OF_TRANSACTIONS), work.c.next_attempt_at.is_(None))
RELEASE = update(work).where(in_order(_TO_RELEASE, skip_locked=True)).values(next_attempt_at=_MOMENT)
"""Its parameters are `ids` and `moment`."""

_WAKE, _RELEASE = Made(WAKE), Made(RELEASE)
