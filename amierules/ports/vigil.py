"""What is kept an eye on while a process runs: a reason to end it before its time."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_checks: ContextVar[tuple[Callable[[], None], ...]] = ContextVar("checks", default=())


@contextmanager
def watching(check: Callable[[], None]) -> Iterator[None]:
    """Within it, `check` is called again and again while this thread waits for a process: many times a second.

    What `check` raises ends the process with its group, and goes on to whoever started it.
    """
    before = _checks.set((*_checks.get(), check))
    try:
        yield
    finally:
        _checks.reset(before)


def look() -> None:
    """Call the checks of this thread."""
    for check in _checks.get():
        check()
