"""Feeding a worker's slots: what is due is read ahead in batches, and given to whichever slot is free."""

import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from amierules.database.own_tables import FINAL_STATUSES
from amierules.engine.schedule import Schedule, Task

Place = tuple[datetime, int]
ReadDue = Callable[[Place | None], Sequence[Task]]
"""Reads a batch of what is due after a place in the order of arrival; an empty one where there is no more."""

_READ_AHEAD = 1000
"""So many packets at most wait here for others that the slots are busy with."""


@dataclass
class Feed:
    """What the slots of one worker share. Every method may be called from any thread.

    What is due is read through once, and again as long as that brings anything: a packet that ended may have let
    others go on that stand before it.
    """

    read_due: ReadDue
    limit: int | None = None
    """So many packets are given out at most; one that turned out to need nothing does not count."""
    _schedule: Schedule = field(default_factory=Schedule)
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _after: Place | None = None
    _read_all: bool = False
    _again: bool = False
    """Whether something ended since the reading began."""
    _handled: set[int] = field(default_factory=set)
    _looked_again: set[int] = field(default_factory=set)
    _stopped: bool = False

    def take(self) -> Task | None:
        """The next packet, once there is one; None where there is nothing more to do."""
        with self._changed:
            while not self._stopped:
                task = None if self._is_full() else self._next()
                if task is not None:
                    return task
                if not self._schedule.under_way:
                    break
                self._changed.wait()
            return None

    def take_more(self, most: int) -> list[Task]:
        """At most so many more that were read already and need not wait: they share no key with any that is out."""
        taken: list[Task] = []
        with self._changed:
            while len(taken) < most and not self._stopped and not self._is_full():
                task = self._schedule.take()
                if task is None:
                    break
                taken.append(task)
        return taken

    def reserve(self, task: Task, keys: Collection[str], *, beside: Collection[int] = ()) -> bool:
        """Whether a packet that was given out may have the keys that it needs; see `Schedule.reserve`."""
        with self._changed:
            return self._schedule.reserve(task, keys, beside=beside)

    def put_back(self, task: Task, keys: Collection[str]) -> None:
        """A packet needs other keys than those that it got: it will be given out again."""
        with self._reported():
            self._schedule.put_back(task, keys)

    def put_aside(self, task: Task, *, again: bool = False) -> None:
        """Another process has the packet, or one that it must wait for; `again` to look at it once more anyway."""
        with self._reported():
            self._schedule.put_aside(task)
            if again:
                self._again |= task.packet_rec_id not in self._looked_again
                self._looked_again.add(task.packet_rec_id)

    def end(self, task: Task, status: str | None = None) -> None:
        """A packet is done with; `status` is what it ended in, None where nothing was done."""
        with self._reported():
            self._schedule.end(task)
            if status is not None:
                # One that is put off again and again is no reason to go on for ever.
                self._again |= status in FINAL_STATUSES or task.packet_rec_id not in self._handled
                self._handled.add(task.packet_rec_id)

    def stop(self) -> None:
        """Gives out no more packets; those that are under way are finished."""
        with self._reported():
            self._stopped = True

    @contextmanager
    def _reported(self) -> Iterator[None]:
        with self._changed:
            yield
            self._changed.notify_all()

    def _is_full(self) -> bool:
        return self.limit is not None and len(self._handled) + self._schedule.under_way >= self.limit

    def _next(self) -> Task | None:
        while True:
            task = self._schedule.take()
            if task is not None or not self._refill():
                return task

    def _refill(self) -> bool:
        """Reads on, or from the beginning where something has changed; whether there was anything to read."""
        if self._read_all and self._again:
            self._read_all = self._again = False
            self._after = None
            self._schedule.look_again()
        if self._read_all or self._schedule.waiting >= _READ_AHEAD:
            return False
        found = self.read_due(self._after)
        self._schedule.add(found)
        if found:
            self._after = found[-1].place
        else:
            self._read_all = True
            return self._again
        return True
