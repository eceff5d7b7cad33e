"""How far fetching from a server has come, and what it lists that is no packet."""

import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, delete, func, select

from amierules.database.exchange_tables import unreadable
from amierules.database.own_tables import meta
from amierules.database.upsert import conflict_insert

_MARK = "exchange_mark:"
_KEPT = 1_000_000
"""Characters that are kept of what cannot be read."""


@dataclass(frozen=True)
class Mark:
    """How far fetching has come. Times are aware."""

    since: datetime
    """The server's time when it was last asked with success."""
    full_at: datetime
    """When all its packets in progress were last asked for."""


@dataclass(frozen=True)
class Unreadable:
    """Something that a server lists as a packet and that is none."""

    remote_site_name: str
    key: str
    """By what it is known again: the server's packet_rec_id, else a digest."""
    code: str
    reason: str
    raw: str


def fetch_mark(connection: Connection, server: str) -> Mark | None:
    """How far fetching from a server has come; None before the first time."""
    found = connection.scalar(select(meta.c.value).where(meta.c.name == _MARK + server))
    if found is None:
        return None
    since, full_at = json.loads(found)
    return Mark(datetime.fromisoformat(since), datetime.fromisoformat(full_at))


def set_fetch_mark(connection: Connection, server: str, mark: Mark) -> None:
    """Notes how far fetching has come."""
    value = json.dumps([moment.astimezone(UTC).isoformat() for moment in (mark.since, mark.full_at)])
    statement = conflict_insert(connection, meta).values(name=_MARK + server, value=value)
    connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_={"value": value}))


def as_unreadable(remote_site_name: str, key: int | None, element: Any, code: str, reason: str) -> Unreadable:
    """What a server lists, and why it cannot be read."""
    try:
        raw = json.dumps(element, sort_keys=True)
    except RecursionError:
        raw = "nested too deeply"
    raw = raw.replace("\\u0000", "")[:_KEPT]  # the database has no NUL
    name = hashlib.sha256(raw.encode("utf-8", "replace")).hexdigest()[:16] if key is None else str(key)
    return Unreadable(remote_site_name, name, code, reason, raw.encode("utf-8", "replace").decode())


def note_unreadable(connection: Connection, one: Unreadable, now: datetime) -> bool:
    """Keeps it for a person; whether it is seen for the first time, or for another reason than before."""
    row = (unreadable.c.remote_site_name == one.remote_site_name, unreadable.c.key == one.key)
    before = connection.scalar(select(unreadable.c.reason).where(*row))
    values = {"code": one.code, "reason": one.reason, "raw": one.raw, "seen_at": now}
    statement = conflict_insert(connection, unreadable).values(
        remote_site_name=one.remote_site_name, key=one.key, first_seen_at=now, **values
    )
    connection.execute(statement.on_conflict_do_update(index_elements=["remote_site_name", "key"], set_=values))
    return before != one.reason


def forget_unreadable(connection: Connection, sites: Collection[str], *, seen_before: datetime) -> None:
    """Forgets what is no longer listed: what was not seen since a moment at which all was asked for."""
    gone = (unreadable.c.remote_site_name.in_(sites), unreadable.c.seen_at < seen_before)
    connection.execute(delete(unreadable).where(*gone))


def unreadable_packets(connection: Connection) -> list[Unreadable]:
    """All that is kept, by server and key."""
    columns = unreadable.c
    query = select(columns.remote_site_name, columns.key, columns.code, columns.reason, columns.raw)
    return [Unreadable(*row) for row in connection.execute(query.order_by(columns.remote_site_name, columns.key))]


def count_unreadable(connection: Connection) -> int:
    """How many things are kept that are no packets."""
    return connection.scalar(select(func.count()).select_from(unreadable)) or 0
