"""In which order a worker's slots take packets: by arrival, and never two at once that share a lock key."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime


@dataclass(frozen=True)
class Task:
    """A packet that is due: its place in the order of arrival, and the lock keys that it is known by."""

    packet_rec_id: int
    ts: datetime
    keys: frozenset[str]
    hurried: bool = False
    """Whether a person wants it tried whatever its time."""

    @property
    def place(self) -> tuple[datetime, int]:
        """Where it stands in the order of arrival."""
        return self.ts, self.packet_rec_id


@dataclass
class Schedule:
    """The packets that were read ahead, and those that are being worked on. Knows no database, and no threads.

    A packet that shares a key with an earlier one, which is under way or waits here itself, is not given out. What
    another process has in its hands is put aside, with all that would have to wait for it.
    """

    _pending: dict[int, Task] = field(default_factory=dict)
    """By id, in the order of arrival."""
    _running: dict[int, frozenset[str]] = field(default_factory=dict)
    _aside: set[str] = field(default_factory=set)
    """The keys of packets that others have."""
    _stuck: bool = False
    """Whether nothing can be given out before something changes."""

    def add(self, tasks: Iterable[Task]) -> None:
        """Takes in packets that are due; those that are in hand already stay as they are."""
        new = [task for task in tasks if task.packet_rec_id not in self._pending.keys() | self._running.keys()]
        if new:
            self._put(new)

    def take(self) -> Task | None:
        """Gives out the earliest packet that need not wait for another; None where there is none."""
        if self._stuck:
            return None
        taken = set().union(*self._running.values())
        for task in list(self._pending.values()):
            if not self._aside.isdisjoint(task.keys):
                self._aside |= task.keys
                del self._pending[task.packet_rec_id]
            elif taken.isdisjoint(task.keys):
                del self._pending[task.packet_rec_id]
                self._running[task.packet_rec_id] = task.keys
                return task
            else:
                taken |= task.keys
        self._stuck = True
        return None

    def reserve(self, task: Task, keys: Collection[str], *, beside: Collection[int] = ()) -> bool:
        """Whether a packet that was given out may have these keys, which it turned out to need; if so, it has them.

        It may share them with the packets `beside` it, which the same slot works on.
        """
        others = (
            held for number, held in self._running.items() if number != task.packet_rec_id and number not in beside
        )
        wanted = frozenset(keys) | self._running[task.packet_rec_id]
        if wanted.isdisjoint(set().union(*others)):
            self._running[task.packet_rec_id] = wanted
            return True
        return False

    def put_back(self, task: Task, keys: Collection[str]) -> None:
        """A packet that was given out is to be given out again; it is known by more keys now."""
        known = frozenset(keys) | self._running[task.packet_rec_id]
        self.end(task)
        self._put([replace(task, keys=known)])

    def end(self, task: Task) -> None:
        """A packet that was given out has ended: others may have its keys."""
        del self._running[task.packet_rec_id]
        self._stuck = False

    def put_aside(self, task: Task) -> None:
        """Another process has a packet that was given out: nothing that shares a key with it is given out either."""
        self._aside |= self._running[task.packet_rec_id]
        self.end(task)

    def look_again(self) -> None:
        """What others had may be free by now; it must be added again."""
        self._aside.clear()

    def _put(self, tasks: Iterable[Task]) -> None:
        self._pending |= {task.packet_rec_id: task for task in tasks}
        self._pending = dict(sorted(self._pending.items(), key=lambda one: one[1].place))
        self._stuck = False

    @property
    def waiting(self) -> int:
        """How many were read ahead and not given out."""
        return len(self._pending)

    @property
    def under_way(self) -> int:
        """How many were given out and have not ended."""
        return len(self._running)
