"""What the configuration sends of packets that should have been answered by now."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from amierules.database import outbox
from amierules.database.overdue import overdue
from amierules.engine.message import Message
from amierules.engine.messages import messages_without_pass, queue_messages
from amierules.engine.site import Site
from amierules.protocol.values import wire_text

OVERDUE = "overdue"
_ASK_AGAIN = timedelta(hours=1)
"""After this a packet of which nothing was to be told is asked about again: a `when` may look at the time."""


@dataclass
class OverdueNotices:
    """Tells of each such packet once. One for each worker: it remembers of which there was nothing to tell."""

    _asked: dict[int, datetime] = field(default_factory=dict)

    def queue(self, site: Site) -> None:
        """Queues what is new. Writes nothing where there is nothing to queue. Raises `Unavailable`."""
        if not site.configuration.channels.by_status.get(OVERDUE):
            return
        now = site.world.clock.now()
        for packet_rec_id, messages in self._made(site, now).items():
            with site.database.begin() as connection:
                queue_messages(connection, packet_rec_id, messages, who=site.who, now=now)

    def forget(self) -> None:
        """The configuration is another one: all are asked about again."""
        self._asked.clear()

    def _made(self, site: Site, now: datetime) -> dict[int, list[Message]]:
        made = {}
        with site.database.read() as connection:
            late = {one.packet_rec_id: one for one in overdue(connection, now)}
            self._asked = {number: at for number, at in self._asked.items() if number in late and now - at < _ASK_AGAIN}
            told = outbox.told_of(connection, OVERDUE) if late.keys() - self._asked.keys() else set()
            for number, one in late.items():
                if number in self._asked or number in told:
                    continue
                reason = f"{'we owe' if one.ours else 'the other side owes'} a reply since {wire_text(one.due_at)}"
                if messages := messages_without_pass(site, connection, number, OVERDUE, reason):
                    made[number] = messages
                else:
                    self._asked[number] = now
        return made
