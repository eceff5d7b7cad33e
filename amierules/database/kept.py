"""Packets of types that the AMIE tables do not know: kept whole in our own table, for a person."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, update

from amierules.database import events
from amierules.database.own_tables import FINAL_STATUSES, kept_packet


@dataclass(frozen=True)
class KeptPacket:
    """A packet of a type that the AMIE tables do not know, kept for a person."""

    kept_id: int
    type: str
    originating_site_name: str
    remote_site_name: str
    transaction_id: int
    packet_id: int
    remote_packet_rec_id: int | None
    raw: dict[str, Any]
    reason: str
    status: str
    kept_at: datetime


def kept_packets(connection: Connection) -> list[KeptPacket]:
    """The packets of unknown types, in the order in which they came."""
    rows = connection.execute(select(kept_packet).order_by(kept_packet.c.kept_id)).mappings()
    return [KeptPacket(**{**row, "raw": json.loads(row["raw"])}) for row in rows]


def find_kept(connection: Connection, text: str) -> KeptPacket | None:
    """The kept packet that `r:N` names, by its remote packet_rec_id; None where there is none."""
    return next((one for one in kept_packets(connection) if text == f"r:{one.remote_packet_rec_id}"), None)


def close_kept(connection: Connection, kept: KeptPacket, *, who: str, why: str, now: datetime) -> None:
    """Takes a kept packet off the list: a person has dealt with it. It stays in the table."""
    connection.execute(update(kept_packet).where(kept_packet.c.kept_id == kept.kept_id).values(status="done"))
    events.add(connection, None, who, f"closed kept packet r:{kept.remote_packet_rec_id}", why, now)


def is_closed(kept: KeptPacket) -> bool:
    """Whether a person has dealt with it."""
    return kept.status in FINAL_STATUSES
