"""The collections of usage that were begun, with their windows: where the next one goes on."""

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from amierules.database.usage_tables import usage_run


def begin(connection: Connection, source: str, window: tuple[int, int] | None, now: int) -> int:
    """Notes that a collection begins; its number. Nothing is committed."""
    start, end = window or (None, None)
    values = {"source": source, "window_start": start, "window_end": end, "began_at": now}
    return int(connection.execute(insert(usage_run).values(**values).returning(usage_run.c.run_id)).scalar_one())


def finish(connection: Connection, run_id: int, counts: Mapping[str, Any], now: int) -> None:
    """Notes that all of it was read. Nothing is committed."""
    values = {"finished_at": now, "counts": json.dumps(counts)}
    connection.execute(update(usage_run).where(usage_run.c.run_id == run_id).values(**values))


def read_until(connection: Connection, source: str) -> int | None:
    """The end of the windows of a source that were read whole, without a gap from the first on; None where none was."""
    query = select(usage_run.c.window_start, usage_run.c.window_end).where(
        usage_run.c.source == source, usage_run.c.finished_at.is_not(None), usage_run.c.window_start.is_not(None)
    )
    until: int | None = None
    for start, end in connection.execute(query.order_by(usage_run.c.window_start, usage_run.c.window_end)):
        if until is None or start <= until:
            until = max(until or end, end)
    return until


def last(connection: Connection) -> Mapping[str, Any] | None:
    """The newest collection."""
    newest = select(func.max(usage_run.c.run_id)).scalar_subquery()
    row = connection.execute(select(usage_run).where(usage_run.c.run_id == newest)).mappings().one_or_none()
    return None if row is None else dict(row)
