"""A front that plays until it is told to end, or until all is done that was begun; and what happens meanwhile."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from threading import Event
from typing import Protocol

from sqlalchemy import select

from amierules.protocol.packet import IN_PROGRESS
from amierules.tgcdb.central import Central
from amierules.tgcdb.records import COMPLETE
from amierules.tgcdb.tables import packet, transaction, violation

PAUSE = 0.25
"""Seconds between two looks."""


class Front(Protocol):
    """What carries packets between the central database and a site."""

    def carry(self) -> None:
        """Carries what there is to carry now. Raises `Unavailable` where the other end is not to be had."""


@dataclass(frozen=True)
class News:
    """A packet that went to the site or came from it, or a rule that was broken."""

    at: str
    to_site: bool | None
    """None for a broken rule."""
    text: str


@dataclass
class Progress:
    """What has happened at a site since the last look."""

    central: Central
    site: str
    _packet: int = 0
    _violation: int = 0

    def skip(self) -> None:
        """Whatever has happened before is no news."""
        for _ in self.news():
            pass

    def news(self) -> Iterator[News]:
        """What is new, in order."""
        with self.central.store.begin() as connection:
            columns = packet.c
            sent = select(packet).where(columns.site == self.site, columns.packet_rec_id > self._packet)
            packets = connection.execute(sent.order_by(columns.packet_rec_id)).all()
            broken = violation.c
            kept = select(violation).where(broken.site == self.site, broken.violation_id > self._violation)
            violations = connection.execute(kept.order_by(broken.violation_id)).all()
        found = [
            (row.ts, News(f"{row.ts:%H:%M:%S}", row.to_site, _described(row.type, row.packet_rec_id, row.in_reply_to)))
            for row in packets
        ]
        found += [(row.at, News(f"{row.at:%H:%M:%S}", None, f"{row.rule} {row.message}")) for row in violations]
        self._packet = max((row.packet_rec_id for row in packets), default=self._packet)
        self._violation = max((row.violation_id for row in violations), default=self._violation)
        yield from (news for _, news in sorted(found, key=lambda one: one[0]))


def play(central: Central, front: Front, site: str, stop: Event, told: Callable[[], None], *, until_done: bool) -> None:
    """Carries and sends until `stop` is set, or, with `until_done`, until nothing is left to do.

    `told` is called after each round, for whoever shows the progress. Raises what the front raises.
    """
    while not stop.is_set():
        central.agenda.go_on()
        front.carry()
        told()
        if until_done and is_done(central, site):
            return
        stop.wait(PAUSE)


def is_done(central: Central, site: str) -> bool:
    """Whether all requests were sent, and no transaction waits for the site."""
    if central.agenda.unfinished(site):
        return False
    with central.store.begin() as connection:
        waiting = (
            select(packet.c.packet_rec_id)
            .join(transaction)
            .where(
                packet.c.site == site,
                packet.c.to_site,
                packet.c.state == IN_PROGRESS,
                packet.c.type != COMPLETE,
                transaction.c.state == IN_PROGRESS,
            )
        )
        return connection.execute(waiting.limit(1)).one_or_none() is None


def _described(type_name: str, packet_rec_id: int, in_reply_to: int | None) -> str:
    return f"{type_name} {packet_rec_id}" + (f", to {in_reply_to}" if in_reply_to is not None else "")
