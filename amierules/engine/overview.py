"""What waits and why: the packets as `status` and `show` list them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from amierules.database import approvals, events, journal, outbox, packets, work
from amierules.database.approvals import Approval
from amierules.database.events import Event
from amierules.database.journal import StepRow
from amierules.database.kept import KeptPacket, find_kept, kept_packets
from amierules.database.outbox import Queued
from amierules.database.own_tables import FINAL_STATUSES
from amierules.database.packets import StoredPacket
from amierules.database.records import remote_ids
from amierules.database.work import WorkItem
from amierules.engine.site import Site


@dataclass(frozen=True)
class Line:
    """One packet of the list. A packet of an unknown type has no row in AMIE's tables, and no `packet_rec_id`."""

    packet_rec_id: int | None
    remote_packet_rec_id: int | None
    trans_rec_id: int | None
    type: str
    status: str
    rule: str | None = None
    attempts: int = 0
    reason: str | None = None
    asked: Mapping[str, str] | None = None
    """What its hold asks for."""
    next_attempt_at: datetime | None = None
    ts: datetime | None = None
    """The packet's own time stamp, by which packets stand in order."""
    since: datetime | None = None
    """When we first saw it; None where no run has."""

    def as_json(self) -> dict[str, Any]:
        """The packet as `status --format json` prints it."""
        return {
            "packet_rec_id": self.packet_rec_id,
            "remote_packet_rec_id": self.remote_packet_rec_id,
            "trans_rec_id": self.trans_rec_id,
            "type": self.type,
            "status": self.status,
            "rule": self.rule,
            "attempts": self.attempts,
            "reason": self.reason,
            "asked": self.asked,
            "next_attempt_at": self.next_attempt_at.isoformat() if self.next_attempt_at else None,
        }


def listing(site: Site, *, final: bool = False, statuses: Collection[str] | None = None) -> list[Line]:
    """The packets in order of arrival: those that are open, with `final` all, or those of the given statuses."""
    with site.database.read() as connection:
        known = work.listing(connection, include_final=True)
        taken_in = {item.packet_rec_id for item in known}
        new = [one for one in packets.eligible(connection, None) if one.packet_rec_id not in taken_in]
        shown = [item for item in known if _wanted(item.status, final, statuses)]
        remote = remote_ids(connection, [item.packet_rec_id for item in shown] + [one.packet_rec_id for one in new])
        kept = kept_packets(connection)
    lines = [_of_item(item, remote.get(item.packet_rec_id)) for item in shown]
    if statuses is None or "ready" in statuses:
        lines += [
            Line(one.packet_rec_id, remote.get(one.packet_rec_id), one.trans_rec_id, one.type, "ready", ts=one.ts)
            for one in new
        ]
    lines += [
        Line(
            None,
            one.remote_packet_rec_id,
            None,
            one.type,
            one.status,
            reason=one.reason,
            ts=one.kept_at,
            since=one.kept_at,
        )
        for one in kept
        if _wanted(one.status, final, statuses)
    ]
    return sorted(lines, key=lambda line: (line.ts is None, line.ts, line.packet_rec_id or 0))


def _wanted(status: str, final: bool, statuses: Collection[str] | None) -> bool:
    if statuses is not None:
        return status in statuses
    return final or status not in FINAL_STATUSES


def _of_item(item: WorkItem, remote: int | None) -> Line:
    return Line(
        packet_rec_id=item.packet_rec_id,
        remote_packet_rec_id=remote,
        trans_rec_id=item.trans_rec_id,
        type=item.type,
        status=item.status,
        rule=item.rule,
        attempts=item.attempts,
        reason=item.reason,
        asked=item.asked,
        next_attempt_at=item.next_attempt_at,
        ts=item.ts,
        since=item.taken_in_at,
    )


@dataclass(frozen=True)
class Details:
    """One packet with its journal, its events, and the other packets of its transaction."""

    stored: StoredPacket
    item: WorkItem | None
    steps: list[StepRow]
    events: list[Event]
    transaction: list[StoredPacket]
    approvals: list[Approval]
    """The oldest first."""
    messages: list[Queued] = field(default_factory=list)
    kept: KeptPacket | None = None
    """A packet of an unknown type that has the same remote id."""


def kept_details(site: Site, text: str) -> KeptPacket | None:
    """The packet of an unknown type that `r:N` names; None where there is none, or an ordinary one has that id."""
    with site.database.read() as connection:
        return None if packets.resolve_id(connection, text) is not None else find_kept(connection, text)


def details(site: Site, packet_rec_id: int) -> Details:
    """All that is known of a packet; `packet_rec_id` must be one that is in the database."""
    with site.database.read() as connection:
        return _details(connection, site, packet_rec_id)


def _details(connection: Connection, site: Site, packet_rec_id: int) -> Details:
    stored = packets.read_packets(connection, [packet_rec_id], site.name)[packet_rec_id]
    header = stored.packet.header
    kept = None if header.outgoing else find_kept(connection, f"r:{header.remote_packet_rec_id}")
    return Details(
        stored=stored,
        item=work.get(connection, packet_rec_id),
        steps=list(journal.steps(connection, packet_rec_id).values()),
        events=events.for_packet(connection, packet_rec_id),
        transaction=packets.transaction_packets(connection, header.trans_rec_id or 0, site.name),
        approvals=[*approvals.approved_rules(connection, packet_rec_id).values()],
        messages=outbox.for_packet(connection, packet_rec_id),
        kept=kept,
    )
