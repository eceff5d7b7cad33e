"""Pauses: back ends that are away, or that a person has paused, and resources; packets that need them wait."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, and_, bindparam, delete, func, insert, or_, select, update

from amierules.database import events
from amierules.database.lookups import Lookup
from amierules.database.made import Made
from amierules.database.one_of import one_of
from amierules.database.own_tables import pause, work
from amierules.database.upsert import conflict_insert
from amierules.database.waking import in_order
from amierules.database.work import WORKABLE, is_open

_SHORTEST, _LONGEST = timedelta(seconds=30), timedelta(minutes=15)


@dataclass(frozen=True)
class Pause:
    """A back end or resource that is not used. `until` is when one packet tries whether it is back; None: a person
    paused it, and says when it is over.
    """

    name: str
    since: datetime
    reason: str
    until: datetime | None
    who: str
    failures: int
    prober: int | None
    """The packet that tries whether it is back."""


def listing(connection: Connection) -> list[Pause]:
    """All pauses, by name."""
    return [Pause(**row) for row in _ALL.mappings(connection)]


_ALL = Made(select(pause).order_by(pause.c.name))
_FIND = Lookup(
    "amierules_pause_find",
    select(*(pause.c[column.name] for column in fields(Pause))).where(pause.c.name == bindparam("name")),
)


def find(connection: Connection, name: str) -> Pause | None:
    """The pause of this name."""
    rows = _FIND.rows(connection, name=name)
    return Pause(*rows[0]) if rows else None


def waiting_for(connection: Connection) -> dict[str, int]:
    """How many packets wait for each paused back end or resource: without the pause a worker might try them."""
    waits = or_(work.c.paused_by == pause.c.name, work.c.resource == pause.c.name)
    tried = and_(is_open(), one_of(work.c.status, WORKABLE))
    counted = select(pause.c.name, func.count()).join(work, waits).where(tried).group_by(pause.c.name)
    return {row[0]: row[1] for row in connection.execute(counted)}


def begin(connection: Connection, name: str, reason: str, who: str, now: datetime) -> None:
    """A person pauses a back end or resource, until `resume`. One that a person paused before stays so since then, and
    for the same reason where no other is given."""
    before = find(connection, name)
    if before is not None and before.until is None:
        reason, since = reason or before.reason, before.since
    else:
        since = now
    connection.execute(delete(pause).where(pause.c.name == name))
    row = {"name": name, "since": since, "reason": reason, "until": None, "who": who, "failures": 0, "prober": None}
    connection.execute(insert(pause).values(row))
    events.add(connection, None, who, f"paused {name}", reason, now)


def resume(connection: Connection, name: str, who: str, why: str, now: datetime) -> bool:
    """Ends a pause: packets that wait for it are due. Whether there was one."""
    return _end(connection, pause.c.name == name, name, who, why, now)


def is_back(connection: Connection, name: str, who: str, why: str, now: datetime) -> None:
    """A back end that was away could be reached: its pause is over. A person's pause stays."""
    _end(connection, and_(pause.c.name == name, pause.c.until.is_not(None)), name, who, why, now)


def _end(connection: Connection, which: ColumnElement[bool], name: str, who: str, why: str, now: datetime) -> bool:
    if connection.execute(delete(pause).where(which)).rowcount == 0:
        return False
    _free(connection, and_(work.c.paused_by == name, is_open()), now)
    events.add(connection, None, who, f"resumed {name}", why, now)
    return True


def wait_for(connection: Connection, packet_rec_id: int, name: str, now: datetime) -> None:
    """A packet that is to be tried again is not before the back end is back."""
    found = find(connection, name)
    if found is not None:
        mine = and_(work.c.packet_rec_id == packet_rec_id, work.c.status == "retrying")
        connection.execute(update(work).where(mine).values(paused_by=name, next_attempt_at=found.until or now))


def is_away(connection: Connection, name: str, reason: str, who: str, now: datetime) -> None:
    """A back end could not be reached: it is paused, ever longer while that goes on. A person's pause stays."""
    found = find(connection, name)
    if found is not None and found.until is None:
        return
    failures = 1 + (found.failures if found else 0)
    values = {"until": now + _pause_after(failures), "failures": failures, "reason": reason, "prober": None}
    if found is not None:
        connection.execute(update(pause).where(pause.c.name == name).values(values))
        return
    # Several packets may find out at the same moment: the first one says so.
    first = conflict_insert(connection, pause).values({**values, "name": name, "since": now, "who": who})
    if connection.execute(first.on_conflict_do_nothing()).rowcount:
        events.add(connection, None, who, f"paused {name}", reason, now)


def let_one_try(connection: Connection, now: datetime) -> Sequence[str]:
    """For each back end that has been away long enough, lets the first packet that waits for it try; returns which.

    Where none waits any more, the pause is over.
    """
    overdue = [one for one in listing(connection) if one.until is not None and one.until <= now]
    return [one.name for one in overdue if _let_try(connection, one, now)]


def _let_try(connection: Connection, one: Pause, now: datetime) -> bool:
    waits = and_(work.c.paused_by == one.name, is_open())
    order = (work.c.ts, work.c.packet_rec_id)
    first = connection.scalar(select(work.c.packet_rec_id).where(waits).order_by(*order).limit(1))
    # Somebody else may have let one try meanwhile, or have paused it himself.
    unchanged = and_(pause.c.name == one.name, pause.c.until == one.until)
    if first is None:
        return connection.execute(delete(pause).where(unchanged)).rowcount > 0
    # Should that packet come to nothing, the next one tries after another pause.
    again = now + _pause_after(one.failures)
    if connection.execute(update(pause).where(unchanged).values(until=again, prober=first)).rowcount:
        _free(connection, work.c.packet_rec_id == first, now)
        return True
    return False


def _free(connection: Connection, found: ColumnElement[bool], now: datetime) -> None:
    connection.execute(update(work).where(in_order(found)).values(paused_by=None, next_attempt_at=now))


def _pause_after(failures: int) -> timedelta:
    grown = min(_SHORTEST * (1 << min(failures - 1, 10)), _LONGEST)
    return grown * random.uniform(0.75, 1.25)  # noqa: S311 - spreads load, guards nothing
