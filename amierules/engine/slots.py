"""Slots: each works on one group of packets at a time, with claims of its own; several in one process are threads."""

import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import cache, partial
from typing import ParamSpec

from amierules.database.claims import Claims
from amierules.database.work import WorkItem
from amierules.engine.attempt import Handled
from amierules.engine.feed import Feed
from amierules.engine.group import LARGEST, Group, makes_person
from amierules.engine.hands import Hands
from amierules.engine.schedule import Task
from amierules.engine.site import CrashPoint, Site
from amierules.ports import watching

P = ParamSpec("P")
_TICK = 0.2
"""Seconds after which the main thread looks for signals while others work."""


_GROWTH = 4
"""How much larger the next group is, as long as nothing is done outside: nobody is to wait for a slow packet."""


class Abandoned(BaseException):
    """The process is to end at once: nothing more is recorded, and what runs is ended."""


@dataclass
class Slot:
    """Works on one group of packets after another."""

    site: Site
    claims: Claims
    on_start: Callable[[WorkItem], None]
    on_end: Callable[[int, Handled], None]
    crash_point: CrashPoint
    commit_together: int = LARGEST

    def work(self, feed: Feed, slots: "Slots") -> None:
        """Work until the feed has nothing more. Raises `Unavailable`, `LostOwnership` and `Abandoned`."""

        def go_on() -> None:
            if slots.abandoned:
                raise Abandoned

        def check() -> None:
            go_on()
            self.claims.look()

        hands = Hands(
            site=self.site,
            claims=self.claims,
            feed=feed,
            makes_person=cache(partial(makes_person, self.site.rulebook)),
            on_start=slots.one_at_a_time(self.on_start),
            on_end=slots.one_at_a_time(self.on_end),
            crash_point=self.crash_point,
            draining=lambda: slots.draining,
            go_on=go_on,
            commit_together=self.commit_together,
            only_slot=len(slots.slots) == 1,
        )
        # However many slots there are: the server has room for a limited number of locks.
        most = max(1, LARGEST // len(slots.slots))
        together = 1
        with self.site.database.kept(), watching(check), closing(hands.committing):
            while tasks := _next(hands, together):
                group = Group.of(hands, tasks)
                group.work()
                together = 1 if group.alone else min(together * _GROWTH, most)


def _next(hands: Hands, most: int) -> list[Task]:
    """The next packets; none where there is nothing more to do. Nobody waits for one that is being committed."""
    if hands.committing.keys and (found := hands.feed.take_more(most)):
        return found
    hands.committing.finish()
    first = hands.feed.take()
    return [] if first is None else [first, *hands.feed.take_more(most - 1)]


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
