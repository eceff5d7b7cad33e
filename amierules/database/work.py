"""Work rows: the status of each incoming packet, and what persons may decide about it."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from functools import cache
from typing import Any, Final, NamedTuple, Self

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    bindparam,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)

from amierules.database import events
from amierules.database.json_values import from_json
from amierules.database.lookups import Lookup, Lookups
from amierules.database.made import Made, Rows
from amierules.database.one_of import none_of, one_of
from amierules.database.own_tables import FINAL_STATUSES, pause, work, work_key
from amierules.database.ownership import LostOwnership, lost_to_another
from amierules.database.standing import Standing
from amierules.database.together import Write, Writer, write
from amierules.database.waking import release

OPEN_STATUSES: Final = ("ready", "waiting", "deferred", "retrying", "running", "held", "in_doubt", "parked")
IN_THE_WAY: Final = ("ready", "waiting", "retrying", "running", "in_doubt")
"""The statuses in which a packet holds up later ones of its project or person, whether it has begun or not."""
NEED_A_PERSON: Final = ("held", "in_doubt", "parked")
WORKABLE: Final = tuple(status for status in OPEN_STATUSES if status not in NEED_A_PERSON)
"""The statuses in which a worker may try a packet."""
_COLUMNS: Any = work.c


@dataclass(frozen=True)
class WorkItem:
    """A work row. `pinned` holds what the packet's first intent fixed; times are aware."""

    packet_rec_id: int
    trans_rec_id: int
    type: str
    ts: datetime
    status: str
    rule: str | None
    reason: str | None
    blocker: int | None
    approvable: str | None
    """What a held packet's approval passes over: a rule's name, or the path of an assert."""
    attempts: int
    next_attempt_at: datetime | None
    first_deferred_at: datetime | None
    paused_by: str | None
    """The back end that it waits for."""
    begun: bool
    fence: int
    pinned: Any
    grant_number: str | None
    resource: str | None
    record_id: str | None
    taken_in_at: datetime
    updated_at: datetime
    asked: Mapping[str, str] | None = None
    """What the hold wants to know with its approval: a description by name."""

    def news(self, standing: Standing) -> tuple[tuple[str, str], ...]:
        """What is told of a packet that gets this standing: its status and why; nothing where it stands so already."""
        return standing.news(self.status, self.reason, self.blocker)

    def is_due(self, now: datetime) -> bool:
        """Whether its time has come, as far as it has one."""
        return self.next_attempt_at is None or self.next_attempt_at <= now


_READ = tuple(work.c[column.name] for column in fields(WorkItem))


class Locked(NamedTuple):
    """What a settlement needs of a work row as it is now; times are aware."""

    packet_rec_id: int
    fence: int
    status: str
    updated_at: datetime
    attempts: int
    first_deferred_at: datetime | None

    @classmethod
    def unchanged(cls, item: "WorkItem", fence: int | None = None) -> Self:
        """The row of a packet that is still as it was read; with `fence`, of one that its worker took over since."""
        taken = item.fence if fence is None else fence
        return cls(item.packet_rec_id, taken, item.status, item.updated_at, item.attempts, item.first_deferred_at)

    def counted(self) -> dict[str, Any]:
        """The columns that a standing may leave as they are."""
        return {"attempts": self.attempts, "first_deferred_at": self.first_deferred_at, "fence": self.fence}


# ------------------------------------------------------------------ reading


def get(connection: Connection, packet_rec_id: int, *, lock: bool = False) -> WorkItem | None:
    """The work row of a packet, or None; `lock` keeps others from changing it until the transaction ends."""
    rows = (_ONE_LOCKED if lock else _ONE).rows(connection, number=packet_rec_id)
    return _item(rows[0]) if rows else None


_IT = select(*_READ).where(work.c.packet_rec_id == bindparam("number"))
_ONE, _ONE_LOCKED = Lookup("amierules_one", _IT), Lookup("amierules_one_locked", _IT.with_for_update(key_share=True))


