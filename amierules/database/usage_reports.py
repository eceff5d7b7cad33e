"""What became of each record at each remote: unsent, claimed for a request, sent, loaded or failed."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import BigInteger, Connection, Integer, Text, and_, func, insert, literal, or_, select, update

from amierules.database.one_of import one_of
from amierules.database.upsert import conflict_insert
from amierules.database.usage_tables import usage, usage_batch, usage_report

UNSENT, SENDING, SENT, QUEUED, LOADED, FAILED = "unsent", "sending", "sent", "queued", "loaded", "failed"
STATES = (UNSENT, SENDING, SENT, QUEUED, LOADED, FAILED)
"""The states of a record at a remote. `sending`: it is in a request whose answer is not there yet, or was lost."""
TAKEN, REFUSED, DOUBTFUL, NOT_TAKEN = "taken", "refused", "doubtful", "not_taken"
"""What became of a request, beside `sending`."""

Record = Mapping[str, Any]
"""A row of the ledger."""
Outcome = tuple[str, str | None, str | None]
"""What became of a record: its state, the reason, and what the other side calls it."""


def _mine(remote: str) -> Any:
    return and_(usage_report.c.remote == remote, usage_report.c.usage_id == usage.c.usage_id)


def _is_unsent() -> Any:
    return or_(usage_report.c.state.is_(None), usage_report.c.state == UNSENT)


def unsent(
    connection: Connection, remote: str, after: int, limit: int, kinds: Sequence[str] | None = None
) -> list[Record]:
    """The next unsent records behind one, in the order of their ids."""
    query = (
        select(usage)
        .select_from(usage.outerjoin(usage_report, _mine(remote)))
        .where(usage.c.usage_id > after, _is_unsent())
        .order_by(usage.c.usage_id)
        .limit(limit)
    )
    if kinds is not None:
        query = query.where(usage.c.kind.in_(kinds))
    return [dict(row) for row in connection.execute(query).mappings()]


def unsent_sums(connection: Connection, remote: str) -> list[Record]:
    """Of the unsent records: number and charge by project, resource and kind."""
    by = (usage.c.project_id, usage.c.resource, usage.c.kind)
    query = (
        select(*by, func.count().label("records"), func.sum(usage.c.charge).label("charge"))
        .select_from(usage.outerjoin(usage_report, _mine(remote)))
        .where(_is_unsent())
        .group_by(*by)
        .order_by(*by)
    )
    return [{**row, "charge": int(row["charge"])} for row in connection.execute(query).mappings()]


def begin_batch(connection: Connection, remote: str, records: Sequence[Record], now: int) -> int:
    """Claims records for one request, whose number is returned. Nothing is committed.

    Raises `ValueError` where one of them is not unsent any more.
    """
    values = {"remote": remote, "state": SENDING, "records": len(records), "sent_at": now, "updated_at": now}
    batch_id = int(
        connection.execute(insert(usage_batch).values(**values).returning(usage_batch.c.batch_id)).scalar_one()
    )
    claim(connection, remote, [one["usage_id"] for one in records], SENDING, now, batch_id=batch_id)
    return batch_id


def claim(
    connection: Connection,
    remote: str,
    usage_ids: Sequence[int],
    state: str,
    now: int,
    *,
    batch_id: int | None = None,
    packet_rec_id: int | None = None,
    reason: str | None = None,
) -> None:
    """Gives unsent records, by their usage_ids, a state; `packet_rec_id` is the packet of one.

    Raises `ValueError` where one of them is not unsent any more.
    """
    rows = select(
        literal(remote),
        usage.c.usage_id,
        literal(state),
        usage.c.charge,
        literal(batch_id, BigInteger),
        literal(packet_rec_id, Integer),
        literal(reason, Text),
        literal(now, BigInteger),
    ).where(one_of(usage.c.usage_id, list(usage_ids)))
    names = ["remote", "usage_id", "state", "charge", "batch_id", "packet_rec_id", "reason", "updated_at"]
    statement = conflict_insert(connection, usage_report).from_select(names, rows)
    claimed = connection.execute(
        statement.on_conflict_do_update(
            index_elements=["remote", "usage_id"],
            set_={**{name: statement.excluded[name] for name in names[2:]}, "remote_id": None},
            where=usage_report.c.state == UNSENT,
        )
    ).rowcount
    if claimed != len(usage_ids):
        raise ValueError("some of these records are being sent already")


def end_batch(connection: Connection, batch_id: int, state: str, reason: str | None, now: int) -> None:
    """Notes what became of a request. Nothing is committed."""
    values = {"state": state, "reason": reason, "updated_at": now}
    connection.execute(update(usage_batch).where(usage_batch.c.batch_id == batch_id).values(**values))


def set_batch_records(connection: Connection, batch_id: int, state: str, reason: str | None, now: int) -> int:
    """Gives the records that are in a request another state; how many."""
    of_batch = and_(usage_report.c.batch_id == batch_id, usage_report.c.state == SENDING)
    values = {"state": state, "reason": reason, "updated_at": now}
    return connection.execute(update(usage_report).where(of_batch).values(**values)).rowcount


def batches(connection: Connection, remote: str, states: Iterable[str]) -> list[Record]:
    """The requests in these states, the oldest first."""
    query = select(usage_batch).where(usage_batch.c.remote == remote, usage_batch.c.state.in_(list(states)))
    return [dict(row) for row in connection.execute(query.order_by(usage_batch.c.batch_id)).mappings()]


def batch_records(connection: Connection, batch_id: int) -> list[Record]:
    """The records that are in a request."""
    query = select(usage).join(usage_report, usage_report.c.usage_id == usage.c.usage_id)
    return [dict(row) for row in connection.execute(query.where(usage_report.c.batch_id == batch_id)).mappings()]


def settle(connection: Connection, remote: str, found: Mapping[int, Outcome], now: int) -> None:
    """Gives records, by their usage_ids, the state, reason and remote id that were found.

    Only what is on its way, loaded or failed changes, nothing that is unsent.
    """
    alike: defaultdict[Outcome, list[int]] = defaultdict(list)
    for usage_id, outcome in found.items():
        alike[outcome].append(usage_id)
    for (state, reason, remote_id), ids in alike.items():
        statement = update(usage_report).where(
            usage_report.c.remote == remote,
            one_of(usage_report.c.usage_id, ids),
            usage_report.c.state.in_((SENDING, SENT, QUEUED, LOADED, FAILED)),
        )
        values = {"state": state, "reason": reason, "remote_id": remote_id, "updated_at": now}
        connection.execute(statement.values(**values))


def on_their_way(
    connection: Connection, remote: str, usage_ids: Sequence[int], clusters: Sequence[str], job_ids: Sequence[str]
) -> list[Record]:
    """Queued records that have one of these ids, or whose jobs have one of these ids on one of the clusters."""
    named = or_(
        one_of(usage.c.usage_id, list(usage_ids)),
        and_(usage.c.cluster.in_(clusters), one_of(usage.c.job_id, list(job_ids))),
    )
    query = select(usage).join(usage_report, _mine(remote)).where(usage_report.c.state == QUEUED, named)
    return [dict(row) for row in connection.execute(query).mappings()]


def is_any(connection: Connection, remote: str, state: str) -> bool:
    """Whether any record has this state at a remote."""
    query = select(usage_report.c.usage_id).where(usage_report.c.remote == remote, usage_report.c.state == state)
    return connection.execute(query.limit(1)).first() is not None


def in_state(connection: Connection, remote: str, states: Iterable[str], limit: int | None = None) -> list[Record]:
    """Records of these states, with `report_state`, `reason`, `remote_id`, `packet_rec_id` and `sent_charge`."""
    query = (
        select(
            usage,
            usage_report.c.state.label("report_state"),
            usage_report.c.reason,
            usage_report.c.remote_id,
            usage_report.c.packet_rec_id,
            usage_report.c.charge.label("sent_charge"),
        )
        .join(usage_report, _mine(remote))
        .where(usage_report.c.state.in_(list(states)))
        .order_by(usage.c.usage_id)
        .limit(limit)
    )
    return [dict(row) for row in connection.execute(query).mappings()]


def release(connection: Connection, remote: str, usage_ids: Sequence[int], states: Sequence[str], now: int) -> int:
    """Makes records that are in one of these states unsent again; how many. Nothing is committed."""
    statement = update(usage_report).where(
        usage_report.c.remote == remote,
        one_of(usage_report.c.usage_id, list(usage_ids)),
        usage_report.c.state.in_(states),
    )
    return connection.execute(statement.values(state=UNSENT, updated_at=now)).rowcount
