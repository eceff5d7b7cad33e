"""What the database knows of a packet: what it was, how it was settled, and what was there before."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select

from amierules.database.approvals import Approval
from amierules.database.events import Event
from amierules.database.journal import StepRow
from amierules.database.own_tables import FINAL_STATUSES
from amierules.database.own_tables import packet as own_packet
from amierules.database.rows import RegistryRow
from amierules.database.work import WorkItem
from amierules.diagnostics import Finding, NotAllowed
from amierules.engine.begun import DONE
from amierules.engine.cases import read_case
from amierules.engine.overview import Details, details
from amierules.engine.packet_case import PacketCase
from amierules.engine.site import Site
from amierules.protocol.packet import Packet
from amierules.testing.coming import Came, came_of
from amierules.testing.expectations import STATUS_OF, change_as_expected
from amierules.testing.replay.rows_before import concerned, rows_before

BY_HAND = {"failed": "fail", "done": "complete"}
"""How a person ends a packet, by the status that it then has."""
_WORKER = "run@"


@dataclass(frozen=True)
class Past:
    """A packet that something has come of."""

    case: PacketCase
    item: WorkItem
    steps: Mapping[str, StepRow]
    """By path, in their order."""
    approvals: Sequence[Approval]
    came: Came
    now: datetime
    """The moment of the pass that settled it."""
    rows: Sequence[RegistryRow]
    """The registry before, in so far as the packet has to do with it."""
    ended_by_hand: str | None
    """What a person said who ended it."""

    @property
    def failed(self) -> list[StepRow]:
        """The steps that did not succeed, or of which nobody knows."""
        return [step for step in self.steps.values() if step.state != DONE]


def read_past(site: Site, packet_rec_id: int) -> Past:
    """The packet and what came of it. Raises `NotAllowed` where nothing has yet."""
    found = details(site, packet_rec_id)
    item = found.item
    if item is None or item.status not in STATUS_OF.values() or item.status == STATUS_OF["wait"]:
        message = f"packet {packet_rec_id} is {item.status if item else 'not taken in'}: nothing has come of it yet"
        raise NotAllowed(Finding("not-allowed", message, hint="`amierules run` works on it"))
    settled = _settled(found, item)
    now = (settled.at if settled is not None else item.updated_at).astimezone(UTC).replace(microsecond=0)
    with site.database.read() as connection:
        case = read_case(connection, site, found.stored, item, now)
        rows = rows_before(connection, packet_rec_id, settled.event_id if settled is not None else 0)
    steps = {step.path: step for step in sorted(found.steps, key=lambda step: step.position)}
    case = replace(case, earlier=_before_it(site, found, case.earlier))
    prefix = site.configuration.shadow_prefix
    bodies = [case.packet.body, *(packet.body for packet in case.earlier)]
    return Past(
        case=case,
        item=item,
        steps=steps,
        approvals=sorted(found.approvals, key=lambda one: one.at),
        came=came_of(site, packet_rec_id, None, _changes(steps, str(prefix) if prefix is not None else None)),
        now=case.now,
        rows=concerned(rows, bodies, steps.values()),
        ended_by_hand=_by_hand(found, item),
    )


def _settled(found: Details, item: WorkItem) -> Event | None:
    """The last event of the pass that settled the packet; a person may have ended it after that."""
    passes = [one for one in found.events if one.who.startswith(_WORKER)]
    return next((one for one in reversed(passes) if one.what == item.status), passes[-1] if passes else None)


def _before_it(site: Site, found: Details, earlier: Sequence[Packet]) -> list[Packet]:
    """The packets of the transaction before this one was settled: those that came, and what we had sent by then."""
    number = found.stored.packet.header.packet_rec_id
    with site.database.read() as connection:
        query = select(own_packet.c.packet_rec_id).where(own_packet.c.in_reply_to == number)
        reply = connection.scalars(query).first()
    answered = reply if reply is not None else max((one.header.packet_rec_id or 0 for one in earlier), default=0) + 1
    return [one for one in earlier if not one.header.outgoing or (one.header.packet_rec_id or 0) < answered]


def _own_words(step: StepRow, prefix: str | None) -> list[dict[str, Any]]:
    """The changes of a step, without the scratch root that the site works under."""
    if prefix is None:
        return list(step.changes or [])
    changes = []
    for change in step.changes or []:
        words = change.get("argv")
        at = words.index(prefix) if words and prefix in words else 0
        changes.append({**change, "argv": [*words[: at - 1], *words[at + 1 :]]} if at else change)
    return changes


def _by_hand(found: Details, item: WorkItem) -> str | None:
    last = next((one for one in reversed(found.events) if one.what == item.status), None)
    if last is None or last.who.startswith(_WORKER) or item.status not in BY_HAND or item.status not in FINAL_STATUSES:
        return None
    return last.why or "by hand"


def _changes(steps: Mapping[str, StepRow], prefix: str | None) -> list[dict[str, Any]]:
    return [
        change_as_expected(step.path, change, failed=step.state != DONE)
        for step in steps.values()
        for change in _own_words(step, prefix)
    ]
