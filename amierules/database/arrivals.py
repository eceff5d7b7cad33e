"""The order in which packets came: by time stamp, then by id."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, select

from amierules.database.amie_tables import packet_tbl
from amierules.database.own_tables import work
from amierules.database.work import is_open

Place = tuple[datetime, int]
"""A packet's time stamp, aware, and its packet_rec_id."""


class Arrival(NamedTuple):
    """A packet's place in the order of arrival, and its transaction."""

    ts: datetime
    packet_rec_id: int
    trans_rec_id: int

    @property
    def place(self) -> Place:
        """Where it stands."""
        return self.ts, self.packet_rec_id


ARRIVALS: Select[Any] = select(packet_tbl.c.ts, packet_tbl.c.packet_rec_id, packet_tbl.c.trans_rec_id)


def arrivals(connection: Connection, ids: Collection[int]) -> list[Arrival]:
    """When these packets came, as far as they are there, earliest first."""
    found = connection.execute(ARRIVALS.where(packet_tbl.c.packet_rec_id.in_(ids)))
    return sorted(Arrival(*row) for row in found)


def open_places(connection: Connection) -> list[Place]:
    """The place of each packet that has a work row and is not over, earliest first."""
    query = select(work.c.ts, work.c.packet_rec_id).where(is_open()).order_by(work.c.ts, work.c.packet_rec_id)
    return [(ts, packet_rec_id) for ts, packet_rec_id in connection.execute(query)]
