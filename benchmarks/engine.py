"""How fast the engine answers packets, beside what a programmer would write by hand with psycopg2.

`python -m benchmarks.engine [--waiting N…] [--json FILE]`; all in one run on one machine, on a PostgreSQL server of its
own that writes each commit to the disk. How to read it: docs/benchmarks.md.
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

from amierules.database.connection import Database
from amierules.database.migrations import create_all
from amierules.engine.group import LARGEST
from benchmarks import backlog, by_amierules, by_hand
from benchmarks.measuring import Measured, measure
from tests.support.postgres import PostgresServer

_COMMAND_SECONDS = 0.1
_IDLE_TIMES = 20

Way = Callable[[str], Measured]
"""A way to answer the packets of the database of that name."""


@dataclass(frozen=True)
class Line:
    """A line of the table: medians over the repetitions."""

    what: str
    waiting: int
    per_second: float
    ratio: float | None = None
    """To the packets a second of `by hand, a commit a packet` beside the same backlog."""
    megabytes: float = 0.0


@dataclass
class Bench:
    """A server, a scratch folder, and what was measured so far."""

    server: PostgresServer
    scratch: Path
    pairs: int
    answered: int
    workers: Sequence[int]
    lines: list[Line] = field(default_factory=list)
    _folders: int = 0

    def dsn(self, name: str) -> str:
        """The database as psycopg2 knows it."""
        return f"host={self.server.folder} user=postgres dbname={name}"

    def site(self, url: str, *, seconds: float | None = None) -> Path:
        """The configuration of a new site folder."""
        self._folders += 1
        return by_amierules.write_site(self.scratch / str(self._folders), url, seconds=seconds)

    @contextmanager
    def copy(self, template: str) -> Iterator[str]:
        """A database of the same content, dropped afterwards."""
        name = self.server.create_database(template)
        try:
            yield name
        finally:
            self.server.drop_database(name)

    def template(self, rows: dict[str, Iterator[backlog.Row]]) -> str:
        """The name of a new database with all tables and these rows."""
        name = self.server.create_database()
        with Database.open_unchecked(self.server.url(name)) as database:
            create_all(database)
        backlog.fill_postgres(self.dsn(name), rows)
        return name

    def add(self, line: Line) -> None:
        """Keeps the line and prints it."""
        self.lines.append(line)
        ratio = "" if line.ratio is None else f"{line.ratio:.3f}"
        memory = f"{line.megabytes:.0f}" if line.megabytes else ""
        print(f"{line.what:<44}{line.waiting:>9,}{line.per_second:>11,.1f}{ratio:>9}{memory:>6}", flush=True)

    def several(self, what: str, waiting: int, measured: Sequence[Measured], base: Sequence[Measured] = ()) -> None:
        """Adds a line of repetitions; the ratio is the median of those to `base`, pair by pair."""
        ratios = [ours.rate / theirs.rate for ours, theirs in zip(measured, base, strict=False)]
        self.add(
            Line(
                what,
                waiting,
                statistics.median(one.rate for one in measured),
                statistics.median(ratios) if ratios else None,
                max(one.megabytes for one in measured),
            )
        )


def answering(bench: Bench, waiting: int) -> None:
    """Answering packets from their own fields: by hand in three ways, and by the engine; intake and planning apart."""
    new = bench.template(backlog.waiting(waiting))
    with bench.copy(new) as ready:
        intake = [measure(by_amierules.take_in, bench.site(bench.server.url(ready)), waiting)]
        limit = min(waiting, bench.answered)
        ways: dict[str, tuple[str, Way]] = {}
        for count in bench.workers:
            suffix = "" if count == 1 else f", {count} workers"
            ways |= {
                f"by hand, a commit a packet{suffix}": (new, _by_hand(bench, by_hand.commit_each, limit, count)),
                f"by hand, a commit for 100{suffix}": (new, _by_hand(bench, by_hand.commit_hundred, limit, count)),
                f"amierules{suffix}": (ready, _engine(bench, limit, count, LARGEST)),
                f"amierules, a commit a packet{suffix}": (ready, _engine(bench, limit, count, 1)),
            }
        ways["by hand, one set-based statement"] = (new, _by_hand(bench, by_hand.set_based, limit, 1))
        found: dict[str, list[Measured]] = {what: [] for what in ways}
        for _ in range(bench.pairs):
            for what, (source, way) in ways.items():
                with bench.copy(source) as name:
                    found[what].append(way(name))
        for what, measured in found.items():
            bench.several(what, waiting, measured, found["by hand, a commit a packet"])
        bench.several("amierules, intake of all", waiting, intake)
        if waiting <= 10_000:
            site = bench.site(bench.server.url(ready))
            bench.several("amierules, planning all", waiting, [measure(by_amierules.plan, site, waiting)])
    bench.server.drop_database(new)


def _by_hand(bench: Bench, work: Callable[[str, int], int], limit: int, workers: int) -> Way:
    return lambda name: measure(partial, work, bench.dsn(name), limit // workers, workers=workers)


def _engine(bench: Bench, limit: int, workers: int, together: int) -> Way:
    def way(name: str) -> Measured:
        site = bench.site(bench.server.url(name))
        return measure(by_amierules.run, site, limit // workers, together, workers=workers)

    return way


def on_sqlite(bench: Bench, waiting: int) -> None:
    """The same on an SQLite file."""
    path = bench.scratch / f"{waiting}.db"
    url = f"sqlite:///{path}"
    Database.open(url, create=True).close()
    backlog.fill_sqlite(path, backlog.waiting(waiting))
    site = bench.site(url)
    bench.several("amierules on SQLite, intake of all", waiting, [measure(by_amierules.take_in, site, waiting)])
    answered = measure(by_amierules.run, site, min(waiting, bench.answered))
    bench.several("amierules on SQLite", waiting, [answered])
    path.unlink()


def idling(bench: Bench, transactions: int) -> None:
    """A run with nothing to do, beside transactions that wait for the other side."""
    name = bench.template(backlog.sent(transactions))
    site = bench.site(bench.server.url(name))
    measured = [measure(by_amierules.idle, site, _IDLE_TIMES) for _ in range(bench.pairs)]
    bench.several("amierules, runs with nothing to do", transactions, measured)
    bench.server.drop_database(name)


def commands(bench: Bench, packets: int, jobs: Sequence[int]) -> None:
    """Packets whose rule has a command of 100 ms, at several jobs."""
    new = bench.template(backlog.waiting(packets))
    measured: dict[int, Measured] = {}
    for number in jobs:
        with bench.copy(new) as name:
            site = bench.site(bench.server.url(name), seconds=_COMMAND_SECONDS)
            measured[number] = measure(by_amierules.run_command, site, packets, number)
    for number, one in measured.items():
        first = [measured[jobs[0]]] if number != jobs[0] else []
        bench.several(f"amierules, 100 ms commands, --jobs {number}", packets, [one], first)
    bench.server.drop_database(new)


@dataclass(frozen=True)
class Goal:
    """The least that the rate of one line may be of that of another, with the same backlog."""

    line: str
    of: str
    least: float
    gain: bool = False
    """Whether it is the gain from a second worker that is compared, and not the rate."""


GOALS = (
    Goal("amierules, a commit a packet", "by hand, a commit a packet", 0.7),
    Goal("amierules", "by hand, a commit for 100", 0.5),
    Goal("amierules", "by hand, a commit for 100", 0.9, gain=True),
)


def shortfalls(lines: Sequence[Line], share: float) -> list[str]:
    """Which goals are not reached to this share, in words."""
    rates = {(line.what, line.waiting): line.ratio for line in lines if line.ratio is not None}
    found = []
    for waiting in dict.fromkeys(waiting for _, waiting in rates):
        for goal in GOALS:
            ours, theirs = (_figure(rates, line, waiting, goal.gain) for line in (goal.line, goal.of))
            if ours is None or theirs is None or ours / theirs >= share * goal.least:
                continue
            what = f"what `{goal.line}` gains from a second worker" if goal.gain else f"`{goal.line}`"
            asked = f"at least {share * goal.least:.2f} is asked"
            found.append(f"{waiting:,} waiting: {what} is {ours / theirs:.2f} of `{goal.of}`; {asked}")
    return found


def _figure(rates: Mapping[tuple[str, int], float], line: str, waiting: int, gain: bool) -> float | None:
    one, two = rates.get((line, waiting)), rates.get((f"{line}, 2 workers", waiting))
    if not gain:
        return one
    return two / one if one is not None and two is not None else None


def main() -> int:
    """Prints the table; the exit status."""
    options = _options()
    scratch = Path(tempfile.mkdtemp(prefix="amierules-bench-"))
    server = PostgresServer(durable=True)
    bench = Bench(server, scratch, options.pairs, options.answered, options.workers)
    print(f"Python {platform.python_version()}, PostgreSQL {server.version}, {os.cpu_count()} cores\n")
    print(f"{'what':<44}{'waiting':>9}{'a second':>11}{'ratio':>9}{'MB':>6}")
    try:
        for waiting in options.waiting:
            answering(bench, waiting)
            on_sqlite(bench, waiting)
        for transactions in options.idle:
            idling(bench, transactions)
        if options.commands:
            commands(bench, options.commands, options.jobs)
    finally:
        server.remove()
        shutil.rmtree(scratch, ignore_errors=True)
    if options.json:
        document = {"format_version": 1, "lines": [asdict(line) for line in bench.lines]}
        options.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    missed = shortfalls(bench.lines, options.share) if options.share else []
    print("".join(f"\n{one}" for one in missed), end="\n" if missed else "")
    return 1 if missed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--waiting", type=int, nargs="*", default=[1000], help="backlogs (1000)")
    add("--answered", type=int, default=1000, help="how many of a backlog are answered at most (1000)")
    add("--pairs", type=int, default=5, help="repetitions, interleaved (5)")
    add("--workers", type=int, nargs="+", default=[1, 2], help="how many work at the same time (1 2)")
    add("--idle", type=int, nargs="*", default=[100], help="transactions that wait for the other side (100)")
    add("--commands", type=int, default=0, help="packets with a command of 100 ms (0: not measured)")
    add("--jobs", type=int, nargs="+", default=[1], help="jobs for them; the first one is the base of the ratio (1)")
    add("--share", type=float, help="fail where less than this share of a goal is reached: as CI does")
    add("--json", type=Path, help="also write the table to this file")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
