"""The journal: what a packet's steps are about to do and have done. Every write needs the packet's fence."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, select, update

from amierules.database.dialect import moment
from amierules.database.json_values import as_json, from_json
from amierules.database.one_of import one_of
from amierules.database.own_tables import step, work
from amierules.database.ownership import LostOwnership
from amierules.database.upsert import conflict_insert
from amierules.database.work import lost

_AS_JSON = ("changes", "staged", "result", "given")


@dataclass(frozen=True)
class StepRow:
    """A step in the journal. `state` is `started` from its intent until its result; `path` is the path of names."""

    packet_rec_id: int
    path: str
    position: int
    kind: str
    state: str
    source_digest: str
    input_digest: str
    started_at: datetime
    fence: int = 0
    """Set by the writing functions."""
    changes: Any = None
    staged: Any = None
    result: Any = None
    reason: str | None = None
    host: str | None = None
    pid: int | None = None
    finished_at: datetime | None = None
    given: Any = None
    """The parameters as they may be shown."""
    place: str | None = None
    """Where a process of the step can be found by its mark (`amierules.ports.orphans`)."""
    mark: str | None = None
    deadline: datetime | None = None
    """When a process of the step has ended at the latest, by the database's clock; set by `write_intent`."""


def steps(connection: Connection, packet_rec_id: int) -> dict[str, StepRow]:
    """The recorded steps of a packet by path, in their order."""
    return steps_of(connection, [packet_rec_id])[packet_rec_id]


def steps_of(connection: Connection, ids: Collection[int]) -> dict[int, dict[str, StepRow]]:
    """The recorded steps of packets, by packet and path, in their order."""
    found: dict[int, dict[str, StepRow]] = {packet_rec_id: {} for packet_rec_id in ids}
    if not found:
        return found
    query = select(step).where(one_of(step.c.packet_rec_id, ids)).order_by(step.c.position, step.c.path)
    for row in connection.execute(query).mappings():
        decoded = {name: from_json(row[name]) for name in _AS_JSON}
        found[row["packet_rec_id"]][row["path"]] = StepRow(**{**row, **decoded})
    return found


def write_intent(connection: Connection, row: StepRow, fence: int, lasting: timedelta | None = None) -> None:
    """Records that a step is about to have its effect, over what an earlier try recorded; the packet has now begun.

    `lasting` is how long its processes may run. To be committed before the effect. Raises `LostOwnership`.
    """
    _own(connection, row.packet_rec_id, fence)
    begin = update(work).where(work.c.packet_rec_id == row.packet_rec_id, ~work.c.begun).values(begun=True)
    connection.execute(begin)
    deadline = None if lasting is None else moment(connection) + lasting
    _write(connection, row, fence, state="started", finished_at=None, deadline=deadline)


def write_done(connection: Connection, row: StepRow, fence: int) -> None:
    """Records a step that needed no intent: it was there already, or is only staged. Raises `LostOwnership`."""
    _own(connection, row.packet_rec_id, fence)
    _write(connection, row, fence, finished_at=row.finished_at or row.started_at)


def write_settled(connection: Connection, rows: Sequence[StepRow]) -> None:
    """As `write_done`, for steps of packets whose work rows the caller has locked and found to be its own."""
    for row in rows:
        _write(connection, row, row.fence, finished_at=row.finished_at or row.started_at)


def write_result(
    connection: Connection,
    packet_rec_id: int,
    path: str,
    *,
    state: str,
    result: object = None,
    staged: object = None,
    reason: str | None = None,
    fence: int,
    now: datetime,
) -> None:
    """Records how a started step ended. Raises `LostOwnership`, also where the step is not `started` any more."""
    _own(connection, packet_rec_id, fence)
    its_row = (step.c.packet_rec_id == packet_rec_id, step.c.path == path, step.c.state == "started")
    values = {"result": as_json(result), "staged": as_json(staged)}
    ended = {"state": state, "reason": reason, "fence": fence, "finished_at": now}
    if connection.execute(update(step).where(*its_row).values({**values, **ended})).rowcount == 0:
        raise LostOwnership(f"step {path} of packet {packet_rec_id} is not under way any more")


def forget(connection: Connection, packet_rec_id: int, path: str, fence: int) -> None:
    """Deletes a step, so that it is done anew. Raises `LostOwnership`."""
    _own(connection, packet_rec_id, fence)
    connection.execute(delete(step).where(step.c.packet_rec_id == packet_rec_id, step.c.path == path))


def pin(connection: Connection, packet_rec_id: int, pinned: Mapping[str, object], fence: int) -> None:
    """Keeps the rule and the values that it saw, with the first intent. Raises `LostOwnership`."""
    statement = update(work).where(work.c.packet_rec_id == packet_rec_id, work.c.fence == fence)
    if connection.execute(statement.values(pinned=as_json(pinned))).rowcount == 0:
        raise lost(packet_rec_id)


def clear(connection: Connection, packet_rec_id: int) -> None:
    """Forgets all steps and what was pinned: the packet starts anew. Whoever works on it loses it."""
    values = {"pinned": None, "begun": False, "fence": work.c.fence + 1}
    connection.execute(update(work).where(work.c.packet_rec_id == packet_rec_id).values(values))
    connection.execute(delete(step).where(step.c.packet_rec_id == packet_rec_id))


def bump_fence(connection: Connection, packet_rec_id: int) -> int:
    """Takes the packet over: earlier fences are void from the commit on. Raises `LookupError` without a work row."""
    statement = update(work).where(work.c.packet_rec_id == packet_rec_id).values(fence=work.c.fence + 1)
    fence: int | None = connection.execute(statement.returning(work.c.fence)).scalar()
    if fence is None:
        raise LookupError(f"there is no work row of packet {packet_rec_id}")
    return fence


def _own(connection: Connection, packet_rec_id: int, fence: int) -> None:
    """Locks the work row, so that nobody takes the packet over between this check and the commit."""
    query = select(work.c.fence).where(work.c.packet_rec_id == packet_rec_id).with_for_update(key_share=True)
    if connection.execute(query).scalar() != fence:
        raise lost(packet_rec_id)


def _write(connection: Connection, row: StepRow, fence: int, **changed: object) -> None:
    values = {field.name: getattr(row, field.name) for field in fields(row)}
    values |= {**{name: as_json(values[name]) for name in _AS_JSON}, **changed, "fence": fence}
    statement = conflict_insert(connection, step).values(values)
    connection.execute(statement.on_conflict_do_update(index_elements=["packet_rec_id", "path"], set_=values))
