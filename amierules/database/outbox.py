"""The outbox: messages about packets, queued in the commit of what they tell of, each sent at most once."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, func, or_, select, update

from amierules.database.made import Made
from amierules.database.own_tables import outbox
from amierules.database.upsert import conflict_insert

QUEUED, SENDING, SENT, FAILED, UNKNOWN = "queued", "sending", "sent", "failed", "unknown"
"""`failed`: it was not made, or provably not taken; `unknown`: nobody knows whether it was taken."""
DROPPED = "dropped"
"""A person does not want it sent any more."""
STATES = (QUEUED, SENDING, SENT, FAILED, UNKNOWN, DROPPED)
TOLD_OF = (QUEUED, FAILED, UNKNOWN)
"""What `status` counts."""


@dataclass(frozen=True)
class Draft:
    """A message that is to be queued. One that cannot be made has no content, and the reason."""

    source: str
    """`rule`, or `status` for one that the configuration sends by the packet's status."""
    rule: str
    outcome: str
    """The outcome of the rule, or the status."""
    position: str
    """Which message of its list: `0`, and `0[2]` under `for_each`."""
    channel: str
    target: str
    """Whom it goes to, as people read it; never a secret."""
    content: Any
    """What is sent, as JSON without secrets; None where it cannot be made."""
    reason: str | None = None

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What is sent once for a packet."""
        return self.source, self.rule, self.outcome, self.position


@dataclass(frozen=True)
class Queued:
    """A message of the outbox. Times are aware."""

    message_id: int
    packet_rec_id: int
    source: str
    rule: str
    outcome: str
    position: str
    channel: str
    target: str
    content: Any
    state: str
    attempts: int
    reason: str | None
    next_attempt_at: datetime | None
    sender: str | None
    queued_at: datetime
    updated_at: datetime


def queue(connection: Connection, packet_rec_id: int, drafts: Iterable[Draft], now: datetime) -> list[Draft]:
    """Queues the messages that are new for the packet; returns them. What was queued before stays as it is."""
    new = []
    for draft in drafts:
        values = {name: getattr(draft, name) for name in ("source", "rule", "outcome", "position", "channel", "target")}
        state = FAILED if draft.content is None else QUEUED
        values |= {"content": draft.content, "state": state, "reason": draft.reason, "attempts": 0}
        row = {"packet_rec_id": packet_rec_id, "queued_at": now, "updated_at": now, **values}
        statement = conflict_insert(connection, outbox).on_conflict_do_nothing()
        if connection.execute(statement.values(row)).rowcount:
            new.append(draft)
    return new


def keys_of(connection: Connection, packet_rec_id: int) -> set[tuple[str, str, str, str]]:
    """The keys of the messages that a packet has already."""
    columns = (outbox.c.source, outbox.c.rule, outbox.c.outcome, outbox.c.position)
    rows = connection.execute(select(*columns).where(outbox.c.packet_rec_id == packet_rec_id))
    return {(source, rule, outcome, position) for source, rule, outcome, position in rows}


def told_of(connection: Connection, outcome: str) -> set[int]:
    """The packets of which a message by this status was queued."""
    query = select(outbox.c.packet_rec_id).where(outbox.c.source == "status", outbox.c.outcome == outcome)
    return set(connection.scalars(query.distinct()))


def for_packet(connection: Connection, packet_rec_id: int) -> list[Queued]:
    """The messages of a packet, in the order in which they were queued."""
    return [Queued(**row) for row in _OF_PACKET.mappings(connection, number=packet_rec_id)]


_OF_PACKET = Made(select(outbox).where(outbox.c.packet_rec_id == bindparam("number")).order_by(outbox.c.message_id))


def counts(connection: Connection) -> dict[str, int]:
    """How many messages are queued, failed and unknown; one that is being sent counts as queued."""
    query = select(outbox.c.state, func.count()).where(outbox.c.state.not_in((SENT, DROPPED))).group_by(outbox.c.state)
    found: dict[str, int] = {row[0]: row[1] for row in connection.execute(query)}
    found[QUEUED] = found.get(QUEUED, 0) + found.pop(SENDING, 0)
    return {state: found.get(state, 0) for state in TOLD_OF}


# ------------------------------------------------------------------ by hand


def listing(connection: Connection, states: Collection[str]) -> list[Queued]:
    """The messages in these states, oldest first."""
    query = select(outbox).where(outbox.c.state.in_(states)).order_by(outbox.c.message_id)
    return [Queued(**row) for row in connection.execute(query).mappings()]


def find(connection: Connection, message_id: int) -> Queued | None:
    """One message; it stays as it is until the transaction ends."""
    query = select(outbox).where(outbox.c.message_id == message_id).with_for_update(key_share=True)
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else Queued(**row)


def put(connection: Connection, message_id: int, state: str, now: datetime) -> None:
    """Gives a message that `find` found another state: `queued` is due at once, and as if it had never been tried."""
    values = {"state": state, "updated_at": now, "next_attempt_at": None, "attempts": 0}
    values |= {"reason": None, "sender": None} if state == QUEUED else {}
    connection.execute(update(outbox).where(outbox.c.message_id == message_id).values(values))


# ------------------------------------------------------------------ sending


def due(connection: Connection, now: datetime, *, limit: int, after: int = 0) -> list[Queued]:
    """The messages that may be sent now, at most `limit`, those with a greater id than `after`; oldest first."""
    its_time = or_(outbox.c.next_attempt_at.is_(None), outbox.c.next_attempt_at <= now)
    query = select(outbox).where(outbox.c.state == QUEUED, its_time, outbox.c.message_id > after)
    rows = connection.execute(query.order_by(outbox.c.message_id).limit(limit)).mappings()
    return [Queued(**row) for row in rows]


def take(connection: Connection, message_id: int, sender: str, now: datetime) -> bool:
    """Makes a queued message one that is being sent, by `sender`; False where somebody else was quicker.

    To be committed before anything is sent: what is in this state is never sent again, whatever happens.
    """
    statement = update(outbox).where(outbox.c.message_id == message_id, outbox.c.state == QUEUED)
    values = {"state": SENDING, "sender": sender, "updated_at": now}
    return bool(connection.execute(statement.values(values)).rowcount)


def under_way(connection: Connection) -> list[Queued]:
    """The messages that are being sent, or were when their sender died."""
    rows = connection.execute(select(outbox).where(outbox.c.state == SENDING).order_by(outbox.c.message_id))
    return [Queued(**row) for row in rows.mappings()]


def settle(
    connection: Connection,
    message_id: int,
    state: str,
    reason: str | None,
    *,
    now: datetime,
    next_attempt_at: datetime | None = None,
) -> bool:
    """How the sending of a message ended; False where it was settled already.

    One that is queued again, for `next_attempt_at`, was tried in vain.
    """
    values: dict[str, Any] = {"state": state, "reason": reason, "updated_at": now, "next_attempt_at": next_attempt_at}
    if state != SENT:
        values["attempts"] = outbox.c.attempts + 1
    statement = update(outbox).where(outbox.c.message_id == message_id, outbox.c.state == SENDING)
    return bool(connection.execute(statement.values(values)).rowcount)
