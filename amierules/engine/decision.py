"""What is decided about a packet, as values: the same for a dry run and a run."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import cast

from amierules.actions.base import Change
from amierules.engine.message import Message
from amierules.engine.scope import Scope
from amierules.protocol.packet import Body
from amierules.rulebook.model import Rule


@dataclass(frozen=True)
class Decision:
    """How a packet's pass ends.

    `kind` is one of reply, complete, ignore, defer, hold, fail, park, wait, retry, unavailable, recover, doubt.
    """

    kind: str
    reason: str = ""
    type: str | None = None
    """The reply's packet type."""
    body: Mapping[str, object] | None = None
    """The reply's body; in a dry run leaves may be `Unknown`."""
    not_before: datetime | None = None
    until: datetime | None = None
    """When a deferral becomes a hold."""
    blocker: int | None = None
    """The packet_rec_id that this one waits for."""
    approvable: str | None = None
    """What `approve` passes over: a rule's name, or an assert's path."""
    asked: Mapping[str, str] = field(default_factory=dict)
    """What an approval must answer: a description by name."""
    notes: tuple[str, ...] = ()
    """What was noticed on the way; kept as events."""

    def sendable(self) -> Body:
        """The body as it is sent. Raises `ValueError` where a value is not known, as in a dry run."""
        body = self.body or {}
        if not all(isinstance(value, str | list | dict) for value in body.values()):
            raise ValueError("a value of the reply is not known yet")
        return cast(Body, body)


class Stop(Exception):
    """Ends the pass over a packet with a decision. `failure` says why, where a failed step ended it."""

    def __init__(
        self, decision: Decision, failure: str | None = None, *, asserted: bool = False, path: str | None = None
    ) -> None:
        super().__init__(decision.reason)
        self.decision = decision
        self.failure = failure
        self.path = path
        self.asserted = asserted
        """Whether an assert ended it."""


@dataclass(frozen=True)
class StepReport:
    """What a step would do, or did. `state`: change, present, unknown, skipped, done, conflict, error."""

    name: str
    path: str
    kind: str
    item: object = None
    state: str = "present"
    reason: str = ""
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True)
class Spoken:
    """A rule that came to its own outcome: what it decided, and the names as its actions left them."""

    rule: Rule
    scope: Scope
    decision: Decision


@dataclass
class PacketReport:
    """A packet's pass: the rule that was chosen, the steps, and the decision."""

    packet_rec_id: int | None
    remote_packet_rec_id: int | None
    type: str
    rule: str | None = None
    steps: list[StepReport] = field(default_factory=list)
    decision: Decision = field(default_factory=lambda: Decision("park"))
    asserted: bool = False
    """Whether an assert ended the pass."""
    spoken: Spoken | None = None
    """The rule's own word, for its messages; None where the pass ended before its outcome."""
    messages: list[Message] = field(default_factory=list)
    """What is queued with the outcome, or would be; some of it may have been queued before."""
    crash: str | None = None
    """The traceback of an internal error that ended the pass; for the log, never for the terminal."""
