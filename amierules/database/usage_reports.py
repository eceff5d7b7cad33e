"""What became of each record at each remote: unsent, claimed for a request, sent, loaded or failed."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    Integer,
    Text,
    and_,
    func,
    insert,
    literal,
    literal_column,
    null,
    or_,
    select,
    update,
)

from amierules.database.one_of import one_of
from amierules.database.upsert import conflict_insert
from amierules.database.usage_tables import usage, usage_batch, usage_report

UNSENT, SENDING, SENT, QUEUED, LOADED, FAILED = "unsent", "sending", "sent", "queued", "loaded", "failed"
STATES = (UNSENT, SENDING, SENT, QUEUED, LOADED, FAILED)
"""The states of a record at a remote. `sending`: it is in a request whose answer is not there yet, or was lost."""
TAKEN, REFUSED, DOUBTFUL, NOT_TAKEN = "taken", "refused", "doubtful", "not_taken"
"""What became of a request, beside `sending`."""

_GROWTH = 4
_LONGEST = 1_000_000
"""Ids of a stretch of the ledger."""

Record = Mapping[str, Any]
"""A row of the ledger."""
Outcome = tuple[str, str | None, str | None]
"""What became of a record: its state, the reason, and what the other side calls it."""


def _mine(remote: str) -> Any:
    return and_(usage_report.c.remote == remote, usage_report.c.usage_id == usage.c.usage_id)


def _is_unsent() -> Any:
    return or_(usage_report.c.state.is_(None), usage_report.c.state == UNSENT)


def unsent(connection: Connection, remote: str, after: int, limit: int) -> list[Record]:
    """The next unsent records behind one, in the order of their ids.

    Both tables are joined stretch by stretch: without an upper end databases join all that was ever reported, each
    time. Stretches grow while nothing in them is unsent.
    """
    found: list[Record] = []
    last = connection.execute(select(func.max(usage.c.usage_id))).scalar_one() or 0
    stretch = limit
    while len(found) < limit and after < last:
        some = _unsent_between(connection, remote, (after, after + stretch), limit - len(found))
        found += some
        after += stretch
        stretch = stretch if some else min(stretch * _GROWTH, _LONGEST)
    return found


def _unsent_between(connection: Connection, remote: str, ids: tuple[int, int], limit: int) -> list[Record]:
    after, last = ids
    of_stretch = and_(_mine(remote), usage_report.c.usage_id > after, usage_report.c.usage_id <= last)
    result = connection.execute(
        select(usage)
        .select_from(usage.outerjoin(usage_report, of_stretch))
        .where(usage.c.usage_id > after, usage.c.usage_id <= last, _is_unsent())
        .order_by(usage.c.usage_id)
        .limit(limit)
    )
    names = tuple(result.keys())
    return [dict(zip(names, row, strict=True)) for row in result]


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
    reason: str | None = None,
) -> None:
    """Gives unsent records, by their usage_ids, a state.

    Raises `ValueError` where one of them is not unsent any more.
    """
    rows = select(
        literal(remote),
        usage.c.usage_id,
        literal(state),
        usage.c.charge,
        literal(batch_id, BigInteger),
        literal(None, Integer),
        literal(reason, Text),
        literal(now, BigInteger),
    ).where(one_of(usage.c.usage_id, list(usage_ids)))
    statement = conflict_insert(connection, usage_report).from_select(_CLAIMED, rows)
    _all_claimed(len(usage_ids), connection.execute(_where_unsent(statement)).rowcount)


def claim_sent(connection: Connection, remote: str, packets: Mapping[int, Record], now: int) -> None:
    """Notes that unsent records, given by the packet_rec_ids of their packets, are sent.

    Raises `ValueError` where one of them is not unsent any more.
    """
    if not packets:
        return
    common = {"remote": remote, "state": SENT, "batch_id": None, "reason": None, "updated_at": now}
    rows = [
        {**common, "usage_id": record["usage_id"], "charge": record["charge"], "packet_rec_id": number}
        for number, record in packets.items()
    ]
    statement = _where_unsent(conflict_insert(connection, usage_report)).returning(usage_report.c.usage_id)
    _all_claimed(len(rows), len(connection.execute(statement, rows).all()))


_CLAIMED = ["remote", "usage_id", "state", "charge", "batch_id", "packet_rec_id", "reason", "updated_at"]


def _where_unsent(statement: Any) -> Any:
    return statement.on_conflict_do_update(
        index_elements=["remote", "usage_id"],
        set_={**{name: statement.excluded[name] for name in _CLAIMED[2:]}, "remote_id": null()},
        # With parameters here many rows would not go in one statement.
        where=usage_report.c.state == literal_column(f"'{UNSENT}'"),
    )


def _all_claimed(wanted: int, claimed: int) -> None:
    if claimed != wanted:
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
