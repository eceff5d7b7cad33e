"""What one commit writes where passes over packets end, as values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from amierules.database.replies import Ended


class Told(NamedTuple):
    """An event of a packet. Where it `names_reply`, the reply's packet_rec_id follows the text."""

    packet_rec_id: int
    what: str
    why: str
    names_reply: bool = False

    def complete(self, replies: Mapping[int, int]) -> tuple[int, str, str]:
        """The event, given the packet_rec_ids of the replies by those they answer."""
        return (
            self.packet_rec_id,
            self.what,
            f"{self.why}{replies[self.packet_rec_id]}" if self.names_reply else self.why,
        )


class Expected(NamedTuple):
    """What a packet must still be for its pass to be settled: the same fence, and the status and time that its row was
    read with, unless it was made this worker's alone since then.
    """

    packet_rec_id: int
    fence: int
    status: str | None
    updated_at: datetime | None
    answered: bool
    """Whether it ends in AMIE's tables, too, where it must be in progress."""


class Changed(Exception):
    """A packet is not as it was expected to be; nothing is written."""


@dataclass
class Settled:
    """All that is written in one commit, beside what is seldom written."""

    who: str
    now: datetime
    """Aware."""
    ended: list[Ended] = field(default_factory=list)
    """The packets that end in AMIE's tables, with their replies."""
    standings: dict[int, dict[str, Any]] = field(default_factory=dict)
    """The columns of work rows that change, the same in all, by packet_rec_id."""
    events: list[Told] = field(default_factory=list)
    over: list[int] = field(default_factory=list)
    """The packets that keep no reservations."""
    out_of_the_way: list[int] = field(default_factory=list)
    """The packets for which others need not wait any more."""
    woken: set[str] = field(default_factory=set)
    """Deferred packets with one of these keys are due now."""
