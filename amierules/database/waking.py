"""Waking packets: those that a change concerns are due at once. Rows are locked in the order of their ids."""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, ColumnElement, Connection, Update, and_, any_, bindparam, or_, select, update

from amierules.database.own_tables import work, work_key
from amierules.database.types import Utc

_other = work.alias("other")


def wake(connection: Connection, keys: Collection[str], now: datetime, *, waiting: bool = False) -> int:
    """Makes deferred packets that share one of the keys due now, and `waiting` ones where asked; returns how many."""
    statuses = ["deferred", "waiting"] if waiting else ["deferred"]
    values = {"statuses": statuses, "keys": sorted(keys), "moment": now}
    return connection.execute(WAKE[connection.dialect.name], values).rowcount


def release(connection: Connection, ids: Collection[int], now: datetime) -> int:
    """Lets the packets be looked at again that wait for one of these, or for one of its transaction; returns how many.

    One whose row is locked is being looked at this moment: it sees by itself what its blocker has become.
    """
    return (
        connection.execute(RELEASE[connection.dialect.name], {"ids": sorted(ids), "moment": now}).rowcount if ids else 0
    )


def look_again(connection: Connection, ids: Collection[int], now: datetime, still: ColumnElement[bool]) -> None:
    """Lets waiting packets be looked at again that nobody will wake."""
    found = and_(work.c.packet_rec_id.in_(sorted(ids)), work.c.next_attempt_at.is_(None), still)
    connection.execute(update(work).where(in_order(found)).values(next_attempt_at=now))


def in_order(found: ColumnElement[bool], *, skip_locked: bool = False) -> ColumnElement[bool]:
    """The rows that a change of several is to hit, locked by id: two such changes never wait for each other."""
    rows = select(work.c.packet_rec_id).where(found).order_by(work.c.packet_rec_id)
    return work.c.packet_rec_id.in_(rows.with_for_update(key_share=True, skip_locked=skip_locked))


OneOf = Callable[[ColumnElement[Any], str], ColumnElement[bool]]
"""Makes the condition that a column has one of the values of a parameter."""

_ONE_OF: Mapping[str, OneOf] = {
    "sqlite": lambda column, name: column.in_(bindparam(name, expanding=True)),
    # The text stays the same, however many values there are.
    "postgresql": lambda column, name: column == any_(bindparam(name, type_=ARRAY(column.type))),
}
_MOMENT = bindparam("moment", type_=Utc)


def _wake(one_of: OneOf) -> Update:
    sharing = select(work_key.c.packet_rec_id).where(one_of(work_key.c.key, "keys"))
    later = or_(work.c.next_attempt_at.is_(None), work.c.next_attempt_at > _MOMENT)
    found = and_(one_of(work.c.status, "statuses"), later, work.c.packet_rec_id.in_(sharing))
    return update(work).where(in_order(found)).values(next_attempt_at=_MOMENT)


def _release(one_of: OneOf) -> Update:
    transactions = select(_other.c.trans_rec_id).where(one_of(_other.c.packet_rec_id, "ids"))
    blockers = select(_other.c.packet_rec_id).where(_other.c.trans_rec_id.in_(transactions))
    found = and_(work.c.status == "waiting", work.c.blocker.in_(blockers), work.c.next_attempt_at.is_(None))
    return update(work).where(in_order(found, skip_locked=True)).values(next_attempt_at=_MOMENT)


WAKE, RELEASE = ({name: make(one_of) for name, one_of in _ONE_OF.items()} for make in (_wake, _release))
"""The statements by dialect: `keys`, `statuses` and `moment`; `ids` and `moment`."""
