"""Forgetting records of usage that are settled at every remote.

What is forgotten must not be taken in again, or it would be sent twice: the moment up to which the ledger was pruned is
kept, and nothing that ended before it is collected any more.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, Table, and_, delete, exists, func, select, text

from amierules.database import own_tables
from amierules.database.connection import Database
from amierules.database.one_of import none_of, one_of
from amierules.database.upsert import conflict_insert
from amierules.database.usage_reports import DOUBTFUL, LOADED, QUEUED, SENDING, SENT
from amierules.database.usage_tables import usage, usage_batch, usage_report
from amierules.diagnostics import Finding, Unavailable

_MARK = "usage_pruned_before"
_LOCK = 0x616D6970
"""The advisory lock of who prunes the ledger, shared by those who write it ("amip")."""
_STRETCH = 10_000
"""Ids of the ledger that are looked at in one transaction."""


@dataclass
class PrunedUsage:
    """How much was forgotten, or would be."""

    records: int = 0
    requests: int = 0


def pruned_before(connection: Connection) -> int:
    """The moment before which nothing is collected any more, in seconds since 1970; 0 where nothing was pruned."""
    kept = connection.scalar(select(own_tables.meta.c.value).where(own_tables.meta.c.name == _MARK))
    return int(kept or 0)


def keep_from_pruning(connection: Connection, known: int) -> None:
    """Until this transaction ends nobody prunes. Raises `Unavailable` where somebody has, since `known` was read."""
    _lock(connection, "pg_advisory_xact_lock_shared")
    if pruned_before(connection) != known:
        message = "the ledger was pruned meanwhile"
        raise Unavailable(Finding("database-busy", message, hint="collect again: nothing is counted twice"))


def prune_usage(
    database: Database, remote: str, before: int, *, taken: bool = False, dry_run: bool = False
) -> PrunedUsage:
    """Forgets records that ended before a moment and are loaded at `remote`; how much.

    With `taken` also those that were sent, of which the other side says no more. What is unsent, failed or on its way
    at any remote stays. With `dry_run` only counts. Raises `Unavailable`.
    """
    states = (LOADED, SENT, QUEUED) if taken else (LOADED,)
    total = PrunedUsage()
    with database.read() as connection:
        last = connection.scalar(select(func.max(usage.c.usage_id))) or 0
    for after in range(0, last, _STRETCH):
        with database.read() if dry_run else database.begin() as connection:
            if not dry_run:
                _lock(connection, "pg_advisory_xact_lock")
            ids = _settled(connection, remote, before, states, after)
            total.records += len(ids)
            if ids and not dry_run:
                _forget(connection, ids, before)
    if total.records and not dry_run:
        with database.begin() as connection:
            total.requests = _forget_requests(connection)
    return total


def _settled(connection: Connection, remote: str, before: int, states: Sequence[str], after: int) -> Sequence[int]:
    def among(table: Table) -> ColumnElement[bool]:
        return and_(table.c.usage_id > after, table.c.usage_id <= after + _STRETCH)

    def told(condition: ColumnElement[bool]) -> ColumnElement[bool]:
        return exists().where(usage_report.c.usage_id == usage.c.usage_id, among(usage_report), condition)

    query = select(usage.c.usage_id).where(
        among(usage),
        usage.c.ended < before,
        told(usage_report.c.remote == remote),
        ~told(none_of(usage_report.c.state, states)),
    )
    return connection.scalars(query).all()


def _forget(connection: Connection, ids: Sequence[int], before: int) -> None:
    mark = str(max(before, pruned_before(connection)))
    statement = conflict_insert(connection, own_tables.meta).values(name=_MARK, value=mark)
    connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_={"value": mark}))
    for table in (usage_report, usage):
        connection.execute(delete(table).where(one_of(table.c.usage_id, ids)))


def _forget_requests(connection: Connection) -> int:
    """Forgets requests of whose records none is left."""
    of_request = exists().where(usage_report.c.batch_id == usage_batch.c.batch_id)
    settled = none_of(usage_batch.c.state, (SENDING, DOUBTFUL))
    return connection.execute(delete(usage_batch).where(settled, ~of_request)).rowcount


def _lock(connection: Connection, function: str) -> None:
    if connection.dialect.name != "sqlite":
        connection.execute(text(f"select {function}(:lock)"), {"lock": _LOCK})
