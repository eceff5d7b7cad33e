"""`run`: take in what waits, claim packet after packet in their order, do what the rules say, and answer."""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

from amierules.database import approvals, intake, packets, pauses, statistics, work
from amierules.database.claims import Claims, SharedKeys, claims_for
from amierules.database.due import Due, due_packets
from amierules.database.glance import Glance
from amierules.database.work import WORKABLE, WorkItem
from amierules.diagnostics import Finding
from amierules.engine.attempt import Handled
from amierules.engine.feed import Feed, Place
from amierules.engine.garbage import seldom_collected
from amierules.engine.group import LARGEST
from amierules.engine.messages import tell_of_status
from amierules.engine.overdue_notices import OverdueNotices
from amierules.engine.prepared import needs
from amierules.engine.schedule import Task
from amierules.engine.site import CrashPoint, Site
from amierules.engine.slots import Slot, Slots

_BATCH = 200


def refusals(site: Site, ids: Collection[int]) -> list[Finding]:
    """Why a run would not touch some of these packets; taken in they must be."""
    with site.database.read() as connection:
        items = {item.packet_rec_id: item for item in work.among(connection, ids)}
        paused = {one.name for one in pauses.listing(connection)}
        found = []
        for number in ids:
            item = items.get(number)
            if item is not None and item.status not in WORKABLE:
                possible = [name for name, statuses in approvals.ALLOWED.items() if item.status in statuses]
                hint = f"possible: {', '.join(possible)}" if possible else ""
                found.append(Finding("not-allowed", f"packet {number} is {item.status}: it is not run", hint=hint))
            elif item is not None and item.resource in paused:
                hint = f"`amierules resume {item.resource}` ends that"
                found.append(
                    Finding("not-allowed", f"packet {number} is not run: {item.resource} is paused", hint=hint)
                )
            elif item is None and (why := packets.why_not_eligible(connection, number)) is not None:
                found.append(Finding("not-allowed", f"packet {number} is not run: {why}"))
    return found


@dataclass
class Runner:
    """One worker over one database; it works on `jobs` packets at a time."""

    site: Site
    on_start: Callable[[WorkItem], None] = lambda item: None
    on_end: Callable[[Handled], None] = lambda handled: None
    crash_point: CrashPoint = lambda name: None
    jobs: int = 1
    sweep_every: timedelta = timedelta()
    """How long ago a sweep of all packets must be for a run to begin with another one."""
    keep_reports: bool = True
    """Whether `run` returns the packets; else only `on_end` hears of them."""
    commit_together: int = LARGEST
    """So many packets that touch nothing outside are committed together at most."""
    _handled: dict[int, Handled] = field(default_factory=dict)
    _tried: set[int] = field(default_factory=set)
    _slots: Slots | None = None
    _draining: bool = False
    _glance: Glance = field(default_factory=Glance)
    _overdue: OverdueNotices = field(default_factory=OverdueNotices)

    def run(self, ids: Collection[int] | None = None, limit: int | None = None) -> list[Handled]:
        """Work on what waits, at most `limit` packets; with `ids` on these only, and at once.

        Returns each packet that was touched, as it ended, if `keep_reports`. Raises `Unavailable` where the database
        is not to be had, and `LostOwnership` where it is lost under way.
        """
        with self.opened() as slots:
            self.round(slots, ids, limit)
        return list(self._handled.values())

    @contextmanager
    def opened(self) -> Iterator[Slots]:
        """The slots, each with claims of its own. Raises `Unavailable`."""
        database = self.site.database
        shared = SharedKeys()
        with ExitStack() as stack:
            stack.enter_context(database.run_lock())
            stack.enter_context(database.kept())
            stack.enter_context(seldom_collected())
            claims = [stack.enter_context(claims_for(database, shared)) for _ in range(self.jobs)]
            self._slots = Slots([self._slot(one) for one in claims])
            if self._draining:
                self._slots.drain()
            yield self._slots

    def round(self, slots: Slots, ids: Collection[int] | None = None, limit: int | None = None) -> None:
        """Take in what is new, and work on all that is due."""
        self._tried.clear()
        self.take_in()
        self._let_one_try()
        slots.work(Feed(lambda after: self._due(ids, after), limit))
        self._overdue.queue(self.site)

    def passed_over(self, ids: Collection[int]) -> list[str]:
        """What is said of packets that the last round was to work on, and might not."""
        with self.site.database.read() as connection:
            left = [number for number in ids if number not in self._tried]
            items = work.among(connection, left, WORKABLE, of_resources_in_use=True)
        other = "another worker has it, or one that shares its project or person"
        return [
            f"packet {item.packet_rec_id} is not run: {item.reason if item.status == 'waiting' else other}"
            for item in items
        ]

    def use(self, site: Site) -> None:
        """Work by other rules from now on; between two rounds."""
        self.site = site
        self._overdue.forget()
        for slot in self._slots.slots if self._slots else ():
            slot.site = site

    def drain(self) -> None:
        """Begin nothing more: what is under way is finished to the end of its step. From any thread, or a signal."""
        self._draining = True
        if self._slots is not None:
            self._slots.drain()

    def take_in(self) -> int:
        """Give every new packet a work row; returns how many."""
        now = self.site.world.clock.now()
        taken = intake.take_in(
            self.site.database,
            needs_of=lambda connection, found: needs(connection, self.site, found),
            site_name=self.site.name,
            now=now,
            sweep_every=self.sweep_every,
            tell=partial(tell_of_status, self.site),
            crash_point=self.crash_point,
            glance=self._glance,
        )
        if taken >= statistics.MANY:
            statistics.renew(self.site.database)
        return taken

    def _let_one_try(self) -> None:
        """Where a back end has been away long enough, one packet tries whether it is back."""
        now = self.site.world.clock.now()
        with self.site.database.read() as connection:
            overdue = any(one.until is not None and one.until <= now for one in pauses.listing(connection))
        if overdue:
            with self.site.database.begin() as connection:
                pauses.let_one_try(connection, now)

    def _due(self, ids: Collection[int] | None, after: Place | None) -> Sequence[Task]:
        """The next packets that may be tried; with `ids` those of them that were not tried yet, whatever their time."""
        with self.site.database.read() as connection:
            now = self.site.world.clock.now()
            found: Sequence[Due | WorkItem]
            if ids is None:
                found = due_packets(connection, now, limit=_BATCH, after=after)
            else:
                named = work.among(connection, ids, WORKABLE, of_resources_in_use=True)
                later = [item for item in named if after is None or (item.ts, item.packet_rec_id) > after]
                found = [item for item in later if item.packet_rec_id not in self._tried or item.is_due(now)]
            keys = work.keys_of_several(connection, [item.packet_rec_id for item in found]) if found else {}
        hurried = ids is not None
        return [
            Task(one.packet_rec_id, one.ts, keys[one.packet_rec_id], hurried and one.packet_rec_id not in self._tried)
            for one in found
        ]

    def _slot(self, claims: Claims) -> Slot:
        return Slot(self.site, claims, self.on_start, self._ended, self.crash_point, self.commit_together)

    def _ended(self, packet_rec_id: int, handled: Handled) -> None:
        self._tried.add(packet_rec_id)
        if self.keep_reports:
            self._handled[packet_rec_id] = handled
        self.on_end(handled)
