"""What a slot works with, and the commit that it has under way."""

import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple

from amierules.database.ahead import Ahead
from amierules.database.claims import Claims
from amierules.database.in_turn import was_in_the_way
from amierules.database.ownership import LostOwnership
from amierules.database.postgres_settlement import wait
from amierules.database.work import WorkItem
from amierules.diagnostics import AmierulesError, Unavailable
from amierules.engine.attempt import Handled
from amierules.engine.feed import Feed
from amierules.engine.schedule import Task
from amierules.engine.settling import Ending, settle, settle_ahead
from amierules.engine.site import CrashPoint, Site

LONGEST = 0.2
"""Seconds after which passes that are over are committed, and claims that nobody needs any more are given back."""


class Committing:
    """The commit of a packet alone: while the database is at it, the slot goes on with the next one. The packet keeps
    its keys until then.
    """

    def __init__(self, hands: "Hands", ahead: Ahead | None) -> None:
        self._hands = hands
        self._ahead = ahead
        self._under_way: _UnderWay | None = None

    @property
    def keys(self) -> frozenset[str]:
        """The lock keys of the packet that is being committed."""
        return frozenset() if self._under_way is None else self._under_way.task.keys

    def begin(self, ending: Ending, task: Task, *, soon: bool) -> bool:
        """Begin to commit, once the former one is over, and have `finish` release the task's keys as `soon` says;
        whether that is possible: where it is not, it must be committed otherwise. Raises as `finish`.
        """
        if self._ahead is None:
            return False
        made = None
        with suppress(Exception):
            # All but the sending is done while the database is still at the former one.
            made = settle_ahead(ending)
        self.finish()
        if made is None:
            return False
        status, words = made
        try:
            self._ahead.send(words)
        except Exception:
            return False
        self._under_way = _UnderWay(ending, task, status, soon)
        return True

    def finish(self) -> None:
        """Wait until the packet is committed, and tell of it. Raises `Unavailable`, and `LostOwnership` of all."""
        if self._ahead is None or self._under_way is None:
            return
        one, self._under_way = self._under_way, None
        try:
            status = self._finished(one, self._ahead)
        except AmierulesError as error:
            if not was_in_the_way(self._hands.site.database, error):
                raise
            self._hands.release(one.task.keys, soon=False)
            self._hands.feed.put_aside(one.task, again=True)
        else:
            self._hands.release(one.task.keys, soon=one.soon)
            self._hands.tell(one.ending, one.task, status)

    def _finished(self, one: "_UnderWay", ahead: Ahead) -> str | None:
        """The packet's status; None where somebody else has it by now."""
        try:
            wait(ahead)
        except AmierulesError:
            raise
        except Exception:
            # Nothing was committed.
            try:
                return settle(one.ending)
            except LostOwnership:
                self._hands.claims.check()
                return None
        return one.status

    def close(self) -> None:
        """Wait for nothing any more."""
        if self._ahead is not None:
            self._ahead.close()


class _UnderWay(NamedTuple):
    ending: Ending
    task: Task
    status: str
    """The one that the packet has once it is committed."""
    soon: bool


@dataclass
class Hands:
    """What a group works with."""

    site: Site
    claims: Claims
    feed: Feed
    makes_person: Callable[[str], bool]
    """Whether the rules of a packet type have an action that may make a person."""
    on_start: Callable[[WorkItem], None]
    on_end: Callable[[int, Handled], None]
    crash_point: CrashPoint
    draining: Callable[[], bool]
    go_on: Callable[[], None]
    """Raises what ends the process at once, where it is to end: nothing more is recorded then."""
    commit_together: int
    only_slot: bool
    """Whether nobody else in this process works on what the feed gives."""
    committing: Committing = field(init=False)
    """The commit that is under way."""
    _released: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        # Where several slots share a process, another one goes on anyway.
        ahead = Ahead(self.site.database) if self.only_slot and not self.site.database.is_sqlite else None
        self.committing = Committing(self, ahead)

    def release(self, keys: Collection[str], *, soon: bool) -> None:
        """Give back claims. `soon`: they may go with a later message, as far as nobody waits long for them."""
        now = time.monotonic()
        later = soon and self.only_slot and now - self._released < LONGEST
        self.claims.release(keys, soon=later)
        self._released = self._released if later else now

    def tell(self, ending: Ending, task: Task, status: str | None) -> None:
        """A pass is committed, or (None) lost to somebody else. Raises `Unavailable` where it is told, but what else is
        to be recorded of it cannot be.
        """
        trouble = None
        if status is not None:
            try:
                ending.note_back_end()
            except Unavailable as error:
                trouble = error
        self.crash_point("after settling")
        if status is not None:
            self.on_end(task.packet_rec_id, Handled(ending.report, status))
        self.feed.end(task, status)
        if trouble is not None:
            raise trouble
