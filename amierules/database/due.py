"""Which packets may be tried now, in the order in which they came."""

from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Integer, Select, and_, bindparam, literal_column, or_, select

from amierules.database.lookups import Lookup
from amierules.database.own_tables import work
from amierules.database.work import is_not_paused, is_open


class Due(NamedTuple):
    """A packet that may be tried, with its place in the order of arrival; the time is aware."""

    packet_rec_id: int
    ts: datetime


def due_packets(
    connection: Connection, now: datetime, *, limit: int, after: tuple[datetime, int] | None = None
) -> list[Due]:
    """The packets that a worker may try now, in order of arrival, at most `limit`, those after (time stamp, id).

    Ready ones, deferred and retrying ones whose time has come, waiting ones whose blocker is out of the way, and
    running ones: their worker may be gone.
    """
    ts, number = after if after is not None else (None, None)
    from_there = {} if after is None else {"after_ts": ts, "after_id": number}
    rows = (_DUE if after is None else _DUE_AFTER).rows(connection, now=now, most=limit, **from_there)
    return [Due(*row) for row in rows]


def _due() -> Select[Any]:
    ready = _of("ready", "running")
    at_once = and_(_of("deferred", "retrying"), work.c.next_attempt_at.is_(None))
    its_time = and_(_of("deferred", "retrying", "waiting"), work.c.next_attempt_at <= bindparam("now"))
    query = select(work.c.packet_rec_id, work.c.ts).where(is_open(), or_(ready, at_once, its_time), is_not_paused())
    return query.order_by(work.c.ts, work.c.packet_rec_id).limit(bindparam("most", type_=Integer))


def _of(*statuses: str) -> ColumnElement[bool]:
    return work.c.status.in_([literal_column(f"'{status}'") for status in statuses])


_LATER = or_(
    work.c.ts > bindparam("after_ts"),
    and_(work.c.ts == bindparam("after_ts"), work.c.packet_rec_id > bindparam("after_id")),
)
_DUE = Lookup("amierules_due", _due())
_DUE_AFTER = Lookup("amierules_due_after", _due().where(_LATER))
