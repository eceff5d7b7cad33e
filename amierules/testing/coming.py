"""What came of a packet, read from the database: in the form in which a test expects it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import bindparam, select

from amierules.database import events, outbox, own_tables, packets, work
from amierules.database.made import Made
from amierules.database.registry_all import read_all
from amierules.engine.attempt import Handled
from amierules.engine.registry.export import exported_rows
from amierules.engine.registry.stock import Stock
from amierules.engine.site import Site
from amierules.testing.expectations import STATUS_OF, written


@dataclass(frozen=True)
class Came:
    """What came of a packet."""

    site: Site
    packet_rec_id: int
    rule: str | None
    outcome: str
    """The outcome as a test calls it; the status itself where a test cannot expect it."""
    reason: str
    reply: Mapping[str, Any] | None
    """Type and body of the reply, if it was answered."""
    changes: Sequence[Mapping[str, Any]]
    messages: Sequence[Mapping[str, Any]]
    crash: str | None = None
    """The traceback of an internal error."""
    _registry: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def registry(self) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        """The rows of the registry, as `registry export` writes them."""
        if not self._registry:
            with self.site.database.read() as connection:
                rows, _ = exported_rows(Stock(read_all(connection)))
            self._registry.update(rows)
        return self._registry

    def events(self) -> list[dict[str, Any]]:
        """The packet's events."""
        with self.site.database.read() as connection:
            found = events.for_packet(connection, self.packet_rec_id)
        return [{"what": one.what, **({"why": one.why} if one.why else {})} for one in found]

    def as_expected(self) -> dict[str, Any]:
        """What a test would expect of it."""
        found: dict[str, Any] = {} if self.rule is None and self.outcome != "park" else {"rule": self.rule}
        if self.changes:
            found["changes"] = [written(change) for change in self.changes]
        found[self.outcome] = dict(self.reply) if self.outcome == "reply" and self.reply else self.reason
        if self.messages:
            found["messages"] = [dict(message) for message in self.messages]
        return found


def came_of(site: Site, packet_rec_id: int, handled: Handled | None, changes: Sequence[Mapping[str, Any]]) -> Came:
    """What came of a packet by now; `handled` is how the engine's last pass over it ended, `changes` what it did."""
    with site.database.read() as connection:
        item = work.get(connection, packet_rec_id)
        replies = [reply for (reply,) in _REPLIES.rows(connection, number=packet_rec_id)]
        found = packets.read_packets(connection, replies, site.name)
        queued = outbox.for_packet(connection, packet_rec_id)
    reply = found[max(found)].packet if found else None
    said = None if reply is None else {"type": reply.header.type, "body": dict(reply.body)}
    status = item.status if item is not None else "not taken in"
    decision = handled.report.decision if handled is not None else None
    reason = (item.reason if item is not None else None) or ""
    if decision is not None and decision.reason and reason.startswith(decision.reason):
        # What follows it tells a person which command to type.
        reason = decision.reason
    return Came(
        site=site,
        packet_rec_id=packet_rec_id,
        rule=item.rule if item is not None else None,
        outcome=_outcome(status, said),
        reason=reason,
        reply=said,
        changes=changes,
        messages=[{one.channel: _content(one)} for one in queued],
        crash=handled.report.crash if handled is not None else None,
    )


_OWN = own_tables.packet.c
_REPLIES = Made(select(_OWN.packet_rec_id).where(_OWN.in_reply_to == bindparam("number")))


def _outcome(status: str, reply: Mapping[str, Any] | None) -> str:
    if status == "done":
        return "reply" if reply is not None else "complete"
    return next((outcome for outcome, stands in STATUS_OF.items() if stands == status), status)


def _content(one: outbox.Queued) -> Mapping[str, Any]:
    return one.content if isinstance(one.content, dict) else {"cannot be made": one.reason}
