"""What a person decides about messages that were not sent: sent once more, or not any more."""

from dataclasses import dataclass

from amierules.database import events, outbox
from amierules.database.notices import tell_workers
from amierules.database.outbox import DROPPED, FAILED, QUEUED, UNKNOWN, Queued
from amierules.diagnostics import Finding, NotAllowed, printable
from amierules.engine.site import Site

UNSENT = (QUEUED, FAILED, UNKNOWN)
"""The states about which a person may decide."""


@dataclass(frozen=True)
class Wish:
    """A person's decision about messages."""

    state: str
    """What they become: `queued` or `dropped`."""
    reason: str
    by: str


def listing(site: Site, states: tuple[str, ...]) -> list[Queued]:
    """The messages in these states, oldest first."""
    with site.database.read() as connection:
        return outbox.listing(connection, states)


def carry_out(site: Site, message_id: int, wish: Wish) -> Queued:
    """Carries a decision out, in one commit; returns the message as it was. Raises `NotAllowed`."""
    now = site.world.clock.now()
    with site.database.begin() as connection:
        found = outbox.find(connection, message_id)
        if found is None:
            hint = "`amierules messages list --all` shows all"
            raise NotAllowed(Finding("no-such-message", f"there is no message {message_id}", hint=hint))
        _refuse(found, wish.state)
        outbox.put(connection, message_id, wish.state, now)
        what = "message dropped" if wish.state == DROPPED else "message queued again"
        why = f"the {found.channel} to {found.target or 'nobody'}, which was {found.state}"
        said = f"{why}: {wish.reason}" if wish.reason else why
        events.add(connection, found.packet_rec_id, wish.by, what, printable(said, 1000), now)
        tell_workers(connection)
    return found


def _refuse(found: Queued, wanted: str) -> None:
    if found.state not in UNSENT:
        message = f"message {found.message_id} is {found.state}: nothing is decided about it any more"
        raise NotAllowed(Finding("not-allowed", message, hint=f"possible for: {', '.join(UNSENT)}"))
    if wanted == QUEUED and found.content is None:
        message = f"message {found.message_id} could not be made: there is nothing to send"
        hint = f"mend what it says, and `amierules messages drop {found.message_id}`"
        raise NotAllowed(Finding("not-allowed", message, hint=hint))
