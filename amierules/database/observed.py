"""What we would have done with packets that another program answers; AMIE's own tables stay as they are."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select

from amierules.database import own_tables
from amierules.database.amie_tables import packet_tbl
from amierules.database.own_tables import observed
from amierules.database.upsert import conflict_insert


@dataclass(frozen=True)
class Observation:
    """Our plan for a packet and, once another program has answered it, how the answer differs."""

    packet_rec_id: int
    type: str
    observed_at: datetime
    rule: str | None
    plan: Mapping[str, Any]
    """As `dry-run --format json` prints it."""
    answered_by: int | None = None
    """The local packet_rec_id of the other program's reply."""
    differences: list[dict[str, Any]] | None = None
    """`tag`, `ours`, `theirs` of each; None before the packet is answered."""


def keep(connection: Connection, one: Observation) -> None:
    """Writes an observation in the place of an earlier one of the packet."""
    values: dict[str, Any] = {name: getattr(one, name) for name in Observation.__dataclass_fields__}
    statement = conflict_insert(connection, observed).values(**values)
    changed = {name: statement.excluded[name] for name in values if name != "packet_rec_id"}
    connection.execute(statement.on_conflict_do_update(index_elements=["packet_rec_id"], set_=changed))


def observations(connection: Connection) -> list[Observation]:
    """All observations, in order of packet_rec_id."""
    return [Observation(**row._mapping) for row in connection.execute(select(observed).order_by("packet_rec_id"))]


def newer_than(connection: Connection, mark: int) -> list[int]:
    """The incoming packets with a higher packet_rec_id, which no run of ours has taken in."""
    ours = select(own_tables.work.c.packet_rec_id)
    statement = select(packet_tbl.c.packet_rec_id).where(
        packet_tbl.c.outgoing_flag == 0, packet_tbl.c.packet_rec_id > mark, packet_tbl.c.packet_rec_id.not_in(ours)
    )
    return sorted(connection.scalars(statement))


def highest(connection: Connection) -> int:
    """The highest packet_rec_id that there is."""
    return connection.execute(select(func.max(packet_tbl.c.packet_rec_id))).scalar_one() or 0
