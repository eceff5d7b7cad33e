"""Which earlier packet a packet waits for: packets of one transaction, project or person run in order of arrival."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, exists, func, or_, select, union

from amierules.database.amie_tables import STATE_IDS, transaction_tbl
from amierules.database.lock_keys import indexable
from amierules.database.lookups import Lookup, Lookups
from amierules.database.made import Rows
from amierules.database.one_of import none_of, one_of
from amierules.database.own_tables import FINAL_STATUSES, work, work_key
from amierules.database.work import IN_THE_WAY, WorkItem, is_open

NEEDS_PROJECT = "request_account_create"
"""The type of the packets that wait until their project is complete."""
ENDS_PROJECT = "data_project_create"
"""The type of the packets that complete a project: what waits for the project is not in their way."""
_WAITING = "waiting"
UNDER_WAY = tuple(status for status in IN_THE_WAY if status != _WAITING)
"""The statuses in which a packet blocks all that share a key with it."""
AT_WORK = ("running", "in_doubt")
"""The statuses in which a packet blocks a data_project_create that shares a key with it."""
_OVER = tuple(STATE_IDS[state] for state in ("completed", "failed", "rejected", "killed"))

_TO_NOTHING = ("failed", "ignored")
"""The statuses of packets of which no project will come."""

_SHOWN = (work.c.packet_rec_id, work.c.type, work.c.status, work.c.record_id, work.c.ts)


@dataclass(frozen=True)
class Blocker:
    """The earlier packet that a packet waits for, and why."""

    packet_rec_id: int
    reason: str


def blocker(
    connection: Connection,
    item: WorkItem,
    keys: Collection[str],
    *,
    brought_by: Collection[int] | None = None,
    besides: Collection[int] = (),
) -> Blocker | None:
    """The earliest packet that `item`, which needs the lock keys `keys`, has to wait for; None where there is none.

    An earlier one (by time stamp, then id) that is under way or has begun blocks all that share a key with it; one
    that is deferred, held or parked and has not begun, or is left alone for its transaction's sake, only the later
    ones of its own transaction. An open one of the same type with the same RecordID blocks. A request_account_create
    waits for an earlier request_project_create of its grant and resource until that project is complete (its
    data_project_create is answered, or its transaction over); where the project is here already, only for those that
    `brought_by` names, a later one among them once it is answered. A data_project_create passes by all of other
    transactions that nobody has begun or is at, or that wait: they may wait for it themselves. What `besides` names is
    in nobody's way by its status.
    """
    found = connection.execute(_in_the_way(item, keys, besides)).first()
    if found is not None:
        same_record = found.record_id is not None and found.record_id == item.record_id
        which = f"an earlier {found.type}" + (" with the same RecordID" if same_record else "")
        return Blocker(found.packet_rec_id, f"waits for packet {found.packet_rec_id}, {which} that is {found.status}")
    if item.type == NEEDS_PROJECT and item.grant_number is not None:
        place = (item.ts, item.packet_rec_id)
        return unfinished_project(connection, item.grant_number, item.resource, place, brought_by)
    return None


def may_be_blocked(connection: Connection, wanted: Sequence[tuple[WorkItem, Collection[str]]]) -> set[int]:
    """Those packets that `blocker` may find a blocker for: of many it is asked for few. Takes three statements."""
    grants = {item.grant_number for item, _ in wanted if item.type == NEEDS_PROJECT and item.grant_number}
    *others, expected = _OTHERS.rows(
        connection,
        {"keys": {key for _, keys in wanted for key in keys}},
        {"records": {item.record_id for item, _ in wanted if item.record_id}},
        {"grants": grants},
    )
    by_key, by_record = map(_places, others)
    to_come = {grant for (grant,) in expected}
    return {
        item.packet_rec_id
        for item, keys in wanted
        if not all(_is_first_of(by_key.get(key), item) for key in keys)
        or not _is_first_of(by_record.get(item.record_id or ""), item)
        or (item.type == NEEDS_PROJECT and item.grant_number in to_come)
    }


def grants_to_come(connection: Connection, grants: Collection[str]) -> set[str]:
    """Those of these grants (as work rows have them) for which `unfinished_project` may find something."""
    if not grants:
        return set()
    return {grant for (grant,) in _TO_COME.rows(connection, grants=grants)}


_TO_COME = Lookup(
    "amierules_to_come",
    select(work.c.grant_number).where(
        work.c.type == "request_project_create",
        one_of(work.c.grant_number, "grants"),
        none_of(work.c.status, _TO_NOTHING),
    ),
)


def _places(rows: Rows) -> dict[str, tuple[datetime, int]]:
    return {value: (earliest, lowest) for value, earliest, lowest in rows}


def _open_ones(column: ColumnElement[Any], values: str) -> Select[Any]:
    """By value: the earliest time stamp of the open packets that have it, and the lowest of their ids."""
    query = select(column, func.min(work.c.ts), func.min(work.c.packet_rec_id))
    return query.where(one_of(column, values), is_open()).group_by(column)


_SHARING = work_key.c.packet_rec_id == work.c.packet_rec_id
_OTHERS = Lookups(
    "amierules_others",
    [
        Lookup("amierules_by_key", _open_ones(work_key.c.key, "keys").join_from(work_key, work, _SHARING)),
        Lookup("amierules_by_record", _open_ones(work.c.record_id, "records")),
        _TO_COME,
    ],
)


def _is_first_of(others: tuple[datetime, int] | None, item: WorkItem) -> bool:
    """Whether the packet surely came before all others that were looked at, itself perhaps among them."""
    return others is None or item.ts < others[0] or (item.ts == others[0] and item.packet_rec_id <= others[1])


def unfinished_project(
    connection: Connection,
    grant_number: str,
    resource: str | None,
    place: tuple[datetime, int],
    brought_by: Collection[int] | None = None,
) -> Blocker | None:
    """The earliest request_project_create before a place in the order (time stamp, packet_rec_id) whose project on
    this grant and resource is to come, and is not complete; with `brought_by`, among these only, and also a later one
    that was answered: the account's request came before that of its project.
    """
    if brought_by is not None and not brought_by:
        return None
    query = _project_not_complete(grant_number, resource, place, brought_by)
    found = connection.execute(query).first()
    if found is None:
        return None
    which = "an earlier" if (found.ts, found.packet_rec_id) < place else "a later"
    reason = f"waits until the project of packet {found.packet_rec_id}, {which} {found.type}, is complete"
    return Blocker(found.packet_rec_id, reason)


def _in_the_way(item: WorkItem, keys: Collection[str], besides: Collection[int]) -> Select[Any]:
    """The earliest open packet before `item` that shares a key, transaction or RecordID, and blocks."""
    others = [work.c.packet_rec_id.not_in(besides)] if besides else []
    its_record = and_(work.c.record_id == item.record_id, work.c.type == item.type)
    same_record = [] if item.record_id is None else [its_record]
    related = [work.c.trans_rec_id == item.trans_rec_id, *same_record]
    sharing = union(
        select(work_key.c.packet_rec_id).where(one_of(work_key.c.key, sorted(keys))),
        *(select(work.c.packet_rec_id).where(condition) for condition in related),
    )
    waits_for_another = and_(work.c.status == _WAITING, work.c.blocker.is_not(None))
    under_way = [work.c.status.in_(UNDER_WAY), waits_for_another, work.c.begun]
    if item.type == ENDS_PROJECT:
        # One that waits may wait for this very packet, also where it was begun before its project's request came.
        under_way = [work.c.status.in_(AT_WORK), and_(work.c.begun, ~waits_for_another)]
    blocks = or_(*under_way, *related)
    before = _before((item.ts, item.packet_rec_id))
    return _earliest(before, work.c.packet_rec_id.in_(sharing), is_open(), blocks, *others)


def _before(place: tuple[datetime, int]) -> ColumnElement[bool]:
    ts, packet_rec_id = place
    return or_(work.c.ts < ts, and_(work.c.ts == ts, work.c.packet_rec_id < packet_rec_id))


def _earliest(*conditions: ColumnElement[bool]) -> Select[Any]:
    # Materialised, or PostgreSQL walks through all open packets in their order to find the first.
    found = select(*_SHOWN).where(*conditions).cte("found").prefix_with("MATERIALIZED")
    return select(found).order_by(found.c.ts, found.c.packet_rec_id).limit(1)


def _project_not_complete(
    grant_number: str, resource: str | None, place: tuple[datetime, int], brought_by: Collection[int] | None
) -> Select[Any]:
    these = [_before(place)]
    if brought_by is not None:
        # One that is over is never in its turn kept by the account that waits for it.
        these = [work.c.packet_rec_id.in_(brought_by), or_(_before(place), work.c.status.in_(FINAL_STATUSES))]
    answer = work.alias("answer")
    answered = exists().where(
        answer.c.trans_rec_id == work.c.trans_rec_id,
        answer.c.type == ENDS_PROJECT,
        answer.c.status.in_(FINAL_STATUSES),
    )
    over = exists().where(
        transaction_tbl.c.trans_rec_id == work.c.trans_rec_id,
        transaction_tbl.c.state_id.in_(_OVER),
    )
    return _earliest(
        work.c.type == "request_project_create",
        work.c.grant_number == indexable(grant_number),
        work.c.resource.is_not_distinct_from(resource),
        # Refused or ignored: no project will come of it.
        none_of(work.c.status, _TO_NOTHING),
        ~answered,
        ~over,
        *these,
    )
