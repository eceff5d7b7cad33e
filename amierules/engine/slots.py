"""Slots: each works on one packet at a time, with claims of its own; several in one process are threads."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import ParamSpec

from amierules.database.claims import Claims
from amierules.database.ownership import LostOwnership
from amierules.database.work import WorkItem
from amierules.engine.attempt import Attempt, Handled
from amierules.engine.feed import Feed
from amierules.engine.schedule import Task
from amierules.engine.site import CrashPoint, Site
from amierules.ports import watching

P = ParamSpec("P")
_TICK = 0.2
"""Seconds after which the main thread looks for signals while others work."""


class Abandoned(BaseException):
    """The process is to end at once: nothing more is recorded, and what runs is ended."""


@dataclass
class Slot:
    """Works on one packet after another."""

    site: Site
    claims: Claims
    on_start: Callable[[WorkItem], None]
    on_end: Callable[[int, Handled], None]
    crash_point: CrashPoint

    def work(self, feed: Feed, slots: "Slots") -> None:
        """Work until the feed has nothing more. Raises `Unavailable`, `LostOwnership` and `Abandoned`."""

        def check() -> None:
            if slots.abandoned:
                raise Abandoned
            self.claims.look()

        with self.site.database.kept(), watching(check):
            while (task := feed.take()) is not None:
                self._try(task, feed, slots)

    def _try(self, task: Task, feed: Feed, slots: "Slots") -> None:
        """Claim the packet and pass over it, unless somebody else has it or it must wait."""
        attempt = Attempt(
            self.site,
            task.packet_rec_id,
            slots.one_at_a_time(self.on_start),
            self.crash_point,
            task.hurried,
            lambda: slots.draining,
        )
        try:
            keys = attempt.keys()
            if keys is None:
                feed.end(task)
            elif feed.reserve(task, keys.claimed):
                self._claim(attempt, task, keys.claimed, feed, slots)
        except LostOwnership:
            # Of this packet, or of all: without claims no further packet can be had.
            self.claims.check()
            feed.end(task)

    def _claim(self, attempt: Attempt, task: Task, wanted: frozenset[str], feed: Feed, slots: "Slots") -> None:
        if not self.claims.try_claim(wanted):
            feed.put_aside(task)
            return
        handled = None
        try:
            # Registry rows may have changed until the keys were ours, and with them what the keys must be.
            keys = attempt.keys()
            ours = keys is not None and keys.claimed <= self.claims.held
            if keys is not None and ours:
                handled = attempt.make(keys)
        finally:
            self.claims.release()
        if keys is not None and not ours:
            feed.put_back(task, keys.claimed)
            return
        if handled is not None:
            slots.one_at_a_time(self.on_end)(task.packet_rec_id, handled)
        feed.end(task, handled.status if handled else None)


@dataclass
class Slots:
    """The slots of one worker."""

    slots: Sequence[Slot]
    draining: bool = False
    abandoned: bool = False
    _feed: Feed | None = None
    _telling: threading.Lock = field(default_factory=threading.Lock)
    _errors: list[BaseException] = field(default_factory=list)

    def work(self, feed: Feed) -> None:
        """Work on what the feed gives. Raises what a slot raises, once the others have finished what they were at."""
        self._feed = feed
        if self.draining:
            return
        try:
            if len(self.slots) == 1:
                self.slots[0].work(feed, self)
            else:
                self._work_in_threads(feed)
        finally:
            self._feed = None

    def drain(self) -> None:
        """Begin nothing more: what is under way is finished to the end of its step."""
        self.draining = True
        if self._feed is not None:
            self._feed.stop()

    def one_at_a_time(self, tell: Callable[P, None]) -> Callable[P, None]:
        """`tell`, never called by two threads at once."""

        def told(*args: P.args, **kwargs: P.kwargs) -> None:
            with self._telling:
                tell(*args, **kwargs)

        return told

    def _work_in_threads(self, feed: Feed) -> None:
        threads = [threading.Thread(target=self._work, args=(slot, feed), daemon=True) for slot in self.slots]
        for thread in threads:
            thread.start()
        try:
            for thread in threads:
                while thread.is_alive():
                    thread.join(_TICK)
        except BaseException:
            # Ctrl-C: what runs is ended, as it is where there is one thread alone.
            self.abandoned = True
            feed.stop()
            for thread in threads:
                thread.join()
            raise
        if self._errors:
            raise self._errors[0]

    def _work(self, slot: Slot, feed: Feed) -> None:
        try:
            slot.work(feed, self)
        except BaseException as error:
            self._errors.append(error)
            feed.stop()
