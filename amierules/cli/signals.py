"""SIGTERM: what is under way is finished to the end of its step; a second one ends the process at once."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from amierules.cli.console import tell


@contextmanager
def drained_by_sigterm(drain: Callable[[], None]) -> Iterator[Callable[[], bool]]:
    """Within it, SIGTERM calls `drain` once, and a second one raises `KeyboardInterrupt`. Gives whether one came."""
    came: list[int] = []

    def handle(number: int, _frame: object) -> None:
        came.append(number)
        if len(came) > 1:
            raise KeyboardInterrupt
        tell("ending after the step that is under way; a second signal ends it at once")
        drain()

    before = signal.signal(signal.SIGTERM, handle)
    try:
        yield lambda: bool(came)
    finally:
        signal.signal(signal.SIGTERM, before)
