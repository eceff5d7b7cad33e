"""The journal: what a packet's steps are about to do and have done. Every write needs the packet's fence."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Executable, Float, bindparam, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from amierules.database.json_values import as_json, from_json
from amierules.database.later import Later
from amierules.database.one_of import one_of
from amierules.database.own_tables import step, work
from amierules.database.ownership import lost_to_another
from amierules.database.together import Write, Writer, write

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
    """Where a process of the step can be found by its mark, and by whom (`amierules.ports.whereabouts`)."""
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


def write_intent(
    writer: Writer, row: StepRow, fence: int, lasting: timedelta | None = None, *, owned: bool = False
) -> None:
    """Records that a step is about to have its effect, over what an earlier try recorded; the packet has now begun.

    `lasting` is how long its processes may run; `owned`: the packet has begun, and this transaction has made sure that
    it is the caller's. To be committed before the effect. Raises `LostOwnership`.
    """
    if not owned:
        write(writer, _BEGIN, lost_to_another(row.packet_rec_id), number=row.packet_rec_id, was_fence=fence)
    _write(writer, row, fence, lasting, state="started", finished_at=None)


def write_settled(writer: Writer, rows: Sequence[StepRow]) -> None:
    """Records steps that needed no intent, which were there already or are only staged, with the fences that they have;
    of packets whose work rows the caller has locked and found to be its own.
    """
    for row in rows:
        _write(writer, row, row.fence, finished_at=row.finished_at or row.started_at)


def write_result(
    writer: Writer,
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
    if isinstance(writer, Connection):
        own(writer, packet_rec_id, fence)
    ended = {"new_state": state, "reason": reason, "fence": fence, "finished_at": now}
    values = {"result": as_json(result), "staged": as_json(staged), **ended}
    lost = f"step {path} of packet {packet_rec_id} is not under way any more"
    write(writer, _RESULT, lost, number=packet_rec_id, was_fence=fence, of_path=path, **values)


def forget(connection: Connection, packet_rec_id: int, path: str, fence: int) -> None:
    """Deletes a step, so that it is done anew. Raises `LostOwnership`."""
    own(connection, packet_rec_id, fence)
    connection.execute(delete(step).where(step.c.packet_rec_id == packet_rec_id, step.c.path == path))


def pin(writer: Writer, packet_rec_id: int, pinned: Mapping[str, object], fence: int) -> None:
    """Keeps the rule and the values that it saw, with the first intent. Raises `LostOwnership`."""
    lost = lost_to_another(packet_rec_id)
    write(writer, _PIN, lost, number=packet_rec_id, was_fence=fence, pinned=as_json(pinned))


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


def own(writer: Writer, packet_rec_id: int, fence: int) -> None:
    """Locks the work row, so that nobody takes the packet over between this check and the commit.

    Raises `LostOwnership`.
    """
    write(writer, _OWN, lost_to_another(packet_rec_id), number=packet_rec_id, was_fence=fence)


def _write(writer: Writer, row: StepRow, fence: int, lasting: timedelta | None = None, **changed: object) -> None:
    values = {name: getattr(row, name) for name in _WRITTEN}
    values |= {**{name: as_json(values[name]) for name in _AS_JSON}, **changed, "fence": fence}
    write(writer, _STEP, lasting=None if lasting is None else lasting.total_seconds(), **values)


def _upsert(insert: type[postgresql.Insert] | type[sqlite.Insert]) -> Executable:
    """A step over what an earlier try recorded."""
    values: dict[str, Any] = {name: bindparam(name) for name in _WRITTEN}
    new = insert(step).values({**values, "deadline": Later(bindparam("lasting", type_=Float))})
    columns = [*_WRITTEN, "deadline"]
    return new.on_conflict_do_update(
        index_elements=["packet_rec_id", "path"], set_={name: new.excluded[name] for name in columns}
    )


_ITS_OWN = (work.c.packet_rec_id == bindparam("number"), work.c.fence == bindparam("was_fence"))
_OWN = Write("amierules_own", select(work.c.fence).where(*_ITS_OWN).with_for_update(key_share=True), must_hit=True)
_BEGIN = Write("amierules_begin", update(work).where(*_ITS_OWN).values(begun=True), must_hit=True)
_PIN = Write("amierules_pin", update(work).where(*_ITS_OWN).values(pinned=bindparam("pinned")), must_hit=True)
_WRITTEN = tuple(one.name for one in fields(StepRow) if one.name != "deadline")
_STEP = Write("amierules_step", _upsert(sqlite.Insert), for_postgresql=_upsert(postgresql.Insert))
_ENDS = (
    update(step)
    .where(step.c.packet_rec_id == bindparam("number"), step.c.path == bindparam("of_path"), step.c.state == "started")
    .values(
        state=bindparam("new_state"),
        **{name: bindparam(name) for name in ("result", "staged", "reason", "fence", "finished_at")},
    )
)
_OWNED = select(work.c.packet_rec_id).where(*_ITS_OWN).with_for_update(key_share=True).subquery("owned")
_RESULT = Write(
    "amierules_result",
    _ENDS,
    # Both in one statement: the work row is locked as `own` does.
    for_postgresql=_ENDS.where(step.c.packet_rec_id == _OWNED.c.packet_rec_id),
    must_hit=True,
)
