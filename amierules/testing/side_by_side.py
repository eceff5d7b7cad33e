"""Tests in several processes: each plays some of the tests on databases of its own; results come in order."""

import os
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass

from amierules.diagnostics import Place
from amierules.ports.forks import forks
from amierules.testing.failure import Failure
from amierules.testing.model import Case, UsageCase
from amierules.testing.running import FileRun, Result
from amierules.testing.stage import Stages
from amierules.testing.watching import Used

WORTH_IT = 50
"""From so many tests on, several processes are faster than one."""
_EACH = 6
"""So many tests are handed out at a time: few enough that all processes end together."""

Chosen = tuple[FileRun, Sequence[Case | UsageCase]]
"""The tests of a file that are wanted."""


@dataclass(frozen=True)
class _Came:
    """What came of a test, without what the other process has already."""

    failures: list[Failure]
    turn: int
    used: frozenset[Used]
    seconds: float


@dataclass
class _Here:
    """What a process that was forked off finds."""

    chosen: Sequence[Chosen]
    stages: Stages


_here: list[_Here] = []
"""What this process forks off to others; nothing in one that does not."""


def usual_jobs(tests: int) -> int:
    """How many processes so many tests are worth."""
    return len(os.sched_getaffinity(0)) if tests >= WORTH_IT else 1


def results_of(chosen: Sequence[Chosen], stages: Stages, jobs: int) -> Generator[Iterable[Result], None, None]:
    """The results of each file's tests, as soon as they are there; played in so many processes."""
    if jobs <= 1:
        yield from (run.results(cases) for run, cases in chosen)
        return
    _here.append(_Here(chosen, stages))
    try:
        with forks(jobs, _begin) as pool:
            handed = [[*_handed_out(pool, number, len(cases))] for number, (_, cases) in enumerate(chosen)]
            yield from (_results(*one, futures) for one, futures in zip(chosen, handed, strict=True))
    finally:
        _here.clear()


def _handed_out(pool: Executor, number: int, tests: int) -> Iterator["Future[tuple[list[_Came], set[Place]]]"]:
    for first in range(0, tests, _EACH):
        yield pool.submit(_play, number, first)


def _results(
    run: FileRun,
    cases: Sequence[Case | UsageCase],
    futures: "Iterable[Future[tuple[list[_Came], set[Place]]]]",
) -> Iterator[Result]:
    at = 0
    for future in futures:
        came, used = future.result()
        run.used_places |= used
        for one in came:
            yield Result(run.file, cases[at], run.stage, one.failures, one.turn, one.used, one.seconds)
            at += 1


def _begin() -> None:
    """In the new process: the databases are the first one's."""
    _here[0].stages.begin_anew(f"process-{os.getpid()}")


def _play(number: int, first: int) -> tuple[list[_Came], set[Place]]:
    run, cases = _here[0].chosen[number]
    results = run.results(cases[first : first + _EACH])
    came = [_Came(one.failures, one.turn, one.used, one.seconds) for one in results]
    return came, run.used_places
