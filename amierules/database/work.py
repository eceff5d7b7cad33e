"""Work rows: the status of each incoming packet, and what persons may decide about it."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, and_, delete, func, insert, or_, select, update

from amierules.database import events
from amierules.database.json_values import from_json
from amierules.database.own_tables import FINAL_STATUSES, approval, work, work_key
from amierules.database.ownership import LostOwnership
from amierules.database.upsert import conflict_insert
from amierules.diagnostics import Finding, NotAllowed

OPEN_STATUSES: Final = ("ready", "waiting", "deferred", "retrying", "running", "held", "in_doubt", "parked")
NEED_A_PERSON: Final = ("held", "in_doubt", "parked")

ALLOWED: Final[Mapping[str, frozenset[str]]] = {
    "approve": frozenset({"held"}),
    "retry": frozenset({"deferred", "retrying", "held", "parked"}),
    "hold": frozenset({"ready", "waiting", "deferred", "retrying", "parked"}),
    "fail": frozenset({"ready", "waiting", "deferred", "retrying", "held", "parked"}),
    "complete": frozenset({"ready", "waiting", "deferred", "retrying", "held", "parked"}),
    "resolve": frozenset({"in_doubt"}),
}
"""The statuses in which a person's decision is possible."""


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


@dataclass(frozen=True)
class Approval:
    """A person's word that a rule that holds is passed over for a packet."""

    rule: str
    by: str
    reason: str
    at: datetime
    answers: Mapping[str, str] = field(default_factory=dict)
    """The values that the hold asked for, by name."""


class Keep(Enum):
    """Says that a column keeps its value."""

    VALUE = "keep"


# ------------------------------------------------------------------ reading


def get(connection: Connection, packet_rec_id: int, *, lock: bool = False) -> WorkItem | None:
    """The work row of a packet, or None; `lock` keeps others from changing it until the transaction ends."""
    query = select(work).where(work.c.packet_rec_id == packet_rec_id)
    return next(iter(_items(connection, query.with_for_update(key_share=True) if lock else query)), None)


def listing(
    connection: Connection, statuses: Collection[str] | None = None, include_final: bool = False
) -> list[WorkItem]:
    """The work rows of these statuses, else the open ones, or all, in order of arrival (time stamp, id)."""
    query = select(work).order_by(work.c.ts, work.c.packet_rec_id)
    if statuses is not None:
        query = query.where(work.c.status.in_(statuses))
    elif not include_final:
        query = query.where(is_open())
    return _items(connection, query)


def due(
    connection: Connection, now: datetime, *, limit: int, after: tuple[datetime, int] | None = None
) -> list[WorkItem]:
    """The rows that a worker may try now, in order of arrival, at most `limit`, those after (time stamp, id).

    Ready and waiting ones, deferred and retrying ones whose time has come, and running ones: their worker may be gone.
    """
    ready = work.c.status.in_(("ready", "waiting", "running"))
    its_time = or_(work.c.next_attempt_at.is_(None), work.c.next_attempt_at <= now)
    query = select(work).where(is_open(), or_(ready, and_(work.c.status.in_(("deferred", "retrying")), its_time)))
    if after is not None:
        query = query.where(or_(work.c.ts > after[0], and_(work.c.ts == after[0], work.c.packet_rec_id > after[1])))
    return _items(connection, query.order_by(work.c.ts, work.c.packet_rec_id).limit(limit))


def begun_with(connection: Connection, keys: Iterable[str]) -> WorkItem | None:
    """The first open packet that has begun and needs one of these lock keys; None where there is none."""
    sharing = select(work_key.c.packet_rec_id).where(work_key.c.key.in_(sorted(keys)))
    under_way = or_(work.c.begun, work.c.status == "running")
    query = select(work).where(is_open(), under_way, work.c.packet_rec_id.in_(sharing))
    return next(iter(_items(connection, query.order_by(work.c.ts, work.c.packet_rec_id).limit(1))), None)


def count_by_status(connection: Connection) -> dict[str, int]:
    """How many packets have each status."""
    query = select(work.c.status, func.count()).group_by(work.c.status)
    return {row[0]: row[1] for row in connection.execute(query)}


def is_open() -> ColumnElement[bool]:
    """The condition of the index on open rows."""
    return work.c.status.not_in(FINAL_STATUSES)


def _items(connection: Connection, query: Select[Any]) -> list[WorkItem]:
    rows = connection.execute(query).mappings()
    return [WorkItem(**{**row, "pinned": from_json(row["pinned"])}) for row in rows]


# ------------------------------------------------------------------ changing


