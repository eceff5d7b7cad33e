"""The outbox, for tests: what a packet's outcome queued."""

from typing import Any

from amierules.database import outbox
from amierules.database.outbox import Queued
from amierules.engine.site import Site


def queued(site: Site, packet_rec_id: int) -> list[Queued]:
    """The messages of a packet, oldest first."""
    with site.database.read() as connection:
        return outbox.for_packet(connection, packet_rec_id)


def texts(site: Site, packet_rec_id: int) -> list[Any]:
    """What the messages of a packet say; None for one that could not be made."""
    return [one.content and one.content["text"] for one in queued(site, packet_rec_id)]
