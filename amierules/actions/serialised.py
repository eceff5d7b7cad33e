"""One writer at a time: a lock file that all amierules processes of a host share."""

import contextlib
from collections.abc import Iterator

from amierules.actions.base import BackendUnavailable
from amierules.ports.file_locks import Busy, locked

_WAIT = 60.0
"""Seconds for which the others are waited for."""


@contextlib.contextmanager
def one_at_a_time(what: str, *places: str) -> Iterator[None]:
    """Hold the first of these lock files or folders that can be opened, while `what` is changed.

    Raises `BackendUnavailable` where it is not to be had in a minute: whoever comes next would wait for it as well.
    Where none can be opened there is no lock: who may not even read the folder may not change `what` either, and the
    tool says so better than we could.
    """
    with contextlib.ExitStack() as stack:
        try:
            _hold(stack, places)
        except Busy as busy:
            raise BackendUnavailable(f"other processes are changing {what}: {busy}") from busy
        yield


def _hold(stack: contextlib.ExitStack, places: tuple[str, ...]) -> None:
    for place in places:
        with contextlib.suppress(OSError):
            stack.enter_context(locked(place, _WAIT))
            return
