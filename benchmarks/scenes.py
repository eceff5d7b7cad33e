"""What is measured: a backlog answered, planned and taken in, passes with nothing to do, commands at several jobs."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial

from amierules.database.connection import Database
from amierules.engine.group import LARGEST
from benchmarks import backlog, by_amierules, by_hand
from benchmarks.bench import Bench, Way, in_turns
from benchmarks.measuring import Measured, measure

_COMMAND_SECONDS = 0.1
_QUICK_TIMES, _FIRST_TIMES, _TIMES = 2000, 200, 20
FLOOR = "by hand, a commit a packet"
"""What all other ways of answering are compared with."""
COMMANDS = "amierules, 100 ms commands, --jobs "
"""What the lines of several jobs are called, before their number."""
_THREADS = "by hand, 100 ms commands, threads: "


def answering(bench: Bench, waiting: int) -> None:
    """Answering packets from their own fields, by hand in three ways and by the engine; planning them; intake apart."""
    with bench.template(backlog.waiting(waiting)) as new, bench.copy(new) as ready:
        intake = [measure(by_amierules.take_in, bench.site_of(ready), waiting)]
        limit = min(waiting, bench.answered)
        ways: dict[tuple[str, int], Way] = {}
        for count in bench.workers:
            suffix = "" if count == 1 else f", {count} workers"
            named: dict[str, Way] = {
                FLOOR: _by_hand(bench, new, by_hand.commit_each, limit, count),
                "by hand, a commit for 100": _by_hand(bench, new, by_hand.commit_hundred, limit, count),
                "amierules": _engine(bench, ready, limit, count, LARGEST),
                "amierules, a commit a packet": _engine(bench, ready, limit, count, 1),
            }
            ways |= {(what + suffix, waiting): way for what, way in named.items()}
        ways["amierules, planning", waiting] = partial(measure, by_amierules.plan, bench.site_of(ready), limit)
        ways["by hand, one set-based statement", waiting] = _by_hand(bench, new, by_hand.set_based, limit, 1)
        found = in_turns(ways, bench.pairs)
        for (what, _), measured in found.items():
            bench.several(what, waiting, measured, found[FLOOR, waiting])
        bench.several("amierules, intake of all", waiting, intake)


def _by_hand(bench: Bench, source: str, work: Callable[[str, int], int], limit: int, workers: int) -> Way:
    def way() -> Measured:
        with bench.copy(source) as name:
            return measure(partial, work, bench.dsn(name), limit // workers, workers=workers)

    return way


def _engine(bench: Bench, source: str, limit: int, workers: int, together: int) -> Way:
    def way() -> Measured:
        with bench.copy(source) as name:
            return measure(by_amierules.run, bench.site_of(name), limit // workers, together, workers=workers)

    return way


def on_sqlite(bench: Bench, waiting: int) -> None:
    """The same on an SQLite file."""
    path = bench.scratch / f"{waiting}.db"
    url = f"sqlite:///{path}"
    Database.open(url, create=True).close()
    backlog.fill_sqlite(path, backlog.waiting(waiting))
    site = bench.site(url)
    limit = min(waiting, bench.answered)
    bench.several("amierules on SQLite, intake of all", waiting, [measure(by_amierules.take_in, site, waiting)])
    bench.several("amierules on SQLite, planning", waiting, [measure(by_amierules.plan, site, limit)])
    bench.several("amierules on SQLite", waiting, [measure(by_amierules.run, site, limit)])
    path.unlink()


def idling(bench: Bench, transactions: Sequence[int]) -> None:
    """With nothing to do, beside transactions that wait for the other side: more of them are to cost no more."""
    with ExitStack() as stack:
        ways: dict[tuple[str, int], Way] = {}
        for count in transactions:
            site = bench.site_of(stack.enter_context(bench.template(backlog.sent(count))))
            ways["amierules, a quick pass", count] = partial(measure, by_amierules.quick_passes, site, _QUICK_TIMES)
            ways["amierules, a quick pass after a commit", count] = partial(
                measure, by_amierules.first_quick_passes, site, _FIRST_TIMES
            )
            ways["amierules, a sweep", count] = partial(measure, by_amierules.sweeps, site, _TIMES)
            ways["amierules, a run with nothing to do", count] = partial(measure, by_amierules.idle, site, _TIMES)
        found = in_turns(ways, bench.pairs)
    for (what, count), measured in sorted(found.items()):
        first = transactions[0]
        bench.several(what, count, measured, found[what, first] if count != first else ())


def commands(bench: Bench, packets: int, jobs: Sequence[int], times: int) -> None:
    """Packets whose rule has a command of 100 ms, at several jobs."""
    with bench.template(backlog.waiting(packets)) as new:
        measure(by_amierules.take_in, bench.site_of(new), packets)
        ways: dict[tuple[str, int], Way] = {}
        for number in jobs:
            ways[f"{_THREADS}{number}", packets] = _at_threads(bench, new, packets, number)
            ways[f"{COMMANDS}{number}", packets] = _at_jobs(bench, new, packets, number)
        found = in_turns(ways, times)
    for kind in (_THREADS, COMMANDS):
        first = found[f"{kind}{jobs[0]}", packets]
        for number in jobs:
            measured = found[f"{kind}{number}", packets]
            bench.several(f"{kind}{number}", packets, measured, first if number != jobs[0] else ())


def _at_threads(bench: Bench, source: str, packets: int, threads: int) -> Way:
    def way() -> Measured:
        with bench.copy(source) as name:
            return measure(partial, by_hand.with_command, bench.dsn(name), packets, _COMMAND_SECONDS, threads)

    return way


def _at_jobs(bench: Bench, source: str, packets: int, jobs: int) -> Way:
    def way() -> Measured:
        with bench.copy(source) as name:
            site = bench.site_of(name, seconds=_COMMAND_SECONDS)
            return measure(by_amierules.run, site, packets, LARGEST, jobs)

    return way