def listing(
    connection: Connection, statuses: Collection[str] | None = None, include_final: bool = False
) -> list[WorkItem]:
    """The work rows of these statuses, else the open ones, or all, in order of arrival (time stamp, id)."""
    query = select(*_READ).order_by(work.c.ts, work.c.packet_rec_id)
    if statuses is not None:
        query = query.where(work.c.status.in_(statuses))
    elif not include_final:
        query = query.where(is_open())
    return _items(connection, query)


def among(
    connection: Connection,
    ids: Collection[int],
    statuses: Collection[str] | None = None,
    *,
    of_resources_in_use: bool = False,
) -> list[WorkItem]:
    """The work rows of these packets, of these statuses or all, in order of arrival; or none of paused resources."""
    query = select(*_READ).where(one_of(work.c.packet_rec_id, sorted(ids)))
    query = query if statuses is None else query.where(work.c.status.in_(statuses))
    query = query.where(~_resource_is_paused()) if of_resources_in_use else query
    return _items(connection, query.order_by(work.c.ts, work.c.packet_rec_id))


_THESE = Lookup(
    "amierules_these",
    select(*_READ).where(one_of(work.c.packet_rec_id, "ids")).order_by(work.c.ts, work.c.packet_rec_id),
)
_KEYS = Lookup(
    "amierules_keys", select(work_key.c.packet_rec_id, work_key.c.key).where(one_of(work_key.c.packet_rec_id, "ids"))
)
_THESE_AND_KEYS = Lookups("amierules_these_and_keys", [_THESE, _KEYS])


def these(connection: Connection, ids: Collection[int]) -> tuple[list[WorkItem], dict[int, frozenset[str]]]:
    """The work rows of these packets, in order of arrival; and the lock keys that were stored for them."""
    rows, keys = _THESE_AND_KEYS.rows(connection, {"ids": ids}, {"ids": ids})
    return [_item(row) for row in rows], _by_packet(ids, keys)


def begun_with(connection: Connection, keys: Iterable[str]) -> WorkItem | None:
    """The first open packet that has begun and needs one of these lock keys; None where there is none."""
    sharing = select(work_key.c.packet_rec_id).where(work_key.c.key.in_(sorted(keys)))
    under_way = or_(work.c.begun, work.c.status == "running")
    query = select(*_READ).where(is_open(), under_way, work.c.packet_rec_id.in_(sharing))
    return next(iter(_items(connection, query.order_by(work.c.ts, work.c.packet_rec_id).limit(1))), None)


def count_by_status(connection: Connection) -> dict[str, int]:
    """How many packets have each status."""
    query = select(work.c.status, func.count()).group_by(work.c.status)
    return {row[0]: row[1] for row in connection.execute(query)}


def is_not_paused() -> ColumnElement[bool]:
    """The condition that neither a back end that a packet waits for is paused, nor its resource."""
    return and_(work.c.paused_by.is_(None), ~_resource_is_paused())


def _resource_is_paused() -> ColumnElement[bool]:
    return exists().where(pause.c.name == work.c.resource)


def is_open() -> ColumnElement[bool]:
    """The condition of the index on open rows."""
    return none_of(work.c.status, FINAL_STATUSES)


def _items(connection: Connection, query: Select[Any]) -> list[WorkItem]:
    return [_item(row) for row in connection.execute(query).all()]


def _item(row: Any) -> WorkItem:
    item = WorkItem(*row)
    return item if item.pinned is None else replace(item, pinned=from_json(item.pinned))


# ------------------------------------------------------------------ changing


