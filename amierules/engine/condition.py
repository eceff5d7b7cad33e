"""How the site stands, in numbers: for `status`, and for monitoring."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from amierules.database import exchange_marks, outbox, overdue, pauses, posts, work
from amierules.database.outbox import FAILED, UNKNOWN
from amierules.database.overdue import Overdue
from amierules.database.own_tables import FINAL_STATUSES
from amierules.database.pauses import Pause
from amierules.database.work import NEED_A_PERSON, OPEN_STATUSES
from amierules.engine.overview import Line, listing
from amierules.engine.site import Site

OLD = timedelta(days=7)
"""A packet that has been open for longer stands out."""


@dataclass(frozen=True)
class Exchanged:
    """What is not exchanged with remote sites."""

    waiting: Mapping[str, int]
    """How many packets of ours each site has yet to get; those that have all are left out."""
    refused: int
    """How many they do not take: for a person."""
    unreadable: int
    """How many things they list that cannot be read."""


@dataclass(frozen=True)
class Condition:
    """How the site stands at a moment."""

    now: datetime
    counts: Mapping[str, int]
    """Packets by status, every status."""
    oldest: Line | None
    """The packet that has been open for longest."""
    old: int
    """How many are open for longer than `OLD`."""
    overdue: Sequence[Overdue]
    pauses: Sequence[Pause]
    paused: Mapping[str, int]
    """How many packets wait for what is paused, by its name."""
    messages: Mapping[str, int]
    """How many messages were not sent, by their state."""
    exchange: Exchanged | None = None
    """What is not exchanged; None where packets are not exchanged over REST."""

    def age(self, line: Line) -> timedelta:
        """How long a packet has been here; one that no run has seen, since it was made."""
        return self.now - _since(line)

    def troubles(self) -> Iterator[str]:
        """What a person should look at, each in a few words."""
        for status in NEED_A_PERSON:
            if self.counts[status]:
                yield f"{self.counts[status]} {status}"
        ours = sum(one.ours for one in self.overdue)
        for count, what in ((ours, "unanswered in time"), (len(self.overdue) - ours, "of ours unanswered in time")):
            if count:
                yield f"{count} {what}"
        for one in self.pauses:
            yield f"{one.name} paused since {one.since:%Y-%m-%d %H:%M}Z"
        for state, what in ((FAILED, "failed"), (UNKNOWN, "perhaps not sent")):
            if count := self.messages[state]:
                yield f"{count} message{'s' * (count != 1)} {what}"
        if self.exchange is not None:
            for count, what in ((self.exchange.refused, "refused"), (self.exchange.unreadable, "unreadable")):
                if count:
                    yield f"{count} {what} in the exchange"

    def as_json(self) -> dict[str, Any]:
        """What `status --format json` adds to the packets."""
        return {
            "pauses": [
                {
                    "name": one.name,
                    "since": one.since.isoformat(),
                    "reason": one.reason,
                    "until": one.until.isoformat() if one.until else None,
                    "who": one.who,
                    "packets": self.paused.get(one.name, 0),
                }
                for one in self.pauses
            ],
            "overdue": [
                {
                    "packet_rec_id": one.packet_rec_id,
                    "type": one.type,
                    "due_at": one.due_at.isoformat(),
                    "owed_by": "us" if one.ours else "them",
                }
                for one in self.overdue
            ],
            **({"exchange": asdict(self.exchange)} if self.exchange is not None else {}),
        }


def condition(site: Site) -> Condition:
    """How the site stands now."""
    now = site.world.clock.now()
    lines = listing(site)
    with site.database.read() as connection:
        finished = work.count_by_status(connection)
        late = overdue.overdue(connection, now)
        paused, waiting = pauses.listing(connection), pauses.waiting_for(connection)
        messages = outbox.counts(connection)
        exchanged = _exchanged(connection, site)
    counts = dict.fromkeys((*OPEN_STATUSES, *FINAL_STATUSES), 0)
    counts |= {status: finished.get(status, 0) for status in FINAL_STATUSES}
    for line in lines:
        counts[line.status] += 1
    dated = [line for line in lines if line.ts is not None]
    old = sum(1 for line in dated if now - _since(line) > OLD)
    return Condition(now, counts, min(dated, key=_since, default=None), old, late, paused, waiting, messages, exchanged)


def _exchanged(connection: Connection, site: Site) -> Exchanged | None:
    servers = site.configuration.exchange
    if not servers:
        return None
    waiting = posts.count_by_site(connection, [name for one in servers for name in one.remote_site_names])
    return Exchanged(waiting, posts.count_refused(connection), exchange_marks.count_unreadable(connection))


def _since(line: Line) -> datetime:
    since = line.since or line.ts
    assert since is not None  # noqa: S101 - only packets with a time stamp are asked about
    return since


_UP = "amierules_up"
_KINDS = {
    _UP: "1 where the other numbers could be read, 0 where the database or the configuration is not to be had.",
    "amierules_packets": "Packets by status.",
    "amierules_oldest_open_packet_seconds": "How long the oldest open packet has been here; 0 without open packets.",
    "amierules_old_packets": "Packets that have been open for more than a week.",
    "amierules_replies_overdue": "Packets that were not answered within their timeout, by who owes the reply.",
    "amierules_paused": "1 for each back end or resource that is paused.",
    "amierules_paused_packets": "Packets that wait for a paused back end or resource.",
    "amierules_messages": "Messages that were not sent, by their state.",
    "amierules_unsent_packets": "Packets of ours that a remote site has yet to get.",
    "amierules_refused_packets": "Packets of ours that a remote site does not take.",
    "amierules_unreadable_packets": "What remote sites list that cannot be read.",
}


def prometheus(standing: Condition | None) -> Iterator[str]:
    """The lines of Prometheus's text format, version 0.0.4; None where nobody can tell how the site stands."""
    values = {_UP: [("", float(standing is not None))], **({} if standing is None else _numbers(standing))}
    for name, meaning in ((name, meaning) for name, meaning in _KINDS.items() if name in values):
        yield f"# HELP {name} {meaning}"
        yield f"# TYPE {name} gauge"
        yield from (f"{name}{labels} {value:g}" for labels, value in values[name])


def _numbers(standing: Condition) -> dict[str, list[tuple[str, float]]]:
    oldest = standing.age(standing.oldest).total_seconds() if standing.oldest else 0
    ours = sum(one.ours for one in standing.overdue)
    return {
        "amierules_packets": [(f'{{status="{status}"}}', count) for status, count in standing.counts.items()],
        "amierules_oldest_open_packet_seconds": [("", max(oldest, 0))],
        "amierules_old_packets": [("", standing.old)],
        "amierules_replies_overdue": [
            ('{owed_by="us"}', ours),
            ('{owed_by="them"}', len(standing.overdue) - ours),
        ],
        "amierules_paused": [(_label(one.name), 1) for one in standing.pauses],
        "amierules_paused_packets": [(_label(one.name), standing.paused.get(one.name, 0)) for one in standing.pauses],
        "amierules_messages": [(f'{{state="{state}"}}', count) for state, count in standing.messages.items()],
        **_of_exchange(standing.exchange),
    }


def _of_exchange(exchanged: Exchanged | None) -> dict[str, list[tuple[str, float]]]:
    if exchanged is None:
        return {}
    return {
        "amierules_unsent_packets": [("", sum(exchanged.waiting.values()))],
        "amierules_refused_packets": [("", exchanged.refused)],
        "amierules_unreadable_packets": [("", exchanged.unreadable)],
    }


def _label(name: str) -> str:
    escaped = name.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'{{name="{escaped}"}}'
