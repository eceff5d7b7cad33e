"""Events: what happened to a packet, when, by whom and why."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, insert, select

from amierules.database.made import Made
from amierules.database.own_tables import event
from amierules.database.together import Write, Writer, write


@dataclass(frozen=True)
class Event:
    """One thing that happened. `packet_rec_id` is None for what concerns no single packet."""

    event_id: int
    packet_rec_id: int | None
    at: datetime
    who: str
    what: str
    why: str


def add(connection: Connection, packet_rec_id: int | None, who: str, what: str, why: str, now: datetime) -> None:
    """Records an event; `now` is aware."""
    add_several(connection, [(packet_rec_id, what, why)], who, now)


def add_several(connection: Connection, told: Sequence[tuple[int | None, str, str]], who: str, now: datetime) -> None:
    """Records events in this order, each a packet_rec_id, what and why; `now` is aware."""
    rows = [{"packet_rec_id": one, "at": now, "who": who, "what": what, "why": why} for one, what, why in told]
    _EVENTS.for_each(connection, rows)


def write_one(writer: Writer, packet_rec_id: int, who: str, what: str, why: str, now: datetime) -> None:
    """Records an event of a packet."""
    write(writer, _EVENT, packet_rec_id=packet_rec_id, at=now, who=who, what=what, why=why)


_NAMES = ("packet_rec_id", "at", "who", "what", "why")
_EVENTS = Made(insert(event), columns=_NAMES)
_EVENT = Write("amierules_event", insert(event).values({name: bindparam(name) for name in _NAMES}).inline())


def for_packet(connection: Connection, packet_rec_id: int) -> list[Event]:
    """The events of a packet in the order in which they were recorded."""
    return [Event(**row) for row in _OF_PACKET.mappings(connection, number=packet_rec_id)]


_OF_PACKET = Made(select(event).where(event.c.packet_rec_id == bindparam("number")).order_by(event.c.event_id))