def set_status(
    connection: Connection,
    item: WorkItem | int,
    status: str,
    *,
    who: str,
    now: datetime,
    fence: int | None = None,
    **more: Any,
) -> None:
    """Gives a packet a status, with more of what `Standing` has, and records the event.

    Where a `WorkItem` shows that neither status, reason nor blocker changes, there is no event. A status that lets
    later packets go on has those that wait for it looked at again. With `fence`, raises `LostOwnership` where the row
    has another one by now; without, `LookupError` where there is no such row.
    """
    packet_rec_id = item.packet_rec_id if isinstance(item, WorkItem) else item
    standing = Standing(status, **more)
    statement = update(work).where(work.c.packet_rec_id == packet_rec_id).values(standing.values(now, _COLUMNS))
    _must_hit(connection, statement if fence is None else statement.where(work.c.fence == fence), packet_rec_id, fence)
    news = not isinstance(item, WorkItem) or bool(item.news(standing))
    if news:
        events.add(connection, packet_rec_id, who, status, standing.reason or "", now)
    # A data_project_create goes past who begins to wait.
    if status not in IN_THE_WAY or (status == "waiting" and news):
        release(connection, [packet_rec_id], now)


def set_standings(connection: Connection, standings: Mapping[int, Mapping[str, Any]]) -> None:
    """Changes these columns, the same in all of the rows, which the caller has locked."""
    if standings:
        rows = [{**values, "number": number} for number, values in standings.items()]
        _standing(tuple(next(iter(standings.values())))).for_each(connection, rows)


@cache
def _standing(columns: Sequence[str]) -> Made:
    statement = update(work).where(work.c.packet_rec_id == bindparam("number"))
    return Made(statement.values({name: bindparam(name) for name in columns}))


def is_unchanged(item: WorkItem, now: WorkItem | Locked | None) -> bool:
    """Whether a packet is still as it was read: nobody has decided anything about it."""
    return now is not None and (now.fence, now.status, now.updated_at) == (item.fence, item.status, item.updated_at)


def lost(packet_rec_id: int) -> LostOwnership:
    """What is raised where somebody else has a packet by now."""
    return LostOwnership(lost_to_another(packet_rec_id))


def set_keys(writer: Writer, packet_rec_id: int, keys: Iterable[str]) -> None:
    """Replaces the lock keys by which other packets know this one."""
    write(writer, _FORGET_KEYS, number=packet_rec_id)
    for key in sorted(set(keys)):
        write(writer, _KEY, packet_rec_id=packet_rec_id, key=key)


_FORGET_KEYS = Write("amierules_forget_keys", delete(work_key).where(work_key.c.packet_rec_id == bindparam("number")))
_KEY = Write("amierules_key", insert(work_key).values(packet_rec_id=bindparam("packet_rec_id"), key=bindparam("key")))

_LOCKED = Made(
    select(*(work.c[name] for name in Locked._fields))
    .where(one_of(work.c.packet_rec_id, "ids"))
    .order_by(work.c.packet_rec_id)
    .with_for_update(key_share=True)
)


def lock_many(connection: Connection, ids: Collection[int]) -> dict[int, Locked]:
    """The work rows of these packets, as far as there are any: others cannot change them until the transaction ends."""
    locked = (Locked(*row) for row in _LOCKED.rows(connection, ids=ids))
    return {one.packet_rec_id: one for one in locked}


def keys_of_several(connection: Connection, ids: Collection[int]) -> dict[int, frozenset[str]]:
    """The lock keys that were stored for these packets."""
    return _by_packet(ids, _KEYS.rows(connection, ids=ids))


def _by_packet(ids: Collection[int], rows: Rows) -> dict[int, frozenset[str]]:
    found: dict[int, set[str]] = {packet_rec_id: set() for packet_rec_id in ids}
    for packet_rec_id, key in rows:
        found[packet_rec_id].add(key)
    return {packet_rec_id: frozenset(keys) for packet_rec_id, keys in found.items()}


def _must_hit(connection: Connection, statement: Any, packet_rec_id: int, fence: int | None) -> None:
    if connection.execute(statement).rowcount:
        return
    if fence is None:
        raise LookupError(f"there is no work row of packet {packet_rec_id}")
    raise lost(packet_rec_id)
