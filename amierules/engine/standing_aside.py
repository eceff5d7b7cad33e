"""Packets that a worker has claimed and must leave alone, for now or for good: what becomes of their work rows."""

import contextlib
from enum import Enum, auto
from functools import partial

from sqlalchemy import Connection

from amierules.database import intake, work
from amierules.database.work import WorkItem
from amierules.engine.messages import tell_of_status
from amierules.engine.prepared import Prepared, blocker_of
from amierules.engine.site import Site

_LOOKS = 5
"""How often what blocks a packet is looked for where others change it meanwhile."""


class _Changed(Exception):
    """What is in a packet's way has changed since it was looked at."""


class Found(Enum):
    """What came of standing aside."""

    RECORDED = auto()
    """It is recorded why the packet is not worked on."""
    FREE = auto()
    """Nothing is in its way (any more)."""
    CHANGING = auto()
    """What is in its way went on changing: it is to be looked at once more, later."""


def stand_aside(site: Site, prepared: Prepared) -> Found:
    """Record why the packet is not worked on, if that is still so."""
    for _ in range(_LOOKS):
        with contextlib.suppress(_Changed), site.database.begin() as connection:
            current = work.get(connection, prepared.item.packet_rec_id, lock=True)
            if current is None or not work.is_unchanged(prepared.item, current):
                return Found.RECORDED
            aside = _left_alone(connection, site, prepared) or _waits(connection, site, current, prepared)
            return Found.RECORDED if aside else Found.FREE
    return Found.CHANGING


def _left_alone(connection: Connection, site: Site, prepared: Prepared) -> bool:
    """Whether AMIE's tables say that the packet is not to be worked on (any more)."""
    if prepared.why_not is None:
        return False
    if not _ended_elsewhere(connection, site, prepared.item.packet_rec_id):
        now = site.world.clock.now()
        work.set_status(connection, prepared.item, "waiting", who=site.who, now=now, reason=prepared.why_not)
    return True


def let_go(site: Site, packet_rec_id: int) -> None:
    """End the work row of a packet that is no longer in AMIE's tables."""
    with site.database.begin() as connection:
        _ended_elsewhere(connection, site, packet_rec_id)


def _ended_elsewhere(connection: Connection, site: Site, packet_rec_id: int) -> bool:
    return intake.end_elsewhere(connection, packet_rec_id, site.world.clock.now(), partial(tell_of_status, site))


def _waits(connection: Connection, site: Site, item: WorkItem, prepared: Prepared) -> bool:
    """Whether the packet waits for an earlier one, which will have it looked at again. Raises `_Changed`."""
    found = blocker_of(connection, item, prepared.keys, prepared.view)
    if found is None:
        return False
    # Whoever changes the blocker wakes those that wait for it: none may slip in between our look and our commit.
    work.get(connection, found.packet_rec_id, lock=True)
    if blocker_of(connection, item, prepared.keys, prepared.view) != found:
        raise _Changed
    now, blocker = site.world.clock.now(), found.packet_rec_id
    work.set_status(connection, item, "waiting", who=site.who, now=now, reason=found.reason, blocker=blocker)
    return True
