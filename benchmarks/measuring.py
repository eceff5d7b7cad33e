"""Measuring work in processes of its own: when it began and ended, and the most memory that it took."""

import multiprocessing
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

Work = Callable[..., Callable[[], int]]
"""Makes ready, and returns what is measured: it does something, and returns how many times. Importable by its name."""

_SPAWN = multiprocessing.get_context("spawn")


@dataclass(frozen=True)
class Measured:
    """What several workers did together."""

    count: int
    seconds: float
    """From the first start to the last end, without what is made ready before."""
    megabytes: float
    """The most memory that one of them took."""

    @property
    def rate(self) -> float:
        """How many a second."""
        return self.count / self.seconds


def measure(work: Work, *arguments: Any, workers: int = 1) -> Measured:
    """Lets so many new processes do the work at the same time. Raises `RuntimeError` where one fails."""
    barrier = _SPAWN.Barrier(workers)
    started = []
    for _ in range(workers):
        ours, theirs = _SPAWN.Pipe(duplex=False)
        process = _SPAWN.Process(target=_worker, args=(theirs, barrier, work, arguments))
        process.start()
        theirs.close()
        started.append((process, ours))
    told = [_told(ours, barrier) for _, ours in started]
    for process, _ in started:
        process.join()
    if None in told:
        raise RuntimeError(f"{work.__name__} failed: its traceback is above")
    results = [one for one in told if one is not None]
    seconds = max(ended for _, _, ended, _ in results) - min(began for _, began, _, _ in results)
    return Measured(sum(one[0] for one in results), seconds, max(one[3] for one in results))


def _worker(told: Connection, barrier: Any, work: Work, arguments: tuple[Any, ...]) -> None:
    measured = work(*arguments)
    barrier.wait()
    began = time.monotonic()  # the same clock in all processes of a machine
    count = measured()
    told.send((count, began, time.monotonic(), _megabytes()))


def _megabytes() -> float:
    """The most memory that this process had. What `getrusage` says includes what its parent had when it was forked."""
    try:
        status = Path("/proc/self/status").read_text("ascii")
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")) / 1024


def _told(pipe: Connection, barrier: Any) -> tuple[int, float, float, float] | None:
    try:
        result: tuple[int, float, float, float] = pipe.recv()
    except EOFError:
        barrier.abort()
        return None
    return result
