"""The messages that a packet's outcome brings: those of its rule, and those that the configuration sends by status."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from amierules.database import events, outbox, packets, work
from amierules.diagnostics import printable
from amierules.engine.cases import read_case
from amierules.engine.decision import PacketReport, Spoken
from amierules.engine.message import OF_RULE, OF_STATUS, Message, Occasion
from amierules.engine.message_content import CannotBeMade, content_of
from amierules.engine.packet_case import PacketCase
from amierules.engine.packet_names import Secrets, name_makers
from amierules.engine.scope import PacketNames
from amierules.engine.site import Site
from amierules.rulebook.model import Names, Notice
from amierules.templating import EvaluationError, Unknown, UnknownUsed, located

_LONGEST_REASON = 500

WithItem = Callable[[object], Names]
"""Gives the names in scope with `item` set."""


def messages_of(site: Site, case: PacketCase, report: PacketReport, status: str, reason: str) -> list[Message]:
    """What is to be told of a pass that gives the packet this status. Raises nothing that a message is to blame for."""
    occasion = Occasion(status, reason, report.rule)
    found: list[Message] = []
    spoken = report.spoken
    # What the rule says of its outcome is true only where the outcome is what became of the packet.
    if spoken is not None and spoken.decision is report.decision and spoken.rule.notify:
        found += _of_rule(site, case, spoken, occasion)
    return found + messages_by_status(site, case, occasion)


def _of_rule(site: Site, case: PacketCase, spoken: Spoken, occasion: Occasion) -> list[Message]:
    scope = spoken.scope.instead(_secrets(site)).with_names(occasion.names())
    maker = _Maker(OF_RULE, occasion, spoken.decision.kind, _subject(site, case, occasion))
    return list(maker.messages(spoken.rule.notify, scope, scope.with_item))


def messages_by_status(site: Site, case: PacketCase, occasion: Occasion) -> list[Message]:
    """What the configuration sends of a packet of this status."""
    notices = site.configuration.channels.by_status.get(occasion.status)
    if not notices:
        return []
    told = {name: _always(value) for name, value in occasion.names().items()}
    makers = {**name_makers(site, case), **_secrets(site), **told}

    def with_item(item: object) -> Names:
        return PacketNames({**makers, "item": _always(item)})

    maker = _Maker(OF_STATUS, occasion, occasion.status, _subject(site, case, occasion))
    return list(maker.messages(notices, PacketNames(makers), with_item))


def _secrets(site: Site) -> Mapping[str, Callable[[], object]]:
    """Secrets as messages see them: who sends one needs their texts, and not who makes it, a person's shell perhaps."""
    return {"secret": lambda: Secrets(site.configuration.secrets, may_lack=True)}


def _always(value: object) -> Callable[[], object]:
    return lambda: value


def _subject(site: Site, case: PacketCase, occasion: Occasion) -> str:
    header = case.packet.header
    number = header.packet_rec_id if header.packet_rec_id is not None else f"r:{header.remote_packet_rec_id}"
    return f"{site.name}: {header.type} {number}, {occasion.status}"


@dataclass(frozen=True)
class _Maker:
    """Makes the messages of one list."""

    source: str
    occasion: Occasion
    outcome: str
    subject: str

    def messages(self, notices: Sequence[Notice], names: Names, with_item: WithItem) -> Iterator[Message]:
        for number, notice in enumerate(notices):
            if notice.for_each is None:
                yield from self._message(notice, str(number), names)
                continue
            try:
                listed = notice.for_each.evaluate(names)
            except Exception as error:
                yield self._failed(notice, str(number), error)
                continue
            if isinstance(listed, Unknown):
                yield self._later(notice, str(number), listed)
            elif isinstance(listed, list | tuple | range):
                for position, item in enumerate(listed):
                    yield from self._message(notice, f"{number}[{position}]", with_item(item))
            else:
                yield self._failed(notice, str(number), CannotBeMade("`for_each` must yield a list"))

    def _message(self, notice: Notice, position: str, names: Names) -> Iterator[Message]:
        try:
            holds = True if notice.when is None else notice.when.evaluate(names)
            if isinstance(holds, Unknown):
                yield self._later(notice, position, holds)
            elif holds:
                content = content_of(notice.channel, notice.params.evaluate(names), self.subject)
                yield self._made(notice, position, content=content)
        except UnknownUsed as used:
            yield self._later(notice, position, Unknown(used.step))
        except Exception as error:
            yield self._failed(notice, position, error)

    def _made(self, notice: Notice, position: str, **more: Any) -> Message:
        return Message(self.source, self.occasion.rule or "", self.outcome, position, channel=notice.channel, **more)

    def _later(self, notice: Notice, position: str, unknown: Unknown) -> Message:
        return self._made(notice, position, unknown=True, reason=f"known after {unknown.step}")

    def _failed(self, notice: Notice, position: str, error: Exception) -> Message:
        """A message must never keep a packet from its outcome, whatever is wrong with it."""
        expected = isinstance(error, EvaluationError | CannotBeMade)
        said = located(error) if expected else f"internal error: {type(error).__name__}: {error}"
        return self._made(notice, position, reason=printable(said, _LONGEST_REASON))


def queued(connection: Connection, packet_rec_id: int, messages: Sequence[Message], now: datetime) -> list[str]:
    """Queues what was not queued before; returns what an event is to tell of each that cannot be made."""
    found = []
    for draft in outbox.queue(connection, packet_rec_id, [message.draft() for message in messages], now):
        if draft.content is None:
            of = f"rule '{draft.rule}'" if draft.source == OF_RULE else f"notify.{draft.outcome}"
            found.append(printable(f"a {draft.channel} of {of} cannot be made: {draft.reason}", 1000))
    return found


def queue_messages(
    connection: Connection, packet_rec_id: int, messages: Sequence[Message], *, who: str, now: datetime
) -> None:
    """Queues what was not queued before; of what cannot be made, an event tells."""
    for why in queued(connection, packet_rec_id, messages, now):
        events.add(connection, packet_rec_id, who, "noticed", why, now)


def tell_of_status(site: Site, connection: Connection, packet_rec_id: int, status: str, reason: str) -> None:
    """Queues what the configuration sends of a packet that got a status without a pass over it."""
    messages = messages_without_pass(site, connection, packet_rec_id, status, reason)
    queue_messages(connection, packet_rec_id, messages, who=site.who, now=site.world.clock.now())


def messages_without_pass(
    site: Site, connection: Connection, packet_rec_id: int, status: str, reason: str
) -> list[Message]:
    """What the configuration sends of a packet that got a status without a pass over it."""
    if not site.configuration.channels.by_status.get(status):
        return []
    stored = packets.read_packets(connection, [packet_rec_id], site.name).get(packet_rec_id)
    if stored is None:
        return []
    item = work.get(connection, packet_rec_id)
    case = read_case(connection, site, stored, item, site.world.clock.now())
    return messages_by_status(site, case, Occasion(status, reason, item.rule if item else None))
