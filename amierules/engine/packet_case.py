"""One packet with all that a pass over it may look at: its transaction, its record, its approvals, the moment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from amierules.protocol.catalogue import ExpectedReply, catalogue
from amierules.protocol.checks import Problem, check_incoming
from amierules.protocol.packet import Body, Packet
from amierules.protocol.values import typed_body


@dataclass(frozen=True)
class Record:
    """The newest finished packet with the same RecordID whose reply was no Failure, and that reply's body."""

    packet: Packet
    reply: Body


@dataclass(frozen=True)
class Approval:
    """Who approved a hold of this packet, and why."""

    by: str
    reason: str
    answers: Mapping[str, str] = field(default_factory=dict)
    """The values that the hold asked for."""


@dataclass(frozen=True)
class Pinned:
    """What the rule of a packet whose actions have begun saw on its first pass, and sees on every later one."""

    rows: Mapping[str, Any]
    """The registry rows in scope, or None, by name."""
    settings: Mapping[str, Any]
    variables: Mapping[str, Any]
    """The `vars` that had been evaluated."""
    approval: Mapping[str, str] | None
    """What `approval` was."""


@dataclass(frozen=True)
class PacketCase:
    """A packet and what surrounds it, read once at the beginning of a pass."""

    packet: Packet
    now: datetime
    """The moment of the pass: aware, UTC, whole seconds."""
    problems: tuple[Problem, ...] = ()
    """What was wrong with the packet's rows."""
    earlier: Sequence[Packet] = ()
    """The packets of the transaction that were there before this one, both directions, oldest first."""
    record: Record | None = None
    approvals: Mapping[str, Approval] = field(default_factory=dict)
    """By the name of the rule, or the path of the assert, that they pass over; the oldest first."""
    first_deferred_at: datetime | None = None
    remembered_rule: str | None = None
    """The rule of a packet whose actions have begun."""
    pinned: Pinned | None = None

    def approval(self) -> dict[str, str] | None:
        """What persons said: who was the last and why, and all that they answered; where two answer one name, the
        later one counts. None where nobody has approved anything."""
        if self.pinned is not None:
            return None if self.pinned.approval is None else dict(self.pinned.approval)
        said: dict[str, str] = {}
        for one in self.approvals.values():
            said |= {**one.answers, "by": one.by, "reason": one.reason}
        return said or None

    @property
    def type(self) -> str:
        """The packet's type."""
        return self.packet.header.type

    @cached_property
    def all_problems(self) -> Sequence[Problem]:
        """What is wrong with the packet's rows, type and tags; not all of it parks."""
        return (*self.problems, *check_incoming(self.packet, self._typed[1]))

    @property
    def typed(self) -> Mapping[str, object]:
        """The packet's tags with the types that the catalogue gives them; absent ones are None, absent lists `[]`."""
        return self._typed[0]

    @cached_property
    def _typed(self) -> tuple[Mapping[str, object], list[Problem]]:
        return typed_body(catalogue().types.get(self.type), self.packet.body)

    def first_packet(self) -> Packet:
        """The packet that the transaction began with: one of the side that started it."""
        header = self.packet.header
        is_ours = header.originating_site_name == header.local_site_name
        return next((one for one in self.earlier if one.header.outgoing == is_ours), self.packet)

    def only_expected_reply(self) -> str | None:
        """The type of the packet's only expected reply; None where it expects none, or one of several."""
        expected = [reply.type for reply in self.packet.header.expected_replies] or [
            reply.type for reply in self._usual_replies()
        ]
        return expected[0] if len(expected) == 1 else None

    def expects_no_reply(self) -> bool:
        """Whether the packet ends its transaction."""
        return not self.packet.header.expected_replies and not self._usual_replies()

    def _usual_replies(self) -> Sequence[ExpectedReply]:
        # Tables that were found may know types that AMIE does not.
        known = catalogue().types.get(self.type)
        return known.expected_replies if known else ()