def set_status(
    connection: Connection,
    item: WorkItem | int,
    status: str,
    *,
    who: str,
    now: datetime,
    rule: str | Keep | None = Keep.VALUE,
    reason: str | None = None,
    next_attempt_at: datetime | None = None,
    blocker: int | None = None,
    approvable: str | None = None,
    asked: Mapping[str, str] | None = None,
    count_attempt: bool = False,
    restart: bool = False,
    fence: int | None = None,
) -> None:
    """Gives a packet a status, and records the event. Where a `WorkItem` shows that neither status, reason nor blocker
    changes, there is no event.

    `count_attempt` adds to the attempts; `restart` forgets them, and when the packet was first deferred. With `fence`,
    raises `LostOwnership` where the row has another one by now; without, `LookupError` where there is no such row.
    """
    packet_rec_id = item.packet_rec_id if isinstance(item, WorkItem) else item
    values: dict[str, Any] = {"status": status, "reason": reason, "blocker": blocker, "approvable": approvable}
    values |= {"next_attempt_at": next_attempt_at, "updated_at": now, "asked": dict(asked) if asked else None}
    if not isinstance(rule, Keep):
        values["rule"] = rule
    if restart:
        values |= {"attempts": 0, "first_deferred_at": None}
    if status == "deferred":
        values["first_deferred_at"] = now if restart else func.coalesce(work.c.first_deferred_at, now)
    if count_attempt:
        values["attempts"] = 1 if restart else work.c.attempts + 1
    statement = update(work).where(work.c.packet_rec_id == packet_rec_id).values(values)
    _must_hit(connection, statement if fence is None else statement.where(work.c.fence == fence), packet_rec_id, fence)
    unchanged = isinstance(item, WorkItem) and (item.status, item.reason, item.blocker) == (status, reason, blocker)
    if not unchanged:
        events.add(connection, packet_rec_id, who, status, reason or "", now)


def set_keys(connection: Connection, packet_rec_id: int, keys: Iterable[str]) -> None:
    """Replaces the lock keys by which other packets know this one."""
    connection.execute(delete(work_key).where(work_key.c.packet_rec_id == packet_rec_id))
    rows = [{"packet_rec_id": packet_rec_id, "key": key} for key in sorted(set(keys))]
    if rows:
        connection.execute(insert(work_key), rows)


def keys_of(connection: Connection, packet_rec_id: int) -> set[str]:
    """The lock keys that were stored for a packet."""
    return set(connection.scalars(select(work_key.c.key).where(work_key.c.packet_rec_id == packet_rec_id)))


def wake(connection: Connection, keys: Iterable[str], now: datetime) -> int:
    """Makes deferred packets that share one of the keys due now; returns how many."""
    sharing = select(work_key.c.packet_rec_id).where(work_key.c.key.in_(sorted(keys)))
    later = or_(work.c.next_attempt_at.is_(None), work.c.next_attempt_at > now)
    statement = update(work).where(work.c.status == "deferred", later, work.c.packet_rec_id.in_(sharing))
    return connection.execute(statement.values(next_attempt_at=now)).rowcount


def _must_hit(connection: Connection, statement: Any, packet_rec_id: int, fence: int | None) -> None:
    if connection.execute(statement).rowcount:
        return
    if fence is None:
        raise LookupError(f"there is no work row of packet {packet_rec_id}")
    raise LostOwnership(f"packet {packet_rec_id} was taken over by another worker")


# ------------------------------------------------------------------ what a person decides


def check_allowed(item: WorkItem, decision: str) -> None:
    """Raises `NotAllowed` (`not-allowed`) where the packet's status does not allow the decision, a key of `ALLOWED`."""
    if item.status not in ALLOWED[decision]:
        possible = [name for name, statuses in ALLOWED.items() if item.status in statuses]
        hint = f"possible now: {', '.join(possible)}" if possible else "nothing can be decided about it now"
        message = f"packet {item.packet_rec_id} is {item.status}: `{decision}` is not possible"
        raise NotAllowed(Finding("not-allowed", message, hint=hint))
    if decision == "approve" and item.approvable is None:
        message = f"packet {item.packet_rec_id} is not held by a rule: there is nothing to approve"
        raise NotAllowed(Finding("not-allowed", message, hint="use `amierules retry` once the cause is mended"))


def approve(connection: Connection, packet_rec_id: int, given: Approval) -> None:
    """Records that a person passes the rule over for this packet; the newest approval of a rule counts."""
    values = {"approved_by": given.by, "reason": given.reason, "approved_at": given.at}
    values |= {"answers": dict(given.answers) or None}
    statement = conflict_insert(connection, approval).values(packet_rec_id=packet_rec_id, rule=given.rule, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=["packet_rec_id", "rule"], set_=values))


def approved_rules(connection: Connection, packet_rec_id: int) -> dict[str, Approval]:
    """The approvals of a packet by rule, the oldest first."""
    columns = approval.c
    query = select(columns.rule, columns.approved_by, columns.reason, columns.approved_at, columns.answers)
    query = query.where(columns.packet_rec_id == packet_rec_id).order_by(columns.approved_at, columns.rule)
    rows = connection.execute(query)
    return {rule: Approval(rule, by, reason, at, answers or {}) for rule, by, reason, at, answers in rows}
