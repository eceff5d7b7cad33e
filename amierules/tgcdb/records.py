"""What the test central database holds: transactions and packets, as values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from amierules.protocol.catalogue import ExpectedReply
from amierules.protocol.packet import IN_PROGRESS, Body
from amierules.protocol.rows import normalise

COMPLETE = "inform_transaction_complete"
"""The type that ends a transaction."""

COMPLETED, FAILED = "completed", "failed"


@dataclass(frozen=True)
class Transaction:
    """A transaction between the central database and a site. Its keys are the central database's."""

    trans_rec_id: int
    site: str
    originating: str
    transaction_id: int
    state: str
    started_at: datetime
    ended_at: datetime | None = None
    run_id: int | None = None
    """The scenario that it belongs to."""
    step: int | None = None
    """Its place in the scenario."""
    expects: str | None = None
    """`completed` or `failed`: what it comes to at a site that does all well, where the scenario says so."""

    @property
    def is_open(self) -> bool:
        """Whether it goes on."""
        return self.state == IN_PROGRESS


@dataclass(frozen=True)
class CentralPacket:
    """A packet of a transaction. Its key is the central database's."""

    packet_rec_id: int
    trans_rec_id: int
    packet_id: int
    type: str
    to_site: bool
    state: str
    ts: datetime
    updated_at: datetime
    content: Mapping[str, Any]
    """The body as it was sent, empty values included."""
    expects: tuple[ExpectedReply, ...] = ()
    in_reply_to: int | None = None
    client_state: str | None = None
    client_json: Any = None
    answered_at: datetime | None = None
    behaviour: Mapping[str, Any] = field(default_factory=dict)
    """How the central database goes on from here where it does not behave as usual."""

    @property
    def body(self) -> Body:
        """The body as rows hold it."""
        return normalise(self.content)

    @property
    def minutes(self) -> int | None:
        """How long the reply may take; None where none is expected, or for as long as it takes."""
        given = [reply.timeout for reply in self.expects if reply.timeout is not None]
        return min(given) if given else None
