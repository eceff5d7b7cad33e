"""The status of incoming packets here, as far as a remote site was told of it."""

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, exists, or_, select

from amierules.database import own_tables
from amierules.database.exchange_tables import client_state
from amierules.database.one_of import one_of
from amierules.database.own_tables import work
from amierules.database.upsert import conflict_insert
from amierules.database.work import is_open


class Untold(NamedTuple):
    """A packet whose status the remote site does not know."""

    packet_rec_id: int
    remote_packet_rec_id: int
    status: str


def untold(connection: Connection, sites: Collection[str], since: datetime) -> list[Untold]:
    """The incoming packets of these remote sites whose status has changed since they were told, by packet_rec_id.

    Those that ended before the moment `since` (aware) are left out.
    """
    ours = own_tables.packet.c
    told = exists().where(client_state.c.packet_rec_id == work.c.packet_rec_id, client_state.c.told == work.c.status)
    query = (
        select(work.c.packet_rec_id, ours.remote_packet_rec_id, work.c.status)
        .join_from(work, own_tables.packet, ours.packet_rec_id == work.c.packet_rec_id)
        .where(one_of(ours.remote_site_name, list(sites)), ours.remote_packet_rec_id.is_not(None), ~told)
        .where(or_(is_open(), work.c.updated_at >= since))
        .order_by(work.c.packet_rec_id)
    )
    return [Untold(*row) for row in connection.execute(query)]


def note_told(connection: Connection, one: Untold) -> None:
    """Notes what a remote site was told."""
    statement = conflict_insert(connection, client_state).values(packet_rec_id=one.packet_rec_id, told=one.status)
    told = {"told": one.status}
    connection.execute(statement.on_conflict_do_update(index_elements=["packet_rec_id"], set_=told))
