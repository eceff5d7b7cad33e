"""SIGTERM, SIGHUP, Ctrl-C: what is under way is finished to the end of its step; a second one ends all at once."""

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from amierules.cli.console import tell
from amierules.cli.ending import leave_terminal


@dataclass
class Signals:
    """The signals that asked this process to end, in the order in which they came."""

    came: list[int] = field(default_factory=list)

    @property
    def interrupted(self) -> bool:
        """Whether a person at the keyboard asked for it."""
        return signal.SIGINT in self.came


@dataclass
class Draining:
    """What a signal drains: it may come before that is there."""

    _asked: bool = False
    _drains: Sequence[Callable[[], None]] = ()

    def drain(self) -> None:
        """Drains what is there, and what comes."""
        self._asked = True
        for drain in self._drains:
            drain()

    def of(self, *drains: Callable[[], None]) -> None:
        """What is to be drained; each may be called more than once."""
        self._drains = drains
        if self._asked:
            self.drain()


@contextmanager
def drained_by_signals(drain: Callable[[], None], under_way: str = "step") -> Iterator[Signals]:
    """Within it, SIGTERM, SIGHUP or Ctrl-C calls `drain` once, and a second signal raises `KeyboardInterrupt`; another
    SIGHUP does not, since kernel and shell may send one each. Gives what came.

    `under_way` is what people are told to wait for. Who was started with Ctrl-C or SIGHUP ignored, as in the background
    of a script or by nohup, goes on ignoring it.
    """
    signals = Signals()

    def handle(number: int, _frame: object) -> None:
        if number == signal.SIGHUP:
            leave_terminal()
            if signals.came:
                return
        signals.came.append(number)
        if len(signals.came) > 1:
            raise KeyboardInterrupt
        again = "Ctrl-C again" if number == signal.SIGINT else "a second signal"
        tell(f"ending after the {under_way} that is under way; {again} ends it at once")
        drain()

    may_be_ignored = (signal.SIGINT, signal.SIGHUP)
    caught = [signal.SIGTERM, *(one for one in may_be_ignored if signal.getsignal(one) is not signal.SIG_IGN)]
    before = {number: signal.signal(number, handle) for number in caught}
    try:
        yield signals
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
