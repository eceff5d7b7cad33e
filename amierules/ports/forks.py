"""Processes that begin as this one is, for work that takes all processors."""

import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context


@contextmanager
def forks(jobs: int, begin: Callable[[], None]) -> Iterator[ProcessPoolExecutor]:
    """So many processes, forked off this one, each of which calls `begin` first; what nobody has begun at the end is
    not done. A person's Ctrl-C is for this one alone.
    """

    def prepared() -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        begin()

    with ProcessPoolExecutor(jobs, mp_context=get_context("fork"), initializer=prepared) as pool:
        try:
            yield pool
        finally:
            # Waited for here, or the end of the program may find it half shut down.
            pool.shutdown(wait=True, cancel_futures=True)
