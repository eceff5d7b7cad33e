"""What the benchmarks of the engine share: a server, a scratch folder, and the table of what was measured."""

import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from amierules.database.connection import Database
from amierules.database.migrations import create_all
from benchmarks import backlog, by_amierules
from benchmarks.measuring import Measured
from tests.support.postgres import PostgresServer

Way = Callable[[], Measured]
"""Does something once, and measures it."""


@dataclass(frozen=True)
class Line:
    """A line of the table: medians over the repetitions."""

    what: str
    waiting: int
    per_second: float
    ratio: float | None = None
    """To the line that the scene compares with, repetition by repetition."""
    megabytes: float = 0.0
    rates: tuple[float, ...] = ()
    """Of each repetition."""

    def to(self, other: "Line") -> float:
        """How many times as fast it is as another line: the median, repetition by repetition."""
        return statistics.median(one / base for one, base in zip(self.rates, other.rates, strict=True))


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

    def site_of(self, name: str, *, seconds: float | None = None) -> Path:
        """The configuration of a new site over the database of that name."""
        return self.site(self.server.url(name), seconds=seconds)

    @contextmanager
    def copy(self, template: str) -> Iterator[str]:
        """A database of the same content, dropped afterwards."""
        name = self.server.create_database(template)
        try:
            yield name
        finally:
            self.server.drop_database(name)

    @contextmanager
    def template(self, rows: dict[str, Iterator[backlog.Row]]) -> Iterator[str]:
        """The name of a database with all tables and these rows, dropped afterwards."""
        name = self.server.create_database()
        try:
            with Database.open_unchecked(self.server.url(name)) as database:
                create_all(database)
            backlog.fill_postgres(self.dsn(name), rows)
            yield name
        finally:
            self.server.drop_database(name)

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
                tuple(one.rate for one in measured),
            )
        )


def in_turns(ways: dict[tuple[str, int], Way], times: int) -> dict[tuple[str, int], list[Measured]]:
    """What each way measures, by what it is called and its backlog: the ways take turns, so often."""
    found: dict[tuple[str, int], list[Measured]] = {name: [] for name in ways}
    for _ in range(times):
        for name, way in ways.items():
            found[name].append(way())
    return found
