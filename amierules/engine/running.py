"""`run`: take in what waits, claim packet after packet in their order, do what the rules say, and answer."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from amierules.database import intake, packets, work
from amierules.database.claims import Claims, claims_for
from amierules.database.own_tables import FINAL_STATUSES
from amierules.database.ownership import LostOwnership
from amierules.database.packets import StoredPacket
from amierules.database.registry import RegistryView
from amierules.database.work import WorkItem
from amierules.diagnostics import Finding
from amierules.engine.attempt import WORKABLE, Attempt, Handled
from amierules.engine.keys import packet_keys
from amierules.engine.messages import tell_of_status
from amierules.engine.site import CrashPoint, Site

_BATCH = 200


def refusals(site: Site, ids: Collection[int]) -> list[Finding]:
    """Why a run would not touch some of these packets; taken in they must be."""
    with site.database.read() as connection:
        items = {item.packet_rec_id: item for item in work.listing(connection, include_final=True)}
        found = []
        for number in ids:
            item = items.get(number)
            if item is not None and item.status not in WORKABLE:
                possible = [name for name, statuses in work.ALLOWED.items() if item.status in statuses]
                hint = f"possible: {', '.join(possible)}" if possible else ""
                found.append(Finding("not-allowed", f"packet {number} is {item.status}: it is not run", hint=hint))
            elif item is None and (why := packets.why_not_eligible(connection, number)) is not None:
                found.append(Finding("not-allowed", f"packet {number} is not run: {why}"))
    return found


def _is_due(item: WorkItem, now: datetime) -> bool:
    return item.next_attempt_at is None or item.next_attempt_at <= now


@dataclass
class Runner:
    """One worker over one database."""

    site: Site
    on_start: Callable[[WorkItem], None] = lambda item: None
    on_end: Callable[[Handled], None] = lambda handled: None
    crash_point: CrashPoint = lambda name: None
    handled: dict[int, Handled] = field(default_factory=dict)

    def run(self, ids: Collection[int] | None = None, limit: int | None = None) -> list[Handled]:
        """Work on what waits, at most `limit` packets; with `ids` on these only, and at once.

        Returns each packet that was touched, as it ended. Raises `Unavailable` where the database is not to be had.
        """
        database = self.site.database
        with database.run_lock(), claims_for(database) as claims, database.kept():
            self.take_in()
            for item in self._rounds(ids):
                if limit is not None and len(self.handled) >= limit:
                    break
                self._try(item, claims, named=ids is not None and item.packet_rec_id not in self.handled)
        return list(self.handled.values())

    def take_in(self) -> int:
        """Give every new packet a work row; returns how many."""
        view = RegistryView(self.site.database.read)

        def needs(stored: StoredPacket) -> tuple[Collection[str], str | None, str | None, str | None]:
            found = packet_keys(stored.packet, view)
            return found.keys, found.grant_number, found.resource, found.record_id

        now = self.site.world.clock.now()
        tell = partial(tell_of_status, self.site)
        return intake.take_in(self.site.database, keys_of=needs, site_name=self.site.name, now=now, tell=tell)

    def _rounds(self, ids: Collection[int] | None) -> Iterator[WorkItem]:
        """What is due, in order; again as long as a round ended packets, since that may have woken others."""
        while True:
            ended_before = self._ended()
            yield from self._round(ids)
            if self._ended() == ended_before:
                return

    def _round(self, ids: Collection[int] | None) -> Iterator[WorkItem]:
        after = None
        while True:
            with self.site.database.read() as connection:
                now = self.site.world.clock.now()
                if ids is not None:
                    named = [item for item in work.listing(connection, WORKABLE) if item.packet_rec_id in ids]
                    found = [item for item in named if item.packet_rec_id not in self.handled or _is_due(item, now)]
                else:
                    found = work.due(connection, now, limit=_BATCH, after=after)
            yield from found
            if ids is not None or len(found) < _BATCH:
                return
            after = (found[-1].ts, found[-1].packet_rec_id)

    def _ended(self) -> int:
        return sum(1 for handled in self.handled.values() if handled.status in FINAL_STATUSES)

    def _try(self, item: WorkItem, claims: Claims, named: bool) -> None:
        """Claim the packet and pass over it, unless somebody else has it or it must wait."""
        attempt = Attempt(self.site, item, self.on_start, self.crash_point, named)
        try:
            keys = attempt.keys()
            if keys is None or not claims.try_claim(keys.claimed):
                return
            try:
                # Registry rows may have changed until the keys were ours, and with them what the keys must be.
                again = attempt.keys()
                handled = attempt.make(again) if again is not None and again.claimed <= claims.held else None
            finally:
                claims.release()
        except LostOwnership:
            # Of this packet, or of all: without claims no further packet can be had.
            claims.check()
            return
        if handled is not None:
            self.handled[item.packet_rec_id] = handled
            self.on_end(handled)
